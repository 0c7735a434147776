use std::ops::Range;

use super::token::{Token, same};

/// A `CREATE TABLE` statement: where in its text everything stands. Nothing of the text is lost or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Definition {
    /// The name, as a token.
    pub(super) name: Token,
    pub(super) columns: Vec<Column>,
    /// The table's own constraints.
    pub(super) constraints: Vec<Constraint>,
    pub(super) without_rowid: bool,
    pub(super) strict: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// From the name to the last token.
    pub(super) span: Range<usize>,
    /// Where the name ends.
    pub(super) name_end: usize,
    /// The type's words and numbers.
    pub(super) sql_type: Option<Range<usize>>,
    pub(super) constraints: Vec<Constraint>,
    /// The comma before it.
    pub(super) comma: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Constraint {
    pub(super) name: Option<String>,
    /// From `CONSTRAINT` or the first keyword to the last token.
    pub(super) span: Range<usize>,
    pub(super) kind: ConstraintKind,
    /// The comma before it. Between a table's constraints, SQLite needs none.
    pub(super) comma: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ConstraintKind {
    /// The columns are those of a table's constraint; a column's own has none.
    PrimaryKey {
        columns: Vec<String>,
        descending: bool,
        autoincrement: bool,
    },
    Unique {
        columns: Vec<String>,
    },
    NotNull,
    Null,
    Check(Range<usize>),
    /// The value.
    Default(Range<usize>),
    Collate,
    Generated(Range<usize>),
    Foreign(ForeignKey),
    /// A name with nothing after it.
    Nothing,
}

/// A foreign key. Without `parent_columns` it refers to the parent's primary key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForeignKey {
    pub(super) columns: Vec<String>,
    pub(super) parent: String,
    pub(super) parent_columns: Vec<String>,
}

impl Definition {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| same(&column.name, name))
    }

    /// All constraints, each with the column that it is part of.
    pub(super) fn all(&self) -> impl Iterator<Item = (Option<&Column>, &Constraint)> {
        let own =
            self.columns.iter().flat_map(|column| column.constraints.iter().map(move |each| (Some(column), each)));
        own.chain(self.constraints.iter().map(|each| (None, each)))
    }

    /// All foreign keys.
    pub(super) fn foreign_keys(&self) -> impl Iterator<Item = (Option<&Column>, &ForeignKey)> {
        self.all().filter_map(|(column, each)| match &each.kind {
            ConstraintKind::Foreign(key) => Some((column, key)),
            _ => None,
        })
    }

    /// The primary key's constraint and its columns.
    pub(super) fn primary_key(&self) -> Option<(Option<&Column>, &Constraint, Vec<String>)> {
        self.all().find_map(|(column, each)| match (&each.kind, column) {
            (ConstraintKind::PrimaryKey { .. }, Some(column)) => Some((Some(column), each, vec![column.name.clone()])),
            (ConstraintKind::PrimaryKey { columns, .. }, None) => Some((None, each, columns.clone())),
            _ => None,
        })
    }

    /// The column that is the row id by another name, <https://sqlite.org/lang_createtable.html#rowid>.
    pub(super) fn rowid_alias(&self, text: &str) -> Option<&str> {
        if self.without_rowid {
            return None;
        }
        let (of, constraint, columns) = self.primary_key()?;
        let [only] = &*columns else { return None };
        let column = self.column(only)?;
        let sql_type = column.sql_type.clone().and_then(|span| text.get(span)).unwrap_or_default();
        // The exception of "INTEGER PRIMARY KEY DESC" holds for a column's own constraint only.
        let descending = matches!(constraint.kind, ConstraintKind::PrimaryKey { descending: true, .. });
        (sql_type.eq_ignore_ascii_case("INTEGER") && !(of.is_some() && descending)).then_some(&*column.name)
    }

    /// Whether row ids are never used again.
    pub(super) fn autoincrement(&self) -> bool {
        self.all().any(|(_, each)| matches!(each.kind, ConstraintKind::PrimaryKey { autoincrement: true, .. }))
    }
}

impl Column {
    pub(super) fn generated(&self) -> bool {
        self.constraints.iter().any(|each| matches!(each.kind, ConstraintKind::Generated(_)))
    }
}

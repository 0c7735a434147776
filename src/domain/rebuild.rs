use super::ObjectName;

/// Changes to one SQLite table or its indexes that no statement of SQLite's makes, all done in one rebuild of the table.
///
/// What the table is like when the migration runs is read from the database itself, so everything that the edits do not
/// mention stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRebuild {
    /// The table.
    pub table: ObjectName,
    /// What to change, in order. Each edit sees what the ones before it have left.
    pub edits: Vec<TableEdit>,
}

impl TableRebuild {
    /// The tables that are dropped with this one, where it is dropped.
    pub fn dropped_with(&self) -> Option<&[String]> {
        self.edits.iter().find_map(|edit| match edit {
            TableEdit::DropTable { with } => Some(with.as_slice()),
            _ => None,
        })
    }

    /// Whether only indexes change: then the table and its rows stay where they are.
    pub fn is_of_indexes(&self) -> bool {
        self.edits.iter().all(|edit| matches!(edit, TableEdit::RenameIndex { .. }))
    }
}

/// One change to a table's definition. Names are unquoted, as the database stores them; SQL fragments are complete and
/// quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableEdit {
    /// Adds a column at the end.
    AddColumn {
        /// The column's name.
        name: String,
        /// Everything after the name: type, constraints, default.
        definition: String,
    },
    /// Drops a column, whether or not it holds data.
    DropColumn {
        /// The column's name.
        name: String,
    },
    /// Gives a column another type; stored values are converted by the new type's affinity.
    SetType {
        /// The column's name.
        column: String,
        /// The new type's SQL.
        sql_type: String,
    },
    /// Replaces the checks without a name that stand in for a column's type. What else the column has stays.
    SetTypeCheck {
        /// The column's name.
        column: String,
        /// The checks that go, as they are written: `CHECK (…)`. One that is not there is not missed.
        gone: Vec<String>,
        /// The check that comes, as it is written behind a column.
        check: Option<String>,
    },
    /// Lets a column hold NULL, or forbids it.
    SetNullable {
        /// The column's name.
        column: String,
        /// Whether NULL is allowed afterwards.
        nullable: bool,
    },
    /// Sets or removes a column's default.
    SetDefault {
        /// The column's name.
        column: String,
        /// The default's SQL expression; `None` removes the default.
        expression: Option<String>,
    },
    /// Adds a table constraint.
    AddConstraint {
        /// The constraint's name.
        name: String,
        /// Everything after `CONSTRAINT name`: `CHECK (…)`, `FOREIGN KEY (…) REFERENCES …`, `UNIQUE (…)`.
        definition: String,
    },
    /// Drops the constraint of this name, wherever in the definition it stands.
    DropConstraint {
        /// The constraint's name.
        name: String,
    },
    /// Makes these columns the primary key.
    AddPrimaryKey {
        /// The constraint's name; `None` leaves it unnamed.
        name: Option<String>,
        /// The columns in key order.
        columns: Vec<String>,
    },
    /// Gives an index of the table, which is none that a constraint has made, another name.
    RenameIndex {
        /// The index's name.
        name: String,
        /// Its new name.
        to: String,
    },
    /// Replaces the comment behind a column's definition.
    SetComment {
        /// The column's name.
        column: String,
        /// The comment as it is written, `/* … */`; `None` leaves the column without one.
        remark: Option<String>,
    },
    /// Drops the table, unless another one refers to it.
    DropTable {
        /// Tables that are dropped right after it, which may refer to it.
        with: Vec<String>,
    },
    /// Drops the primary key, named or not. A table without row ids has to keep one.
    DropPrimaryKey,
}

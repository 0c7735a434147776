//! What a portable migration says, independent of any server.

use std::collections::BTreeMap;
use std::time::Duration;

use super::types::LogicalType;
use super::yaml::At;
use crate::domain::{MigrationId, ObjectName, Provider, TransactionMode};

/// A whole file.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Document {
    pub(in super::super) description: String,
    pub(in super::super) transaction_mode: Option<TransactionMode>,
    pub(in super::super) timeout: Option<Duration>,
    /// Each with its line and column.
    pub(in super::super) depends_on: Vec<(MigrationId, At)>,
    pub(super) up: Vec<Operation>,
    /// `None`: derived from `up`.
    pub(super) down: Option<Vec<Operation>>,
}

/// One operation and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) at: At,
    /// The word it is written with.
    pub(super) word: &'static str,
    pub(super) only: Only,
    /// Without holding anybody up, where the server can.
    pub(super) is_online: bool,
    pub(super) mysql: MySqlOptions,
    pub(super) what: What,
}

/// The providers that something is for; `None` for all.
#[derive(Debug, Clone, Default)]
pub(super) struct Only(pub(super) Option<Vec<Provider>>);

impl Only {
    pub(super) fn is_for(&self, provider: Provider) -> bool {
        self.0.as_ref().is_none_or(|list| list.contains(&provider))
    }
}

/// How MySQL is asked to carry out an `ALTER TABLE`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct MySqlOptions {
    pub(super) algorithm: Option<&'static str>,
    pub(super) lock: Option<&'static str>,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    CreateTable(Table),
    DropTable { table: ObjectName },
    RenameTable { table: ObjectName, to: String },
    AddColumn { table: ObjectName, column: Column, constraints: Vec<Constraint> },
    DropColumn { table: ObjectName, column: String, is_plain: bool },
    RenameColumn { table: ObjectName, column: String, to: String },
    AlterColumn { table: ObjectName, column: String, to: Traits, was: Option<Traits> },
    CreateIndex { table: ObjectName, index: Index },
    DropIndex { table: ObjectName, name: String },
    RenameIndex { table: ObjectName, name: String, to: String },
    AddConstraint { table: ObjectName, constraint: Constraint },
    DropConstraint { table: ObjectName, name: Option<String>, kind: ConstraintKind },
    CreateView { view: ObjectName, query: SqlText, replaces: bool },
    DropView { view: ObjectName },
    Insert { table: ObjectName, rows: Vec<Vec<(String, Value)>> },
    Update { table: ObjectName, set: Vec<(String, Value)>, filter: Option<SqlText> },
    Delete { table: ObjectName, filter: Option<SqlText> },
    Sql(RawSql),
}

#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: ObjectName,
    pub(super) columns: Vec<Column>,
    pub(super) constraints: Vec<Constraint>,
    pub(super) indexes: Vec<Index>,
    pub(super) comment: Option<String>,
    /// Whether migrations have put rows into it that no migration is known to have deleted.
    pub(super) holds_rows: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) at: At,
    pub(super) name: String,
    pub(super) kind: LogicalType,
    /// Types in a server's own words, instead of `kind`.
    pub(super) native: BTreeMap<Provider, String>,
    pub(super) is_nullable: bool,
    pub(super) default: Option<Value>,
    pub(super) identity: Option<Identity>,
    pub(super) generated: Option<Generated>,
    pub(super) comment: Option<String>,
    pub(super) only: Only,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    ByDefault,
    Always,
}

#[derive(Debug, Clone)]
pub(super) struct Generated {
    pub(super) expression: SqlText,
    pub(super) is_stored: bool,
}

/// What `alter_column` says of a column; what is `None` is not said.
#[derive(Debug, Clone, Default)]
pub(super) struct Traits {
    pub(super) kind: Option<LogicalType>,
    pub(super) native: BTreeMap<Provider, String>,
    pub(super) is_nullable: Option<bool>,
    /// The inner `None`: no default.
    pub(super) default: Option<Option<Value>>,
    /// What the column is and stays; the inner `None`: nobody gives it numbers.
    pub(super) identity: Option<Option<Identity>>,
    /// The inner `None`: no comment.
    pub(super) comment: Option<Option<String>>,
}

/// A value of a default or a row.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Text(String),
    Number(String),
    Flag(bool),
    /// Hexadecimal digits, two a byte.
    Bytes(String),
    Now,
    Uuid,
    Sql(SqlText),
}

/// SQL for every provider, for some, or both: a provider's own text beats the general one, in which `"double quotes"`
/// enclose names whatever the server's quotes are.
#[derive(Debug, Clone)]
pub(super) struct SqlText {
    pub(super) at: At,
    pub(super) general: Option<String>,
    pub(super) own: BTreeMap<Provider, String>,
}

/// Statements in the words of the servers, with where each text begins.
#[derive(Debug, Clone, Default)]
pub(super) struct RawSql {
    pub(super) general: Option<Text>,
    pub(super) own: BTreeMap<Provider, Text>,
}

#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) at: At,
    /// Whether the text's lines are the file's lines, all beginning at the column of `at`.
    pub(super) keeps_lines: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Index {
    pub(super) at: At,
    pub(super) name: Option<String>,
    pub(super) parts: Vec<IndexPart>,
    pub(super) is_unique: bool,
    pub(super) filter: Option<SqlText>,
    pub(super) include: Vec<String>,
    pub(super) only: Only,
}

#[derive(Debug, Clone)]
pub(super) struct IndexPart {
    pub(super) what: IndexWhat,
    pub(super) is_descending: bool,
}

#[derive(Debug, Clone)]
pub(super) enum IndexWhat {
    Column(String),
    Expression(SqlText),
}

#[derive(Debug, Clone)]
pub(super) struct Constraint {
    pub(super) at: At,
    pub(super) name: Option<String>,
    pub(super) rule: Rule,
    pub(super) only: Only,
}

#[derive(Debug, Clone)]
pub(super) enum Rule {
    Primary(Vec<String>),
    Unique(Vec<String>),
    Check {
        expression: SqlText,
        /// The column that it is written with, if one.
        column: Option<String>,
    },
    Foreign(ForeignKey),
}

#[derive(Debug, Clone)]
pub(super) struct ForeignKey {
    pub(super) columns: Vec<String>,
    pub(super) table: ObjectName,
    pub(super) target: Vec<String>,
    pub(super) on_delete: Option<Action>,
    pub(super) on_update: Option<Action>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConstraintKind {
    Primary,
    Unique,
    Check,
    Foreign,
}

/// What happens to the rows that refer to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Nothing,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

impl Action {
    pub(super) const WORDS: [&'static str; 5] = ["no_action", "restrict", "cascade", "set_null", "set_default"];
    const ALL: [Self; 5] = [Self::Nothing, Self::Restrict, Self::Cascade, Self::SetNull, Self::SetDefault];

    pub(super) fn of(word: &str) -> Option<Self> {
        Self::WORDS.iter().zip(Self::ALL).find(|(known, _)| **known == word).map(|(_, action)| action)
    }

    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Nothing => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
        }
    }
}

impl Table {
    /// The columns that MySQL and MariaDB keep as `char`.
    pub(super) fn padded(&self) -> impl Iterator<Item = &str> {
        let is_char = |each: &&Column| each.kind == LogicalType::Uuid && !each.native.contains_key(&Provider::MySql);
        self.columns.iter().filter(is_char).map(|each| each.name.as_str())
    }
}

impl SqlText {
    /// The text for a provider, and whether it is the general one.
    pub(super) fn of(&self, provider: Provider) -> Option<(&str, bool)> {
        let own = self.own.get(&provider).map(|text| (text.as_str(), false));
        own.or_else(|| self.general.as_deref().map(|text| (text, true)))
    }
}

impl RawSql {
    pub(super) fn of(&self, provider: Provider) -> Option<&Text> {
        self.own.get(&provider).or(self.general.as_ref())
    }
}

impl Rule {
    pub(super) fn kind(&self) -> ConstraintKind {
        match self {
            Self::Primary(_) => ConstraintKind::Primary,
            Self::Unique(_) => ConstraintKind::Unique,
            Self::Check { .. } => ConstraintKind::Check,
            Self::Foreign(_) => ConstraintKind::Foreign,
        }
    }
}

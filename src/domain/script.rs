use std::fmt;

use super::{StatementDigest, TableRebuild};

/// The statements of one migration file, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The file's name inside the migrations folder, for error messages.
    pub file: String,
    /// The statements, split as the provider's own command-line tool would.
    pub statements: Vec<Statement>,
}

impl Script {
    /// Whether every statement can run inside a transaction.
    pub fn is_transactional(&self) -> bool {
        self.statements.iter().all(Statement::is_transactional)
    }

    /// The first value that one of the first `done` statements has left in its session, that is another when the statement
    /// is run again, and that a later statement needs: in a new session the script cannot go on.
    pub fn lost_value(&self, done: usize) -> Option<LostValue> {
        let mut lost: Vec<(&str, usize)> = Vec::new();
        let (before, after) = self.statements.split_at_checked(done)?;
        let find = |lost: &[(&str, usize)], statement: &Statement| {
            let reads = |(name, _): &&(&str, usize)| statement.variables.reads.iter().any(|read| read == name);
            lost.iter().find(reads).map(|(name, given)| ((*name).to_owned(), *given))
        };
        for (index, statement) in before.iter().enumerate() {
            let is_back = statement.session == Some(SessionChange::Setting) && find(&lost, statement).is_none();
            lost.retain(|(name, _)| !statement.variables.sets.iter().any(|set| set == name));
            if !is_back {
                lost.extend(statement.variables.sets.iter().map(|name| (&**name, index)));
            }
            // A setting that a lost value went into is brought back wrongly, or fails.
            if statement.session == Some(SessionChange::Setting) && !is_back {
                lost.push((SETTING, index));
            }
        }
        for (index, statement) in after.iter().enumerate() {
            // Whatever the session is set to, everything may depend on it.
            let setting = lost.iter().find(|(name, _)| name.starts_with(SETTING));
            let setting = setting.map(|(name, given)| ((*name).to_owned(), *given));
            if let Some((variable, given)) = setting.or_else(|| find(&lost, statement)) {
                return Some(LostValue { variable, given, needed: done + index });
            }
            lost.retain(|(name, _)| !statement.variables.sets.iter().any(|set| set == name));
        }
        None
    }
}

/// What the names of a session's settings begin with.
const SETTING: &str = "@@";

/// A value that has gone with its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostValue {
    /// The variable, with its `@` or `@@`.
    pub variable: String,
    /// The index of the statement that gave it its value.
    pub given: usize,
    /// The index of the statement that needs it.
    pub needed: usize,
}

/// One statement of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The text exactly as it stands in the file, without its terminator, or what an operation of the file became.
    pub sql: String,
    /// The line of the first character, or of the operation, counted from 1.
    pub line: u32,
    /// The column of the first character, or of the operation, counted from 1 in characters.
    pub column: u32,
    /// The lines of the further operations that the text does together with the one at `line`.
    pub further_lines: Vec<u32>,
    /// Whether an operation of the file became the text, which stands nowhere in the file then.
    pub is_generated: bool,
    /// `None` when the statement can run inside a transaction. Otherwise the server refuses it there, it runs alone, and
    /// this says how to find out, after a crash, whether it took effect.
    pub alone: Option<Effect>,
    /// `Some` when the statement changes nothing but the session that it runs in. A migration that goes on in another
    /// session, after a crash, begins with those of its done statements.
    pub session: Option<SessionChange>,
    /// Which of the session's variables it gives values, and whose values it needs.
    pub variables: Variables,
    /// Which tables the statement makes, drops or renames.
    pub tables: Vec<TableChange>,
    /// What somebody should know before it runs.
    pub risk: Risk,
    /// Whether SQLite is to enforce foreign keys while the statement runs, which it does not do while tables change. Other
    /// servers always do.
    pub enforces_keys: bool,
    /// `Some` when the statement stands for the rebuild of a SQLite table, whose SQL depends on what the table is like.
    /// `sql` then says in words what is to be done.
    pub rebuild: Option<TableRebuild>,
}

impl Statement {
    /// A statement at the start of a file that runs inside a transaction and of which nothing else is known.
    pub fn new(sql: impl Into<String>) -> Self {
        Self {
            sql: sql.into(),
            line: 1,
            column: 1,
            further_lines: Vec::new(),
            is_generated: false,
            alone: None,
            session: None,
            variables: Variables::default(),
            tables: Vec::new(),
            risk: Risk::default(),
            enforces_keys: false,
            rebuild: None,
        }
    }

    /// What to know of its place, when it does more than the operation at `line`: `does what lines 3, 5 and 8 say`.
    pub fn lines_in_words(&self) -> Option<String> {
        let (last, rest) = self.further_lines.split_last()?;
        let first = std::iter::once(&self.line).chain(rest).map(u32::to_string).collect::<Vec<_>>().join(", ");
        Some(format!("does what lines {first} and {last} say"))
    }

    /// Whether the statement can run inside a transaction.
    pub fn is_transactional(&self) -> bool {
        self.alone.is_none()
    }

    /// The digest by which the journal recognises the statement.
    pub fn digest(&self) -> StatementDigest {
        StatementDigest::of(&self.sql)
    }

    /// The place in the file of the character at `offset` (counted in characters from the statement's first): line and
    /// column, both from 1. An offset past the end gives the end; in a generated text, any gives the operation.
    pub fn position(&self, offset: usize) -> (u32, u32) {
        let (mut line, mut column) = (self.line, self.column);
        if self.is_generated {
            return (line, column);
        }
        for ch in self.sql.chars().take(offset) {
            if ch == '\n' {
                line += 1;
                column = 1;
            } else {
                column += 1;
            }
        }
        (line, column)
    }
}

/// What a statement may destroy or hold up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Risk {
    /// What is lost for good, such as "the table Sales and its rows"; `None` when nothing is.
    pub destroys: Option<String>,
    /// Whom it holds up and for how long, such as "writes to Sales wait until the index is built"; `None` when it holds up
    /// nobody for longer than a moment.
    pub blocks: Option<String>,
}

/// The session's variables that a statement is about, in lower case: those of users with `@` before them, settings with
/// `@@`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Variables {
    /// It gives these values.
    pub sets: Vec<String>,
    /// It needs the values that these have before.
    pub reads: Vec<String>,
}

/// What a statement changes of the session that it runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionChange {
    /// A setting (`SET`, `PRAGMA foreign_keys = …`).
    Setting,
    /// In whose name the next statements run (`SET ROLE`). The ledger is always written in the connection's own.
    User,
}

/// What a statement that runs outside any transaction leaves behind, so that its fate can be read from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Running it again does no harm and gives the same result (`VACUUM`, `REINDEX`, `PRAGMA`).
    Idempotent,
    /// A valid index of this name exists. An invalid one is a leftover that has to be dropped first.
    IndexExists {
        /// The index. Without a schema it lives in the table's schema.
        index: ObjectName,
        /// The table it is on.
        table: ObjectName,
    },
    /// No index of this name exists.
    IndexGone(ObjectName),
    /// The table has no index of this name.
    TableIndexGone {
        /// The index.
        index: String,
        /// The table it was on.
        table: ObjectName,
    },
    /// A table of this name exists.
    TableExists(ObjectName),
    /// No table of this name exists.
    TableGone(ObjectName),
    /// A table has its new name, and nothing has its old one.
    TableRenamed {
        /// The old name.
        from: ObjectName,
        /// The new name.
        to: ObjectName,
    },
    /// Several tables were renamed at once: nothing has these names any more, and tables have those.
    TablesRenamed {
        /// Names that nothing has afterwards.
        gone: Vec<ObjectName>,
        /// Names that nothing had before.
        come: Vec<ObjectName>,
    },
    /// The table has a column of this name.
    ColumnExists {
        /// The table.
        table: ObjectName,
        /// The column.
        column: String,
    },
    /// The table has no column of this name.
    ColumnGone {
        /// The table.
        table: ObjectName,
        /// The column.
        column: String,
    },
    /// The table has a constraint of this name.
    ConstraintExists {
        /// The table.
        table: ObjectName,
        /// The constraint.
        constraint: String,
    },
    /// The table has no constraint of this name.
    ConstraintGone {
        /// The table.
        table: ObjectName,
        /// The constraint.
        constraint: String,
    },
    /// A view of this name exists.
    ViewExists(ObjectName),
    /// No view of this name exists.
    ViewGone(ObjectName),
    /// A database of this name exists.
    DatabaseExists(String),
    /// No database of this name exists.
    DatabaseGone(String),
    /// Nothing that can be read back tells; a person has to settle it.
    Unknowable,
}

/// A table's or index's name as the server stores it: unquoted parts already folded as the provider folds them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectName {
    /// The schema, when the statement named one.
    pub schema: Option<String>,
    /// The name itself.
    pub name: String,
}

impl ObjectName {
    /// A name without a schema.
    pub fn bare(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A change to the set of tables. Temporary tables do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableChange {
    /// `CREATE TABLE`.
    Created(ObjectName),
    /// `DROP TABLE`.
    Dropped(ObjectName),
    /// `ALTER TABLE … RENAME TO …`.
    Renamed(ObjectName, ObjectName),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_from_the_statement() {
        let statement = Statement { line: 7, column: 3, ..Statement::new("ab\ncd") };
        assert_eq!(statement.position(0), (7, 3));
        assert_eq!(statement.position(1), (7, 4));
        assert_eq!(statement.position(3), (8, 1));
        assert_eq!(statement.position(99), (8, 3));
    }
}

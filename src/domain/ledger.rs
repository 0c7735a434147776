use std::time::Duration;

use super::{Checksum, Direction, RunId, Statement, StatementDigest, Time};

/// The newest layout and meaning of a ledger's rows that this build knows. A row with a higher one was written by a newer
/// Branchkeeper and is refused. Which one a row gets: [`Direction::ledger_format`].
pub const LEDGER_FORMAT: i32 = 2;

/// What a branch's ledger says: the truth about what has been applied there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// Whether the ledger's table exists. Without it there are no rows.
    pub exists: bool,
    /// The rows in the order in which they were applied.
    pub rows: Vec<LedgerRow>,
}

impl Ledger {
    /// The row of a migration.
    pub fn get(&self, id: &str) -> Option<&LedgerRow> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// Whether a row says that the migration is wholly applied.
    pub fn is_applied(&self, id: &str) -> bool {
        self.get(id).is_some_and(LedgerRow::is_applied)
    }

    /// The row applied last, partial ones left out.
    pub fn last_applied(&self) -> Option<&LedgerRow> {
        self.rows.iter().rfind(|row| row.is_applied())
    }
}

/// One row of a ledger. Its texts come from a database that others can write to: they are compared, never trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// The migration's id as stored.
    pub id: String,
    /// The checksum as stored.
    pub checksum: Checksum,
    /// The layout version of the row, see [`LEDGER_FORMAT`].
    pub format: i32,
    /// Whether the migration is applied or stands half-way.
    pub state: RowState,
    /// When it was applied, or when the partial row was last touched.
    pub applied_time: Time,
    /// How long it ran.
    pub duration: Duration,
    /// The version of the program that applied it.
    pub product_version: String,
    /// The run that applied it, when the stored text is a run id.
    pub run_id: Option<RunId>,
}

impl LedgerRow {
    /// Whether the migration is wholly applied.
    pub fn is_applied(&self) -> bool {
        self.state == RowState::Applied
    }
}

/// How far a migration has come in this branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowState {
    /// All of it.
    Applied,
    /// Some statements of it; it was run, up or down, outside a single transaction and was interrupted.
    Partial(Progress),
}

/// The journal of a migration that is run statement by statement.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Whether it was being applied or undone.
    pub direction: Direction,
    /// The digests of the statements known to be done, in order from the first.
    pub done: Vec<StatementDigest>,
    /// How many statements the migration had when it was begun.
    pub total: u32,
    /// What was begun when the journal was last written, if its outcome was never recorded.
    pub intent: Option<Intent>,
}

/// What was begun and whose outcome the journal does not know. It begins with the first statement that is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// One statement outside any transaction.
    Alone(StatementDigest),
    /// Several statements in a transaction that did not hold: one of them ended it, or changed what no transaction takes
    /// back. Any of them may have taken effect, and nothing but a person's look at the database tells which.
    Together {
        /// How many statements.
        count: usize,
        /// The digest of their digests.
        digest: StatementDigest,
    },
}

/// What a journal says before the number and the digest of statements that ran together. No digest reads so.
const TOGETHER: &str = "together";

impl Intent {
    /// These statements, in one transaction.
    pub fn together(statements: &[Statement]) -> Self {
        let digests: Vec<StatementDigest> = statements.iter().map(Statement::digest).collect();
        let texts: Vec<&str> = digests.iter().map(StatementDigest::as_str).collect();
        Self::Together { count: statements.len(), digest: StatementDigest::of(&texts.join(" ")) }
    }

    /// How many statements it is about.
    pub fn count(&self) -> usize {
        match self {
            Self::Alone(_) => 1,
            Self::Together { count, .. } => *count,
        }
    }

    /// Whether it was about the first of these statements, which are those that are not done.
    pub fn fits(&self, statements: &[Statement]) -> bool {
        match self {
            Self::Alone(digest) => statements.first().map(Statement::digest).as_ref() == Some(digest),
            Self::Together { count, .. } => {
                statements.get(..*count).is_some_and(|begun| Self::together(begun) == *self)
            }
        }
    }

    /// The text that a journal stores.
    pub fn to_stored(&self) -> String {
        match self {
            Self::Alone(digest) => digest.as_str().to_owned(),
            Self::Together { count, digest } => format!("{TOGETHER} {count} {}", digest.as_str()),
        }
    }

    /// An intent as a journal stored it. A text that makes no sense is the digest of no statement.
    pub fn from_stored(text: &str) -> Self {
        let words: Vec<&str> = text.split(' ').collect();
        match (&words[..], words.get(1).and_then(|count| count.parse().ok())) {
            ([TOGETHER, _, digest], Some(count)) => {
                Self::Together { count, digest: StatementDigest::from_stored(*digest) }
            }
            _ => Self::Alone(StatementDigest::from_stored(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_is_stored_and_recognised() {
        let statements = ["a", "b", "c"].map(Statement::new);
        let together = Intent::together(&statements[..2]);
        let alone = Intent::Alone(statements[0].digest());
        for intent in [&together, &alone] {
            assert_eq!(Intent::from_stored(&intent.to_stored()), *intent);
            assert!(intent.fits(&statements) && !intent.fits(&statements[1..]) && !intent.fits(&[]));
        }
        assert_eq!((together.count(), alone.count()), (2, 1));
        assert!(!together.fits(&["a", "x", "c"].map(Statement::new)));
        for odd in ["", "together", "together x y", "together 2", "together 1 2 3"] {
            assert_eq!(Intent::from_stored(odd), Intent::Alone(StatementDigest::from_stored(odd)), "{odd}");
        }
    }
}

use std::time::Duration;

use super::{Checksum, Direction, RunId, StatementDigest, Time};

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
    /// The statement that was about to run when the journal was last written, if its outcome was never recorded.
    pub intent: Option<Intent>,
}

/// A statement that was begun outside a transaction and whose outcome the journal does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its digest. Its index is the number of statements done.
    pub digest: StatementDigest,
}

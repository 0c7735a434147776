use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    BranchCode, Direction, MigrationError, MigrationId, MigrationResult, MigrationStatus, Provider, RunId, Time,
};

/// One thing that happened in a run. Events of a run are numbered from 1 without gaps and kept in that order.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The run.
    pub run_id: RunId,
    /// Its number within the run.
    pub sequence: i64,
    /// When it happened.
    pub time: Time,
    /// What happened.
    pub body: EventBody,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum EventBody {
    /// Work on the run began. Comes again when another process takes up a run that died.
    RunStarted {
        /// How many branches it covers.
        branches_total: u32,
    },
    /// A branch's ledger was read.
    BranchStarted {
        /// The branch.
        branch_code: BranchCode,
        /// Its provider.
        provider: Provider,
        /// How many migrations will be applied, or undone.
        pending_migrations: u32,
        /// Which it is.
        #[serde(default)]
        direction: Direction,
    },
    /// A migration is about to run.
    MigrationStarted {
        /// The branch.
        branch_code: BranchCode,
        /// The migration.
        migration_id: MigrationId,
        /// Its place among those that this branch's turn is about, from 1.
        index: u32,
        /// How many there are.
        total: u32,
        /// Whether it is applied or undone.
        #[serde(default)]
        direction: Direction,
    },
    /// A statement has run. Recorded only when the run was asked to.
    StatementFinished {
        /// The branch.
        branch_code: BranchCode,
        /// The migration.
        migration_id: MigrationId,
        /// Its place in the migration, from 1.
        index: u32,
        /// How many statements the migration has.
        total: u32,
        /// How long it ran.
        duration: Duration,
    },
    /// A migration is applied or undone, and the branch's ledger says so.
    MigrationFinished {
        /// The branch.
        branch_code: BranchCode,
        /// The migration.
        migration_id: MigrationId,
        /// How long it ran.
        duration: Duration,
        /// Whether it was applied or undone.
        #[serde(default)]
        direction: Direction,
    },
    /// Nothing more happens on this branch in this run.
    BranchFinished {
        /// The branch.
        branch_code: BranchCode,
        /// Where the branch stands now.
        status: MigrationStatus,
        /// What was applied.
        applied_migrations: Vec<MigrationId>,
        /// What was undone.
        #[serde(default)]
        rolled_back_migrations: Vec<MigrationId>,
        /// Why it did not succeed.
        error: Option<MigrationError>,
        /// How long it took.
        duration: Duration,
        /// How many branches of the run are finished, this one included.
        branches_done: u32,
        /// How many the run covers.
        branches_total: u32,
    },
    /// The run is over; always the last event.
    RunFinished {
        /// What came of it.
        result: MigrationResult,
    },
}

impl EventBody {
    /// Whether it is the last event of its run.
    pub const fn ends_run(&self) -> bool {
        matches!(self, Self::RunFinished { .. })
    }

    /// Whether it is one of the many that are only shown when asked for.
    pub const fn is_statement(&self) -> bool {
        matches!(self, Self::StatementFinished { .. })
    }
}

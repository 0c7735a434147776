use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    BranchCode, BranchId, BranchRef, Checksum, MigrationError, MigrationId, Provider, RequestId, RunId, Time,
    TransactionMode, Undo,
};

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RunKind {
    /// Migrates one branch on request.
    Apply,
    /// Migrates all branches that a selector matches, on request.
    ApplyAll,
    /// The orchestrator's own pass over the branches that are due.
    AutoMigrate,
    /// Undoes migrations of one branch on request.
    Rollback,
}

impl RunKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Apply, Self::ApplyAll, Self::AutoMigrate, Self::Rollback];

    /// The name used in stored rows, logs and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::ApplyAll => "ApplyAll",
            Self::AutoMigrate => "AutoMigrate",
            Self::Rollback => "Rollback",
        }
    }

    /// The kind of this name; `None` for a name this build does not know.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether it covers one branch that was named, active or not.
    pub const fn names_one_branch(self) -> bool {
        matches!(self, Self::Apply | Self::Rollback)
    }
}

impl fmt::Display for RunKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RunState {
    /// Persisted, not begun.
    Queued,
    /// Being worked on.
    Running,
    /// Ended, every branch succeeded.
    Succeeded,
    /// Ended, some branch failed.
    Failed,
    /// Ended because somebody cancelled it.
    Cancelled,
}

impl RunState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The name used in stored rows, logs and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }

    /// The state of this name; `None` for a name this build does not know.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether nothing more will happen.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which branches a fleet-wide request means. An empty part matches everything; all parts have to match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// These branches, by code or id.
    pub branches: Vec<BranchRef>,
    /// Branches that carry all of these labels.
    pub labels: BTreeMap<String, String>,
    /// Branches on these providers.
    pub providers: Vec<Provider>,
}

/// How a run treats each of its branches; persisted with the run, so that another process can take it up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequest {
    /// Stop after this migration; `None` means the newest.
    pub target: Option<MigrationId>,
    /// The transaction mode; `None` means the configured one.
    pub transaction_mode: Option<TransactionMode>,
    /// How many branches at once; `None` means as configured.
    pub max_parallel: Option<u32>,
    /// Start no further branch once one has failed.
    pub stop_on_error: bool,
    /// Record an event for every statement.
    pub include_statements: bool,
    /// What to undo instead of applying anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackRequest>,
    /// Take everything back in the end, and record nothing in the branch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Refuse when the branch's plan has another digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_digest: Option<Checksum>,
}

/// What a rollback undoes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackRequest {
    /// Which migrations.
    pub undo: Undo,
    /// Run statements that destroy something for good.
    pub allow_data_loss: bool,
}

/// One execution of a request over one or many branches.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its identity.
    pub id: RunId,
    /// What it does.
    pub kind: RunKind,
    /// Where it stands.
    pub state: RunState,
    /// Who asked for it.
    pub requested_by: String,
    /// The client's own name for the request.
    pub request_id: Option<RequestId>,
    /// How it treats its branches.
    pub request: RunRequest,
    /// How many branches it covers.
    pub branches_total: u32,
    /// When it was accepted.
    pub create_time: Time,
    /// When work on it began.
    pub start_time: Option<Time>,
    /// When it ended.
    pub end_time: Option<Time>,
    /// What came of it, once it is over.
    pub result: Option<MigrationResult>,
    /// The sequence number of its newest event; 0 before the first.
    pub last_sequence: i64,
}

/// How an attempt on one branch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OutcomeStatus {
    /// All that was asked for is applied.
    Succeeded,
    /// It was tried and went wrong.
    Failed,
    /// It was not tried, for a reason that says nothing about the branch: locked, cancelled, or a target that is
    /// already behind it. The branch's state stays as it was.
    Refused,
    /// The run ended before its turn.
    Skipped,
}

impl OutcomeStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Succeeded, Self::Failed, Self::Refused, Self::Skipped];

    /// The name used in stored rows and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Refused => "Refused",
            Self::Skipped => "Skipped",
        }
    }

    /// The status of this name; `None` for a name this build does not know.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// What an attempt saw of a branch's ledger at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The newest applied migration.
    pub last_migration: Option<String>,
    /// How many migrations of the catalogue it lacks.
    pub pending: u32,
    /// The catalogue's digest when it lacks none.
    pub verified_digest: Option<Checksum>,
}

/// What came of one branch in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchOutcome {
    /// The branch.
    pub branch_id: BranchId,
    /// Its code when it was worked on.
    pub branch_code: BranchCode,
    /// How it ended.
    pub status: OutcomeStatus,
    /// The migrations that were applied, or undone in a rollback, also when a later one failed.
    pub applied: Vec<MigrationId>,
    /// What a dry run could not try.
    pub notes: Vec<String>,
    /// Why it did not succeed.
    pub error: Option<MigrationError>,
    /// How long it took.
    pub duration: Duration,
    /// The ledger at the end; `None` when it could not be read.
    pub observed: Option<Observed>,
}

/// What came of a whole run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MigrationResult {
    /// Whether every branch that is still there and active had its turn, and none failed or was refused.
    pub success: bool,
    /// The applied migrations; `[CODE] id` when the run covers several branches. At most [`MigrationResult::MAX_APPLIED`].
    pub applied_migrations: Vec<String>,
    /// The migrations that a rollback has undone, in that order.
    #[serde(default)]
    pub rolled_back_migrations: Vec<String>,
    /// Whether it was a dry run: what is listed as applied was run and taken back.
    #[serde(default)]
    pub dry_run: bool,
    /// What a dry run could not try, at most [`MigrationResult::MAX_ERRORS`].
    #[serde(default)]
    pub not_tried: Vec<String>,
    /// What went wrong, at most [`MigrationResult::MAX_ERRORS`].
    pub errors: Vec<MigrationError>,
    /// From the run's start to its end.
    pub duration: Duration,
    /// Branches that were worked on.
    pub branches_processed: u32,
    /// Branches that succeeded.
    pub branches_succeeded: u32,
    /// Branches that failed or were refused.
    pub branches_failed: u32,
    /// Branches whose turn never came.
    pub branches_skipped: u32,
}

impl MigrationResult {
    /// The most applied migrations listed; each branch's own are in its `branch_finished` event.
    pub const MAX_APPLIED: usize = 10_000;
    /// The most errors listed; each branch's own is in its `branch_finished` event.
    pub const MAX_ERRORS: usize = 500;
}

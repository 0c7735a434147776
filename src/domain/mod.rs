//! The vocabulary of Branchkeeper and every decision that needs no I/O.
//!
//! Everything here is a value or a pure function: the same input gives the same answer, on any machine, at any time.

mod access;
mod branch;
mod catalogue;
mod certificate;
mod clock;
mod digest;
mod event;
mod failure;
mod finding;
mod ids;
mod ledger;
mod migration;
mod notification;
mod plan;
mod provider;
mod rebuild;
mod refusal;
mod retry;
mod run;
mod script;
mod sealer;
mod secret;
mod state;
mod text;
mod validation;

pub use access::{ApiToken, Role};
pub use branch::{Branch, BranchUpdate, Connection, PasswordChange, ServerConnection, SqliteConnection, SslMode};
pub use catalogue::{Catalogue, ProviderCatalogue};
pub use certificate::{CertificateName, CertificateRule};
pub use clock::{Clock, ManualClock, SystemClock, Time};
pub use digest::{Checksum, StatementDigest};
pub use event::{Event, EventBody};
pub use failure::{FailureClass, MigrationError};
pub use finding::{Finding, FindingKind, Severity};
pub use ids::{BranchCode, BranchId, BranchRef, IdError, MigrationId, RequestId, RunId};
pub use ledger::{Intent, LEDGER_FORMAT, Ledger, LedgerRow, Progress, RowState};
pub use migration::{Irreversible, Migration, TransactionMode};
pub use notification::{
    BranchNotice, CatalogueNotice, ErrorNotice, HeldBackNotice, Notification, NotificationKind, Route, Routes,
    RunNotice, error_key, kind_of_outcome,
};
pub use plan::{
    Direction, DownPolicy, Plan, Planned, Policy, Segment, Target, Undo, Unit, pending, plan_digest, plan_down,
    plan_up, transactions,
};
pub use provider::Provider;
pub use rebuild::{TableEdit, TableRebuild};
pub use refusal::Refusal;
pub use retry::{OfflinePolicy, RetryPolicy};
pub use run::{
    BranchOutcome, MigrationResult, Observed, OutcomeStatus, RollbackRequest, Run, RunKind, RunRequest, RunState,
    Selector,
};
pub use script::{Effect, LostValue, ObjectName, Risk, Script, SessionChange, Statement, TableChange, Variables};
pub use sealer::{SealError, SealKey, SealedPassword, Sealer};
pub use secret::{Secret, SecretRef};
pub use state::{BranchState, HeldMigration, Hold, Lease, MigrationStatus};
pub use text::{render, render_with, shorten};
pub use validation::{FieldViolation, Violations, validate_branch};

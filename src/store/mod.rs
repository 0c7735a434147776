//! Head office: branches, states, leases, runs, events and audit rows.
//!
//! One set of statements serves two backends, an embedded SQLite file and PostgreSQL; [`HeadOffice`] is the only door.

mod audit;
mod audit_chain;
mod branches;
mod claims;
mod codec;
mod db;
mod error;
mod events;
mod filter;
mod folder;
mod head_office;
mod leases;
mod location;
mod measures;
mod migrate;
mod notices;
mod outbox;
mod outcomes;
mod page;
mod run_end;
mod runs;
mod schema;
mod sealed;
mod states;
mod tokens;
mod undo;
mod value;
mod writer;

pub use audit::{AuditEntry, AuditFilter};
pub use audit_chain::{ChainReport, ChainState};
pub use branches::BranchFilter;
pub use claims::{Claimed, QUOTA_SPAN, Settlement};
pub use error::StoreError;
pub use events::{Batch, Recorded};
pub use head_office::HeadOffice;
pub use leases::Acquire;
pub use location::Location;
pub use measures::Measures;
pub use outbox::{Message, MessageFilter, MessageState};
pub use outcomes::{Finished, Next};
pub use page::{Page, Paged};
pub use run_end::{Ending, RunCounts};
pub use runs::{CreatedRun, KeptRun, NewRun, RunsFilter, Scope, Unfinished};
pub use sealed::SealedBranch;
pub use states::{KnownState, StatusFilter};
pub use undo::FixedUndo;

//! What Branchkeeper decides and does: runs, the one algorithm that migrates a branch, the fleet-wide rollout, and the
//! orchestrator in the background.

mod apply;
mod audit;
mod boundaries;
mod branches;
mod caller;
mod catalogue;
mod doubt;
mod error;
mod failure;
mod halt;
mod heartbeat;
mod hosts;
mod inspect;
mod job;
mod look;
mod looks;
mod manager;
mod measures;
mod news;
mod notifications;
pub mod orchestrator;
mod passwords;
mod patience;
mod plan;
mod readiness;
mod recorder;
mod rehearse;
mod report;
mod resolve;
mod rollback;
mod rollout;
mod runs;
mod settings;
mod shared;
mod standing;
mod tokens;
mod unit;
mod validate;

pub use branches::{ConnectionTest, NewBranch, TestTarget};
pub use caller::Caller;
pub use error::EngineError;
pub use inspect::{History, Lacking};
pub use manager::Manager;
pub use notifications::{NotifySettings, TargetTest};
pub use passwords::Rekeyed;
pub use plan::{PlanCommand, PlanExtent, PlanView, PlannedView};
pub use readiness::Readiness;
pub use resolve::ResolveCommand;
pub use rollback::{RollbackCommand, UndoWish};
pub use runs::{ApplyAllCommand, ApplyCommand};
pub use settings::{AutoMigrate, EngineSettings, OnStartup};
pub use standing::Standing;
pub use tokens::{NewToken, make_token};

pub use crate::store::{
    AuditEntry, AuditFilter, BranchFilter, ChainReport, Measures, Message, MessageFilter, MessageState, Page, Paged,
    StatusFilter,
};

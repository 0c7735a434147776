//! Placeholder of the engine's facade.
#![allow(missing_docs, reason = "a placeholder, replaced by the engine")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

use crate::domain::*;

#[derive(Debug, Clone)]
pub struct Manager {
    readiness: watch::Receiver<Readiness>,
}

#[derive(Debug, Clone)]
pub struct Caller {
    pub name: String,
}

#[derive(Debug, Clone)]
pub struct ApplyCommand {
    pub branch: BranchRef,
    pub target: Option<String>,
    pub transaction_mode: Option<TransactionMode>,
    pub request_id: Option<RequestId>,
}

#[derive(Debug, Clone)]
pub struct ApplyAllCommand {
    pub selector: Selector,
    pub target: Option<String>,
    pub max_parallel: Option<u32>,
    pub stop_on_error: bool,
    pub include_statements: bool,
    pub request_id: Option<RequestId>,
}

#[derive(Debug, Clone)]
pub struct NewBranch {
    pub code: BranchCode,
    pub name: String,
    pub provider: Provider,
    pub connection: Option<Connection>,
    pub labels: BTreeMap<String, String>,
    pub is_active: bool,
    pub environment: String,
}

#[derive(Debug, Clone)]
pub struct Page {
    pub size: u32,
    pub token: String,
}

#[derive(Debug, Clone)]
pub struct Paged<T> {
    pub items: Vec<T>,
    pub next_token: String,
}

#[derive(Debug, Clone, Default)]
pub struct BranchFilter {
    pub selector: Selector,
    pub is_active: Option<bool>,
}

#[derive(Debug, Clone, Default)]
pub struct StatusFilter {
    pub statuses: Vec<MigrationStatus>,
    pub labels: BTreeMap<String, String>,
    pub providers: Vec<Provider>,
}

#[derive(Debug, Clone)]
pub struct History {
    pub branch: Branch,
    pub ledger: Ledger,
    pub pending: Vec<Arc<Migration>>,
    pub state: BranchState,
}

#[derive(Debug, Clone)]
pub struct ConnectionTest {
    pub reachable: bool,
    pub database_exists: bool,
    pub server_version: String,
    pub latency: Duration,
    pub message: String,
    pub hint: String,
}

#[derive(Debug, Clone)]
pub enum TestTarget {
    Branch(BranchRef),
    Connection(Provider, Connection),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    pub head_office: bool,
    pub catalogue: bool,
    pub draining: bool,
    pub detail: String,
}

impl Readiness {
    pub fn ready(&self) -> bool {
        self.head_office && self.catalogue && !self.draining
    }
}

#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.message())]
pub enum EngineError {
    UnknownBranch(String),
    UnknownBranches(Vec<String>),
    UnknownRun(String),
    UnknownMigration { target: String, nearest: Option<String> },
    Invalid(Violations),
    CodeTaken(BranchCode),
    DatabaseTaken { by: BranchCode },
    RequestIdReused(RequestId),
    BadPageToken,
    Locked { branch: BranchCode, holder: String, until: Option<Time> },
    BranchBusy { branch: BranchCode, lease: Lease },
    RunOver { id: RunId, state: RunState },
    CatalogueBroken { problems: Vec<String> },
    Draining,
    BranchUnavailable(MigrationError),
    HeadOffice(String),
    Internal { id: Uuid },
}

impl EngineError {
    pub fn message(&self) -> String {
        match self {
            Self::UnknownBranch(name) => format!("there is no branch '{name}'"),
            Self::UnknownBranches(names) => format!("there are no branches {}", names.join(", ")),
            Self::UnknownRun(id) => format!("there is no run {id}"),
            Self::UnknownMigration { target, .. } => format!("there is no migration '{target}'"),
            Self::Invalid(violations) => format!("the request is not valid: {violations}"),
            Self::CodeTaken(code) => format!("the code {code} is taken"),
            Self::DatabaseTaken { by } => format!("the database belongs to branch {by}"),
            Self::RequestIdReused(id) => format!("request_id {} was used for another request", id.as_str()),
            Self::BadPageToken => "the page token is not one of this list's".into(),
            Self::Locked { branch, holder, .. } => format!("{branch} is being worked on by {holder}"),
            Self::BranchBusy { branch, .. } => format!("{branch} is being worked on"),
            Self::RunOver { id, state } => format!("run {id} is over: {state}"),
            Self::CatalogueBroken { problems } => format!("the migrations folder is broken: {}", problems.join("; ")),
            Self::Draining => "the service is stopping".into(),
            Self::BranchUnavailable(error) => error.to_string(),
            Self::HeadOffice(text) => format!("head office is unavailable: {text}"),
            Self::Internal { id } => format!("an internal error occurred; its id is {id}"),
        }
    }

    pub fn hint(&self) -> String {
        "a hint".into()
    }
}

fn gone<T>() -> Result<T, EngineError> {
    Err(EngineError::HeadOffice("placeholder".into()))
}

#[allow(clippy::unused_async, unused_variables, reason = "a placeholder, replaced by the engine")]
impl Manager {
    pub fn placeholder(readiness: watch::Receiver<Readiness>) -> Self {
        Self { readiness }
    }
    pub async fn create_branch(&self, new: NewBranch, caller: &Caller) -> Result<Branch, EngineError> {
        gone()
    }
    pub async fn branch(&self, which: &BranchRef) -> Result<Branch, EngineError> {
        Err(EngineError::UnknownBranch(which.to_string()))
    }
    pub async fn branches(&self, filter: &BranchFilter, page: &Page) -> Result<Paged<Branch>, EngineError> {
        gone()
    }
    pub async fn update_branch(
        &self,
        which: &BranchRef,
        update: BranchUpdate,
        caller: &Caller,
    ) -> Result<Branch, EngineError> {
        gone()
    }
    pub async fn delete_branch(&self, which: &BranchRef, caller: &Caller) -> Result<(), EngineError> {
        gone()
    }
    pub async fn test_connection(&self, target: TestTarget) -> Result<ConnectionTest, EngineError> {
        gone()
    }
    pub async fn apply(&self, command: ApplyCommand, caller: &Caller) -> Result<Run, EngineError> {
        gone()
    }
    pub async fn apply_all(&self, command: ApplyAllCommand, caller: &Caller) -> Result<Run, EngineError> {
        gone()
    }
    pub async fn events(&self, run: RunId, after: i64, include_statements: bool) -> Result<Vec<Event>, EngineError> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Vec::new())
    }
    pub async fn run(&self, id: RunId) -> Result<Run, EngineError> {
        Ok(Run {
            id,
            kind: RunKind::ApplyAll,
            state: RunState::Running,
            requested_by: "placeholder".into(),
            request_id: None,
            request: RunRequest::default(),
            branches_total: 0,
            create_time: Time::UNIX_EPOCH,
            start_time: None,
            end_time: None,
            result: None,
            last_sequence: 0,
        })
    }
    pub async fn runs(&self, states: &[RunState], page: &Page) -> Result<Paged<Run>, EngineError> {
        gone()
    }
    pub async fn cancel_run(&self, id: RunId, caller: &Caller) -> Result<Run, EngineError> {
        gone()
    }
    pub async fn pending(&self, which: &BranchRef) -> Result<(Branch, Vec<Arc<Migration>>), EngineError> {
        gone()
    }
    pub async fn history(&self, which: &BranchRef) -> Result<History, EngineError> {
        gone()
    }
    pub async fn validate(&self, which: &BranchRef) -> Result<(Branch, Vec<Finding>), EngineError> {
        gone()
    }
    pub async fn statuses(
        &self,
        filter: &StatusFilter,
        page: &Page,
    ) -> Result<Paged<(Branch, BranchState)>, EngineError> {
        gone()
    }
    pub async fn totals(&self, filter: &StatusFilter) -> Result<BTreeMap<MigrationStatus, u64>, EngineError> {
        gone()
    }
    pub async fn retry(&self, which: &BranchRef, caller: &Caller) -> Result<(Branch, BranchState), EngineError> {
        gone()
    }
    pub fn readiness(&self) -> watch::Receiver<Readiness> {
        self.readiness.clone()
    }
}

use uuid::Uuid;

use crate::domain::{BranchCode, FieldViolation, Lease, MigrationError, RequestId, RunId, RunState, Time, Violations};
use crate::store::StoreError;

/// Why a request could not be carried out. What comes of a migration is not an error but a result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// No branch has this code or id.
    #[error("there is no branch '{0}'")]
    UnknownBranch(String),
    /// No branch has these codes or ids.
    #[error("there are no branches {}", quoted(.0))]
    UnknownBranches(Vec<String>),
    /// No run has this id.
    #[error("there is no run '{0}'")]
    UnknownRun(String),
    /// No API token has this name or id.
    #[error("there is no API token '{0}'")]
    UnknownToken(String),
    /// The catalogue has no migration of this id or number.
    #[error("the catalogue has no migration '{target}'")]
    UnknownMigration {
        /// What was asked for.
        target: String,
        /// The id that is most like it.
        nearest: Option<String>,
    },
    /// Fields of the request cannot be accepted.
    #[error("{0}")]
    Invalid(Violations),
    /// Another branch has this code.
    #[error("the code '{0}' is taken by another branch")]
    CodeTaken(BranchCode),
    /// Another branch uses the same database.
    #[error("branch '{by}' already uses this database")]
    DatabaseTaken {
        /// That branch.
        by: BranchCode,
    },
    /// The request id was used for a different request.
    #[error("the request id '{}' was used for a different request", .0.as_str())]
    RequestIdReused(RequestId),
    /// The page token is not one that was given out for this list.
    #[error("the page token is not valid")]
    BadPageToken,
    /// Somebody else works on the branch.
    #[error("branch '{branch}' is being worked on by {holder}{}", and_until(.until))]
    Locked {
        /// The branch.
        branch: BranchCode,
        /// Who holds it.
        holder: String,
        /// Until when, unless renewed.
        until: Option<Time>,
    },
    /// The branch cannot be changed while it is being worked on.
    #[error("branch '{branch}' is being worked on by {} until {}", lease.owner, lease.expires_time)]
    BranchBusy {
        /// The branch.
        branch: BranchCode,
        /// Who works on it.
        lease: Lease,
    },
    /// The run has ended.
    #[error("run {id} is over: {state}")]
    RunOver {
        /// The run.
        id: RunId,
        /// How it ended.
        state: RunState,
    },
    /// No statement of the branch waits for a person to settle it.
    #[error("branch '{branch}' has nothing to resolve: {why}")]
    NothingToResolve {
        /// The branch.
        branch: BranchCode,
        /// Why not.
        why: String,
        /// What to do instead.
        hint: &'static str,
    },
    /// The migrations folder could never be read, so there is nothing to apply.
    #[error("the migrations folder cannot be used: {}", problems.join("; "))]
    CatalogueBroken {
        /// The first few problems.
        problems: Vec<String>,
    },
    /// The branch's plan is no longer the one that the request was made for.
    #[error("branch '{}': {}", .0.branch_code, .0.message)]
    PlanChanged(Box<MigrationError>),
    /// The branch cannot be migrated as asked, so there is no plan to show.
    #[error("{0}")]
    PlanRefused(Box<MigrationError>),
    /// No key is configured that stored passwords could be encrypted with.
    #[error("the service has no key to encrypt passwords with")]
    NoSecretsKey,
    /// The service is stopping.
    #[error("the service is stopping")]
    Draining,
    /// The branch's database could not be read.
    #[error("{}", .0.message)]
    BranchUnavailable(Box<MigrationError>),
    /// Head office does not answer.
    #[error("head office is not available: {0}")]
    HeadOffice(String),
    /// A fault of the service; the log has the detail under this id.
    #[error("an internal error happened; the log has it under id {id}")]
    Internal {
        /// The id in the log.
        id: Uuid,
    },
}

impl EngineError {
    /// An internal error: logs `detail` once and keeps it from the caller.
    pub fn internal(detail: impl std::fmt::Display) -> Self {
        let id = Uuid::new_v4();
        tracing::error!(error_id = %id, "{detail}");
        Self::Internal { id }
    }

    /// One field of the request that cannot be accepted.
    pub fn invalid(field: &str, description: impl Into<String>) -> Self {
        Self::Invalid(Violations(vec![FieldViolation { field: field.into(), description: description.into() }]))
    }

    /// What happened.
    pub fn message(&self) -> String {
        self.to_string()
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownBranch(_) | Self::UnknownBranches(_) => {
                "list the registered ones with `branchkeeper branch list`".into()
            }
            Self::UnknownToken(_) => "list them with `branchkeeper token list`".into(),
            Self::UnknownRun(_) => "list the recent ones with `branchkeeper runs`".into(),
            Self::UnknownMigration { nearest: Some(nearest), .. } => format!("did you mean {nearest}?"),
            Self::UnknownMigration { .. } => "name a migration by its whole id or its number".into(),
            Self::Invalid(_) => "correct the fields named and send the request again".into(),
            Self::CodeTaken(_) => "choose another code, or update the branch that has it".into(),
            Self::DatabaseTaken { .. } => "each branch needs a database or schema of its own".into(),
            Self::RequestIdReused(_) => "use a new request id for a new request".into(),
            Self::BadPageToken => "start again without a page token".into(),
            Self::Locked { .. } => "wait and try again; a lock left by a dead process clears by itself".into(),
            Self::BranchBusy { .. } => "wait until the run is over, or cancel it".into(),
            Self::RunOver { .. } => "nothing is left to do".into(),
            Self::NothingToResolve { hint, .. } => (*hint).into(),
            Self::CatalogueBroken { .. } => "correct the files; `branchkeeper check` lists every problem".into(),
            Self::NoSecretsKey => "configure secrets.key_ref, and name the key that was used before in \
                                   secrets.old_key_refs"
                .into(),
            Self::Draining => "try again in a moment; another instance or the restarted service will answer".into(),
            Self::BranchUnavailable(error) | Self::PlanChanged(error) | Self::PlanRefused(error) => error.hint.clone(),
            Self::HeadOffice(_) => "check the database that head_office.url names, then try again".into(),
            Self::Internal { .. } => "look the id up in the service's log".into(),
        }
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(what) => Self::UnknownBranch(what),
            StoreError::UnknownBranches(names) => Self::UnknownBranches(names),
            StoreError::CodeTaken { code } => Self::CodeTaken(code),
            StoreError::DatabaseTaken { by } => Self::DatabaseTaken { by },
            StoreError::RequestIdReused(id) => Self::RequestIdReused(id),
            StoreError::BadPageToken => Self::BadPageToken,
            StoreError::Unavailable(detail) | StoreError::Contended(detail) => Self::HeadOffice(detail),
            other => Self::internal(other),
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
}

fn and_until(time: &Option<Time>) -> String {
    time.map_or_else(String::new, |time| format!(" until {}", time.format("%Y-%m-%dT%H:%M:%SZ")))
}

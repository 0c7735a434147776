use std::collections::HashMap;
use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt;

const DOMAIN: &str = "branchkeeper";

/// A call that failed. What came of a migration is not an error but a result whose `success` is false.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Error {
    /// The gRPC status.
    pub code: Code,
    /// One of [`reason`](crate::reason)'s; empty when the failure is not from the service but from the network or the
    /// library.
    pub reason: String,
    /// What happened.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
    /// The branch that it is about; may be empty.
    pub branch: String,
    /// When to try again; `None` when the service does not say.
    pub retry_delay: Option<Duration>,
    /// What programs can read besides, by name.
    pub metadata: HashMap<String, String>,
    /// The fields of the request that cannot be accepted.
    pub violations: Vec<Violation>,
}

/// One field of a request that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its name; empty when the violation is of no single field.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self::from(Status::new(code, message))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reason.is_empty() {
            write!(f, "{:?}: {}", self.code, self.message)
        } else {
            write!(f, "{}: {}", self.reason, self.message)
        }
    }
}

impl std::error::Error for Error {}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == DOMAIN);
        let metadata = info.map(|info| info.metadata.clone()).unwrap_or_default();
        let part = |key: &str| metadata.get(key).cloned().unwrap_or_default();
        let resource = details.resource_info().filter(|resource| resource.resource_type == "branch");
        let branch = match (part("branch"), resource) {
            (branch, Some(resource)) if branch.is_empty() => resource.resource_name.clone(),
            (branch, _) => branch,
        };
        let violations = details.bad_request().map(|request| request.field_violations.as_slice()).unwrap_or_default();
        let code = match status.code() {
            // The library's words for a connection that was lost, and for a deadline that passed here.
            Code::Unknown if info.is_none() && status.source().is_some() => Code::Unavailable,
            Code::Cancelled if info.is_none() && status.message() == "Timeout expired" => Code::DeadlineExceeded,
            code => code,
        };
        Self {
            code,
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            message: status.message().to_owned(),
            hint: part("hint"),
            branch,
            retry_delay: details.retry_info().and_then(|retry| retry.retry_delay),
            violations: violations
                .iter()
                .map(|each| Violation { field: each.field.clone(), description: each.description.clone() })
                .collect(),
            metadata,
        }
    }
}

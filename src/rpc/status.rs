//! The one table that turns errors into gRPC statuses.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};
use uuid::Uuid;

use crate::domain::{FailureClass, Time, Violations, shorten};
use crate::engine::EngineError;

use super::reasons::{self, DOMAIN, Reason};

/// How much of an error is told.
struct Measure {
    /// The longest message, in characters.
    message: usize,
    /// The longest value among the details, in characters.
    value: usize,
    /// The most field violations listed.
    violations: usize,
}

/// From generous to terse: the first that fits is used. Characters beyond ASCII take up to nine bytes in a header.
const MEASURES: [Measure; 3] = [
    Measure { message: 1000, value: 240, violations: 12 },
    Measure { message: 400, value: 120, violations: 6 },
    Measure { message: 150, value: 60, violations: 2 },
];
/// The most bytes of a status's headers. Many clients and proxies accept no more than 8 KiB of all headers together, and
/// drop the whole answer otherwise.
const MOST_HEADERS: usize = 6 * 1024;
/// When to try again if nobody knows better.
const RETRY_SOON: Duration = Duration::from_secs(2);
/// The longest wait that a status asks for, however long the lock is held: its holder may be done much sooner.
const RETRY_LATEST: Duration = Duration::from_secs(30);

/// A status in the making: what every one of them has, and the details that some have.
pub(super) struct Refusal {
    code: Code,
    reason: Reason,
    message: String,
    metadata: Vec<(&'static str, String)>,
    retry_after: Option<Duration>,
    resource: Option<(&'static str, String)>,
    precondition: Option<String>,
    violations: Violations,
}

impl Refusal {
    /// A refusal that says what happened and what to do about it.
    pub(super) fn new(code: Code, reason: Reason, what: &str, hint: &str) -> Self {
        let what = what.trim_end_matches(['.', ' ']);
        let message = if hint.is_empty() { what.to_owned() } else { format!("{what}; {hint}") };
        let metadata = if hint.is_empty() { Vec::new() } else { vec![("hint", hint.to_owned())] };
        let violations = Violations::default();
        Self { code, reason, message, metadata, retry_after: None, resource: None, precondition: None, violations }
    }

    /// Adds to what programs can read.
    pub(super) fn with(mut self, key: &'static str, value: impl ToString) -> Self {
        self.metadata.push((key, value.to_string()));
        self
    }

    /// Says when to try again.
    pub(super) fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    fn resource(self, kind: &'static str, name: &str) -> Self {
        Self { resource: Some((kind, name.to_owned())), ..self }
    }

    fn precondition(self, subject: impl ToString) -> Self {
        Self { precondition: Some(subject.to_string()), ..self }
    }

    fn violations(self, found: &Violations) -> Self {
        Self { violations: found.clone(), ..self }
    }

    /// The status, shortened until it fits into headers.
    pub(super) fn into_status(self) -> Status {
        let mut status = Status::new(self.code, "");
        for measure in &MEASURES {
            status = self.measured(measure);
            if header_bytes(&status) <= MOST_HEADERS {
                break;
            }
        }
        status
    }

    fn measured(&self, measure: &Measure) -> Status {
        let cut = |text: &str| shorten(text, measure.value);
        let metadata: HashMap<String, String> =
            self.metadata.iter().map(|(key, value)| ((*key).to_owned(), cut(value))).collect();
        let mut details = ErrorDetails::with_error_info(self.reason.name, DOMAIN, metadata);
        if let Some(wait) = self.retry_after {
            details.set_retry_info(Some(wait));
        }
        if let Some((kind, name)) = &self.resource {
            details.set_resource_info(*kind, cut(name), "", "");
        }
        if let Some(subject) = &self.precondition {
            details.add_precondition_failure_violation(self.reason.name, cut(subject), cut(&self.message));
        }
        let found = &self.violations.0;
        if !found.is_empty() {
            let shown = found.iter().take(measure.violations);
            let mut listed: Vec<_> =
                shown.map(|each| FieldViolation::new(cut(&each.field), cut(&each.description))).collect();
            if found.len() > listed.len() {
                let more = found.len() - listed.len();
                listed.push(FieldViolation::new("", format!("{more} more fields cannot be accepted either")));
            }
            details.set_bad_request(listed);
        }
        Status::with_error_details(self.code, shorten(&self.message, measure.message), details)
    }
}

fn header_bytes(status: &Status) -> usize {
    let response = status.clone().into_http::<()>();
    response.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

/// The status of an error, in terms that a client can act on.
pub(super) fn status_of(error: &EngineError) -> Status {
    refusal_of(error, chrono::Utc::now()).into_status()
}

/// The status of a request whose fields cannot be accepted.
pub(super) fn invalid(found: Violations) -> Status {
    status_of(&EngineError::Invalid(found))
}

/// The status of a fault whose detail is in the log under `id`.
pub(super) fn internal(id: Uuid) -> Status {
    status_of(&EngineError::Internal { id })
}

/// What a stream ends with when the service stops before the run is over.
pub(super) fn draining() -> Status {
    status_of(&EngineError::Draining)
}

fn refusal_of(error: &EngineError, now: Time) -> Refusal {
    let refuse = |code, reason| Refusal::new(code, reason, &error.message(), &error.hint());
    let field = |name: &str| {
        let mut violations = Violations::default();
        violations.add(name, error.message());
        violations
    };
    match error {
        EngineError::UnknownBranch(name) => {
            refuse(Code::NotFound, reasons::BRANCH_NOT_FOUND).with("branch", name).resource("branch", name)
        }
        EngineError::UnknownBranches(names) => {
            let first = names.first().map_or("", String::as_str);
            refuse(Code::NotFound, reasons::BRANCH_NOT_FOUND)
                .with("branches", names.join(","))
                .with("count", names.len())
                .resource("branch", first)
        }
        EngineError::UnknownToken(token) => {
            refuse(Code::NotFound, reasons::TOKEN_NOT_FOUND).with("token", token).resource("token", token)
        }
        EngineError::UnknownRun(id) => {
            refuse(Code::NotFound, reasons::RUN_NOT_FOUND).with("run", id).resource("run", id)
        }
        EngineError::UnknownMigration { target, nearest } => {
            let refusal = refuse(Code::NotFound, reasons::MIGRATION_NOT_FOUND)
                .with("migration", target)
                .resource("migration", target)
                .violations(&field("target_migration"));
            match nearest {
                Some(nearest) => refusal.with("nearest", nearest),
                None => refusal,
            }
        }
        EngineError::Invalid(found) => refuse(Code::InvalidArgument, reasons::INVALID_REQUEST).violations(found),
        EngineError::CodeTaken(code) => refuse(Code::AlreadyExists, reasons::BRANCH_CODE_TAKEN)
            .with("branch", code)
            .resource("branch", code.as_str()),
        EngineError::DatabaseTaken { by } => {
            refuse(Code::AlreadyExists, reasons::DATABASE_TAKEN).with("branch", by).resource("branch", by.as_str())
        }
        EngineError::RequestIdReused(id) => refuse(Code::InvalidArgument, reasons::REQUEST_ID_REUSED)
            .with("request_id", id.as_str())
            .violations(&field("request_id")),
        EngineError::BadPageToken => {
            refuse(Code::InvalidArgument, reasons::BAD_PAGE_TOKEN).violations(&field("page_token"))
        }
        EngineError::Locked { branch, holder, until } => {
            let refusal = refuse(Code::Aborted, reasons::BRANCH_LOCKED)
                .with("branch", branch)
                .with("holder", holder)
                .resource("branch", branch.as_str())
                .retry_after(wait_until(*until, now));
            match until {
                Some(until) => refusal.with("until", until.to_rfc3339()),
                None => refusal,
            }
        }
        EngineError::BranchBusy { branch, lease } => refuse(Code::FailedPrecondition, reasons::BRANCH_BUSY)
            .with("branch", branch)
            .with("holder", &lease.owner)
            .with("until", lease.expires_time.to_rfc3339())
            .precondition(branch),
        EngineError::RunOver { id, state } => {
            refuse(Code::FailedPrecondition, reasons::RUN_OVER).with("run", id).with("state", state).precondition(id)
        }
        EngineError::NothingToResolve { branch, .. } => {
            refuse(Code::FailedPrecondition, reasons::NOTHING_TO_RESOLVE).with("branch", branch).precondition(branch)
        }
        EngineError::PlanChanged(failure) => refuse(Code::FailedPrecondition, reasons::PLAN_CHANGED)
            .with("branch", &failure.branch_code)
            .precondition(&failure.branch_code),
        EngineError::PlanRefused(failure) => refuse(Code::FailedPrecondition, reasons::PLAN_REFUSED)
            .with("branch", &failure.branch_code)
            .with("class", failure.class)
            .with("migration", failure.migration_id.as_ref().map(ToString::to_string).unwrap_or_default())
            .precondition(&failure.branch_code),
        EngineError::CatalogueBroken { problems } => refuse(Code::FailedPrecondition, reasons::CATALOGUE_BROKEN)
            .with("problems", problems.len())
            .with("first_problem", problems.first().map_or("", String::as_str))
            .precondition("migrations"),
        EngineError::NoSecretsKey => {
            refuse(Code::FailedPrecondition, reasons::SECRETS_KEY_MISSING).precondition("secrets.key_ref")
        }
        EngineError::Draining => refuse(Code::Unavailable, reasons::DRAINING).retry_after(RETRY_SOON),
        EngineError::BranchUnavailable(failure) => {
            let code = branch_code(failure.class);
            let hint = error.hint();
            let hint = if hint.is_empty() { "try the branch's connection with TestConnection" } else { &hint };
            let refusal = Refusal::new(code, reasons::BRANCH_UNAVAILABLE, &failure.to_string(), hint)
                .with("branch", &failure.branch_code)
                .with("class", failure.class)
                .resource("branch", failure.branch_code.as_str());
            if matches!(code, Code::Unavailable | Code::Aborted) { refusal.retry_after(RETRY_SOON) } else { refusal }
        }
        EngineError::HeadOffice(_) => {
            refuse(Code::Unavailable, reasons::HEAD_OFFICE_UNAVAILABLE).retry_after(RETRY_SOON)
        }
        EngineError::Internal { id } => refuse(Code::Internal, reasons::INTERNAL).with("id", id),
    }
}

/// Whether asking a branch again may help by itself, or somebody has to do something first.
fn branch_code(class: FailureClass) -> Code {
    match class {
        FailureClass::Connection | FailureClass::Timeout | FailureClass::Cancelled => Code::Unavailable,
        FailureClass::Locked => Code::Aborted,
        FailureClass::Internal => Code::Internal,
        FailureClass::Authentication
        | FailureClass::Sql
        | FailureClass::Checksum
        | FailureClass::Catalogue
        | FailureClass::PlanChanged
        | FailureClass::Ambiguous => Code::FailedPrecondition,
    }
}

fn wait_until(until: Option<Time>, now: Time) -> Duration {
    until.and_then(|until| (until - now).to_std().ok()).unwrap_or(RETRY_SOON).clamp(RETRY_SOON, RETRY_LATEST)
}

/// The full status for one that the gRPC library made by itself, before or instead of any of our code.
pub(super) fn completed(status: &Status) -> Status {
    let what = shorten(status.message(), 240);
    let (code, reason, hint) = match status.code() {
        Code::Unimplemented if what.is_empty() => return unknown_method(""),
        Code::OutOfRange | Code::ResourceExhausted => {
            (Code::ResourceExhausted, reasons::MESSAGE_TOO_LARGE, "send a smaller request, or several")
        }
        // The code by which clients learn that they have to compress differently.
        Code::Unimplemented => (Code::Unimplemented, reasons::MALFORMED_MESSAGE, "use gzip, or no compression"),
        Code::Internal | Code::InvalidArgument | Code::Unknown => (
            Code::InvalidArgument,
            reasons::MALFORMED_MESSAGE,
            "use stubs generated from this service's own contract, which reflection serves",
        ),
        Code::DeadlineExceeded | Code::Cancelled => return deadline_exceeded(),
        other => (other, reasons::INTERNAL, "look into the service's log"),
    };
    let what = if what.is_empty() { "the request could not be read".to_owned() } else { what };
    Refusal::new(code, reason, &what, hint).into_status()
}

/// The status of a call to something that does not exist.
pub(super) fn unknown_method(path: &str) -> Status {
    let path = shorten(path, 100);
    let what =
        if path.is_empty() { "there is no such method".to_owned() } else { format!("there is no method {path}") };
    Refusal::new(Code::Unimplemented, reasons::METHOD_NOT_FOUND, &what, "list the methods, for example with grpcurl")
        .with("method", path)
        .into_status()
}

/// The status of a call that nobody has capacity for: `who` already has `limit` of `what`.
pub(super) fn overloaded(who: &str, what: &str, limit: usize, hint: &str) -> Status {
    let what = format!("{who} already has {limit} {what}, as many as it may");
    Refusal::new(Code::ResourceExhausted, reasons::OVERLOADED, &what, hint)
        .with("limit", limit)
        .retry_after(RETRY_SOON)
        .into_status()
}

/// The status of a call that came too soon after others; `wait` tells when it may come again.
pub(super) fn rate_limited(what: &str, wait: Duration) -> Status {
    let hint = "wait as long as RetryInfo says, call less often, or raise the limit that the documentation names";
    Refusal::new(Code::ResourceExhausted, reasons::RATE_LIMITED, what, hint).retry_after(wait).into_status()
}

/// The status of a call whose message did not come within `limit`.
pub(super) fn incomplete(limit: Duration) -> Status {
    let what = format!("the request's message was not there within {} s", limit.as_secs());
    let hint = "send it whole, and end the stream after it";
    Refusal::new(Code::InvalidArgument, reasons::MALFORMED_MESSAGE, &what, hint).into_status()
}

/// The end of an answer that its client does not take.
pub(super) fn slow_reader() -> Status {
    let what = "the client has taken nothing of the answer for too long";
    let hint = "read on as it comes; watch the run from the last event seen";
    Refusal::new(Code::Unavailable, reasons::SLOW_READER, what, hint).retry_after(RETRY_SOON).into_status()
}

/// The status of a call whose client does not wait any longer.
pub(super) fn deadline_exceeded() -> Status {
    let hint = "work that was begun goes on: look at it with ListRuns and WatchRun, or give a longer deadline";
    let what = "the deadline passed before the answer was there";
    Refusal::new(Code::DeadlineExceeded, reasons::DEADLINE_EXCEEDED, what, hint).into_status()
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;

//! Calls that many tests make, and what they look for in the answers.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::pb::run_event::Event;
use super::{Station, pb};

/// Applies everything that is pending on one branch.
pub(crate) async fn apply(station: &Station, branch: &str) -> Result<pb::ApplyResponse, Status> {
    let request = pb::ApplyRequest { branch: branch.to_owned(), ..pb::ApplyRequest::default() };
    station.migrations().await.apply(request).await.map(tonic::Response::into_inner)
}

/// The result of applying everything that is pending on one branch.
pub(crate) async fn outcome(station: &Station, branch: &str) -> pb::MigrationResult {
    apply(station, branch).await.unwrap().result.unwrap()
}

/// Applies to a fleet and gives every event.
pub(crate) async fn apply_all(station: &Station, request: pb::ApplyAllRequest) -> Vec<pb::RunEvent> {
    let mut stream = station.migrations().await.apply_all(request).await.unwrap().into_inner();
    let mut events = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        events.push(message.event.unwrap());
    }
    events
}

/// How a branch ended in a run; it ends once.
pub(crate) fn finished(events: &[pb::RunEvent], code: &str) -> pb::BranchFinished {
    let all = events.iter().filter_map(|event| match &event.event {
        Some(Event::BranchFinished(finished)) if finished.branch_code == code => Some(finished.clone()),
        _ => None,
    });
    let all: Vec<_> = all.collect();
    assert_eq!(all.len(), 1, "{code} is finished once: {all:?}");
    all.into_iter().next().unwrap()
}

/// How a run ended.
pub(crate) fn ended(events: &[pb::RunEvent]) -> pb::MigrationResult {
    match &events.last().unwrap().event {
        Some(Event::RunFinished(end)) => end.result.clone().unwrap(),
        other => panic!("the last event is {other:?}"),
    }
}

/// Where a branch stands according to head office.
pub(crate) async fn status_of(station: &Station, code: &str) -> pb::BranchStatus {
    let request = pb::StatusRequest { page_size: 1000, ..pb::StatusRequest::default() };
    let seen = station.migrations().await.status(request).await.unwrap().into_inner().branches;
    seen.into_iter().find(|branch| branch.branch_code == code).unwrap()
}

/// The details of a status.
pub(crate) fn details(status: &Status) -> ErrorDetails {
    status.get_error_details()
}

/// Checks that a call was refused for this reason, with a message and a hint, and gives its status.
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, reason: &str) -> Status {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), code, "{status:?}");
    let details = details(&status);
    let info = details.error_info().unwrap();
    assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "branchkeeper"), "{status:?}");
    assert!(info.metadata.get("hint").is_some_and(|hint| !hint.is_empty()), "{status:?}");
    assert!(!status.message().is_empty() && !status.message().contains('\n'), "{status:?}");
    status
}

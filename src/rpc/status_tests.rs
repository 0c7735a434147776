use super::*;
use crate::domain::{BranchCode, Lease, MigrationError, RequestId, RunId, RunState};
use crate::rpc::REASONS;

fn code() -> BranchCode {
    "BR001".parse().unwrap()
}

fn failure(class: FailureClass) -> EngineError {
    EngineError::BranchUnavailable(Box::new(MigrationError::new(&code(), class, "no route to host")))
}

fn violations(count: usize, length: usize) -> Violations {
    let mut found = Violations::default();
    for number in 0..count {
        found.add(format!("branches[{number}]"), "語".repeat(length));
    }
    found
}

/// One of each, with the code that the contract promises for it.
fn table() -> Vec<(EngineError, Code)> {
    let lease = Lease { owner: "replica-2".into(), token: 4, expires_time: Time::UNIX_EPOCH };
    vec![
        (EngineError::UnknownBranch("BR999".into()), Code::NotFound),
        (EngineError::UnknownBranches(vec!["A".into(), "B".into()]), Code::NotFound),
        (EngineError::NoSecretsKey, Code::FailedPrecondition),
        (EngineError::UnknownRun(RunId::generate().to_string()), Code::NotFound),
        (EngineError::UnknownMigration { target: "7".into(), nearest: Some("8_x".into()) }, Code::NotFound),
        (EngineError::Invalid(violations(1, 5)), Code::InvalidArgument),
        (EngineError::CodeTaken(code()), Code::AlreadyExists),
        (EngineError::DatabaseTaken { by: code() }, Code::AlreadyExists),
        (EngineError::RequestIdReused("abc".parse::<RequestId>().unwrap()), Code::InvalidArgument),
        (EngineError::BadPageToken, Code::InvalidArgument),
        (EngineError::Locked { branch: code(), holder: "replica-2".into(), until: None }, Code::Aborted),
        (EngineError::BranchBusy { branch: code(), lease }, Code::FailedPrecondition),
        (EngineError::RunOver { id: RunId::generate(), state: RunState::Failed }, Code::FailedPrecondition),
        (EngineError::CatalogueBroken { problems: vec!["7_x.sql: empty".into()] }, Code::FailedPrecondition),
        (EngineError::NothingToResolve { branch: code(), why: "no".into(), hint: "wait" }, Code::FailedPrecondition),
        (EngineError::Draining, Code::Unavailable),
        (failure(FailureClass::Connection), Code::Unavailable),
        (failure(FailureClass::Locked), Code::Aborted),
        (failure(FailureClass::Authentication), Code::FailedPrecondition),
        (failure(FailureClass::Internal), Code::Internal),
        (EngineError::HeadOffice("disk I/O error".into()), Code::Unavailable),
        (EngineError::Internal { id: Uuid::nil() }, Code::Internal),
    ]
}

#[test]
fn every_error_has_its_code_a_listed_reason_and_a_hint() {
    for (error, code) in table() {
        let status = status_of(&error);
        assert_eq!(status.code(), code, "{error:?}");
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.domain, DOMAIN);
        assert!(REASONS.iter().any(|reason| reason.name == info.reason), "{}", info.reason);
        assert!(!info.metadata["hint"].is_empty(), "{error:?}");
        assert!(status.message().contains(&error.hint()), "{}", status.message());
        let waits = matches!(status.code(), Code::Unavailable | Code::Aborted);
        assert_eq!(status.get_details_retry_info().is_some(), waits, "{error:?}");
    }
}

#[test]
fn a_lock_says_who_holds_it_and_when_to_come_back() {
    let now = Time::UNIX_EPOCH;
    let wait = |seconds| wait_until(Some(now + Duration::from_secs(seconds)), now).as_secs();
    assert_eq!([wait(0), wait(10), wait(3600)], [2, 10, 30]);
    assert_eq!(wait_until(None, now), RETRY_SOON);
    assert_eq!(wait_until(Some(now - Duration::from_secs(9)), now), RETRY_SOON);

    let until = Some(now + Duration::from_secs(60));
    let locked = EngineError::Locked { branch: code(), holder: "replica-2".into(), until };
    let info = status_of(&locked).get_details_error_info().unwrap();
    assert_eq!(info.metadata["holder"], "replica-2");
    assert_eq!(info.metadata["branch"], "BR001");
    assert!(info.metadata["until"].starts_with("1970-01-01T00:01:00"));
}

#[test]
fn violations_are_listed_up_to_a_bound() {
    let status = invalid(violations(3, 10));
    assert_eq!(status.get_details_bad_request().unwrap().field_violations.len(), 3);
    let listed = invalid(violations(10_000, 10)).get_details_bad_request().unwrap().field_violations;
    assert!((3..=13).contains(&listed.len()), "{}", listed.len());
    let more = format!("{} more fields", 10_000 - (listed.len() - 1));
    assert!(listed.last().unwrap().description.starts_with(&more), "{listed:?}");
}

/// Many clients accept no more than 8 KiB of headers, and drop the whole answer otherwise.
#[test]
fn a_status_fits_into_headers_whatever_is_in_it() {
    let long = "語".repeat(10_000);
    let problems: Vec<String> = (0..1000).map(|_| long.clone()).collect();
    let failure = MigrationError::new(&code(), FailureClass::Connection, long.as_str()).hint(long.as_str());
    let errors = [
        EngineError::Invalid(violations(10_000, 10_000)),
        EngineError::UnknownBranches(problems.clone()),
        EngineError::UnknownBranch(long.clone()),
        EngineError::UnknownMigration { target: long.clone(), nearest: Some(long.clone()) },
        EngineError::CatalogueBroken { problems },
        EngineError::BranchUnavailable(Box::new(failure)),
        EngineError::HeadOffice(long),
    ];
    for error in errors {
        let status = status_of(&error);
        let size = header_bytes(&status);
        assert!(size <= MOST_HEADERS, "{size} bytes for {:.60?}", error.message());
        assert!(status.get_details_error_info().is_some());
    }
}

#[test]
fn statuses_of_the_library_get_reasons_too() {
    let reason = |status: Status| {
        let full = completed(&status);
        (full.code(), full.get_details_error_info().unwrap().reason)
    };
    let expected = (Code::ResourceExhausted, "MESSAGE_TOO_LARGE".to_owned());
    assert_eq!(reason(Status::out_of_range("message length too large")), expected);
    let expected = (Code::InvalidArgument, "MALFORMED_MESSAGE".to_owned());
    assert_eq!(reason(Status::internal("failed to decode Protobuf message")), expected);
    assert_eq!(reason(Status::unimplemented("")), (Code::Unimplemented, "METHOD_NOT_FOUND".to_owned()));
}

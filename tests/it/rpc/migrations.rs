//! MigrationService, as far as one branch is concerned.

use std::time::Duration;

use tonic::{Code, Request};
use tonic_types::StatusExt;

use super::harness::{CUSTOMERS, ENDLESS, SLOW, Served, refused, settings, start, start_with, violations};
use crate::support::pb;

fn apply(branch: &str) -> pb::ApplyRequest {
    pb::ApplyRequest { branch: branch.to_owned(), ..Default::default() }
}

async fn status(served: &Served) -> pb::StatusResponse {
    served.migrations().await.status(pb::StatusRequest::default()).await.unwrap().into_inner()
}

#[tokio::test]
async fn one_branch_from_pending_to_valid() {
    let second = "-- description: Who works here\nCREATE TABLE Users (Id INTEGER PRIMARY KEY);\n";
    let served = start_with(settings(), &[("1_Customers.sql", CUSTOMERS), ("2_Users.up.sql", second)]).await;
    let branch = served.register("BR001").await;
    let mut client = served.migrations().await;

    let request = pb::PendingRequest { branch: "br001".into() };
    let pending = client.pending(request.clone()).await.unwrap().into_inner();
    assert_eq!((pending.branch_id, pending.branch_code.as_str(), pending.count), (branch.id, "BR001", 2));
    let info = &pending.pending_migrations[0];
    assert_eq!((info.id.as_str(), info.name.as_str(), info.checksum.len()), ("1_Customers", "Customers", 64));
    assert!(!info.repeatable && !info.reversible);
    assert_eq!(status(&served).await.totals["Pending"], 1);

    let request = pb::ApplyRequest { target_migration: "1".into(), ..apply("BR001") };
    let applied = client.apply(request).await.unwrap().into_inner();
    let result = applied.result.unwrap();
    assert!(result.success && result.duration.is_some());
    assert_eq!((result.applied_migrations, result.branches_succeeded), (vec!["1_Customers".to_owned()], 1));

    let history = client.history(pb::HistoryRequest { branch: "BR001".into() }).await.unwrap().into_inner();
    let row = &history.applied_migrations[0];
    assert_eq!((row.id.as_str(), &row.run_id), ("1_Customers", &applied.run_id));
    assert_eq!(row.product_version, env!("CARGO_PKG_VERSION"));
    assert_eq!(history.last_migration_time, row.applied_time);
    assert_eq!(
        (history.pending_migrations, history.status),
        (vec!["2_Users".to_owned()], pb::MigrationStatus::Pending.into())
    );

    client.apply(apply("BR001")).await.unwrap();
    let valid = client.validate(pb::ValidateRequest { branch: "BR001".into() }).await.unwrap().into_inner();
    assert!(valid.is_valid && valid.status == "Valid", "{valid:?}");
    served.migration("1_Customers.sql", &CUSTOMERS.replace("Email", "Mail"));
    let mut invalid = valid;
    for _ in 0..40 {
        invalid = client.validate(pb::ValidateRequest { branch: "BR001".into() }).await.unwrap().into_inner();
        if !invalid.is_valid {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!((invalid.status.as_str(), invalid.findings[0].kind.as_str()), ("Invalid", "ChecksumMismatch"));

    let seen = status(&served).await;
    assert_eq!((seen.total_branches, seen.totals["Completed"], seen.totals["Failed"]), (1, 1, 0));
    let seen = &seen.branches[0];
    assert_eq!((seen.last_migration_applied.as_str(), seen.pending_count, seen.is_locked), ("2_Users", Some(0), false));
    assert!(seen.is_active && seen.last_attempt_time.is_some() && seen.error.is_none());
    served.stop().await;
}

#[tokio::test]
async fn a_failed_migration_is_a_result_and_retry_clears_it() {
    let broken = "CREATE TABLE Fine (Id INTEGER);\n\nINSERT INTO Missing VALUES (1);\n";
    let served = start_with(settings(), &[("1_Broken.sql", broken)]).await;
    served.register("BR001").await;
    let mut client = served.migrations().await;
    let result = client.apply(apply("BR001")).await.unwrap().into_inner().result.unwrap();
    assert!(!result.success && result.branches_failed == 1);
    let error = &result.errors[0];
    assert_eq!((error.branch_code.as_str(), error.migration_id.as_str(), error.line), ("BR001", "1_Broken", 3));
    assert_eq!(error.class(), pb::FailureClass::Sql);
    assert!(error.message.contains("Missing") && error.file.ends_with("1_Broken.sql"), "{error:?}");

    let seen = status(&served).await;
    assert_eq!((seen.totals["Failed"], seen.branches[0].retry_count), (1, 1));
    assert_eq!(seen.branches[0].error.as_ref(), Some(error));
    assert!(seen.branches[0].error_details.contains("Missing") && seen.branches[0].next_attempt_time.is_some());
    let filter = pb::StatusRequest { statuses: vec![pb::MigrationStatus::Completed.into()], ..Default::default() };
    let none = client.status(filter).await.unwrap().into_inner();
    assert!(none.branches.is_empty() && none.total_branches == 1, "{none:?}");

    let retried = client.retry(pb::RetryRequest { branch: "BR001".into() }).await.unwrap().into_inner().status.unwrap();
    assert_eq!((retried.status(), retried.retry_count), (pb::MigrationStatus::Pending, 0));
    served.stop().await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let served = start(settings()).await;
    served.register("BR001").await;
    let mut client = served.migrations().await;
    let missing = (Code::NotFound, "BRANCH_NOT_FOUND".to_owned());
    let branch = || "BR999".to_owned();
    assert_eq!(refused(client.apply(apply("BR999")).await), missing);
    assert_eq!(refused(client.pending(pb::PendingRequest { branch: branch() }).await), missing);
    assert_eq!(refused(client.history(pb::HistoryRequest { branch: branch() }).await), missing);
    assert_eq!(refused(client.validate(pb::ValidateRequest { branch: branch() }).await), missing);
    assert_eq!(refused(client.retry(pb::RetryRequest { branch: branch() }).await), missing);

    let branch = String::new;
    assert_eq!(violations(client.apply(apply("")).await), ["branch"]);
    assert_eq!(violations(client.pending(pb::PendingRequest { branch: branch() }).await), ["branch"]);
    assert_eq!(violations(client.history(pb::HistoryRequest { branch: branch() }).await), ["branch"]);
    assert_eq!(violations(client.validate(pb::ValidateRequest { branch: "x".repeat(10_000) }).await), ["branch"]);
    assert_eq!(violations(client.retry(pb::RetryRequest { branch: "a b".into() }).await), ["branch"]);
    let bad = pb::ApplyRequest { transaction_mode: 9, request_id: "ü".into(), ..apply("BR001") };
    assert_eq!(violations(client.apply(bad).await), ["transaction_mode", "request_id"]);
    let bad = pb::StatusRequest { page_size: 5000, statuses: vec![0], ..Default::default() };
    assert_eq!(violations(client.status(bad).await), ["page_size", "statuses[0]"]);

    let nowhere = pb::ApplyRequest { target_migration: "1_Customer".into(), ..apply("BR001") };
    let status = client.apply(nowhere).await.unwrap_err();
    assert_eq!(status.get_details_error_info().unwrap().metadata["nearest"], "1_Customers");
    assert_eq!(refused::<()>(Err(status)), (Code::NotFound, "MIGRATION_NOT_FOUND".into()));

    served.migration("2_Empty.sql", "");
    assert_eq!(refused(client.apply(apply("BR001")).await), (Code::FailedPrecondition, "CATALOGUE_BROKEN".into()));
    served.stop().await;
}

#[tokio::test]
async fn a_branch_at_work_is_locked_and_cannot_be_changed() {
    let served = start_with(settings(), &[("1_Endless.sql", ENDLESS)]).await;
    served.register("BR001").await;
    let (run_id, _events) = served.begin_run().await;
    let mut client = served.migrations().await;
    let locked = client.apply(apply("BR001")).await.unwrap_err();
    assert!(locked.get_details_retry_info().unwrap().retry_delay.unwrap() >= Duration::from_secs(1));
    assert!(!locked.get_details_error_info().unwrap().metadata["holder"].is_empty());
    assert_eq!(refused::<()>(Err(locked)), (Code::Aborted, "BRANCH_LOCKED".into()));
    let busy = (Code::FailedPrecondition, "BRANCH_BUSY".to_owned());
    let delete = pb::DeleteBranchRequest { branch: "BR001".into() };
    assert_eq!(refused(served.branches().await.delete_branch(delete).await), busy);
    assert_eq!(refused(client.retry(pb::RetryRequest { branch: "BR001".into() }).await), busy);
    assert!(status(&served).await.branches[0].is_locked);
    client.cancel_run(pb::CancelRunRequest { run_id }).await.unwrap();
    served.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_does_not_stop_its_migration() {
    let served = start_with(settings(), &[("1_Slow.sql", SLOW)]).await;
    for code in ["BR001", "BR002"] {
        served.register(code).await;
    }
    // One loses patience, the other its connection.
    let mut request = Request::new(apply("BR001"));
    request.set_timeout(Duration::from_millis(100));
    let late = served.migrations().await.apply(request).await.unwrap_err();
    assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled), "{late:?}");
    let mut client = served.migrations().await;
    let gone = tokio::spawn(async move { client.apply(apply("BR002")).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    gone.abort();
    for _ in 0..200 {
        if status(&served).await.totals["Completed"] == 2 {
            served.stop().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{:?}", status(&served).await);
}

#[tokio::test]
async fn the_servers_own_deadline_says_that_work_goes_on() {
    let served = start_with(settings(), &[("1_Slow.sql", SLOW)]).await;
    served.register("BR001").await;
    // This client itself waits for the answer.
    let deadline = "Grpc-Timeout: 80m\r\n";
    let (head, _) = served.web("/branchkeeper.v1.MigrationService/Apply", &apply("BR001"), deadline).await;
    assert!(head.starts_with("http/1.1 200") && head.contains("application/grpc-web"), "{head}");
    assert!(head.contains("grpc-status: 4") && head.contains("goes%20on"), "{head}");
    served.stop().await;
}

#[tokio::test]
async fn apply_needs_no_place_among_the_short_calls() {
    use branchkeeper::rpc::ServerSettings;
    let served = start_with(settings(), &[("1_Endless.sql", ENDLESS)]).await;
    served.register("BR001").await;
    served.stop().await;
    let served = start(ServerSettings { concurrency_limit: 0, ..settings() }).await;
    let unknown = served.migrations().await.apply(apply("BR999")).await;
    assert_eq!(refused(unknown), (Code::NotFound, "BRANCH_NOT_FOUND".into()));
    let full = start(ServerSettings { max_followers: 0, ..settings() }).await;
    let status = full.migrations().await.apply(apply("BR999")).await;
    assert_eq!(refused(status), (Code::ResourceExhausted, "OVERLOADED".into()));
    served.stop().await;
    full.stop().await;
}

//! The client against the real service.

#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, reason = "a test that fails may say so like this")]

mod support;

use std::time::Duration;

use branchkeeper_client::v1::run_event::Event;
use branchkeeper_client::v1::{
    ApplyAllRequest, ApplyRequest, Branch, CreateBranchRequest, GetRunRequest, ListRunsRequest, MigrationResult,
    PendingRequest, RunEvent, WatchRunRequest,
};
use branchkeeper_client::{Client, Error, Kind, MIGRATION_SERVICE, Options, RunEvents, reason};
use futures_util::StreamExt;
use support::{Proxy, Service, connect, fifty, started};
use tonic::Code;

/// Reads a stream to its end, and sees to it that the events are complete and without repetition.
async fn all(mut stream: RunEvents) -> Result<Vec<RunEvent>, Error> {
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        events.push(event?);
        assert_eq!(events.last().unwrap().sequence, i64::try_from(events.len()).unwrap());
    }
    Ok(events)
}

fn result(events: &[RunEvent]) -> MigrationResult {
    match events.last().unwrap().event.clone() {
        Some(Event::RunFinished(finished)) => finished.result.unwrap(),
        other => panic!("the last event is {other:?}"),
    }
}

async fn runs(client: &Client) -> usize {
    client.migrations().list_runs(ListRunsRequest::default()).await.unwrap().into_inner().runs.len()
}

fn apply(branch: &str) -> ApplyRequest {
    ApplyRequest { branch: branch.to_owned(), ..ApplyRequest::default() }
}

#[tokio::test]
async fn a_branch_is_registered_and_migrated() {
    let (service, client) = started().await;
    service.register(&client, &["BR001".to_owned()]).await;
    let answer = client.apply(apply("BR001")).await.unwrap();
    let applied = answer.result.unwrap();
    assert!(applied.success && applied.applied_migrations.len() == 2);
    let run = client.migrations().get_run(GetRunRequest { run_id: answer.run_id }).await.unwrap().into_inner();
    assert_eq!(run.run.unwrap().request_id.len(), 36);
    let pending = client.call(Kind::Read, || {
        let mut stub = client.migrations();
        async move { stub.pending(PendingRequest { branch: "BR001".into() }).await }
    });
    assert_eq!(pending.await.unwrap().count, 0);
}

#[tokio::test]
async fn all_branches_are_migrated() {
    let (service, client) = started().await;
    service.register(&client, &fifty()).await;
    let events = all(client.apply_all(ApplyAllRequest::default())).await.unwrap();
    assert_eq!(result(&events).branches_succeeded, 50);
    // What was recorded can be watched again, from anywhere, and its end is known without an event too.
    let end = i64::try_from(events.len()).unwrap();
    for (after, expected) in [(end - 3, vec![end - 2, end - 1, end]), (end, vec![])] {
        let run_id = events[0].run_id.clone();
        let watch = WatchRunRequest { run_id, after_sequence: after, include_statements: false };
        let seen: Vec<i64> = client.watch_run(watch).map(|event| event.unwrap().sequence).collect().await;
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn a_cut_stream_goes_on_without_loss_or_repetition() {
    let (service, client) = started().await;
    service.register(&client, &fifty()).await;
    let proxy = Proxy::new(service.address, 3000, 5).await;
    let request = ApplyAllRequest { include_statements: true, ..ApplyAllRequest::default() };
    let events = all(connect(&proxy.target).apply_all(request)).await.unwrap();
    assert_eq!((result(&events).branches_succeeded, proxy.cuts()), (50, 5));
    assert_eq!(runs(&client).await, 1);
}

#[tokio::test]
async fn a_lost_first_answer_begins_no_second_run() {
    let (service, client) = started().await;
    service.register(&client, &["BR001".to_owned()]).await;
    // Enough for the connection to begin, not enough for an event: the request arrives, its answer does not.
    let proxy = Proxy::new(service.address, 60, 3).await;
    let events = all(connect(&proxy.target).apply_all(ApplyAllRequest::default())).await.unwrap();
    assert!(result(&events).success && proxy.cuts() == 3, "{} cuts", proxy.cuts());
    assert_eq!(runs(&client).await, 1);
}

#[tokio::test]
async fn a_restart_of_the_service_ends_no_stream() {
    let (mut service, client) = started().await;
    service.register(&client, &fifty()).await;
    let mut stream = client.apply_all(ApplyAllRequest { max_parallel: 1, ..ApplyAllRequest::default() });
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        events.push(event.unwrap());
        assert_eq!(events.last().unwrap().sequence, i64::try_from(events.len()).unwrap());
        if events.len() == 10 {
            service.stop();
            service.start(&[]);
        }
    }
    assert_eq!(result(&events).branches_succeeded, 50);
}

#[tokio::test]
async fn a_failing_branch_is_data() {
    let (service, client) = started().await;
    service.register(&client, &["BR001".to_owned(), "BR002".to_owned()]).await;
    service.spoil("BR002");
    let outcome = result(&all(client.apply_all(ApplyAllRequest::default())).await.unwrap());
    assert!(!outcome.success && outcome.branches_succeeded == 1);
    assert_eq!(outcome.errors[0].branch_code, "BR002");
}

#[tokio::test]
async fn an_unknown_branch_is_a_typed_error() {
    let (_service, client) = started().await;
    let error = client.apply(apply("NOWHERE")).await.unwrap_err();
    assert_eq!(
        (error.code, error.reason.as_str(), error.branch.as_str()),
        (Code::NotFound, reason::BRANCH_NOT_FOUND, "NOWHERE")
    );
    assert!(!error.hint.is_empty());
    let some = ApplyAllRequest { branches: vec!["NOWHERE".into()], ..ApplyAllRequest::default() };
    assert_eq!(all(client.apply_all(some)).await.unwrap_err().reason, reason::BRANCH_NOT_FOUND);
    let run_id = "00000000-0000-7000-8000-000000000000".to_owned();
    let watch = WatchRunRequest { run_id, ..WatchRunRequest::default() };
    assert_eq!(all(client.watch_run(watch)).await.unwrap_err().reason, reason::RUN_NOT_FOUND);
    let branch = Some(Branch { code: "no blanks".into(), ..Branch::default() });
    let status = client.branches().create_branch(CreateBranchRequest { branch }).await.unwrap_err();
    assert!(Error::from(status).violations.iter().any(|each| each.field == "branch.code"));
}

#[tokio::test]
async fn a_deadline_passes() {
    let (service, client) = started().await;
    service.register(&client, &["BR001".to_owned()]).await;
    let error = client.apply_within(apply("BR001"), Duration::from_millis(2)).await.unwrap_err();
    assert_eq!(error.code, Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_service_is_waited_for() {
    let mut service = Service::new();
    let client = connect(&service.target());
    let error = client.wait_ready_for(MIGRATION_SERVICE, Duration::from_millis(400)).await.unwrap_err();
    assert_eq!(error.code, Code::DeadlineExceeded);
    assert!(error.message.contains("Unavailable"), "{}", error.message);
    service.start(&[]);
    client.wait_ready().await.unwrap();
    client.wait_ready_for("", Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn a_token_is_needed_where_the_service_asks_for_one() {
    let mut service = Service::new();
    service.start(&support::AUTHENTICATED);
    connect(&service.target()).wait_ready().await.unwrap();
    let cases = [
        (None, reason::UNAUTHENTICATED),
        (Some("garbage"), reason::UNAUTHENTICATED),
        (Some(support::EXPIRED_TOKEN), reason::UNAUTHENTICATED),
        (Some(support::TOKEN), reason::BRANCH_NOT_FOUND),
    ];
    for (token, expected) in cases {
        let options = token.iter().fold(Options::default(), |options, token| options.token(*token));
        let client = Client::connect(&service.target(), &options).unwrap();
        assert_eq!(client.apply(apply("NOWHERE")).await.unwrap_err().reason, expected, "{token:?}");
        let some = ApplyAllRequest { branches: vec!["NOWHERE".into()], ..ApplyAllRequest::default() };
        assert_eq!(all(client.apply_all(some)).await.unwrap_err().reason, expected, "{token:?}");
    }
}

#[tokio::test]
async fn the_example_shows_progress_and_tells_the_outcome() {
    let (service, client) = started().await;
    service.register(&client, &["BR001".to_owned(), "BR002".to_owned()]).await;
    // Cargo builds the examples together with the tests, into a folder beside theirs.
    let program = std::env::current_exe().unwrap().parent().unwrap().with_file_name("examples/deploy");
    let shown = std::process::Command::new(program).arg(service.target()).output().unwrap();
    let (out, bar) = (String::from_utf8(shown.stdout).unwrap(), String::from_utf8(shown.stderr).unwrap());
    assert!(shown.status.success() && bar.contains("2/2"), "{out}{bar}");
    assert_eq!(out.trim(), "2 succeeded, 0 failed");
}

//! Runs: their streams, and looking at and steering them.

use std::time::Duration;

use tonic::{Code, Request};

use super::harness::{CUSTOMERS, ENDLESS, Served, refused, settings, start, start_with, violations};
use crate::support::pb::run_event::Event;
use crate::support::pb::{self, ApplyAllRequest, WatchRunRequest};

async fn apply_all(served: &Served, request: ApplyAllRequest) -> Vec<pb::RunEvent> {
    let mut stream = served.migrations().await.apply_all(request).await.unwrap().into_inner();
    let mut events = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        events.push(message.event.unwrap());
    }
    events
}

async fn watch(served: &Served, request: WatchRunRequest) -> Vec<pb::RunEvent> {
    let mut stream = served.migrations().await.watch_run(request).await.unwrap().into_inner();
    let mut events = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        events.push(message.event.unwrap());
    }
    events
}

#[tokio::test]
async fn a_fleet_is_migrated_and_told_event_by_event() {
    let served = start(settings()).await;
    for index in 0..12 {
        served.register(&format!("BR{index:03}")).await;
    }
    let request = ApplyAllRequest { include_statements: true, request_id: "deploy-1".into(), ..Default::default() };
    let events = apply_all(&served, request.clone()).await;
    let sequences: Vec<i64> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..=i64::try_from(events.len()).unwrap()).collect::<Vec<_>>());
    assert!(matches!(&events[0].event, Some(Event::RunStarted(begun)) if begun.branches_total == 12));
    let Some(Event::RunFinished(end)) = events.last().unwrap().event.clone() else { panic!("{:?}", events.last()) };
    let result = end.result.unwrap();
    assert!(result.success && result.branches_processed == 12);
    assert!(result.applied_migrations.contains(&"[BR007] 1_Customers".to_owned()), "{result:?}");
    let count = |what: fn(&Event) -> bool| events.iter().filter(|event| event.event.as_ref().is_some_and(what)).count();
    assert_eq!(count(|event| matches!(event, Event::StatementFinished(_))), 12);
    assert_eq!(count(|event| matches!(event, Event::BranchFinished(_))), 12);

    let run_id = events[0].run_id.clone();
    assert_eq!(apply_all(&served, request).await, events, "sent again, it shows the same run");
    let again = WatchRunRequest { run_id: run_id.clone(), after_sequence: 3, include_statements: true };
    assert_eq!(watch(&served, again.clone()).await, events[3..]);
    let brief = watch(&served, WatchRunRequest { include_statements: false, ..again.clone() }).await;
    assert!(brief.iter().all(|event| !matches!(event.event, Some(Event::StatementFinished(_)))));
    let last = events.last().unwrap().sequence;
    for after_sequence in [last, last + 1000, i64::MAX] {
        let rest = watch(&served, WatchRunRequest { after_sequence, ..again.clone() });
        assert!(tokio::time::timeout(Duration::from_secs(5), rest).await.unwrap().is_empty());
    }

    let run = served.migrations().await.get_run(pb::GetRunRequest { run_id }).await.unwrap().into_inner().run.unwrap();
    assert_eq!((run.kind(), run.state()), (pb::RunKind::ApplyAll, pb::RunState::Succeeded));
    assert_eq!((run.requested_by.as_str(), run.request_id.as_str()), ("127.0.0.1", "deploy-1"));
    assert_eq!((run.last_sequence, run.branches_total), (last, 12));
    assert!(run.start_time.is_some() && run.end_time.is_some() && run.result == Some(result));
    served.stop().await;
}

#[tokio::test]
async fn a_selector_that_matches_nothing_is_an_empty_run() {
    let served = start(settings()).await;
    served.register("BR001").await;
    let labels = [("zone".to_owned(), "nowhere".to_owned())].into();
    let events = apply_all(&served, ApplyAllRequest { labels, ..Default::default() }).await;
    assert!(
        matches!(&events.last().unwrap().event, Some(Event::RunFinished(end)) if end.result.as_ref().unwrap().success)
    );
    served.stop().await;
}

#[tokio::test]
async fn bad_requests_begin_no_run() {
    let served = start(settings()).await;
    served.register("BR001").await;
    let mut client = served.migrations().await;
    let unknown = ApplyAllRequest { branches: vec!["BR001".into(), "BR998".into()], ..Default::default() };
    let status = client.apply_all(unknown).await.unwrap_err();
    assert!(status.message().contains("BR998") && !status.message().contains("BR001"), "{}", status.message());
    assert_eq!(refused::<()>(Err(status)), (Code::NotFound, "BRANCH_NOT_FOUND".into()));
    let bad = ApplyAllRequest { branches: vec![String::new()], max_parallel: 9999, ..Default::default() };
    assert_eq!(violations(client.apply_all(bad).await), ["branches[0]", "max_parallel"]);
    let target = ApplyAllRequest { target_migration: "99".into(), ..Default::default() };
    assert_eq!(refused(client.apply_all(target).await), (Code::NotFound, "MIGRATION_NOT_FOUND".into()));
    let runs = client.list_runs(pb::ListRunsRequest::default()).await.unwrap().into_inner();
    assert!(runs.runs.is_empty(), "{runs:?}");

    let missing = (Code::NotFound, "RUN_NOT_FOUND".to_owned());
    let run_id = || "0198c0de-0000-7000-8000-000000000000".to_owned();
    let watch = |run_id| WatchRunRequest { run_id, ..Default::default() };
    assert_eq!(refused(client.get_run(pb::GetRunRequest { run_id: run_id() }).await), missing);
    assert_eq!(refused(client.cancel_run(pb::CancelRunRequest { run_id: run_id() }).await), missing);
    assert_eq!(refused(client.watch_run(watch(run_id())).await), missing);
    assert_eq!(violations(client.get_run(pb::GetRunRequest { run_id: "7".into() }).await), ["run_id"]);
    assert_eq!(violations(client.cancel_run(pb::CancelRunRequest::default()).await), ["run_id"]);
    let negative = WatchRunRequest { run_id: run_id(), after_sequence: -1, ..Default::default() };
    assert_eq!(violations(client.watch_run(negative).await), ["after_sequence"]);
    let bad = pb::ListRunsRequest { states: vec![3], page_size: 1001, ..Default::default() };
    assert_eq!(violations(client.list_runs(bad).await), ["page_size", "states[0]"]);
    served.stop().await;
}

#[tokio::test]
async fn runs_are_listed_newest_first_and_cancelled_once() {
    let served = start_with(settings(), &[("1_Endless.sql", ENDLESS)]).await;
    served.register("BR001").await;
    let mut client = served.migrations().await;
    let (run_id, mut events) = served.begin_run().await;
    let running = pb::ListRunsRequest { states: vec![pb::RunState::Running.into()], ..Default::default() };
    let listed = client.list_runs(running.clone()).await.unwrap().into_inner().runs;
    assert_eq!(listed.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), [run_id.as_str()]);

    client.cancel_run(pb::CancelRunRequest { run_id: run_id.clone() }).await.unwrap();
    let mut last = None;
    while let Some(message) = events.message().await.unwrap() {
        last = message.event;
    }
    assert!(matches!(last.unwrap().event, Some(Event::RunFinished(_))));
    let again = client.cancel_run(pb::CancelRunRequest { run_id }).await;
    assert_eq!(refused(again), (Code::FailedPrecondition, "RUN_OVER".into()));
    assert!(client.list_runs(running).await.unwrap().into_inner().runs.is_empty());
    served.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_slows_nobody() {
    let many: String = (0..300).map(|number| format!("CREATE TABLE T{number} (Id INTEGER);\n")).collect();
    let served = start_with(settings(), &[("1_Customers.sql", CUSTOMERS), ("2_Many.sql", &many)]).await;
    for index in 0..20 {
        served.register(&format!("BR{index:03}")).await;
    }
    let mut client = served.migrations().await;
    let request = Request::new(ApplyAllRequest { include_statements: true, ..Default::default() });
    // The stream is held open and never read.
    let mut unread = client.apply_all(request).await.unwrap().into_inner();
    let mut done = false;
    for _ in 0..300 {
        let runs = client.list_runs(pb::ListRunsRequest::default()).await.unwrap().into_inner().runs;
        done = runs[0].state() == pb::RunState::Succeeded;
        if done {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(done, "the run ends although nobody reads");
    let mut count = 0;
    while unread.message().await.unwrap().is_some() {
        count += 1;
    }
    assert!(count > 20 * 301, "{count} events are all there");
    served.stop().await;
}

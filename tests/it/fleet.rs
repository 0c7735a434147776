//! Whole fleets through the public API: many branches, some broken, clients that vanish, callers that collide.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use crate::support::pb::run_event::Event;
use crate::support::pb::{self, ApplyAllRequest, ApplyRequest, FailureClass, MigrationStatus};
use crate::support::{Station, postgres, server_branch, sqlite_branch, watch};

const FIRST: &str = "CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL);\n";
const SECOND: &str = "CREATE UNIQUE INDEX customers_email ON customers (email);\n";

async fn sqlite(file: &Path) -> SqliteConnection {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    SqliteConnectOptions::new().filename(file).create_if_missing(true).connect().await.unwrap()
}

async fn run_in(file: &Path, sql: String) {
    let mut connection = sqlite(file).await;
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
}

async fn apply_all(station: &Station, request: ApplyAllRequest) -> Vec<pb::RunEvent> {
    let mut stream = station.migrations().await.apply_all(request).await.unwrap().into_inner();
    let mut events = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        events.push(message.event.unwrap());
    }
    events
}

fn finished(events: &[pb::RunEvent], code: &str) -> pb::BranchFinished {
    let all = events.iter().filter_map(|event| match &event.event {
        Some(Event::BranchFinished(finished)) if finished.branch_code == code => Some(finished.clone()),
        _ => None,
    });
    let all: Vec<_> = all.collect();
    assert_eq!(all.len(), 1, "{code} is finished once: {all:?}");
    all.into_iter().next().unwrap()
}

fn result(events: &[pb::RunEvent]) -> pb::MigrationResult {
    match &events.last().unwrap().event {
        Some(Event::RunFinished(end)) => end.result.clone().unwrap(),
        other => panic!("the last event is {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_broken_branches_do_not_disturb_the_other_190() {
    let server = postgres().await;
    let mut station = Station::new();
    station.variable("BRANCH_PASSWORD", &server.password);
    station.variable("WRONG_PASSWORD", "not-the-password");
    station.set("MIGRATION__CONNECT_TIMEOUT", "5s");
    station.set("MIGRATION__TIMEOUT", "10s");
    station.set("LOCK__WAIT", "1s");
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    for index in 0..200 {
        let code = format!("BR{index:03}");
        let server_branch = |database: &str, reference: &str| server_branch(&code, server, database, reference);
        let branch = match index {
            2 => {
                let mut branch = server_branch("unreachable", "env:BRANCH_PASSWORD");
                if let Some(pb::connection::Kind::Server(server)) = &mut branch.connection.as_mut().unwrap().kind {
                    server.port = 1;
                }
                branch
            }
            3 => server_branch("wrong_password", "env:WRONG_PASSWORD"),
            4 => server_branch("no_password", "env:BRANCHKEEPER_NO_SUCH_VARIABLE"),
            _ => sqlite_branch(&code),
        };
        station.register(branch).await;
    }
    let events = apply_all(
        &station,
        ApplyAllRequest {
            branches: (5..11).map(|index| format!("BR{index:03}")).collect(),
            ..ApplyAllRequest::default()
        },
    )
    .await;
    assert!(result(&events).success, "{:?}", result(&events));

    let file = |index: usize| station.sqlite_file(&format!("BR{index:03}"));
    fs::create_dir_all(file(0).parent().unwrap()).unwrap();
    fs::write(file(0), "this is not a database, however long one looks at it".repeat(100)).unwrap();
    fs::create_dir_all(file(1)).unwrap();
    run_in(&file(5), "UPDATE \"__MigrationsHistory\" SET checksum = 'changed'".into()).await;
    run_in(&file(6), "UPDATE \"__MigrationsHistory\" SET migration_id = '9_Unknown'".into()).await;
    run_in(&file(7), "UPDATE \"__MigrationsHistory\" SET format = 99".into()).await;
    run_in(&file(8), "INSERT INTO customers (email) VALUES ('a'), ('a')".into()).await;
    run_in(&file(9), "CREATE TABLE customers_email (id INTEGER)".into()).await;
    let mut held = sqlite(&file(10)).await;
    held.execute("BEGIN EXCLUSIVE").await.unwrap();
    station.migration("2_Unique.sql", SECOND);

    let events = apply_all(&station, ApplyAllRequest::default()).await;
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event.sequence, i64::try_from(place).unwrap() + 1);
    }
    let expected = [
        (0, FailureClass::Sql),
        (1, FailureClass::Connection),
        (2, FailureClass::Connection),
        (3, FailureClass::Authentication),
        (4, FailureClass::Authentication),
        (5, FailureClass::Checksum),
        (6, FailureClass::Catalogue),
        (7, FailureClass::Catalogue),
        (8, FailureClass::Sql),
        (9, FailureClass::Sql),
        (10, FailureClass::Timeout),
    ];
    for (index, class) in expected {
        let end = finished(&events, &format!("BR{index:03}"));
        let error = end.error.clone().unwrap_or_else(|| panic!("BR{index:03} has no error"));
        if index > 1 {
            assert_eq!(error.class(), class, "{error:?}");
        }
        assert!(!error.message.is_empty() && !error.hint.is_empty(), "{error:?}");
        assert_eq!(end.status(), MigrationStatus::Failed, "{error:?}");
    }
    let error = finished(&events, "BR008").error.unwrap();
    assert_eq!((error.file.as_str(), error.line, error.migration_id.as_str()), ("2_Unique.sql", 1, "2_Unique"));
    for index in 11..200 {
        let end = finished(&events, &format!("BR{index:03}"));
        assert_eq!((end.error, end.status), (None, MigrationStatus::Completed.into()), "BR{index:03}");
    }
    let result = result(&events);
    assert_eq!((result.branches_processed, result.branches_succeeded, result.branches_failed), (200, 189, 11));
    assert!(!result.success);
    assert!(!station.log().contains("not-the-password"));
    assert!(!station.log().contains(&server.password) || server.password.is_empty());
}

/// A migration that keeps a SQLite branch busy for a while.
fn slow(rows: u32) -> String {
    format!(
        "CREATE TABLE slow (n INTEGER);\nINSERT INTO slow WITH RECURSIVE n(i) AS \
         (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) SELECT i FROM n;\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_callers_one_wins_and_the_other_hears_who() {
    let mut station = Station::new();
    station.migration("1_Slow.sql", &slow(3_000_000));
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    let apply = || async {
        let request = ApplyRequest { branch: "br001".into(), ..ApplyRequest::default() };
        station.migrations().await.apply(request).await
    };
    let (one, two) = tokio::join!(apply(), apply());
    let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
    assert!(won.unwrap().into_inner().result.unwrap().success);
    let lost = lost.unwrap_err();
    assert_eq!(lost.code(), tonic::Code::Aborted, "{lost:?}");
    let details = tonic_types::StatusExt::get_error_details(&lost);
    assert!(details.retry_info().is_some_and(|info| info.retry_delay.is_some()), "{details:?}");
    assert!(details.error_info().is_some_and(|info| info.metadata.contains_key("holder")), "{details:?}");
    let seen = station.settled(Duration::from_secs(5), &[MigrationStatus::Completed]).await;
    assert_eq!(seen[0].retry_count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_outlives_its_client_and_can_be_watched_again() {
    let mut station = Station::new();
    station.migration("1_Slow.sql", &slow(20_000));
    station.start().await;
    for index in 0..40 {
        station.register(sqlite_branch(&format!("BR{index:03}"))).await;
    }
    let request = ApplyAllRequest { max_parallel: 2, ..ApplyAllRequest::default() };
    let mut stream = station.migrations().await.apply_all(request).await.unwrap().into_inner();
    let mut last = 0;
    let mut run_id = String::new();
    for _ in 0..7 {
        let event = stream.message().await.unwrap().unwrap().event.unwrap();
        (last, run_id) = (event.sequence, event.run_id);
    }
    drop(stream);
    let rest = watch(&station, &run_id, last).await;
    for (place, event) in rest.iter().enumerate() {
        assert_eq!(event.sequence, last + 1 + i64::try_from(place).unwrap());
    }
    assert_eq!(result(&rest).branches_succeeded, 40);
    let again = watch(&station, &run_id, 0).await;
    assert_eq!(again.len(), rest.len() + 7);
    assert!(watch(&station, &run_id, again.last().unwrap().sequence).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_sent_twice_is_carried_out_once() {
    let mut station = Station::new();
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    let request = || ApplyRequest { branch: "BR001".into(), request_id: "deploy-7".into(), ..ApplyRequest::default() };
    let mut client = station.migrations().await;
    let first = client.apply(request()).await.unwrap().into_inner();
    let again = client.apply(request()).await.unwrap().into_inner();
    assert_eq!(first, again);
    assert_eq!(first.result.unwrap().applied_migrations, ["1_Customers"]);
    let other = ApplyRequest { target_migration: "1".into(), ..request() };
    assert_eq!(client.apply(other).await.unwrap_err().code(), tonic::Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_stops_the_statement_and_rolls_it_back() {
    let mut station = Station::new();
    station.migration("1_Endless.sql", &slow(2_000_000_000));
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    let mut client = station.migrations().await;
    let mut stream = client.apply_all(ApplyAllRequest::default()).await.unwrap().into_inner();
    let run_id = loop {
        let event = stream.message().await.unwrap().unwrap().event.unwrap();
        if matches!(event.event, Some(Event::MigrationStarted(_))) {
            break event.run_id;
        }
    };
    let cancelled = client.cancel_run(pb::CancelRunRequest { run_id: run_id.clone() }).await;
    assert!(cancelled.is_ok(), "{cancelled:?}");
    let rest = tokio::time::timeout(Duration::from_secs(20), watch(&station, &run_id, 0)).await.unwrap();
    let end = finished(&rest, "BR001");
    assert_eq!(end.error.unwrap().class(), FailureClass::Cancelled);
    let run = client.get_run(pb::GetRunRequest { run_id: run_id.clone() }).await.unwrap().into_inner().run.unwrap();
    assert_eq!(run.state(), pb::RunState::Cancelled);
    let again = client.cancel_run(pb::CancelRunRequest { run_id }).await.unwrap_err();
    assert_eq!(again.code(), tonic::Code::FailedPrecondition);
    let mut branch = sqlite(&station.sqlite_file("BR001")).await;
    let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE name = 'slow'")
        .fetch_one(&mut branch)
        .await
        .unwrap();
    assert_eq!(tables, 0);
    let seen = station.settled(Duration::from_secs(5), &[MigrationStatus::Pending]).await;
    assert_eq!((seen[0].retry_count, seen[0].is_locked), (0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_service_finishes_its_statement_and_goes_on_later() {
    let mut station = Station::new();
    station.set("LOCK__LEASE", "2s");
    for number in 1..=3 {
        station.migration(&format!("{number}_Slow.sql"), &slow(400_000).replace("slow", &format!("slow{number}")));
    }
    station.start().await;
    for index in 0..8 {
        station.register(sqlite_branch(&format!("BR{index:03}"))).await;
    }
    let request = ApplyAllRequest { max_parallel: 2, ..ApplyAllRequest::default() };
    let mut stream = station.migrations().await.apply_all(request).await.unwrap().into_inner();
    let run_id = loop {
        let event = stream.message().await.unwrap().unwrap().event.unwrap();
        if matches!(event.event, Some(Event::MigrationStarted(_))) {
            break event.run_id;
        }
    };
    assert!(station.stop().success(), "{}", station.log());
    station.start().await;
    let events = watch(&station, &run_id, 0).await;
    let result = result(&events);
    assert!(result.success, "{result:?}");
    assert_eq!(result.branches_succeeded, 8);
    let applied: usize = (0..8).map(|index| finished(&events, &format!("BR{index:03}")).applied_migrations.len()).sum();
    assert!(applied <= 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_failures_need_a_person_and_retry_clears_them() {
    let mut station = Station::new();
    station.set("AUTO_MIGRATE__ENABLED", "true");
    station.set("AUTO_MIGRATE__INITIAL_DELAY", "1ms");
    station.set("RETRY__BACKOFF", "10ms");
    station.migration("1_Broken.sql", "CREATE TABLE a (id INTEGER);\nINSERT INTO nowhere VALUES (1);\n");
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    let seen = station.settled(Duration::from_secs(30), &[MigrationStatus::RequiresManualIntervention]).await;
    assert_eq!(seen[0].retry_count, 3);
    assert!(seen[0].error_details.contains("nowhere"), "{:?}", seen[0]);
    let error = seen[0].error.clone().unwrap();
    assert_eq!((error.file.as_str(), error.line), ("1_Broken.sql", 2));
    station.migration("1_Broken.sql", "CREATE TABLE a (id INTEGER);\n");
    let request = pb::RetryRequest { branch: "BR001".into() };
    let status = station.migrations().await.retry(request).await.unwrap().into_inner().status.unwrap();
    assert_eq!((status.retry_count, status.status()), (0, MigrationStatus::Pending));
    station.settled(Duration::from_secs(30), &[MigrationStatus::Completed]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn production_is_reported_and_not_touched() {
    let mut station = Station::new();
    station.set("AUTO_MIGRATE__ENABLED", "true");
    station.set("AUTO_MIGRATE__INITIAL_DELAY", "1ms");
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    station.register(pb::Branch { environment: "production".into(), ..sqlite_branch("BR001") }).await;
    station.register(sqlite_branch("BR002")).await;
    let begun = std::time::Instant::now();
    loop {
        let request = pb::StatusRequest::default();
        let seen = station.migrations().await.status(request).await.unwrap().into_inner().branches;
        if seen[0].pending_count == Some(1) && seen[1].status() == MigrationStatus::Completed {
            assert_eq!(seen[0].status(), MigrationStatus::Pending);
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{seen:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!station.sqlite_file("BR001").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_head_office_learns_every_branch_again() {
    let mut station = Station::new();
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    assert!(result(&apply_all(&station, ApplyAllRequest::default()).await).success);
    station.kill();
    for entry in fs::read_dir(station.data_folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    let events = apply_all(&station, ApplyAllRequest::default()).await;
    assert!(finished(&events, "BR001").applied_migrations.is_empty());
    let history = pb::HistoryRequest { branch: "BR001".into() };
    let history = station.migrations().await.history(history).await.unwrap().into_inner();
    assert_eq!(history.applied_migrations.len(), 1);
    assert_eq!(history.status(), MigrationStatus::Completed);
    // The new head office counts its fencing tokens from the beginning, and is not locked out by that.
    station.migration("2_Unique.sql", SECOND);
    assert!(result(&apply_all(&station, ApplyAllRequest::default()).await).success);
}

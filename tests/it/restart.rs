//! Servers that go away in the middle: head office's, and the branches' own.

use std::time::{Duration, Instant};

use sqlx::Row;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::pb::run_event::Event;
use crate::support::pb::{self, ApplyAllRequest, MigrationStatus, RunEvent, WatchRunRequest};
use crate::support::{Station, apply, outcome, own_postgres, postgres, server_branch, sqlite_branch};

/// Watches a run to its end, coming back after every break of the stream; no event is lost or seen twice.
async fn watch_through(station: &Station, run_id: &str, mut last: i64) -> pb::MigrationResult {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < Duration::from_secs(120), "the run does not end:\n{}", station.log());
        let request = WatchRunRequest { run_id: run_id.into(), after_sequence: last, include_statements: false };
        let Ok(stream) = station.migrations().await.watch_run(request).await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let mut stream = stream.into_inner();
        while let Ok(Some(message)) = stream.message().await {
            let RunEvent { sequence, event, .. } = message.event.unwrap();
            assert_eq!(sequence, last + 1);
            last = sequence;
            if let Some(Event::RunFinished(end)) = event {
                return end.result.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_when_head_office_was_away() {
    let Some(server) = own_postgres().await else { return };
    let database = server.fresh_database().await;
    let mut station = Station::new();
    station.set("HEAD_OFFICE__URL", &database.url());
    let insert = "INSERT INTO t WITH RECURSIVE n(i) AS \
                  (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n;\n";
    station.migration("1_Slow.sql", &format!("CREATE TABLE t (n INTEGER);\n{insert}"));
    station.start().await;
    for index in 0..40 {
        station.register(sqlite_branch(&format!("BR{index:03}"))).await;
    }
    let request = ApplyAllRequest { max_parallel: 2, ..ApplyAllRequest::default() };
    let mut stream = station.migrations().await.apply_all(request).await.unwrap().into_inner();
    let (mut last, mut run_id, mut finished) = (0, String::new(), 0);
    while finished < 5 {
        let event = stream.message().await.unwrap().unwrap().event.unwrap();
        finished += usize::from(matches!(event.event, Some(Event::BranchFinished(_))));
        (last, run_id) = (event.sequence, event.run_id);
    }
    drop(stream);
    server.crash().await;
    let result = watch_through(&station, &run_id, last).await;
    assert!(result.success, "{result:?}");
    assert_eq!(result.branches_succeeded, 40);
    assert!(!station.log().contains(&server.password));
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_recover_when_their_server_was_away() {
    let Some(server) = own_postgres().await else { return };
    let mut station = Station::new();
    station.variable("BRANCH_PASSWORD", &server.password);
    station.set("AUTO_MIGRATE__ENABLED", "true");
    station.set("AUTO_MIGRATE__INITIAL_DELAY", "1ms");
    station.set("RETRY__BACKOFF", "100ms");
    station.set("RETRY__MAX_ATTEMPTS", "20");
    station.set("LOCK__LEASE", "2s");
    for number in 1..=5 {
        let create = if number == 1 { "CREATE TABLE audit (migration INTEGER NOT NULL);\n" } else { "" };
        let mode = if number == 3 { "-- branchkeeper: transaction-mode=None\n" } else { "" };
        let sql = format!("{mode}{create}INSERT INTO audit VALUES ({number});\nSELECT pg_sleep(0.15);\n");
        station.migration(&format!("{number}_Step.sql"), &sql);
    }
    station.start().await;
    let mut databases = Vec::new();
    for index in 0..12 {
        let database = server.fresh_database().await;
        let code = format!("BR{index:03}");
        station.register(server_branch(&code, server, &database.name, "env:BRANCH_PASSWORD")).await;
        databases.push(database);
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.crash().await;
    }
    station.settled(Duration::from_secs(90), &[MigrationStatus::Completed]).await;
    for database in &databases {
        let mut connection = server.connect_to(&database.name).await;
        let rows = sqlx::query("SELECT migration, COUNT(*) FROM audit GROUP BY 1 ORDER BY 1");
        let rows = rows.fetch_all(&mut connection).await.unwrap();
        let marks: Vec<(i32, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(marks, [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)], "{}", database.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_to_stop_says_so_before_it_takes_no_more_calls() {
    let delay = Duration::from_secs(4);
    let mut station = Station::new();
    station.set("SERVER__DRAIN_DELAY", "4s");
    station.migration("1_One.sql", "CREATE TABLE One (n INTEGER);\n");
    station.start().await;
    let mut health = HealthClient::new(station.channel().await);
    let check = |service: &str| HealthCheckRequest { service: service.to_owned() };
    let mut watch = health.watch(check("branchkeeper.v1.MigrationService")).await.unwrap().into_inner();
    let begun = Instant::now();
    station.ask_to_stop();
    let seen = async { while watch.message().await.unwrap().unwrap().status() != ServingStatus::NotServing {} };
    tokio::time::timeout(Duration::from_secs(20), seen).await.expect("it says that it is not ready");
    // It lives, and whoever has not seen it yet is served, over a new connection too.
    assert_eq!(health.check(check("")).await.unwrap().into_inner().status(), ServingStatus::Serving);
    station.register(sqlite_branch("BR001")).await;
    assert!(outcome(&station, "BR001").await.success);
    assert!(begun.elapsed() < delay, "this machine is too slow for the test: {:?}", begun.elapsed());
    drop((health, watch));
    while station.exited().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not stop:\n{}", station.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(station.exited().unwrap().success() && begun.elapsed() >= delay, "{:?}", begun.elapsed());
}

/// Two services in the midst of an update: the older one does not know what the newer one has applied, and does the branch
/// no harm.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_older_migrations_leaves_a_branch_alone_that_is_ahead() {
    let server = postgres().await;
    let (database, branch) = (server.fresh_database().await, server.fresh_database().await);
    let mut stations = [Station::new(), Station::new()];
    for station in &mut stations {
        station.set("HEAD_OFFICE__URL", &database.url());
        station.set("AUTO_MIGRATE__ENABLED", "true");
        station.set("AUTO_MIGRATE__INITIAL_DELAY", "0s");
        station.set("AUTO_MIGRATE__INTERVAL", "1s");
        station.set("RETRY__BACKOFF", "100ms");
        station.variable("BRANCH_PASSWORD", &server.password);
        station.migration("1_One.sql", "CREATE TABLE one (n INTEGER);\n");
    }
    let [older, newer] = &mut stations;
    newer.migration("2_Two.sql", "CREATE TABLE two (n INTEGER);\n");
    older.start().await;
    older.register(server_branch("BR001", server, &branch.name, "env:BRANCH_PASSWORD")).await;
    older.settled(Duration::from_secs(60), &[MigrationStatus::Completed]).await;
    newer.start().await;
    // More often than would make it somebody's business.
    let begun = Instant::now();
    while older.log().matches("which the catalogue does not have").count() < 4 {
        assert!(begun.elapsed() < Duration::from_secs(120), "the older one does not look:\n{}", older.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let seen = newer.settled(Duration::from_secs(60), &[MigrationStatus::Completed]).await;
    assert_eq!((seen[0].retry_count, &*seen[0].error_details), (0, ""));
    // Who asks is told.
    let asked = loop {
        match apply(older, "BR001").await {
            Ok(answer) => break answer.result.unwrap(),
            Err(status) => assert_eq!(status.code(), tonic::Code::Aborted, "only the other one's look is in the way"),
        }
    };
    assert!(!asked.success && asked.errors[0].class() == pb::FailureClass::Catalogue, "{asked:?}");
    older.stop();
    let seen = newer.settled(Duration::from_secs(60), &[MigrationStatus::Completed]).await;
    assert_eq!((seen[0].last_migration_applied.as_str(), seen[0].retry_count), ("2_Two", 0));
}

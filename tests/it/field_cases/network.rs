//! Connections that break, go silent or are ended while a migration runs.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{MARKS, branch_on, eventually, number_on, run_on, station_for};
use crate::support::{
    Database, Fate, Proxy, Station, Way, apply, apply_all, ended, outcome, own_postgres, pb, postgres, sqlite_branch,
    status_of,
};

const MARK: &str = "CREATE TABLE audit (n INTEGER);\nINSERT INTO audit VALUES (1);\n";

async fn proxied(database: &Database) -> Proxy {
    Proxy::to(&database.server.host, database.server.port).await
}

/// A branch that is reached through the proxy.
fn through(proxy: &Proxy, database: &Database) -> pb::Branch {
    branch_on("BR001", database, |server| {
        (server.host, server.port) = ("127.0.0.1".into(), proxy.port().into());
        server.ssl_mode = pb::SslMode::Disable.into();
    })
}

/// bytebase#20713: the connection dies at the commit. Whether the change was made is read back from the ledger, and it is
/// made exactly once, both when the server heard of the commit and when it did not.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_at_the_commit_changes_everything_exactly_once() {
    let server = postgres().await;
    for (mode, trap) in [("PerMigration", "COMMIT"), ("None", "COMMIT"), ("None", "CONCURRENTLY")] {
        for fate in [Fate::Unsent, Fate::Unheard] {
            let database = server.fresh_database().await;
            let proxy = proxied(&database).await;
            let mut station = station_for(server);
            let alone = if mode == "None" { "CREATE INDEX CONCURRENTLY audit_n ON audit (n);\n" } else { "" };
            let text =
                format!("-- branchkeeper: transaction-mode={mode}\n{MARK}{alone}INSERT INTO audit VALUES (2);\n");
            // The first migration makes the ledger, so that the trap catches the second one's commit.
            station.migration("1_Before.sql", "CREATE TABLE before (n INTEGER);\n");
            station.start().await;
            station.register(through(&proxy, &database)).await;
            assert!(outcome(&station, "BR001").await.success);
            station.migration("2_Audit.postgres.sql", &text);
            let marker = if trap == "COMMIT" { "INSERT INTO audit VALUES (1)" } else { "CREATE INDEX CONCURRENTLY" };
            proxy.trap(marker, fate);
            let case = format!("{mode}, {trap}, {fate:?}");
            let first = outcome(&station, "BR001").await;
            assert_eq!(proxy.sprung(), 1, "{case}");
            // It may find its own way or ask for a second try; either way nothing is done twice.
            let last = if first.success { first } else { outcome(&station, "BR001").await };
            assert!(last.success, "{case}: {last:?}");
            assert_eq!(number_on(&database, MARKS).await, 2, "{case}");
            let applied = "SELECT COUNT(*) FROM \"__MigrationsHistory\" WHERE state = 'applied'";
            assert_eq!(number_on(&database, applied).await, 2, "{case}");
            let invalid = "SELECT COUNT(*) FROM pg_index WHERE NOT indisvalid";
            assert_eq!(number_on(&database, invalid).await, 0, "{case}");
            let state = status_of(&station, "BR001").await;
            assert_eq!((state.status(), state.retry_count), (pb::MigrationStatus::Completed, 0), "{case}: {state:?}");
        }
    }
}

/// A migration that waits until the test lets it go on.
fn held() -> String {
    let wait = "DO $$ BEGIN WHILE EXISTS (SELECT 1 FROM hold) LOOP PERFORM pg_sleep(0.02); END LOOP; END $$;\n";
    format!("{MARK}{wait}INSERT INTO audit VALUES (2);\n")
}

async fn hold(database: &Database) {
    run_on(database, "CREATE TABLE hold (n INTEGER); INSERT INTO hold VALUES (1)").await;
}

async fn is_running(database: &Database) {
    let active = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
                  AND query LIKE '%FROM hold%' AND pid <> pg_backend_pid()";
    eventually("the migration begins", async || (number_on(database, active).await > 0).then_some(())).await;
}

/// liquibase-sessionlock#36: the first worker loses its session while the server goes on with its statement, and a second
/// worker begins. The change is made once.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_loses_its_session_and_the_next_one_change_everything_once() {
    let server = postgres().await;
    let database = server.fresh_database().await;
    hold(&database).await;
    let proxy = proxied(&database).await;
    let mut stations = [station_for(server), station_for(server)];
    for station in &mut stations {
        station.migration("1_Audit.postgres.sql", &held());
        station.start().await;
    }
    let [first, second] = &stations;
    first.register(through(&proxy, &database)).await;
    second.register(branch_on("BR001", &database, |_| {})).await;
    let works = async {
        let result = outcome(first, "BR001").await;
        // It may find out by itself how things ended, or report that it lost the connection.
        let class = result.errors.first().map(pb::MigrationError::class);
        assert!(result.success || class == Some(pb::FailureClass::Connection), "{result:?}");
    };
    let takes_over = async {
        is_running(&database).await;
        // The server is not told that its client is gone.
        proxy.lose_clients();
        let next = apply(second, "BR001");
        let release = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            run_on(&database, "DELETE FROM hold").await;
        };
        let (next, ()) = tokio::join!(next, release);
        let result = next.unwrap().result.unwrap();
        assert!(result.success, "{result:?}");
    };
    tokio::join!(works, takes_over);
    assert_eq!(number_on(&database, MARKS).await, 2);
    // The first one finds that everything is done.
    assert!(outcome(first, "BR001").await.success);
    assert_eq!(number_on(&database, MARKS).await, 2);
}

/// As above, with the first worker's connection silent instead of broken: the second one is told who has the branch, and
/// when the first is killed, its session goes with it and the second one does the work.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_keeps_its_lock_until_its_process_is_gone() {
    let server = postgres().await;
    let database = server.fresh_database().await;
    hold(&database).await;
    let proxy = proxied(&database).await;
    let mut first = station_for(server);
    let mut second = station_for(server);
    second.set("LOCK__WAIT", "200ms");
    for station in [&mut first, &mut second] {
        station.migration("1_Audit.postgres.sql", &held());
        station.start().await;
    }
    first.register(through(&proxy, &database)).await;
    second.register(branch_on("BR001", &database, |_| {})).await;
    let request = pb::ApplyAllRequest::default();
    let stream = first.migrations().await.apply_all(request).await.unwrap();
    is_running(&database).await;
    proxy.stall(Way::Down);
    let status = apply(&second, "BR001").await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Aborted, "{status:?}");
    assert!(status.message().contains("process "), "the holder is named: {status:?}");
    assert_eq!(status_of(&second, "BR001").await.retry_count, 0);
    drop(stream);
    first.kill();
    proxy.cut();
    run_on(&database, "DELETE FROM hold").await;
    let result = eventually("the second one gets its turn", async || apply(&second, "BR001").await.ok()).await;
    assert!(result.result.unwrap().success);
    assert_eq!(number_on(&database, MARKS).await, 2);
}

/// flyway#1103 and #3080, iTop#209: a migration that takes several leases keeps the lease and the lock; others are kept
/// out all the while, and its own connection is still good at the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_longer_than_the_lease_keeps_lease_and_lock() {
    let server = postgres().await;
    let database = server.fresh_database().await;
    hold(&database).await;
    // A server that is quick to end sessions that say nothing.
    run_on(&database, &format!("ALTER DATABASE {} SET idle_session_timeout = '500ms'", database.name)).await;
    let name = &database.name;
    run_on(&database, &format!("ALTER DATABASE {name} SET idle_in_transaction_session_timeout = '500ms'")).await;
    let mut station = station_for(server);
    station.set("LOCK__LEASE", "1s");
    station.migration("1_Audit.postgres.sql", &held());
    station.migration("2_More.sql", "INSERT INTO audit VALUES (3);\n");
    station.start().await;
    station.register(branch_on("BR001", &database, |_| {})).await;
    let mut second = station_for(server);
    second.set("LOCK__WAIT", "100ms");
    second.migration("1_Audit.postgres.sql", &held());
    second.start().await;
    second.register(branch_on("BR001", &database, |_| {})).await;
    let long = async {
        let result = outcome(&station, "BR001").await;
        assert!(result.success, "{result:?}");
    };
    let meanwhile = async {
        is_running(&database).await;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(3500) {
            let state = status_of(&station, "BR001").await;
            assert!(state.is_locked && state.status() == pb::MigrationStatus::InProgress, "{state:?}");
            for other in [&station, &second] {
                let status = apply(other, "BR001").await.unwrap_err();
                assert_eq!(status.code(), tonic::Code::Aborted, "{status:?}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        run_on(&database, "DELETE FROM hold").await;
    };
    tokio::join!(long, meanwhile);
    assert_eq!(number_on(&database, MARKS).await, 3);
}

/// iTop#209: head office's own server ends connections that have been idle. Nobody notices.
#[tokio::test(flavor = "multi_thread")]
async fn head_office_outlives_the_end_of_its_idle_connections() {
    let Some(server) = own_postgres().await else { return };
    let database = server.fresh_database().await;
    let proxy = proxied(&database).await;
    let url = database.url().replace(&format!(":{}/", server.port), &format!(":{}/", proxy.port()));
    let mut station = Station::new();
    station.set("HEAD_OFFICE__URL", &url);
    station.migration("1_Audit.sql", MARK);
    station.start().await;
    station.register(sqlite_branch("BR000")).await;
    let sleepers = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
        database.name
    );
    for index in 1..=5 {
        if index % 2 == 0 {
            proxy.cut();
        } else {
            sqlx::query(sqlx::AssertSqlSafe(sleepers.clone()))
                .execute(&mut server.connect_to("postgres").await)
                .await
                .unwrap();
        }
        station.register(sqlite_branch(&format!("BR{index:03}"))).await;
        let result = outcome(&station, &format!("BR{index:03}")).await;
        assert!(result.success, "{result:?}");
    }
    assert!(proxy.accepted() > 1);
    let result = ended(&apply_all(&station, pb::ApplyAllRequest::default()).await);
    assert_eq!((result.success, result.branches_succeeded), (true, 6));
}

/// The page of measurements.
async fn measured(station: &Station) -> String {
    let mut stream = station.connect().await;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    page
}

/// Head office does not answer for a while: callers hear so in time, with the advice to try again, and then it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_office_that_is_away_is_reported_as_such() {
    let server = postgres().await;
    let database = server.fresh_database().await;
    let proxy = proxied(&database).await;
    let url = database.url().replace(&format!(":{}/", server.port), &format!(":{}/", proxy.port()));
    let mut station = Station::new();
    station.set("HEAD_OFFICE__URL", &url);
    station.migration("1_Audit.sql", MARK);
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    proxy.refuse();
    proxy.cut();
    let begun = Instant::now();
    let status = apply(&station, "BR001").await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(30), "it took {:?}", begun.elapsed());
    let status = crate::support::refused::<()>(Err(status), tonic::Code::Unavailable, "HEAD_OFFICE_UNAVAILABLE");
    assert!(crate::support::details(&status).retry_info().is_some(), "{status:?}");
    let measured = measured(&station).await;
    assert!(measured.contains("\nbranchkeeper_head_office_up 0\n") && !measured.contains("_branches{"), "{measured}");
    assert!(server.password.is_empty() || !format!("{status:?}{}", station.log()).contains(&server.password));
    proxy.flow();
    let result = eventually("head office is back", async || apply(&station, "BR001").await.ok()).await;
    assert!(result.result.unwrap().success);
}

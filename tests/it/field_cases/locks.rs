use std::time::{Duration, Instant};

use sqlx::Executor;

use super::{MARKS, branch_on, eventually, number_on, run_on, station_for};
use crate::support::{apply, outcome, pb, postgres, status_of};

const MARK: &str = "CREATE TABLE audit (n INTEGER);\nINSERT INTO audit VALUES (1);\n";
/// Who holds an advisory lock in the database, as a number of sessions.
const HELD: &str = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid() \
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// golang-migrate#269: the time limits for locks are kept, for the table that somebody uses and for the branch itself.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_lock_ends_when_it_should() {
    let server = postgres().await;
    let database = server.fresh_database().await;
    let mut station = station_for(server);
    station.set("MIGRATION__LOCK_TIMEOUT", "300ms");
    station.set("LOCK__WAIT", "300ms");
    station.migration("1_Audit.sql", MARK);
    station.start().await;
    station.register(branch_on("BR001", &database, |_| {})).await;
    assert!(outcome(&station, "BR001").await.success);
    station.migration("2_Alter.sql", "INSERT INTO audit VALUES (2);\nALTER TABLE audit ADD COLUMN m INTEGER;\n");

    let mut user = database.connect().await;
    user.execute("BEGIN; SELECT * FROM audit").await.unwrap();
    let begun = Instant::now();
    let result = outcome(&station, "BR001").await;
    assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}", begun.elapsed());
    let error = &result.errors[0];
    assert_eq!((error.class(), error.provider_code.as_str()), (pb::FailureClass::Timeout, "55P03"), "{error:?}");
    assert_eq!((error.line, error.file.as_str()), (2, "2_Alter.sql"), "{error:?}");
    assert!(error.hint.contains("lock_timeout"), "{error:?}");
    user.execute("COMMIT").await.unwrap();
    assert_eq!(number_on(&database, MARKS).await, 1, "nothing of it stays");

    // Somebody else, here a person with a client, holds the branch's own lock: the key is not known, so all are taken.
    let mut other = station_for(server);
    other.migration("1_Audit.sql", MARK);
    other.migration("2_Alter.sql", "SELECT pg_sleep(3600);\n");
    other.start().await;
    other.register(branch_on("BR001", &database, |_| {})).await;
    let stream = other.migrations().await.apply_all(pb::ApplyAllRequest::default()).await.unwrap();
    eventually("the other one has the lock", async || (number_on(&database, HELD).await > 0).then_some(())).await;
    let before = status_of(&station, "BR001").await;
    let begun = Instant::now();
    let status = apply(&station, "BR001").await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}", begun.elapsed());
    assert_eq!(status.code(), tonic::Code::Aborted, "{status:?}");
    let info = crate::support::details(&status);
    assert!(info.error_info().unwrap().metadata.contains_key("holder"), "{info:?}");
    assert_eq!(status_of(&station, "BR001").await.retry_count, before.retry_count, "a lock counts as no failure");
    drop(stream);

    // The killed process's session is gone, and its lock with it.
    other.kill();
    let applied = eventually("the lock is free", async || apply(&station, "BR001").await.ok()).await;
    assert!(applied.result.unwrap().success);
    assert_eq!(number_on(&database, MARKS).await, 2);
    assert_eq!(number_on(&database, HELD).await, 0);
}

/// X-Road#3076: whatever the lock's row says after a restore, only a living session holds the lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_row_restored_from_a_backup_does_not_block() {
    let server = postgres().await;
    let database = server.fresh_database().await;
    let mut station = station_for(server);
    station.migration("1_Audit.sql", MARK);
    station.start().await;
    station.register(branch_on("BR001", &database, |_| {})).await;
    assert!(outcome(&station, "BR001").await.success);
    let stale = [
        "owner = 'dead@elsewhere', head_office = 'another', token = 7, expires_at = '2999-01-01'",
        "owner = 'dead@elsewhere', token = 9000, expires_at = '2999-01-01'",
        "owner = NULL, token = 9500, expires_at = NULL, fence = fence + 1000",
    ];
    for (index, stale) in stale.iter().enumerate() {
        run_on(&database, &format!("UPDATE \"__MigrationsHistoryLock\" SET {stale}")).await;
        station.migration(&format!("{}_More.sql", index + 2), "INSERT INTO audit VALUES (1);\n");
        let result = outcome(&station, "BR001").await;
        assert!(result.success, "{stale}: {result:?}");
        assert_eq!(number_on(&database, MARKS).await, index as i64 + 2, "{stale}");
    }
}

/// liquibase#1453 and others: when the database itself is restored from a backup, the branch goes on from what the
/// restored ledger says, although head office believes it to be further.
#[tokio::test(flavor = "multi_thread")]
async fn a_branch_restored_from_a_backup_goes_on_from_its_ledger() {
    let server = postgres().await;
    let database = server.fresh_database().await;
    let mut station = station_for(server);
    station.migration("1_Audit.sql", MARK);
    station.start().await;
    station.register(branch_on("BR001", &database, |_| {})).await;
    assert!(outcome(&station, "BR001").await.success);
    let backup = crate::support::Database { server, name: server.unique_name() };
    let maintenance = |sql: String| async move {
        server.connect_to("postgres").await.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    };
    maintenance(format!("CREATE DATABASE {} TEMPLATE {}", backup.name, database.name)).await;
    station.migration("2_More.sql", "INSERT INTO audit VALUES (2);\n");
    assert!(outcome(&station, "BR001").await.success);

    maintenance(format!("DROP DATABASE {} WITH (FORCE)", database.name)).await;
    maintenance(format!("ALTER DATABASE {} RENAME TO {}", backup.name, database.name)).await;
    let request = pb::PendingRequest { branch: "BR001".into() };
    assert_eq!(station.migrations().await.pending(request).await.unwrap().into_inner().count, 1);
    let result = outcome(&station, "BR001").await;
    assert_eq!(result.applied_migrations, ["2_More"], "{result:?}");
    assert_eq!(number_on(&database, MARKS).await, 2);
}

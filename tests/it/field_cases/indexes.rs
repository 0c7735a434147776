//! Indexes that are built while others use the table.

use sqlx::Executor;

use super::{branch_on, eventually, number_on, run_on, station_for};
use crate::support::{apply, own_postgres, pb, postgres};

const TABLE: &str = "CREATE TABLE big (n INTEGER);\nINSERT INTO big SELECT generate_series(1, 20000);\n";
const INDEX: &str = "CREATE INDEX CONCURRENTLY IF NOT EXISTS big_n ON big (n);\n";
const VALID: &str = "SELECT COUNT(*) FROM pg_index WHERE indexrelid = to_regclass('big_n') AND indisvalid";

/// flyway#1654, #3497, #3682, #3961, postgres-migrations#36: several services find the same index to build at the same
/// moment. One builds it, the others wait without standing in its way, and all of them end.
#[tokio::test(flavor = "multi_thread")]
async fn services_that_wait_do_not_block_the_one_that_builds_an_index() {
    let server = postgres().await;
    let database = server.fresh_database().await;
    run_on(&database, TABLE).await;
    let mut stations = Vec::new();
    for _ in 0..3 {
        let mut station = station_for(server);
        station.migration("1_Index.postgres.sql", INDEX);
        station.migration("2_After.sql", "CREATE TABLE after (n INTEGER);\n");
        station.start().await;
        station.register(branch_on("BR001", &database, |_| {})).await;
        stations.push(station);
    }
    // A transaction that is older than the index keeps the builder waiting until all three have come.
    let mut reader = database.connect().await;
    reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM big LIMIT 1").await.unwrap();
    let release = async {
        let building = "SELECT COUNT(*) FROM pg_stat_progress_create_index WHERE datname = current_database()";
        eventually("the index is being built", async || (number_on(&database, building).await > 0).then_some(())).await;
        let ours = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                    AND query LIKE '%pg_try_advisory_lock%' AND pid <> pg_backend_pid()";
        eventually("the others ask for the lock", async || (number_on(&database, ours).await >= 2).then_some(())).await;
        reader.execute("COMMIT").await.unwrap();
    };
    let all = async {
        let (one, two, three) =
            tokio::join!(apply(&stations[0], "BR001"), apply(&stations[1], "BR001"), apply(&stations[2], "BR001"));
        [one, two, three].map(|answer| answer.unwrap().result.unwrap())
    };
    let work = async { tokio::join!(all, release) };
    let (results, ()) = tokio::time::timeout(std::time::Duration::from_secs(60), work).await.expect("no deadlock");
    assert!(results.iter().all(|result| result.success), "{results:?}");
    assert_eq!(results.iter().map(|result| result.applied_migrations.len()).sum::<usize>(), 2, "{results:?}");
    assert_eq!(number_on(&database, VALID).await, 1);
}

/// chatwoot#15885: the service is killed while the index is being built, which leaves an invalid one under its name. That
/// is not done, whatever IF NOT EXISTS says.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_left_invalid_is_built_again() {
    let Some(server) = own_postgres().await else { return };
    let database = server.fresh_database().await;
    run_on(&database, TABLE).await;
    let mut station = station_for(server);
    station.set("LOCK__LEASE", "2s");
    station.migration("1_Index.postgres.sql", &format!("{INDEX}CREATE TABLE after (n INTEGER);\n"));
    station.start().await;
    station.register(branch_on("BR001", &database, |_| {})).await;
    let mut reader = database.connect().await;
    reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM big LIMIT 1").await.unwrap();
    let stream = station.migrations().await.apply_all(pb::ApplyAllRequest::default()).await.unwrap();
    let present = "SELECT COUNT(*) FROM pg_index WHERE indexrelid = to_regclass('big_n')";
    eventually("the index is begun", async || (number_on(&database, present).await > 0).then_some(())).await;
    station.kill();
    drop(stream);
    // The server ends the build, be it that it notices or that somebody sees to it.
    let end = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() \
               AND query LIKE '%CONCURRENTLY%' AND pid <> pg_backend_pid()";
    number_on(&database, end).await;
    reader.execute("COMMIT").await.unwrap();
    assert_eq!(number_on(&database, VALID).await, 0, "an invalid index is left");
    assert_eq!(number_on(&database, present).await, 1, "an invalid index is left");

    station.start().await;
    // The interrupted run is taken up; a call that comes meanwhile hears that it is being worked on.
    let result = eventually("the branch is free", async || apply(&station, "BR001").await.ok()).await;
    assert!(result.result.as_ref().unwrap().success, "{result:?}");
    assert_eq!(number_on(&database, VALID).await, 1);
    assert_eq!(number_on(&database, "SELECT COUNT(*) FROM after").await, 0);
}

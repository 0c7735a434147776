use super::{MARKS, eventually, number_in, open, run_in};
use crate::support::{Station, apply, outcome, pb, sqlite_branch, status_of};

const PARENT: &str = "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES parent (id) ON DELETE CASCADE);
CREATE INDEX child_parent ON child (parent_id);
INSERT INTO parent VALUES (1, 'a'), (2, 'b');
INSERT INTO child VALUES (10, 1), (11, 1), (12, 2);
";
const REBUILD: &str = "CREATE TABLE parent_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO parent_new SELECT id, name FROM parent;
DROP TABLE parent;
ALTER TABLE parent_new RENAME TO parent;
";

/// rails#55866, drizzle-orm#5782, workers-sdk#5438: rebuilding a table by hand deletes no row that refers to it, whether
/// or not its author knew the pragma, and the foreign key still means the table afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn rebuilding_a_table_by_hand_keeps_its_children() {
    let ways = [
        ("PLAIN", REBUILD.to_owned()),
        (
            "PRAGMA",
            format!("PRAGMA foreign_keys = OFF;\n{REBUILD}PRAGMA foreign_key_check;\nPRAGMA foreign_keys = ON;\n"),
        ),
        ("DEFER", format!("PRAGMA defer_foreign_keys = ON;\n{REBUILD}")),
        ("LEGACY", format!("PRAGMA legacy_alter_table = ON;\n{REBUILD}")),
        ("NONE", format!("-- branchkeeper: transaction-mode=None\n{REBUILD}")),
    ];
    for (name, rebuild) in ways {
        let mut station = Station::new();
        station.migration("1_Tables.sql", PARENT);
        station.start().await;
        station.register(sqlite_branch("BR001")).await;
        assert!(outcome(&station, "BR001").await.success);
        station.migration("2_Rebuild.sql", &rebuild);
        // What the pragma was set to in one migration is of no consequence in the next.
        station.migration("3_Again.sql", &REBUILD.replace("name TEXT NOT NULL", "name TEXT NOT NULL DEFAULT 'x'"));
        let result = outcome(&station, "BR001").await;
        assert!(result.success, "{name}: {result:?}");
        let file = station.sqlite_file("BR001");
        assert_eq!(number_in(&file, "SELECT COUNT(*) FROM child").await, 3, "{name}");
        assert_eq!(number_in(&file, "SELECT COUNT(*) FROM parent").await, 2, "{name}");
        let broken = "SELECT COUNT(*) FROM pragma_foreign_key_check";
        assert_eq!(number_in(&file, broken).await, 0, "{name}");
        let refers = "SELECT COUNT(*) FROM pragma_foreign_key_list('child') WHERE \"table\" = 'parent'";
        assert_eq!(number_in(&file, refers).await, 1, "{name}");
        assert_eq!(number_in(&file, "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'child_parent'").await, 1);
    }
}

/// efcore#38958, Libation#1854: a run that has nothing to do takes no lock and writes nothing, so that it neither waits
/// for a program that works with the file nor disturbs it.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_do_takes_no_lock() {
    let mut station = Station::new();
    station.migration("1_Audit.sql", "CREATE TABLE audit (n INTEGER);");
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    assert!(outcome(&station, "BR001").await.success);
    let file = station.sqlite_file("BR001");
    let before = std::fs::read(&file).unwrap();
    let mut program = open(&file).await;
    sqlx::Executor::execute(&mut program, "BEGIN IMMEDIATE").await.unwrap();
    for _ in 0..3 {
        let result = outcome(&station, "BR001").await;
        assert!(result.success && result.applied_migrations.is_empty(), "{result:?}");
    }
    sqlx::Executor::execute(&mut program, "ROLLBACK").await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

/// A migration of which the first statement is committed together with the lock, and the second takes for ever.
const ENDLESS: &str = "-- branchkeeper: transaction-mode=None
CREATE TABLE audit (n INTEGER);
INSERT INTO audit VALUES (1);
PRAGMA user_version = 7;
INSERT INTO audit WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000)
  SELECT i FROM n WHERE i < 0;
INSERT INTO audit VALUES (2);
";

async fn begun(station: &Station) -> String {
    let request = pb::ApplyAllRequest { include_statements: true, ..Default::default() };
    let mut stream = station.migrations().await.apply_all(request).await.unwrap().into_inner();
    loop {
        let event = stream.message().await.unwrap().unwrap().event.unwrap();
        if let Some(pb::run_event::Event::StatementFinished(finished)) = event.event
            && finished.index == 3
        {
            return event.run_id;
        }
    }
}

fn quick() -> String {
    ENDLESS.replace("2000000000", "1000")
}

/// efcore#38958: cancelling does not orphan the lock that stands in the file.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_leaves_no_lock_in_the_file() {
    let mut station = Station::new();
    // Whoever had to wait for the lock's expiry would be seen to.
    station.set("LOCK__LEASE", "1h");
    station.set("LOCK__WAIT", "200ms");
    station.migration("1_Endless.sql", ENDLESS);
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    let run_id = begun(&station).await;
    station.migrations().await.cancel_run(pb::CancelRunRequest { run_id: run_id.clone() }).await.unwrap();
    crate::support::watch(&station, &run_id, 0).await;
    let file = station.sqlite_file("BR001");
    let held = "SELECT COUNT(*) FROM \"__MigrationsHistoryLock\" WHERE owner IS NOT NULL";
    assert_eq!(number_in(&file, held).await, 0);
    station.migration("1_Endless.sql", &quick());
    let result = outcome(&station, "BR001").await;
    assert!(result.success, "{result:?}");
    assert_eq!(number_in(&file, MARKS).await, 2);
}

/// liquibase#1453, #1311, camunda#48343, Libation#1854: the lock of a killed process clears by itself, also for a service
/// that knows nothing of that process.
#[tokio::test(flavor = "multi_thread")]
async fn the_lock_of_a_killed_process_clears_by_itself() {
    let mut first = Station::new();
    first.set("LOCK__LEASE", "1s");
    first.migration("1_Endless.sql", ENDLESS);
    first.start().await;
    first.register(sqlite_branch("BR001")).await;
    begun(&first).await;
    first.kill();
    let file = first.sqlite_file("BR001");
    let held = "SELECT COUNT(*) FROM \"__MigrationsHistoryLock\" WHERE owner IS NOT NULL";
    assert_eq!(number_in(&file, held).await, 1, "the dead process left its lock behind");

    let mut second = Station::new();
    second.set("SQLITE__ROOT", first.data_folder().join("branches").to_str().unwrap());
    second.set("LOCK__LEASE", "1s");
    second.migration("1_Endless.sql", &quick());
    second.start().await;
    second.register(sqlite_branch("BR001")).await;
    let result = outcome(&second, "BR001").await;
    assert!(result.success, "{result:?}");
    assert_eq!(number_in(&file, MARKS).await, 2);
    assert_eq!(number_in(&file, held).await, 0);
}

/// X-Road#3076: a backup taken in the middle of a migration holds its lock. Restored a year later, or by a machine whose
/// clock is wrong, it blocks for no longer than a lease.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_restored_from_a_backup_does_not_block() {
    let mut station = Station::new();
    station.set("LOCK__LEASE", "1s");
    station.migration("1_Audit.sql", "CREATE TABLE audit (n INTEGER);\nINSERT INTO audit VALUES (1);\n");
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    assert!(outcome(&station, "BR001").await.success);
    let file = station.sqlite_file("BR001");
    let stale = [
        "owner = 'dead@elsewhere', head_office = 'another', token = 7, expires_at = '2020-01-01T00:00:00.000000Z'",
        "owner = 'dead@elsewhere', head_office = 'another', token = 7, expires_at = '2999-01-01T00:00:00.000000Z'",
        "owner = 'dead@elsewhere', expires_at = NULL",
        // From the time of a head office that was itself restored to an earlier day.
        "owner = 'dead@elsewhere', token = 9000, expires_at = '2999-01-01T00:00:00.000000Z'",
        "owner = NULL, token = 9500, expires_at = NULL, fence = fence + 1000",
    ];
    for (index, stale) in stale.iter().enumerate() {
        run_in(&file, &format!("UPDATE \"__MigrationsHistoryLock\" SET {stale}")).await;
        station.migration(&format!("{}_More.sql", index + 2), "INSERT INTO audit VALUES (1);\n");
        let result = outcome(&station, "BR001").await;
        assert!(result.success, "{stale}: {result:?}");
        assert_eq!(number_in(&file, MARKS).await, index as i64 + 2, "{stale}");
    }
    assert_eq!(status_of(&station, "BR001").await.retry_count, 0);
}

/// A migration that takes longer than the lease keeps the lock that stands in the file (flyway#1103), and nobody else gets in.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_migration_keeps_the_files_lock() {
    let mut first = Station::new();
    first.set("LOCK__LEASE", "1s");
    first.migration("1_Endless.sql", ENDLESS);
    first.start().await;
    first.register(sqlite_branch("BR001")).await;
    let run_id = begun(&first).await;
    let mut second = Station::new();
    second.set("SQLITE__ROOT", first.data_folder().join("branches").to_str().unwrap());
    second.set("LOCK__LEASE", "1s");
    second.set("LOCK__WAIT", "3s");
    second.set("MIGRATION__CONNECT_TIMEOUT", "3s");
    second.migration("1_Endless.sql", &quick());
    second.start().await;
    second.register(sqlite_branch("BR001")).await;
    let status = apply(&second, "BR001").await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Aborted, "{status:?}");
    let state = status_of(&first, "BR001").await;
    assert!(state.is_locked && state.status() == pb::MigrationStatus::InProgress, "{state:?}");
    first.migrations().await.cancel_run(pb::CancelRunRequest { run_id: run_id.clone() }).await.unwrap();
    crate::support::watch(&first, &run_id, 0).await;
    let taken = eventually("the second one gets its turn", async || apply(&second, "BR001").await.ok()).await;
    assert!(taken.result.unwrap().success);
    assert_eq!(number_in(&first.sqlite_file("BR001"), MARKS).await, 2);
}

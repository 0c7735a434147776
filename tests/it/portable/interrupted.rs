//! The service is killed while it builds a SQLite table anew: the table is the old or the new one, complete, and the same
//! request ends well afterwards.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};

use crate::support::pb::migration_service_client::MigrationServiceClient;
use crate::support::pb::{ApplyRequest, MigrationResult, RollbackRequest};
use crate::support::{Station, outcome, sqlite_branch};

const ROWS: i64 = 150_000;
const TABLE: &str = "up:
  - create_table:
      name: Sales
      columns:
        Id:   { type: int, primary_key: true }
        Note: { type: string(400), nullable: true }
  - create_index: { table: Sales, columns: [Note] }
  - sql: >-
      INSERT INTO \"Sales\" WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000)
      SELECT i, 'a note of some length on sale number ' || i FROM n
down:
  - drop_table: { name: Sales }
";
const REBUILT: &str = "up:
  - alter_column: { table: Sales, name: Note, type: string(400), nullable: false, default: null, was: { type: string(400), nullable: true, default: null } }
";

#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    Up,
    Down,
}

/// Asks until there is an answer, however often the service goes away or the branch is still locked by the killed one.
async fn ask(url: String, way: Way) -> MigrationResult {
    let (begun, mut last) = (Instant::now(), None);
    loop {
        assert!(begun.elapsed() < Duration::from_secs(60), "{way:?} does not end: {last:?}");
        if let Ok(mut client) = MigrationServiceClient::connect(url.clone()).await {
            let (branch, request_id) = ("BR001".to_owned(), format!("{way:?}"));
            let answer = match way {
                Way::Up => {
                    let request = ApplyRequest { branch, request_id, ..ApplyRequest::default() };
                    client.apply(request).await.map(|answer| answer.into_inner().result)
                }
                Way::Down => {
                    let request = RollbackRequest { branch, request_id, ..RollbackRequest::default() };
                    client.rollback(request).await.map(|answer| answer.into_inner().result)
                }
            };
            match answer {
                Ok(result) => return result.unwrap(),
                Err(status) => last = Some(status),
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn size(file: &Path) -> u64 {
    let of = |path: &Path| fs::metadata(path).map_or(0, |found| found.len());
    of(file) + of(&file.with_extension("db-wal"))
}

/// The table's definition, its rows and what they hold, read as whoever opens the file next does.
async fn state(file: &Path) -> (String, i64, i64, i64) {
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(10));
    let mut connection = options.connect().await.unwrap();
    let tables =
        sqlx::query("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'");
    let tables = tables.fetch_all(&mut connection).await.unwrap();
    let names: Vec<String> = tables.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, ["Sales"], "nothing of the rebuild is left");
    let indexes = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'Sales'");
    let indexes = indexes.fetch_one(&mut connection).await.unwrap();
    let check: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
    assert_eq!(check, "ok");
    let sums = "SELECT count(*), sum(Id) FROM Sales WHERE Note = 'a note of some length on sale number ' || Id";
    let row = sqlx::query(sums).fetch_one(&mut connection).await.unwrap();
    (tables[0].get(1), indexes, row.get(0), row.get(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_is_killed_leaves_one_whole_table() {
    let mut station = Station::new();
    station.set("LOCK__LEASE", "2s");
    station.set("LOCK__WAIT", "10s");
    station.migration("1_Sales.yaml", TABLE);
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    let result = outcome(&station, "BR001").await;
    assert!(result.success, "{result:?}");
    let file = station.sqlite_file("BR001");
    let rows = (1, ROWS, ROWS * (ROWS + 1) / 2);
    let old = state(&file).await;
    assert_eq!((old.1, old.2, old.3), rows);
    station.migration("2_Note.yaml", REBUILT);
    let new = old.0.replace("\"Note\" TEXT", "\"Note\" TEXT NOT NULL");
    assert_ne!(new, old.0);

    for (way, from, to) in [(Way::Up, &old.0, &new), (Way::Down, &new, &old.0)] {
        // So that the rebuild finds no room in the file.
        let mut connection = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
        sqlx::query("VACUUM").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let before = size(&file);
        let asked = tokio::spawn(ask(station.url(), way));
        let begun = Instant::now();
        // What does not fit into memory is written before the end.
        while size(&file) < before + (1 << 20) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{way:?}: no rebuild is seen");
            assert!(!asked.is_finished(), "{way:?}: the rebuild ended before it was seen: {:?}", asked.await);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        station.kill();
        let left = state(&file).await;
        assert!([from, to].contains(&&left.0), "{way:?}: {}", left.0);
        assert_eq!((left.1, left.2, left.3), rows, "{way:?}");
        station.start().await;
        let result = asked.await.unwrap();
        assert!(result.success, "{way:?}: {result:?}");
        let done = if way == Way::Up { &result.applied_migrations } else { &result.rolled_back_migrations };
        assert_eq!(*done, ["2_Note"], "{result:?}");
        let end = state(&file).await;
        assert_eq!(end.0, *to, "{way:?}");
        assert_eq!((end.1, end.2, end.3), rows, "{way:?}");
    }
}

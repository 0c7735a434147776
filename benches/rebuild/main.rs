//! What a SQLite table's rebuild costs next to the same statements written by hand.
//!
//! Both sides copy the same file of a million rows and rebuild its table in one transaction, with the same settings of the
//! connection. Ours takes the lock, reads the schema, checks the foreign keys before and after and writes the ledger too.
//! Both take turns, and the medians are compared. Below the wanted ratio the benchmark fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a benchmark")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use branchkeeper::domain::{
    Checksum, Connection, Direction, Migration, ObjectName, Planned, Provider, RunId, Script, SqliteConnection,
    Statement, TableEdit, TableRebuild,
};
use branchkeeper::provider::{Claim, Endpoint, Observer, Session, Settings, Stop, Work};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection as _};

/// How many rows the table has.
const ROWS: u32 = 1_000_000;
/// Turns of each side.
const TURNS: usize = 3;
/// The ratio that is wanted at least.
const WANTED: f64 = 0.8;

const BY_HAND: &str = "PRAGMA legacy_alter_table = ON;
BEGIN IMMEDIATE;
CREATE TABLE new_sales (id INTEGER PRIMARY KEY, item INTEGER REFERENCES items (id), name TEXT NOT NULL, price REAL DEFAULT 1, note TEXT);
INSERT INTO new_sales (id, item, name, price, note) SELECT id, item, name, price, note FROM sales;
DROP TABLE sales;
ALTER TABLE new_sales RENAME TO sales;
CREATE INDEX sales_name ON sales (name);
PRAGMA foreign_key_check;
COMMIT;
PRAGMA legacy_alter_table = OFF;";

struct Nobody;

impl Observer for Nobody {
    fn migration_started(&mut self, _: &branchkeeper::domain::MigrationId) {}
    fn statement_finished(&mut self, _: &branchkeeper::domain::MigrationId, _: usize, _: usize, _: Duration) {}
    fn migration_finished(&mut self, _: &branchkeeper::domain::MigrationId, _: Duration) {}
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).foreign_keys(false).busy_timeout(Duration::from_millis(100))
}

async fn fill(path: &Path) {
    let text = format!(
        "CREATE TABLE items (id INTEGER PRIMARY KEY);
         CREATE TABLE sales (id INTEGER PRIMARY KEY, item INTEGER REFERENCES items (id), name TEXT, price REAL, note TEXT);
         BEGIN;
         INSERT INTO items WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i FROM n;
         INSERT INTO sales WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         SELECT i, i % 1000 + 1, 'name ' || (i * 7919 % 1000003), i / 3.0, 'a note of some length, as people write them' FROM n;
         CREATE INDEX sales_name ON sales (name);
         COMMIT;"
    );
    let mut connection = options(path).create_if_missing(true).connect().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn by_hand(path: &Path) -> Duration {
    let mut connection = options(path).connect().await.unwrap();
    let begun = Instant::now();
    sqlx::raw_sql(BY_HAND).fetch_all(&mut connection).await.unwrap();
    let took = begun.elapsed();
    connection.close().await.unwrap();
    took
}

async fn ours(root: &Path, file: &str) -> Duration {
    let settings = Settings { sqlite_root: root.to_owned(), ..Settings::default() };
    let place = Connection::Sqlite(SqliteConnection { path: file.into() });
    let endpoint = Endpoint::resolve(&"BR001".parse().unwrap(), Provider::Sqlite, &place, &settings).unwrap();
    let edits = vec![
        TableEdit::SetNullable { column: "name".into(), nullable: false },
        TableEdit::SetDefault { column: "price".into(), expression: Some("1".into()) },
    ];
    let rebuild = TableRebuild { table: ObjectName::bare("sales"), edits };
    let statement = Statement { rebuild: Some(rebuild), ..Statement::new("rebuild sales") };
    let migration = Migration {
        id: "1_rebuild".parse().unwrap(),
        description: String::new(),
        checksum: Checksum::of_parts(["rebuild sales"]),
        transaction_mode: None,
        timeout: None,
        depends_on: vec![],
        up: Script { file: "1_rebuild.yaml".into(), statements: vec![statement] },
        down: None,
        irreversible: None,
    };
    let planned = Planned { migration: Arc::new(migration), direction: Direction::Up, resume: None, replaces: false };
    let stop = Stop::after(Duration::from_secs(600));
    let work = Work { planned: &planned, run_id: RunId::generate(), timeout: Duration::from_secs(600) };
    let mut session = Session::connect(&endpoint, &settings).await.unwrap();
    let begun = Instant::now();
    let claim = Claim { owner: "bench".into(), head_office: "bench".into(), token: 1, lease: Duration::from_secs(600) };
    let fence = session.lock(&claim, Duration::ZERO, &stop).await.unwrap();
    session.run_atomic(&fence, &[work], true, &stop, &mut Nobody).await.unwrap();
    let took = begun.elapsed();
    session.close().await;
    took
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    // `cargo test --benches` calls this too, without the word that `cargo bench` adds; there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("template.db");
    fill(&template).await;
    let (mut floor, mut branchkeeper) = (Vec::new(), Vec::new());
    for turn in 0..TURNS {
        let (hand, own) = (format!("hand{turn}.db"), format!("own{turn}.db"));
        for file in [&hand, &own] {
            std::fs::copy(&template, folder.path().join(file)).unwrap();
        }
        floor.push(by_hand(&folder.path().join(&hand)).await);
        branchkeeper.push(ours(folder.path(), &own).await);
        for file in [&hand, &own] {
            std::fs::remove_file(folder.path().join(file)).unwrap();
        }
    }
    let (floor, ours) = (median(&mut floor), median(&mut branchkeeper));
    let ratio = floor / ours;
    println!(
        "rebuild of {ROWS} rows: by hand {floor:.3} s, branchkeeper {ours:.3} s, ratio {ratio:.2}, wanted {WANTED:.2}"
    );
    let json = serde_json::json!({"rows": ROWS, "floor_seconds": floor, "branchkeeper_seconds": ours, "ratio": ratio, "wanted": WANTED});
    println!("{json}");
    assert!(ratio >= WANTED, "too slow: {ratio:.2} of the rebuild by hand, and {WANTED:.2} is wanted");
}

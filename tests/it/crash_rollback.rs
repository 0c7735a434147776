//! The service is killed at random moments while it undoes migrations, and in the end every one of them has been undone
//! exactly once.
//!
//! `BRANCHKEEPER_CRASH_KILLS` sets how often over a run of all tests (10; a third of them here), `BRANCHKEEPER_CRASH_SEED`
//! repeats a run.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use branchkeeper::rpc::proto::rollback_request::Extent;
use branchkeeper::rpc::proto::{ApplyAllRequest, HistoryRequest, RollbackRequest};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sqlx::{ConnectOptions, Row};

use crate::support::{
    Product, Server, Station, apply_all, ended, mariadb, mysql, postgres, server_branch, sqlite_branch, sqlserver,
    sqlserver_server,
};

const BRANCHES: usize = 5;
const MIGRATIONS: usize = 7;

fn lives() -> usize {
    let kills = std::env::var("BRANCHKEEPER_CRASH_KILLS").ok().map_or(10, |text| text.parse().unwrap());
    usize::max(kills / 3, 1)
}

fn seed() -> u64 {
    let seed = std::env::var("BRANCHKEEPER_CRASH_SEED").ok().map_or_else(rand::random, |text| text.parse().unwrap());
    println!("BRANCHKEEPER_CRASH_SEED={seed}");
    seed
}

fn code(index: usize) -> String {
    format!("BR{index:03}")
}

/// The first keeps the marks and stays; the others leave two marks when they are undone.
fn write_migrations(station: &Station, product: Option<Product>) {
    let audit = "CREATE TABLE audit (migration INTEGER NOT NULL, part INTEGER NOT NULL);\n";
    station.migration("0001_Audit.sql", audit);
    for number in 2..=MIGRATIONS {
        let mark = |part: u32| format!("INSERT INTO audit (migration, part) VALUES ({number}, {part});\n");
        let journaled = number.is_multiple_of(2);
        let mode = if journaled { "-- branchkeeper: transaction-mode=None\n" } else { "" };
        let up = format!("{mode}CREATE TABLE t{number} (id INTEGER);\nCREATE INDEX t{number}_id ON t{number} (id);\n");
        let (kind, batches) = match product {
            Some(Product::SqlServer) => (".sqlserver", ";\nGO\n"),
            _ => ("", ";\n"),
        };
        station.migration(&format!("{number:04}_Step{kind}.up.sql"), &up.replace(";\n", batches));
        let drop = match product {
            Some(Product::Postgres) if journaled => format!("DROP INDEX CONCURRENTLY t{number}_id;\n"),
            Some(Product::MariaDb | Product::MySql | Product::SqlServer) => {
                format!("DROP INDEX t{number}_id ON t{number};\n")
            }
            _ => format!("DROP INDEX t{number}_id;\n"),
        };
        let down = format!("{}{drop}{}DROP TABLE t{number};\n", mark(1), mark(2));
        station.migration(&format!("{number:04}_Step{kind}.down.sql"), &down.replace(";\n", batches));
    }
}

/// Undoes everything but the first migration on one branch, however often the answer is lost or the branch is locked
/// by what the last process has left.
async fn undo(url: String, code: String, request_id: String) {
    let begun = Instant::now();
    let request = RollbackRequest {
        branch: code.clone(),
        extent: Some(Extent::TargetMigration("1".into())),
        allow_data_loss: true,
        request_id,
        ..RollbackRequest::default()
    };
    loop {
        assert!(begun.elapsed() < Duration::from_secs(120), "{code} is not undone");
        let client = branchkeeper::rpc::proto::migration_service_client::MigrationServiceClient::connect(url.clone());
        if let Ok(mut client) = client.await
            && let Ok(answer) = client.rollback(request.clone()).await
        {
            let result = answer.into_inner().result.unwrap();
            assert!(result.success, "{code}: {result:?}");
            let undone: Vec<String> = (2..=MIGRATIONS).rev().map(|number| format!("{number:04}_Step")).collect();
            assert_eq!(result.rolled_back_migrations, undone, "{code}: the run tells all that it has undone");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Applies and undoes again and again, and kills the service in the middle; gives how often.
async fn torment(station: &mut Station) -> usize {
    let mut random = StdRng::seed_from_u64(seed());
    let mut in_the_middle = 0;
    for life in 0..lives() {
        let result = ended(&apply_all(station, ApplyAllRequest::default()).await);
        assert!(result.success, "{result:?}");
        let turn = |index| undo(station.url(), code(index), format!("{life}-{index}"));
        let turns: Vec<_> = (0..BRANCHES).map(|index| tokio::spawn(turn(index))).collect();
        tokio::time::sleep(Duration::from_millis(random.random_range(5..250))).await;
        in_the_middle += usize::from(turns.iter().any(|turn| !turn.is_finished()));
        station.kill();
        station.start().await;
        for turn in turns {
            turn.await.unwrap();
        }
        for index in 0..BRANCHES {
            let request = HistoryRequest { branch: code(index) };
            let history = station.migrations().await.history(request).await.unwrap().into_inner();
            let applied: Vec<_> = history.applied_migrations.iter().map(|row| row.id.as_str()).collect();
            assert_eq!(applied, ["0001_Audit"]);
        }
    }
    println!("killed {} times, {in_the_middle} of them before every branch was undone", lives());
    lives()
}

fn exactly_once(code: &str, times: usize, marks: &BTreeMap<(i64, i64), i64>) {
    let times = i64::try_from(times).unwrap();
    for number in 2..=MIGRATIONS {
        for part in 1..=2 {
            let key = (i64::try_from(number).unwrap(), part);
            assert_eq!(marks.get(&key), Some(&times), "{code}: migration {number}, part {part}, of {marks:?}");
        }
    }
}

fn settings(station: &mut Station) {
    station.set("LOCK__LEASE", "2s");
    station.set("LOCK__WAIT", "10s");
}

const COUNT: &str =
    "SELECT CAST(migration AS BIGINT), CAST(part AS BIGINT), COUNT(*) FROM audit GROUP BY migration, part";

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_rollbacks_survive_kills() {
    let mut station = Station::new();
    settings(&mut station);
    write_migrations(&station, None);
    station.start().await;
    for index in 0..BRANCHES {
        station.register(sqlite_branch(&code(index))).await;
    }
    let times = torment(&mut station).await;
    for index in 0..BRANCHES {
        let file = station.sqlite_file(&code(index));
        let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.unwrap();
        let rows = sqlx::query(COUNT).fetch_all(&mut connection).await.unwrap();
        let marks = rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect();
        exactly_once(&code(index), times, &marks);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_rollbacks_survive_kills() {
    on_server(postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_rollbacks_survive_kills() {
    if let Some(server) = mariadb().await {
        on_server(server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_rollbacks_survive_kills() {
    if let Some(server) = mysql().await {
        on_server(server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlserver_rollbacks_survive_kills() {
    if let Some(server) = sqlserver_server().await {
        on_server(server).await;
    }
}

async fn on_server(server: &'static Server) {
    let mut station = Station::new();
    settings(&mut station);
    station.variable("BRANCH_PASSWORD", &server.password);
    write_migrations(&station, Some(server.product));
    station.start().await;
    let mut databases = Vec::new();
    for index in 0..BRANCHES {
        let database = server.fresh_database().await;
        station.register(server_branch(&code(index), server, &database.name, "env:BRANCH_PASSWORD")).await;
        databases.push(database);
    }
    let times = torment(&mut station).await;
    for (index, database) in databases.iter().enumerate() {
        let marks = if server.product == Product::Postgres {
            let rows = sqlx::query(COUNT).fetch_all(&mut server.connect_to(&database.name).await).await.unwrap();
            rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect()
        } else if server.product == Product::SqlServer {
            let mut connection = sqlserver::connect(server, &database.name).await.unwrap();
            let rows = sqlserver::rows(&mut connection, COUNT).await.unwrap();
            let number = |cell: &Option<String>| cell.as_deref().unwrap().parse().unwrap();
            rows.iter().map(|row| ((number(&row[0]), number(&row[1])), number(&row[2]))).collect()
        } else {
            let count = COUNT.replace("BIGINT", "SIGNED");
            let mut connection = server.mysql_connect_to(&database.name).await;
            let rows = sqlx::query(sqlx::AssertSqlSafe(&*count)).fetch_all(&mut connection).await.unwrap();
            rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect()
        };
        exactly_once(&code(index), times, &marks);
    }
}

//! The service is killed at random moments while it migrates, and in the end every change has been made exactly once.
//!
//! `BRANCHKEEPER_CRASH_KILLS` sets how often (10), `BRANCHKEEPER_CRASH_SEED` repeats a run.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use branchkeeper::rpc::proto::{ApplyAllRequest, MigrationStatus};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sqlx::{ConnectOptions, Row};

use crate::support::{
    Product, Server, Station, mariadb, mysql, postgres, server_branch, sqlite_branch, sqlserver, sqlserver_server,
};

const BRANCHES: usize = 20;
/// Migrations that are new in each life of the service.
const PER_LIFE: usize = 3;

fn kills() -> usize {
    std::env::var("BRANCHKEEPER_CRASH_KILLS").ok().map_or(10, |text| text.parse().unwrap())
}

/// How long the last life may take: every kill leaves work to it, and the providers share the machine.
fn patience() -> Duration {
    Duration::from_secs(120) + Duration::from_secs(5) * u32::try_from(kills()).unwrap()
}

fn seed() -> u64 {
    let seed = std::env::var("BRANCHKEEPER_CRASH_SEED").ok().map_or_else(rand::random, |text| text.parse().unwrap());
    println!("BRANCHKEEPER_CRASH_SEED={seed}");
    seed
}

fn code(index: usize) -> String {
    format!("BR{index:03}")
}

/// One migration. It leaves a row in `audit` for each of its marks, so that a change made twice shows.
fn write_migration(station: &Station, number: usize, product: Option<Product>) {
    let postgres = product == Some(Product::Postgres);
    let sqlserver = product == Some(Product::SqlServer);
    let mark = |part: u32| format!("INSERT INTO audit (migration, part) VALUES ({number}, {part});\n");
    let numbers = if postgres {
        "SELECT generate_series(1, 3000)".to_owned()
    } else if sqlserver {
        "SELECT TOP (900) ROW_NUMBER() OVER (ORDER BY a.object_id) FROM sys.all_objects AS a, sys.all_objects AS b"
            .into()
    } else if product.is_some() {
        // These servers count no further than 1,000 so.
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n".to_owned()
    } else {
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i FROM n".to_owned()
    };
    let mut sql = String::new();
    let journaled = number.is_multiple_of(3);
    if journaled {
        sql.push_str("-- branchkeeper: transaction-mode=None\n");
    }
    if number == 1 {
        sql.push_str("CREATE TABLE audit (migration INTEGER NOT NULL, part INTEGER NOT NULL);\n");
    }
    sql.push_str(&mark(1));
    sql.push_str(&format!("CREATE TABLE t{number} (id INTEGER);\n"));
    sql.push_str(&format!("INSERT INTO t{number} {numbers};\n"));
    sql.push_str(&mark(2));
    if journaled && postgres {
        sql.push_str(&format!("CREATE INDEX CONCURRENTLY t{number}_id ON t{number} (id);\n"));
    } else {
        sql.push_str(&format!("CREATE INDEX t{number}_id ON t{number} (id);\n"));
    }
    sql.push_str(&mark(3));
    if sqlserver {
        // Its unit is the batch, and this is a statement that no transaction takes.
        let batches = sql.replace(";\n", ";\nGO\n");
        let lone = if journaled { "ALTER DATABASE CURRENT SET AUTO_CLOSE OFF;\nGO\n" } else { "" };
        return station.migration(&format!("{number:04}_Step.sqlserver.sql"), &format!("{batches}{lone}"));
    }
    station.migration(&format!("{number:04}_Step.sql"), &sql);
}

/// Runs the lives and deaths of a service; gives how many migrations there are in the end.
async fn torment(station: &mut Station, product: Option<Product>) -> usize {
    let mut random = StdRng::seed_from_u64(seed());
    let mut migrations = 0;
    let mut in_the_middle = 0;
    for life in 0..=kills() {
        for _ in 0..PER_LIFE {
            migrations += 1;
            write_migration(station, migrations, product);
        }
        if life < kills() {
            station.spawn();
            let moment = Duration::from_millis(random.random_range(20..600));
            tokio::time::sleep(moment).await;
            in_the_middle += usize::from(station.log().lines().last().is_some_and(|line| !line.contains("run over")));
            station.kill();
        }
    }
    println!("killed {} times, {in_the_middle} of them before a run was over", kills());
    station.start().await;
    let newest = format!("{migrations:04}_Step");
    let begun = Instant::now();
    loop {
        let seen = station.settled(patience(), &[MigrationStatus::Completed]).await;
        assert_eq!(seen.len(), BRANCHES);
        if seen.iter().all(|branch| branch.last_migration_applied == newest) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "not everything is applied: {seen:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    migrations
}

fn settings(station: &mut Station) {
    station.set("AUTO_MIGRATE__ENABLED", "true");
    station.set("AUTO_MIGRATE__INITIAL_DELAY", "1ms");
    station.set("AUTO_MIGRATE__INTERVAL", "1s");
    station.set("RETRY__BACKOFF", "100ms");
    station.set("RETRY__MAX_BACKOFF", "200ms");
    station.set("RETRY__MAX_ATTEMPTS", "100");
    station.set("LOCK__LEASE", "2s");
}

fn exactly_once(code: &str, migrations: usize, marks: &BTreeMap<(i64, i64), i64>) {
    for number in 1..=migrations {
        for part in 1..=3 {
            let key = (i64::try_from(number).unwrap(), part);
            assert_eq!(marks.get(&key), Some(&1), "{code}: migration {number}, part {part}, of {marks:?}");
        }
    }
    assert_eq!(marks.len(), migrations * 3, "{code}: {marks:?}");
}

const COUNT: &str =
    "SELECT CAST(migration AS BIGINT), CAST(part AS BIGINT), COUNT(*) FROM audit GROUP BY migration, part";

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_branches_survive_kills() {
    let mut station = Station::new();
    settings(&mut station);
    station.set("AUTO_MIGRATE__ENABLED", "false");
    station.start().await;
    for index in 0..BRANCHES {
        station.register(sqlite_branch(&code(index))).await;
    }
    station.kill();
    station.set("AUTO_MIGRATE__ENABLED", "true");
    let migrations = torment(&mut station, None).await;
    for index in 0..BRANCHES {
        let file = station.sqlite_file(&code(index));
        let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.unwrap();
        let rows = sqlx::query(COUNT).fetch_all(&mut connection).await.unwrap();
        let marks = rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect();
        exactly_once(&code(index), migrations, &marks);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_branches_survive_kills() {
    let server = postgres().await;
    let (databases, migrations) = torment_server(server).await;
    for (index, database) in databases.iter().enumerate() {
        let mut connection = server.connect_to(&database.name).await;
        let rows = sqlx::query(COUNT).fetch_all(&mut connection).await.unwrap();
        let marks = rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect();
        exactly_once(&code(index), migrations, &marks);
        let invalid: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM pg_index WHERE NOT indisvalid")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(invalid, 0, "{}", code(index));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_branches_survive_kills() {
    if let Some(server) = mariadb().await {
        mysql_branches(server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_branches_survive_kills() {
    if let Some(server) = mysql().await {
        mysql_branches(server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlserver_branches_survive_kills() {
    let Some(server) = sqlserver_server().await else { return };
    let (databases, migrations) = torment_server(server).await;
    for (index, database) in databases.iter().enumerate() {
        let mut connection = sqlserver::connect(server, &database.name).await.unwrap();
        let rows = sqlserver::rows(&mut connection, COUNT).await.unwrap();
        let number = |text: &Option<String>| text.as_deref().unwrap().parse::<i64>().unwrap();
        let marks = rows.iter().map(|row| ((number(&row[0]), number(&row[1])), number(&row[2]))).collect();
        exactly_once(&code(index), migrations, &marks);
        let rows = sqlserver::rows(&mut connection, "SELECT COUNT(*) FROM t1").await.unwrap();
        assert_eq!(number(&rows[0][0]), 900, "{}", code(index));
    }
}

/// Every migration makes a table and an index, which commit by themselves, between its marks: all of it is journaled.
async fn mysql_branches(server: &'static Server) {
    let (databases, migrations) = torment_server(server).await;
    let count = COUNT.replace("BIGINT", "SIGNED");
    for (index, database) in databases.iter().enumerate() {
        let mut connection = server.mysql_connect_to(&database.name).await;
        let rows = sqlx::query(sqlx::AssertSqlSafe(&*count)).fetch_all(&mut connection).await.unwrap();
        let marks = rows.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect();
        exactly_once(&code(index), migrations, &marks);
        let indexes = "SELECT COUNT(*) FROM information_schema.statistics \
                       WHERE table_schema = DATABASE() AND index_name LIKE 't%\\_id'";
        let found: i64 = sqlx::query_scalar(indexes).fetch_one(&mut connection).await.unwrap();
        assert_eq!(usize::try_from(found).unwrap(), migrations, "{}", code(index));
        // What was inserted once is there once.
        let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM t1").fetch_one(&mut connection).await.unwrap();
        assert_eq!(rows, 900, "{}", code(index));
    }
}

/// Torments branches on a server; gives their databases, and how many migrations there are in the end.
async fn torment_server(server: &'static Server) -> (Vec<Dropped>, usize) {
    let mut station = Station::new();
    settings(&mut station);
    station.variable("BRANCH_PASSWORD", &server.password);
    station.set("AUTO_MIGRATE__ENABLED", "false");
    station.start().await;
    let mut databases = Vec::new();
    for index in 0..BRANCHES {
        let name = server.unique_name();
        station.register(server_branch(&code(index), server, &name, "env:BRANCH_PASSWORD")).await;
        databases.push(Dropped { server, name });
    }
    station.kill();
    station.set("AUTO_MIGRATE__ENABLED", "true");
    let migrations = torment(&mut station, Some(server.product)).await;
    (databases, migrations)
}

/// A database that the service makes and the test removes.
struct Dropped {
    server: &'static Server,
    name: String,
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.server.drop_database(&self.name);
    }
}

/// A run that was interrupted is taken up under its own id, and its events go on without a gap.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_goes_on_under_its_own_id() {
    let mut station = Station::new();
    station.set("LOCK__LEASE", "2s");
    for number in 1..=4 {
        write_migration(&station, number, None);
    }
    station.start().await;
    for index in 0..BRANCHES {
        station.register(sqlite_branch(&code(index))).await;
    }
    let request = ApplyAllRequest { max_parallel: 2, ..ApplyAllRequest::default() };
    let mut stream = station.migrations().await.apply_all(request).await.unwrap().into_inner();
    let mut last = 0;
    let mut run_id = String::new();
    let mut finished = 0;
    while finished < 3 {
        let event = stream.message().await.unwrap().unwrap().event.unwrap();
        assert_eq!(event.sequence, last + 1);
        last = event.sequence;
        run_id = event.run_id;
        finished += usize::from(matches!(event.event, Some(crate::support::pb::run_event::Event::BranchFinished(_))));
    }
    station.kill();
    station.start().await;
    let events = crate::support::watch(&station, &run_id, last).await;
    for event in &events {
        assert_eq!(event.sequence, last + 1);
        last = event.sequence;
    }
    let Some(crate::support::pb::run_event::Event::RunFinished(end)) = &events.last().unwrap().event else {
        panic!("{events:?}");
    };
    let result = end.result.as_ref().unwrap();
    assert!(result.success, "{result:?}");
    assert_eq!(result.branches_succeeded as usize, BRANCHES);
}

//! What users of other tools have reported from the field, and what must hold here. Each test names the report.

mod fleet;
mod folder;
mod indexes;
mod locks;
mod network;
mod pooler;
mod servers;
mod sqlite;

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

use crate::support::{Database, Server, Station, pb, server_branch};

/// Waits until `ready` gives something.
async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ready: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = ready().await {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "{what} does not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn open(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).connect().await.unwrap()
}

async fn run_in(file: &Path, sql: &str) {
    let mut connection = open(file).await;
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}

/// The number that a query on a SQLite file gives.
async fn number_in(file: &Path, sql: &str) -> i64 {
    let mut connection = open(file).await;
    let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    number
}

/// The number that a query on a PostgreSQL database gives.
async fn number_on(database: &Database, sql: &str) -> i64 {
    let mut connection = database.connect().await;
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap()
}

async fn run_on(database: &Database, sql: &str) {
    database.connect().await.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
}

/// A service that may use the server's password as `env:BRANCH_PASSWORD`.
fn station_for(server: &Server) -> Station {
    let mut station = Station::new();
    station.variable("BRANCH_PASSWORD", &server.password);
    station
}

/// A branch in a database, with its connection changed.
fn branch_on(code: &str, database: &Database, change: impl FnOnce(&mut pb::ServerConnection)) -> pb::Branch {
    let mut branch = server_branch(code, database.server, &database.name, "env:BRANCH_PASSWORD");
    match &mut branch.connection.as_mut().unwrap().kind {
        Some(pb::connection::Kind::Server(server)) => change(server),
        other => panic!("{other:?}"),
    }
    branch
}

/// How often a mark was made, as the migrations of these tests leave them.
const MARKS: &str = "SELECT COUNT(*) FROM audit";

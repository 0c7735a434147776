//! Servers that have no connection to spare.

use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Executor};

use super::{MARKS, branch_on, eventually, number_on, station_for};
use crate::support::{Database, Proxy, Server, Station, apply_all, ended, finished, pb, postgres, status_of};

const MARK: &str = "CREATE TABLE audit (n INTEGER);\nINSERT INTO audit VALUES (1);\n";

/// An account that may connect once at a time, removed with its databases.
struct Limited {
    role: String,
    databases: Vec<Database>,
    server: &'static Server,
}

impl Limited {
    async fn new(server: &'static Server, databases: usize) -> Self {
        let role = server.unique_name();
        let sql = format!("CREATE ROLE {role} LOGIN PASSWORD 'limited' CONNECTION LIMIT 1");
        server.connect_to("postgres").await.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        let mut made = Vec::new();
        for _ in 0..databases {
            let database = server.fresh_database().await;
            let sql = format!("ALTER DATABASE {} OWNER TO {role}; GRANT ALL ON SCHEMA public TO {role}", database.name);
            database.connect().await.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
            made.push(database);
        }
        Self { role, databases: made, server }
    }

    /// Registers the databases, reached by this port.
    async fn register(&self, station: &Station, port: u16) {
        for (index, database) in self.databases.iter().enumerate() {
            let branch = branch_on(&format!("BR{index:03}"), database, |server| {
                (server.username, server.port) = (self.role.clone(), port.into());
            });
            station.register(branch).await;
        }
    }

    /// The one connection that the account has.
    async fn connect(&self) -> sqlx::PgConnection {
        let options = self.server.options(&self.databases[0].name).username(&self.role).password("limited");
        options.connect().await.unwrap()
    }

    async fn remove(self) {
        drop(self.databases);
        let sql = format!("DROP ROLE {}", self.role);
        self.server.connect_to("postgres").await.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    }
}

/// weasel#356, apartment#476: a server that has no connection to spare is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_is_waited_for() {
    let server = postgres().await;
    let limited = Limited::new(server, 5).await;
    let mut station = station_for(server);
    station.variable("BRANCH_PASSWORD", "limited");
    station.migration("1_Audit.sql", MARK);
    station.start().await;
    let proxy = Proxy::to(&server.host, server.port).await;
    limited.register(&station, proxy.port()).await;
    let program = limited.connect().await;
    let run = apply_all(&station, pb::ApplyAllRequest::default());
    let leave = async {
        eventually("the server is asked for connections", async || (proxy.accepted() > 5).then_some(())).await;
        sqlx::Connection::close(program).await.unwrap();
    };
    let (events, ()) = tokio::join!(run, leave);
    let result = ended(&events);
    assert!(result.success, "five branches share one connection: {result:?}");
    for database in &limited.databases {
        assert_eq!(number_on(database, MARKS).await, 1);
    }
    drop(station);
    limited.remove().await;
}

/// weasel#356, apartment#476: when the server stays full for too long, that counts as no failure of the branch, and the
/// orchestrator goes on by itself once there is room.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stays_full_counts_as_no_failure() {
    let server = postgres().await;
    let limited = Limited::new(server, 1).await;
    let mut station = station_for(server);
    station.variable("BRANCH_PASSWORD", "limited");
    station.set("MIGRATION__CONNECT_TIMEOUT", "300ms");
    station.set("RETRY__BACKOFF", "100ms");
    station.set("RETRY__MAX_BACKOFF", "200ms");
    station.migration("1_Audit.sql", MARK);
    station.start().await;
    limited.register(&station, server.port).await;
    let program = limited.connect().await;
    for _ in 0..4 {
        let begun = Instant::now();
        let events = apply_all(&station, pb::ApplyAllRequest::default()).await;
        assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}", begun.elapsed());
        let end = finished(&events, "BR000");
        let error = end.error.as_ref().unwrap();
        assert_eq!((error.class(), error.provider_code.as_str()), (pb::FailureClass::Connection, "53300"), "{error:?}");
        assert!(!error.hint.is_empty(), "{error:?}");
        assert_eq!(end.status(), pb::MigrationStatus::Pending, "{end:?}");
    }
    let state = status_of(&station, "BR000").await;
    assert_eq!((state.status(), state.retry_count), (pb::MigrationStatus::Pending, 0), "{state:?}");

    station.kill();
    station.set("AUTO_MIGRATE__ENABLED", "true");
    station.set("AUTO_MIGRATE__INITIAL_DELAY", "1ms");
    station.start().await;
    eventually("the orchestrator tries", async || station.log().contains("takes no connection now").then_some(()))
        .await;
    sqlx::Connection::close(program).await.unwrap();
    station.settled(Duration::from_secs(30), &[pb::MigrationStatus::Completed]).await;
    assert_eq!(number_on(&limited.databases[0], MARKS).await, 1);
    drop(station);
    limited.remove().await;
}

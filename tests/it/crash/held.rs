//! A statement in the middle of a migration waits for another session's lock.

use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Executor};

use super::ten::{self, Place};
use super::{applied_at_last, shared};
use crate::support::{
    Database, Product, Proxy, SESSIONS, Server, Station, Way, apply, outcome, pb, refused, server_branch,
    sqlite_branch, sqlserver, status_of,
};

/// The lines before the statements.
const HEAD: &str = "-- branchkeeper: transaction-mode=None\n\n";

/// A table, and a migration whose fourth statement waits while somebody uses the table.
pub(super) fn write(station: &Station, product: Option<Product>) {
    let before = [
        "CREATE TABLE audit (migration BIGINT NOT NULL, part BIGINT NOT NULL)".to_owned(),
        "CREATE TABLE held (id INTEGER, a INTEGER)".to_owned(),
    ];
    station.migration(&ten::file("1_Before", product), &ten::script(product, &before));
    let add = |column: &str| format!("ALTER TABLE held {} {column} INTEGER", ten::add(product));
    let [first, second] = if product == Some(Product::Postgres) {
        ["CREATE INDEX CONCURRENTLY held_a ON held (a)".to_owned(), add("b")]
    } else {
        [add("b"), "CREATE INDEX held_a ON held (a)".to_owned()]
    };
    let mark = |part: i64| format!("INSERT INTO audit VALUES (2, {part})");
    let statements = [
        mark(1),
        "CREATE TABLE other (id INTEGER)".to_owned(),
        mark(2),
        first,
        mark(3),
        second,
        mark(4),
        add("c"),
        mark(5),
        "DROP TABLE other".to_owned(),
    ];
    let text = format!("{HEAD}{}", ten::script(product, &statements));
    station.migration(&ten::file("2_Held", product), &text);
}

pub(super) async fn exactly_once(place: &Place, what: &str) {
    let marks: Vec<_> = place.marks().await.into_iter().collect();
    let expected: Vec<_> = (1..=5).map(|part| ((2, part), 1)).collect();
    assert_eq!(marks, expected, "{what}");
    // The columns are there, and what the other session took back is not.
    assert_eq!(place.number("SELECT COUNT(*) FROM held WHERE b IS NULL AND c IS NULL").await, 0, "{what}");
}

/// A session that uses the table until it is dropped or [`Blocker::leave`]s.
pub(super) enum Blocker {
    Postgres(sqlx::PgConnection),
    MySql(sqlx::MySqlConnection),
    SqlServer(Box<sqlserver::Connection>),
    File(sqlx::SqliteConnection),
}

impl Blocker {
    pub(super) async fn on(place: &Place) -> Self {
        match place {
            Place::File(file) => {
                let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.unwrap();
                connection.execute("BEGIN IMMEDIATE; INSERT INTO held (a) VALUES (7)").await.unwrap();
                Self::File(connection)
            }
            Place::Server(server, name) if server.product == Product::Postgres => {
                let mut connection = server.connect_to(name).await;
                connection.execute("BEGIN; INSERT INTO held (a) VALUES (7)").await.unwrap();
                Self::Postgres(connection)
            }
            Place::Server(server, name) if server.product == Product::SqlServer => {
                let mut connection = Box::new(sqlserver::connect(server, name).await.unwrap());
                let text = "BEGIN TRANSACTION; INSERT INTO held (a) VALUES (7)";
                sqlserver::rows(&mut connection, text).await.unwrap();
                Self::SqlServer(connection)
            }
            Place::Server(server, name) => {
                let mut connection = server.mysql_connect_to(name).await;
                let text = sqlx::raw_sql("START TRANSACTION; INSERT INTO held (a) VALUES (7)");
                connection.execute(text).await.unwrap();
                Self::MySql(connection)
            }
        }
    }

    pub(super) async fn leave(self) {
        match self {
            Self::Postgres(mut connection) => connection.execute("ROLLBACK").await.map(drop).unwrap(),
            Self::MySql(mut connection) => connection.execute("ROLLBACK").await.map(drop).unwrap(),
            Self::SqlServer(mut connection) => drop(sqlserver::rows(&mut connection, "ROLLBACK").await.unwrap()),
            Self::File(mut connection) => connection.execute("ROLLBACK").await.map(drop).unwrap(),
        }
    }
}

/// Waits until the statement waits.
pub(super) async fn waits(server: &'static Server, database: &str) {
    until(server, database, true).await;
}

/// Waits until no such statement waits any more.
pub(super) async fn is_over(server: &'static Server, database: &str) {
    until(server, database, false).await;
}

async fn until(server: &'static Server, database: &str, waiting: bool) {
    let place = match server.product {
        Product::Postgres | Product::SqlServer => Place::Server(server, database.into()),
        _ => Place::Server(server, "mysql".into()),
    };
    let question = match server.product {
        // An attempt after the first clears the invalid index that one left, and waits with that.
        Product::Postgres => "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND pid <> pg_backend_pid() AND state = 'active' AND query ~ '(CREATE|DROP) INDEX CONCURRENTLY .*held_a'"
            .to_owned(),
        Product::SqlServer => "SELECT COUNT(*) FROM sys.dm_exec_requests AS r \
             CROSS APPLY sys.dm_exec_sql_text(r.sql_handle) AS t \
             WHERE r.database_id = DB_ID() AND r.session_id <> @@SPID AND t.text LIKE 'ALTER TABLE held%'"
            .to_owned(),
        _ => format!(
            "SELECT COUNT(*) FROM {SESSIONS} WHERE db = '{database}' \
             AND command <> 'Sleep' AND info LIKE 'ALTER TABLE held%'"
        ),
    };
    let begun = Instant::now();
    while (place.number(&question).await > 0) != waiting {
        assert!(begun.elapsed() < Duration::from_secs(40), "the statement waits: {}", !waiting);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The migration's time is over while its statement waits: what was done before is kept and named, the statement is
/// withdrawn on the server, and once the other session is gone the next attempt goes on with that statement.
async fn a_statement_that_waits_too_long(product: Product) {
    let Some(server) = shared(product).await else { return };
    let database: Database = server.fresh_database().await;
    let mut station = Station::new();
    station.variable("BRANCH_PASSWORD", &server.password);
    station.set("MIGRATION__TIMEOUT", "1s");
    station.start().await;
    station.register(server_branch("BR001", server, &database.name, "env:BRANCH_PASSWORD")).await;
    write(&station, Some(product));
    let place = Place::from(&database);
    let only =
        pb::ApplyRequest { branch: "BR001".into(), target_migration: "1_Before".into(), ..pb::ApplyRequest::default() };
    assert!(station.migrations().await.apply(only).await.unwrap().into_inner().result.unwrap().success);
    let blocker = Blocker::on(&place).await;
    for attempt in 1..=2 {
        let begun = Instant::now();
        let result = outcome(&station, "BR001").await;
        assert!(begun.elapsed() < Duration::from_secs(20), "it took {:?}", begun.elapsed());
        let error = &result.errors[0];
        assert_eq!(
            (error.class(), error.line),
            (pb::FailureClass::Timeout, ten::line(Some(product), 2, 4)),
            "{error:?}"
        );
        let file = ten::file("2_Held", Some(product));
        assert_eq!((&*error.file, &*error.migration_id), (&*file, "2_Held"), "{error:?}");
        assert_eq!((error.statements_done, error.statements_total), (3, 10), "{error:?}");
        let state = status_of(&station, "BR001").await;
        assert_eq!((state.status(), state.retry_count), (pb::MigrationStatus::Failed, attempt), "{state:?}");
        assert_eq!(place.marks().await.len(), 2);
    }
    blocker.leave().await;
    assert!(outcome(&station, "BR001").await.success);
    exactly_once(&place, product.name()).await;
    let state = status_of(&station, "BR001").await;
    assert_eq!((state.status(), state.retry_count), (pb::MigrationStatus::Completed, 0), "{state:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_too_long_on_postgres_goes_on_later() {
    a_statement_that_waits_too_long(Product::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_too_long_on_mariadb_goes_on_later() {
    a_statement_that_waits_too_long(Product::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_too_long_on_mysql_goes_on_later() {
    a_statement_that_waits_too_long(Product::MySql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_too_long_on_sqlserver_goes_on_later() {
    a_statement_that_waits_too_long(Product::SqlServer).await;
}

/// A statement whose time is over and whose server does not answer any more: what became of it is found out, and nothing
/// else is begun in the same attempt, whose time is over.
async fn a_statement_that_nobody_could_stop(product: Product) {
    let Some(server) = shared(product).await else { return };
    let database = server.fresh_database().await;
    let proxy = Proxy::to(&server.host, server.port).await;
    let mut station = Station::new();
    station.variable("BRANCH_PASSWORD", &server.password);
    station.set("MIGRATION__TIMEOUT", "1s");
    station.start().await;
    let mut branch = server_branch("BR001", server, &database.name, "env:BRANCH_PASSWORD");
    if let Some(pb::connection::Kind::Server(server)) = &mut branch.connection.as_mut().unwrap().kind {
        (server.port, server.ssl_mode) = (proxy.port().into(), pb::SslMode::Disable.into());
    }
    station.register(branch).await;
    write(&station, Some(product));
    let only =
        pb::ApplyRequest { branch: "BR001".into(), target_migration: "1_Before".into(), ..pb::ApplyRequest::default() };
    assert!(station.migrations().await.apply(only).await.unwrap().into_inner().result.unwrap().success);
    let place = Place::from(&database);
    let blocker = Blocker::on(&place).await;
    let (result, ()) = tokio::join!(outcome(&station, "BR001"), async {
        waits(server, &database.name).await;
        proxy.stall(Way::Down);
        let begun = Instant::now();
        while !station.log().contains("reading the ledger again") {
            assert!(begun.elapsed() < Duration::from_secs(60), "the attempt does not give up");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        blocker.leave().await;
        is_over(server, &database.name).await;
        proxy.flow();
    });
    let error = &result.errors[0];
    assert_eq!((error.class(), error.statements_total), (pb::FailureClass::Timeout, 10), "{error:?}");
    assert_eq!(place.marks().await.len(), 2, "nothing was begun after it");
    applied_at_last(&station, "BR001").await;
    exactly_once(&place, product.name()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_nobody_could_stop_on_mariadb_ends_the_attempt() {
    a_statement_that_nobody_could_stop(Product::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_nobody_could_stop_on_mysql_ends_the_attempt() {
    a_statement_that_nobody_could_stop(Product::MySql).await;
}

/// A SQLite file has one writer at a time: whoever writes to it holds up the branch, not a statement.
#[tokio::test(flavor = "multi_thread")]
async fn a_sqlite_file_that_somebody_writes_to_is_migrated_later() {
    let mut station = Station::new();
    station.set("LOCK__WAIT", "300ms");
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    write(&station, None);
    let only =
        pb::ApplyRequest { branch: "BR001".into(), target_migration: "1_Before".into(), ..pb::ApplyRequest::default() };
    assert!(station.migrations().await.apply(only).await.unwrap().into_inner().result.unwrap().success);
    let place = Place::File(station.sqlite_file("BR001"));
    let blocker = Blocker::on(&place).await;
    refused(apply(&station, "BR001").await, tonic::Code::Aborted, "BRANCH_LOCKED");
    assert_eq!(status_of(&station, "BR001").await.retry_count, 0, "a lock counts as no failure");
    blocker.leave().await;
    applied_at_last(&station, "BR001").await;
    exactly_once(&place, "SQLite").await;
}

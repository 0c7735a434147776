use std::path::Path;

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};

use super::{FIRST, SECOND, only_error};
use crate::support::{
    Database, Server, Station, apply_all, ended, outcome, pb, postgres, server_branch, sqlite_branch, status_of,
};

const HISTORY: &str = "\"__MigrationsHistory\"";

/// A branch whose ledger can be tampered with.
enum Tampered {
    Sqlite(std::path::PathBuf),
    Postgres(Database),
}

impl Tampered {
    async fn run(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.replace("{history}", HISTORY));
        match self {
            Self::Sqlite(file) => {
                let mut connection = open(file).await;
                connection.execute(sql).await.unwrap();
                connection.close().await.unwrap();
            }
            Self::Postgres(database) => drop(database.connect().await.execute(sql).await.unwrap()),
        }
    }

    /// Tables and ledger rows, as text.
    async fn contents(&self) -> Vec<String> {
        let ledger = format!("SELECT migration_id || ' ' || checksum || ' ' || format FROM {HISTORY} ORDER BY 1");
        match self {
            Self::Sqlite(file) => {
                let mut connection = open(file).await;
                let tables = "SELECT name || COALESCE(sql, '') FROM sqlite_schema ORDER BY 1";
                let mut rows = sqlx::query(tables).fetch_all(&mut connection).await.unwrap();
                rows.extend(sqlx::query(AssertSqlSafe(ledger)).fetch_all(&mut connection).await.unwrap());
                connection.close().await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
            Self::Postgres(database) => {
                let mut connection = database.connect().await;
                let tables =
                    "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1";
                let mut rows = sqlx::query(tables).fetch_all(&mut connection).await.unwrap();
                rows.extend(sqlx::query(AssertSqlSafe(ledger)).fetch_all(&mut connection).await.unwrap());
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }
}

async fn open(file: &Path) -> sqlx::sqlite::SqliteConnection {
    sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.unwrap()
}

/// Two branches, one per provider, with one migration applied and another waiting.
async fn waiting(server: &'static Server) -> (Station, [(&'static str, Tampered); 2]) {
    let mut station = Station::new();
    station.variable("BRANCH_PASSWORD", &server.password);
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    let database = server.fresh_database().await;
    station.register(sqlite_branch("BR001")).await;
    station.register(server_branch("BR002", server, &database.name, "env:BRANCH_PASSWORD")).await;
    let events = apply_all(&station, pb::ApplyAllRequest::default()).await;
    assert!(ended(&events).success, "{events:?}");
    station.migration("2_Orders.sql", SECOND);
    let file = station.sqlite_file("BR001");
    (station, [("BR001", Tampered::Sqlite(file)), ("BR002", Tampered::Postgres(database))])
}

/// Tampers with both branches and checks that they are left alone, with this error and this finding.
async fn is_left_alone(sql: &str, class: pb::FailureClass, told: &str, finding: &str) {
    let (station, branches) = waiting(postgres().await).await;
    for (code, branch) in &branches {
        branch.run(sql).await;
        let before = branch.contents().await;
        let error = only_error(&outcome(&station, code).await);
        assert_eq!(error.class(), class, "{error:?}");
        assert!(error.message.contains(told), "{told}: {error:?}");
        assert_eq!(branch.contents().await, before, "{code}");
        let state = status_of(&station, code).await;
        assert_eq!((state.status(), state.is_locked), (pb::MigrationStatus::Failed, false));
        let request = pb::ValidateRequest { branch: (*code).into() };
        let report = station.migrations().await.validate(request).await.unwrap().into_inner();
        assert_eq!((report.is_valid, report.status.as_str()), (false, "Invalid"), "{report:?}");
        assert!(report.findings.iter().any(|each| each.kind == finding), "{report:?}");
        assert_eq!(branch.contents().await, before, "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_checksum_is_refused() {
    let sql = "UPDATE {history} SET checksum = 'changed'";
    is_left_alone(sql, pb::FailureClass::Checksum, "1_Customers", "ChecksumMismatch").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_migration_in_the_ledger_is_refused() {
    let sql = "UPDATE {history} SET migration_id = '9_Elsewhere'";
    is_left_alone(sql, pb::FailureClass::Catalogue, "9_Elsewhere", "UnknownMigration").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_from_a_newer_version_is_refused() {
    let sql = "UPDATE {history} SET format = 99, product_version = '99.0.0'";
    is_left_alone(sql, pb::FailureClass::Catalogue, "99", "NewerLedger").await;
}

/// A table of the ledger's name that somebody else made is neither used nor touched.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_no_ledger_is_left_alone() {
    let (station, branches) = waiting(postgres().await).await;
    for (code, branch) in &branches {
        branch.run("ALTER TABLE {history} RENAME COLUMN sequence TO something").await;
        let before = branch.contents().await;
        let error = only_error(&outcome(&station, code).await);
        assert_eq!(error.class(), pb::FailureClass::Catalogue, "{error:?}");
        assert!(error.hint.contains("history_table"), "{error:?}");
        assert_eq!(branch.contents().await, before, "{code}");
    }
}

/// The file that was edited after it was applied is named; when it is restored, the branch goes on.
#[tokio::test(flavor = "multi_thread")]
async fn an_edited_file_stops_every_branch_until_it_is_restored() {
    let (station, branches) = waiting(postgres().await).await;
    station.migration("1_Customers.sql", &FIRST.replace("email", "mail"));
    for (code, branch) in &branches {
        let before = branch.contents().await;
        let error = only_error(&outcome(&station, code).await);
        assert_eq!((error.class(), error.file.as_str()), (pb::FailureClass::Checksum, "1_Customers.sql"), "{error:?}");
        assert_eq!(branch.contents().await, before, "{code}");
    }
    station.migration("1_Customers.sql", FIRST);
    for (code, _) in &branches {
        let result = outcome(&station, code).await;
        assert_eq!(result.applied_migrations, ["2_Orders"], "{result:?}");
        assert_eq!(status_of(&station, code).await.retry_count, 0);
    }
}

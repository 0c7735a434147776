//! A statement whose outcome cannot be read back: the branch waits for a person, who settles it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use std::path::Path;

use branchkeeper::domain::StatementDigest;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tonic::Code;

use crate::support::pb::{self, ApplyRequest, FailureClass, HistoryRequest, MigrationStatus, ResolveRequest};
use crate::support::{Program, Station, sqlite_branch};

async fn open(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).connect().await.unwrap()
}

async fn apply(station: &Station) -> pb::MigrationResult {
    let request = ApplyRequest { branch: "BR001".into(), ..ApplyRequest::default() };
    station.migrations().await.apply(request).await.unwrap().into_inner().result.unwrap()
}

async fn status(station: &Station) -> MigrationStatus {
    let request = HistoryRequest { branch: "BR001".into() };
    station.migrations().await.history(request).await.unwrap().into_inner().status()
}

fn resolve(station: &Station, arguments: &[&str]) -> std::process::Output {
    Program::new(["--server", &station.url(), "resolve", "BR001"]).args(arguments).run()
}

/// A branch that stands at the second statement of its only migration, as after a kill while it ran: it writes a copy of
/// the database, of which the database itself knows nothing.
async fn stuck(copy: &Path) -> Station {
    let mut station = Station::new();
    let statement = format!("VACUUM INTO '{}'", copy.display());
    station
        .migration("1_Copy.sql", &format!("CREATE TABLE t (n INTEGER);\n{statement};\nCREATE TABLE u (n INTEGER);\n"));
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    // The statement fails, because the copy is there, and that is then made to look as if nobody had heard of it.
    std::fs::write(copy, "something else").unwrap();
    assert!(!apply(&station).await.success);
    let mut connection = open(&station.sqlite_file("BR001")).await;
    let digest = StatementDigest::of(&statement);
    let sql = format!("UPDATE __MigrationsHistory SET intent = '{}' WHERE state = 'partial'", digest.as_str());
    let changed = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    assert_eq!(changed.rows_affected(), 1);
    connection.close().await.unwrap();
    let error = apply(&station).await.errors.remove(0);
    assert_eq!((error.class(), error.line), (FailureClass::Ambiguous, 2), "{error:?}");
    assert_eq!((&*error.file, &*error.statement), ("1_Copy.sql", &*statement));
    assert!(error.hint.contains("branchkeeper resolve BR001 --applied"), "{}", error.hint);
    assert_eq!(status(&station).await, MigrationStatus::RequiresManualIntervention);
    station
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_took_effect_is_not_run_again() {
    let folder = crate::support::temp_dir();
    let copy = folder.path().join("copy.db");
    let station = stuck(&copy).await;
    let done = resolve(&station, &["--applied"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(status(&station).await, MigrationStatus::Pending);
    assert!(apply(&station).await.success);
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "something else");
    let again = resolve(&station, &["--applied"]);
    assert_eq!(again.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&again.stderr).contains("nothing to resolve"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_waits_for_a_person_is_settled_and_finished() {
    let folder = crate::support::temp_dir();
    let copy = folder.path().join("copy.db");
    let statement = format!("VACUUM INTO '{}'", copy.display());
    let mut station = Station::new();
    station.migration("1_Copy.up.sql", "CREATE TABLE t (n INTEGER);\n");
    station.migration("1_Copy.down.sql", &format!("INSERT INTO t VALUES (1);\n{statement};\nDROP TABLE t;\n"));
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    assert!(apply(&station).await.success);
    let rollback = async || {
        let request = pb::RollbackRequest { branch: "BR001".into(), allow_data_loss: true, ..Default::default() };
        station.migrations().await.rollback(request).await.unwrap().into_inner().result.unwrap()
    };
    std::fs::write(&copy, "something else").unwrap();
    let error = rollback().await.errors.remove(0);
    assert_eq!((&*error.file, error.line, error.statements_done), ("1_Copy.down.sql", 2, 1), "{error:?}");
    let refused = apply(&station).await.errors.remove(0);
    assert!(refused.message.contains("half undone") && refused.hint.contains("branchkeeper down"), "{refused:?}");
    let mut connection = open(&station.sqlite_file("BR001")).await;
    let digest = StatementDigest::of(&statement);
    let sql = format!("UPDATE __MigrationsHistory SET intent = '{}' WHERE state = 'partial'", digest.as_str());
    assert_eq!(sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap().rows_affected(), 1);
    connection.close().await.unwrap();
    let error = rollback().await.errors.remove(0);
    assert_eq!((error.class(), error.line), (FailureClass::Ambiguous, 2), "{error:?}");
    assert_eq!(status(&station).await, MigrationStatus::RequiresManualIntervention);
    let done = resolve(&station, &["--applied"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(rollback().await.rolled_back_migrations, ["1_Copy"]);
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "something else", "it was not run again");
    assert!(apply(&station).await.success, "and the other way is open again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_took_no_effect_is_run_again() {
    let folder = crate::support::temp_dir();
    let copy = folder.path().join("copy.db");
    let station = stuck(&copy).await;
    assert_eq!(resolve(&station, &[]).status.code(), Some(2));
    assert_eq!(resolve(&station, &["--applied", "--not-applied"]).status.code(), Some(2));
    let mut client = station.migrations().await;
    let vague = ResolveRequest { branch: "BR001".into(), ..ResolveRequest::default() };
    assert_eq!(client.resolve(vague.clone()).await.unwrap_err().code(), Code::InvalidArgument);
    let other = ResolveRequest { migration_id: "2_Other".into(), applied: Some(false), ..vague };
    assert_eq!(client.resolve(other).await.unwrap_err().code(), Code::FailedPrecondition);
    std::fs::remove_file(&copy).unwrap();
    let done = resolve(&station, &["--not-applied", "--migration", "1_Copy", "--output", "json"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(apply(&station).await.success);
    let rows = sqlx::query("SELECT 1 FROM t").fetch_all(&mut open(&copy).await).await.unwrap();
    assert!(rows.is_empty(), "the copy is a database with the first table");
}

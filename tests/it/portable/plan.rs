//! Plans of portable migrations: a SQLite table's rebuild is shown as the SQL that runs.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};
use tonic::Code;

use crate::support::pb::{self, ApplyRequest, PlanRequest, RollbackRequest};
use crate::support::{Station, outcome, refused, sqlite_branch, temp_dir};

const TABLES: &str = "up:
  - create_table:
      name: Sales
      columns:
        Id:    { type: bigint, identity: true, primary_key: true }
        Shop:  { type: int, nullable: true }
        Total: { type: \"decimal(12,2)\", default: 0 }
      indexes:
        - { columns: [Total, Id desc] }
";
const REBUILT: &str = "up:
  - add_column: { table: Sales, name: Note, type: string(400), nullable: true }
  - alter_column: { table: Sales, name: Shop, type: int, nullable: false, default: 1, was: { type: int, nullable: true, default: null } }
  - add_check: { table: Sales, name: CK_Sales_Total, check: '\"Total\" >= 0' }
";

async fn plan(station: &Station, direction: pb::Direction) -> pb::PlanResponse {
    let request = PlanRequest { branch: "BR001".into(), direction: direction.into(), ..PlanRequest::default() };
    station.migrations().await.plan(request).await.unwrap().into_inner()
}

/// The tables and indexes of a file that are not Branchkeeper's own.
async fn schema(file: &Path) -> Vec<String> {
    let mut connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let text = "SELECT type || ' ' || name || ': ' || sql FROM sqlite_schema WHERE sql IS NOT NULL
        AND tbl_name NOT LIKE '\\_\\_%' ESCAPE '\\' ORDER BY 1";
    let texts: Vec<String> = sqlx::query_scalar(text).fetch_all(&mut connection).await.unwrap();
    // SQLite stores the text of an index with the white space before its semicolon.
    texts.into_iter().map(|text| text.trim_end().to_owned()).collect()
}

/// What the planned statements make of a copy of the file, run as they are shown.
async fn run_by_hand(file: &Path, plan: &pb::PlanResponse) -> Vec<String> {
    let folder = temp_dir();
    let copy = folder.path().join("copy.db");
    if file.exists() {
        let mut connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
        let text = format!("VACUUM INTO '{}'", copy.display());
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.unwrap();
    }
    let options = SqliteConnectOptions::new().filename(&copy).create_if_missing(true).foreign_keys(false);
    let mut connection = options.connect().await.unwrap();
    for statement in plan.migrations.iter().flat_map(|each| &each.statements) {
        let ran = sqlx::raw_sql(AssertSqlSafe(format!("{};", statement.sql))).execute(&mut connection).await;
        ran.unwrap_or_else(|error| panic!("{error}: {}", statement.sql));
    }
    drop(connection);
    schema(&copy).await
}

/// The statements of the last planned migration that stand at this line.
fn at(plan: &pb::PlanResponse, line: u32) -> Vec<&pb::PlannedStatement> {
    plan.migrations.last().unwrap().statements.iter().filter(|each| each.line == line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_is_planned_as_the_sql_that_runs() {
    let mut station = Station::new();
    station.migration("1_Tables.yaml", TABLES);
    station.migration("2_Rebuilt.yaml", REBUILT);
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    let file = station.sqlite_file("BR001");

    let all = plan(&station, pb::Direction::Up).await;
    assert!(!file.exists(), "nothing is made to plan it");
    let by_hand = run_by_hand(&file, &all).await;
    let rebuild = at(&all, 3);
    assert!(
        rebuild.len() > 4 && rebuild.iter().any(|each| each.sql.contains("CONSTRAINT \"CK_Sales_Total\"")),
        "{all:?}"
    );
    assert!(rebuild.iter().all(|each| each.transactional && each.transaction == rebuild[0].transaction), "{all:?}");
    let tells = |each: &&pb::PlannedStatement| each.note.contains("does what lines 3 and 4 say");
    assert!(rebuild.iter().all(tells), "each part tells of all its operations: {all:?}");
    assert!(all.warnings.is_empty(), "{:?}", all.warnings);

    // With the first applied, the rest is the same, and has the same digest each time.
    let first = ApplyRequest { branch: "BR001".into(), target_migration: "1".into(), ..ApplyRequest::default() };
    assert!(station.migrations().await.apply(first).await.unwrap().into_inner().result.unwrap().success);
    let before = schema(&file).await;
    let rest = plan(&station, pb::Direction::Up).await;
    let texts = |plan: &pb::PlanResponse| -> Vec<String> {
        plan.migrations.last().unwrap().statements.iter().map(|each| each.sql.clone()).collect()
    };
    assert_eq!(texts(&rest), texts(&all));
    assert_eq!(plan(&station, pb::Direction::Up).await, rest);
    assert_eq!((schema(&file).await, run_by_hand(&file, &rest).await), (before.clone(), by_hand.clone()));
    let bound = ApplyRequest { branch: "BR001".into(), plan_digest: rest.digest, ..ApplyRequest::default() };
    let result = station.migrations().await.apply(bound).await.unwrap().into_inner().result.unwrap();
    assert!(result.success, "{result:?}");
    assert_eq!(schema(&file).await, by_hand);

    let down = plan(&station, pb::Direction::Down).await;
    let lossy: Vec<_> = down.migrations[0].statements.iter().filter(|each| each.destructive).collect();
    assert!(matches!(lossy[..], [one] if one.note.contains("the column Note of Sales")), "{down:?}");
    assert!(down.migrations[0].statements.iter().any(|each| each.sql.starts_with("CREATE TABLE")), "{down:?}");
    assert_eq!(run_by_hand(&file, &down).await, before);
    let request = RollbackRequest {
        branch: "BR001".into(),
        allow_data_loss: true,
        plan_digest: down.digest,
        ..RollbackRequest::default()
    };
    let result = station.migrations().await.rollback(request).await.unwrap().into_inner().result.unwrap();
    assert!(result.success, "{result:?}");
    assert_eq!(schema(&file).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_another_when_a_table_that_it_rebuilds_has_changed() {
    let mut station = Station::new();
    station.migration("1_Tables.yaml", TABLES);
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    assert!(outcome(&station, "BR001").await.success);
    station.migration("2_Rebuilt.yaml", REBUILT);
    let old = plan(&station, pb::Direction::Up).await;
    let file = station.sqlite_file("BR001");
    let by_hand = async |sql: &'static str| {
        let mut connection = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    };
    let apply = async |digest: &str, dry_run: bool| {
        let (branch, plan_digest) = ("BR001".to_owned(), digest.to_owned());
        let request = ApplyRequest { branch, plan_digest, dry_run, ..ApplyRequest::default() };
        station.migrations().await.apply(request).await
    };
    by_hand("ALTER TABLE \"Sales\" ADD COLUMN \"Extra\" TEXT").await;
    let before = schema(&file).await;
    for dry_run in [true, false] {
        let status = refused(apply(&old.digest, dry_run).await, Code::FailedPrecondition, "PLAN_CHANGED");
        assert!(status.message().contains("digest"), "{status:?}");
        assert_eq!(schema(&file).await, before, "nothing was changed");
    }
    let new = plan(&station, pb::Direction::Up).await;
    assert_ne!(new.digest, old.digest);
    // What no rebuild has to do with does not matter.
    by_hand("CREATE TABLE elsewhere (a)").await;
    assert_eq!(plan(&station, pb::Direction::Up).await.digest, new.digest);
    for dry_run in [true, false] {
        let result = apply(&new.digest, dry_run).await.unwrap().into_inner().result.unwrap();
        assert!(result.success, "{result:?}");
    }
    assert!(schema(&file).await.iter().any(|text| text.contains("Extra") && text.contains("CK_Sales_Total")));
    // The way down is bound in the same way.
    let down = plan(&station, pb::Direction::Down).await;
    by_hand("CREATE INDEX \"Mine\" ON \"Sales\" (\"Extra\")").await;
    let request = RollbackRequest {
        branch: "BR001".into(),
        allow_data_loss: true,
        plan_digest: down.digest,
        ..RollbackRequest::default()
    };
    refused(station.migrations().await.rollback(request).await, Code::FailedPrecondition, "PLAN_CHANGED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_would_fail_is_planned_in_words_and_says_so() {
    let mut station = Station::new();
    station.migration("1_Wrong.yaml", "up:\n  - add_check: { table: Gone, name: CK, check: '\"Total\" >= 0' }\n");
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    let found = plan(&station, pb::Direction::Up).await;
    let [statement] = &found.migrations[0].statements[..] else { panic!("{found:?}") };
    assert!(statement.sql.starts_with("rebuild table Gone: "), "{found:?}");
    let [warning] = &found.warnings[..] else { panic!("{found:?}") };
    assert!(warning.starts_with("1_Wrong (1_Wrong.yaml:2) would fail as things stand: the table 'Gone'"), "{warning}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_undone_says_which_operation_stands_in_the_way() {
    let mut station = Station::new();
    station.migration("1_Tables.yaml", TABLES);
    station.migration("2_Rows.yaml", "up:\n  - add_column: { table: Sales, name: Note, type: text, nullable: true }\n  - delete: { table: Sales, where: '\"Shop\" = 1' }\n");
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    assert!(outcome(&station, "BR001").await.success);
    let request = RollbackRequest { branch: "BR001".into(), allow_data_loss: true, ..RollbackRequest::default() };
    let result = station.migrations().await.rollback(request).await.unwrap().into_inner().result.unwrap();
    let error = &result.errors[0];
    assert!(!result.success && result.rolled_back_migrations.is_empty(), "{result:?}");
    assert_eq!((&*error.migration_id, &*error.file, error.line), ("2_Rows", "2_Rows.yaml", 3), "{error:?}");
    let says = "2_Rows cannot be undone: delete can't be undone by itself; write 'down:' (2_Rows.yaml:3)";
    assert!(error.message.contains(says), "{error:?}");
    let way = PlanRequest { branch: "BR001".into(), direction: pb::Direction::Down.into(), ..PlanRequest::default() };
    let status = refused(station.migrations().await.plan(way).await, Code::FailedPrecondition, "PLAN_REFUSED");
    assert!(status.message().contains(says), "{status:?}");
}

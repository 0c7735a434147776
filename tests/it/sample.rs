//! The sample goes up, down and up again on every provider, and leaves the same schema each time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use crate::support::pb::rollback_request::Extent;
use crate::support::{
    Database, Product, Server, Station, mariadb, mysql, outcome, pb, postgres, server_branch, sqlite_branch,
};

/// Everything that the catalog says of tables, columns, keys and indexes, the ledger's tables left out.
const SQLITE: &str = "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || COALESCE(sql, '') FROM sqlite_schema
  WHERE tbl_name NOT LIKE '\\_\\_Migrations%' ESCAPE '\\' AND tbl_name <> 'sqlite_sequence' ORDER BY 1";
const POSTGRES: &str = "SELECT text FROM (
  SELECT concat_ws(' ', 'column', table_name, column_name, data_type, is_nullable, column_default) AS text, table_name
    FROM information_schema.columns WHERE table_schema = 'public'
  UNION ALL SELECT 'index ' || indexdef, tablename FROM pg_indexes WHERE schemaname = 'public'
  UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid)),
    conrelid::regclass::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace) AS everything
  WHERE table_name NOT LIKE '%\\_\\_Migrations%' ORDER BY 1";
const MYSQL: &str = "SELECT text FROM (
  SELECT CONCAT_WS(' ', 'column', TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA) AS text,
    TABLE_NAME AS t FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
  UNION ALL SELECT CONCAT_WS(' ', 'index', TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, NON_UNIQUE), TABLE_NAME
    FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()
  UNION ALL SELECT CONCAT_WS(' ', 'constraint', TABLE_NAME, CONSTRAINT_NAME, CONSTRAINT_TYPE), TABLE_NAME
    FROM information_schema.TABLE_CONSTRAINTS WHERE TABLE_SCHEMA = DATABASE()) AS everything
  WHERE t NOT LIKE '\\_\\_Migrations%' ORDER BY 1";

/// Where the schema is looked at, past the service.
enum Place {
    File(std::path::PathBuf),
    Server(Database),
}

impl Place {
    async fn schema(&self) -> Vec<String> {
        match self {
            Self::File(file) => {
                let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.unwrap();
                let rows = sqlx::raw_sql(SQLITE).fetch_all(&mut connection).await.unwrap();
                rows.iter().map(|row| row.get_unchecked(0)).collect()
            }
            Self::Server(Database { server, name }) if server.product == Product::Postgres => {
                let rows = sqlx::raw_sql(POSTGRES).fetch_all(&mut server.connect_to(name).await).await.unwrap();
                rows.iter().map(|row| row.get_unchecked(0)).collect()
            }
            Self::Server(Database { server, name }) => {
                let mut connection = server.mysql_connect_to(name).await;
                let rows = sqlx::raw_sql(AssertSqlSafe(MYSQL)).fetch_all(&mut connection).await.unwrap();
                rows.iter().map(|row| row.get_unchecked(0)).collect()
            }
        }
    }
}

async fn up_down_up(mut station: Station, branch: pb::Branch, place: impl FnOnce(&Station) -> Place) {
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("branch_migrations");
    for entry in std::fs::read_dir(sample).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        station.migration(&name, &std::fs::read_to_string(entry.path()).unwrap());
    }
    station.start().await;
    station.register(branch).await;
    let place = place(&station);
    assert!(outcome(&station, "BR001").await.success);
    let before = place.schema().await;
    assert!(before.len() > 20, "{before:?}");
    for steps in 1..=4 {
        let extent = Some(Extent::Steps(steps));
        let request =
            pb::RollbackRequest { branch: "BR001".into(), extent, allow_data_loss: true, ..Default::default() };
        let result = station.migrations().await.rollback(request).await.unwrap().into_inner().result.unwrap();
        assert_eq!((result.success, result.rolled_back_migrations.len()), (true, steps as usize), "{result:?}");
        assert_ne!(place.schema().await, before);
        if steps == 4 {
            assert_eq!(place.schema().await, Vec::<String>::new(), "nothing is left");
        }
        let result = outcome(&station, "BR001").await;
        assert!(result.success && result.applied_migrations.len() == steps as usize, "{result:?}");
        assert_eq!(place.schema().await, before, "after {steps} down and up");
    }
}

async fn on(server: &'static Server) {
    let database = server.fresh_database().await;
    let mut station = Station::new();
    station.variable("BRANCH_PASSWORD", &server.password);
    let branch = server_branch("BR001", server, &database.name, "env:BRANCH_PASSWORD");
    up_down_up(station, branch, |_| Place::Server(database)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite() {
    let place = |station: &Station| Place::File(station.sqlite_file("BR001"));
    up_down_up(Station::new(), sqlite_branch("BR001"), place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    on(postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb() {
    if let Some(server) = mariadb().await {
        on(server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mysql() {
    if let Some(server) = mysql().await {
        on(server).await;
    }
}

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqlSafeStr};
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::fleet::{Fleet, Kind, Ours, PARALLEL, code};
use crate::support::{Database, Product, Server, sqlserver};
use branchkeeper::domain::Provider;
use branchkeeper::source::split;

/// Which migrations a database has.
const LEDGER: &str = "SELECT migration_id, checksum FROM __MigrationsHistory ORDER BY sequence";

/// What was migrated; it goes when this does.
pub(crate) struct Migrated {
    _databases: Vec<Database>,
    _folder: Option<TempDir>,
}

/// Migrates a fleet of new databases with the driver alone.
pub(crate) async fn fresh(fleet: &Fleet) -> (Duration, Migrated) {
    let scripts = Arc::new(fleet.scripts());
    match fleet.kind {
        Kind::Sqlite => {
            let folder = crate::support::temp_dir();
            let place = Arc::new(folder.path().to_owned());
            let took = timed(fleet.size(), move |index| {
                let (place, scripts) = (Arc::clone(&place), Arc::clone(&scripts));
                async move {
                    let file = place.join(format!("{index}/{index}.db"));
                    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                    let mut connection = sqlite(&file).create_if_missing(true).connect().await.unwrap();
                    for script in scripts.iter() {
                        let text = format!("BEGIN;\n{script};\nCOMMIT;");
                        connection.execute(sqlx::raw_sql(AssertSqlSafe(text).into_sql_str())).await.unwrap();
                    }
                    connection.close().await.unwrap();
                }
            })
            .await;
            (took, Migrated { _databases: Vec::new(), _folder: Some(folder) })
        }
        Kind::Server(server) => {
            let databases = fleet.fresh_databases().await;
            let names: Arc<Vec<String>> = Arc::new(databases.iter().map(|database| database.name.clone()).collect());
            let took = timed(fleet.size(), move |index| {
                let (names, scripts) = (Arc::clone(&names), Arc::clone(&scripts));
                async move { migrate(server, &names[index], &scripts).await }
            })
            .await;
            (took, Migrated { _databases: databases, _folder: None })
        }
    }
}

/// Asks the databases that were migrated which migrations they have, with the driver alone.
pub(crate) async fn current(ours: &Ours<'_>) -> Duration {
    match ours.fleet.kind {
        Kind::Sqlite => {
            let files: Arc<Vec<_>> =
                Arc::new((0..ours.size()).map(|index| ours.station.sqlite_file(&code(index))).collect());
            timed(ours.size(), move |index| {
                let files = Arc::clone(&files);
                async move {
                    let mut connection = sqlite(&files[index]).connect().await.unwrap();
                    assert_eq!(sqlx::query(LEDGER).fetch_all(&mut connection).await.unwrap().len(), 4);
                    connection.close().await.unwrap();
                }
            })
            .await
        }
        Kind::Server(server) => {
            let names: Arc<Vec<String>> =
                Arc::new(ours.databases.iter().map(|database| database.name.clone()).collect());
            timed(ours.size(), move |index| {
                let names = Arc::clone(&names);
                async move { assert_eq!(look(server, &names[index]).await, 4) }
            })
            .await
        }
    }
}

fn sqlite(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(file)
}

/// Runs the scripts: each in a transaction where that means something, statement by statement where the server takes no
/// more at once.
async fn migrate(server: &'static Server, database: &str, scripts: &[String]) {
    match server.product {
        Product::Postgres => {
            let mut connection = server.connect_to(database).await;
            for script in scripts {
                let text = format!("BEGIN;\n{script};\nCOMMIT;");
                connection.execute(sqlx::raw_sql(AssertSqlSafe(text).into_sql_str())).await.unwrap();
            }
            connection.close().await.unwrap();
        }
        Product::MariaDb | Product::MySql => {
            let mut connection = mysql(server, database).await;
            for script in scripts {
                for statement in split(Provider::MySql, "bench", script).unwrap() {
                    connection.execute(sqlx::raw_sql(AssertSqlSafe(statement.sql).into_sql_str())).await.unwrap();
                }
            }
            connection.close().await.unwrap();
        }
        Product::SqlServer => {
            let mut connection = sqlserver::connect(server, database).await.unwrap();
            let setup = "SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL ON; \
                         SET QUOTED_IDENTIFIER, XACT_ABORT ON";
            sqlserver::rows(&mut connection, setup).await.unwrap();
            for script in scripts {
                sqlserver::rows(&mut connection, "BEGIN TRANSACTION").await.unwrap();
                for batch in split(Provider::SqlServer, "bench", script).unwrap() {
                    sqlserver::rows(&mut connection, &batch.sql).await.unwrap();
                }
                sqlserver::rows(&mut connection, "COMMIT").await.unwrap();
            }
            connection.close().await.unwrap();
        }
    }
}

/// Asks one question, and says how many rows the answer has.
async fn look(server: &'static Server, database: &str) -> usize {
    match server.product {
        Product::Postgres => {
            let mut connection = server.connect_to(database).await;
            let question = LEDGER.replace("__MigrationsHistory", "\"__MigrationsHistory\"");
            let rows = sqlx::query(AssertSqlSafe(question)).fetch_all(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            rows.len()
        }
        Product::MariaDb | Product::MySql => {
            let mut connection = mysql(server, database).await;
            let rows = connection.fetch_all(sqlx::raw_sql(LEDGER)).await.unwrap();
            connection.close().await.unwrap();
            rows.len()
        }
        Product::SqlServer => {
            let mut connection = sqlserver::connect(server, database).await.unwrap();
            let rows = sqlserver::rows(&mut connection, LEDGER).await.unwrap();
            connection.close().await.unwrap();
            rows.len()
        }
    }
}

/// A connection with the server's own settings, as migrations want it.
async fn mysql(server: &'static Server, database: &str) -> sqlx::mysql::MySqlConnection {
    let options = server.mysql_options(database).pipes_as_concat(false).no_engine_substitution(false);
    options.timezone(None).set_names(false).connect().await.unwrap()
}

/// Does `work` for every index, as many at once as the service does.
async fn timed<F: Future<Output = ()> + Send + 'static>(size: usize, work: impl Fn(usize) -> F) -> Duration {
    let places = Arc::new(Semaphore::new(PARALLEL));
    let begun = Instant::now();
    let mut all = JoinSet::new();
    for index in 0..size {
        let places = Arc::clone(&places);
        let work = work(index);
        all.spawn(async move {
            let _place = places.acquire_owned().await.unwrap();
            work.await;
        });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    begun.elapsed()
}

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqlSafeStr};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::fleet::{Fleet, Kind, PARALLEL};
use crate::support::{Product, Server, sqlserver};
use branchkeeper::domain::Provider;
use branchkeeper::source::split;

/// How long each part of a turn took.
pub(crate) struct Times {
    pub(crate) fresh: Duration,
    pub(crate) current: Duration,
}

/// Migrates a fleet of new databases with the driver alone, then asks each one question.
pub(crate) async fn turn(fleet: &Fleet) -> Times {
    match &fleet.kind {
        Kind::Sqlite => {
            let folder = crate::support::temp_dir();
            let place = Arc::new(folder.path().to_owned());
            let scripts = Arc::new(fleet.scripts());
            let options = |place: &std::path::Path, index: usize| {
                let file = place.join(format!("{index}/{index}.db"));
                sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true)
            };
            let fresh = {
                let place = Arc::clone(&place);
                timed(fleet.size(), move |index| {
                    let (place, scripts) = (Arc::clone(&place), Arc::clone(&scripts));
                    async move {
                        std::fs::create_dir_all(place.join(index.to_string())).unwrap();
                        let mut connection = options(&place, index).connect().await.unwrap();
                        for script in scripts.iter() {
                            let text = format!("BEGIN;\n{script};\nCOMMIT;");
                            connection.execute(sqlx::raw_sql(AssertSqlSafe(text).into_sql_str())).await.unwrap();
                        }
                        connection.close().await.unwrap();
                    }
                })
                .await
            };
            let current = timed(fleet.size(), move |index| {
                let place = Arc::clone(&place);
                async move {
                    let mut connection = options(&place, index).connect().await.unwrap();
                    sqlx::query("SELECT name FROM sqlite_master").fetch_all(&mut connection).await.unwrap();
                    connection.close().await.unwrap();
                }
            })
            .await;
            Times { fresh, current }
        }
        Kind::Server(server) => {
            let server: &'static Server = server;
            let databases = fleet.fresh_databases().await;
            let names: Arc<Vec<String>> = Arc::new(databases.iter().map(|database| database.name.clone()).collect());
            let scripts = Arc::new(fleet.scripts());
            let fresh = {
                let names = Arc::clone(&names);
                timed(fleet.size(), move |index| {
                    let (names, scripts) = (Arc::clone(&names), Arc::clone(&scripts));
                    async move { migrate(server, &names[index], &scripts).await }
                })
                .await
            };
            let current = timed(fleet.size(), move |index| {
                let names = Arc::clone(&names);
                async move { look(server, &names[index]).await }
            })
            .await;
            Times { fresh, current }
        }
    }
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

/// Asks one question.
async fn look(server: &'static Server, database: &str) {
    match server.product {
        Product::Postgres => {
            let mut connection = server.connect_to(database).await;
            let question = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
            sqlx::query(question).fetch_all(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        Product::MariaDb | Product::MySql => {
            let mut connection = mysql(server, database).await;
            connection.execute(sqlx::raw_sql("SHOW TABLES")).await.unwrap();
            connection.close().await.unwrap();
        }
        Product::SqlServer => {
            let mut connection = sqlserver::connect(server, database).await.unwrap();
            sqlserver::rows(&mut connection, "SELECT name FROM sys.tables").await.unwrap();
            connection.close().await.unwrap();
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

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqlSafeStr};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::fleet::{Fleet, Kind, PARALLEL};

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
        Kind::Postgres(server) => {
            let server: &'static crate::support::Server = server;
            let databases = fleet.fresh_databases().await;
            let names: Arc<Vec<String>> = Arc::new(databases.iter().map(|database| database.name.clone()).collect());
            let scripts = Arc::new(fleet.scripts());
            let fresh = {
                let names = Arc::clone(&names);
                timed(fleet.size(), move |index| {
                    let (names, scripts) = (Arc::clone(&names), Arc::clone(&scripts));
                    async move {
                        let mut connection = server.connect_to(&names[index]).await;
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
                let names = Arc::clone(&names);
                async move {
                    let mut connection = server.connect_to(&names[index]).await;
                    sqlx::query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
                        .fetch_all(&mut connection)
                        .await
                        .unwrap();
                    connection.close().await.unwrap();
                }
            })
            .await;
            Times { fresh, current }
        }
    }
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

//! The helpers themselves.

use sqlx::{Executor, Row};

use crate::support::postgres;

#[tokio::test]
async fn every_test_has_a_database_of_its_own() {
    let server = postgres().await;
    let (one, two) = (server.fresh_database().await, server.fresh_database().await);
    assert_ne!(one.name, two.name);
    let mut connection = one.connect().await;
    connection.execute("CREATE TABLE t (a int)").await.unwrap();
    let row = connection.fetch_one("SELECT current_database()").await.unwrap();
    assert_eq!(row.get::<String, _>(0), one.name);
    assert!(two.connect().await.execute("SELECT * FROM t").await.is_err());

    let name = one.name.clone();
    drop(one);
    let query = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(name);
    assert!(query.fetch_optional(&mut two.connect().await).await.unwrap().is_none());
}

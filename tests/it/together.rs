//! What branches of one server, and runs over the same branches, share.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::support::pb::{self, ApplyAllRequest};
use crate::support::{
    Proxy, SESSIONS, Station, apply_all, ended, finished, mariadb, mysql, server_branch, sqlite_branch,
};

/// Many branches on one server are looked at over a few connections, which are closed when nobody needs them.
#[tokio::test(flavor = "multi_thread")]
async fn looks_share_their_connections() {
    for server in [mariadb().await, mysql().await].into_iter().flatten() {
        let proxy = Proxy::to(&server.host, server.port).await;
        let mut station = Station::new();
        station.variable("BRANCH_PASSWORD", &server.password);
        station.set("PARALLEL__PER_HOST", "3");
        station.migration("1_Customers.sql", "CREATE TABLE customers (id INTEGER PRIMARY KEY);\n");
        station.start().await;
        let mut databases = Vec::new();
        for index in 0..12 {
            let database = server.fresh_database().await;
            let mut branch = server_branch(&format!("BR{index:03}"), server, &database.name, "env:BRANCH_PASSWORD");
            if let Some(pb::connection::Kind::Server(server)) = &mut branch.connection.as_mut().unwrap().kind {
                (server.host, server.port) = ("127.0.0.1".into(), proxy.port().into());
            }
            station.register(branch).await;
            databases.push(database);
        }
        assert!(ended(&apply_all(&station, ApplyAllRequest::default()).await).success);
        let before = proxy.accepted();
        let events = apply_all(&station, ApplyAllRequest::default()).await;
        assert_eq!(ended(&events).branches_succeeded, 12);
        let made = proxy.accepted() - before;
        assert!((1..=3).contains(&made), "{made} connections for 12 branches, 3 at a time");

        // One of them lacks something: that is found out over a shared connection, and seen to.
        let name = &databases[5].name;
        let mut other = server.mysql_connect_to(name).await;
        other.execute("DROP TABLE customers, __MigrationsHistory").await.unwrap();
        let events = apply_all(&station, ApplyAllRequest::default()).await;
        assert!(ended(&events).success);
        assert_eq!(finished(&events, "BR005").applied_migrations, ["1_Customers"]);
        assert_eq!(ended(&events).applied_migrations, ["[BR005] 1_Customers"]);

        let names: Vec<String> = databases.iter().map(|database| format!("'{}'", database.name)).collect();
        let left = format!(
            "SELECT CAST(COUNT(*) AS CHAR) FROM {SESSIONS} WHERE db IN ({}) AND id <> CONNECTION_ID()",
            names.join(", ")
        );
        let mut looks = 0;
        loop {
            let left: String = sqlx::query_scalar(AssertSqlSafe(left.clone())).fetch_one(&mut other).await.unwrap();
            if left == "0" {
                break;
            }
            looks += 1;
            assert!(looks < 400, "{left} connections are left");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        other.close().await.unwrap();
        station.stop();
    }
}

/// Whoever asks for all branches while some of them are being migrated hears of them when that is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_for_who_works_on_its_branches() {
    let mut station = Station::new();
    station.migration(
        "1_Slow.sql",
        "CREATE TABLE slow (n INTEGER);\nINSERT INTO slow WITH RECURSIVE n(i) AS \
         (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i FROM n;\n",
    );
    station.start().await;
    for index in 0..6 {
        station.register(sqlite_branch(&format!("BR{index:03}"))).await;
    }
    let all = || apply_all(&station, ApplyAllRequest::default());
    let (one, two, three) = tokio::join!(all(), all(), all());
    let mut applied = 0;
    for events in [one, two, three] {
        let result = ended(&events);
        assert!(result.success, "{:?}", result.errors);
        assert_eq!(result.branches_succeeded, 6);
        applied += result.applied_migrations.len();
    }
    assert_eq!(applied, 6, "each branch is migrated by one of them");
}

/// No longer than the lock of a branch is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_does_not_wait_for_ever() {
    let mut station = Station::new();
    station.set("LOCK__WAIT", "1s");
    station.migration(
        "1_Slow.sql",
        "CREATE TABLE slow (n INTEGER);\nINSERT INTO slow WITH RECURSIVE n(i) AS \
         (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000000) SELECT i FROM n;\n",
    );
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    let mut first = station.migrations().await.apply_all(ApplyAllRequest::default()).await.unwrap().into_inner();
    let mut run = String::new();
    while let Some(message) = first.message().await.unwrap() {
        let event = message.event.unwrap();
        run.clone_from(&event.run_id);
        if matches!(event.event, Some(pb::run_event::Event::MigrationStarted(_))) {
            break;
        }
    }
    let second = ended(&apply_all(&station, ApplyAllRequest::default()).await);
    assert!(!second.success);
    assert_eq!(second.errors.len(), 1);
    assert_eq!(second.errors[0].class(), pb::FailureClass::Locked, "{:?}", second.errors);
    station.migrations().await.cancel_run(pb::CancelRunRequest { run_id: run }).await.unwrap();
    while first.message().await.unwrap().is_some() {}
}

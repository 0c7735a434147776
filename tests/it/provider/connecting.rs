use branchkeeper::domain::ObjectName;
use branchkeeper::provider::{ErrorKind, Session, create, test};

use super::fixture::{Fixture, Notes, planned, soon, sql, work};
use crate::support::{Database, Gap, Product};

on_every_provider!(
    what_is_missing_is_created_on_request_only,
    creating_twice_at_once_is_harmless,
    an_empty_database_has_an_empty_ledger,
    a_table_of_another_shape_is_not_a_ledger,
    ledger_rows_are_not_trusted,
    tables_are_listed_without_our_own,
);

async fn what_is_missing_is_created_on_request_only(mut fixture: Fixture) {
    let mut made = None;
    if fixture.is_mysql() || fixture.is_sqlserver() {
        let server = fixture.database().server;
        let name = server.unique_name();
        fixture.server_mut().database = name.clone();
        made = Some(Database { server, name });
    } else if !fixture.is_sqlite() {
        fixture.server_mut().schema = "not there \"yet\"".into();
    }
    let endpoint = fixture.endpoint();
    for _ in 0..2 {
        let report = test(&endpoint, &fixture.settings).await;
        assert!(report.reachable && !report.database_exists, "{report:?}");
        let missing = Session::connect(&endpoint, &fixture.settings).await.err().unwrap();
        assert_eq!(missing.kind, ErrorKind::DatabaseMissing, "{missing:?}");
    }
    create(&endpoint, &fixture.settings).await.unwrap();
    create(&endpoint, &fixture.settings).await.unwrap();
    let mut session = Session::connect(&endpoint, &fixture.settings).await.unwrap();
    assert!(!session.server_version().await.unwrap().is_empty());
    session.close().await;
    let report = test(&endpoint, &fixture.settings).await;
    assert!(report.reachable && report.database_exists && !report.server_version.is_empty(), "{report:?}");
    if let (true, Some(Database { name, .. })) = (fixture.is_mysql(), &made) {
        let charset =
            format!("SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = '{name}'");
        assert_eq!(fixture.value(&charset).await.as_deref(), Some("utf8mb4"));
    }
    drop(made);
}

async fn creating_twice_at_once_is_harmless(mut fixture: Fixture) {
    if !fixture.is_sqlite() {
        let server = fixture.database().server;
        let name = server.unique_name();
        fixture.server_mut().database = name.clone();
        if fixture.product() == Some(Product::Postgres) {
            fixture.server_mut().schema = "tenant".into();
        }
        let endpoint = fixture.endpoint();
        let create = || create(&endpoint, &fixture.settings);
        let results = tokio::join!(create(), create(), create());
        server.drop_database(&name);
        assert_eq!(results, (Ok(()), Ok(()), Ok(())));
        return;
    }
    let endpoint = fixture.endpoint();
    let create = || create(&endpoint, &fixture.settings);
    assert_eq!(tokio::join!(create(), create(), create()), (Ok(()), Ok(()), Ok(())));
}

async fn an_empty_database_has_an_empty_ledger(fixture: Fixture) {
    let mut session = fixture.session().await;
    for _ in 0..2 {
        let ledger = session.ledger().await.unwrap();
        assert!(!ledger.exists && ledger.rows.is_empty());
    }
    assert!(session.tables().await.unwrap().names.is_empty());
}

async fn a_table_of_another_shape_is_not_a_ledger(fixture: Fixture) {
    fixture.create().await;
    fixture.value("CREATE TABLE \"__MigrationsHistory\" (id integer)").await;
    let error = fixture.session().await.ledger().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Ledger, "{error:?}");
    assert!(error.message.contains("__MigrationsHistory"), "{error}");
}

async fn ledger_rows_are_not_trusted(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [sql("SELECT 1")]);
    session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap();
    drop(session);
    let good = fixture.ledger().await;
    assert!(good.exists && good.is_applied("1_one"));

    let newer = "UPDATE \"__MigrationsHistory\" SET format = 99, run_id = 'by hand'";
    fixture.value(newer).await;
    let ledger = fixture.ledger().await;
    assert_eq!((ledger.rows[0].format, ledger.rows[0].run_id), (99, None), "left to the planner");

    let long = "x".repeat(301);
    let mut bad = vec![format!("UPDATE \"__MigrationsHistory\" SET checksum = '{long}'")];
    if fixture.is_sqlite() {
        bad.push("UPDATE \"__MigrationsHistory\" SET checksum = 'ok', applied_at = 'yesterday'".into());
        bad.push("UPDATE \"__MigrationsHistory\" SET applied_at = '2026-01-01T00:00:00Z', format = 'one'".into());
    } else if fixture.is_mysql() {
        let zero = "UPDATE \"__MigrationsHistory\" SET checksum = 'ok', applied_at = '0000-00-00'";
        bad.push(format!("SET sql_mode = 'ANSI_QUOTES'; {zero}"));
    } else if fixture.is_sqlserver() {
        let wide = "ALTER TABLE __MigrationsHistory ALTER COLUMN applied_at nvarchar(40)";
        let bent = "UPDATE __MigrationsHistory SET checksum = ''ok'', applied_at = ''yesterday''";
        bad.push(format!("{wide}; EXEC('{bent}')"));
    } else {
        bad.push("UPDATE \"__MigrationsHistory\" SET checksum = 'ok', applied_at = 'infinity'".into());
    }
    for sql in bad {
        fixture.value(&sql).await;
        let error = fixture.session().await.ledger().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Ledger, "{sql}: {error:?}");
        assert!(error.message.contains("1_one"), "{error}");
    }
}

async fn tables_are_listed_without_our_own(fixture: Fixture) {
    if fixture.is_kept_from(Gap::LowerCaseNames, "the list of tables").await {
        return;
    }
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [sql("SELECT 1")]);
    session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap();
    fixture.value("CREATE TABLE \"Sales\" (a integer)").await;
    fixture.value("CREATE VIEW v AS SELECT 1 AS one").await;
    let home = match fixture.product() {
        None => "main".to_owned(),
        Some(Product::Postgres) => "public".to_owned(),
        Some(Product::SqlServer) => "dbo".to_owned(),
        Some(_) => fixture.database().name.clone(),
    };
    let qualified = ObjectName { schema: Some(home), name: "Sales".into() };
    let expected = [ObjectName::bare("Sales"), qualified].into();
    let tables = session.tables().await.unwrap();
    assert_eq!(tables.names, expected);
    let bare = ObjectName::bare;
    assert!(tables.holds(&bare("Sales")) && !tables.holds(&bare("Sale")));
    let exact = fixture.product() == Some(Product::Postgres);
    assert!(tables.exact == exact || fixture.is_sqlserver(), "SQL Server's collation decides");
    assert_eq!(tables.holds(&bare("SALES")), !tables.exact);
}

use super::{branch_on, number_in, station_for};
use crate::support::{Station, outcome, pb, postgres, sqlite_branch, status_of};

async fn valid(station: &Station, code: &str) -> pb::ValidateResponse {
    let request = pb::ValidateRequest { branch: code.into() };
    station.migrations().await.validate(request).await.unwrap().into_inner()
}

/// sqlx#2659, flyway#253, codex#38528: a checkout with other newlines, or an editor that adds a byte order mark, has
/// changed nothing.
#[tokio::test(flavor = "multi_thread")]
async fn newlines_and_a_byte_order_mark_are_no_change() {
    let server = postgres().await;
    let database = server.fresh_database().await;
    let mut station = station_for(server);
    let text = "-- branchkeeper: description=Customers\nCREATE TABLE customers (\n  id INTEGER PRIMARY KEY,\n  \
                note TEXT DEFAULT 'two\nlines'\n);\n";
    station.migration("1_Customers.sql", text);
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    station.register(branch_on("BR002", &database, |_| {})).await;
    for code in ["BR001", "BR002"] {
        assert!(outcome(&station, code).await.success);
    }
    let windows = text.replace('\n', "\r\n");
    for other in [windows.clone(), format!("\u{feff}{windows}"), format!("\u{feff}{text}")] {
        station.migration("1_Customers.sql", &other);
        for code in ["BR001", "BR002"] {
            let result = outcome(&station, code).await;
            assert!(result.success && result.applied_migrations.is_empty(), "{result:?}");
            let report = valid(&station, code).await;
            assert!(report.is_valid && report.findings.is_empty(), "{report:?}");
        }
    }
    station.migration("1_Customers.sql", &text.replace("two", "too"));
    assert!(!outcome(&station, "BR001").await.success);
}

/// goose#279 and #761: a migration that arrives late, with an older number, is an error and not skipped.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_migration_is_an_error_unless_order_does_not_matter() {
    let mut station = Station::new();
    station.migration("1_First.sql", "CREATE TABLE first (n INTEGER);");
    station.migration("3_Third.sql", "CREATE TABLE third (n INTEGER);");
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    assert!(outcome(&station, "BR001").await.success);
    station.migration("2_Second.sql", "CREATE TABLE second (n INTEGER);");
    station.migration("4_Fourth.sql", "CREATE TABLE fourth (n INTEGER);");
    let result = outcome(&station, "BR001").await;
    let error = &result.errors[0];
    assert_eq!((result.success, error.class()), (false, pb::FailureClass::Catalogue), "{error:?}");
    assert!(error.message.contains("2_Second") && error.message.contains("3_Third"), "{error:?}");
    assert!(error.hint.contains("out_of_order"), "{error:?}");
    let file = station.sqlite_file("BR001");
    let tables = "SELECT COUNT(*) FROM sqlite_schema WHERE name IN ('first', 'second', 'third', 'fourth')";
    assert_eq!(number_in(&file, tables).await, 2, "neither the late one nor the new one");

    station.kill();
    station.set("MIGRATION__OUT_OF_ORDER", "true");
    station.start().await;
    let result = outcome(&station, "BR001").await;
    assert_eq!(result.applied_migrations, ["2_Second", "4_Fourth"], "{result:?}");
    assert_eq!(number_in(&file, tables).await, 4);
    let state = status_of(&station, "BR001").await;
    assert_eq!((state.status(), state.pending_count), (pb::MigrationStatus::Completed, Some(0)));
    assert!(valid(&station, "BR001").await.is_valid);
}

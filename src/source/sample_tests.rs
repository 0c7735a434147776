//! The sample folder reads without a problem, and on SQLite it runs up and down again.

use std::collections::BTreeSet;
use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, Executor, Row, SqliteConnection};

use super::{counts, load};
use crate::domain::{Catalogue, ObjectName, Provider, Script};

const TABLES: [&str; 14] = [
    "Categories",
    "Customers",
    "ExpenseCategories",
    "Expenses",
    "ProductImages",
    "Products",
    "PurchaseLineItems",
    "Purchases",
    "SaleLineItems",
    "Sales",
    "Settings",
    "Suppliers",
    "SyncQueue",
    "Users",
];

fn sample() -> Catalogue {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("branch_migrations"))
        .unwrap_or_else(|problems| panic!("{problems}"))
}

async fn run(connection: &mut SqliteConnection, script: &Script) {
    for statement in &script.statements {
        if let Err(error) = connection.execute(AssertSqlSafe(statement.sql.clone())).await {
            panic!("{}:{}: {error}", script.file, statement.line);
        }
    }
}

async fn names(connection: &mut SqliteConnection) -> BTreeSet<String> {
    let sql = "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'";
    connection.fetch_all(sql).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn it_is_the_same_for_every_provider() {
    let sample = sample();
    let expected: BTreeSet<_> = TABLES.map(ObjectName::bare).into();
    for provider in Provider::ALL {
        let migrations = sample.of(provider).migrations();
        let ids: Vec<_> = migrations.iter().map(|each| each.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "20251202101429_InitialBranchSchema",
                "20251205143022_AddUserIdToSales",
                "20251210091544_AddUsersTable",
                "20251215154033_AddInventoryDiscrepancyFlag"
            ]
        );
        assert_eq!(sample.of(provider).tables(|_| true), expected, "{provider}");
        assert!(migrations.iter().all(|each| !each.description.is_empty() && each.down.is_some()));
        let is_mysql = provider == Provider::MySql;
        assert!(migrations.iter().all(|each| each.up.is_transactional() != is_mysql), "{provider}");
    }
    let counts = counts(&sample);
    assert!(counts.iter().all(|each| (each.versioned, each.reversible, each.repeatable) == (4, 4, 0)));
}

#[tokio::test]
async fn it_runs_up_and_down_on_sqlite() {
    let sample = sample();
    let migrations = sample.of(Provider::Sqlite).migrations();
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    let mut steps = Vec::new();
    for migration in migrations {
        steps.push(names(&mut connection).await);
        run(&mut connection, &migration.up).await;
    }
    assert!(TABLES.iter().all(|table| steps.last().unwrap().contains(*table)));
    connection
        .execute(
            "INSERT INTO \"Sales\" (\"Id\", \"ReceiptNumber\", \"PaymentMethod\", \"SubtotalAmount\", \"TaxAmount\", \"TotalAmount\")
             VALUES ('0', 'R1', 'Cash', 0.1, 0.2, 0.3)",
        )
        .await
        .unwrap();
    for migration in migrations.iter().rev() {
        run(&mut connection, migration.down.as_ref().unwrap()).await;
        assert_eq!(names(&mut connection).await, steps.pop().unwrap(), "{}", migration.id);
    }
}

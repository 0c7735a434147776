//! The sample folder reads without a problem, and on SQLite it runs up and down again.

use std::collections::BTreeSet;
use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, Executor, Row, SqliteConnection};

use super::{counts, load, split};
use crate::domain::{Catalogue, ObjectName, Provider, Script, Statement, TableChange};

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
fn it_is_the_same_for_the_providers_with_transactions() {
    let sample = sample();
    let expected: BTreeSet<_> = TABLES.map(ObjectName::bare).into();
    for provider in [Provider::Sqlite, Provider::Postgres, Provider::SqlServer] {
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
        assert!(migrations.iter().all(|each| each.up.is_transactional() && !each.description.is_empty()));
    }
    let counts = counts(&sample);
    assert!(counts.iter().all(|each| (each.versioned, each.reversible, each.repeatable) == (4, 4, 0)));
    assert_eq!(counts[0].statements, counts[1].statements, "each in a batch of its own");
    assert_eq!(counts[0].statements, counts[2].statements);
}

/// The statements of every file for MySQL and MariaDB, in the order of the migrations.
fn mysql(direction: &str) -> Vec<Statement> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("branch_migrations");
    let ids: Vec<_> = sample().of(Provider::Sqlite).migrations().iter().map(|each| each.id.clone()).collect();
    let read = |file: &str| match split(Provider::MySql, file, &std::fs::read_to_string(folder.join(file)).unwrap()) {
        Ok(statements) => statements,
        Err(problems) => panic!("{problems:?}"),
    };
    ids.iter().flat_map(|id| read(&format!("{id}.mysql.{direction}.sql"))).collect()
}

#[test]
fn it_is_the_same_for_mysql() {
    let (up, down) = (mysql("up"), mysql("down"));
    assert_eq!(up.len(), counts(&sample())[0].statements);
    assert!(up.iter().chain(&down).all(|each| each.alone.is_some()));
    let tables = |statements: &[Statement]| -> BTreeSet<_> {
        let named = |change: &TableChange| match change {
            TableChange::Created(name) | TableChange::Dropped(name) | TableChange::Renamed(_, name) => name.clone(),
        };
        statements.iter().flat_map(|each| each.tables.iter().map(named)).collect()
    };
    let expected: BTreeSet<_> = TABLES.map(ObjectName::bare).into();
    assert_eq!(tables(&up), expected);
    assert_eq!(tables(&down), expected);
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

//! Migrations of ten statements, what they leave behind, and whether they did it exactly once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use crate::support::{Database, Product, Server, Station, sqlserver};

/// The migration before all others, which makes the table that they leave their marks in.
pub(super) const FIRST: &str = "0000_Audit.sql";
const AUDIT: &str = "CREATE TABLE audit (migration BIGINT NOT NULL, part BIGINT NOT NULL);\n";
/// How many marks each migration leaves.
pub(super) const MARKS: i64 = 4;
const ROWS: i64 = 900;

pub(super) fn name(number: usize) -> String {
    format!("{number:04}_Step")
}

/// Writes the first migration.
pub(super) fn write_first(station: &Station) {
    station.migration(FIRST, AUDIT);
}

/// Writes migration `number`. Journaled, it refuses a transaction wherever the provider allows that.
pub(super) fn write(station: &Station, number: usize, product: Option<Product>, journaled: bool) {
    let head = if journaled { "-- branchkeeper: transaction-mode=None\n" } else { "" };
    let text = script(product, &statements(number, product, journaled));
    station.migration(&file(&name(number), product), &format!("{head}{text}"));
}

/// The name of a migration's file.
pub(super) fn file(id: &str, product: Option<Product>) -> String {
    match product {
        Some(Product::SqlServer) => format!("{id}.sqlserver.sql"),
        _ => format!("{id}.sql"),
    }
}

/// The statements, one a line. SQL Server's unit is the batch.
pub(super) fn script(product: Option<Product>, statements: &[String]) -> String {
    let end = if product == Some(Product::SqlServer) { ";\nGO\n" } else { ";\n" };
    statements.iter().map(|statement| format!("{statement}{end}")).collect()
}

/// The line of a script's statement `number`, both from 1, behind `before` other lines.
pub(super) fn line(product: Option<Product>, before: u32, number: u32) -> u32 {
    let each = if product == Some(Product::SqlServer) { 2 } else { 1 };
    before + (number - 1) * each + 1
}

/// How a column is added.
pub(super) fn add(product: Option<Product>) -> &'static str {
    if product == Some(Product::SqlServer) { "ADD" } else { "ADD COLUMN" }
}

/// The ten statements of a migration, each of which fails or leaves more when it is executed twice.
pub(super) fn statements(number: usize, product: Option<Product>, journaled: bool) -> [String; 10] {
    let mark = |part: i64| format!("INSERT INTO audit (migration, part) VALUES ({number}, {part})");
    let rows = if product == Some(Product::SqlServer) {
        let digits = |count: i64| (0..count).map(|digit| format!("({digit})")).collect::<Vec<_>>().join(", ");
        let (hundreds, others) = (digits(ROWS / 100), digits(10));
        format!(
            "SELECT i, i FROM (SELECT 100 * a.n + 10 * b.n + c.n AS i FROM (VALUES {hundreds}) AS a(n) \
             CROSS JOIN (VALUES {others}) AS b(n) CROSS JOIN (VALUES {others}) AS c(n)) AS numbers"
        )
    } else {
        format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) SELECT i, i FROM n")
    };
    let add = add(product);
    let concurrently = if journaled && product == Some(Product::Postgres) { "CONCURRENTLY " } else { "" };
    [
        format!("CREATE TABLE t{number} (id INTEGER, a INTEGER)"),
        mark(1),
        format!("INSERT INTO t{number} {rows}"),
        format!("CREATE INDEX {concurrently}t{number}_id ON t{number} (id)"),
        mark(2),
        format!("ALTER TABLE t{number} {add} b INTEGER"),
        format!("CREATE UNIQUE INDEX {concurrently}t{number}_b ON t{number} (id, b)"),
        mark(3),
        format!("ALTER TABLE t{number} DROP COLUMN a"),
        mark(4),
    ]
}

/// Where a branch's data is.
pub(super) enum Place {
    File(PathBuf),
    Server(&'static Server, String),
}

impl From<&Database> for Place {
    fn from(database: &Database) -> Self {
        Self::Server(database.server, database.name.clone())
    }
}

impl Place {
    /// The rows of a query whose columns are all large whole numbers.
    pub(super) async fn numbers<const N: usize>(&self, sql: &str) -> Vec<[i64; N]> {
        let text = AssertSqlSafe(sql.to_owned());
        match self {
            Self::File(file) => {
                let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.unwrap();
                let rows = sqlx::query(text).fetch_all(&mut connection).await.unwrap();
                rows.iter().map(|row| std::array::from_fn(|column| row.get(column))).collect()
            }
            Self::Server(server, name) if server.product == Product::Postgres => {
                let rows = sqlx::query(text).fetch_all(&mut server.connect_to(name).await).await.unwrap();
                rows.iter().map(|row| std::array::from_fn(|column| row.get(column))).collect()
            }
            Self::Server(server, name) if server.product == Product::SqlServer => {
                let mut connection = sqlserver::connect(server, name).await.unwrap();
                let rows = sqlserver::rows(&mut connection, sql).await.unwrap();
                let number =
                    |row: &Vec<Option<String>>, column: usize| row[column].as_deref().unwrap().parse().unwrap();
                rows.iter().map(|row| std::array::from_fn(|column| number(row, column))).collect()
            }
            Self::Server(server, name) => {
                let rows = sqlx::query(text).fetch_all(&mut server.mysql_connect_to(name).await).await.unwrap();
                rows.iter().map(|row| std::array::from_fn(|column| row.get(column))).collect()
            }
        }
    }

    pub(super) async fn number(&self, sql: &str) -> i64 {
        self.numbers::<1>(sql).await[0][0]
    }

    /// How often each mark was made.
    pub(super) async fn marks(&self) -> BTreeMap<(i64, i64), i64> {
        let rows = self.numbers("SELECT migration, part, COUNT(*) FROM audit GROUP BY migration, part").await;
        rows.into_iter().map(|[migration, part, count]| ((migration, part), count)).collect()
    }

    /// How many indexes of the migrations are there and can be used.
    async fn indexes(&self) -> i64 {
        self.number(match self {
            Self::File(_) => "SELECT COUNT(*) FROM sqlite_master WHERE type = 'index' AND name LIKE 't%'",
            Self::Server(server, _) if server.product == Product::Postgres => {
                "SELECT COUNT(*) FROM pg_index JOIN pg_class ON oid = indexrelid WHERE indisvalid AND relname ~ '^t[0-9]'"
            }
            Self::Server(server, _) if server.product == Product::SqlServer => {
                "SELECT COUNT(*) FROM sys.indexes WHERE is_disabled = 0 AND name LIKE 't[0-9]%'"
            }
            Self::Server(..) => {
                "SELECT COUNT(DISTINCT table_name, index_name) FROM information_schema.statistics \
                 WHERE table_schema = DATABASE() AND index_name LIKE 't%'"
            }
        })
        .await
    }

    /// Checks that migrations `1..=newest` were executed exactly once, statement by statement.
    pub(super) async fn exactly_once(&self, newest: usize, what: &str) {
        let marks = self.marks().await;
        for number in 1..=newest {
            for part in 1..=MARKS {
                let key = (i64::try_from(number).unwrap(), part);
                assert_eq!(marks.get(&key), Some(&1), "{what}: migration {number}, part {part}, of {marks:?}");
            }
            let rows = self.number(&format!("SELECT COUNT(*) FROM t{number} WHERE b IS NULL")).await;
            assert_eq!(rows, ROWS, "{what}: migration {number}");
        }
        assert_eq!(marks.len(), newest * usize::try_from(MARKS).unwrap(), "{what}: {marks:?}");
        assert_eq!(self.indexes().await, 2 * i64::try_from(newest).unwrap(), "{what}");
    }
}

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode, Postgres};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Sqlite, Transaction};

use super::StoreError;
use super::folder::DataFolder;
use super::value::{Args, Row, Value};
use crate::domain::Time;

/// How long a call waits for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long a writer waits for its turn in the embedded database; longer than its longest transaction takes.
const TURN_LIMIT: Duration = Duration::from_secs(15);
/// How long a statement may take, lock waits included; the PostgreSQL server enforces it too, a little earlier.
const STATEMENT_LIMIT: Duration = Duration::from_secs(35);
/// What every PostgreSQL connection is told: no statement or forgotten transaction may hold the others up for long.
const SESSION: &str = "SET statement_timeout = '30s'; SET lock_timeout = '20s'; \
                       SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = 'warning'";
/// How many connections a replica holds to a PostgreSQL head office.
const CONNECTIONS: u32 = 10;
/// How many reads of an embedded head office run at once.
const READERS: u32 = 4;
/// Prepared statements kept per connection; there are fewer different ones.
const STATEMENTS: usize = 128;

/// How many rows one statement takes when there are many, and when there are fewer than that.
const MANY: [usize; 2] = [64, 32];
/// How many rows one statement takes at most when there are fewer still; each number is a statement of its own.
const FEW: usize = 16;

/// How many of the `left` rows the next statement takes.
pub(super) fn portion(left: usize) -> usize {
    MANY.into_iter().find(|many| left >= *many).unwrap_or(left.min(FEW))
}

/// The database, whichever it is.
#[derive(Debug, Clone)]
pub(super) enum Db {
    /// The embedded one.
    Sqlite {
        /// A single connection, because SQLite has a single writer.
        writer: SqlitePool,
        /// Connections that only read.
        readers: SqlitePool,
        /// Held for as long as anybody can reach the database.
        folder: Arc<DataFolder>,
    },
    /// The shared one.
    Postgres(PgPool),
}

/// A write transaction. Dropped without [`Tx::commit`] it is rolled back.
pub(super) enum Tx {
    /// Of the embedded database; nobody else writes meanwhile.
    Sqlite(Transaction<'static, Sqlite>),
    /// Of the shared one, at isolation level READ COMMITTED.
    Postgres(Transaction<'static, Postgres>),
}

/// A statement with its parameters. Every statement that runs against head office is made here.
///
/// `sql` is text of this module's own, or is put together from such text; whatever comes from outside is a parameter.
macro_rules! statement {
    ($sql:expr, $args:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($sql));
        for arg in $args {
            query = match arg {
                Value::Text(text) => query.bind(text),
                Value::Int(number) => query.bind(number),
            };
        }
        query
    }};
}

/// Runs a database call under the deadline.
async fn limited<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, "a statement was not answered in time");
    tokio::time::timeout(STATEMENT_LIMIT, work).await.unwrap_or_else(|_| Err(sqlx::Error::Io(late())))
}

impl Db {
    /// Opens the embedded database, making it if it does not exist.
    pub(super) async fn embedded(folder: &Path, now: Time) -> Result<Self, StoreError> {
        let folder = DataFolder::take(folder, now)?;
        let options = SqliteConnectOptions::new()
            .filename(folder.database())
            .journal_mode(SqliteJournalMode::Wal)
            // A lease or an outcome that was reported must not be lost with the power.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(CONNECT_LIMIT)
            // What is sorted fits; a file for it costs more than the sorting.
            .pragma("temp_store", "memory")
            .foreign_keys(true)
            .statement_cache_capacity(STATEMENTS)
            .disable_statement_logging();
        let pool = || SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None).test_before_acquire(false);
        let writer = pool().max_connections(1).acquire_timeout(TURN_LIMIT).connect_with(options.clone()).await?;
        let readers = pool()
            .max_connections(READERS)
            .acquire_timeout(CONNECT_LIMIT)
            .connect_lazy_with(options.pragma("query_only", "on"));
        Ok(Self::Sqlite { writer, readers, folder: Arc::new(folder) })
    }

    /// Prepares to connect to PostgreSQL; the first statement connects.
    pub(super) fn postgres(url: &str) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT_LIMIT)
            .after_connect(|connection, _| Box::pin(async move { connection.execute(SESSION).await.map(drop) }))
            .connect_lazy_with(postgres_options(url)?);
        Ok(Self::Postgres(pool))
    }

    /// Whether it is the embedded one.
    pub(super) fn is_embedded(&self) -> bool {
        matches!(self, Self::Sqlite { .. })
    }

    /// Begins a write transaction.
    pub(super) async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(limited(writer.begin_with("BEGIN IMMEDIATE")).await?),
            Self::Postgres(pool) => Tx::Postgres(limited(pool.begin()).await?),
        })
    }

    /// The rows of a query that stands alone.
    pub(super) async fn rows(&self, sql: &str, args: Args) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite { readers, .. } => {
                let rows = limited(statement!(sql, args).fetch_all(readers)).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(pool) => {
                let rows = limited(statement!(sql, args).fetch_all(pool)).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// The first row of a query that stands alone.
    pub(super) async fn row(&self, sql: &str, args: Args) -> Result<Option<Row>, StoreError> {
        match self {
            Self::Sqlite { readers, .. } => {
                Ok(limited(statement!(sql, args).fetch_optional(readers)).await?.map(Row::Sqlite))
            }
            Self::Postgres(pool) => Ok(limited(statement!(sql, args).fetch_optional(pool)).await?.map(Row::Postgres)),
        }
    }

    /// Closes every connection; calls that come later fail.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers, folder } => {
                readers.close().await;
                // The last connection to close empties the write-ahead log into the database.
                writer.close().await;
                folder.release();
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Runs a statement and says how many rows it changed.
    pub(super) async fn run(&mut self, sql: &str, args: Args) -> Result<u64, StoreError> {
        Ok(self.try_run(sql, args).await?)
    }

    /// As [`Tx::run`], with the driver's own error.
    pub(super) async fn try_run(&mut self, sql: &str, args: Args) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(tx) => Ok(limited(statement!(sql, args).execute(&mut **tx)).await?.rows_affected()),
            Self::Postgres(tx) => Ok(limited(statement!(sql, args).execute(&mut **tx)).await?.rows_affected()),
        }
    }

    /// The rows of a query.
    pub(super) async fn rows(&mut self, sql: &str, args: Args) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(tx) => {
                let rows = limited(statement!(sql, args).fetch_all(&mut **tx)).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(tx) => {
                let rows = limited(statement!(sql, args).fetch_all(&mut **tx)).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// The only row of a query; `None` when there is none.
    pub(super) async fn row(&mut self, sql: &str, args: Args) -> Result<Option<Row>, StoreError> {
        // All rows are read: a statement with RETURNING that is left half-read has not finished its writes.
        Ok(self.rows(sql, args).await?.into_iter().next())
    }

    /// Inserts rows; `into` is `INSERT INTO table (columns)`.
    ///
    /// Rows travel many to a statement, in few different numbers, because each of these is a statement to be prepared.
    pub(super) async fn insert(&mut self, into: &str, rows: Vec<Args>) -> Result<(), StoreError> {
        let mut rows = rows.into_iter().peekable();
        while let Some(width) = rows.peek().map(Vec::len) {
            let count = portion(rows.len());
            let tuple = |row: usize| {
                let places: Vec<String> = (1..=width).map(|column| format!("${}", row * width + column)).collect();
                format!("({})", places.join(", "))
            };
            let tuples: Vec<String> = (0..count).map(tuple).collect();
            let sql = format!("{into} VALUES {}", tuples.join(", "));
            self.run(&sql, rows.by_ref().take(count).flatten().collect()).await?;
        }
        Ok(())
    }

    /// Commits.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => limited(tx.commit()).await?,
            Self::Postgres(tx) => limited(tx.commit()).await?,
        }
        Ok(())
    }
}

/// Reads the URL. PG* variables of the process could otherwise fill what it leaves open, so every part is set.
fn postgres_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    // What is wrong is not repeated: the parser's own text may hold a part of the URL.
    let bad = || {
        StoreError::BadLocation(
            "head office's URL cannot be read; it has the form postgres://user:password@host:port/database, with \
             special characters percent-encoded"
                .into(),
        )
    };
    let rest = ["postgres://", "postgresql://"].into_iter().find_map(|scheme| url.strip_prefix(scheme));
    let (place, query) = rest.map(|rest| rest.split_once('?').unwrap_or((rest, ""))).ok_or_else(bad)?;
    let (account, address) = place.rsplit_once('@').ok_or_else(bad)?;
    let (host, database) = address.split_once('/').ok_or_else(bad)?;
    let mut options = PgConnectOptions::from_str(url).map_err(|_| bad())?;
    if account.starts_with(':') || account.is_empty() || host.is_empty() || database.is_empty() {
        return Err(bad());
    }
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if !has_port && !query.contains("port=") {
        options = options.port(5432);
    }
    if !query.contains("sslmode=") && !query.contains("ssl-mode=") {
        options = options.ssl_mode(PgSslMode::Prefer);
    }
    Ok(options.application_name("branchkeeper").statement_cache_capacity(STATEMENTS).disable_statement_logging())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_to_be_complete() {
        let options = postgres_options("postgres://ann:x%40y@db/head").unwrap();
        assert_eq!((options.get_host(), options.get_port()), ("db", 5432));
        assert_eq!((options.get_username(), options.get_database()), ("ann", Some("head")));
        for bad in ["", "db/head", "mysql://ann@db/head", "postgres://db/head", "postgres://ann:hunter2@db:x/head"] {
            let error = postgres_options(bad).unwrap_err().to_string();
            assert!(error.contains("percent-encoded") && !error.contains("hunter2"), "{error}");
        }
    }
}

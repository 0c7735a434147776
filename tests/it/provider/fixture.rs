use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use branchkeeper::domain::{
    Checksum, Connection, Effect, Intent, Ledger, Migration, MigrationId, Planned, Progress, Provider, RowState, RunId,
    Script, SecretRef, ServerConnection, SessionChange, SqliteConnection, Statement, StatementDigest, TransactionMode,
};
use branchkeeper::provider::{Claim, Endpoint, Fence, Observer, Session, Settings, Stop, Work, create};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use crate::support;

/// A branch's database of one test, and how to look at it past the code under test.
pub(crate) struct Fixture {
    pub(crate) settings: Settings,
    pub(crate) connection: Connection,
    pub(crate) folder: tempfile::TempDir,
    database: Option<support::Database>,
}

impl Fixture {
    pub(crate) fn sqlite() -> Self {
        let folder = support::temp_dir();
        let settings = Settings { sqlite_root: folder.path().join("root"), ..settings() };
        let connection = Connection::Sqlite(SqliteConnection { path: "shop/one.db".into() });
        Self { settings, connection, folder, database: None }
    }

    pub(crate) async fn postgres() -> Self {
        let server = support::postgres().await;
        let database = server.fresh_database().await;
        let folder = support::temp_dir();
        let password_ref = (!server.password.is_empty()).then(|| {
            let path = folder.path().join("password");
            std::fs::write(&path, &server.password).unwrap();
            SecretRef::File(path.to_str().unwrap().into())
        });
        let connection = Connection::Server(ServerConnection {
            host: server.host.clone(),
            port: Some(server.port),
            database: database.name.clone(),
            username: server.username.clone(),
            password_ref,
            ..Default::default()
        });
        Self { settings: settings(), connection, folder, database: Some(database) }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.database.is_none()
    }

    pub(crate) fn server(&self) -> &ServerConnection {
        match &self.connection {
            Connection::Server(server) => server,
            Connection::Sqlite(_) => panic!("SQLite has no server"),
        }
    }

    pub(crate) fn server_mut(&mut self) -> &mut ServerConnection {
        match &mut self.connection {
            Connection::Server(server) => server,
            Connection::Sqlite(_) => panic!("SQLite has no server"),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.settings.sqlite_root.join("shop/one.db")
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        let provider = if self.is_sqlite() { Provider::Sqlite } else { Provider::Postgres };
        Endpoint::resolve(&"BR001".parse().unwrap(), provider, &self.connection, &self.settings).unwrap()
    }

    pub(crate) async fn create(&self) {
        create(&self.endpoint(), &self.settings).await.unwrap();
    }

    /// A session on the database, which is created if need be.
    pub(crate) async fn session(&self) -> Session {
        self.create().await;
        Session::connect(&self.endpoint(), &self.settings).await.unwrap()
    }

    /// A session that holds the lock.
    pub(crate) async fn locked(&self) -> (Session, Fence) {
        let mut session = self.session().await;
        let fence = session.lock(&claim(1), Duration::ZERO, &soon()).await.unwrap();
        (session, fence)
    }

    /// One value from the database, as text, past the code under test.
    pub(crate) async fn value(&self, sql: &str) -> Option<String> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match &self.database {
            None => {
                let options = SqliteConnectOptions::new().filename(self.path()).foreign_keys(false);
                let row = sql.fetch_optional(&mut options.connect().await.unwrap()).await.unwrap();
                row.and_then(|row| row.try_get_unchecked(0).unwrap())
            }
            Some(database) => {
                let row = sql.fetch_optional(&mut database.connect().await).await.unwrap();
                row.and_then(|row| row.try_get_unchecked(0).unwrap())
            }
        }
    }

    /// Whether a table exists.
    pub(crate) async fn has_table(&self, name: &str) -> bool {
        let sql = match self.is_sqlite() {
            true => {
                format!("SELECT CAST(count(*) AS TEXT) FROM sqlite_schema WHERE type = 'table' AND name = '{name}'")
            }
            false => format!("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname = '{name}'"),
        };
        self.value(&sql).await.unwrap() != "0"
    }

    pub(crate) async fn ledger(&self) -> Ledger {
        self.session().await.ledger().await.unwrap()
    }

    /// A statement that runs for minutes unless it is stopped.
    pub(crate) fn endless(&self) -> &'static str {
        match self.is_sqlite() {
            true => {
                "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 4000000000) SELECT max(n) FROM c"
            }
            false => "SELECT pg_sleep(300)",
        }
    }
}

fn settings() -> Settings {
    Settings { connect_timeout: Duration::from_secs(10), ..Settings::default() }
}

pub(crate) fn claim(token: i64) -> Claim {
    Claim { head_office: "ho-1".into(), token, owner: format!("replica-{token}"), lease: Duration::from_secs(60) }
}

/// Long enough for everything that is not meant to be stopped.
pub(crate) fn soon() -> Stop {
    Stop::after(Duration::from_secs(60))
}

pub(crate) fn sql(text: &str) -> Statement {
    Statement { sql: text.into(), line: 1, column: 1, alone: None, session: None, tables: vec![] }
}

pub(crate) fn alone(text: &str, effect: Effect) -> Statement {
    Statement { alone: Some(effect), ..sql(text) }
}

/// A statement that changes its session.
pub(crate) fn setting(text: &str, change: SessionChange, effect: Option<Effect>) -> Statement {
    Statement { session: Some(change), alone: effect, ..sql(text) }
}

pub(crate) fn planned(id: &str, statements: impl IntoIterator<Item = Statement>) -> Planned {
    let statements: Vec<Statement> = statements.into_iter().collect();
    let migration = Migration {
        id: id.parse().unwrap(),
        description: String::new(),
        checksum: Checksum::of_parts(statements.iter().map(|statement| &*statement.sql)),
        transaction_mode: None::<TransactionMode>,
        timeout: None,
        depends_on: vec![],
        up: Script { file: format!("{id}.sql"), statements },
        down: None,
    };
    Planned { migration: Arc::new(migration), resume: None, replaces: false }
}

/// The same migration, with the journal that the ledger holds of it.
pub(crate) fn resumed(planned: &Planned, ledger: &Ledger) -> Planned {
    let resume = match ledger.get(planned.migration.id.as_str()).map(|row| &row.state) {
        Some(RowState::Partial(progress)) => Some(progress.clone()),
        _ => None,
    };
    Planned { resume, ..planned.clone() }
}

pub(crate) fn progress(ledger: &Ledger, id: &str) -> Progress {
    match &ledger.get(id).expect("a row").state {
        RowState::Partial(progress) => progress.clone(),
        RowState::Applied => panic!("{id} is applied"),
    }
}

pub(crate) fn intent(planned: &Planned, index: usize) -> Option<Intent> {
    Some(Intent { digest: planned.migration.up.statements[index].digest() })
}

pub(crate) fn digests(planned: &Planned, count: usize) -> Vec<StatementDigest> {
    planned.migration.up.statements[..count].iter().map(Statement::digest).collect()
}

pub(crate) fn work(planned: &Planned) -> Work<'_> {
    Work { planned, run_id: RunId::generate(), timeout: Duration::from_secs(60) }
}

/// Writes down what it is told.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) each: bool,
    pub(crate) lines: Vec<String>,
    pub(crate) times: Vec<Duration>,
}

impl Observer for Notes {
    fn each_statement(&self) -> bool {
        self.each
    }

    fn migration_started(&mut self, id: &MigrationId) {
        self.lines.push(format!("start {id}"));
    }

    fn statement_finished(&mut self, id: &MigrationId, index: usize, total: usize, took: Duration) {
        self.lines.push(format!("{id} {index}/{total}"));
        self.times.push(took);
    }

    fn migration_finished(&mut self, id: &MigrationId, _: Duration) {
        self.lines.push(format!("end {id}"));
    }
}

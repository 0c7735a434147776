use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use branchkeeper::domain::{
    Checksum, Connection, Direction, Effect, Intent, Ledger, Migration, MigrationId, Planned, Progress, Provider,
    RowState, RunId, Script, SecretRef, ServerConnection, SessionChange, SqliteConnection, Statement, StatementDigest,
    TransactionMode,
};
use branchkeeper::provider::{Claim, Endpoint, Fence, Observer, Session, Settings, Stop, Work, create};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use crate::support::{self, Product};

/// Held by the one test that tells the servers what to tell new sessions.
pub(crate) static INIT_CONNECT: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A branch's database of one test, and how to look at it past the code under test.
pub(crate) struct Fixture {
    pub(crate) settings: Settings,
    pub(crate) connection: Connection,
    pub(crate) folder: tempfile::TempDir,
    database: Option<support::Database>,
    /// Where changes leave their marks, once it was made.
    marks: tokio::sync::OnceCell<()>,
}

impl Fixture {
    pub(crate) fn sqlite() -> Self {
        let folder = support::temp_dir();
        let settings = Settings { sqlite_root: folder.path().join("root"), ..settings() };
        let connection = Connection::Sqlite(SqliteConnection { path: "shop/one.db".into() });
        Self { settings, connection, folder, database: None, marks: Default::default() }
    }

    pub(crate) async fn postgres() -> Self {
        Self::on(support::postgres().await).await
    }

    pub(crate) async fn mariadb() -> Option<Self> {
        Some(Self::on(support::mariadb().await?).await)
    }

    pub(crate) async fn mysql() -> Option<Self> {
        Some(Self::on(support::mysql().await?).await)
    }

    pub(crate) async fn sqlserver() -> Option<Self> {
        Some(Self::on(support::sqlserver_server().await?).await)
    }

    pub(crate) async fn on(server: &'static support::Server) -> Self {
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
        Self { settings: settings(), connection, folder, database: Some(database), marks: Default::default() }
    }

    /// The kind of server; `None` for SQLite.
    pub(crate) fn product(&self) -> Option<Product> {
        self.database.as_ref().map(|database| database.server.product)
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.database.is_none()
    }

    /// Whether it is MySQL or MariaDB.
    pub(crate) fn is_mysql(&self) -> bool {
        matches!(self.product(), Some(Product::MySql | Product::MariaDb))
    }

    /// Whether the fixture's server can't show `what`, which is said aloud: see [`support::Gap`].
    pub(crate) async fn is_kept_from(&self, gap: support::Gap, what: &str) -> bool {
        match &self.database {
            Some(database) => database.server.keeps_from(gap, what).await,
            None => false,
        }
    }

    pub(crate) fn is_sqlserver(&self) -> bool {
        self.product() == Some(Product::SqlServer)
    }

    /// Whether tables can be made inside a transaction; otherwise making one ends it.
    pub(crate) fn has_transactional_ddl(&self) -> bool {
        !self.is_mysql()
    }

    pub(crate) fn database(&self) -> &support::Database {
        self.database.as_ref().expect("SQLite has no server")
    }

    /// A statement that a transaction takes back, leaves its mark under `name`, and fails when the mark is there: it makes
    /// a table where it can.
    pub(crate) async fn change(&self, name: &str) -> Statement {
        if self.has_transactional_ddl() {
            return sql(&format!("CREATE TABLE {name} (a integer)"));
        }
        let marks = || async { drop(self.value("CREATE TABLE marks (name varchar(60) NOT NULL PRIMARY KEY)").await) };
        self.marks.get_or_init(marks).await;
        sql(&format!("INSERT INTO marks VALUES ('{name}')"))
    }

    /// Whether a [`Fixture::change`] of the name stands in the database.
    pub(crate) async fn has_change(&self, name: &str) -> bool {
        match self.has_transactional_ddl() {
            true => self.has_table(name).await,
            false => {
                self.marks.initialized()
                    && self.value(&format!("SELECT name FROM marks WHERE name = '{name}'")).await.is_some()
            }
        }
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
        let provider = match self.product() {
            None => Provider::Sqlite,
            Some(Product::Postgres) => Provider::Postgres,
            Some(Product::MySql | Product::MariaDb) => Provider::MySql,
            Some(Product::SqlServer) => Provider::SqlServer,
        };
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
        if let Some(database) = self.database.as_ref().filter(|_| self.is_sqlserver()) {
            let mut connection = support::sqlserver::connect(database.server, &database.name).await.unwrap();
            let rows = support::sqlserver::rows(&mut connection, sql).await.unwrap();
            return rows.into_iter().next().and_then(|row| row.into_iter().next().flatten());
        }
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match &self.database {
            None => {
                let options = SqliteConnectOptions::new().filename(self.path()).foreign_keys(false);
                let row = sql.fetch_optional(&mut options.connect().await.unwrap()).await.unwrap();
                row.and_then(|row| row.try_get_unchecked(0).unwrap())
            }
            Some(database) if self.is_mysql() => {
                let mut connection = database.server.mysql_connect_to(&database.name).await;
                let row = sql.fetch_optional(&mut connection).await.unwrap();
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
        let sql = match self.product() {
            None => {
                format!("SELECT CAST(count(*) AS TEXT) FROM sqlite_schema WHERE type = 'table' AND name = '{name}'")
            }
            Some(Product::Postgres) => {
                format!("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname = '{name}'")
            }
            Some(Product::SqlServer) => format!("SELECT COUNT(*) FROM sys.tables WHERE name = '{name}'"),
            Some(_) => format!(
                "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '{name}'"
            ),
        };
        self.value(&sql).await.unwrap() != "0"
    }

    pub(crate) async fn ledger(&self) -> Ledger {
        self.session().await.ledger().await.unwrap()
    }

    /// A statement that runs for minutes unless it is stopped.
    pub(crate) fn endless(&self) -> &'static str {
        match self.product() {
            None => {
                "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 4000000000) SELECT max(n) FROM c"
            }
            Some(Product::Postgres) => "SELECT pg_sleep(300)",
            Some(Product::SqlServer) => "WAITFOR DELAY '00:05:00'",
            // Asked for alone, SLEEP would end without an error when it is stopped.
            Some(_) => "SELECT 1 FROM mysql.user WHERE SLEEP(300) >= 0 LIMIT 1",
        }
    }

    /// A statement that no transaction takes, and that always works.
    pub(crate) fn lone(&self) -> Statement {
        let text = match self.product() {
            Some(Product::MySql | Product::MariaDb) => "ANALYZE TABLE mysql.user",
            Some(Product::SqlServer) => "ALTER DATABASE CURRENT SET AUTO_CLOSE OFF",
            _ => "VACUUM",
        };
        alone(text, Effect::Idempotent)
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
    Statement::new(text)
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
        irreversible: None,
    };
    Planned { migration: Arc::new(migration), direction: Direction::Up, resume: None, replaces: false }
}

/// The undoing of a migration by these statements.
pub(crate) fn undoing(planned: &Planned, statements: impl IntoIterator<Item = Statement>) -> Planned {
    let mut migration = (*planned.migration).clone();
    let file = format!("{}.down.sql", migration.id);
    migration.down = Some(Script { file, statements: statements.into_iter().collect() });
    Planned { migration: Arc::new(migration), direction: Direction::Down, resume: None, replaces: false }
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
    Some(Intent::Alone(planned.script().statements[index].digest()))
}

pub(crate) fn digests(planned: &Planned, count: usize) -> Vec<StatementDigest> {
    planned.script().statements[..count].iter().map(Statement::digest).collect()
}

pub(crate) fn work(planned: &Planned) -> Work<'_> {
    Work { planned, run_id: RunId::generate(), timeout: Duration::from_secs(60) }
}

/// Writes down what it is told.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) each: bool,
    /// Nothing more is to be begun.
    pub(crate) stops: bool,
    pub(crate) lines: Vec<String>,
    pub(crate) times: Vec<Duration>,
}

impl Observer for Notes {
    fn each_statement(&self) -> bool {
        self.each
    }

    fn goes_on(&self) -> bool {
        !self.stops
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

//! Database servers that the tests of a process share, and databases on them.

use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

use super::product::Product;
use super::{head_offices, private, secrets, skip, sqlserver};

/// A running server and an account on it that may create databases.
pub(crate) struct Server {
    pub(crate) product: Product,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) username: String,
    pub(crate) password: String,
    /// Where to connect to create and drop other databases.
    pub(super) maintenance: String,
    /// The private server's folder.
    folder: Option<PathBuf>,
}

/// The PostgreSQL server: the one that `BRANCHKEEPER_TEST_POSTGRES_URL` names, or else a private one that is started now
/// and dies with this process.
pub(crate) async fn postgres() -> &'static Server {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    Server::shared(&SERVER, Product::Postgres).await.unwrap_or_else(|problem| panic!("no PostgreSQL server: {problem}"))
}

/// The MariaDB server, found as [`postgres`] finds its; `None`, said aloud, when there is none.
pub(crate) async fn mariadb() -> Option<&'static Server> {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    Server::shared(&SERVER, Product::MariaDb).await.or_else(|problem| skipped(Product::MariaDb, problem)).ok()
}

/// The MySQL server, found as [`postgres`] finds its; `None`, said aloud, when there is none.
pub(crate) async fn mysql() -> Option<&'static Server> {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    Server::shared(&SERVER, Product::MySql).await.or_else(|problem| skipped(Product::MySql, problem)).ok()
}

/// The SQL Server that `BRANCHKEEPER_TEST_SQLSERVER_URL` names; `None`, said aloud, when there is none.
pub(crate) async fn sqlserver() -> Option<&'static Server> {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    Server::shared(&SERVER, Product::SqlServer).await.or_else(|problem| skipped(Product::SqlServer, problem)).ok()
}

fn skipped<T>(product: Product, problem: &str) -> Result<T, ()> {
    let name = product.name();
    let server = if name.ends_with("Server") { "" } else { " server" };
    skip::say(&format!("no {name}{server} ({problem}). The tests named after {name} pass without it"));
    Err(())
}

/// A PostgreSQL server that the calling test has for itself and may crash. `None`, said aloud, when the tests were given a
/// server by URL: that one is not ours to crash.
pub(crate) async fn own_postgres() -> Option<&'static Server> {
    own(Product::Postgres).await
}

/// As [`own_postgres`], for any server; `None` too, said aloud, where there are no programs of its kind.
pub(crate) async fn own(product: Product) -> Option<&'static Server> {
    let variable = product.variable();
    if std::env::var(variable).is_ok_and(|url| !url.is_empty()) {
        skip::say(&format!("tests that crash their server: {variable} names one that others may use"));
        return None;
    }
    started(product, move || Server::private(product, None)).await
}

/// A server that the calling test has for itself and that offers TLS with this certificate and key, both PEM, whatever
/// servers were given by URL. `None`, said aloud, where there are no programs of its kind.
pub(crate) async fn encrypted(product: Product, certificate: (String, String)) -> Option<&'static Server> {
    started(product, move || Server::private(product, Some(&certificate))).await
}

async fn started(
    product: Product,
    start: impl FnOnce() -> Result<Server, String> + Send + 'static,
) -> Option<&'static Server> {
    let started = tokio::task::spawn_blocking(start).await.expect("a server for the test starts");
    let server = match (started, product) {
        (Ok(server), _) => server,
        (Err(problem), Product::Postgres) => panic!("no PostgreSQL server: {problem}"),
        (Err(problem), _) => return skipped(product, &problem).ok(),
    };
    // It lives as long as the process, like the one that all tests share.
    Some(Box::leak(Box::new(server)))
}

impl Server {
    async fn shared(
        cell: &'static OnceLock<Result<Self, String>>,
        product: Product,
    ) -> Result<&'static Self, &'static String> {
        if let Some(server) = cell.get() {
            return server.as_ref();
        }
        let start = move || {
            cell.get_or_init(|| match std::env::var(product.variable()) {
                Ok(url) if !url.is_empty() => Ok(Self::from_url(product, &url)),
                _ => Self::private(product, None),
            })
        };
        tokio::task::spawn_blocking(start).await.expect("a server for the tests starts").as_ref()
    }

    fn private(product: Product, certificate: Option<&(String, String)>) -> Result<Self, String> {
        let private = private::start(product, certificate)?;
        secrets::share(&format!("the password of {}", product.name()), &private.password);
        Ok(Self {
            product,
            host: "127.0.0.1".into(),
            port: private.port,
            username: product.administrator().into(),
            password: private.password,
            maintenance: product.maintenance().into(),
            folder: Some(private.folder),
        })
    }

    /// Kills a private server with all of its processes, and waits until it is back from its recovery.
    pub(crate) async fn kill_and_restart(&self) {
        let folder = self.folder.as_ref().expect("only a server of one's own is killed");
        std::fs::write(folder.join("again"), "").expect("a file can be written");
        private::kill_server(folder);
        let begun = std::time::Instant::now();
        while self.execute("SELECT 1").await.is_err() {
            assert!(begun.elapsed() < std::time::Duration::from_secs(60), "the server does not come back");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Kills one of the server's processes, upon which it drops every connection, recovers and starts again. Returns when
    /// it answers again.
    pub(crate) async fn crash(&self) {
        let mut connection = self.connect_to(&self.maintenance).await;
        let process: i32 =
            sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await.expect("it answers");
        let killed = std::process::Command::new("kill").args(["-KILL", &process.to_string()]).status();
        assert!(killed.expect("kill can be run").success());
        let begun = std::time::Instant::now();
        loop {
            let asked =
                async { sqlx::query("SELECT 1").execute(&mut self.options(&self.maintenance).connect().await?).await };
            // The process is gone before the others have noticed.
            if begun.elapsed() > std::time::Duration::from_millis(200) && asked.await.is_ok() {
                return;
            }
            assert!(begun.elapsed() < std::time::Duration::from_secs(60), "the server does not come back");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    fn from_url(product: Product, url: &str) -> Self {
        let parse = || {
            let rest = product.schemes().iter().find_map(|scheme| url.strip_prefix(scheme))?;
            let rest = rest.split(['?', '#']).next()?;
            let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
            let (account, address) = place.rsplit_once('@').unwrap_or((product.administrator(), place));
            let (username, password) = account.split_once(':').unwrap_or((account, ""));
            let (host, port) = match address.rsplit_once(':') {
                Some((host, port)) => (host, port.parse().ok()?),
                None => (address, product.port()),
            };
            let plain = |text: &str| percent_decode_str(text).decode_utf8().ok().map(String::from);
            let maintenance = if database.is_empty() { product.maintenance().into() } else { plain(database)? };
            let (username, password) = (plain(username)?, plain(password)?);
            // One that is also the name would be seen everywhere.
            if password != username {
                secrets::share(&format!("the password of {}", product.name()), &password);
            }
            Some(Self { product, host: host.into(), port, username, password, maintenance, folder: None })
        };
        parse().unwrap_or_else(|| {
            panic!("{} must read {}user:password@host:port/database", product.variable(), product.schemes()[0])
        })
    }

    /// A name that no other test uses, fit for a database, schema or role without quoting.
    pub(crate) fn unique_name(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        format!("bk_{}_{number}_{:08x}", std::process::id(), rand::random::<u32>())
    }

    /// A new empty database, dropped with the returned value.
    pub(crate) async fn fresh_database(&'static self) -> Database {
        let name = self.unique_name();
        // SQL Server makes one at a time, and refuses the others.
        static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let turn = TURN.lock().await;
        for attempt in 0.. {
            match self.execute(&format!("CREATE DATABASE {name}")).await {
                Ok(()) => break,
                Err(_) if self.product == Product::SqlServer && attempt < 20 => {
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
                Err(problem) => panic!("no database can be created: {problem}"),
            }
        }
        drop(turn);
        Database { server: self, name }
    }

    /// Runs a statement where databases are made and dropped.
    async fn execute(&self, statement: &str) -> Result<(), String> {
        let sql = AssertSqlSafe(statement.to_owned());
        let done = async {
            match self.product {
                Product::Postgres => self.options(&self.maintenance).connect().await?.execute(sql).await.map(drop),
                _ => self.mysql_options(&self.maintenance).connect().await?.execute(sql).await.map(drop),
            }
        };
        match self.product {
            Product::SqlServer => sqlserver::execute(self, &self.maintenance, statement).await,
            _ => done.await.map_err(|error: sqlx::Error| error.to_string()),
        }
    }

    /// How to connect to a database of this PostgreSQL server. Nothing is taken from the environment.
    pub(crate) fn options(&self, database: &str) -> PgConnectOptions {
        assert_eq!(self.product, Product::Postgres);
        let options = PgConnectOptions::new_without_pgpass()
            .host(&self.host)
            .port(self.port)
            .username(&self.username)
            .database(database)
            .ssl_mode(PgSslMode::Prefer)
            .disable_statement_logging();
        if self.password.is_empty() { options } else { options.password(&self.password) }
    }

    /// How to connect to a database of this MySQL or MariaDB server. Double quotes enclose names.
    pub(crate) fn mysql_options(&self, database: &str) -> MySqlConnectOptions {
        assert!(matches!(self.product, Product::MariaDb | Product::MySql));
        let options = MySqlConnectOptions::new()
            .host(&self.host)
            .port(self.port)
            .username(&self.username)
            .database(database)
            .ssl_mode(MySqlSslMode::Preferred)
            .disable_statement_logging();
        if self.password.is_empty() { options } else { options.password(&self.password) }
    }

    /// A connection to a database of this PostgreSQL server.
    pub(crate) async fn connect_to(&self, database: &str) -> PgConnection {
        self.options(database).connect().await.expect("the test server can be reached")
    }

    /// A connection to a database of this MySQL or MariaDB server, for which double quotes enclose names.
    pub(crate) async fn mysql_connect_to(&self, database: &str) -> MySqlConnection {
        let mut connection = self.mysql_options(database).connect().await.expect("the test server can be reached");
        connection.execute("SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')").await.expect("it takes the mode");
        connection
    }

    /// The URL of a database of this server, password included.
    pub(crate) fn url_of(&self, database: &str) -> String {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let password = if self.password.is_empty() { String::new() } else { format!(":{}", encode(&self.password)) };
        let (scheme, user) = (self.product.schemes()[0], encode(&self.username));
        format!("{scheme}{user}{password}@{}:{}/{}", self.host, self.port, encode(database))
    }

    /// Drops a database if it exists, with everybody connected to it. Best effort: waits, but reports nothing.
    pub(crate) fn drop_database(&'static self, name: &str) {
        let statement = match self.product {
            Product::Postgres => format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            Product::MariaDb | Product::MySql => format!("DROP DATABASE IF EXISTS {name}"),
            Product::SqlServer => sqlserver::drop_database(name),
        };
        // In a thread with its own runtime, because this is called from `Drop`, inside or outside of any runtime.
        let work = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            let limit = std::time::Duration::from_secs(10);
            runtime.block_on(async { tokio::time::timeout(limit, self.execute(&statement)).await }).ok()?.ok()
        });
        let _ = work.join();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.username, self.host, self.port)
    }
}

/// A database of one test's own.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) server: &'static Server,
    pub(crate) name: String,
}

impl Database {
    /// Its URL, password included.
    pub(crate) fn url(&self) -> String {
        self.server.url_of(&self.name)
    }

    /// Its URL, for a head office that is to be there. When the database is dropped, it is searched for secrets.
    pub(crate) fn head_office_url(&self) -> String {
        let url = self.url();
        head_offices::note(&url, &secrets::Seen::default());
        url
    }

    /// A connection to it.
    pub(crate) async fn connect(&self) -> PgConnection {
        self.server.connect_to(&self.name).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A test that has failed already says why.
        let found = if std::thread::panicking() { None } else { head_offices::search(self.server, &self.name) };
        self.server.drop_database(&self.name);
        assert!(found.is_none(), "{}", found.unwrap_or_default());
    }
}

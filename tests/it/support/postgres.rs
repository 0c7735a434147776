//! The PostgreSQL server that all tests of a process share, and databases on it.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

use super::private;

const URL_VARIABLE: &str = "BRANCHKEEPER_TEST_POSTGRES_URL";

/// A running server and an account on it that may create databases.
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) username: String,
    pub(crate) password: String,
    /// Where to connect to create and drop other databases.
    maintenance: String,
}

/// The server: the one that `BRANCHKEEPER_TEST_POSTGRES_URL` names, or else a private one that is started now and dies
/// with this process.
pub(crate) async fn postgres() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    if let Some(server) = SERVER.get() {
        return server;
    }
    let start = || {
        SERVER.get_or_init(|| match std::env::var(URL_VARIABLE) {
            Ok(url) if !url.is_empty() => Server::from_url(&url),
            _ => {
                let private = private::start();
                Server {
                    host: "127.0.0.1".into(),
                    port: private.port,
                    username: "postgres".into(),
                    password: private.password,
                    maintenance: "postgres".into(),
                }
            }
        })
    };
    tokio::task::spawn_blocking(start).await.expect("PostgreSQL for the tests starts")
}

/// A server that the calling test has for itself and may crash. `None`, said aloud, when the tests were given a server by
/// URL: that one is not ours to crash.
pub(crate) async fn own_postgres() -> Option<&'static Server> {
    if std::env::var(URL_VARIABLE).is_ok_and(|url| !url.is_empty()) {
        println!("skipped: this test crashes its server, and {URL_VARIABLE} names one that others may use");
        return None;
    }
    let private = tokio::task::spawn_blocking(private::start).await.expect("PostgreSQL for the test starts");
    let server = Server {
        host: "127.0.0.1".into(),
        port: private.port,
        username: "postgres".into(),
        password: private.password,
        maintenance: "postgres".into(),
    };
    // It lives as long as the process, like the one that all tests share.
    Some(Box::leak(Box::new(server)))
}

impl Server {
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

    fn from_url(url: &str) -> Self {
        let parse = || {
            let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
            let rest = rest.split(['?', '#']).next()?;
            let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
            let (account, address) = place.rsplit_once('@').unwrap_or(("postgres", place));
            let (username, password) = account.split_once(':').unwrap_or((account, ""));
            let (host, port) = match address.rsplit_once(':') {
                Some((host, port)) => (host, port.parse().ok()?),
                None => (address, 5432),
            };
            let plain = |text: &str| percent_decode_str(text).decode_utf8().ok().map(String::from);
            let maintenance = if database.is_empty() { "postgres".into() } else { plain(database)? };
            Some(Self { host: host.into(), port, username: plain(username)?, password: plain(password)?, maintenance })
        };
        parse().unwrap_or_else(|| panic!("{URL_VARIABLE} must read postgres://user:password@host:port/database"))
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
        let mut connection = self.connect_to(&self.maintenance).await;
        let statement = format!("CREATE DATABASE {name}");
        connection.execute(AssertSqlSafe(statement)).await.expect("a database can be created");
        Database { server: self, name }
    }

    /// How to connect to a database of this server. Nothing is taken from the environment.
    pub(crate) fn options(&self, database: &str) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass()
            .host(&self.host)
            .port(self.port)
            .username(&self.username)
            .database(database)
            .ssl_mode(PgSslMode::Prefer)
            .disable_statement_logging();
        if self.password.is_empty() { options } else { options.password(&self.password) }
    }

    /// A connection to a database of this server.
    pub(crate) async fn connect_to(&self, database: &str) -> PgConnection {
        self.options(database).connect().await.expect("the test server can be reached")
    }

    /// The URL of a database of this server, password included.
    pub(crate) fn url_of(&self, database: &str) -> String {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let password = if self.password.is_empty() { String::new() } else { format!(":{}", encode(&self.password)) };
        format!("postgres://{}{password}@{}:{}/{}", encode(&self.username), self.host, self.port, encode(database))
    }

    /// Drops a database if it exists, with everybody connected to it. Best effort: waits, but reports nothing.
    pub(crate) fn drop_database(&'static self, name: &str) {
        let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        // In a thread with its own runtime, because this is called from `Drop`, inside or outside of any runtime.
        let work = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let mut connection = self.options(&self.maintenance).connect().await.ok()?;
                connection.execute(AssertSqlSafe(statement)).await.ok()
            })
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

    /// A connection to it.
    pub(crate) async fn connect(&self) -> PgConnection {
        self.server.connect_to(&self.name).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.server.drop_database(&self.name);
    }
}

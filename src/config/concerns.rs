use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::edge::{Auth, Secrets, Tls};
use super::notify::Notify;
use super::retention::{Audit, Runs};
use crate::domain::{RetryPolicy, Secret, TransactionMode};

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The environment of this service, and of every branch that names none. Default: development.
    pub environment: Environment,
    /// The folder of the service's own files: the embedded head office, and the SQLite branches unless `sqlite.root`
    /// says otherwise. Default: `data`.
    pub data: PathBuf,
    /// The folder with the migration files. Default: `branch_migrations`.
    pub migrations: PathBuf,
    /// The gRPC server.
    pub server: Server,
    /// How callers prove who they are.
    pub auth: Auth,
    /// TLS.
    pub tls: Tls,
    /// Stored passwords.
    pub secrets: Secrets,
    /// The service's own state database.
    pub head_office: HeadOffice,
    /// SQLite branches.
    pub sqlite: Sqlite,
    /// The orchestrator.
    pub auto_migrate: AutoMigrate,
    /// How migrations are applied.
    pub migration: Migration,
    /// Leases and session locks.
    pub lock: Lock,
    /// When failed branches are tried again.
    pub retry: RetryPolicy,
    /// How much happens at once.
    pub parallel: Parallel,
    /// What validation looks for besides what the catalogue creates.
    pub validation: Validation,
    /// The service's log.
    pub log: Log,
    /// The audit trail.
    pub audit: Audit,
    /// Finished runs.
    pub runs: Runs,
    /// Who is told of things unasked.
    pub notify: Notify,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            environment: Environment::default(),
            data: "data".into(),
            migrations: "branch_migrations".into(),
            server: Server::default(),
            auth: Auth::default(),
            tls: Tls::default(),
            secrets: Secrets::default(),
            head_office: HeadOffice::default(),
            sqlite: Sqlite::default(),
            auto_migrate: AutoMigrate::default(),
            migration: Migration::default(),
            lock: Lock::default(),
            retry: RetryPolicy::default(),
            parallel: Parallel::default(),
            validation: Validation::default(),
            log: Log::default(),
            audit: Audit::default(),
            runs: Runs::default(),
            notify: Notify::default(),
        }
    }
}

impl Config {
    /// The folder under which SQLite branches live: `sqlite.root`, or `branches` in the data folder when that is empty.
    pub fn sqlite_root(&self) -> PathBuf {
        if self.sqlite.root.as_os_str().is_empty() { self.data.join("branches") } else { self.sqlite.root.clone() }
    }

    /// Refuses to be reachable from other machines without authentication and TLS, unless that was asked for.
    ///
    /// [`load`](super::load) has checked this already; the server checks again what it really binds.
    pub fn check_exposure(&self) -> Result<(), String> {
        let listen = self.server.listen;
        if listen.ip().is_loopback() {
            return Ok(());
        }
        let port = listen.port();
        if !self.auth.is_on() {
            return if self.server.allow_unauthenticated {
                Ok(())
            } else {
                Err(format!(
                    "{listen} can be reached from other machines, and callers need not prove who they are; configure \
                     authentication (auth.tokens, auth.jwt or auth.certificates), listen on a loopback address such as \
                     127.0.0.1:{port}, or set server.allow_unauthenticated = true if the network is trusted"
                ))
            };
        }
        if self.tls.is_on() || self.server.allow_plaintext {
            return Ok(());
        }
        Err(format!(
            "{listen} can be reached from other machines, and tokens would travel readable for all; set tls.cert_file and \
             tls.key_file, or server.allow_plaintext = true behind a proxy that does TLS"
        ))
    }
}

/// What kind of environment something belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Environment {
    /// For developing.
    #[default]
    Development,
    /// For trying out.
    Staging,
    /// The real thing: the orchestrator applies nothing unless `auto_migrate.in_production` is set.
    Production,
}

impl Environment {
    /// Every environment with its name.
    pub(super) const WORDS: [(&'static str, Self); 3] =
        [("development", Self::Development), ("staging", Self::Staging), ("production", Self::Production)];

    /// The name used in configuration and in a branch's `environment`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The gRPC server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where to listen; port 0 takes a free one. Default: `127.0.0.1:50051`.
    pub listen: SocketAddr,
    /// Accept that anybody who reaches the address may do everything. Default: no.
    pub allow_unauthenticated: bool,
    /// Accept that tokens travel unencrypted to an address that other machines reach, as behind a proxy that does TLS.
    /// Default: no.
    pub allow_plaintext: bool,
    /// A Unix socket to listen on besides; whoever may open its file is an admin. Default: empty, none.
    pub unix_socket: PathBuf,
    /// The largest request, in bytes. Default: 4 MiB.
    pub max_message_bytes: usize,
    /// The most connections at once; a further one takes the place of one that has nothing to do, or is closed at once.
    /// Default: 1,000.
    pub max_connections: u32,
    /// The most requests being worked on at once, over all connections; further ones are refused. Default: 512.
    pub max_concurrent_requests: u32,
    /// The requests a second of each caller in the long run; 0 means no limit. Default: 500.
    pub requests_per_second: u32,
    /// The requests of each caller at once, after a rest. Default: 1,000.
    pub request_burst: u32,
    /// How long a connection may have no open request before it is closed. Default: 10 minutes.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of an answer before it is given up. Default: 1 minute.
    pub slow_reader_timeout: Duration,
    /// The web pages that may call the service from a browser, by origin, such as `https://hq.example`; those of this
    /// machine always may. Default: none.
    pub allowed_origins: Vec<String>,
    /// How long the service goes on as before after it was asked to stop, while it says that it is not ready: the time
    /// that load balancers need to see that. Default: 0 s.
    pub drain_delay: Duration,
    /// How long a graceful shutdown may take, after `drain_delay`, before the process ends all the same. Default: 30 s.
    pub shutdown_timeout: Duration,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 50051)),
            allow_unauthenticated: false,
            allow_plaintext: false,
            unix_socket: PathBuf::new(),
            max_message_bytes: 4 * 1024 * 1024,
            max_connections: 1_000,
            max_concurrent_requests: 512,
            requests_per_second: 500,
            request_burst: 1_000,
            idle_timeout: Duration::from_secs(600),
            slow_reader_timeout: Duration::from_secs(60),
            allowed_origins: Vec::new(),
            drain_delay: Duration::ZERO,
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}

/// The service's own state database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeadOffice {
    /// `postgres://…`; it may hold a password, so it cannot print itself. Default: none, which means an embedded SQLite
    /// file in the data folder.
    pub url: Option<Secret>,
}

/// SQLite branches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sqlite {
    /// The folder that no SQLite branch leaves. Default: empty, which means `branches` in the data folder; read it
    /// through [`Config::sqlite_root`].
    pub root: PathBuf,
}

/// The orchestrator, which migrates due branches on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoMigrate {
    /// Whether it runs. Default: yes.
    pub enabled: bool,
    /// Whether it applies migrations to production branches rather than only reporting them. Default: no.
    pub in_production: bool,
    /// What happens at start. Default: background.
    pub on_startup: OnStartup,
    /// How long after the start the first pass begins. Default: 30 s.
    pub initial_delay: Duration,
    /// The time between passes, before jitter. Default: 5 minutes.
    pub interval: Duration,
}

impl Default for AutoMigrate {
    fn default() -> Self {
        Self {
            enabled: true,
            in_production: false,
            on_startup: OnStartup::default(),
            initial_delay: Duration::from_secs(30),
            interval: Duration::from_secs(300),
        }
    }
}

/// What the orchestrator does when the service starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStartup {
    /// The first pass runs while requests are already served.
    #[default]
    Background,
    /// The service is not ready before the first pass is over.
    Blocking,
    /// There is no pass at start; the first one comes with the interval.
    Off,
}

/// How migrations are applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// How long one migration may run, unless its file says otherwise. Default: 300 s.
    pub timeout: Duration,
    /// How long one statement may wait for a lock of the database. Default: 30 s.
    pub lock_timeout: Duration,
    /// How long connecting to a branch may take. Default: 10 s.
    pub connect_timeout: Duration,
    /// How migrations and transactions go together. Default: `PerMigration`.
    pub transaction_mode: TransactionMode,
    /// Create a branch's database and schema when they do not exist. Default: yes.
    pub ensure_created: bool,
    /// Refuse to go on when the file of an applied migration has changed. Default: yes.
    pub validate_checksums: bool,
    /// Apply migrations that are older than the newest applied one. Default: no.
    pub out_of_order: bool,
    /// Log every statement. Default: no.
    pub log_details: bool,
    /// The ledger's table in each branch. Default: `__MigrationsHistory`.
    pub history_table: String,
}

impl Default for Migration {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(300),
            lock_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            transaction_mode: TransactionMode::default(),
            ensure_created: true,
            validate_checksums: true,
            out_of_order: false,
            log_details: false,
            history_table: "__MigrationsHistory".into(),
        }
    }
}

/// Leases and session locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// How long a lease lasts unless it is renewed, which happens at a third of its life. Default: 60 s.
    pub lease: Duration,
    /// How long to wait for the session lock inside a branch. Default: 30 s.
    pub wait: Duration,
}

impl Default for Lock {
    fn default() -> Self {
        Self { lease: Duration::from_secs(60), wait: Duration::from_secs(30) }
    }
}

/// How much happens at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parallel {
    /// The most branches worked on at once by one run. Default: 32.
    pub branches: u32,
    /// The most connections to one database host at once. Default: 16.
    pub per_host: u32,
}

impl Default for Parallel {
    fn default() -> Self {
        Self { branches: 32, per_host: 16 }
    }
}

/// What validation looks for besides what the catalogue creates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validation {
    /// Tables that every branch has to have. Default: none.
    pub required_tables: Vec<String>,
}

/// The service's log, which goes to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    /// How a line looks. Default: auto.
    pub format: LogFormat,
    /// The least important lines that are written; `RUST_LOG` overrides it. Default: info.
    pub level: LogLevel,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Human on a terminal, otherwise JSON.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something needs attention.
    Warn,
    /// What the service does.
    #[default]
    Info,
    /// How it does it.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Every level with its name.
    pub(super) const WORDS: [(&'static str, Self); 5] = [
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];

    /// The level's name, as `RUST_LOG` knows it too.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

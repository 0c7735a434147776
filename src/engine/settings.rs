use std::time::Duration;

use crate::domain::{Policy, RetryPolicy};
use crate::provider;

/// How the engine works; made from the configuration once, at start.
#[derive(Clone)]
pub struct EngineSettings {
    /// The environment of branches that name none of their own.
    pub environment: String,
    /// How branch databases are reached.
    pub provider: provider::Settings,
    /// Create a branch's database when it does not exist.
    pub ensure_created: bool,
    /// What the planner lets pass.
    pub policy: Policy,
    /// The time limit of a migration that sets none of its own.
    pub migration_timeout: Duration,
    /// The life of a lease; renewed at a third of it.
    pub lease: Duration,
    /// How long to wait for the session lock inside a branch.
    pub lock_wait: Duration,
    /// When failed branches are tried again.
    pub retry: RetryPolicy,
    /// How many branches at once in a run that does not say.
    pub parallel: usize,
    /// How many branches at once on one server, over all runs.
    pub per_host: usize,
    /// Tables that validation demands of every branch.
    pub required_tables: Vec<String>,
    /// Log every statement.
    pub log_statements: bool,
    /// What the orchestrator does unasked.
    pub auto: AutoMigrate,
    /// How long ended runs and their events are kept.
    pub run_retention: Duration,
    /// How long audit rows are kept.
    pub audit_retention: Duration,
}

/// What the orchestrator does unasked.
#[derive(Debug, Clone)]
pub struct AutoMigrate {
    /// Whether it migrates at all. Runs that died are recovered even when it does not.
    pub enabled: bool,
    /// Whether it migrates branches in `production`; otherwise it reports what they lack.
    pub in_production: bool,
    /// When the first pass comes.
    pub on_startup: OnStartup,
    /// The wait before the first pass.
    pub initial_delay: Duration,
    /// The wait between passes, scattered by a tenth.
    pub interval: Duration,
}

/// When the orchestrator makes its first pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStartup {
    /// After the initial delay, while requests are already served.
    Background,
    /// Before the service says that it is ready.
    Blocking,
    /// Not before the first interval has passed.
    Off,
}

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use branchkeeper::domain::{
    Branch, BranchCode, BranchId, BranchOutcome, BranchState, Clock, Connection, EventBody, ManualClock, OutcomeStatus,
    Provider, Run, RunId, RunKind, RunRequest, ServerConnection, SqliteConnection, Time,
};
use branchkeeper::store::{
    Acquire, Batch, CreatedRun, Finished, HeadOffice, KnownState, Location, NewRun, Next, Scope,
};
use tempfile::TempDir;

use crate::support::{self, Database};

/// How long leases last in these tests.
pub(crate) const TTL: Duration = Duration::from_secs(60);
/// The process that the tests play.
pub(crate) const ME: &str = "replica-1";

/// Runs each test of a file over both backends.
macro_rules! over_both_backends {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::store::fixture::Fixture::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::store::fixture::Fixture::postgres().await).await;
            })*
        }
    };
}
pub(crate) use over_both_backends;

/// Where a test's head office is; removed with the value.
pub(crate) enum Backend {
    Sqlite(TempDir),
    Postgres(Database),
}

impl Backend {
    pub(crate) fn location(&self) -> Location {
        match self {
            Self::Sqlite(folder) => Location::Embedded(folder.path().join("data")),
            Self::Postgres(database) => Location::Postgres(database.head_office_url()),
        }
    }
}

/// A fresh head office with a clock that the test moves.
pub(crate) struct Fixture {
    // Before the backend, so that it is closed when the backend goes.
    pub(crate) office: HeadOffice,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) backend: Backend,
}

pub(crate) fn start_time() -> Time {
    Time::from_timestamp(1_800_000_000, 0).unwrap()
}

impl Fixture {
    async fn over(backend: Backend) -> Self {
        let clock = Arc::new(ManualClock::new(start_time()));
        let office = HeadOffice::open(&backend.location(), clock.clone()).await.unwrap();
        Self { office, clock, backend }
    }

    pub(crate) async fn sqlite() -> Self {
        Self::over(Backend::Sqlite(support::temp_dir())).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::over(Backend::Postgres(support::postgres().await.fresh_database().await)).await
    }

    /// Another replica's view, where there can be one; otherwise the same.
    pub(crate) async fn replica(&self) -> HeadOffice {
        match self.backend {
            Backend::Sqlite(_) => self.office.clone(),
            Backend::Postgres(_) => HeadOffice::open(&self.backend.location(), self.clock.clone()).await.unwrap(),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.backend, Backend::Postgres(_))
    }

    /// Runs a statement behind head office's back.
    pub(crate) async fn tamper(&self, sql: &str) {
        use sqlx::{ConnectOptions, Connection, Executor};
        match &self.backend {
            Backend::Sqlite(folder) => {
                let file = folder.path().join("data/head-office.db");
                let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.unwrap();
                connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
                connection.close().await.unwrap();
            }
            Backend::Postgres(database) => {
                database.connect().await.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
            }
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// A SQLite branch, registered.
    pub(crate) async fn add(&self, code: &str) -> Branch {
        self.add_with(code, |_| {}).await
    }

    pub(crate) async fn add_with(&self, code: &str, change: impl FnOnce(&mut Branch)) -> Branch {
        let mut branch = branch(code);
        change(&mut branch);
        self.office.create_branch(&branch, &format!("fingerprint of {code}")).await.unwrap();
        branch
    }

    /// Registers branches `BR00001` and so on.
    pub(crate) async fn add_many(&self, count: usize) -> Vec<Branch> {
        let mut branches = Vec::with_capacity(count);
        for number in 1..=count {
            branches.push(self.add(&format!("BR{number:05}")).await);
        }
        branches
    }

    /// The run's unfinished branches, all of which are readable.
    pub(crate) async fn unfinished(&self, id: RunId, after: i64, limit: u32) -> Vec<(i64, Branch, KnownState)> {
        let left = self.office.unfinished(id, after, limit).await.unwrap();
        let readable = left.into_iter().map(|(position, found)| (position, found.unwrap()));
        readable.map(|(position, (branch, known))| (position, branch, known)).collect()
    }

    pub(crate) async fn state(&self, branch: &Branch) -> BranchState {
        self.office.state(branch.id).await.unwrap().expect("the branch has a state")
    }

    /// Takes a lease that has to be free.
    pub(crate) async fn acquire(&self, branch: &Branch) -> (BranchState, i64) {
        match self.office.acquire(branch.id, ME, TTL, 0).await.unwrap() {
            Acquire::Granted { state_before, token, .. } => (*state_before, token),
            other => panic!("the lease of {} is not free: {other:?}", branch.code),
        }
    }

    /// A new run over these branches, owned by [`ME`].
    pub(crate) async fn run(&self, kind: RunKind, branches: &[Branch]) -> Run {
        let scope = Scope::Branches(branches.iter().map(|branch| branch.id).collect());
        let run = self.office.create_run(new_run(kind, scope), ME, TTL, |_| None).await.unwrap();
        match run {
            CreatedRun::New(run) => run,
            CreatedRun::Existing(run) => panic!("the run {} is not new", run.id),
        }
    }

    /// Work on a run of [`ME`] begins.
    pub(crate) async fn begin(&self, run: RunId) {
        self.office.record(batch(run, Vec::new(), Vec::new())).await.unwrap();
    }
}

pub(crate) fn new_run(kind: RunKind, scope: Scope) -> NewRun {
    NewRun { kind, requested_by: "ann".into(), request_id: None, request: RunRequest::default(), scope }
}

pub(crate) fn branch(code: &str) -> Branch {
    Branch {
        id: BranchId::generate(),
        code: code.parse().unwrap(),
        name: format!("Branch {code}"),
        provider: Provider::Sqlite,
        connection: Connection::Sqlite(SqliteConnection::default()),
        labels: BTreeMap::new(),
        is_active: true,
        environment: String::new(),
        create_time: start_time(),
        update_time: start_time(),
    }
}

/// A connection to a PostgreSQL branch.
pub(crate) fn server_connection() -> Connection {
    Connection::Server(ServerConnection {
        host: "db.example".into(),
        port: Some(5433),
        database: "shop".into(),
        schema: "zażółć".into(),
        username: "keeper".into(),
        password_ref: Some("env:SHOP_PASSWORD".parse().unwrap()),
        ..ServerConnection::default()
    })
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

pub(crate) fn codes<'a>(branches: impl IntoIterator<Item = &'a Branch>) -> Vec<&'a str> {
    branches.into_iter().map(|branch| branch.code.as_str()).collect()
}

pub(crate) fn outcome(branch: &Branch, status: OutcomeStatus) -> BranchOutcome {
    BranchOutcome {
        branch_id: branch.id,
        branch_code: branch.code.clone(),
        status,
        applied: Vec::new(),
        notes: Vec::new(),
        error: None,
        duration: Duration::from_millis(12),
        observed: None,
    }
}

pub(crate) fn finished(outcome: BranchOutcome) -> Finished {
    Finished { outcome, next: Next::Same }
}

pub(crate) fn batch(run_id: RunId, events: Vec<(Time, EventBody)>, finished: Vec<Finished>) -> Batch {
    Batch { run_id, owner: ME.into(), events, finished, ends: false }
}

/// An event that is always recorded.
pub(crate) fn event(code: &BranchCode, number: u32) -> (Time, EventBody) {
    let body = EventBody::MigrationStarted {
        branch_code: code.clone(),
        migration_id: "1_Init".parse().unwrap(),
        index: number,
        total: 1,
        direction: Default::default(),
    };
    (start_time(), body)
}

/// An event of a single statement.
pub(crate) fn statement_event(code: &BranchCode) -> (Time, EventBody) {
    let body = EventBody::StatementFinished {
        branch_code: code.clone(),
        migration_id: "1_Init".parse().unwrap(),
        index: 1,
        total: 1,
        duration: Duration::from_micros(1500),
    };
    (start_time(), body)
}

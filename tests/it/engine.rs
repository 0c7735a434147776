//! The engine without a service around it: runs that lost their process or their head office, and the orchestrator.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use branchkeeper::domain::{
    BranchOutcome, BranchRef, FailureClass, MigrationError, MigrationStatus, OutcomeStatus, Policy, Provider,
    RetryPolicy, Run, RunKind, RunRequest, RunState, SystemClock,
};
use branchkeeper::engine::{
    ApplyCommand, AutoMigrate, Caller, EngineSettings, Manager, NewBranch, OnStartup, orchestrator,
};
use branchkeeper::provider;
use branchkeeper::store::{
    Acquire, Batch, CreatedRun, Finished, HeadOffice, Location, NewRun, Next, Page, RunsFilter, Scope,
};

use sqlx::{ConnectOptions, Connection};

use crate::support::{Database, postgres, temp_dir};

const LEASE: Duration = Duration::from_secs(2);

/// An engine, its head office beside it, and the folder of both.
struct Engine {
    manager: Manager,
    office: HeadOffice,
    folder: tempfile::TempDir,
}

fn caller() -> Caller {
    Caller::named("test")
}

fn settings(root: &Path) -> EngineSettings {
    EngineSettings {
        environment: "development".into(),
        provider: provider::Settings { sqlite_root: root.to_owned(), ..provider::Settings::default() },
        ensure_created: true,
        policy: Policy::default(),
        migration_timeout: Duration::from_secs(30),
        lease: LEASE,
        lock_wait: Duration::from_secs(1),
        retry: RetryPolicy { backoff: Duration::from_millis(200), ..RetryPolicy::default() },
        parallel: 4,
        per_host: 4,
        required_tables: Vec::new(),
        log_statements: false,
        auto: AutoMigrate {
            enabled: false,
            in_production: false,
            on_startup: OnStartup::Background,
            initial_delay: Duration::from_millis(1),
            interval: Duration::from_secs(300),
        },
        run_retention: Duration::from_secs(86_400),
        audit_retention: Duration::from_secs(86_400),
    }
}

impl Engine {
    async fn embedded(migrations: &[(&str, &str)], change: impl FnOnce(&mut EngineSettings)) -> Self {
        let folder = temp_dir();
        let location = Location::Embedded(folder.path().join("data"));
        Self::at(folder, &location, migrations, change).await
    }

    async fn at(
        folder: tempfile::TempDir,
        location: &Location,
        migrations: &[(&str, &str)],
        change: impl FnOnce(&mut EngineSettings),
    ) -> Self {
        let catalogue = folder.path().join("migrations");
        std::fs::create_dir(&catalogue).unwrap();
        for (name, sql) in migrations {
            std::fs::write(catalogue.join(name), sql).unwrap();
        }
        let office = HeadOffice::open(location, Arc::new(SystemClock)).await.unwrap();
        let mut settings = settings(&folder.path().join("branches"));
        change(&mut settings);
        let manager = Manager::new(settings, office.clone(), catalogue, Arc::new(SystemClock)).await.unwrap();
        Self { manager, office, folder }
    }

    async fn start(&self) {
        orchestrator::start(&self.manager).await.unwrap();
    }

    async fn add(&self, code: &str, environment: &str) -> BranchRef {
        let new = NewBranch {
            code: code.parse().unwrap(),
            name: String::new(),
            provider: Provider::Sqlite,
            connection: None,
            password: None,
            labels: Default::default(),
            is_active: true,
            environment: environment.into(),
        };
        BranchRef::Id(self.manager.create_branch(new, &caller()).await.unwrap().id)
    }

    /// A run in head office that this process never began: as after a write whose answer was lost.
    async fn persisted(&self, owner: &str, which: &BranchRef, life: Duration) -> Run {
        let branch = self.manager.branch(which).await.unwrap();
        let new = NewRun {
            kind: RunKind::Apply,
            requested_by: "test".into(),
            request_id: None,
            request: RunRequest::default(),
            scope: Scope::Branches(vec![branch.id]),
        };
        match self.office.create_run(new, owner, life, |_| None).await.unwrap() {
            CreatedRun::New(run) => run,
            CreatedRun::Existing(run) => panic!("{run:?}"),
        }
    }

    async fn over(&self, run: &Run) -> Run {
        let begun = Instant::now();
        loop {
            let run = self.manager.run(run.id).await.unwrap();
            if run.state.is_over() {
                return run;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "the run does not end: {run:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn status(&self, which: &BranchRef) -> MigrationStatus {
        let branch = self.manager.branch(which).await.unwrap();
        self.office.state(branch.id).await.unwrap().unwrap().status
    }

    async fn stands(&self, which: &BranchRef, expected: MigrationStatus) {
        let begun = Instant::now();
        while self.status(which).await != expected {
            assert!(begun.elapsed() < Duration::from_secs(20), "the branch stands at {}", self.status(which).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn runs(&self) -> Vec<Run> {
        let page = Page { size: 1000, ..Page::default() };
        self.office.runs(&RunsFilter::default(), &page).await.unwrap().items
    }

    async fn stop(self) {
        self.manager.shut_down(Duration::from_secs(5)).await;
        self.office.close().await;
    }
}

/// Everything, as configured.
fn apply(branch: &BranchRef) -> ApplyCommand {
    ApplyCommand {
        branch: branch.clone(),
        target: None,
        transaction_mode: None,
        dry_run: false,
        plan_digest: None,
        request_id: None,
    }
}

const TABLE: (&str, &str) = ("1_Table.sql", "CREATE TABLE t (n INTEGER);\n");

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_its_own_process_lost_sight_of_is_taken_up() {
    let engine = Engine::embedded(&[TABLE], |_| {}).await;
    engine.start().await;
    let branch = engine.add("BR001", "").await;
    let run = engine.persisted(engine.manager.owner(), &branch, LEASE).await;
    assert_eq!(engine.over(&run).await.state, RunState::Succeeded);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_branch_with_something_to_do_needs_a_lease() {
    let engine = Engine::embedded(&[TABLE], |_| {}).await;
    engine.start().await;
    let branch = engine.add("BR001", "").await;
    let id = engine.manager.branch(&branch).await.unwrap().id;
    let mut attempts = Vec::new();
    for (applied, leases) in [(1, 1), (0, 1), (0, 1)] {
        let run = engine.manager.apply(apply(&branch), &caller()).await.unwrap();
        assert_eq!((run.state, run.result.unwrap().applied_migrations.len()), (RunState::Succeeded, applied));
        let (_, known) = engine.office.branch_and_state(id).await.unwrap().unwrap();
        assert_eq!((known.token, known.state.status), (leases, MigrationStatus::Completed));
        attempts.push(known.state.last_attempt_time);
    }
    assert!(attempts.is_sorted() && attempts[0] != attempts[2], "each look counts: {attempts:?}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_process_s_cancelled_run_is_not_begun_again() {
    let engine = Engine::embedded(&[TABLE], |_| {}).await;
    engine.start().await;
    let branch = engine.add("BR001", "").await;
    let run = engine.persisted("somebody else", &branch, Duration::ZERO).await;
    engine.office.request_cancel(run.id).await.unwrap();
    assert_eq!(engine.over(&run).await.state, RunState::Cancelled);
    assert_eq!(engine.status(&branch).await, MigrationStatus::Pending);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_replica_s_lease_does_not_refuse_the_run_that_is_taken_up() {
    let database: Database = postgres().await.fresh_database().await;
    let location = Location::Postgres(database.head_office_url());
    let engine = Engine::at(temp_dir(), &location, &[TABLE], |_| {}).await;
    engine.start().await;
    let branch = engine.add("BR001", "").await;
    let id = engine.manager.branch(&branch).await.unwrap().id;
    // The other replica dies right after it has renewed the branch's lease, a while after it renewed its runs.
    let lease = engine.office.acquire(id, "dead", Duration::from_millis(4000), 0).await.unwrap();
    assert!(matches!(lease, Acquire::Granted { .. }));
    // It has recorded nothing of the run yet.
    let run = engine.persisted("dead", &branch, Duration::from_secs(2)).await;
    let run = engine.over(&run).await;
    assert_eq!(run.state, RunState::Succeeded, "{:?}", run.result);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_with_what_was_applied_before_it() {
    let engine = Engine::embedded(&[TABLE, ("2_Bad.sql", "INSERT INTO nowhere VALUES (1);\n")], |_| {}).await;
    let branch = engine.add("BR001", "").await;
    let apply = apply(&branch);
    let run = engine.manager.apply(apply, &caller()).await.unwrap();
    assert_eq!(run.state, RunState::Failed);
    let id = engine.manager.branch(&branch).await.unwrap().id;
    let state = engine.office.state(id).await.unwrap().unwrap();
    assert_eq!((state.last_migration.as_deref(), state.pending_count), (Some("1_Table"), Some(1)));
    engine.stop().await;
}

/// A branch that takes its time.
const SLOW: &str = "CREATE TABLE t (n INTEGER);\nINSERT INTO t WITH RECURSIVE n(i) AS \
    (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT i FROM n;\n";

fn fail_first(engine: &Engine, code: &str) {
    // The table of the only migration is there already.
    let file = engine.folder.path().join(format!("branches/{code}/Database/{code}.db"));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, "this is not a database, and long enough to be looked at as one by anybody").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_branch_is_tried_again_while_its_run_still_goes_on() {
    // Far slower than the other branch's failures, on a busy machine too; it is stopped in the end.
    let slower = SLOW.replace("3000000", "200000000");
    let engine = Engine::embedded(&[("1_Slow.sql", &slower)], |settings| settings.auto.enabled = true).await;
    let (slow, broken) = (engine.add("SLOW", "").await, engine.add("BROKEN", "").await);
    fail_first(&engine, "BROKEN");
    engine.start().await;
    engine.stands(&broken, MigrationStatus::RequiresManualIntervention).await;
    assert_eq!(engine.status(&slow).await, MigrationStatus::InProgress, "the others were not waited for");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_the_orchestrator_s_run_keeps_it_cancelled() {
    let engine = Engine::embedded(&[("1_Slow.sql", SLOW)], |settings| {
        settings.auto.enabled = true;
        settings.parallel = 1;
    });
    let engine = engine.await;
    let branches = [engine.add("BR001", "").await, engine.add("BR002", "").await];
    engine.start().await;
    let begun = Instant::now();
    while engine.runs().await.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let run = engine.runs().await.remove(0);
    engine.manager.cancel_run(run.id, &caller()).await.unwrap();
    assert_eq!(engine.over(&run).await.state, RunState::Cancelled);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(engine.runs().await.len(), 1, "nothing has begun it again");
    engine.manager.retry(&branches[1], &caller()).await.unwrap();
    engine.stands(&branches[1], MigrationStatus::Completed).await;
    assert_eq!(engine.status(&branches[0]).await, MigrationStatus::Pending);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn production_branches_that_do_not_answer_keep_nobody_waiting() {
    // Somebody who lets everybody connect, and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let engine = Engine::embedded(&[TABLE], |settings| {
        settings.auto.enabled = true;
        settings.provider.connect_timeout = Duration::from_secs(60);
    });
    let engine = engine.await;
    let server = branchkeeper::domain::ServerConnection {
        host: "127.0.0.1".into(),
        port: Some(silent.local_addr().unwrap().port()),
        database: "shop".into(),
        username: "keeper".into(),
        ..Default::default()
    };
    let new = NewBranch {
        code: "A000".parse().unwrap(),
        name: String::new(),
        provider: Provider::Postgres,
        connection: Some(branchkeeper::domain::Connection::Server(server)),
        password: None,
        labels: Default::default(),
        is_active: true,
        environment: "production".into(),
    };
    engine.manager.create_branch(new, &caller()).await.unwrap();
    engine.start().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let other = engine.add("BR001", "").await;
    engine.stands(&other, MigrationStatus::Completed).await;
    engine.stop().await;
}

async fn run_in(file: &Path, sql: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_whose_token_cannot_be_passed_is_not_tried_without_pause() {
    let engine = Engine::embedded(&[TABLE], |settings| {
        settings.auto.enabled = true;
        settings.retry.backoff = Duration::from_secs(60);
    });
    let engine = engine.await;
    let branch = engine.add("BR001", "").await;
    engine.start().await;
    engine.stands(&branch, MigrationStatus::Completed).await;
    let file = engine.folder.path().join("branches/BR001/Database/BR001.db");
    run_in(&file, "UPDATE __MigrationsHistoryLock SET token = 9223372036854775807").await;
    std::fs::write(engine.folder.path().join("migrations/2_More.sql"), "CREATE TABLE u (n INTEGER);\n").unwrap();
    engine.manager.retry(&branch, &caller()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let runs = engine.runs().await.len();
    assert!(runs <= 3, "{runs} runs");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_branch_does_not_stop_the_others() {
    let engine = Engine::embedded(&[TABLE], |settings| settings.auto.enabled = true).await;
    engine.add("A000", "").await;
    let good = engine.add("BR001", "").await;
    run_in(&engine.folder.path().join("data/head-office.db"), "UPDATE branches SET labels = 'x' WHERE code = 'A000'")
        .await;
    engine.start().await;
    engine.stands(&good, MigrationStatus::Completed).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_on_error_is_remembered_by_a_run_that_is_taken_up() {
    let engine = Engine::embedded(&[TABLE], |_| {}).await;
    let first = engine.add("BR001", "").await;
    let second = engine.add("BR002", "").await;
    let new = NewRun {
        kind: RunKind::ApplyAll,
        requested_by: "test".into(),
        request_id: None,
        request: RunRequest { stop_on_error: true, ..RunRequest::default() },
        scope: Scope::Selector(Default::default()),
    };
    let CreatedRun::New(run) = engine.office.create_run(new, "dead", Duration::ZERO, |_| None).await.unwrap() else {
        panic!()
    };
    let branch = engine.manager.branch(&first).await.unwrap();
    let outcome = BranchOutcome {
        branch_id: branch.id,
        branch_code: branch.code.clone(),
        status: OutcomeStatus::Failed,
        applied: Vec::new(),
        notes: Vec::new(),
        error: Some(MigrationError::new(&branch.code, FailureClass::Sql, "no")),
        duration: Duration::ZERO,
        observed: None,
    };
    let finished = vec![Finished { outcome, next: Next::Same }];
    let batch = Batch { run_id: run.id, owner: "dead".into(), events: Vec::new(), finished, ends: false };
    engine.office.record(batch).await.unwrap();
    engine.start().await;
    let run = engine.over(&run).await;
    assert_eq!(run.result.unwrap().branches_skipped, 1);
    assert_eq!(engine.status(&second).await, MigrationStatus::Pending);
    engine.stop().await;
}

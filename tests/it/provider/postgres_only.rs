//! What only PostgreSQL has: a network, users, schemas, sessions that others can look at, and indexes built concurrently.

use std::time::{Duration, Instant};

use branchkeeper::domain::{Effect, ObjectName, Segment, SessionChange, SslMode, Statement};
use branchkeeper::provider::{Claim, ErrorKind, Fate, Outcome, Session, Work, create, test};
use sqlx::{AssertSqlSafe, Executor};
use tokio::net::TcpListener;

use super::fixture::{
    Fixture, Notes, alone, claim, digests, intent, planned, progress, resumed, setting, soon, sql, work,
};
use crate::support;

fn concurrently() -> Statement {
    let effect = Effect::IndexExists { index: ObjectName::bare("i"), table: ObjectName::bare("t") };
    alone("CREATE INDEX CONCURRENTLY i ON t (a)", effect)
}

async fn connection(fixture: &Fixture) -> sqlx::PgConnection {
    support::postgres().await.connect_to(&fixture.server().database).await
}

fn other_office() -> Claim {
    Claim { head_office: "elsewhere".into(), ..claim(1) }
}

#[tokio::test]
async fn an_interrupted_index_is_found_dropped_and_built_again() {
    let fixture = Fixture::postgres().await;
    fixture.create().await;
    fixture.value("CREATE TABLE t (a integer); INSERT INTO t SELECT generate_series(1, 1000)").await;
    let mut blocker = connection(&fixture).await;
    blocker.execute(sqlx::raw_sql("BEGIN; INSERT INTO t VALUES (1)")).await.unwrap();

    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [sql("SELECT 1"), concurrently()]);
    let mut notes = Notes::default();
    session.run_segment(&fence, &work(&one), &Segment::Transaction(0..1), false, &soon(), &mut notes).await.unwrap();
    let limited = Work { timeout: Duration::from_millis(700), ..work(&one) };
    let failed = session.run_segment(&fence, &limited, &Segment::Alone(1), true, &soon(), &mut notes).await;
    let error = failed.unwrap_err();
    assert_eq!(error.error.kind, ErrorKind::Timeout, "{error:?}");
    assert_eq!((error.done, error.statement, error.outcome), (1, Some(1), Outcome::Partial));
    blocker.execute("ROLLBACK").await.unwrap();
    session.unlock(fence).await.unwrap();
    drop(session);

    let (mut session, fence) = {
        let mut session = fixture.session().await;
        let fence = session.lock(&claim(2), Duration::from_secs(5), &soon()).await.unwrap();
        (session, fence)
    };
    let ledger = session.ledger().await.unwrap();
    let half = progress(&ledger, "1_one");
    assert_eq!((half.done, half.intent), (digests(&one, 1), intent(&one, 1)));
    let again = resumed(&one, &ledger);
    let statement = &again.migration.up.statements[1];
    assert_eq!(session.fate(statement).await, Ok(Fate::Leftover));
    session.clear_leftover(&fence, statement, &soon()).await.unwrap();
    assert_eq!(session.fate(statement).await, Ok(Fate::NotStarted));
    assert_eq!(session.clear_leftover(&fence, statement, &soon()).await.unwrap_err().kind, ErrorKind::Internal);
    session.settle(&fence, &work(&again), 1..2, false).await.unwrap();
    session.run_segment(&fence, &work(&again), &Segment::Alone(1), true, &soon(), &mut notes).await.unwrap();
    assert_eq!(session.fate(statement).await, Ok(Fate::Applied));
    assert!(fixture.ledger().await.is_applied("1_one"));
    session.unlock(fence).await.unwrap();
}

#[tokio::test]
async fn an_invalid_index_is_not_taken_for_one_that_exists() {
    let fixture = Fixture::postgres().await;
    fixture.create().await;
    // Another tool's attempt has failed at a duplicate and left its index.
    fixture.value("CREATE TABLE t (a integer); INSERT INTO t VALUES (1), (1)").await;
    let mut other = connection(&fixture).await;
    other.execute("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)").await.unwrap_err();
    other.execute("TRUNCATE t").await.unwrap();
    let Some(effect) = concurrently().alone else { panic!() };
    let one = planned("1_one", [alone("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)", effect)]);
    let (mut session, fence) = fixture.locked().await;
    let mut notes = Notes::default();
    let error = session.run_segment(&fence, &work(&one), &Segment::Alone(0), true, &soon(), &mut notes).await;
    let error = error.unwrap_err();
    assert!(error.error.message.contains("invalid"), "{error:?}");
    assert!(!fixture.ledger().await.is_applied("1_one"));
    session.unlock(fence).await.unwrap();
}

#[tokio::test]
async fn building_an_index_and_waiting_for_the_lock_do_not_block_each_other() {
    let fixture = Fixture::postgres().await;
    fixture.create().await;
    fixture.value("CREATE TABLE t (a integer)").await;
    let (mut one, fence) = fixture.locked().await;
    let mut two = fixture.session().await;
    let index = planned("1_index", [concurrently()]);
    let (claim, stop, index_work, mut notes) = (other_office(), soon(), work(&index), Notes::default());
    let started = Instant::now();
    let waiting = two.lock(&claim, Duration::from_secs(20), &stop);
    let building = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        one.run_segment(&fence, &index_work, &Segment::Alone(0), true, &stop, &mut notes).await.unwrap();
        one.unlock(fence).await.unwrap();
    };
    let (locked, ()) = tokio::join!(waiting, building);
    locked.unwrap();
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_statement_that_another_session_runs_is_running() {
    let fixture = Fixture::postgres().await;
    let mut session = fixture.session().await;
    for text in ["SELECT pg_sleep(20)".to_owned(), format!("SELECT pg_sleep(20) -- {}", "ż".repeat(2000))] {
        let statement = alone(&text, Effect::Unknowable);
        assert_eq!(session.fate(&statement).await, Ok(Fate::Unknown));
        let mut busy = connection(&fixture).await;
        let running = busy.execute(sqlx::raw_sql(AssertSqlSafe(format!("{text}\n;\n"))));
        let asking = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            session.fate(&statement).await
        };
        tokio::select! {
            _ = running => panic!("it sleeps"),
            fate = asking => assert_eq!(fate, Ok(Fate::Running)),
        }
    }
}

#[tokio::test]
async fn what_is_gone_is_told_from_what_is_there() {
    let fixture = Fixture::postgres().await;
    let mut session = fixture.session().await;
    fixture.value("CREATE TABLE t (a integer); CREATE INDEX j ON t (a)").await;
    let database = fixture.server().database.clone();
    let cases = [
        (Effect::IndexGone(ObjectName::bare("j")), Fate::NotStarted),
        (Effect::IndexGone(ObjectName { schema: Some("public".into()), name: "k".into() }), Fate::Applied),
        (Effect::DatabaseExists(database.clone()), Fate::Applied),
        (Effect::DatabaseExists("no such database".into()), Fate::NotStarted),
        (Effect::DatabaseGone(database), Fate::NotStarted),
        (Effect::Idempotent, Fate::Rerun),
    ];
    for (effect, fate) in cases {
        assert_eq!(session.fate(&alone("SELECT 'something unique'", effect.clone())).await, Ok(fate), "{effect:?}");
    }
    assert_eq!(session.fate(&concurrently()).await, Ok(Fate::NotStarted));
}

#[tokio::test]
async fn schemas_of_one_database_are_branches_of_their_own() {
    let mut fixture = Fixture::postgres().await;
    let mut sessions = Vec::new();
    for schema in ["one", "Two \"x\""] {
        fixture.server_mut().schema = schema.into();
        let (mut session, fence) = fixture.locked().await;
        let one = planned("1_one", [sql("CREATE TABLE t (a integer)")]);
        session.run_atomic(&fence, &[work(&one)], false, &soon(), &mut Notes::default()).await.unwrap();
        let ledger = session.ledger().await.unwrap();
        assert_eq!(ledger.rows.len(), 1);
        let tables = session.tables().await.unwrap();
        assert!(tables.names.contains(&ObjectName::bare("t")), "{tables:?}");
        sessions.push((session, fence));
    }
    let count = "SELECT count(*) FROM pg_tables WHERE tablename = 't' AND schemaname IN ('one', 'Two \"x\"')";
    assert_eq!(fixture.value(count).await.as_deref(), Some("2"));
    let error = fixture.session().await.lock(&other_office(), Duration::ZERO, &soon()).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Locked { .. }), "the same schema is the same branch: {error:?}");
    for (mut session, fence) in sessions {
        session.renew(&fence).await.unwrap();
        session.unlock(fence).await.unwrap();
    }
}

#[tokio::test]
async fn an_unreachable_server_is_named() {
    let mut fixture = Fixture::postgres().await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    fixture.server_mut().port = Some(free);
    fixture.server_mut().host = "127.0.0.1".into();
    let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.message.contains(&format!("127.0.0.1:{free}")) && !error.hint.is_empty(), "{error:?}");
    let report = test(&fixture.endpoint(), &fixture.settings).await;
    assert!(!report.reachable && !report.database_exists);
    assert_eq!(create(&fixture.endpoint(), &fixture.settings).await.unwrap_err().kind, ErrorKind::Unreachable);

    // A server that accepts and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    fixture.server_mut().port = Some(silent.local_addr().unwrap().port());
    fixture.settings.connect_timeout = Duration::from_millis(300);
    let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error:?}");
}

#[tokio::test]
async fn a_wrong_password_is_told_from_a_wrong_place() {
    let mut fixture = Fixture::postgres().await;
    if fixture.server().password_ref.is_none() {
        return; // A server without passwords, given by URL.
    }
    let path = fixture.folder.path().join("password");
    std::fs::write(&path, "hunter2-wrong").unwrap();
    let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Authentication, "{error:?}");
    assert!(error.hint.contains("password") && error.hint.contains(path.to_str().unwrap()), "{error:?}");
    assert!(!format!("{error:?}").contains("hunter2"));
    std::fs::remove_file(&path).unwrap();
    let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Authentication);
    fixture.server_mut().password_ref = None;
    let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Authentication, "{error:?}");
}

#[tokio::test]
async fn a_server_without_tls_is_not_used_where_tls_is_asked_for() {
    let mut fixture = Fixture::postgres().await;
    fixture.server_mut().ssl_mode = SslMode::VerifyFull;
    let Err(error) = Session::connect(&fixture.endpoint(), &fixture.settings).await else { return };
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error:?}");
    assert!(error.hint.contains("ssl_mode"));
}

#[tokio::test]
async fn a_server_without_a_free_connection_is_busy() {
    let mut fixture = Fixture::postgres().await;
    let role = support::postgres().await.unique_name();
    fixture.value(&format!("CREATE ROLE {role} LOGIN PASSWORD 'pw' CONNECTION LIMIT 0")).await;
    let path = fixture.folder.path().join("role");
    std::fs::write(&path, "pw").unwrap();
    fixture.server_mut().username = role.clone();
    fixture.server_mut().password_ref = Some(format!("file:{}", path.display()).parse().unwrap());
    fixture.settings.connect_timeout = Duration::from_millis(700);
    let started = Instant::now();
    let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err();
    let waited = started.elapsed();
    fixture.value(&format!("DROP ROLE {role}")).await;
    let error = error.unwrap();
    assert_eq!(error.kind, ErrorKind::Busy, "{error:?}");
    assert!(!error.counts());
    assert!(waited > Duration::from_millis(200), "it was tried again: {waited:?}");
}

#[tokio::test]
async fn a_session_that_the_server_ends_has_done_nothing() {
    let fixture = Fixture::postgres().await;
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", ["CREATE TABLE t (a integer)", "SELECT pg_sleep(300)"].map(sql));
    let (works, stop, mut notes) = ([work(&one)], soon(), Notes::default());
    let run = session.run_atomic(&fence, &works, true, &stop, &mut notes);
    let (result, _) = tokio::join!(run, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        fixture
            .value(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(300)%' \
            AND pid <> pg_backend_pid() AND datname = current_database()",
            )
            .await
    });
    let error = result.unwrap_err();
    assert_eq!(error.error.kind, ErrorKind::Lost, "{error:?}");
    assert_eq!((error.statement, error.outcome), (Some(1), Outcome::RolledBack));
    assert!(!fixture.has_table("t").await);
    assert_eq!(session.unlock(fence).await.unwrap_err().kind, ErrorKind::Lost);
}

#[tokio::test]
async fn a_constraint_that_fails_at_the_commit_undoes_everything() {
    let fixture = Fixture::postgres().await;
    let (mut session, fence) = fixture.locked().await;
    let statements = [
        "CREATE TABLE p (id integer PRIMARY KEY)",
        "CREATE TABLE c (id integer REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
        "INSERT INTO c VALUES (1)",
    ];
    let one = planned("1_one", statements.map(sql));
    let error = session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.error.kind, &*error.error.code), (ErrorKind::Sql, "23503"));
    assert_eq!((error.statement, error.outcome), (None, Outcome::RolledBack));
    assert_eq!(error.migration.unwrap().as_str(), "1_one");
    assert!(!fixture.has_table("c").await);
    session.renew(&fence).await.unwrap();
}

#[tokio::test]
async fn a_statement_that_ends_the_transaction_is_noticed() {
    let fixture = Fixture::postgres().await;
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", ["CREATE TABLE a (x integer)", "COMMIT", "CREATE TABLE b (x integer)"].map(sql));
    let error = session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!(error.error.kind, ErrorKind::Ambiguous, "{:?}", error.error.message);
    assert_eq!(error.outcome, Outcome::InDoubt { end: 3, recorded: true });
    assert!(error.error.message.contains("ended the transaction"));
    assert_eq!(resumed(&one, &fixture.ledger().await).doubtful(), Some(0..3));
    assert!(fixture.has_table("a").await && !fixture.has_table("b").await);
}

#[tokio::test]
async fn a_migration_may_change_its_user() {
    let fixture = Fixture::postgres().await;
    let role = support::postgres().await.unique_name();
    let setup = format!("CREATE ROLE {role}; GRANT CREATE ON SCHEMA public TO {role}");
    fixture.create().await;
    fixture.value(&setup).await;
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [sql(&format!("SET ROLE {role}")), sql("CREATE TABLE t (a integer)")]);
    let two = planned("2_two", [sql("CREATE TABLE u (a integer)")]);
    for one in [&one, &two] {
        session.run_atomic(&fence, &[work(one)], false, &soon(), &mut Notes::default()).await.unwrap();
    }
    let owners = "SELECT string_agg(tableowner, ' ' ORDER BY tablename) FROM pg_tables WHERE tablename IN ('t', 'u')";
    let owners = fixture.value(owners).await.unwrap();
    session.unlock(fence).await.unwrap();
    fixture.value(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    assert_eq!(owners, format!("{role} {}", fixture.server().username));
}

#[tokio::test]
async fn a_migration_in_segments_keeps_its_user() {
    let fixture = Fixture::postgres().await;
    let role = support::postgres().await.unique_name();
    fixture.create().await;
    fixture.value(&format!("CREATE ROLE {role}; GRANT CREATE ON SCHEMA public TO {role}")).await;
    let one = planned(
        "1_one",
        [
            setting(&format!("SET ROLE {role}"), SessionChange::User, None),
            sql("CREATE TABLE t (a integer)"),
            concurrently(),
            sql("CREATE TABLE u (a integer)"),
            alone("VACUUM", Effect::Idempotent),
        ],
    );
    let (mut session, fence) = fixture.locked().await;
    let segments = [Segment::Transaction(0..2), Segment::Alone(2), Segment::Transaction(3..4), Segment::Alone(4)];
    for (index, segment) in segments.iter().enumerate() {
        let last = index + 1 == segments.len();
        session.run_segment(&fence, &work(&one), segment, last, &soon(), &mut Notes::default()).await.unwrap();
    }
    session.unlock(fence).await.unwrap();
    let owners = "SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE tablename IN ('t', 'u')";
    let owners = fixture.value(owners).await.unwrap();
    fixture.value(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    assert_eq!(owners, role);
    assert!(fixture.ledger().await.is_applied("1_one"));
}

#[tokio::test]
async fn a_ledger_that_somebody_locks_is_an_error_in_time() {
    let mut fixture = Fixture::postgres().await;
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [sql("SELECT 1")]);
    session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap();
    let mut blocker = connection(&fixture).await;
    blocker.execute(sqlx::raw_sql("BEGIN; LOCK TABLE \"__MigrationsHistory\"")).await.unwrap();
    fixture.settings.connect_timeout = Duration::from_millis(800);
    let error = fixture.session().await.ledger().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error:?}");
    assert!(error.message.contains("ledger") && error.hint.contains("lock"), "{error:?}");
}

#[tokio::test]
async fn a_lock_timeout_bounds_the_wait_for_a_table() {
    let mut fixture = Fixture::postgres().await;
    fixture.settings.lock_timeout = Some(Duration::from_millis(300));
    fixture.create().await;
    fixture.value("CREATE TABLE t (a integer)").await;
    let mut blocker = connection(&fixture).await;
    blocker.execute(sqlx::raw_sql("BEGIN; LOCK TABLE t")).await.unwrap();
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [sql("ALTER TABLE t ADD b integer")]);
    let started = Instant::now();
    let error = session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.error.kind, error.statement), (ErrorKind::Timeout, Some(0)), "{:?}", error.error.message);
    assert!(started.elapsed() < Duration::from_secs(5));
}

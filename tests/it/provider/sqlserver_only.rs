//! What only SQL Server does: batches with several errors, errors in procedures, settings that keep statements from running.

use std::time::Duration;

use branchkeeper::domain::{Effect, ObjectName, Provider, Segment, SslMode, Statement};
use branchkeeper::provider::{ErrorKind, ExecutionError, Fate, Outcome, Session, Settings, create, test};

use super::fixture::{Fixture, Notes, alone, claim, intent, planned, progress, soon, sql, work};
use crate::support::{self, Gap};

on_sqlserver!(
    every_error_of_a_batch_is_told,
    what_is_only_said_is_no_error,
    an_error_behind_a_result_is_seen,
    an_error_ends_its_batch_and_undoes_the_transaction,
    errors_in_procedures_are_not_placed_in_the_batch_that_calls_them,
    a_repeated_batch_runs_as_often,
    a_procedure_keeps_its_text,
    a_batch_that_ends_the_transaction_is_found_out,
    settings_that_stop_everything_do_not_stop_the_ledger,
    another_sessions_lock_is_waited_for_as_long_as_allowed,
    what_became_of_a_statement_is_read_from_the_catalog,
    a_batch_outside_any_transaction_may_be_half_done,
    users_databases_and_hosts_that_do_not_fit_are_told_apart,
    a_database_that_is_there_and_closed_is_not_created,
    encryption_is_what_was_asked_for,
    a_schema_has_to_be_the_users_own,
    a_commit_whose_answer_is_lost_is_in_doubt,
    letters_are_told_apart_where_the_database_does,
    ids_are_told_apart_to_the_letter,
);

async fn run(fixture: &Fixture, statements: impl IntoIterator<Item = Statement>) -> Result<(), ExecutionError> {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", statements);
    let done = session.run_atomic(&fence, &[work(&one)], false, &soon(), &mut Notes::default()).await;
    let _ = session.unlock(fence).await;
    session.close().await;
    done
}

async fn every_error_of_a_batch_is_told(fixture: Fixture) {
    let batch = "RAISERROR('the first', 16, 3);\nRAISERROR('the second', 16, 4);\nCREATE TABLE t (a int)";
    let error = run(&fixture, [sql("SELECT 1"), sql(batch)]).await.unwrap_err();
    assert_eq!((error.statement, error.outcome), (Some(1), Outcome::RolledBack), "{error:?}");
    assert_eq!((&*error.error.code, error.error.position), ("50000", Some(0)));
    let text = &error.error.message;
    assert!(text.starts_with("the first (level 16, state 3") && text.contains("the second"), "{text}");
    assert!(!fixture.has_table("t").await, "the batch went on, and was undone");
}

async fn what_is_only_said_is_no_error(fixture: Fixture) {
    let batch = "PRINT 'so'; RAISERROR('so', 10, 1); RAISERROR('so', 0, 1) WITH NOWAIT; SELECT 1; PRINT 'and so'";
    run(&fixture, [sql(batch)]).await.unwrap();
    assert!(fixture.ledger().await.is_applied("1_one"));
}

async fn an_error_behind_a_result_is_seen(fixture: Fixture) {
    let rows = "SELECT a.object_id FROM sys.all_objects AS a";
    for batch in [format!("{rows};\n{rows};\nSELECT 1 / 0"), format!("{rows};\nRAISERROR('late', 11, 1)")] {
        let error = run(&fixture, [sql(&batch)]).await.unwrap_err();
        let line = batch.lines().count();
        let at = batch.lines().take(line - 1).map(|line| line.chars().count() + 1).sum();
        assert_eq!((error.error.kind, error.error.position), (ErrorKind::Sql, Some(at)), "{}", error.error.message);
    }
    assert!(fixture.ledger().await.rows.is_empty());
}

async fn an_error_ends_its_batch_and_undoes_the_transaction(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let first = planned("1_one", [sql("CREATE TABLE t (a int NOT NULL PRIMARY KEY)")]);
    session.run_atomic(&fence, &[work(&first)], false, &soon(), &mut Notes::default()).await.unwrap();
    // Not even a migration that says otherwise goes on behind its error.
    let values = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)";
    let bad = planned("2_two", [sql("SET XACT_ABORT OFF"), sql(values)]);
    let error = session.run_atomic(&fence, &[work(&bad)], false, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.statement, error.outcome, &*error.error.code), (Some(1), Outcome::RolledBack, "2627"));
    let good = planned("2_two", [sql("INSERT INTO t VALUES (7)")]);
    session.run_atomic(&fence, &[work(&good)], true, &soon(), &mut Notes::default()).await.unwrap();
    let found = fixture.value("SELECT CONCAT(COUNT(*), ' ', MAX(a)) FROM t").await;
    assert_eq!(found.as_deref(), Some("1 7"));
}

async fn errors_in_procedures_are_not_placed_in_the_batch_that_calls_them(fixture: Fixture) {
    let throws = "CREATE PROCEDURE throws AS\nBEGIN\n  SELECT 1 AS a;\n  THROW 50001, 'thrown', 5;\nEND";
    let error = run(&fixture, [sql(throws), sql("SELECT 1\nEXEC throws\nSELECT 2\nSELECT 3")]).await.unwrap_err();
    assert_eq!((error.statement, &*error.error.code), (Some(1), "50001"), "{error:?}");
    assert!(error.error.message.contains("state 5"), "{error}");
    if !fixture.is_kept_from(Gap::Procedures, "the place of an error in a procedure").await {
        assert_eq!(error.error.position, None, "{error:?}");
        assert!(error.error.message.contains("throws line 4"), "{error}");
    }
    let broken = "CREATE PROCEDURE broken AS\n\n  SELECT FROM";
    let error = run(&fixture, [sql(broken)]).await.unwrap_err();
    let position = error.error.position.unwrap();
    assert_eq!(broken.chars().take(position).filter(|ch| *ch == '\n').count(), 2, "{error:?}");
}

async fn a_repeated_batch_runs_as_often(fixture: Fixture) {
    let script = "CREATE TABLE t (a int IDENTITY, b int)\nGO\nINSERT INTO t (b) VALUES (1)\nGO 5\n";
    let statements = branchkeeper::source::split(Provider::SqlServer, "f.sql", script).unwrap();
    run(&fixture, statements).await.unwrap();
    assert_eq!(fixture.value("SELECT COUNT(*) FROM t").await.as_deref(), Some("5"));
}

async fn a_procedure_keeps_its_text(fixture: Fixture) {
    let text = "CREATE PROCEDURE p AS\n-- żółć 🦀\nSELECT N'\u{1f980}' AS [crab] -- last";
    run(&fixture, [sql(text)]).await.unwrap();
    let kept = fixture.value("SELECT OBJECT_DEFINITION(OBJECT_ID('p'))").await;
    assert_eq!(kept.as_deref(), Some(text));
}

async fn a_batch_that_ends_the_transaction_is_found_out(fixture: Fixture) {
    for (index, batch) in ["EXEC('COMMIT')", "EXEC('COMMIT; BEGIN TRANSACTION')"].into_iter().enumerate() {
        let error = run(&fixture, [sql(&format!("CREATE TABLE t{index} (a int)")), sql(batch)]).await.unwrap_err();
        assert_eq!(error.error.kind, ErrorKind::Ambiguous, "{batch}: {error:?}");
        assert_eq!(error.outcome, Outcome::InDoubt { end: 2, recorded: true }, "{batch}: {error:?}");
        assert!(fixture.has_table(&format!("t{index}")).await, "it was committed");
        assert_eq!(progress(&fixture.ledger().await, "1_one").intent.map(|intent| intent.count()), Some(2));
        fixture.value("DELETE FROM \"__MigrationsHistory\"").await;
    }
    // What fails later, in a transaction that something has begun anew, is told as well.
    let statements = ["CREATE TABLE t9 (a int)", "EXEC('COMMIT; BEGIN TRANSACTION')", "SELECT 1 / 0"];
    let error = run(&fixture, statements.map(sql)).await.unwrap_err();
    assert_eq!(error.outcome, Outcome::InDoubt { end: 3, recorded: true }, "{error:?}");
    fixture.value("DELETE FROM \"__MigrationsHistory\"").await;
    let error = run(&fixture, ["CREATE TABLE t10 (a int)", "SELECT 1 / 0"].map(sql)).await.unwrap_err();
    assert_eq!(error.outcome, Outcome::RolledBack, "{error:?}");
    assert!(!fixture.has_table("t10").await && fixture.ledger().await.rows.is_empty());
}

async fn settings_that_stop_everything_do_not_stop_the_ledger(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    for (index, setting) in ["SET NOEXEC ON", "SET PARSEONLY ON", "SET FMTONLY ON", "SET ROWCOUNT 1"].iter().enumerate()
    {
        let id = format!("{}_m", index + 1);
        let one = planned(&id, [sql(&format!("CREATE TABLE t{index} (a int)")), sql(setting)]);
        session.run_atomic(&fence, &[work(&one)], false, &soon(), &mut Notes::default()).await.unwrap();
        assert!(session.ledger().await.unwrap().is_applied(&id), "{setting}");
        let bad =
            planned("9_bad", [sql(&format!("CREATE TABLE bad{index} (a int)")), sql(setting), sql("SELECT FROM")]);
        session.run_atomic(&fence, &[work(&bad)], false, &soon(), &mut Notes::default()).await.unwrap_err();
        assert!(!fixture.has_table(&format!("bad{index}")).await, "{setting}");
    }
    session.unlock(fence).await.unwrap();
}

async fn another_sessions_lock_is_waited_for_as_long_as_allowed(mut fixture: Fixture) {
    fixture.settings.lock_timeout = Some(Duration::from_millis(300));
    fixture.create().await;
    fixture.value("CREATE TABLE t (a int)").await;
    let database = fixture.database();
    let mut blocker = support::sqlserver::connect(database.server, &database.name).await.unwrap();
    support::sqlserver::rows(&mut blocker, "BEGIN TRANSACTION; INSERT INTO t VALUES (1)").await.unwrap();
    let error = run(&fixture, [sql("ALTER TABLE t ADD b int")]).await.unwrap_err();
    assert_eq!((&error.error.kind, &*error.error.code), (&ErrorKind::Timeout, "1222"), "{:?}", error.error);
    assert_eq!((error.statement, error.outcome), (Some(0), Outcome::RolledBack));
}

async fn what_became_of_a_statement_is_read_from_the_catalog(fixture: Fixture) {
    fixture.create().await;
    fixture.value("CREATE TABLE t (a int, CONSTRAINT c CHECK (a > 0))").await;
    fixture.value("CREATE VIEW v AS SELECT 1 AS a").await;
    fixture.value("CREATE INDEX i ON t (a)").await;
    let mut session = fixture.session().await;
    let (t, u) = (|| ObjectName::bare("t"), || ObjectName { schema: Some("dbo".into()), name: "u".into() });
    let here = fixture.database().name.clone();
    let column = |table, column: &str| Effect::ColumnExists { table, column: column.into() };
    let constraint = |name: &str| Effect::ConstraintGone { table: t(), constraint: name.into() };
    let indexes = [
        (Effect::IndexExists { index: ObjectName::bare("i"), table: t() }, Fate::Applied),
        (Effect::TableIndexGone { index: "i".into(), table: t() }, Fate::NotStarted),
    ];
    let without = fixture.is_kept_from(Gap::IndexNames, "what became of an index").await;
    let indexes = indexes.into_iter().filter(|_| !without);
    let others = [
        (Effect::DatabaseExists(here.clone()), Fate::Applied),
        (Effect::DatabaseGone(here), Fate::NotStarted),
        (Effect::DatabaseExists("not [there]".into()), Fate::NotStarted),
        (Effect::TableExists(t()), Fate::Applied),
        (Effect::TableExists(u()), Fate::NotStarted),
        (Effect::TableGone(u()), Fate::Applied),
        (Effect::TableRenamed { from: u(), to: t() }, Fate::Applied),
        (Effect::ViewExists(ObjectName::bare("v")), Fate::Applied),
        (column(t(), "a"), Fate::Applied),
        (column(t(), "b"), Fate::NotStarted),
        (constraint("c"), Fate::NotStarted),
        (constraint("d"), Fate::Applied),
        (Effect::Idempotent, Fate::Rerun),
        (Effect::Unknowable, Fate::Unknown),
    ];
    for (effect, fate) in others.into_iter().chain(indexes) {
        let statement = alone("SELECT 'it''s \\\n'", effect);
        assert_eq!(session.fate(&statement).await, Ok(fate), "{statement:?}");
    }
}

async fn a_batch_outside_any_transaction_may_be_half_done(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [alone("CREATE TABLE t (a int);\nDROP DATABASE nowhere_at_all", Effect::Unknowable)]);
    let mut notes = Notes::default();
    let failed = session.run_segment(&fence, &work(&one), &Segment::Alone(0), true, &soon(), &mut notes).await;
    assert_eq!(failed.unwrap_err().outcome, Outcome::Unknown);
    assert!(fixture.has_table("t").await);
    assert_eq!(progress(&fixture.ledger().await, "1_one").intent, intent(&one, 0), "a person is asked");
}

async fn users_databases_and_hosts_that_do_not_fit_are_told_apart(mut fixture: Fixture) {
    fixture.create().await;
    let good = fixture.connection.clone();
    fixture.server_mut().username = "nobody_at_all".into();
    let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap();
    assert_eq!((error.kind, &*error.code), (ErrorKind::Authentication, "18456"), "{}", error.message);
    assert!(!test(&fixture.endpoint(), &fixture.settings).await.reachable);
    fixture.connection = good;
    fixture.server_mut().port = Some(1);
    let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error:?}");
    // A server of another kind, or a server's browser that is not there.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    fixture.server_mut().port = Some(listener.local_addr().unwrap().port());
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let brief = Settings { connect_timeout: Duration::from_secs(2), ..fixture.settings.clone() };
    let error = Session::connect(&fixture.endpoint(), &brief).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error:?}");
}

/// A login without a user in the database.
async fn a_database_that_is_there_and_closed_is_not_created(mut fixture: Fixture) {
    fixture.create().await;
    let name = fixture.database().name.clone();
    let login = format!("login_{name}");
    let password = "S3cret-S3cret";
    fixture.value(&format!("CREATE LOGIN {login} WITH PASSWORD = '{password}'")).await;
    let file = fixture.folder.path().join("login");
    std::fs::write(&file, password).unwrap();
    fixture.server_mut().username = login.clone();
    fixture.server_mut().password_ref = Some(branchkeeper::domain::SecretRef::File(file.to_str().unwrap().into()));
    let connected = Session::connect(&fixture.endpoint(), &fixture.settings).await.err();
    let created = create(&fixture.endpoint(), &fixture.settings).await;
    fixture.value(&format!("DROP LOGIN {login}")).await;
    for error in [connected.unwrap(), created.unwrap_err()] {
        assert_eq!(error.kind, ErrorKind::Authentication, "{error:?}");
        assert!(error.hint.contains(&login), "{error:?}");
    }
}

async fn encryption_is_what_was_asked_for(mut fixture: Fixture) {
    fixture.create().await;
    for mode in [SslMode::Disable, SslMode::Prefer, SslMode::Require] {
        fixture.server_mut().ssl_mode = mode;
        Session::connect(&fixture.endpoint(), &fixture.settings).await.unwrap().close().await;
    }
    fixture.server_mut().ssl_mode = SslMode::VerifyFull;
    let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unreachable, "nobody knows who signed the test server's certificate: {error:?}");
    assert!(error.message.contains("no encrypted connection") && !error.message.contains("Config::"), "{error}");
}

async fn letters_are_told_apart_where_the_database_does(mut fixture: Fixture) {
    if fixture.is_kept_from(Gap::Collations, "a database that tells upper from lower case").await {
        return;
    }
    let server = fixture.database().server;
    let made = support::Database { server, name: server.unique_name() };
    fixture.value(&format!("CREATE DATABASE {} COLLATE Latin1_General_100_CS_AS", made.name)).await;
    fixture.server_mut().database = made.name.clone();
    let (mut session, fence) = fixture.locked().await;
    let tables =
        ["CREATE TABLE Sales (a int, A int)", "CREATE TABLE SALES (a int)", "INSERT INTO Sales (A) VALUES (1)"];
    let one = planned("1_one", tables.map(sql));
    session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap();
    assert!(session.ledger().await.unwrap().is_applied("1_one"));
    let tables = session.tables().await.unwrap();
    let holds = |name: &str| tables.holds(&ObjectName::bare(name));
    assert!(tables.exact && holds("Sales") && holds("SALES") && !holds("sales"), "{:?}", tables.names);
}

/// Whatever the database makes of letters.
async fn ids_are_told_apart_to_the_letter(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let both = ["1_one", "1_ONE"].map(|id| planned(id, [sql("SELECT 1")]));
    session.run_atomic(&fence, &both.each_ref().map(work), true, &soon(), &mut Notes::default()).await.unwrap();
    let ledger = session.ledger().await.unwrap();
    assert!(ledger.is_applied("1_one") && ledger.is_applied("1_ONE") && !ledger.is_applied("1_One"), "{ledger:?}");
}

async fn a_schema_has_to_be_the_users_own(mut fixture: Fixture) {
    fixture.server_mut().schema = "tenant".into();
    create(&fixture.endpoint(), &fixture.settings).await.unwrap();
    create(&fixture.endpoint(), &fixture.settings).await.unwrap();
    let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unsupported, "{error:?}");
    assert!(error.message.contains("'dbo'") && error.hint.contains("[tenant]"), "{error:?}");
}

/// The commit arrives and its answer does not: only the ledger tells.
async fn a_commit_whose_answer_is_lost_is_in_doubt(mut fixture: Fixture) {
    fixture.create().await;
    let direct = fixture.connection.clone();
    let server = fixture.server();
    let proxy = support::Proxy::to(&server.host, server.port.unwrap()).await;
    fixture.server_mut().host = "127.0.0.1".into();
    fixture.server_mut().port = Some(proxy.port());
    // The login alone is encrypted.
    fixture.server_mut().ssl_mode = SslMode::Disable;
    for (fate, applied) in [(support::Fate::Unsent, false), (support::Fate::Unheard, true)] {
        let (mut session, fence) = fixture.locked().await;
        let one = planned("1_one", [sql("CREATE TABLE t (a int)")]);
        let commit: String = "WHILE @@TRANCOUNT > 1 COMMIT".chars().flat_map(|ch| [ch, '\0']).collect();
        proxy.trap(&commit, fate);
        let failed = session.run_atomic(&fence, &[work(&one)], false, &soon(), &mut Notes::default()).await;
        let error = failed.unwrap_err();
        assert_eq!((error.error.kind, error.outcome), (ErrorKind::Lost, Outcome::Unknown), "{applied}");
        let through = std::mem::replace(&mut fixture.connection, direct.clone());
        let mut next = fixture.session().await;
        next.lock(&claim(1), Duration::from_secs(20), &soon()).await.unwrap();
        assert_eq!(next.ledger().await.unwrap().is_applied("1_one"), applied);
        assert_eq!(fixture.has_table("t").await, applied);
        fixture.connection = through;
    }
}

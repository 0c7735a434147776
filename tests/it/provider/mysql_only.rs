//! What only MySQL and MariaDB have: sessions without strict modes, statements that commit by themselves, locks by name.

use std::time::Duration;

use branchkeeper::domain::{Effect, Intent, ObjectName, Segment, Statement};
use branchkeeper::provider::{Claim, ErrorKind, Fate, Outcome};
use sqlx::{AssertSqlSafe, Executor};

use super::fixture::{Fixture, Notes, alone, claim, digests, intent, planned, progress, resumed, soon, sql, work};
use crate::support::SESSIONS;

on_mysql!(
    a_lost_lock_is_noticed_in_every_mode,
    a_lock_that_was_released_is_noticed,
    a_statement_that_ends_the_transaction_is_found_out,
    a_table_made_outside_any_transaction_is_journaled,
    a_procedure_that_failed_half_way_waits_for_a_person,
    what_is_in_the_catalog_is_told_from_what_is_not,
    a_statement_that_another_session_runs_is_running,
    a_killed_session_is_lost_and_its_lock_free,
    a_lock_held_by_another_session_is_waited_for_so_long,
    procedures_answer_more_than_once,
    names_and_texts_may_be_odd,
);

async fn connection(fixture: &Fixture) -> sqlx::MySqlConnection {
    fixture.database().server.mysql_connect_to(&fixture.server().database).await
}

async fn a_lost_lock_is_noticed_in_every_mode(fixture: Fixture) {
    for mode in ["", "TRADITIONAL", "ANSI,NO_BACKSLASH_ESCAPES", "NO_UNSIGNED_SUBTRACTION"] {
        let (mut session, fence) = fixture.locked().await;
        let loose = sql(&format!("SET SESSION sql_mode = '{mode}'"));
        let one = planned("1_one", [loose, fixture.change("one").await, fixture.change("two").await]);
        let lone = work(&one);
        let mut notes = Notes::default();
        session.run_segment(&fence, &lone, &Segment::Transaction(0..1), false, &soon(), &mut notes).await.unwrap();
        session.run_segment(&fence, &lone, &Segment::Transaction(1..2), false, &soon(), &mut notes).await.unwrap();
        fixture.value("UPDATE \"__MigrationsHistoryLock\" SET fence = fence + 1, owner = 'thief'").await;
        let failed = session.run_segment(&fence, &lone, &Segment::Transaction(2..3), true, &soon(), &mut notes).await;
        let error = failed.unwrap_err();
        assert_eq!(error.error.kind, ErrorKind::FenceLost, "{mode}: {error:?}");
        assert!(fixture.has_change("one").await && !fixture.has_change("two").await, "{mode}");
        assert_eq!(fixture.value("SELECT owner FROM \"__MigrationsHistoryLock\"").await.as_deref(), Some("thief"));
        session.close().await;
        fixture.value("DELETE FROM \"__MigrationsHistory\"").await;
        fixture.value("DELETE FROM marks").await;
    }
}

async fn a_lock_that_was_released_is_noticed(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("one").await, sql("DO RELEASE_ALL_LOCKS()")]);
    let error = session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!(error.error.kind, ErrorKind::FenceLost, "{error:?}");
    assert!(!fixture.has_change("one").await);
}

async fn a_statement_that_ends_the_transaction_is_found_out(fixture: Fixture) {
    fixture.create().await;
    fixture.value("CREATE PROCEDURE sneaky() CREATE TABLE IF NOT EXISTS made (a integer)").await;
    let cases =
        [("1_one", "CALL sneaky()", "SELECT 1"), ("2_two", "COMMIT", "SELECT 1"), ("3_three", "COMMIT", "SELECT oops")];
    for (id, ending, last) in cases {
        let (mut session, fence) = fixture.locked().await;
        let one = planned(id, [fixture.change(id).await, sql(ending), sql(last)]);
        let error = session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap_err();
        assert_eq!(
            (error.error.kind, error.outcome),
            (ErrorKind::Ambiguous, Outcome::InDoubt { end: 3, recorded: true }),
            "{ending}"
        );
        assert!(error.error.message.contains("ended the transaction"), "{}", error.error.message);
        assert!(fixture.has_change(id).await, "it was committed");
        let again = resumed(&one, &session.ledger().await.unwrap());
        assert_eq!(again.doubtful(), Some(0..3), "a person is asked about all of it");
        assert_eq!(again.intent(), Some(&Intent::together(&one.migration.up.statements)));
        session.settle(&fence, &work(&again), 0..3, true).await.unwrap();
        assert!(session.ledger().await.unwrap().is_applied(id));
        session.unlock(fence).await.unwrap();
    }
    // What fails in a transaction that holds leaves nothing, a deadlock's roll back included.
    let (mut session, fence) = fixture.locked().await;
    let one = planned("4_four", [fixture.change("four").await, sql("SELECT oops")]);
    let error = session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.error.kind, error.outcome), (ErrorKind::Sql, Outcome::RolledBack));
    assert!(!fixture.has_change("four").await && session.ledger().await.unwrap().get("4_four").is_none());
    session.unlock(fence).await.unwrap();
}

async fn a_table_made_outside_any_transaction_is_journaled(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let table = |name: &str| {
        let effect = Effect::TableExists(ObjectName::bare(name));
        alone(&format!("CREATE TABLE {name} (a integer) -- ;"), effect)
    };
    let one = planned("1_one", [table("a"), table("b"), table("a")]);
    let mut notes = Notes::default();
    session.run_segment(&fence, &work(&one), &Segment::Alone(0), false, &soon(), &mut notes).await.unwrap();
    session.run_segment(&fence, &work(&one), &Segment::Alone(1), false, &soon(), &mut notes).await.unwrap();
    let failed = session.run_segment(&fence, &work(&one), &Segment::Alone(2), true, &soon(), &mut notes).await;
    let error = failed.unwrap_err();
    assert_eq!((error.done, error.statement, error.outcome), (2, Some(2), Outcome::Partial), "{error:?}");
    assert_eq!(error.error.code, "1050");
    let half = progress(&fixture.ledger().await, "1_one");
    assert_eq!((half.done, half.intent), (digests(&one, 2), None));
    session.unlock(fence).await.unwrap();
}

async fn a_procedure_that_failed_half_way_waits_for_a_person(fixture: Fixture) {
    fixture.create().await;
    fixture.value("CREATE TABLE t (a integer)").await;
    fixture.value("CREATE PROCEDURE half() BEGIN INSERT INTO t VALUES (1); INSERT INTO nowhere VALUES (1); END").await;
    let (mut session, fence) = fixture.locked().await;
    let call = alone("CALL half()", Effect::Unknowable);
    let one = planned("1_one", [call]);
    let mut notes = Notes::default();
    let failed = session.run_segment(&fence, &work(&one), &Segment::Alone(0), true, &soon(), &mut notes).await;
    let error = failed.unwrap_err();
    assert_eq!((error.error.code.as_str(), error.outcome), ("1146", Outcome::Unknown), "{error:?}");
    assert_eq!(progress(&fixture.ledger().await, "1_one").intent, intent(&one, 0));
    assert_eq!(session.fate(&one.migration.up.statements[0]).await, Ok(Fate::Unknown));
    session.unlock(fence).await.unwrap();
}

async fn what_is_in_the_catalog_is_told_from_what_is_not(fixture: Fixture) {
    let mut session = fixture.session().await;
    for text in [
        "CREATE TABLE parent (id integer PRIMARY KEY)",
        "CREATE TABLE t (a integer, b integer, CONSTRAINT up FOREIGN KEY (a) REFERENCES parent (id))",
        "CREATE INDEX i ON t (b)",
        "CREATE VIEW v AS SELECT 1 AS one",
    ] {
        fixture.value(text).await;
    }
    let database = fixture.database().name.clone();
    let bare = |name: &str| ObjectName::bare(name);
    let here = |name: &str| ObjectName { schema: Some(database.clone()), name: name.into() };
    let column = |table: &str, column: &str| (bare(table), column.to_owned());
    let index = |name: &str| Effect::IndexExists { index: bare(name), table: bare("t") };
    let gone = |name: &str, table: &str| Effect::TableIndexGone { index: name.into(), table: bare(table) };
    let renamed = |from: &str, to: &str| Effect::TableRenamed { from: bare(from), to: bare(to) };
    let bares = |names: &[&str]| names.iter().map(|name| bare(name)).collect();
    let swapped = |gone: &[&str], come: &[&str]| Effect::TablesRenamed { gone: bares(gone), come: bares(come) };
    let added = |(table, column)| Effect::ColumnExists { table, column };
    let dropped = |(table, column)| Effect::ColumnGone { table, column };
    let key = |name: &str| Effect::ConstraintExists { table: bare("t"), constraint: name.into() };
    let no_key = |name: &str| Effect::ConstraintGone { table: bare("t"), constraint: name.into() };
    let cases = [
        (Effect::TableExists(bare("t")), Fate::Applied),
        (Effect::TableExists(here("t")), Fate::Applied),
        (Effect::TableExists(bare("T")), Fate::NotStarted),
        (Effect::TableExists(bare("v")), Fate::NotStarted),
        (Effect::TableExists(bare("x")), Fate::NotStarted),
        (Effect::TableGone(bare("t")), Fate::NotStarted),
        (Effect::TableGone(bare("x")), Fate::Applied),
        (Effect::ViewExists(bare("v")), Fate::Applied),
        (Effect::ViewExists(bare("t")), Fate::NotStarted),
        (Effect::ViewGone(bare("v")), Fate::NotStarted),
        (Effect::ViewGone(bare("w")), Fate::Applied),
        (added(column("t", "A")), Fate::Applied),
        (added(column("t", "c")), Fate::NotStarted),
        (dropped(column("t", "a")), Fate::NotStarted),
        (dropped(column("t", "c")), Fate::Applied),
        (dropped(column("x", "c")), Fate::NotStarted),
        (key("up"), Fate::Applied),
        (key("down"), Fate::NotStarted),
        (no_key("up"), Fate::NotStarted),
        (no_key("down"), Fate::Applied),
        (index("i"), Fate::Applied),
        (index("j"), Fate::NotStarted),
        (gone("i", "t"), Fate::NotStarted),
        (gone("j", "t"), Fate::Applied),
        (gone("j", "x"), Fate::NotStarted),
        (renamed("x", "t"), Fate::Applied),
        (renamed("t", "x"), Fate::NotStarted),
        (renamed("t", "parent"), Fate::Unknown),
        (renamed("x", "y"), Fate::Unknown),
        (swapped(&["t"], &["x"]), Fate::NotStarted),
        (swapped(&["x", "y"], &["t", "parent"]), Fate::Applied),
        (swapped(&["x", "t"], &["y"]), Fate::Unknown),
        (Effect::DatabaseExists(database.clone()), Fate::Applied),
        (Effect::DatabaseGone(database.clone()), Fate::NotStarted),
        (Effect::DatabaseExists("no such database".into()), Fate::NotStarted),
        (Effect::Idempotent, Fate::Rerun),
        (Effect::Unknowable, Fate::Unknown),
    ];
    for (effect, fate) in cases {
        assert_eq!(session.fate(&alone("SELECT 'something unique'", effect.clone())).await, Ok(fate), "{effect:?}");
    }
}

async fn a_statement_that_another_session_runs_is_running(fixture: Fixture) {
    let mut session = fixture.session().await;
    let long = format!("SELECT SLEEP(20) /* {} */", "ż".repeat(40_000));
    for text in ["SELECT SLEEP(20)", "SELECT SLEEP(20), 'żółć 🦀' -- ;", &long] {
        let statement = alone(text, Effect::Unknowable);
        assert_eq!(session.fate(&statement).await, Ok(Fate::Unknown));
        let mut busy = connection(&fixture).await;
        let running = busy.execute(sqlx::raw_sql(AssertSqlSafe(text.to_owned())));
        let asking = async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            session.fate(&statement).await
        };
        tokio::select! {
            _ = running => panic!("it sleeps"),
            fate = asking => assert_eq!(fate, Ok(Fate::Running), "{}", text.len()),
        }
    }
}

async fn a_killed_session_is_lost_and_its_lock_free(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let table: Statement = alone("CREATE TABLE a AS SELECT SLEEP(30) AS a", Effect::TableExists(ObjectName::bare("a")));
    let one = planned("1_one", [table]);
    let (stop, mut notes, lone) = (soon(), Notes::default(), work(&one));
    let run = session.run_segment(&fence, &lone, &Segment::Alone(0), true, &stop, &mut notes);
    let (result, ()) = tokio::join!(run, async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let holder =
            format!("SELECT CAST(id AS CHAR) FROM {SESSIONS} WHERE info LIKE 'CREATE TABLE a AS%' AND db = DATABASE()");
        let id = fixture.value(&holder).await.unwrap();
        fixture.value(&format!("KILL CONNECTION {id}")).await;
    });
    let error = result.unwrap_err();
    assert_eq!(error.outcome, Outcome::Unknown, "{error:?}");
    assert!(session.renew(&fence).await.is_err());

    let mut next = fixture.session().await;
    let fence = next.lock(&claim(2), Duration::from_secs(20), &soon()).await.unwrap();
    let ledger = next.ledger().await.unwrap();
    assert_eq!(progress(&ledger, "1_one").intent, intent(&one, 0));
    let again = resumed(&one, &ledger);
    // Some servers give up sleeping and finish the table before they notice that they were killed.
    let applied = fixture.has_table("a").await;
    let expected = if applied { Fate::Applied } else { Fate::NotStarted };
    assert_eq!(next.fate(&again.migration.up.statements[0]).await, Ok(expected));
    next.settle(&fence, &work(&again), 0..1, applied).await.unwrap();
    assert_eq!(next.ledger().await.unwrap().is_applied("1_one"), applied);
    next.unlock(fence).await.unwrap();
}

async fn a_lock_held_by_another_session_is_waited_for_so_long(mut fixture: Fixture) {
    fixture.settings.lock_timeout = Some(Duration::from_millis(500));
    fixture.create().await;
    fixture.value("CREATE TABLE t (a integer PRIMARY KEY)").await;
    fixture.value("INSERT INTO t VALUES (1)").await;
    let mut other = connection(&fixture).await;
    other.execute(sqlx::raw_sql("START TRANSACTION; UPDATE t SET a = 2")).await.unwrap();
    let (mut session, fence) = fixture.locked().await;
    let update = planned("1_row", [sql("UPDATE t SET a = 3")]);
    let alter = alone("ALTER TABLE t ADD COLUMN b integer", Effect::Unknowable);
    let alter = planned("2_table", [alter]);
    let error = session.run_atomic(&fence, &[work(&update)], false, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.error.kind, error.outcome), (ErrorKind::Timeout, Outcome::RolledBack));
    let mut notes = Notes::default();
    let failed = session.run_segment(&fence, &work(&alter), &Segment::Alone(0), true, &soon(), &mut notes).await;
    let error = failed.unwrap_err();
    assert_eq!((error.error.kind, error.outcome), (ErrorKind::Timeout, Outcome::RolledBack));
    session.unlock(fence).await.unwrap();
}

async fn procedures_answer_more_than_once(fixture: Fixture) {
    fixture.create().await;
    fixture
        .value("CREATE PROCEDURE twice(n integer) BEGIN SELECT 1; SELECT 2; DO 1 / n; SELECT n FROM nowhere; END")
        .await;
    let (mut session, fence) = fixture.locked().await;
    let mut notes = Notes { each: true, ..Notes::default() };
    let bad = planned("1_bad", [sql("SELECT 1"), sql("CALL twice(1)"), sql("SELECT 3")]);
    let error = session.run_atomic(&fence, &[work(&bad)], false, &soon(), &mut notes).await.unwrap_err();
    assert_eq!((error.statement, error.outcome), (Some(1), Outcome::RolledBack), "{error:?}");
    fixture.value("CREATE TABLE nowhere (n integer)").await;
    session.run_atomic(&fence, &[work(&bad)], true, &soon(), &mut notes).await.unwrap();
}

async fn names_and_texts_may_be_odd(mut fixture: Fixture) {
    fixture.settings.history_table = "od`d \\ \"table\" 'x'".into();
    let (mut session, fence) = fixture.locked().await;
    let owner = Claim { owner: "it's \\ \"me\" 🦀".into(), ..claim(3) };
    session.unlock(fence).await.unwrap();
    let fence = session.lock(&owner, Duration::ZERO, &soon()).await.unwrap();
    let one = planned("1_one", [fixture.change("one").await, sql("SET sql_mode = 'NO_BACKSLASH_ESCAPES'")]);
    session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap();
    assert!(session.ledger().await.unwrap().is_applied("1_one"));
    assert!(session.tables().await.unwrap().names.contains(&ObjectName::bare("marks")));
}

use std::time::Duration;

use branchkeeper::domain::{Direction, Planned, Segment, SessionChange};
use branchkeeper::provider::{ErrorKind, Outcome, Session, create, test};

use super::fixture::{Fixture, Notes, claim, planned, setting, soon, sql, work};

on_every_provider!(
    migrations_and_their_rows_commit_together,
    a_failure_undoes_the_migration_and_names_its_place,
    the_place_is_counted_in_characters,
    a_syntax_error_is_found_in_its_statement,
    all_in_one_is_all_or_nothing,
    a_repeatable_migration_replaces_its_row,
    comments_and_quotes_do_no_harm,
    statements_are_reported_when_asked_for,
    one_migrations_settings_do_not_reach_the_next,
    a_unit_may_be_empty_of_statements,
    texts_with_a_zero_byte_are_refused,
    a_failure_leaves_the_session_usable,
    a_long_migration_travels_in_pieces,
    all_of_it_can_be_spawned,
);

async fn migrations_and_their_rows_commit_together(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let mut all: Vec<Planned> = Vec::new();
    for n in 1..=3 {
        all.push(planned(&format!("{n}_m"), [fixture.change(&format!("t{n}")).await, sql("SELECT 1")]));
    }
    let mut notes = Notes::default();
    let before = branchkeeper::domain::Clock::now(&branchkeeper::domain::SystemClock);
    for (index, one) in all.iter().enumerate() {
        session.run_atomic(&fence, &[work(one)], index == 2, &soon(), &mut notes).await.unwrap();
    }
    session.unlock(fence).await.unwrap();
    session.close().await;
    assert_eq!(notes.lines, ["start 1_m", "end 1_m", "start 2_m", "end 2_m", "start 3_m", "end 3_m"]);
    let ledger = fixture.ledger().await;
    assert_eq!(ledger.rows.iter().map(|row| &*row.id).collect::<Vec<_>>(), ["1_m", "2_m", "3_m"]);
    for (row, planned) in ledger.rows.iter().zip(&all) {
        assert!(row.is_applied());
        assert_eq!(row.checksum, planned.migration.checksum);
        assert_eq!(row.format, Direction::Up.ledger_format());
        assert_eq!(row.product_version, env!("CARGO_PKG_VERSION"));
        assert!(row.run_id.is_some());
        assert!(row.duration > Duration::ZERO && row.duration < Duration::from_secs(60), "{:?}", row.duration);
        assert!((row.applied_time - before).num_seconds().abs() < 60);
    }
    assert_eq!(fixture.value("SELECT owner FROM \"__MigrationsHistoryLock\"").await, None, "given back");
}

async fn a_failure_undoes_the_migration_and_names_its_place(fixture: Fixture) {
    fixture.create().await;
    fixture.value("CREATE TABLE there (a integer)").await;
    let (mut session, fence) = fixture.locked().await;
    let good = planned("1_good", [fixture.change("good").await]);
    session.run_atomic(&fence, &[work(&good)], false, &soon(), &mut Notes::default()).await.unwrap();
    let statements = [fixture.change("bad").await, sql("INSERT INTO there\nVALUES (nonsense)"), sql("SELECT 1")];
    let bad = planned("2_bad", statements);
    let error = session.run_atomic(&fence, &[work(&bad)], true, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!(error.error.kind, ErrorKind::Sql, "{error:?}");
    assert_eq!(error.migration.unwrap().as_str(), "2_bad");
    assert_eq!((error.statement, error.done, error.outcome), (Some(1), 0, Outcome::RolledBack));
    assert_eq!(error.error.position, Some("INSERT INTO there\nVALUES (".len()), "{:?}", error.error);
    assert!(error.error.message.contains("nonsense") && !error.error.message.contains("at line"));
    assert!(!error.error.code.is_empty());
    assert!(fixture.has_change("good").await && !fixture.has_change("bad").await);
    session.renew(&fence).await.unwrap();
    session.unlock(fence).await.unwrap();
    assert_eq!(fixture.ledger().await.rows.len(), 1);
}

async fn the_place_is_counted_in_characters(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let text = "SELECT 'żółć', nonsense";
    let bad = planned("1_bad", [sql("SELECT 'ąęß' AS \"ü\" -- ź"), sql(text)]);
    let error = session.run_atomic(&fence, &[work(&bad)], true, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.statement, error.error.position), (Some(1), Some("SELECT 'xxxx', ".len())), "{error:?}");
}

async fn a_syntax_error_is_found_in_its_statement(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let bad = planned("1_bad", [fixture.change("a").await, fixture.change("b").await, sql("SELEC 1")]);
    let error = session.run_atomic(&fence, &[work(&bad)], true, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.statement, error.error.position), (Some(2), Some(0)), "{error:?}");
    // A statement that ends too early fails at its end, not in the next one.
    session.unlock(fence).await.unwrap();
    let (mut session, fence) = fixture.locked().await;
    let bad = planned("1_bad", ["SELECT 1 +", "SELECT 2"].map(sql));
    let error = session.run_atomic(&fence, &[work(&bad)], true, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!(error.statement, Some(0), "{error:?}");
}

async fn all_in_one_is_all_or_nothing(fixture: Fixture) {
    let make = async |n: i32, bad: bool| {
        let second = if bad { fixture.change("t1").await } else { sql("SELECT 1") };
        planned(&format!("{n}_m"), [fixture.change(&format!("t{n}")).await, second])
    };
    let (mut session, fence) = fixture.locked().await;
    let all = [make(1, false).await, make(2, true).await, make(3, false).await];
    let works: Vec<_> = all.iter().map(work).collect();
    let mut notes = Notes::default();
    let error = session.run_atomic(&fence, &works, true, &soon(), &mut notes).await.unwrap_err();
    assert_eq!((error.migration.unwrap().as_str(), error.statement), ("2_m", Some(1)));
    assert_eq!(error.outcome, Outcome::RolledBack);
    assert_eq!(notes.lines, ["start 1_m", "start 2_m"], "nothing was finished");
    session.unlock(fence).await.unwrap();
    assert!(!fixture.has_change("t1").await && fixture.ledger().await.rows.is_empty());

    let (mut session, fence) = fixture.locked().await;
    let all = [make(1, false).await, make(2, false).await, make(3, false).await];
    let works: Vec<_> = all.iter().map(work).collect();
    session.run_atomic(&fence, &works, true, &soon(), &mut Notes::default()).await.unwrap();
    let ledger = fixture.ledger().await;
    assert_eq!(ledger.rows.iter().map(|row| &*row.id).collect::<Vec<_>>(), ["1_m", "2_m", "3_m"]);
    assert!(ledger.rows.iter().all(|row| row.duration > Duration::ZERO), "each has a time of its own");
}

async fn a_repeatable_migration_replaces_its_row(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let first = planned("R__views", [fixture.change("v").await]);
    let other = planned("1_other", [sql("SELECT 1")]);
    for one in [&first, &other] {
        session.run_atomic(&fence, &[work(one)], false, &soon(), &mut Notes::default()).await.unwrap();
    }
    let mut second = planned("R__views", [sql("SELECT 2"), fixture.change("w").await]);
    let error = session.run_atomic(&fence, &[work(&second)], false, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!(error.outcome, Outcome::RolledBack, "a row that nobody expected is never overwritten");
    second.replaces = true;
    session.run_atomic(&fence, &[work(&second)], true, &soon(), &mut Notes::default()).await.unwrap();
    let ledger = fixture.ledger().await;
    assert_eq!(ledger.rows.iter().map(|row| &*row.id).collect::<Vec<_>>(), ["1_other", "R__views"]);
    assert_eq!(ledger.rows[1].checksum, second.migration.checksum);
}

async fn comments_and_quotes_do_no_harm(fixture: Fixture) {
    fixture.create().await;
    fixture.value("CREATE TABLE t (a varchar(20))").await;
    let (mut session, fence) = fixture.locked().await;
    let one = planned(
        "1_one",
        [
            sql("SELECT 1 -- the end; of 'it"),
            sql("/* COMMIT; */ INSERT INTO t VALUES ('it''s; {history}') /* ; */"),
            sql("INSERT INTO t VALUES ('x')\n-- last"),
        ],
    );
    session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap();
    let first = fixture.value("SELECT a FROM t ORDER BY a").await;
    assert_eq!(first.as_deref(), Some("it's; {history}"));
}

async fn statements_are_reported_when_asked_for(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let slow = match fixture.is_sqlite() {
        true => "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 200000) SELECT max(n) FROM c",
        false if fixture.is_mysql() => "DO SLEEP(0.05)",
        false if fixture.is_sqlserver() => {
            "DECLARE @until datetime2 = DATEADD(millisecond, 50, SYSUTCDATETIME()), @rounds int = 0;
WHILE SYSUTCDATETIME() < @until SET @rounds += 1"
        }
        false => "SELECT pg_sleep(0.05)",
    };
    let one = planned("1_one", [fixture.change("t").await, sql(slow), sql("SELECT 3")]);
    let mut notes = Notes { each: true, ..Notes::default() };
    session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut notes).await.unwrap();
    assert_eq!(notes.lines, ["start 1_one", "1_one 0/3", "1_one 1/3", "1_one 2/3", "end 1_one"]);
    assert!(notes.times[1] > notes.times[2] * 2, "{:?}", notes.times);
    assert_eq!(fixture.ledger().await.rows.len(), 1);
}

/// Fails unless the session has the server's own settings.
const ASK_MYSQL: &str = "INSERT INTO found SELECT CASE WHEN @@SESSION.foreign_key_checks = @@GLOBAL.foreign_key_checks \
    AND @@SESSION.sql_mode = @@GLOBAL.sql_mode AND @@SESSION.time_zone = @@GLOBAL.time_zone THEN 1 \
    ELSE 9223372036854775807 + CONNECTION_ID() END, \"text\"";

/// Fails where double quotes enclose texts, where the month does not come first, and where only some rows come.
const ASK_SQLSERVER: &str = "SELECT t.\"name\", CAST(N'2/13/2026' AS datetime) AS day INTO found FROM \
    (SELECT N'a' AS \"name\" UNION ALL SELECT N'b') AS t; IF @@ROWCOUNT <> 2 THROW 50000, 'too few rows', 1";

async fn one_migrations_settings_do_not_reach_the_next(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let (change, ask) = match fixture.is_sqlite() {
        true => ("PRAGMA recursive_triggers = ON", "CREATE TABLE found AS SELECT * FROM pragma_recursive_triggers"),
        // Whoever took this for a number would fail in strict mode.
        false if fixture.is_mysql() => {
            fixture.value("CREATE TABLE found (a integer NOT NULL, b varchar(9))").await;
            ("SET foreign_key_checks = 0, sql_mode = 'ANSI_QUOTES', time_zone = '+05:00'", ASK_MYSQL)
        }
        false if fixture.is_sqlserver() => {
            ("SET QUOTED_IDENTIFIER OFF; SET ROWCOUNT 1; SET DATEFORMAT dmy", ASK_SQLSERVER)
        }
        false => ("SELECT set_config('search_path', '', false)", "CREATE TABLE found AS SELECT 0"),
    };
    let change = || setting(change, SessionChange::Setting, None);
    let all = [planned("1_one", [change()]), planned("2_two", [sql(ask)])];
    for one in &all {
        session.run_atomic(&fence, &[work(one)], false, &soon(), &mut Notes::default()).await.unwrap();
    }
    let asked_again =
        ask.replace("TABLE found", "TABLE found_too").replace("AS day INTO found", "AS day INTO found_too");
    let together = [planned("3_three", [change()]), planned("4_four", [sql(&asked_again)])];
    let works: Vec<_> = together.iter().map(work).collect();
    session.run_atomic(&fence, &works, true, &soon(), &mut Notes::default()).await.unwrap();
    if fixture.is_mysql() || fixture.is_sqlserver() {
        // Its question has answered by itself: it fails when a setting has stayed.
        return;
    }
    assert_eq!(
        fixture
            .value("SELECT CAST(a.x AS TEXT) FROM (SELECT 0 AS x UNION ALL SELECT * FROM found) AS a ORDER BY 1 DESC")
            .await
            .as_deref(),
        Some("0")
    );
}

async fn a_unit_may_be_empty_of_statements(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", []);
    session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap();
    assert!(fixture.ledger().await.is_applied("1_one"));
}

async fn texts_with_a_zero_byte_are_refused(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("t").await, sql("SELECT 1\0; DROP TABLE t")]);
    let error = session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.error.kind, error.statement), (ErrorKind::Sql, Some(1)));
    assert!(!fixture.has_change("t").await);
}

async fn a_failure_leaves_the_session_usable(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let bad = planned("1_bad", [sql("SELECT nonsense")]);
    session.run_atomic(&fence, &[work(&bad)], false, &soon(), &mut Notes::default()).await.unwrap_err();
    session.unlock(fence).await.unwrap();
    let fence = session.lock(&claim(2), Duration::ZERO, &soon()).await.unwrap();
    let good = planned("1_good", [fixture.change("good").await]);
    session.run_atomic(&fence, &[work(&good)], true, &soon(), &mut Notes::default()).await.unwrap();
    assert!(session.ledger().await.unwrap().is_applied("1_good"));
}

async fn a_long_migration_travels_in_pieces(fixture: Fixture) {
    fixture.create().await;
    fixture.value("CREATE TABLE t (a integer)").await;
    let (mut session, fence) = fixture.locked().await;
    let rows = (0..1500).map(|n| sql(&format!("INSERT INTO t VALUES ({n})")));
    let statements: Vec<_> = std::iter::once(sql("SELECT 1")).chain(rows).collect();
    let mut broken = statements.clone();
    broken[1300] = sql("INSERT INTO t VALUES (nonsense)");
    let bad = planned("1_one", broken);
    let error = session.run_atomic(&fence, &[work(&bad)], false, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.statement, error.outcome), (Some(1300), Outcome::RolledBack), "{error:?}");
    assert_eq!(error.error.position, Some("INSERT INTO t VALUES (".len()));
    session.unlock(fence).await.unwrap();
    let (mut session, fence) = fixture.locked().await;
    let good = planned("1_one", statements);
    session.run_atomic(&fence, &[work(&good)], true, &soon(), &mut Notes::default()).await.unwrap();
    let sum = fixture.value("SELECT CAST(sum(a) AS char(7)) FROM t").await;
    assert_eq!(sum.as_deref(), Some("1124250"));
}

async fn all_of_it_can_be_spawned(fixture: Fixture) {
    fixture.create().await;
    let (endpoint, settings) = (fixture.endpoint(), fixture.settings.clone());
    let change = fixture.change("t").await;
    let task = tokio::spawn(async move {
        create(&endpoint, &settings).await.unwrap();
        let mut session = Session::connect(&endpoint, &settings).await.unwrap();
        let fence = session.lock(&claim(1), Duration::ZERO, &soon()).await.unwrap();
        let one = planned("1_one", [change]);
        session.run_atomic(&fence, &[work(&one)], false, &soon(), &mut Notes::default()).await.unwrap();
        let two = planned("2_two", [sql("SELECT 1")]);
        let (all, mut notes) = (Segment::Transaction(0..1), Notes::default());
        session.run_segment(&fence, &work(&two), &all, true, &soon(), &mut notes).await.unwrap();
        session.fate(&two.migration.up.statements[0]).await.unwrap();
        session.renew(&fence).await.unwrap();
        session.tables().await.unwrap();
        session.unlock(fence).await.unwrap();
        session.close().await;
        test(&endpoint, &settings).await.database_exists
    });
    assert!(task.await.unwrap());
}

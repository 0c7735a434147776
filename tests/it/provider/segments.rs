use branchkeeper::domain::{Effect, ObjectName, Segment, SessionChange, plan_up};
use branchkeeper::domain::{Policy, ProviderCatalogue, Target, Unit};
use branchkeeper::provider::{ErrorKind, Fate, Outcome, Then};

use super::fixture::{Fixture, Notes, alone, digests, intent, planned, progress, resumed, setting, soon, sql, work};
use crate::support::{Gap, Product};

on_every_provider!(
    segments_are_journaled_and_the_last_finishes,
    a_failing_segment_keeps_what_was_done,
    a_statement_alone_is_announced_and_recorded,
    the_record_of_one_statement_announces_the_next,
    a_failing_statement_alone_is_withdrawn,
    a_doubtful_statement_is_settled,
    a_lone_statement_first_commits_the_lock,
    a_journal_under_a_lost_lock_is_not_written,
    a_repeatable_migration_in_segments_starts_afresh,
    what_the_planner_makes_of_a_journal_runs_to_its_end,
    a_migration_that_goes_on_later_has_its_settings_back,
);

async fn segments_are_journaled_and_the_last_finishes(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("a").await, fixture.change("b").await, sql("SELECT 1")]);
    let mut notes = Notes::default();
    let work = work(&one);
    session.run_segment(&fence, &work, &Segment::Transaction(0..2), false, &soon(), &mut notes).await.unwrap();
    let half = progress(&fixture.ledger().await, "1_one");
    assert_eq!((half.done, half.total, half.intent), (digests(&one, 2), 3, None));
    session.renew(&fence).await.unwrap();
    session.run_segment(&fence, &work, &Segment::Transaction(2..3), true, &soon(), &mut notes).await.unwrap();
    assert!(fixture.ledger().await.is_applied("1_one"));
    assert_eq!(notes.lines, ["start 1_one", "end 1_one"]);
    session.unlock(fence).await.unwrap();
}

async fn a_failing_segment_keeps_what_was_done(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("a").await, fixture.change("b").await, sql("SELECT oops")]);
    let mut notes = Notes::default();
    let work = work(&one);
    session.run_segment(&fence, &work, &Segment::Transaction(0..1), false, &soon(), &mut notes).await.unwrap();
    let failed = session.run_segment(&fence, &work, &Segment::Transaction(1..3), true, &soon(), &mut notes).await;
    let error = failed.unwrap_err();
    assert_eq!((error.done, error.statement, error.outcome), (1, Some(2), Outcome::Partial), "{error:?}");
    assert_eq!(error.error.position, Some("SELECT ".len()));
    assert!(fixture.has_change("a").await && !fixture.has_change("b").await);
    assert_eq!(progress(&fixture.ledger().await, "1_one").done, digests(&one, 1));
    session.unlock(fence).await.unwrap();
}

async fn a_statement_alone_is_announced_and_recorded(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("a").await, fixture.lone(), sql("SELECT 1"), fixture.lone()]);
    let mut notes = Notes::default();
    let work = work(&one);
    for (segment, last) in [
        (Segment::Transaction(0..1), false),
        (Segment::Alone(1), false),
        (Segment::Transaction(2..3), false),
        (Segment::Alone(3), true),
    ] {
        session.run_segment(&fence, &work, &segment, last, &soon(), &mut notes).await.unwrap();
        if segment == Segment::Alone(1) {
            let half = progress(&fixture.ledger().await, "1_one");
            assert_eq!((half.done, half.intent), (digests(&one, 2), None));
        }
    }
    assert!(fixture.ledger().await.is_applied("1_one"));
    session.unlock(fence).await.unwrap();
}

async fn the_record_of_one_statement_announces_the_next(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.lone(), fixture.lone(), fixture.lone()]);
    let work = work(&one);
    let mut notes = Notes::default();
    let state = async || {
        let half = progress(&fixture.ledger().await, "1_one");
        (half.done.len(), half.intent)
    };
    session.run_segment(&fence, &work, &Segment::Alone(0), Then::Alone(1), &soon(), &mut notes).await.unwrap();
    assert_eq!(state().await, (1, intent(&one, 1)));
    // Whoever does not go on takes it back, once.
    session.take_back(&fence, &work).await.unwrap();
    session.take_back(&fence, &work).await.unwrap();
    assert_eq!(state().await, (1, None));

    notes.stops = true;
    session.run_segment(&fence, &work, &Segment::Alone(1), Then::Alone(2), &soon(), &mut notes).await.unwrap();
    assert_eq!(state().await, (2, None), "nothing is announced by whoever is about to stop");
    session.run_segment(&fence, &work, &Segment::Alone(2), true, &soon(), &mut notes).await.unwrap();
    assert!(fixture.ledger().await.is_applied("1_one"));
    session.unlock(fence).await.unwrap();
}

async fn a_failing_statement_alone_is_withdrawn(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let bad = alone(
        match fixture.product() {
            Some(Product::MySql | Product::MariaDb) => "DROP TABLE nowhere.at_all",
            Some(Product::SqlServer) => "DROP DATABASE nowhere_at_all",
            _ => "VACUUM nowhere.at_all",
        },
        Effect::Unknowable,
    );
    let one = planned("1_one", [bad.clone()]);
    let mut notes = Notes::default();
    let failed = session.run_segment(&fence, &work(&one), &Segment::Alone(0), true, &soon(), &mut notes).await;
    let error = failed.unwrap_err();
    assert_eq!(error.error.kind, ErrorKind::Sql, "{error:?}");
    assert_eq!((error.statement, error.done), (Some(0), 0));
    assert_eq!(error.outcome, Outcome::RolledBack);
    assert!(fixture.ledger().await.rows.is_empty(), "nothing was done, so nothing is half done");

    let two = planned("2_two", [fixture.change("a").await, bad]);
    let work = work(&two);
    session.run_segment(&fence, &work, &Segment::Transaction(0..1), false, &soon(), &mut notes).await.unwrap();
    let failed = session.run_segment(&fence, &work, &Segment::Alone(1), true, &soon(), &mut notes).await;
    let error = failed.unwrap_err();
    assert_eq!((error.done, error.outcome), (1, Outcome::Partial));
    let half = progress(&fixture.ledger().await, "2_two");
    assert_eq!((half.done, half.intent), (digests(&two, 1), None));
    session.unlock(fence).await.unwrap();
}

async fn a_doubtful_statement_is_settled(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.lone(), fixture.lone()]);
    let mut notes = Notes::default();
    session.run_segment(&fence, &work(&one), &Segment::Alone(0), false, &soon(), &mut notes).await.unwrap();
    let digest = one.migration.up.statements[1].digest();
    // As a crash leaves it between announcement and record.
    let crash = format!("UPDATE \"__MigrationsHistory\" SET intent = '{}'", digest.as_str());
    fixture.value(&crash).await;
    let ledger = fixture.ledger().await;
    assert_eq!(progress(&ledger, "1_one").intent, intent(&one, 1));
    let again = resumed(&one, &ledger);
    assert_eq!(again.doubtful(), Some(1..2));
    assert_eq!(session.fate(&again.migration.up.statements[1]).await, Ok(Fate::Rerun));
    session.settle(&fence, &work(&again), 1..2, false).await.unwrap();
    let half = progress(&fixture.ledger().await, "1_one");
    assert_eq!((half.done, half.intent), (digests(&one, 1), None));

    fixture.value(&crash).await;
    session.settle(&fence, &work(&again), 1..2, true).await.unwrap();
    assert!(fixture.ledger().await.is_applied("1_one"), "it was the last statement");
    session.unlock(fence).await.unwrap();
}

async fn a_lone_statement_first_commits_the_lock(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.lone()]);
    session.run_segment(&fence, &work(&one), &Segment::Alone(0), true, &soon(), &mut Notes::default()).await.unwrap();
    assert!(fixture.value("SELECT owner FROM \"__MigrationsHistoryLock\"").await.is_some(), "others see the lock");
    session.unlock(fence).await.unwrap();
    assert!(fixture.ledger().await.is_applied("1_one"));
}

async fn a_journal_under_a_lost_lock_is_not_written(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("a").await, fixture.change("b").await, fixture.lone()]);
    let work = work(&one);
    let mut notes = Notes::default();
    session.run_segment(&fence, &work, &Segment::Transaction(0..1), false, &soon(), &mut notes).await.unwrap();
    fixture.value("UPDATE \"__MigrationsHistoryLock\" SET fence = fence + 1, owner = 'thief'").await;
    for segment in [Segment::Transaction(1..2), Segment::Alone(2)] {
        let failed = session.run_segment(&fence, &work, &segment, false, &soon(), &mut notes).await;
        let error = failed.unwrap_err();
        assert_eq!(error.error.kind, ErrorKind::FenceLost, "{error:?}");
    }
    assert_eq!(session.settle(&fence, &work, 1..2, true).await.unwrap_err().kind, ErrorKind::FenceLost);
    assert!(!fixture.has_change("b").await);
    assert_eq!(progress(&fixture.ledger().await, "1_one").done, digests(&one, 1));
}

async fn a_repeatable_migration_in_segments_starts_afresh(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let first = planned("R__views", [fixture.change("v").await]);
    session.run_atomic(&fence, &[work(&first)], false, &soon(), &mut Notes::default()).await.unwrap();
    let mut second = planned("R__views", [sql("SELECT 2"), fixture.change("w").await]);
    second.replaces = true;
    let work = work(&second);
    let mut notes = Notes::default();
    session.run_segment(&fence, &work, &Segment::Transaction(0..1), false, &soon(), &mut notes).await.unwrap();
    let half = progress(&fixture.ledger().await, "R__views");
    assert_eq!(half.done, digests(&second, 1));
    session.run_segment(&fence, &work, &Segment::Transaction(1..2), true, &soon(), &mut notes).await.unwrap();
    let ledger = fixture.ledger().await;
    assert!(ledger.is_applied("R__views"));
    assert_eq!(ledger.rows[0].checksum, second.migration.checksum);
    session.unlock(fence).await.unwrap();
}

async fn what_the_planner_makes_of_a_journal_runs_to_its_end(fixture: Fixture) {
    fixture.create().await;
    fixture.value("CREATE TABLE a (x integer)").await;
    let (mut session, fence) = fixture.locked().await;
    let index = ObjectName::bare("i");
    let effect = Effect::IndexExists { index, table: ObjectName::bare("a") };
    let create = match fixture.product() {
        Some(Product::Postgres) => "CREATE INDEX CONCURRENTLY i ON a (x)",
        _ => "CREATE INDEX i ON a (x)",
    };
    let one = planned("1_one", [fixture.change("b").await, alone(create, effect), sql("SELECT 1")]);
    let catalogue = ProviderCatalogue::new(vec![(*one.migration).clone()]);
    // Each round does one segment and then forgets everything, as a process does that is killed between segments.
    for round in 0.. {
        assert!(round < 5, "it comes to an end");
        let ledger = session.ledger().await.unwrap();
        let plan = plan_up(&catalogue, &ledger, &Target::Latest, &Policy::default()).unwrap();
        let Some(Unit::Stepwise(planned, segments)) = plan.units.first() else { break };
        let (segment, last) = (&segments[0], segments.len() == 1);
        session.run_segment(&fence, &work(planned), segment, last, &soon(), &mut Notes::default()).await.unwrap();
    }
    assert!(fixture.ledger().await.is_applied("1_one"));
    if !fixture.is_kept_from(Gap::IndexNames, "what became of an index").await {
        assert_eq!(session.fate(&one.migration.up.statements[1]).await, Ok(Fate::Applied));
    }
    session.unlock(fence).await.unwrap();
}

async fn a_migration_that_goes_on_later_has_its_settings_back(fixture: Fixture) {
    let parents = "CREATE TABLE parent (id integer PRIMARY KEY)";
    let children = "CREATE TABLE child (id integer REFERENCES parent ON DELETE CASCADE)";
    let one = match fixture.is_sqlite() {
        true => planned(
            "1_one",
            [
                setting("PRAGMA foreign_keys = ON", SessionChange::Setting, Some(Effect::Idempotent)),
                sql(parents),
                sql(children),
                sql("INSERT INTO parent VALUES (1)"),
                sql("INSERT INTO child VALUES (1)"),
                fixture.lone(),
                sql("DELETE FROM parent"),
            ],
        ),
        false if fixture.is_mysql() => planned(
            "1_one",
            [
                setting("SET @mark = 7", SessionChange::Setting, None),
                fixture.lone(),
                alone("CREATE TABLE marked AS SELECT @mark AS mark", Effect::TableExists(ObjectName::bare("marked"))),
            ],
        ),
        // A batch mixes settings with work: none of them is brought back, and none of them is missed.
        false if fixture.is_sqlserver() => planned(
            "1_one",
            [sql("SET NOEXEC ON; SET ROWCOUNT 1"), fixture.lone(), sql("CREATE TABLE last (a integer)")],
        ),
        false => planned(
            "1_one",
            [
                sql("CREATE SCHEMA side"),
                setting("SET search_path = side", SessionChange::Setting, None),
                sql(parents),
                sql(children),
                fixture.lone(),
                sql("CREATE TABLE last (a integer)"),
            ],
        ),
    };
    let catalogue = ProviderCatalogue::new(vec![(*one.migration).clone()]);
    // Every segment in a session of its own.
    for round in 0.. {
        assert!(round < 6, "it comes to an end");
        let (mut session, fence) = fixture.locked().await;
        let ledger = session.ledger().await.unwrap();
        let plan = plan_up(&catalogue, &ledger, &Target::Latest, &Policy::default()).unwrap();
        let Some(Unit::Stepwise(planned, segments)) = plan.units.first() else { break };
        let (segment, last) = (&segments[0], segments.len() == 1);
        session.run_segment(&fence, &work(planned), segment, last, &soon(), &mut Notes::default()).await.unwrap();
        session.unlock(fence).await.unwrap();
        session.close().await;
    }
    let ask = match fixture.is_sqlite() {
        true => "SELECT CAST(count(*) AS TEXT) FROM child",
        false if fixture.is_mysql() => "SELECT CAST(COALESCE(mark, 0) - 7 AS CHAR) FROM marked",
        false if fixture.is_sqlserver() => "SELECT COUNT(*) - 1 FROM sys.tables WHERE name = 'last'",
        false => "SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public' AND tablename IN ('child', 'last')",
    };
    assert_eq!(fixture.value(ask).await.as_deref(), Some("0"));
}

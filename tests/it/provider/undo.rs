use branchkeeper::domain::{
    Direction, DownPolicy, Effect, Ledger, ObjectName, Planned, ProviderCatalogue, RowState, Segment, Statement, Undo,
    Unit, plan_down,
};
use branchkeeper::provider::{ErrorKind, Fate, Fence, Outcome, Session};

use super::fixture::{
    Fixture, Notes, alone, digests, intent, planned, progress, resumed, setting, soon, sql, undoing, work,
};
use crate::support::Product;

on_every_provider!(
    a_migration_and_its_row_go_together,
    several_go_in_one_transaction,
    what_fails_leaves_everything_applied,
    a_lost_lock_undoes_nothing,
    segments_are_journaled_and_the_last_removes_the_row,
    a_withdrawn_beginning_leaves_the_row_as_it_was,
    a_doubtful_statement_is_settled_either_way,
    an_interrupted_rollback_is_planned_and_run_to_its_end,
    settings_come_back_when_a_rollback_goes_on,
);

/// The statement that takes back a [`Fixture::change`].
fn take_back(fixture: &Fixture, name: &str) -> Statement {
    match fixture.has_transactional_ddl() {
        true => sql(&format!("DROP TABLE {name}")),
        false => sql(&format!("DELETE FROM marks WHERE name = '{name}'")),
    }
}

async fn applied(session: &mut Session, fence: &Fence, planned: &[&Planned]) -> Ledger {
    let work: Vec<_> = planned.iter().map(|planned| work(planned)).collect();
    session.run_atomic(fence, &work, false, &soon(), &mut Notes::default()).await.unwrap();
    session.ledger().await.unwrap()
}

async fn a_migration_and_its_row_go_together(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("a").await]);
    let two = planned("2_two", [fixture.change("b").await]);
    applied(&mut session, &fence, &[&one, &two]).await;
    let down = undoing(&two, [take_back(&fixture, "b")]);
    let mut notes = Notes { each: true, ..Notes::default() };
    session.run_atomic(&fence, &[work(&down)], true, &soon(), &mut notes).await.unwrap();
    assert!(fixture.has_change("a").await && !fixture.has_change("b").await);
    let ledger = fixture.ledger().await;
    assert!(ledger.is_applied("1_one") && ledger.get("2_two").is_none());
    assert_eq!(notes.lines, ["start 2_two", "2_two 0/1", "end 2_two"]);
    // The lock went with the commit, and the migration can be applied anew.
    let (mut session, fence) = fixture.locked().await;
    let ledger = applied(&mut session, &fence, &[&two]).await;
    assert_eq!(ledger.rows.last().unwrap().id, "2_two");
    session.unlock(fence).await.unwrap();
}

async fn several_go_in_one_transaction(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("a").await]);
    let two = planned("2_two", [fixture.change("b").await]);
    applied(&mut session, &fence, &[&one, &two]).await;
    let bad = undoing(&one, [take_back(&fixture, "a"), sql("SELECT oops")]);
    let downs = [undoing(&two, [take_back(&fixture, "b")]), bad];
    let both: Vec<_> = downs.iter().map(work).collect();
    let error = session.run_atomic(&fence, &both, false, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.statement, error.outcome), (Some(1), Outcome::RolledBack), "{error:?}");
    assert_eq!(error.migration.unwrap().as_str(), "1_one");
    assert!(fixture.has_change("b").await, "the other one came back with it");
    assert_eq!(fixture.ledger().await.rows.len(), 2);
    let downs = [undoing(&two, [take_back(&fixture, "b")]), undoing(&one, [take_back(&fixture, "a")])];
    let both: Vec<_> = downs.iter().map(work).collect();
    session.run_atomic(&fence, &both, false, &soon(), &mut Notes::default()).await.unwrap();
    assert!(fixture.ledger().await.rows.is_empty() && !fixture.has_change("a").await);
    session.unlock(fence).await.unwrap();
}

async fn what_fails_leaves_everything_applied(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("a").await]);
    let before = applied(&mut session, &fence, &[&one]).await;
    let down = undoing(&one, [take_back(&fixture, "a"), sql("SELECT oops")]);
    let error = session.run_atomic(&fence, &[work(&down)], false, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.statement, error.outcome), (Some(1), Outcome::RolledBack), "{error:?}");
    assert!(fixture.has_change("a").await);
    assert_eq!(fixture.ledger().await, before);
    session.unlock(fence).await.unwrap();
}

async fn a_lost_lock_undoes_nothing(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("a").await]);
    let before = applied(&mut session, &fence, &[&one]).await;
    fixture.value("UPDATE \"__MigrationsHistoryLock\" SET fence = fence + 1, owner = 'thief'").await;
    let down = undoing(&one, [take_back(&fixture, "a")]);
    let error = session.run_atomic(&fence, &[work(&down)], false, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!(error.error.kind, ErrorKind::FenceLost, "{error:?}");
    let whole = Segment::Transaction(0..1);
    let failed = session.run_segment(&fence, &work(&down), &whole, true, &soon(), &mut Notes::default()).await;
    assert_eq!(failed.unwrap_err().error.kind, ErrorKind::FenceLost);
    assert!(fixture.has_change("a").await);
    assert_eq!(fixture.ledger().await, before);
}

async fn segments_are_journaled_and_the_last_removes_the_row(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("a").await, fixture.change("b").await]);
    let before = applied(&mut session, &fence, &[&one]).await;
    let down = undoing(&one, [take_back(&fixture, "b"), fixture.lone(), take_back(&fixture, "a")]);
    let mut notes = Notes::default();
    let work = work(&down);
    session.run_segment(&fence, &work, &Segment::Transaction(0..1), false, &soon(), &mut notes).await.unwrap();
    let ledger = fixture.ledger().await;
    let half = progress(&ledger, "1_one");
    assert_eq!((half.direction, half.done, half.total), (Direction::Down, digests(&down, 1), 3));
    let (row, was) = (&ledger.rows[0], &before.rows[0]);
    assert_eq!(row.format, Direction::Down.ledger_format(), "older programs leave it alone");
    assert_eq!(
        (&row.checksum, row.applied_time, row.run_id, row.duration),
        (&was.checksum, was.applied_time, was.run_id, was.duration),
        "how it was applied stays known"
    );
    session.run_segment(&fence, &work, &Segment::Alone(1), false, &soon(), &mut notes).await.unwrap();
    assert_eq!(progress(&fixture.ledger().await, "1_one").done, digests(&down, 2));
    session.run_segment(&fence, &work, &Segment::Transaction(2..3), true, &soon(), &mut notes).await.unwrap();
    assert!(fixture.ledger().await.rows.is_empty());
    assert!(!fixture.has_change("a").await && !fixture.has_change("b").await);
    assert_eq!(notes.lines, ["start 1_one", "end 1_one"]);
    session.unlock(fence).await.unwrap();
}

async fn a_withdrawn_beginning_leaves_the_row_as_it_was(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("a").await]);
    let before = applied(&mut session, &fence, &[&one]).await;
    let bad = if fixture.is_mysql() || fixture.is_sqlserver() {
        "DROP TABLE nowhere.at_all"
    } else {
        "VACUUM nowhere.at_all"
    };
    let down = undoing(&one, [alone(bad, Effect::Unknowable), take_back(&fixture, "a")]);
    let (work, mut notes) = (work(&down), Notes::default());
    let failed = session.run_segment(&fence, &work, &Segment::Alone(0), false, &soon(), &mut notes).await;
    let error = failed.unwrap_err();
    assert_eq!((error.statement, error.done, error.outcome), (Some(0), 0, Outcome::RolledBack), "{error:?}");
    assert_eq!(fixture.ledger().await, before, "nothing was undone, so nothing is half undone");
    session.unlock(fence).await.unwrap();
}

async fn a_doubtful_statement_is_settled_either_way(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("a").await]);
    let before = applied(&mut session, &fence, &[&one]).await;
    let down = undoing(&one, [fixture.lone(), fixture.lone()]);
    // As a crash leaves it between announcement and record.
    let digest = |index: usize| down.script().statements[index].digest();
    let crash = |done: &str, index: usize| {
        format!(
            "UPDATE \"__MigrationsHistory\" SET state = 'partial', format = 2, statements_done = 'down{done}', \
             statements_total = 2, intent = '{}'",
            digest(index).as_str()
        )
    };
    fixture.value(&crash("", 0)).await;
    let ledger = fixture.ledger().await;
    let again = resumed(&down, &ledger);
    assert_eq!((progress(&ledger, "1_one").intent, again.doubtful()), (intent(&down, 0), Some(0..1)));
    session.settle(&fence, &work(&again), 0..1, false).await.unwrap();
    assert_eq!(fixture.ledger().await, before, "it never began");

    fixture.value(&crash("", 0)).await;
    session.settle(&fence, &work(&again), 0..1, true).await.unwrap();
    assert_eq!(progress(&fixture.ledger().await, "1_one").done, digests(&down, 1));

    fixture.value(&crash(&format!(" {}", digest(0).as_str()), 1)).await;
    let again = resumed(&down, &fixture.ledger().await);
    assert_eq!(again.doubtful(), Some(1..2));
    session.settle(&fence, &work(&again), 1..2, true).await.unwrap();
    assert!(fixture.ledger().await.rows.is_empty(), "it was the last statement");
    session.unlock(fence).await.unwrap();
}

/// Runs one segment after the other of what the planner makes of the ledger, each in a session of its own, as processes
/// do that are killed in between.
async fn run_down(fixture: &Fixture, down: &Planned) {
    let catalogue = ProviderCatalogue::new(vec![(*down.migration).clone()]);
    let policy = DownPolicy { allow_data_loss: true, ..DownPolicy::default() };
    for round in 0.. {
        assert!(round < 9, "it comes to an end");
        let (mut session, fence) = fixture.locked().await;
        let ledger = session.ledger().await.unwrap();
        if ledger.rows.is_empty() {
            session.unlock(fence).await.unwrap();
            return;
        }
        let plan = plan_down(&catalogue, &ledger, &Undo::default(), &policy).unwrap();
        let Some(Unit::Stepwise(planned, segments)) = plan.units.first() else { panic!("{plan:?}") };
        let (segment, last) = (&segments[0], segments.len() == 1);
        session.run_segment(&fence, &work(planned), segment, last, &soon(), &mut Notes::default()).await.unwrap();
        session.unlock(fence).await.unwrap();
        session.close().await;
    }
}

async fn an_interrupted_rollback_is_planned_and_run_to_its_end(fixture: Fixture) {
    fixture.create().await;
    fixture.value("CREATE TABLE a (x integer)").await;
    let create = sql("CREATE INDEX i ON a (x)");
    let create = if fixture.is_mysql() {
        alone(&create.sql, Effect::IndexExists { index: ObjectName::bare("i"), table: ObjectName::bare("a") })
    } else {
        create
    };
    let one = planned("1_one", [fixture.change("b").await, create]);
    let (mut session, fence) = fixture.locked().await;
    for (index, statement) in one.script().statements.iter().enumerate() {
        let segment = match statement.is_transactional() {
            true => Segment::Transaction(index..index + 1),
            false => Segment::Alone(index),
        };
        let last = index == 1;
        session.run_segment(&fence, &work(&one), &segment, last, &soon(), &mut Notes::default()).await.unwrap();
    }
    session.unlock(fence).await.unwrap();
    let drop = match fixture.product() {
        None => alone("VACUUM", Effect::Idempotent),
        Some(Product::Postgres) => alone("DROP INDEX CONCURRENTLY i", Effect::IndexGone(ObjectName::bare("i"))),
        Some(_) => {
            let effect = Effect::TableIndexGone { index: "i".into(), table: ObjectName::bare("a") };
            alone("DROP INDEX i ON a", effect)
        }
    };
    let down = undoing(&one, [take_back(&fixture, "b"), drop.clone(), sql("SELECT 1")]);
    run_down(&fixture, &down).await;
    assert!(!fixture.has_change("b").await);
    if !fixture.is_sqlite() {
        assert_eq!(fixture.session().await.fate(&drop).await, Ok(Fate::Applied));
    }
}

async fn settings_come_back_when_a_rollback_goes_on(fixture: Fixture) {
    let one = planned("1_one", [fixture.change("a").await]);
    let (mut session, fence) = fixture.locked().await;
    let ledger = applied(&mut session, &fence, &[&one]).await;
    assert!(matches!(ledger.rows[0].state, RowState::Applied));
    session.unlock(fence).await.unwrap();
    use branchkeeper::domain::SessionChange::Setting;
    let statements = match fixture.product() {
        None => vec![
            setting("PRAGMA recursive_triggers = ON", Setting, None),
            fixture.lone(),
            sql("CREATE TABLE seen AS SELECT recursive_triggers AS v FROM pragma_recursive_triggers"),
        ],
        Some(Product::Postgres) => vec![
            setting("SET search_path = public, pg_temp", Setting, None),
            fixture.lone(),
            sql("CREATE TABLE seen AS SELECT CASE WHEN current_setting('search_path') = 'public, pg_temp' \
                 THEN 1 ELSE 0 END AS v"),
        ],
        Some(Product::SqlServer) => vec![
            setting("SET DATEFIRST 3", Setting, None),
            fixture.lone(),
            sql("SELECT CASE WHEN @@DATEFIRST = 3 THEN 1 ELSE 0 END AS v INTO seen"),
        ],
        Some(_) => vec![
            setting("SET @mark = 1", Setting, None),
            fixture.lone(),
            alone("CREATE TABLE seen AS SELECT @mark AS v", Effect::TableExists(ObjectName::bare("seen"))),
        ],
    };
    run_down(&fixture, &undoing(&one, statements)).await;
    let text = match fixture.product() {
        None | Some(Product::Postgres) => "TEXT",
        Some(Product::SqlServer) => "nvarchar(9)",
        Some(_) => "CHAR",
    };
    assert_eq!(fixture.value(&format!("SELECT CAST(v AS {text}) FROM seen")).await.as_deref(), Some("1"));
}

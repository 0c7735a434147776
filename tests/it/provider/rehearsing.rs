use branchkeeper::domain::{Effect, ObjectName, Planned};
use branchkeeper::provider::{ErrorKind, NotTried, Outcome, Rehearsal};

use super::fixture::{Fixture, Notes, alone, planned, soon, sql, work};

on_every_provider!(
    everything_is_run_and_taken_back,
    a_failure_is_found_and_named,
    what_cannot_be_tried_is_told,
    a_missing_database_stays_missing,
);

pub(super) async fn rehearse(
    fixture: &Fixture,
    planned: &[&Planned],
    notes: &mut Notes,
) -> Result<Vec<NotTried>, branchkeeper::provider::ExecutionError> {
    let mut rehearsal = Rehearsal::open(&fixture.endpoint(), &fixture.settings, &soon()).await.unwrap();
    let works: Vec<_> = planned.iter().map(|planned| work(planned)).collect();
    let ended = rehearsal.run(&works, &soon(), notes).await;
    rehearsal.close().await;
    ended
}

/// A statement that makes a table, as the provider's scripts are classified.
fn make(fixture: &Fixture, name: &str) -> branchkeeper::domain::Statement {
    let text = format!("CREATE TABLE {name} (x integer)");
    if fixture.is_mysql() { alone(&text, Effect::TableExists(ObjectName::bare(name))) } else { sql(&text) }
}

async fn everything_is_run_and_taken_back(fixture: Fixture) {
    fixture.create().await;
    fixture.value("CREATE TABLE a (x integer)").await;
    let one = planned("1_one", [make(&fixture, "b"), sql("INSERT INTO b SELECT x FROM a")]);
    let two = planned("2_two", [sql("INSERT INTO b VALUES (1)"), make(&fixture, "c")]);
    let mut notes = Notes { each: true, ..Notes::default() };
    assert_eq!(rehearse(&fixture, &[&one, &two], &mut notes).await.unwrap(), []);
    let lines =
        ["start 1_one", "1_one 0/2", "1_one 1/2", "start 2_two", "2_two 0/2", "2_two 1/2", "end 1_one", "end 2_two"];
    assert_eq!(notes.lines, lines);
    assert!(!fixture.has_table("b").await && !fixture.has_table("c").await && fixture.has_table("a").await);
    assert!(!fixture.ledger().await.exists, "not even an empty ledger is made");
}

async fn a_failure_is_found_and_named(fixture: Fixture) {
    fixture.create().await;
    let one = planned("1_one", [make(&fixture, "b")]);
    let two = planned("2_two", [sql("INSERT INTO b VALUES (1)"), sql("SELECT oops")]);
    let error = rehearse(&fixture, &[&one, &two], &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.statement, error.outcome, error.done), (Some(1), Outcome::RolledBack, 0), "{error:?}");
    assert_eq!(error.migration.unwrap().as_str(), "2_two");
    assert_eq!(error.error.position, Some("SELECT ".len()));
    assert!(!fixture.has_table("b").await);
}

async fn what_cannot_be_tried_is_told(fixture: Fixture) {
    fixture.create().await;
    let lone = match fixture.is_mysql() {
        true => alone("FLUSH TABLES", Effect::Idempotent),
        false => fixture.lone(),
    };
    let one = planned("1_one", [make(&fixture, "b"), lone, sql("INSERT INTO b VALUES (1)")]);
    let not_tried = rehearse(&fixture, &[&one], &mut Notes::default()).await.unwrap();
    assert_eq!(not_tried.iter().map(|each| (each.work, each.index)).collect::<Vec<_>>(), [(0, 1)]);
    let two = planned("2_two", [fixture_lone(&fixture), sql("SELECT oops")]);
    let error = rehearse(&fixture, &[&two], &mut Notes::default()).await.unwrap_err();
    assert!(error.error.hint.contains("could not be tried"), "{error:?}");
}

fn fixture_lone(fixture: &Fixture) -> branchkeeper::domain::Statement {
    if fixture.is_mysql() { alone("FLUSH TABLES", Effect::Idempotent) } else { fixture.lone() }
}

async fn a_missing_database_stays_missing(mut fixture: Fixture) {
    if !fixture.is_sqlite() {
        fixture.server_mut().database = format!("{}_gone", fixture.server().database);
    }
    let opened = Rehearsal::open(&fixture.endpoint(), &fixture.settings, &soon()).await;
    assert_eq!(opened.err().unwrap().kind, ErrorKind::DatabaseMissing);
    assert!(!fixture.is_sqlite() || !fixture.path().exists());
}

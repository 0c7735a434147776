//! What a branch's database knows of a transaction that was ended in the middle, whoever is left to find it out.

use std::time::{Duration, Instant};

use branchkeeper::domain::{Direction, Intent, Ledger, Planned, Segment};
use branchkeeper::provider::{ErrorKind, Fence, Session};

use super::fixture::{Fixture, Notes, claim, digests, planned, progress, resumed, soon, sql, undoing, work};
use crate::support::Product;

on_mysql!(what_an_abandoned_unit_has_left_is_in_the_ledger, a_mark_that_makes_no_sense_is_told);
on_sqlserver!(what_an_abandoned_unit_has_left_is_in_the_ledger, a_mark_that_makes_no_sense_is_told);

/// Commits, and then works for some seconds.
fn ending(fixture: &Fixture) -> [&'static str; 2] {
    match fixture.product() {
        Some(Product::SqlServer) => ["EXEC('COMMIT; BEGIN TRANSACTION')", "WAITFOR DELAY '00:00:03'"],
        _ => ["COMMIT", "DO SLEEP(3)"],
    }
}

/// Runs the migration's statements from `begin` on in one transaction, and leaves as soon as the first of them is seen to
/// be committed.
async fn abandon(fixture: &Fixture, planned: &Planned, begin: usize, name: &str) {
    let (mut session, fence) = next(fixture).await;
    let planned = resumed(planned, &session.ledger().await.unwrap());
    let (lone, stop, mut notes) = (work(&planned), soon(), Notes::default());
    let works = [lone];
    let segment = Segment::Transaction(begin..planned.script().statements.len());
    // Boxed, as their callers do: too large for a stack.
    let run = async {
        match begin {
            0 => Box::pin(session.run_atomic(&fence, &works, true, &stop, &mut notes)).await,
            _ => Box::pin(session.run_segment(&fence, &lone, &segment, true, &stop, &mut notes)).await,
        }
    };
    tokio::select! {
        ended = run => panic!("it has not ended yet: {ended:?}"),
        () = until_changed(fixture, name) => {}
    }
}

async fn until_changed(fixture: &Fixture, name: &str) {
    let begun = Instant::now();
    while !fixture.has_change(name).await {
        assert!(begun.elapsed() < Duration::from_secs(60), "there is no {name}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The next to hold the lock. Asks anew in another session each time: some servers drop one that asks in vain too often.
async fn next(fixture: &Fixture) -> (Session, Fence) {
    let begun = Instant::now();
    loop {
        let mut session = fixture.session().await;
        match session.lock(&claim(2), Duration::ZERO, &soon()).await {
            Ok(fence) => return (session, fence),
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(60), "{error:?}"),
        }
        session.close().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What is in the ledger when somebody else has had the lock.
async fn ledger(fixture: &Fixture) -> Ledger {
    let (mut session, fence) = next(fixture).await;
    session.unlock(fence).await.unwrap();
    session.ledger().await.unwrap()
}

async fn what_an_abandoned_unit_has_left_is_in_the_ledger(fixture: Fixture) {
    let [end, wait] = ending(&fixture);
    // All of a migration.
    fixture.create().await;
    let one = planned("1_one", [fixture.change("one").await, sql(end), sql(wait)]);
    Box::pin(abandon(&fixture, &one, 0, "one")).await;
    let ledger = self::ledger(&fixture).await;
    let half = progress(&ledger, "1_one");
    assert_eq!((half.direction, half.done.len(), half.total), (Direction::Up, 0, 3));
    assert_eq!(half.intent, Some(Intent::together(&one.migration.up.statements)));
    assert_eq!(ledger.rows[0].checksum, one.migration.checksum);
    let again = resumed(&one, &ledger);
    assert_eq!(again.doubtful(), Some(0..3));
    let (mut session, fence) = next(&fixture).await;
    session.settle(&fence, &work(&again), 0..3, true).await.unwrap();
    assert!(session.ledger().await.unwrap().is_applied("1_one"));

    // The rest of one, in a segment.
    let two = planned("2_two", [fixture.change("two").await, fixture.change("three").await, sql(end), sql(wait)]);
    let (first, mut notes) = (Segment::Transaction(0..1), Notes::default());
    let lone = work(&two);
    let stop = soon();
    Box::pin(session.run_segment(&fence, &lone, &first, false, &stop, &mut notes)).await.unwrap();
    session.close().await;
    Box::pin(abandon(&fixture, &two, 1, "three")).await;
    let half = progress(&self::ledger(&fixture).await, "2_two");
    assert_eq!((half.done, half.intent), (digests(&two, 1), Some(Intent::together(&two.migration.up.statements[1..]))));

    // Undoing.
    let down = undoing(&one, [fixture.change("four").await, sql(end), sql(wait)]);
    Box::pin(abandon(&fixture, &down, 0, "four")).await;
    let half = progress(&self::ledger(&fixture).await, "1_one");
    assert_eq!((half.direction, half.done.len(), half.total), (Direction::Down, 0, 3));
    assert_eq!(half.intent, Some(Intent::together(&down.script().statements)));
}

async fn a_mark_that_makes_no_sense_is_told(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    session.unlock(fence).await.unwrap();
    fixture.value("UPDATE \"__MigrationsHistoryLock\" SET unit = 'nonsense'").await;
    let error = session.lock(&claim(2), Duration::ZERO, &soon()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Ledger, "{error:?}");
    assert!(error.hint.contains("NULL"), "{error:?}");
    fixture.value("UPDATE \"__MigrationsHistoryLock\" SET unit = NULL").await;
    let fence = session.lock(&claim(2), Duration::ZERO, &soon()).await.unwrap();
    session.unlock(fence).await.unwrap();
}

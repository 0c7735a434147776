use std::sync::Arc;
use std::time::{Duration, Instant};

use branchkeeper::domain::{Clock, ManualClock, SystemClock};
use branchkeeper::provider::{Claim, ErrorKind, Outcome, Stop};

use super::fixture::{Fixture, Notes, claim, planned, soon, sql, work};

on_every_provider!(
    a_lock_is_exclusive_and_names_its_holder,
    a_lock_is_waited_for,
    waiting_can_be_cancelled,
    a_lock_ends_with_its_holder,
    an_older_lease_of_the_same_head_office_is_refused,
    every_lock_has_a_higher_epoch,
    a_lock_row_restored_from_a_backup_does_not_block,
    work_under_a_lost_lock_does_not_commit,
    without_a_lock_there_is_no_work,
    unlocking_lets_the_next_one_in,
);

/// Work for two migrations, of which the first commits the lock.
async fn commit_something(
    fixture: &Fixture,
    session: &mut branchkeeper::provider::Session,
    fence: &branchkeeper::provider::Fence,
) {
    let first = planned("1_first", [fixture.change("first").await]);
    session.run_atomic(fence, &[work(&first)], false, &soon(), &mut Notes::default()).await.unwrap();
}

fn other(lease: Duration) -> Claim {
    Claim { head_office: "elsewhere".into(), token: 1, owner: "somebody else".into(), lease }
}

async fn a_lock_is_exclusive_and_names_its_holder(fixture: Fixture) {
    let (mut one, fence) = fixture.locked().await;
    commit_something(&fixture, &mut one, &fence).await;
    let mut two = fixture.session().await;
    let started = Instant::now();
    let error = two.lock(&other(Duration::from_secs(60)), Duration::from_millis(300), &soon()).await.unwrap_err();
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(290) && waited < Duration::from_secs(5), "{waited:?}");
    let ErrorKind::Locked { holder, until } = &error.kind else { panic!("{error:?}") };
    assert!(holder.contains("replica-1"), "{holder}");
    assert_eq!(until.is_some(), fixture.is_sqlite());
    one.renew(&fence).await.unwrap();
    one.unlock(fence).await.unwrap();
}

async fn a_lock_is_waited_for(fixture: Fixture) {
    let (mut one, fence) = fixture.locked().await;
    commit_something(&fixture, &mut one, &fence).await;
    let mut two = fixture.session().await;
    let (claim, stop) = (other(Duration::from_secs(60)), soon());
    let wait = two.lock(&claim, Duration::from_secs(20), &stop);
    let release = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        one.unlock(fence).await
    };
    let (locked, released) = tokio::join!(wait, release);
    released.unwrap();
    locked.unwrap();
}

async fn waiting_can_be_cancelled(fixture: Fixture) {
    let (_one, _) = fixture.locked().await;
    let mut two = fixture.session().await;
    let stop = soon();
    stop.cancel.cancel();
    let started = Instant::now();
    let error = two.lock(&other(Duration::from_secs(60)), Duration::from_secs(30), &stop).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
    let stop = Stop::after(Duration::from_millis(200));
    let error = two.lock(&other(Duration::from_secs(60)), Duration::from_secs(30), &stop).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
    assert!(started.elapsed() < Duration::from_secs(5));
}

async fn a_lock_ends_with_its_holder(mut fixture: Fixture) {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    fixture.settings.clock = clock.clone();
    let (mut one, fence) = fixture.locked().await;
    commit_something(&fixture, &mut one, &fence).await;
    drop(one);
    let mut two = fixture.session().await;
    if fixture.is_sqlite() {
        let error = two.lock(&other(Duration::from_secs(60)), Duration::ZERO, &soon()).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Locked { .. }), "{error:?}");
        clock.advance(Duration::from_secs(61));
    }
    two.lock(&other(Duration::from_secs(60)), Duration::from_secs(5), &soon()).await.unwrap();
}

async fn an_older_lease_of_the_same_head_office_is_refused(fixture: Fixture) {
    let mut one = fixture.session().await;
    let fence = one.lock(&claim(7), Duration::ZERO, &soon()).await.unwrap();
    commit_something(&fixture, &mut one, &fence).await;
    drop(one);
    let mut two = fixture.session().await;
    let wait = Duration::from_secs(5);
    let error = two.lock(&claim(6), wait, &soon()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::StaleToken { stored: 7 });
    // The next lease of the same head office need not wait for the dead one's expiry; nor does the very same one.
    let fence = two.lock(&claim(7), wait, &soon()).await.unwrap();
    two.unlock(fence).await.unwrap();
    let fence = two.lock(&claim(8), wait, &soon()).await.unwrap();
    let next = planned("2_next", [sql("SELECT 1")]);
    two.run_atomic(&fence, &[work(&next)], true, &soon(), &mut Notes::default()).await.unwrap();
    // Another head office has tokens of its own.
    two.lock(&other(Duration::from_secs(60)), wait, &soon()).await.unwrap();
}

async fn every_lock_has_a_higher_epoch(fixture: Fixture) {
    let mut session = fixture.session().await;
    let mut last = 0;
    for token in 1..4 {
        let fence = session.lock(&claim(token), Duration::ZERO, &soon()).await.unwrap();
        assert!(fence.epoch() > last);
        last = fence.epoch();
        let one = planned(&format!("{token}_m"), [sql("SELECT 1")]);
        session.run_atomic(&fence, &[work(&one)], false, &soon(), &mut Notes::default()).await.unwrap();
        session.unlock(fence).await.unwrap();
    }
}

/// On a server only a living session holds the lock, whatever the row says. In a SQLite file the row is the lock, and has
/// tests of its own.
async fn a_lock_row_restored_from_a_backup_does_not_block(fixture: Fixture) {
    if fixture.is_sqlite() {
        return;
    }
    let (mut session, fence) = fixture.locked().await;
    commit_something(&fixture, &mut session, &fence).await;
    session.unlock(fence).await.unwrap();
    session.close().await;
    let stale = "owner = 'dead@elsewhere', head_office = 'another', token = 9000, fence = fence + 1000";
    fixture.value(&format!("UPDATE \"__MigrationsHistoryLock\" SET {stale}, expires_at = '2999-01-01'")).await;
    let mut next = fixture.session().await;
    let fence = next.lock(&claim(1), Duration::ZERO, &soon()).await.unwrap();
    assert!(fence.epoch() > 1000);
    next.unlock(fence).await.unwrap();
}

async fn work_under_a_lost_lock_does_not_commit(fixture: Fixture) {
    let (mut one, fence) = fixture.locked().await;
    commit_something(&fixture, &mut one, &fence).await;
    // As a second session leaves it that has taken over after the expiry.
    fixture.value("UPDATE \"__MigrationsHistoryLock\" SET fence = fence + 1, owner = 'thief'").await;
    let second = planned("2_second", [fixture.change("second").await]);
    let error = one.run_atomic(&fence, &[work(&second)], false, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!(error.error.kind, ErrorKind::FenceLost, "{error:?}");
    assert_eq!((error.outcome, error.done, error.statement), (Outcome::RolledBack, 0, None));
    assert!(!fixture.has_change("second").await);
    assert!(fixture.ledger().await.get("2_second").is_none());
    assert_eq!(one.renew(&fence).await.unwrap_err().kind, ErrorKind::FenceLost);
}

async fn without_a_lock_there_is_no_work(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("t").await]);
    session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap();
    let two = planned("2_two", [fixture.change("u").await]);
    let error = session.run_atomic(&fence, &[work(&two)], true, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!(error.error.kind, ErrorKind::FenceLost, "the last unit gave the lock back");
    session.unlock(fence).await.unwrap();
}

async fn unlocking_lets_the_next_one_in(fixture: Fixture) {
    let (mut one, fence) = fixture.locked().await;
    one.unlock(fence).await.unwrap();
    let mut two = fixture.session().await;
    let fence = two.lock(&other(Duration::from_secs(60)), Duration::ZERO, &soon()).await.unwrap();
    commit_something(&fixture, &mut two, &fence).await;
    two.unlock(fence).await.unwrap();
    let fence = one.lock(&claim(2), Duration::ZERO, &soon()).await.unwrap();
    one.unlock(fence).await.unwrap();
}

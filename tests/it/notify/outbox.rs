//! The outbox in head office, over both backends, with a clock that the test moves.

use std::sync::Arc;
use std::time::Duration;

use branchkeeper::domain::{
    Branch, BranchState, FailureClass, MigrationError, MigrationStatus, OutcomeStatus, Route, Routes, RunKind,
};
use branchkeeper::store::{
    Claimed, Finished, HeadOffice, Message, MessageFilter, MessageState, Next, Page, Settlement,
};

use crate::store::fixture::{Fixture, batch, outcome, over_both_backends};

over_both_backends!(
    the_same_trouble_is_told_once_within_the_window,
    one_replica_claims_a_message_until_its_lease_runs_out,
    a_flood_is_counted_and_the_count_is_told_later,
    what_waits_is_bounded_and_old_messages_are_given_up,
    the_folder_is_told_once_whichever_replica_sees_it,
);

const LEASE: Duration = Duration::from_secs(30);
const WINDOW: Duration = Duration::from_secs(3_600);

fn routes(max_pending: u32) -> Arc<Routes> {
    let routes = vec![Route { target: "hq".into(), ..Route::default() }];
    Arc::new(Routes { routes, environment: "production".into(), window: WINDOW, max_pending })
}

/// Records that a branch had its turn, and failed for this reason or went well.
async fn turn(fixture: &Fixture, branch: &Branch, why: Option<&str>) {
    let (before, token) = fixture.acquire(branch).await;
    let run = fixture.run(RunKind::Apply, std::slice::from_ref(branch)).await;
    let error = why.map(|why| MigrationError::new(&branch.code, FailureClass::Sql, why));
    let status = if why.is_some() { MigrationStatus::Failed } else { MigrationStatus::Completed };
    let next = BranchState { status, error: error.clone(), ..before };
    let status = if why.is_some() { OutcomeStatus::Failed } else { OutcomeStatus::Succeeded };
    let mut outcome = outcome(branch, status);
    outcome.error = error;
    let finished = vec![Finished { outcome, next: Next::Leased { token, state: next.into() } }];
    fixture.office.record(batch(run.id, Vec::new(), finished)).await.unwrap();
}

async fn messages(office: &HeadOffice) -> Vec<Message> {
    let page = Page { size: 1_000, token: String::new() };
    office.messages(&MessageFilter::default(), &page).await.unwrap().items
}

async fn kinds(office: &HeadOffice) -> Vec<&'static str> {
    let mut kinds: Vec<_> = messages(office).await.iter().map(|message| message.notification.kind.as_str()).collect();
    kinds.reverse();
    kinds
}

async fn claim(office: &HeadOffice, quota: u32) -> Option<Claimed> {
    office.claim_message("hq", quota, LEASE).await.unwrap()
}

async fn the_same_trouble_is_told_once_within_the_window(fixture: Fixture) {
    let branch = fixture.add("BR001").await;
    turn(&fixture, &branch, Some("before anybody listened")).await;
    fixture.office.tell(routes(100));
    let step = |fixture: &Fixture| fixture.clock.advance(Duration::from_secs(1));
    for why in ["gave up after 3s", "gave up after 4s", "no such table", "gave up after 5s"] {
        turn(&fixture, &branch, Some(why)).await;
        step(&fixture);
    }
    assert_eq!(kinds(&fixture.office).await, ["branch_failed"; 2]);
    let told = messages(&fixture.office).await.remove(1);
    assert_eq!(told.notification.branch.unwrap().error.unwrap().message, "gave up after 3s");
    fixture.clock.advance(WINDOW);
    turn(&fixture, &branch, Some("gave up after 6s")).await;
    assert_eq!(kinds(&fixture.office).await, ["branch_failed"; 3]);
    step(&fixture);
    turn(&fixture, &branch, None).await;
    step(&fixture);
    turn(&fixture, &branch, None).await;
    assert_eq!(kinds(&fixture.office).await[3..], ["recovered"]);
    // What was over and comes back is news.
    step(&fixture);
    turn(&fixture, &branch, Some("gave up after 7s")).await;
    assert_eq!(kinds(&fixture.office).await[4..], ["branch_failed"]);
}

async fn one_replica_claims_a_message_until_its_lease_runs_out(fixture: Fixture) {
    let replica = fixture.replica().await;
    let branch = fixture.add("BR001").await;
    fixture.office.tell(routes(100));
    turn(&fixture, &branch, Some("no")).await;
    assert_eq!(fixture.office.due_targets().await.unwrap(), ["hq"]);
    let (one, two) = tokio::join!(claim(&fixture.office, 30), claim(&replica, 30));
    let first = one.or(two.clone()).unwrap();
    assert!(claim(&fixture.office, 30).await.is_none() && claim(&replica, 30).await.is_none());
    assert!(fixture.office.due_targets().await.unwrap().is_empty());
    fixture.clock.advance(LEASE);
    let second = claim(&replica, 30).await.unwrap();
    assert_eq!((second.message.id.as_str(), second.message.attempts), (first.message.id.as_str(), 2));
    // The first one wakes up too late, and changes nothing.
    assert!(!fixture.office.settle_message(&first, &Settlement::GivenUp("late".into())).await.unwrap());
    let again = fixture.now() + Duration::from_secs(5);
    assert!(replica.settle_message(&second, &Settlement::Again(again, "answered 500".into())).await.unwrap());
    assert!(claim(&replica, 30).await.is_none());
    fixture.clock.advance(Duration::from_secs(5));
    let third = claim(&replica, 30).await.unwrap();
    assert_eq!((third.message.attempts, third.message.error.as_str()), (3, "answered 500"));
    assert!(replica.settle_message(&third, &Settlement::Delivered).await.unwrap());
    assert_eq!(messages(&fixture.office).await[0].state, MessageState::Delivered);
    fixture.clock.advance(WINDOW);
    assert!(claim(&replica, 30).await.is_none());
    assert_eq!(fixture.office.prune_messages(fixture.now(), 10).await.unwrap(), 1);
    replica.close().await;
}

async fn a_flood_is_counted_and_the_count_is_told_later(fixture: Fixture) {
    fixture.office.tell(routes(1_000));
    for branch in &fixture.add_many(12).await {
        turn(&fixture, branch, Some("no")).await;
    }
    for _ in 0..5 {
        let claimed = claim(&fixture.office, 5).await.unwrap();
        assert!(fixture.office.settle_message(&claimed, &Settlement::Delivered).await.unwrap());
    }
    assert!(claim(&fixture.office, 5).await.is_none());
    assert!(fixture.office.due_targets().await.unwrap().is_empty());
    let held = messages(&fixture.office).await;
    assert_eq!(held.iter().filter(|message| message.state == MessageState::HeldBack).count(), 7);
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(fixture.office.due_targets().await.unwrap(), ["hq"]);
    let told = claim(&fixture.office, 5).await.unwrap();
    let summary = &told.message.notification.summary;
    assert_eq!(summary, "7 further notifications were held back: 7 branch_failed");
    assert!(fixture.office.settle_message(&told, &Settlement::Delivered).await.unwrap());
    assert!(claim(&fixture.office, 5).await.is_none());
    fixture.clock.advance(Duration::from_secs(60));
    assert!(fixture.office.due_targets().await.unwrap().is_empty(), "it is told once");
}

async fn what_waits_is_bounded_and_old_messages_are_given_up(fixture: Fixture) {
    fixture.office.tell(routes(4));
    for branch in &fixture.add_many(9).await {
        turn(&fixture, branch, Some("no")).await;
    }
    assert_eq!(messages(&fixture.office).await.len(), 4);
    let told = claim(&fixture.office, 30).await.unwrap();
    assert_eq!(fixture.office.give_up_messages(fixture.now()).await.unwrap(), 0);
    fixture.clock.advance(LEASE);
    // Also one that somebody died with.
    assert_eq!(fixture.office.give_up_messages(fixture.now()).await.unwrap(), 5);
    assert!(!fixture.office.settle_message(&told, &Settlement::Delivered).await.unwrap());
    let all = messages(&fixture.office).await;
    assert!(all.iter().all(|message| message.state == MessageState::Failed), "{all:?}");
    let counts = all.iter().filter(|message| message.notification.kind.as_str() == "held_back").count();
    assert_eq!(counts, 1, "the others were counted");
}

async fn the_folder_is_told_once_whichever_replica_sees_it(fixture: Fixture) {
    let replica = fixture.replica().await;
    for office in [&fixture.office, &replica] {
        office.tell(routes(100));
    }
    let problems = ["1.sql: no".to_owned()];
    for office in [&fixture.office, &replica, &fixture.office] {
        office.tell_of_catalogue(&problems).await.unwrap();
    }
    assert_eq!(kinds(&fixture.office).await, ["catalogue_broken"]);
    fixture.clock.advance(Duration::from_secs(1));
    let (one, two) = tokio::join!(fixture.office.tell_of_catalogue(&[]), replica.tell_of_catalogue(&[]));
    one.and(two).unwrap();
    assert_eq!(kinds(&fixture.office).await, ["catalogue_broken", "catalogue_mended"]);
    replica.close().await;
}

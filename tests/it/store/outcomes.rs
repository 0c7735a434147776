use branchkeeper::domain::{Branch, BranchState, MigrationStatus, OutcomeStatus, RunKind};
use branchkeeper::store::{Finished, KnownState, Next, StoreError};

use super::fixture::{Fixture, TTL, batch, finished, outcome, over_both_backends};

over_both_backends!(
    what_was_only_seen_is_recorded_without_a_lease,
    what_was_seen_before_a_lease_is_not_recorded,
    what_was_seen_before_a_change_is_not_recorded,
    what_was_seen_before_a_state_was_made_void_is_not_recorded,
    many_outcomes_are_written_at_once,
    a_removed_branch_has_no_turn,
    an_unreadable_branch_is_no_fault_of_the_others,
);

async fn known(f: &Fixture, branch: &Branch) -> KnownState {
    f.office.branch_and_state(branch.id).await.unwrap().unwrap().1
}

/// A branch that was found to be up to date.
fn seen(branch: &Branch, known: KnownState) -> Finished {
    let state = BranchState { status: MigrationStatus::Completed, pending_count: Some(0), ..known.state };
    let next = Next::Seen { token: known.token, update_time: branch.update_time, state: state.into() };
    Finished { outcome: outcome(branch, OutcomeStatus::Succeeded), next }
}

async fn what_was_only_seen_is_recorded_without_a_lease(f: Fixture) {
    let branch = f.add("BR001").await;
    let run = f.run(RunKind::ApplyAll, std::slice::from_ref(&branch)).await;
    let before = known(&f, &branch).await;
    assert!(before.is_free && before.token == 0);
    f.office.record(batch(run.id, Vec::new(), vec![seen(&branch, before)])).await.unwrap();
    let after = known(&f, &branch).await;
    assert_eq!((after.state.status, after.token, after.is_free), (MigrationStatus::Completed, 0, true));
    assert_eq!(f.office.counts(run.id).await.unwrap().succeeded, 1);
}

async fn what_was_seen_before_a_lease_is_not_recorded(f: Fixture) {
    let branch = f.add("BR001").await;
    let run = f.run(RunKind::ApplyAll, std::slice::from_ref(&branch)).await;
    let before = known(&f, &branch).await;
    let (_, token) = f.acquire(&branch).await;
    let recorded = f.office.record(batch(run.id, Vec::new(), vec![seen(&branch, before.clone())])).await.unwrap();
    assert_eq!(recorded.lost, [], "nothing of ours was lost");
    assert_eq!(f.state(&branch).await.status, MigrationStatus::InProgress);
    assert!(!known(&f, &branch).await.is_free);

    // Nor afterwards: what the lease's holder has found out is newer.
    f.office.release(branch.id, token, &before.state).await.unwrap();
    f.office.record(batch(run.id, Vec::new(), vec![seen(&branch, before.clone())])).await.unwrap();
    assert_eq!(f.state(&branch).await.status, MigrationStatus::Pending);

    // Nor while a lease that ran out waits for whoever takes it over.
    f.acquire(&branch).await;
    f.clock.advance(TTL);
    let expired = known(&f, &branch).await;
    assert!(expired.state.lease.is_none() && !expired.is_free);
    f.office.record(batch(run.id, Vec::new(), vec![seen(&branch, expired)])).await.unwrap();
    assert_eq!(f.state(&branch).await.status, MigrationStatus::Pending);
}

async fn what_was_seen_before_a_state_was_made_void_is_not_recorded(f: Fixture) {
    let branch = f.add("BR001").await;
    let run = f.run(RunKind::ApplyAll, std::slice::from_ref(&branch)).await;
    let before = known(&f, &branch).await;
    f.office.retry(branch.id).await.unwrap().unwrap();
    f.office.record(batch(run.id, Vec::new(), vec![seen(&branch, before)])).await.unwrap();
    assert_eq!(f.state(&branch).await.status, MigrationStatus::Pending, "somebody wants it looked at anew");

    // The branch's row alone does not tell: a statement that waits for the state's row may still see it as it was.
    let before = known(&f, &branch).await;
    f.office.update_branch(&branch, "elsewhere").await.unwrap();
    f.office.record(batch(run.id, Vec::new(), vec![seen(&branch, before)])).await.unwrap();
    assert_eq!(f.state(&branch).await.status, MigrationStatus::Pending, "it was another database");
}

async fn what_was_seen_before_a_change_is_not_recorded(f: Fixture) {
    let branch = f.add("BR001").await;
    let run = f.run(RunKind::ApplyAll, std::slice::from_ref(&branch)).await;
    let before = known(&f, &branch).await;
    f.clock.advance(TTL);
    let changed = Branch { name: "moved".into(), update_time: f.now(), ..branch.clone() };
    f.office.update_branch(&changed, "elsewhere").await.unwrap();
    f.office.record(batch(run.id, Vec::new(), vec![seen(&branch, before)])).await.unwrap();
    assert_eq!(f.state(&branch).await.status, MigrationStatus::Pending);
    assert_eq!(f.office.counts(run.id).await.unwrap().succeeded, 1, "the run did find it up to date");
}

async fn many_outcomes_are_written_at_once(f: Fixture) {
    let branches = f.add_many(150).await;
    let run = f.run(RunKind::ApplyAll, &branches).await;
    let mut done = Vec::new();
    for (number, branch) in branches.iter().enumerate() {
        done.push(match number % 3 {
            0 => seen(branch, known(&f, branch).await),
            1 => {
                let (before, token) = f.acquire(branch).await;
                let state = BranchState { status: MigrationStatus::Failed, retry_count: 1, ..before };
                Finished {
                    outcome: outcome(branch, OutcomeStatus::Failed),
                    next: Next::Leased { token, state: state.into() },
                }
            }
            _ => finished(outcome(branch, OutcomeStatus::Skipped)),
        });
    }
    assert_eq!(f.office.record(batch(run.id, Vec::new(), done)).await.unwrap().lost, []);
    let counts = f.office.counts(run.id).await.unwrap();
    assert_eq!((counts.succeeded, counts.failed, counts.skipped, counts.unfinished), (50, 50, 50, 0));
    for (number, branch) in branches.iter().enumerate() {
        let state = f.state(branch).await;
        let expected = match number % 3 {
            0 => (MigrationStatus::Completed, 0, Some(0)),
            1 => (MigrationStatus::Failed, 1, None),
            _ => (MigrationStatus::Pending, 0, None),
        };
        assert_eq!((state.status, state.retry_count, state.pending_count), expected);
        assert_eq!((state.branch_id, state.lease), (branch.id, None));
    }
}

async fn a_removed_branch_has_no_turn(f: Fixture) {
    let branches = f.add_many(3).await;
    let run = f.run(RunKind::ApplyAll, &branches).await;
    f.office.delete_branch(branches[0].id).await.unwrap();
    let left = f.unfinished(run.id, 0, 1).await;
    assert_eq!(left.len(), 1, "a page is not empty because branches are gone");
    assert_eq!(left[0].1.id, branches[1].id);
}

async fn an_unreadable_branch_is_no_fault_of_the_others(f: Fixture) {
    let branches = f.add_many(2).await;
    let run = f.run(RunKind::ApplyAll, &branches).await;
    f.tamper(&format!("UPDATE branch_states SET status = 'Paused' WHERE branch_id = '{}'", branches[0].id)).await;
    let left = f.office.unfinished(run.id, 0, 10).await.unwrap();
    assert!(matches!(left[0], (1, Err(StoreError::Corrupt { .. }))), "{left:?}");
    assert_eq!(left[1].1.as_ref().unwrap().0.id, branches[1].id);
}

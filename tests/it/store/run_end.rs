use std::sync::Arc;
use std::time::Duration;

use branchkeeper::domain::{
    Branch, BranchOutcome, EventBody, FailureClass, MigrationError, MigrationId, MigrationResult, OutcomeStatus,
    RunKind, RunState,
};
use branchkeeper::store::{Batch, Ending, StoreError};

use super::fixture::{Fixture, ME, batch, event, finished, outcome, over_both_backends};

over_both_backends!(
    a_result_is_drawn_up_from_the_outcomes,
    one_branch_lists_bare_migrations,
    an_ended_run_takes_nothing_more,
    the_last_outcome_ends_a_run_in_the_same_step,
    endings_decide_the_state,
    lists_in_a_result_are_bounded,
);

fn id(text: &str) -> MigrationId {
    text.parse().unwrap()
}

async fn a_result_is_drawn_up_from_the_outcomes(f: Fixture) {
    let branches = f.add_many(5).await;
    let run = f.run(RunKind::ApplyAll, &branches).await;
    f.begin(run.id).await;
    let error = MigrationError::new(&branches[1].code, FailureClass::Sql, "syntax error");
    let locked = MigrationError::new(&branches[2].code, FailureClass::Locked, "held by replica-2");
    let outcomes = vec![
        BranchOutcome { error: Some(locked.clone()), ..outcome(&branches[2], OutcomeStatus::Refused) },
        BranchOutcome {
            applied: vec![id("1_Init")],
            error: Some(error.clone()),
            ..outcome(&branches[1], OutcomeStatus::Failed)
        },
        BranchOutcome { applied: vec![id("1_Init"), id("2_Next")], ..outcome(&branches[0], OutcomeStatus::Succeeded) },
    ];
    let finished = outcomes.into_iter().map(finished).collect();
    f.office.record(batch(run.id, vec![event(&branches[0].code, 1)], finished)).await.unwrap();
    f.clock.advance(Duration::from_millis(2500));
    let ended = f.office.end_run(run.id, ME, Ending::Done).await.unwrap();
    assert_eq!((ended.state, ended.end_time, ended.last_sequence), (RunState::Failed, Some(f.now()), 2));
    let expected = MigrationResult {
        success: false,
        applied_migrations: ["[BR00001] 1_Init", "[BR00001] 2_Next", "[BR00002] 1_Init"].map(String::from).to_vec(),
        errors: vec![error, locked],
        duration: Duration::from_millis(2500),
        branches_processed: 3,
        branches_succeeded: 1,
        branches_failed: 2,
        branches_skipped: 2,
        ..MigrationResult::default()
    };
    assert_eq!(ended.result.as_ref(), Some(&expected));
    assert_eq!(f.office.run(run.id).await.unwrap(), Some(ended));
    let events = f.office.events(run.id, 1, false, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].body, EventBody::RunFinished { result: expected });
    assert_eq!(f.unfinished(run.id, 0, 10).await, []);
    assert_eq!(f.office.counts(run.id).await.unwrap().skipped, 2);
}

async fn one_branch_lists_bare_migrations(f: Fixture) {
    let branch = f.add("BR001").await;
    let run = f.run(RunKind::Apply, std::slice::from_ref(&branch)).await;
    let done = BranchOutcome { applied: vec![id("1_Init")], ..outcome(&branch, OutcomeStatus::Succeeded) };
    f.office.record(batch(run.id, Vec::new(), vec![finished(done)])).await.unwrap();
    let ended = f.office.end_run(run.id, ME, Ending::Done).await.unwrap();
    let result = ended.result.unwrap();
    assert_eq!((ended.state, result.success), (RunState::Succeeded, true));
    assert_eq!(result.applied_migrations, ["1_Init"]);
}

async fn an_ended_run_takes_nothing_more(f: Fixture) {
    let branch = f.add("BR001").await;
    let run = f.run(RunKind::Apply, std::slice::from_ref(&branch)).await;
    f.office.end_run(run.id, ME, Ending::Done).await.unwrap();
    let late = f.office.record(batch(run.id, vec![event(&branch.code, 1)], Vec::new())).await;
    assert!(matches!(late, Err(StoreError::RunLost(_))), "{late:?}");
    assert!(matches!(f.office.end_run(run.id, ME, Ending::Done).await, Err(StoreError::RunLost(_))));
    assert_eq!(f.office.events(run.id, 0, true, 10).await.unwrap().len(), 1);
}

async fn the_last_outcome_ends_a_run_in_the_same_step(f: Fixture) {
    let branches = f.add_many(2).await;
    let run = f.run(RunKind::ApplyAll, &branches).await;
    let of = |branch: &Branch| {
        let events = vec![event(&branch.code, 1)];
        Batch { ends: true, ..batch(run.id, events, vec![finished(outcome(branch, OutcomeStatus::Succeeded))]) }
    };
    let recorded = f.office.record_after(of(&branches[0]).into(), 0).await.unwrap();
    assert_eq!(recorded.ended, None, "one branch's turn has not come");
    let last = Arc::new(of(&branches[1]));
    let recorded = f.office.record_after(Arc::clone(&last), 1).await.unwrap();
    let ended = recorded.ended.clone().expect("it is over");
    assert_eq!((ended.state, ended.end_time, ended.last_sequence), (RunState::Succeeded, Some(f.now()), 3));
    assert_eq!(f.office.run(run.id).await.unwrap().as_ref(), Some(&*ended));
    let events = f.office.events(run.id, 1, false, 10).await.unwrap();
    assert_eq!(events[..1], recorded.events[..]);
    assert!(matches!(&events[1].body, EventBody::RunFinished { result } if result.branches_succeeded == 2));

    // Its answer may have been lost: the same again changes nothing.
    assert_eq!(f.office.record_after(last, 1).await.unwrap(), recorded);
    let other = f.office.record_after(Arc::new(batch(run.id, Vec::new(), Vec::new())), 3).await;
    assert!(matches!(other, Err(StoreError::RunLost(_))), "{other:?}");
    assert_eq!(f.office.run(run.id).await.unwrap(), Some(*ended));
}

async fn endings_decide_the_state(f: Fixture) {
    let branches = f.add_many(2).await;
    let end = async |succeeded: usize, ending: Ending| {
        let run = f.run(RunKind::ApplyAll, &branches).await;
        let done = branches[..succeeded].iter().map(|branch| finished(outcome(branch, OutcomeStatus::Succeeded)));
        f.office.record(batch(run.id, Vec::new(), done.collect())).await.unwrap();
        f.office.end_run(run.id, ME, ending).await.unwrap().state
    };
    assert_eq!(end(2, Ending::Done).await, RunState::Succeeded);
    assert_eq!(end(1, Ending::Done).await, RunState::Failed);
    assert_eq!(end(1, Ending::Cancelled).await, RunState::Cancelled);
    assert_eq!(end(2, Ending::Cancelled).await, RunState::Succeeded, "the wish came too late");
}

async fn lists_in_a_result_are_bounded(f: Fixture) {
    let branches = f.add_many(MigrationResult::MAX_ERRORS + 20).await;
    let run = f.run(RunKind::ApplyAll, &branches).await;
    let applied: Vec<MigrationId> = (1..=25).map(|number| id(&format!("{number}_Step"))).collect();
    let fail = |branch| {
        let error = Some(MigrationError::new(&branches[0].code, FailureClass::Sql, "no"));
        finished(BranchOutcome { applied: applied.clone(), error, ..outcome(branch, OutcomeStatus::Failed) })
    };
    f.office.record(batch(run.id, Vec::new(), branches.iter().map(fail).collect())).await.unwrap();
    let result = f.office.end_run(run.id, ME, Ending::Done).await.unwrap().result.unwrap();
    assert_eq!(result.applied_migrations.len(), MigrationResult::MAX_APPLIED);
    assert_eq!(result.errors.len(), MigrationResult::MAX_ERRORS);
    assert_eq!(result.branches_failed as usize, branches.len());
}

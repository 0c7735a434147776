use branchkeeper::domain::{BranchState, FailureClass, MigrationError, MigrationStatus, OutcomeStatus, RunId, RunKind};
use branchkeeper::store::{Batch, Finished, Next, StoreError};

use super::fixture::{Fixture, TTL, batch, event, outcome, over_both_backends};

over_both_backends!(
    an_outcome_and_its_state_are_one,
    a_lost_lease_keeps_the_outcome,
    a_refused_command_spares_the_others,
    a_failing_command_fails_alone,
    a_command_runs_though_nobody_waits,
    many_leases_at_once,
);

async fn an_outcome_and_its_state_are_one(f: Fixture) {
    let branch = f.add("BR001").await;
    let run = f.run(RunKind::Apply, std::slice::from_ref(&branch)).await;
    let (before, token) = f.acquire(&branch).await;
    let next = BranchState { status: MigrationStatus::Completed, pending_count: Some(0), ..before };
    let done = Finished {
        outcome: outcome(&branch, OutcomeStatus::Succeeded),
        next: Next::Leased { token, state: next.clone().into() },
    };
    let recorded = f.office.record(batch(run.id, vec![event(&branch.code, 1)], vec![done])).await.unwrap();
    assert_eq!((recorded.events.len(), recorded.lost.len()), (1, 0));
    assert_eq!(f.state(&branch).await, next);
    assert_eq!(f.office.counts(run.id).await.unwrap().finished(), 1);
}

async fn a_lost_lease_keeps_the_outcome(f: Fixture) {
    let branch = f.add("BR001").await;
    let run = f.run(RunKind::Apply, std::slice::from_ref(&branch)).await;
    let (before, token) = f.acquire(&branch).await;
    f.clock.advance(TTL);
    f.office.acquire(branch.id, "replica-2", TTL, 0).await.unwrap();
    let mut failed = outcome(&branch, OutcomeStatus::Failed);
    failed.error = Some(MigrationError::new(&branch.code, FailureClass::Internal, "the lease was lost"));
    let done = Finished { outcome: failed, next: Next::Leased { token, state: before.into() } };
    let recorded = f.office.record(batch(run.id, Vec::new(), vec![done])).await.unwrap();
    assert_eq!(recorded.lost, [branch.id]);
    assert_eq!(f.office.counts(run.id).await.unwrap().finished(), 1);
    assert_eq!(f.state(&branch).await.lease.unwrap().owner, "replica-2");
}

async fn a_refused_command_spares_the_others(f: Fixture) {
    let branches = f.add_many(20).await;
    let run = f.run(RunKind::ApplyAll, &branches).await;
    let calls: Vec<_> = branches
        .iter()
        .enumerate()
        .map(|(number, branch)| {
            let (office, event) = (f.office.clone(), event(&branch.code, 1));
            let run_id = if number % 3 == 0 { RunId::generate() } else { run.id };
            tokio::spawn(async move { (number, office.record(batch(run_id, vec![event], Vec::new())).await) })
        })
        .collect();
    for call in calls {
        let (number, result) = call.await.unwrap();
        assert_eq!(matches!(result, Err(StoreError::RunLost(_))), number % 3 == 0, "{number}: {result:?}");
        assert_eq!(result.is_ok(), number % 3 != 0);
    }
    assert_eq!(f.office.events(run.id, 0, true, 100).await.unwrap().len(), 13);
}

async fn a_failing_command_fails_alone(f: Fixture) {
    let branches = f.add_many(30).await;
    // A trigger of the test's own breaks one branch.
    let broken = branches[7].id;
    if f.is_postgres() {
        f.tamper(&format!(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$; \
             CREATE TRIGGER no BEFORE UPDATE ON branch_states FOR EACH ROW WHEN (NEW.branch_id = '{broken}') \
             EXECUTE FUNCTION no()"
        ))
        .await;
    } else {
        f.tamper(&format!(
            "CREATE TRIGGER no BEFORE UPDATE ON branch_states WHEN NEW.branch_id = '{broken}' \
             BEGIN SELECT RAISE(ABORT, 'no'); END"
        ))
        .await;
    }
    let calls: Vec<_> = branches
        .iter()
        .map(|branch| {
            let (office, id) = (f.office.clone(), branch.id);
            tokio::spawn(async move { (id, office.acquire(id, "replica-1", TTL, 0).await) })
        })
        .collect();
    for call in calls {
        let (id, result) = call.await.unwrap();
        assert_eq!(result.is_err(), id == broken, "{result:?}");
    }
    for branch in &branches {
        assert_eq!(f.state(branch).await.lease.is_some(), branch.id != broken);
    }
}

async fn a_command_runs_though_nobody_waits(f: Fixture) {
    let branches = f.add_many(20).await;
    for branch in &branches {
        let call = f.office.acquire(branch.id, "replica-1", TTL, 0);
        // Polled once, which hands the command over; then nobody waits for the answer.
        let mut call = Box::pin(call);
        let _ = futures_util::poll!(&mut call);
    }
    f.office.close().await;
    let again = branchkeeper::store::HeadOffice::open(&f.backend.location(), f.clock.clone()).await.unwrap();
    for branch in &branches {
        assert!(again.state(branch.id).await.unwrap().unwrap().lease.is_some());
    }
}

async fn many_leases_at_once(f: Fixture) {
    let branches = f.add_many(300).await;
    let run = f.run(RunKind::ApplyAll, &branches).await;
    let replica = f.replica().await;
    let calls: Vec<_> = branches
        .iter()
        .enumerate()
        .map(|(number, branch)| {
            let office = if number % 2 == 0 { f.office.clone() } else { replica.clone() };
            let (run_id, branch) = (run.id, branch.clone());
            tokio::spawn(async move {
                let acquired = office.acquire(branch.id, "replica-1", TTL, 0).await.unwrap();
                let branchkeeper::store::Acquire::Granted { state_before, token, .. } = acquired else {
                    panic!("{acquired:?}")
                };
                assert!(office.renew(branch.id, token, TTL).await.unwrap());
                let next = BranchState { status: MigrationStatus::Completed, ..*state_before };
                let done = Finished {
                    outcome: outcome(&branch, OutcomeStatus::Succeeded),
                    next: Next::Leased { token, state: next.into() },
                };
                let batch: Batch = batch(run_id, vec![event(&branch.code, 1)], vec![done]);
                assert_eq!(office.record(batch).await.unwrap().lost, []);
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(f.office.counts(run.id).await.unwrap().finished(), 300);
    assert_eq!(f.office.totals(&Default::default()).await.unwrap()[&MigrationStatus::Completed], 300);
}

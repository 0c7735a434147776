use std::time::Duration;

use branchkeeper::domain::{BranchId, BranchState, MigrationStatus, RunKind};
use branchkeeper::store::Acquire;

use super::fixture::{Fixture, ME, TTL, over_both_backends};

over_both_backends!(
    a_lease_is_exclusive,
    only_one_of_many_gets_it,
    a_lease_runs_out,
    a_renewed_lease_lasts,
    tokens_only_grow,
    an_old_token_releases_nothing,
    a_restart_ends_the_leases_of_the_dead,
);

async fn a_lease_is_exclusive(f: Fixture) {
    let branch = f.add("BR001").await;
    match f.office.acquire(branch.id, ME, TTL, 0).await.unwrap() {
        Acquire::Granted { branch: granted, state_before, token } => {
            assert_eq!(*granted, branch);
            assert_eq!(*state_before, BranchState::new(branch.id));
            assert_eq!(token, 1);
        }
        other => panic!("{other:?}"),
    }
    match f.replica().await.acquire(branch.id, "replica-2", TTL, 0).await.unwrap() {
        Acquire::Held(lease) => {
            assert_eq!((lease.owner.as_str(), lease.token), (ME, 1));
            assert_eq!(lease.expires_time, f.now() + TTL);
        }
        other => panic!("{other:?}"),
    }
    let state = f.state(&branch).await;
    assert_eq!((state.status, state.lease.unwrap().owner.as_str()), (MigrationStatus::InProgress, ME));
    assert_eq!(f.office.acquire(BranchId::generate(), ME, TTL, 0).await.unwrap(), Acquire::Gone);
}

async fn only_one_of_many_gets_it(f: Fixture) {
    let branch = f.add("BR001").await;
    let replica = f.replica().await;
    let attempts: Vec<_> = (0..40)
        .map(|number| {
            let office = if number % 2 == 0 { f.office.clone() } else { replica.clone() };
            let owner = format!("worker-{number}");
            tokio::spawn(async move { office.acquire(branch.id, &owner, TTL, 0).await.unwrap() })
        })
        .collect();
    let mut granted = 0;
    for attempt in attempts {
        match attempt.await.unwrap() {
            Acquire::Granted { .. } => granted += 1,
            Acquire::Held(lease) => assert!(lease.owner.starts_with("worker-")),
            Acquire::Gone => panic!("it is there"),
        }
    }
    assert_eq!(granted, 1);
}

async fn a_lease_runs_out(f: Fixture) {
    let branch = f.add("BR001").await;
    let (before, old) = f.acquire(&branch).await;
    let failed = BranchState { status: MigrationStatus::Failed, retry_count: 1, ..before };
    f.office.release(branch.id, old, &failed).await.unwrap();
    let (_, old) = f.acquire(&branch).await;
    f.clock.advance(TTL - Duration::from_micros(1));
    assert!(matches!(f.office.acquire(branch.id, "replica-2", TTL, 0).await.unwrap(), Acquire::Held(_)));
    f.clock.advance(Duration::from_micros(1));
    assert_eq!(f.state(&branch).await, failed, "nobody works on it any more");
    match f.office.acquire(branch.id, "replica-2", TTL, 0).await.unwrap() {
        Acquire::Granted { state_before, token, .. } => {
            assert_eq!(*state_before, failed, "the status is the one from before the first lease");
            assert!(token > old);
        }
        other => panic!("{other:?}"),
    }
    assert!(!f.office.renew(branch.id, old, TTL).await.unwrap());
    assert!(!f.office.release(branch.id, old, &failed).await.unwrap());
}

async fn a_renewed_lease_lasts(f: Fixture) {
    let branch = f.add("BR001").await;
    let (_, token) = f.acquire(&branch).await;
    for _ in 0..10 {
        f.clock.advance(TTL / 3);
        assert!(f.office.renew(branch.id, token, TTL).await.unwrap());
    }
    assert_eq!(f.state(&branch).await.lease.unwrap().expires_time, f.now() + TTL);
    // Late, but nobody has taken it meanwhile.
    f.clock.advance(TTL * 2);
    assert!(f.office.renew(branch.id, token, TTL).await.unwrap());
    assert!(matches!(f.office.acquire(branch.id, "replica-2", TTL, 0).await.unwrap(), Acquire::Held(_)));
    assert!(!f.office.renew(branch.id, token + 1, TTL).await.unwrap());
    assert!(!f.office.renew(BranchId::generate(), token, TTL).await.unwrap());
}

async fn tokens_only_grow(f: Fixture) {
    let branch = f.add("BR001").await;
    let mut last = 0;
    for floor in [0, 0, 41, 5, 1_000_000, 0] {
        let token = match f.office.acquire(branch.id, ME, TTL, floor).await.unwrap() {
            Acquire::Granted { token, .. } => token,
            other => panic!("{other:?}"),
        };
        assert!(token > last && token > floor, "{token} after {last}, floor {floor}");
        assert!(f.office.release(branch.id, token, &BranchState::new(branch.id)).await.unwrap());
        last = token;
    }
    assert!(f.office.acquire(branch.id, ME, TTL, i64::MAX).await.is_err());
}

async fn an_old_token_releases_nothing(f: Fixture) {
    let branch = f.add("BR001").await;
    let (before, old) = f.acquire(&branch).await;
    f.clock.advance(TTL);
    let (_, token) = f.acquire(&branch).await;
    let wrong = BranchState { status: MigrationStatus::Completed, ..before.clone() };
    assert!(!f.office.release(branch.id, old, &wrong).await.unwrap());
    let state = f.state(&branch).await;
    assert_eq!((state.status, state.lease.unwrap().token), (MigrationStatus::InProgress, token));
    assert!(f.office.release(branch.id, token, &before).await.unwrap());
    assert!(!f.office.release(branch.id, token, &wrong).await.unwrap(), "a lease ends once");
    assert_eq!(f.state(&branch).await, before);
}

async fn a_restart_ends_the_leases_of_the_dead(f: Fixture) {
    let (ours, theirs) = (f.add("OURS").await, f.add("THEIRS").await);
    let (before, token) = f.acquire(&ours).await;
    f.office.acquire(theirs.id, "host-2/abc", TTL, 0).await.unwrap();
    let run = f.run(RunKind::ApplyAll, &[ours.clone(), theirs.clone()]).await;
    assert_eq!(f.office.claim_dead_runs("replica-9", TTL, 10).await.unwrap(), []);

    assert_eq!(f.office.release_all("replica-1").await.unwrap(), 1);
    assert_eq!(f.state(&ours).await, before);
    assert!(!f.office.renew(ours.id, token, TTL).await.unwrap());
    assert_eq!(f.state(&theirs).await.status, MigrationStatus::InProgress);
    let claimed = f.office.claim_dead_runs("replica-9", TTL, 10).await.unwrap();
    assert_eq!(claimed.iter().map(|run| run.id).collect::<Vec<_>>(), [run.id], "without waiting");

    assert_eq!(f.office.release_all("").await.unwrap(), 1);
    assert_eq!(f.state(&theirs).await.status, MigrationStatus::Pending);
    assert_eq!(f.office.release_all("").await.unwrap(), 0);
}

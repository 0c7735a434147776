use std::collections::BTreeMap;
use std::time::Duration;

use branchkeeper::domain::{
    BranchState, Checksum, Connection, FailureClass, MigrationError, MigrationStatus, Observed, OutcomeStatus,
    Provider, RetryPolicy, SqliteConnection,
};
use branchkeeper::store::{Page, StatusFilter, StoreError};

use super::fixture::{Fixture, TTL, codes, labels, outcome, over_both_backends, server_connection};

over_both_backends!(
    a_new_branch_is_pending_and_due,
    the_whole_state_comes_back,
    three_failures_need_a_person_and_retry_clears_them,
    due_branches_come_in_order,
    statuses_and_totals_are_filtered,
    a_look_records_what_it_saw,
    a_branch_that_is_held_back_waits,
    a_new_connection_makes_the_branch_due,
    nothing_changes_a_leased_branch,
    unreadable_rows_are_named,
);

fn digest(text: &str) -> Checksum {
    Checksum::of_text(text)
}

fn current() -> Vec<(Provider, Checksum)> {
    vec![(Provider::Sqlite, digest("sqlite")), (Provider::Postgres, digest("postgres"))]
}

fn completed(state: BranchState, digest: Checksum) -> BranchState {
    BranchState {
        status: MigrationStatus::Completed,
        last_migration: Some("2_Next".into()),
        pending_count: Some(0),
        verified_digest: Some(digest),
        ..state
    }
}

async fn a_new_branch_is_pending_and_due(f: Fixture) {
    let branch = f.add("BR001").await;
    assert_eq!(f.state(&branch).await, BranchState::new(branch.id));
    assert_eq!(f.office.due(&current(), 10).await.unwrap(), [branch.id]);
    assert_eq!(f.office.next_due().await.unwrap(), None);
    assert_eq!(f.office.due(&[], 10).await.unwrap(), [], "without a catalogue there is nothing to do");
}

async fn the_whole_state_comes_back(f: Fixture) {
    let branch = f.add("BR001").await;
    let (before, token) = f.acquire(&branch).await;
    let mut error = MigrationError::new(&branch.code, FailureClass::Sql, "syntax error near 'ż'").hint("correct it");
    error.migration_id = Some("3_Bad".parse().unwrap());
    (error.line, error.statements_done, error.statements_total) = (7, 1, 4);
    let next = BranchState {
        status: MigrationStatus::Failed,
        last_migration: Some("2_Next".into()),
        last_attempt_time: Some(f.now()),
        retry_count: 2,
        next_attempt_time: Some(f.now() + TTL),
        error: Some(error),
        pending_count: Some(3),
        verified_digest: Some(digest("x")),
        ..before
    };
    assert!(f.office.release(branch.id, token, &next).await.unwrap());
    assert_eq!(f.state(&branch).await, next);
    let listed = f.office.statuses(&StatusFilter::default(), &Page::default()).await.unwrap();
    assert_eq!(listed.items, [(branch, next)]);
}

async fn three_failures_need_a_person_and_retry_clears_them(f: Fixture) {
    let branch = f.add("BR001").await;
    let policy = RetryPolicy::default();
    for round in 1..=3 {
        assert_eq!(f.office.due(&current(), 10).await.unwrap(), [branch.id], "round {round}");
        let (before, token) = f.acquire(&branch).await;
        assert_eq!(f.state(&branch).await.status, MigrationStatus::InProgress);
        let mut failed = outcome(&branch, OutcomeStatus::Failed);
        failed.error = Some(MigrationError::new(&branch.code, FailureClass::Sql, "no"));
        let next = before.after(&failed, f.now(), &policy, 1.0);
        assert!(f.office.release(branch.id, token, &next).await.unwrap());
        assert_eq!(f.state(&branch).await.retry_count, round);
        assert_eq!(f.office.due(&current(), 10).await.unwrap(), [], "it waits first");
        assert_eq!(f.office.next_due().await.unwrap(), next.next_attempt_time);
        f.clock.advance(policy.wait(round, 1.0));
    }
    assert_eq!(f.state(&branch).await.status, MigrationStatus::RequiresManualIntervention);
    f.clock.advance(Duration::from_secs(1_000_000));
    assert_eq!(f.office.due(&current(), 10).await.unwrap(), []);

    let retried = f.office.retry(branch.id).await.unwrap().unwrap();
    assert_eq!((retried.status, retried.retry_count), (MigrationStatus::Pending, 0));
    assert_eq!((&retried.error, retried.next_attempt_time), (&None, None));
    assert_eq!(f.state(&branch).await, retried);
    assert_eq!(f.office.due(&current(), 10).await.unwrap(), [branch.id]);
    assert_eq!(f.office.retry(branchkeeper::domain::BranchId::generate()).await.unwrap(), None);
}

async fn due_branches_come_in_order(f: Fixture) {
    let now = f.now();
    let put = async |code: &str, change: &dyn Fn(BranchState) -> BranchState| {
        let branch = f.add(code).await;
        let (before, token) = f.acquire(&branch).await;
        assert!(f.office.release(branch.id, token, &change(before)).await.unwrap());
        branch
    };
    let at = |seconds: i64| {
        move |state: BranchState| BranchState {
            status: MigrationStatus::Failed,
            next_attempt_time: Some(now + chrono::TimeDelta::seconds(seconds)),
            ..state
        }
    };
    let late = put("LATE", &at(60)).await;
    let second = put("SECOND", &at(-10)).await;
    let first = put("FIRST", &at(-20)).await;
    let fresh = put("FRESH", &|state| state).await;
    put("DONE", &|state| completed(state, digest("sqlite"))).await;
    let outdated = put("OUTDATED", &|state| completed(state, digest("old"))).await;
    put("PERSON", &|state| BranchState { status: MigrationStatus::RequiresManualIntervention, ..state }).await;
    let held = f.add("HELD").await;
    f.acquire(&held).await;
    f.add_with("ASLEEP", |branch| branch.is_active = false).await;

    let due = f.office.due(&current(), 10).await.unwrap();
    assert_eq!(due, [fresh.id, outdated.id, first.id, second.id]);
    assert_eq!(f.office.due(&current(), 2).await.unwrap(), [fresh.id, outdated.id]);
    assert_eq!(f.office.next_due().await.unwrap(), Some(now + TTL));
    f.clock.advance(TTL);
    let due = f.office.due(&current(), 10).await.unwrap();
    assert_eq!(
        due,
        [fresh.id, outdated.id, held.id, first.id, second.id, late.id],
        "a lease that ran out holds nobody"
    );
    let other = vec![(Provider::Postgres, digest("postgres"))];
    assert_eq!(f.office.due(&other, 10).await.unwrap(), []);
}

async fn statuses_and_totals_are_filtered(f: Fixture) {
    let a = f.add_with("A", |branch| branch.labels = labels(&[("region", "north")])).await;
    let b = f.add_with("B", |branch| {
        branch.provider = Provider::Postgres;
        branch.connection = server_connection();
    });
    let b = b.await;
    let c = f.add_with("C", |branch| branch.labels = labels(&[("region", "north")])).await;
    let (before, token) = f.acquire(&a).await;
    f.office.release(a.id, token, &completed(before, digest("sqlite"))).await.unwrap();
    f.acquire(&a).await;
    f.acquire(&c).await;

    let list = async |filter: &StatusFilter| {
        let found = f.office.statuses(filter, &Page::default()).await.unwrap();
        let codes = codes(found.items.iter().map(|(branch, _)| branch)).join("");
        let total: u64 = f.office.totals(filter).await.unwrap().values().sum();
        assert_eq!(total as usize, codes.len());
        codes
    };
    let all = StatusFilter::default;
    let with = |statuses: &[MigrationStatus]| StatusFilter { statuses: statuses.to_vec(), ..all() };
    assert_eq!(list(&all()).await, "ABC");
    assert_eq!(list(&with(&[MigrationStatus::InProgress])).await, "AC");
    assert_eq!(list(&with(&[MigrationStatus::Pending, MigrationStatus::Failed])).await, "B");
    assert_eq!(list(&StatusFilter { providers: vec![b.provider], ..all() }).await, "B");
    assert_eq!(list(&StatusFilter { labels: labels(&[("region", "north")]), ..all() }).await, "AC");
    let totals = |pending, in_progress, completed| {
        BTreeMap::from([
            (MigrationStatus::Pending, pending),
            (MigrationStatus::InProgress, in_progress),
            (MigrationStatus::Completed, completed),
            (MigrationStatus::Failed, 0),
            (MigrationStatus::RequiresManualIntervention, 0),
        ])
    };
    assert_eq!(f.office.totals(&all()).await.unwrap(), totals(1, 2, 0));
    let only = f.office.totals(&with(&[MigrationStatus::InProgress])).await.unwrap();
    assert_eq!(only, BTreeMap::from([(MigrationStatus::InProgress, 2)]));

    // The leases run out: the branches are what they were before.
    f.clock.advance(TTL);
    assert_eq!(f.office.totals(&all()).await.unwrap(), totals(2, 0, 1));
    assert_eq!(list(&with(&[MigrationStatus::Completed])).await, "A");
    assert_eq!(list(&with(&[MigrationStatus::InProgress])).await, "");
    let state = f.state(&a).await;
    assert_eq!((state.status, state.lease), (MigrationStatus::Completed, None));
}

async fn a_look_records_what_it_saw(f: Fixture) {
    let branch = f.add("BR001").await;
    let saw = |pending: u32| Observed {
        last_migration: Some("2_Next".into()),
        pending,
        verified_digest: (pending == 0).then(|| digest("sqlite")),
    };
    let state = f.office.observe(branch.id, &saw(0)).await.unwrap().unwrap();
    assert_eq!((state.status, state.last_migration.as_deref()), (MigrationStatus::Completed, Some("2_Next")));
    assert_eq!(f.state(&branch).await, state);
    assert_eq!(f.office.due(&current(), 10).await.unwrap(), []);

    let state = f.office.observe(branch.id, &saw(2)).await.unwrap().unwrap();
    assert_eq!((state.status, state.pending_count), (MigrationStatus::Pending, Some(2)));
    assert_eq!(f.office.due(&current(), 10).await.unwrap(), [branch.id]);

    // While somebody works on it, what was seen may be outdated already.
    let (before, token) = f.acquire(&branch).await;
    let state = f.office.observe(branch.id, &saw(0)).await.unwrap().unwrap();
    assert_eq!((state.status, state.pending_count), (MigrationStatus::InProgress, Some(2)));
    assert_eq!(f.state(&branch).await.pending_count, Some(2));

    let person = BranchState { status: MigrationStatus::RequiresManualIntervention, retry_count: 3, ..before };
    f.office.release(branch.id, token, &person).await.unwrap();
    let state = f.office.observe(branch.id, &saw(0)).await.unwrap().unwrap();
    assert_eq!((state.status, state.pending_count), (MigrationStatus::RequiresManualIntervention, Some(0)));
    assert_eq!(f.office.observe(branchkeeper::domain::BranchId::generate(), &saw(0)).await.unwrap(), None);
}

async fn a_branch_that_is_held_back_waits(f: Fixture) {
    let branch = f.add("BR001").await;
    let until = f.now() + TTL;
    f.office.hold_back(branch.id, until).await.unwrap();
    assert_eq!(f.office.due(&current(), 10).await.unwrap(), []);
    assert_eq!(f.office.next_due().await.unwrap(), Some(until));
    f.clock.advance(TTL);
    assert_eq!(f.office.due(&current(), 10).await.unwrap(), [branch.id]);
    f.acquire(&branch).await;
    f.office.hold_back(branch.id, f.now() + TTL).await.unwrap();
    assert_eq!(f.state(&branch).await.next_attempt_time, Some(until), "whoever works on it decides");
}

async fn a_new_connection_makes_the_branch_due(f: Fixture) {
    let mut branch = f.add("BR001").await;
    let fingerprint = "fingerprint of BR001";
    let (before, token) = f.acquire(&branch).await;
    f.office.release(branch.id, token, &completed(before, digest("sqlite"))).await.unwrap();
    branch.name = "Another name".into();
    f.office.update_branch(&branch, fingerprint).await.unwrap();
    assert_eq!(f.state(&branch).await.status, MigrationStatus::Completed, "a name changes nothing");

    // Another way to the same database: it has to be looked at, and what was known about it stays.
    branch.connection = Connection::Sqlite(SqliteConnection { path: "BR001/Database/BR001.db".into() });
    f.office.update_branch(&branch, fingerprint).await.unwrap();
    let state = f.state(&branch).await;
    assert_eq!((state.status, state.last_migration.as_deref()), (MigrationStatus::Pending, Some("2_Next")));
    assert_eq!(state.verified_digest, None);

    f.office.update_branch(&branch, "another database").await.unwrap();
    assert_eq!(f.state(&branch).await, BranchState::new(branch.id));
    let (_, next) = f.acquire(&branch).await;
    assert!(next > token, "the token never goes back");
}

async fn nothing_changes_a_leased_branch(f: Fixture) {
    let mut branch = f.add("BR001").await;
    let (_, token) = f.acquire(&branch).await;
    let leased = |result: Result<(), StoreError>| match result {
        Err(StoreError::Leased(lease)) => assert_eq!((lease.token, lease.expires_time), (token, f.now() + TTL)),
        other => panic!("{other:?}"),
    };
    leased(f.office.retry(branch.id).await.map(drop));
    leased(f.office.delete_branch(branch.id).await);
    leased(f.office.update_branch(&branch, "another database").await);
    branch.name = "Another name".into();
    f.office.update_branch(&branch, "fingerprint of BR001").await.unwrap();
    assert!(f.office.renew(branch.id, token, TTL).await.unwrap(), "a new name does not disturb the work");

    f.clock.advance(TTL);
    f.office.retry(branch.id).await.unwrap().unwrap();
    assert!(!f.office.renew(branch.id, token, TTL).await.unwrap(), "what changes the state ends a lease that ran out");
    f.office.delete_branch(branch.id).await.unwrap();
}

async fn unreadable_rows_are_named(f: Fixture) {
    let branch = f.add("BR001").await;
    f.tamper("UPDATE branch_states SET status = 'Paused'").await;
    for result in [
        f.office.state(branch.id).await.map(drop),
        f.office.statuses(&StatusFilter::default(), &Page::default()).await.map(drop),
        f.office.retry(branch.id).await.map(drop),
    ] {
        match result {
            Err(StoreError::Corrupt { table: "branch_states", key, problem }) => {
                assert_eq!(key, branch.id.to_string());
                assert!(problem.contains("'Paused'"), "{problem}");
            }
            other => panic!("{other:?}"),
        }
    }
    f.tamper("UPDATE branch_states SET status = 'Pending', retry_count = -1").await;
    assert!(matches!(f.office.state(branch.id).await, Err(StoreError::Corrupt { .. })));
    f.tamper("UPDATE branches SET connection = '{}'").await;
    let error = f.office.branch(&"BR001".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { table: "branches", .. }), "{error}");
}

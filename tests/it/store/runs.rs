use std::sync::Arc;
use std::time::Duration;

use branchkeeper::domain::{
    BranchId, BranchRef, OutcomeStatus, RequestId, Run, RunId, RunKind, RunRequest, RunState, Selector,
};
use branchkeeper::store::{Batch, CreatedRun, Ending, NewRun, Page, RunsFilter, Scope, StoreError};

use super::fixture::{
    Fixture, ME, TTL, batch, event, finished, labels, new_run, outcome, over_both_backends, statement_event,
};

over_both_backends!(
    a_run_comes_back_as_it_was_asked_for,
    a_selector_means_active_branches,
    unknown_branches_are_named,
    a_request_id_makes_one_run,
    the_same_request_at_once_makes_one_run,
    events_are_numbered_without_gaps,
    a_batch_can_be_sent_again,
    statements_are_shown_when_asked_for,
    the_first_outcome_counts,
    a_dead_run_is_claimed_once,
    cancelling_reaches_the_owner,
    runs_are_listed_newest_first,
    old_runs_are_pruned,
);

fn request() -> RunRequest {
    RunRequest {
        target: Some("2_Next".parse().unwrap()),
        transaction_mode: Some(branchkeeper::domain::TransactionMode::AllInOne),
        max_parallel: Some(7),
        stop_on_error: true,
        include_statements: true,
        ..RunRequest::default()
    }
}

fn fresh(created: CreatedRun) -> Run {
    match created {
        CreatedRun::New(run) => run,
        CreatedRun::Existing(run) => panic!("{} is not new", run.id),
    }
}

async fn a_run_comes_back_as_it_was_asked_for(f: Fixture) {
    let branches = f.add_many(3).await;
    // In this order, each once, whatever the order of their codes; one that is gone is left out.
    let ids = vec![branches[2].id, BranchId::generate(), branches[0].id, branches[2].id];
    let new = NewRun {
        requested_by: "ann".into(),
        request_id: Some("r-1".parse().unwrap()),
        request: request(),
        ..new_run(RunKind::AutoMigrate, Scope::Branches(ids))
    };
    let run = fresh(f.office.create_run(new, ME, TTL, |_| None).await.unwrap());
    assert_eq!((run.kind, run.state, run.branches_total), (RunKind::AutoMigrate, RunState::Queued, 2));
    assert_eq!((run.requested_by.as_str(), &run.request), ("ann", &request()));
    assert_eq!((run.create_time, run.start_time, run.end_time), (f.now(), None, None));
    assert_eq!(f.office.run(run.id).await.unwrap(), Some(run.clone()));
    assert_eq!(f.office.run(RunId::generate()).await.unwrap(), None);
    let left = f.unfinished(run.id, 0, 10).await;
    assert_eq!(left.iter().map(|(_, branch, _)| branch.id).collect::<Vec<_>>(), [branches[2].id, branches[0].id]);
    assert_eq!(f.unfinished(run.id, left[0].0, 10).await, left[1..]);
    assert_eq!(f.unfinished(run.id, 0, 1).await, left[..1]);

    f.clock.advance(Duration::from_secs(2));
    f.begin(run.id).await;
    let started = f.office.run(run.id).await.unwrap().unwrap();
    assert_eq!((started.state, started.start_time), (RunState::Running, Some(f.now())));
    f.clock.advance(Duration::from_secs(2));
    f.begin(run.id).await;
    assert_eq!(f.office.run(run.id).await.unwrap(), Some(started), "work that goes on began when it began");
    let other = Batch { owner: "replica-2".into(), ..batch(run.id, Vec::new(), Vec::new()) };
    assert!(matches!(f.office.record(other).await, Err(StoreError::RunLost(id)) if id == run.id));
}

async fn a_selector_means_active_branches(f: Fixture) {
    let b = f.add_with("B", |branch| branch.labels = labels(&[("region", "north")])).await;
    let a = f.add_with("A", |branch| branch.labels = labels(&[("region", "north")])).await;
    f.add_with("C", |branch| branch.is_active = false).await;
    f.add("D").await;
    let run = async |selector: Selector| {
        let new = new_run(RunKind::ApplyAll, Scope::Selector(selector));
        let run = fresh(f.office.create_run(new, ME, TTL, |_| None).await.unwrap());
        let left = f.unfinished(run.id, 0, 10).await;
        assert_eq!(run.branches_total as usize, left.len());
        left.into_iter().map(|(_, branch, _)| branch.id).collect::<Vec<_>>()
    };
    let all = Selector::default;
    assert_eq!(run(Selector { labels: labels(&[("region", "north")]), ..all() }).await, [a.id, b.id]);
    let named = vec!["c".parse().unwrap(), "b".parse().unwrap(), BranchRef::Id(b.id)];
    assert_eq!(run(Selector { branches: named, ..all() }).await, [b.id]);
    assert_eq!(run(all()).await.len(), 3);
    assert_eq!(run(Selector { labels: labels(&[("region", "east")]), ..all() }).await, []);
}

async fn unknown_branches_are_named(f: Fixture) {
    f.add("BR001").await;
    let gone = BranchId::generate();
    let branches = vec!["br001".parse().unwrap(), "BR009".parse().unwrap(), BranchRef::Id(gone)];
    let scope = Scope::Selector(Selector { branches, ..Selector::default() });
    let error = f.office.create_run(new_run(RunKind::ApplyAll, scope), ME, TTL, |_| None).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::UnknownBranches(names) if *names == ["BR009".into(), gone.to_string()]),
        "{error}"
    );
    let scope = Scope::Branches(vec![gone]);
    let error = f.office.create_run(new_run(RunKind::Apply, scope), ME, TTL, |_| None).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownBranches(_)), "{error}");
    assert_eq!(f.office.runs(&RunsFilter::default(), &Page::default()).await.unwrap().items, [], "nothing is left");
}

async fn a_request_id_makes_one_run(f: Fixture) {
    let branches = f.add_many(2).await;
    let new = |ids: &[BranchId]| NewRun {
        request_id: Some("r-1".parse().unwrap()),
        ..new_run(RunKind::ApplyAll, Scope::Branches(ids.to_vec()))
    };
    let both = [branches[0].id, branches[1].id];
    let first = fresh(f.office.create_run(new(&both), ME, TTL, |_| None).await.unwrap());
    f.begin(first.id).await;
    let again = f.office.create_run(new(&[both[1], both[0]]), "replica-2", TTL, |_| None).await.unwrap();
    assert!(matches!(&again, CreatedRun::Existing(run) if run.id == first.id && run.state == RunState::Running));
    // The branches may be gone by then; the run is still the same.
    f.office.delete_branch(both[0]).await.unwrap();
    f.office.delete_branch(both[1]).await.unwrap();
    assert!(matches!(f.office.create_run(new(&both), ME, TTL, |_| None).await.unwrap(), CreatedRun::Existing(_)));

    let id: RequestId = "r-1".parse().unwrap();
    let different = [
        new(&both[..1]),
        NewRun { kind: RunKind::Apply, ..new(&both) },
        NewRun { request: request(), ..new(&both) },
        NewRun { scope: Scope::Selector(Selector::default()), ..new(&both) },
    ];
    for new in different {
        let result = f.office.create_run(new, ME, TTL, |_| None).await;
        assert!(matches!(&result, Err(StoreError::RequestIdReused(reused)) if *reused == id), "{result:?}");
    }
}

async fn the_same_request_at_once_makes_one_run(f: Fixture) {
    let branches = f.add_many(5).await;
    let replica = f.replica().await;
    let ids: Vec<_> = branches.iter().map(|branch| branch.id).collect();
    let attempts: Vec<_> = (0..8)
        .map(|number| {
            let office = if number % 2 == 0 { f.office.clone() } else { replica.clone() };
            let new = NewRun {
                request_id: Some("r-1".parse().unwrap()),
                ..new_run(RunKind::ApplyAll, Scope::Branches(ids.clone()))
            };
            tokio::spawn(
                async move { office.create_run(new, &format!("worker-{number}"), TTL, |_| None).await.unwrap() },
            )
        })
        .collect();
    let (mut new, mut runs) = (0, Vec::new());
    for attempt in attempts {
        match attempt.await.unwrap() {
            CreatedRun::New(run) => {
                new += 1;
                runs.push(run.id);
            }
            CreatedRun::Existing(run) => {
                assert_eq!(run.branches_total, 5, "the run is whole when others see it");
                runs.push(run.id);
            }
        }
    }
    runs.dedup();
    assert_eq!((new, runs.len()), (1, 1));
}

async fn events_are_numbered_without_gaps(f: Fixture) {
    let branches = f.add_many(40).await;
    let run = f.run(RunKind::ApplyAll, &branches).await;
    let records: Vec<_> = branches
        .iter()
        .map(|branch| {
            let (office, run_id, branch) = (f.office.clone(), run.id, branch.clone());
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                for round in 0..5u32 {
                    let events = (0..=round).map(|number| event(&branch.code, number)).collect();
                    let recorded = office.record(batch(run_id, events, Vec::new())).await.unwrap();
                    assert_eq!(recorded.events.len() as u32, round + 1);
                    numbers.extend(recorded.events.iter().map(|event| event.sequence));
                }
                numbers
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for record in records {
        let own = record.await.unwrap();
        assert!(own.is_sorted());
        numbers.extend(own);
    }
    numbers.sort();
    let expected: Vec<i64> = (1..=40 * 15).collect();
    assert_eq!(numbers, expected);
    let mut read = Vec::new();
    while let part = f.office.events(run.id, read.len() as i64, true, 77).await.unwrap()
        && !part.is_empty()
    {
        assert!(part.len() <= 77);
        read.extend(part);
    }
    assert_eq!(read.iter().map(|event| event.sequence).collect::<Vec<_>>(), expected);
    assert_eq!(f.office.run(run.id).await.unwrap().unwrap().last_sequence, 600);
}

async fn a_batch_can_be_sent_again(f: Fixture) {
    let branch = f.add("BR001").await;
    let run = f.run(RunKind::Apply, std::slice::from_ref(&branch)).await;
    let first = Arc::new(batch(run.id, vec![event(&branch.code, 1), event(&branch.code, 2)], Vec::new()));
    let done = finished(outcome(&branch, OutcomeStatus::Succeeded));
    let second = Arc::new(batch(run.id, vec![event(&branch.code, 3)], vec![done]));
    let recorded = f.office.record_after(Arc::clone(&first), 0).await.unwrap();
    assert_eq!(f.office.record_after(Arc::clone(&first), 0).await.unwrap(), recorded, "the answer was lost, say");
    let newest = f.office.record_after(Arc::clone(&second), 2).await.unwrap();
    assert_eq!(newest.events[0].sequence, 3);
    assert_eq!(f.office.record_after(second, 2).await.unwrap(), newest);
    assert_eq!(f.office.events(run.id, 0, true, 10).await.unwrap().len(), 3);
    assert_eq!(f.office.counts(run.id).await.unwrap().finished(), 1);
    // Somebody else has recorded meanwhile, so it is not this batch that stands there.
    assert!(matches!(f.office.record_after(Arc::clone(&first), 0).await, Err(StoreError::Internal(_))));
    f.office.end_run(run.id, ME, Ending::Done).await.unwrap();
    assert!(matches!(f.office.record_after(first, 0).await, Err(StoreError::RunLost(_))));
}

async fn statements_are_shown_when_asked_for(f: Fixture) {
    let branch = f.add("BR001").await;
    let run = f.run(RunKind::Apply, std::slice::from_ref(&branch)).await;
    let events = vec![event(&branch.code, 1), statement_event(&branch.code), event(&branch.code, 2)];
    let recorded = f.office.record(batch(run.id, events.clone(), Vec::new())).await.unwrap();
    assert_eq!(f.office.events(run.id, 0, true, 10).await.unwrap(), recorded.events);
    let bodies: Vec<_> = recorded.events.iter().map(|event| (event.time, event.body.clone())).collect();
    assert_eq!(bodies, events);
    let shown = f.office.events(run.id, 0, false, 10).await.unwrap();
    assert_eq!(shown.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(f.office.events(run.id, 3, true, 10).await.unwrap(), []);
    assert_eq!(f.office.events(RunId::generate(), 0, true, 10).await.unwrap(), []);
}

async fn the_first_outcome_counts(f: Fixture) {
    let branches = f.add_many(2).await;
    let run = f.run(RunKind::ApplyAll, &branches).await;
    assert_eq!(f.office.counts(run.id).await.unwrap().finished(), 0);
    let succeeded = finished(outcome(&branches[0], OutcomeStatus::Succeeded));
    f.office.record(batch(run.id, Vec::new(), vec![succeeded])).await.unwrap();
    let failed = finished(outcome(&branches[0], OutcomeStatus::Failed));
    f.office.record(batch(run.id, Vec::new(), vec![failed])).await.unwrap();
    let counts = f.office.counts(run.id).await.unwrap();
    assert_eq!((counts.succeeded, counts.failed, counts.unfinished, counts.finished()), (1, 0, 1, 1));
    assert_eq!(f.office.counts(run.id).await.unwrap().finished(), 1);
    let left = f.unfinished(run.id, 0, 10).await;
    assert_eq!(left.iter().map(|(_, branch, _)| branch.id).collect::<Vec<_>>(), [branches[1].id]);
}

async fn a_dead_run_is_claimed_once(f: Fixture) {
    let branch = f.add("BR001").await;
    let mut runs = Vec::new();
    for _ in 0..6 {
        runs.push(f.run(RunKind::Apply, std::slice::from_ref(&branch)).await.id);
        f.clock.advance(Duration::from_secs(1));
    }
    let kept = runs.pop().unwrap();
    f.office.end_run(runs.pop().unwrap(), ME, Ending::Done).await.unwrap();
    f.clock.advance(TTL / 2);
    assert_eq!(f.office.claim_dead_runs("replica-2", TTL, 10).await.unwrap(), []);
    f.clock.advance(TTL / 2);
    let extra = NewRun { requested_by: String::new(), ..new_run(RunKind::Apply, Scope::Branches(vec![branch.id])) };
    fresh(f.office.create_run(extra, "replica-3", TTL, |_| None).await.unwrap());
    // Its own dead runs are not given back to a replica: its tasks may still be at them.
    assert_eq!(f.office.claim_dead_runs(ME, TTL, 10).await.unwrap(), []);

    let replica = f.replica().await;
    let claims: Vec<_> = (0..6)
        .map(|number| {
            let office = if number % 2 == 0 { f.office.clone() } else { replica.clone() };
            tokio::spawn(async move { office.claim_dead_runs(&format!("claimer-{number}"), TTL, 2).await.unwrap() })
        })
        .collect();
    let mut claimed = Vec::new();
    for claim in claims {
        let part = claim.await.unwrap();
        assert!(part.len() <= 2);
        claimed.extend(part.into_iter().map(|run| run.id));
    }
    // Two that asked for the same ones at the same time may leave some for the next round.
    claimed.extend(f.office.claim_dead_runs("claimer-9", TTL, 10).await.unwrap().into_iter().map(|run| run.id));
    claimed.sort();
    runs.push(kept);
    assert_eq!(claimed, runs);
    let lost = f.office.record(batch(runs[0], vec![event(&branch.code, 1)], Vec::new())).await;
    assert!(matches!(lost, Err(StoreError::RunLost(id)) if id == runs[0]), "{lost:?}");
    assert_eq!(f.office.events(runs[0], 0, true, 10).await.unwrap(), []);
    assert!(matches!(f.office.end_run(runs[0], ME, Ending::Done).await, Err(StoreError::RunLost(_))));
    assert_eq!(f.office.keep_runs(ME, TTL).await.unwrap(), []);
}

/// The runs that are kept, and whether somebody wants them cancelled.
async fn cancelled(f: &Fixture) -> Vec<(RunId, bool)> {
    let kept = f.office.keep_runs(ME, TTL).await.unwrap();
    let mut kept: Vec<_> = kept.iter().map(|kept| (kept.id, kept.cancel_requested)).collect();
    kept.sort();
    kept
}

async fn cancelling_reaches_the_owner(f: Fixture) {
    let branch = f.add("BR001").await;
    let run = f.run(RunKind::Apply, std::slice::from_ref(&branch)).await;
    let other = f.run(RunKind::Apply, std::slice::from_ref(&branch)).await;
    f.clock.advance(TTL / 2);
    assert_eq!(cancelled(&f).await, [(run.id, false), (other.id, false)]);
    f.clock.advance(TTL / 2);
    assert_eq!(f.office.claim_dead_runs("replica-2", TTL, 10).await.unwrap(), [], "the heartbeat kept them");
    let asked = f.replica().await.request_cancel(run.id).await.unwrap().unwrap();
    assert_eq!((asked.id, asked.state), (run.id, RunState::Queued));
    assert_eq!(cancelled(&f).await, [(run.id, true), (other.id, false)]);
    assert_eq!(f.office.keep_runs("replica-2", TTL).await.unwrap(), []);
    let ended = f.office.end_run(run.id, ME, Ending::Cancelled).await.unwrap();
    assert_eq!(f.office.request_cancel(run.id).await.unwrap(), Some(ended));
    assert_eq!(cancelled(&f).await, [(other.id, false)]);
    assert_eq!(f.office.request_cancel(RunId::generate()).await.unwrap(), None);
}

async fn runs_are_listed_newest_first(f: Fixture) {
    let branches = f.add_many(2).await;
    let mut runs = Vec::new();
    for number in 0..7 {
        let kind = if number % 2 == 0 { RunKind::Apply } else { RunKind::ApplyAll };
        runs.insert(0, f.run(kind, &branches[number % 2..=number % 2]).await.id);
        if number % 3 == 0 {
            f.clock.advance(Duration::from_secs(1));
        }
    }
    f.office.end_run(runs[0], ME, Ending::Cancelled).await.unwrap();
    let list = async |filter: &RunsFilter| {
        let mut page = Page { size: 2, token: String::new() };
        let mut ids = Vec::new();
        loop {
            let part = f.office.runs(filter, &page).await.unwrap();
            ids.extend(part.items.iter().map(|run| run.id));
            page.token = part.next_token;
            if page.token.is_empty() {
                return ids;
            }
        }
    };
    assert_eq!(list(&RunsFilter::default()).await, runs);
    assert_eq!(list(&RunsFilter { states: vec![RunState::Cancelled], ..Default::default() }).await, runs[..1]);
    let even: Vec<_> = runs.iter().copied().step_by(2).collect();
    assert_eq!(list(&RunsFilter { kinds: vec![RunKind::Apply], ..Default::default() }).await, even);
    assert_eq!(list(&RunsFilter { branch: Some(branches[0].id), ..Default::default() }).await, even);
}

async fn old_runs_are_pruned(f: Fixture) {
    let branch = f.add("BR001").await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        let run = f.run(RunKind::Apply, std::slice::from_ref(&branch)).await;
        f.office.record(batch(run.id, vec![event(&branch.code, 1)], Vec::new())).await.unwrap();
        runs.push(run.id);
    }
    for id in &runs[..3] {
        f.office.end_run(*id, ME, Ending::Cancelled).await.unwrap();
        f.clock.advance(Duration::from_secs(10));
    }
    let limit = f.now() - chrono::TimeDelta::seconds(10);
    assert_eq!(f.office.prune(limit, 1).await.unwrap(), 1);
    assert_eq!(f.office.prune(limit, 10).await.unwrap(), 1);
    assert_eq!(f.office.prune(limit, 10).await.unwrap(), 0);
    let left = f.office.runs(&RunsFilter::default(), &Page::default()).await.unwrap();
    assert_eq!(left.items.iter().map(|run| run.id).collect::<Vec<_>>(), [runs[3], runs[2]]);
    assert_eq!(f.office.events(runs[0], 0, true, 10).await.unwrap(), []);
    assert_eq!(f.office.events(runs[2], 0, true, 10).await.unwrap().len(), 2);
}

//! The background work: migrating what is due, recovering what died, keeping watch.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::{StreamExt, stream};
use rand::Rng;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::caller::Caller;
use super::error::EngineError;
use super::manager::Manager;
use super::notifications;
use super::readiness::Readiness;
use super::runs::Origin;
use super::settings::OnStartup;
use crate::domain::{Branch, BranchId, BranchRef, Checksum, Provider, RunKind, RunRequest};
use crate::provider::Endpoint;
use crate::store::{KeptRun, Scope, StoreError};

/// How often the migrations folder is looked at.
const CATALOGUE_POLL: Duration = Duration::from_secs(2);
/// How long others may join a branch that has become due.
const GATHER: Duration = Duration::from_millis(100);
/// How often head office is asked whether it is there.
const HEAD_OFFICE_POLL: Duration = Duration::from_secs(5);
/// How often old runs and audit rows are cleared away.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// The most runs, and the most audit rows, cleared away at a time, and the pause when there are more.
const MAX_PRUNE: u32 = 1_000;
const PRUNE_PAUSE: Duration = Duration::from_secs(1);
/// The most branches of one pass; the next pass follows at once when there were more.
const MAX_PASS: u32 = 5_000;
/// The most runs taken up at a time.
const MAX_RECOVER: u32 = 100;

/// Starts the background work. With [`OnStartup::Blocking`] it returns after the first pass.
pub async fn start(manager: &Manager) -> Result<(), EngineError> {
    recover_own_past(manager).await?;
    notifications::start(manager).await?;
    let tasks = &manager.0.tasks;
    tasks.spawn(until_stopped(manager.clone(), keep_runs));
    tasks.spawn(until_stopped(manager.clone(), prune));
    let auto = &manager.0.settings.auto;
    if auto.enabled && auto.on_startup == OnStartup::Blocking {
        pass(manager).await;
        while manager.0.in_flight.len() > 0 && !manager.0.soft.is_cancelled() {
            sleep(Duration::from_millis(20)).await;
        }
    }
    // From here on the service says whether it is ready.
    look_at_head_office(manager).await;
    tasks.spawn(until_stopped(manager.clone(), watch_catalogue));
    tasks.spawn(until_stopped(manager.clone(), watch_head_office));
    tasks.spawn(until_stopped(manager.clone(), passes));
    Ok(())
}

pub(super) async fn until_stopped<F: Future<Output = ()>>(manager: Manager, work: impl FnOnce(Manager) -> F) {
    let stopped = manager.0.soft.clone();
    tokio::select! {
        () = work(manager) => {}
        () = stopped.cancelled() => {}
    }
}

/// An embedded head office has one user at a time: whatever earlier processes held is free, and their runs are ours.
async fn recover_own_past(manager: &Manager) -> Result<(), EngineError> {
    let shared = &manager.0;
    if shared.store.is_embedded() {
        shared.store.release_all("").await?;
    }
    recover(manager).await
}

/// Takes up runs whose process has died; not where they would soon have to be given up again.
async fn recover(manager: &Manager) -> Result<(), EngineError> {
    let shared = &manager.0;
    if manager.is_retiring() {
        return Ok(());
    }
    let claimed = shared.store.claim_dead_runs(&shared.owner, shared.settings.lease, MAX_RECOVER).await?;
    for run in &claimed {
        tracing::warn!(run = %run.id, kind = %run.kind, "taking up a run whose process has died");
    }
    if claimed.is_empty() { Ok(()) } else { keep(manager).await }
}

/// Renews this process's runs, stops those that were cancelled through another one, and begins those that it owns but
/// does not work on: they were just claimed, or made by a write whose answer was lost, or given up while head office was
/// away. Nobody else can take up a run that is kept here.
async fn keep(manager: &Manager) -> Result<(), EngineError> {
    let shared = &manager.0;
    for KeptRun { id, cancel_requested } in shared.store.keep_runs(&shared.owner, shared.settings.lease).await? {
        match shared.active.get(id) {
            Some(active) if cancel_requested => active.halt.cancel(),
            Some(_) => {}
            None => {
                let run = shared.store.run(id).await?.filter(|run| !run.state.is_over());
                if run.is_some_and(|run| manager.begin(run, Origin::TakenUp { cancelled: cancel_requested })) {
                    tracing::info!(run = %id, "work on the run is taken up");
                }
            }
        }
    }
    Ok(())
}

async fn keep_runs(manager: Manager) {
    loop {
        sleep(manager.0.settings.lease / 3).await;
        if let Err(error) = keep(&manager).await {
            tracing::warn!(%error, "the runs could not be renewed in head office; trying again");
        }
        if let Err(error) = recover(&manager).await {
            tracing::warn!(%error, "could not look for runs whose process has died");
        }
    }
}

async fn watch_catalogue(manager: Manager) {
    let mut told = None;
    loop {
        notifications::tell_of_catalogue(&manager, &mut told).await;
        sleep(CATALOGUE_POLL).await;
        if manager.0.catalogue.refresh().await {
            manager.0.wake.notify_one();
        }
        tell_catalogue(&manager);
    }
}

async fn watch_head_office(manager: Manager) {
    loop {
        sleep(HEAD_OFFICE_POLL).await;
        look_at_head_office(&manager).await;
    }
}

async fn look_at_head_office(manager: &Manager) {
    let asked = timeout(HEAD_OFFICE_POLL, manager.0.store.ping()).await;
    let answers = matches!(asked, Ok(Ok(())));
    change_readiness(manager, |readiness| readiness.head_office = answers);
    tell_catalogue(manager);
}

fn tell_catalogue(manager: &Manager) {
    let good = manager.0.catalogue.problems().is_none();
    change_readiness(manager, |readiness| readiness.catalogue = good);
}

fn change_readiness(manager: &Manager, change: impl FnOnce(&mut Readiness)) {
    manager.0.readiness.send_if_modified(|readiness| {
        let before = readiness.clone();
        change(readiness);
        let mut wrong = Vec::new();
        if !readiness.head_office {
            wrong.push("head office does not answer");
        }
        if !readiness.catalogue {
            wrong.push("the migrations folder has errors; `branchkeeper check` lists them");
        }
        if readiness.draining {
            wrong.push("stopping");
        }
        readiness.detail = wrong.join("; ");
        let changed = *readiness != before;
        if changed && before.ready() != readiness.ready() {
            tracing::info!(ready = readiness.ready(), detail = readiness.detail, "readiness changed");
        }
        changed
    });
}

async fn prune(manager: Manager) {
    loop {
        let shared = &manager.0;
        let ago = |age: Duration| shared.clock.now() - TimeDelta::from_std(age).unwrap_or(TimeDelta::MAX);
        let runs = shared.store.prune(ago(shared.settings.run_retention), MAX_PRUNE).await;
        let audit = shared.store.prune_audit(ago(shared.settings.audit_retention), MAX_PRUNE).await;
        let full =
            [&runs, &audit].into_iter().any(|pruned| matches!(pruned, Ok(count) if *count >= u64::from(MAX_PRUNE)));
        for (what, pruned) in [("runs", runs), ("audit rows", audit)] {
            match pruned {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "old {what} were cleared away"),
                Err(error) => tracing::warn!(%error, "old {what} could not be cleared away; trying again later"),
            }
        }
        sleep(if full { PRUNE_PAUSE } else { PRUNE_EVERY }).await;
    }
}

/// Makes a pass after the initial delay, then after each interval, and whenever something has become due.
async fn passes(manager: Manager) {
    let auto = &manager.0.settings.auto;
    if !auto.enabled {
        return;
    }
    let mut next = Instant::now()
        + match auto.on_startup {
            OnStartup::Background => auto.initial_delay,
            OnStartup::Blocking | OnStartup::Off => scattered(auto.interval),
        };
    loop {
        tokio::select! {
            () = sleep_until(next) => {}
            // Whoever registers one branch often registers more.
            () = manager.0.wake.notified() => sleep(GATHER).await,
        }
        let more = pass(&manager).await;
        let pause = if more { Duration::ZERO } else { until_due(&manager).await };
        next = Instant::now() + pause;
    }
}

/// The interval, or less when a branch becomes due before.
async fn until_due(manager: &Manager) -> Duration {
    let interval = scattered(manager.0.settings.auto.interval);
    match manager.0.store.next_due().await {
        Ok(Some(time)) => {
            let wait = (time - manager.0.clock.now()).to_std().unwrap_or(Duration::ZERO);
            wait.max(Duration::from_millis(200)).min(interval)
        }
        Ok(None) | Err(_) => interval,
    }
}

/// `interval`, a tenth more or less, so that replicas do not move in step.
fn scattered(interval: Duration) -> Duration {
    interval.mul_f64(rand::rng().random_range(0.9..=1.1))
}

/// One pass: everything that is due is migrated, or reported where it must not be migrated unasked. True when there was
/// more than one pass takes.
async fn pass(manager: &Manager) -> bool {
    match try_pass(manager).await {
        Ok(more) => more,
        Err(error) => {
            tracing::warn!(%error, "the orchestrator's pass failed; it is repeated later");
            false
        }
    }
}

async fn try_pass(manager: &Manager) -> Result<bool, EngineError> {
    let shared = &manager.0;
    if manager.is_retiring() {
        return Ok(false);
    }
    // Whoever has just corrected a file and asked for another try means the corrected one.
    shared.catalogue.refresh().await;
    if shared.catalogue.problems().is_some() {
        tracing::warn!("the migrations folder has errors; nothing is migrated until they are corrected");
        return Ok(false);
    }
    let catalogue = shared.catalogue.current();
    let digests: Vec<(Provider, Checksum)> =
        Provider::ALL.into_iter().map(|provider| (provider, catalogue.of(provider).digest().clone())).collect();
    // Branches in flight are due until their turn comes; they must not hide the others.
    let in_flight = u32::try_from(shared.in_flight.len()).unwrap_or(u32::MAX);
    let mut due = shared.store.due(&digests, MAX_PASS.saturating_add(in_flight)).await?;
    due.retain(|id| !shared.in_flight.contains(*id));
    due.truncate(MAX_PASS as usize);
    let full = due.len() >= MAX_PASS as usize;
    let (mut to_migrate, mut to_report) = (Vec::new(), Vec::new());
    for id in due {
        match shared.store.branch(&BranchRef::Id(id)).await {
            Ok(Some(branch)) if is_held_back(manager, &branch) => to_report.push(branch),
            Ok(Some(branch)) => to_migrate.push(branch.id),
            Ok(None) => {}
            // One unreadable row does not keep the fleet from being migrated.
            Err(error @ StoreError::Corrupt { .. }) => tracing::error!(branch = %id, %error, "the branch is left out"),
            Err(error) => return Err(error.into()),
        }
    }
    let more = full && !(to_migrate.is_empty() && to_report.is_empty());
    if !to_report.is_empty() {
        report(manager, to_report);
    }
    if !to_migrate.is_empty() {
        begin_run(manager, to_migrate).await?;
    }
    Ok(more)
}

/// Looks at `branches` that must not be migrated unasked, many at once and beside the passes: one that does not answer
/// keeps nobody waiting.
fn report(manager: &Manager, branches: Vec<Branch>) {
    let flight = manager.0.in_flight.add(branches.iter().map(|branch| branch.id).collect());
    let looks = until_stopped(manager.clone(), async move |manager: Manager| {
        let shared = &manager.0;
        let interval = TimeDelta::from_std(shared.settings.auto.interval).unwrap_or(TimeDelta::zero());
        let look = async |branch: Branch| {
            let settings = &shared.settings.provider;
            let endpoint = Endpoint::of(&branch, settings).ok();
            let host = endpoint.as_ref().map(Endpoint::host_key).unwrap_or_default();
            let mut on_host = shared.hosts.enter(&host, endpoint.as_ref()).await;
            if let Some(on_host) = &mut on_host {
                on_host.clear().await;
            }
            if let Err(error) = manager.report_pending(&branch, shared.clock.now() + interval).await {
                tracing::warn!(branch = %branch.code, %error, "what the branch lacks could not be recorded");
            }
        };
        stream::iter(branches).for_each_concurrent(shared.settings.parallel.max(1), look).await;
        drop(flight);
    });
    manager.0.tasks.spawn(looks);
}

/// Migrates `branches` in a run of its own, so that the next pass need not wait for the slowest of them.
async fn begin_run(manager: &Manager, branches: Vec<BranchId>) -> Result<(), EngineError> {
    let caller = Caller::named("orchestrator");
    let flight = manager.0.in_flight.add(branches.clone());
    let scope = Scope::Branches(branches);
    let run = manager.create(RunKind::AutoMigrate, RunRequest::default(), scope, None, &caller).await?;
    let waiting = manager.clone();
    manager.0.tasks.spawn(async move {
        let ended = waiting.wait_until_over(run.id).await;
        drop(flight);
        // When the branches that failed are due again is only known now.
        waiting.0.wake.notify_one();
        match ended {
            Ok(_) | Err(EngineError::Draining) => {}
            Err(error) => tracing::warn!(run = %run.id, %error, "lost sight of the orchestrator's run"),
        }
    });
    Ok(())
}

/// Whether a branch must not be migrated unasked.
fn is_held_back(manager: &Manager, branch: &Branch) -> bool {
    let settings = &manager.0.settings;
    let environment = if branch.environment.is_empty() { &settings.environment } else { &branch.environment };
    environment.eq_ignore_ascii_case("production") && !settings.auto.in_production
}

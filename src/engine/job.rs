//! One branch's turn in a run: look, lease, attempt, next state, record.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rand::Rng;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::Instrument;

use super::apply::{Attempt, Broken, Leased};
use super::failure::Failure;
use super::halt::Halt;
use super::heartbeat::Heartbeat;
use super::hosts::HostPlace;
use super::look::{Looked, may_look};
use super::patience::patiently;
use super::recorder::{Finish, Recorder};
use super::report::Report;
use super::shared::Shared;
use crate::domain::{
    Branch, BranchId, BranchOutcome, BranchState, Catalogue, FailureClass, Hold, Lease, MigrationError,
    MigrationStatus, OutcomeStatus, ProviderCatalogue, Run, RunKind,
};
use crate::provider::Claim;
use crate::store::{Acquire, KnownState, Next, StoreError};

/// Everything that the branches of one run have in common.
pub(super) struct Jobs {
    pub(super) shared: Arc<Shared>,
    pub(super) run: Run,
    pub(super) halt: Halt,
    pub(super) recorder: Recorder,
    /// Whether another process, or an earlier life of this one, has begun the run.
    pub(super) resumed: bool,
}

/// For how long a connection that a look has made is of use: others may end one that is idle.
const STALE: Duration = Duration::from_secs(10);

/// Somebody else works on the branch.
pub(super) struct Busy;

/// The places that a branch takes while it is worked on: one on its server, one in the run.
pub(super) type Places = (HostPlace, OwnedSemaphorePermit);

impl Jobs {
    /// Gives `branch` its turn. Its outcome is recorded when this returns; the places are given back as soon as the
    /// branch's own database is no longer needed.
    ///
    /// # Errors
    /// [`Busy`], and nothing is recorded, where somebody else works on the branch and `waits` says that it may have another
    /// turn.
    pub(super) async fn turn(
        &self,
        branch: Branch,
        known: KnownState,
        places: Places,
        waits: bool,
    ) -> Result<OutcomeStatus, Busy> {
        let span = tracing::info_span!("branch", run = %self.run.id, branch = %branch.code);
        self.turn_inside(branch, known, places, waits).instrument(span).await
    }

    async fn turn_inside(
        &self,
        branch: Branch,
        known: KnownState,
        mut places: Places,
        waits: bool,
    ) -> Result<OutcomeStatus, Busy> {
        let begun = Instant::now();
        let halt = self.halt.for_branch();
        let mut opened = None;
        if halt.reason().is_none() && may_look(&self.run.request, &known) {
            let catalogue = self.shared.catalogue.current();
            let mut report = Report::default();
            let look = async { self.attempt(&branch, &catalogue, &halt).look(&mut report, &mut places.0.spare).await };
            // What goes wrong here goes wrong again under the lease, where it is recorded.
            match AssertUnwindSafe(look).catch_unwind().await.unwrap_or(Looked::Unknown) {
                Looked::UpToDate => {
                    drop(places);
                    let outcome = report.into_outcome(&branch, begun.elapsed());
                    let next = self.next(known.state, &outcome, None, catalogue.of(branch.provider));
                    let (token, update_time) = (known.token, branch.update_time);
                    let next = Next::Seen { token, update_time, state: next.into() };
                    return Ok(self.finish(&branch, outcome, next).await);
                }
                Looked::Due(found) => opened = Some(*found),
                Looked::Unknown => {}
            }
        }
        places.0.clear().await;
        let (seen, newest, looked) = (branch.update_time, known.token, Instant::now());
        let mut places = Some(places);
        let mut floor = 0;
        loop {
            if let Some(reason) = halt.reason() {
                let failure = Failure::halted(&branch, reason);
                return Ok(self.refuse(&branch, failure, begun).await);
            }
            let shared = &self.shared;
            let lease = shared.settings.lease;
            let mut asked = Instant::now();
            let acquired = self.acquire(&branch, &halt, floor, &mut asked).await;
            if !matches!(acquired, Ok(Acquire::Granted { .. })) {
                // Others need not wait until it is recorded that nothing comes of this.
                (opened, places) = (None, None);
            }
            let (branch, before, token) = match acquired {
                Ok(Acquire::Granted { branch, state_before, token }) => (branch, state_before, token),
                // Another replica found the branch due at the same moment, and does the same work.
                Ok(Acquire::Held(_)) if self.run.kind == RunKind::AutoMigrate => return Ok(self.skip(&branch).await),
                Ok(Acquire::Held(_)) if waits => return Err(Busy),
                Ok(Acquire::Held(lease)) => return Ok(self.refuse(&branch, held(&branch, &lease), begun).await),
                // Removed since it was read: as if that had been before the run came to it.
                Ok(Acquire::Gone) if !self.run.kind.names_one_branch() => return Ok(self.skip(&branch).await),
                Ok(Acquire::Gone) => return Ok(self.refuse(&branch, gone(&branch), begun).await),
                Err(error) => {
                    let ended = self.refuse(&branch, no_head_office(&branch, &error), begun).await;
                    self.hold_back(&branch).await;
                    return Ok(ended);
                }
            };
            if !branch.is_active && !self.run.kind.names_one_branch() {
                // Made inactive since it was read.
                self.give_up(branch.id, token, &before).await;
                return Ok(self.skip(&branch).await);
            }
            if let Some(ended) = self.leave_undone(&branch, &before, token, begun).await {
                return Ok(ended);
            }
            let heartbeat = Heartbeat::start(shared.store.clone(), branch.id, token, lease, asked, halt.clone());
            let catalogue = shared.catalogue.current();
            let mut report = Report::default();
            let known = catalogue.of(branch.provider);
            let leased = self.leased(token, &before);
            // The connection may lead elsewhere since; and if somebody has had a lease since, the branch is not what it was,
            // nor a failure to reach it what would be met now.
            let is_as_seen = branch.update_time == seen && token - 1 == newest && looked.elapsed() < STALE;
            let opened = opened.take().filter(|_| is_as_seen);
            let attempt = self.attempt(&branch, &catalogue, &halt);
            let attempt = attempt.migrate(&leased, opened, &mut report);
            // A fault of ours counts against the branch too, or it would be met again without end.
            let ended = match AssertUnwindSafe(attempt).catch_unwind().await {
                Ok(ended) => ended,
                Err(_) => Err(Broken::Failed(fault(&branch))),
            };
            drop(heartbeat);
            report.failure = match ended {
                Ok(()) => None,
                Err(Broken::Stale(stored, failure)) if floor == 0 && stored < i64::MAX => {
                    // The lease is ours and yet the branch knows a higher token: head office has forgotten some, as
                    // after a restore from backup. It goes on above what the branch has seen.
                    tracing::warn!(stored, token, "the branch has seen a newer fencing token; taking one above it");
                    match shared.store.release(branch.id, token, &before).await {
                        Ok(true) => {
                            floor = stored;
                            continue;
                        }
                        Ok(false) | Err(_) => Some(failure),
                    }
                }
                Err(Broken::Stale(_, failure) | Broken::Failed(failure) | Broken::Open(failure)) => Some(failure),
                Err(Broken::Unrecorded(doubt)) => Some(doubt.failure),
            };
            drop(places);
            let hold = self.hold_after(&before, &report);
            let outcome = report.into_outcome(&branch, begun.elapsed());
            let state = match self.run.request.dry_run {
                true => before,
                false => self.next(*before, &outcome, hold, known).into(),
            };
            return Ok(self.finish(&branch, outcome, Next::Leased { token, state }).await);
        }
    }

    /// The branch's state after this outcome.
    fn next(
        &self,
        before: BranchState,
        outcome: &BranchOutcome,
        hold: Option<Hold>,
        catalogue: &ProviderCatalogue,
    ) -> BranchState {
        let jitter = rand::rng().random_range(0.0..=1.0);
        before.after(outcome, self.shared.clock.now(), &self.shared.settings.retry, jitter).held(hold, catalogue)
    }

    /// Takes the branch's lease, with patience while head office is away. `since` becomes the moment of the last question.
    async fn acquire(
        &self,
        branch: &Branch,
        halt: &Halt,
        floor: i64,
        since: &mut Instant,
    ) -> Result<Acquire, StoreError> {
        let shared = &self.shared;
        let ask = |since: &mut Instant| {
            *since = Instant::now();
            shared.store.acquire(branch.id, &shared.owner, shared.settings.lease, floor)
        };
        let mut asked = 0;
        let acquired = patiently(halt, || {
            asked += 1;
            ask(since)
        });
        let acquired = acquired.await?;
        let Acquire::Held(lease) = &acquired else { return Ok(acquired) };
        // An earlier question may have been carried out although its answer was lost. Nobody keeps that lease alive.
        let forgotten = asked > 1 && lease.owner == shared.owner;
        // The process that had the run before may have left one; or it lives, and ends its turn.
        let left_behind = self.resumed && self.run.kind != RunKind::AutoMigrate;
        if !forgotten && !left_behind {
            return Ok(acquired);
        }
        let left = (lease.expires_time - shared.clock.now()).to_std().unwrap_or_default();
        tokio::select! {
            () = tokio::time::sleep(left.min(shared.settings.lease) + Duration::from_millis(10)) => {}
            () = halt.soft().cancelled() => {}
        }
        patiently(halt, || ask(since)).await
    }

    /// What a rollback has undone is not applied again by a run that was not asked for, or that was asked for before: such
    /// a run leaves the branch alone.
    async fn leave_undone(
        &self,
        branch: &Branch,
        before: &BranchState,
        token: i64,
        begun: Instant,
    ) -> Option<OutcomeStatus> {
        let hold = before.hold.as_ref()?;
        let (shared, run) = (&self.shared, &self.run);
        let catalogue = shared.catalogue.current();
        let known = catalogue.of(branch.provider);
        let unasked = run.kind == RunKind::AutoMigrate && hold.binds(known);
        let outdated =
            run.request.rollback.is_none() && run.kind != RunKind::AutoMigrate && run.create_time < hold.since;
        if !unasked && !outdated {
            return None;
        }
        let next = before.clone().held(before.hold.clone(), known);
        self.give_up(branch.id, token, &next).await;
        Some(match unasked {
            true => self.skip(branch).await,
            false => self.refuse(branch, undone_since(branch, hold), begun).await,
        })
    }

    /// What is not to be applied again unasked after this attempt.
    fn hold_after(&self, before: &BranchState, report: &Report) -> Option<Hold> {
        let request = &self.run.request;
        let tried = report.failure.as_ref().is_none_or(|failure| !failure.refused);
        match (&report.hold, &before.hold) {
            (Some(begun), _) => Some(begun.clone()),
            (None, Some(hold)) if request.rollback.is_none() && tried => hold.clone().lifted(request.target.as_ref()),
            (None, hold) => hold.clone(),
        }
    }

    fn attempt<'a>(&'a self, branch: &'a Branch, catalogue: &'a Catalogue, halt: &'a Halt) -> Attempt<'a> {
        Attempt {
            settings: &self.shared.settings,
            branch,
            catalogue: catalogue.of(branch.provider),
            run_id: self.run.id,
            request: &self.run.request,
            unasked: self.run.kind == RunKind::AutoMigrate,
            halt,
            recorder: &self.recorder,
            store: &self.shared.store,
        }
    }

    fn leased<'a>(&self, token: i64, before: &'a BranchState) -> Leased<'a> {
        let shared = &self.shared;
        let claim = Claim {
            head_office: shared.store.id().to_owned(),
            token,
            owner: shared.owner.clone(),
            lease: shared.settings.lease,
        };
        Leased { claim, held: before.hold.as_ref(), since: shared.clock.now() }
    }

    /// Gives the lease up without recording anything of the branch's turn.
    async fn give_up(&self, branch: BranchId, token: i64, next: &BranchState) {
        if let Err(error) = self.shared.store.release(branch, token, next).await {
            tracing::warn!(%error, "the lease could not be given up; it runs out by itself");
        }
    }

    /// Records that the branch's turn ended before a lease was had.
    async fn refuse(&self, branch: &Branch, failure: Failure, begun: Instant) -> OutcomeStatus {
        let report = Report { failure: Some(failure), ..Report::default() };
        self.finish(branch, report.into_outcome(branch, begun.elapsed()), Next::Same).await
    }

    /// Records that the branch did not need its turn.
    pub(super) async fn skip(&self, branch: &Branch) -> OutcomeStatus {
        let outcome = Report::default().into_outcome(branch, Duration::ZERO);
        self.finish(branch, BranchOutcome { status: OutcomeStatus::Skipped, ..outcome }, Next::Same).await
    }

    async fn finish(&self, branch: &Branch, outcome: BranchOutcome, next: Next) -> OutcomeStatus {
        let ended = outcome.status;
        let stopping = self.halt.reason().is_some() && !self.halt.is_cancelled();
        if stopping && ended == OutcomeStatus::Refused {
            // The run goes on elsewhere or later, so the branch keeps its place in it; only the lease is given up.
            if let Next::Leased { token, state } = next {
                self.give_up(branch.id, token, &BranchState { next_attempt_time: None, ..*state }).await;
            }
            return ended;
        }
        let status = match &next {
            Next::Leased { state, .. } | Next::Seen { state, .. } => state.status,
            Next::Same => self.status_now(branch.id).await,
        };
        log(&outcome, status);
        self.recorder.finish(Finish { outcome, next, status }).await;
        if self.run.kind == RunKind::AutoMigrate {
            // The branch need not wait for the others of its run: it can be due again before they are through.
            self.shared.in_flight.landed(branch.id);
            if ended == OutcomeStatus::Failed || ended == OutcomeStatus::Refused {
                self.shared.wake.notify_one();
            }
        }
        ended
    }

    /// Keeps the orchestrator from trying a branch again at once that could not even be begun.
    async fn hold_back(&self, branch: &Branch) {
        let shared = &self.shared;
        let again = shared.clock.now() + shared.settings.retry.wait(1, 1.0);
        if let Err(error) = shared.store.hold_back(branch.id, again).await {
            tracing::warn!(%error, "the branch could not be held back");
        }
    }

    async fn status_now(&self, id: BranchId) -> MigrationStatus {
        match self.shared.store.state(id).await {
            Ok(Some(state)) => state.status,
            Ok(None) | Err(_) => MigrationStatus::Pending,
        }
    }
}

fn held(branch: &Branch, lease: &Lease) -> Failure {
    let until = lease.expires_time.format("%Y-%m-%dT%H:%M:%SZ");
    let message = format!("being worked on by {} until {until}", lease.owner);
    let error = MigrationError::new(&branch.code, FailureClass::Locked, message);
    Failure::refused(error.hint("wait and try again; the lock of a dead process clears by itself"))
}

fn undone_since(branch: &Branch, hold: &Hold) -> Failure {
    let since = hold.since.format("%Y-%m-%dT%H:%M:%SZ");
    let message = format!("migrations were undone at {since}, after this run was asked for");
    let error = MigrationError::new(&branch.code, FailureClass::Cancelled, message);
    Failure::refused(error.hint("apply again if they are to come back"))
}

fn gone(branch: &Branch) -> Failure {
    let error = MigrationError::new(&branch.code, FailureClass::Cancelled, "the branch was removed meanwhile");
    Failure::refused(error)
}

fn no_head_office(branch: &Branch, error: &StoreError) -> Failure {
    tracing::error!(%error, "no lease could be had");
    let error = MigrationError::new(&branch.code, FailureClass::Internal, "head office did not give a lease");
    Failure::refused(error.hint("check head office; the service's log has the detail"))
}

fn fault(branch: &Branch) -> Failure {
    let message = "a fault of Branchkeeper ended the attempt";
    let error = MigrationError::new(&branch.code, FailureClass::Internal, message);
    Failure::failed(error.hint("the service's log has the detail; what was done is in the branch's ledger"))
}

/// One line per branch and outcome.
fn log(outcome: &BranchOutcome, status: MigrationStatus) {
    let applied = outcome.applied.len();
    let took = format!("{:.3}s", outcome.duration.as_secs_f64());
    match &outcome.error {
        None if outcome.status == OutcomeStatus::Skipped => tracing::debug!(%status, "branch skipped"),
        None => tracing::info!(%status, applied, took, "branch migrated"),
        Some(error) => {
            let migration = error.migration_id.as_ref().map(ToString::to_string).unwrap_or_default();
            let place = if error.file.is_empty() { String::new() } else { format!("{}:{}", error.file, error.line) };
            tracing::warn!(%status, applied, took, class = %error.class, migration, place, "branch not migrated: {}", error.message);
        }
    }
}

//! Takes a run through its branches, many at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::halt::Halt;
use super::job::{Busy, Jobs, Places};
use super::news::News;
use super::patience::patiently;
use super::recorder::{Book, Recorder};
use super::runs::Origin;
use super::shared::Shared;
use crate::domain::{Branch, BranchId, EventBody, OutcomeStatus, Run, RunKind};
use crate::provider::Endpoint;
use crate::store::{Ending, KnownState, RunCounts, StoreError, Unfinished};

/// How many branches are read from head office at once.
const PAGE: u32 = 256;
/// For how long what was read of a branch may be used for its turn.
const FRESH: Duration = Duration::from_secs(1);
/// How long a branch on which somebody else works is left alone.
const BUSY: Duration = Duration::from_millis(200);

/// Works on `run` until every branch has had its turn, the run is cancelled, or the service stops. In the last case the
/// run stays open in head office, to be taken up again.
pub(super) async fn execute(shared: Arc<Shared>, run: Run, origin: Origin, halt: Halt, news: watch::Sender<News>) {
    let id = run.id;
    // A run that was taken up may meet leases that its last process has left, even if that has recorded nothing yet.
    let resumed = origin != Origin::New;
    let so_far = match resumed {
        false => RunCounts::default(),
        true => match patiently(&halt, || shared.store.counts(id)).await {
            Ok(counts) => counts,
            Err(error) => {
                return tracing::error!(run = %id, %error, "the run could not be begun; it will be taken up again");
            }
        },
    };
    let limit = run.request.max_parallel.map_or(shared.settings.parallel, |most| most as usize).max(1);
    let stop_on_error = run.request.stop_on_error;
    let book = Book {
        store: shared.store.clone(),
        run_id: id,
        owner: shared.owner.clone(),
        is_rollback: run.kind == RunKind::Rollback,
        branches_total: run.branches_total,
        branches_done: so_far.finished(),
        gathers: run.branches_total > 1 && window(limit, stop_on_error) > limit,
        newest: run.last_sequence,
        news: news.clone(),
        halt: halt.clone(),
    };
    let (recorder, writing) = Recorder::start(book, Arc::clone(&shared.clock));
    recorder.event(EventBody::RunStarted { branches_total: run.branches_total });
    tracing::info!(run = %id, kind = %run.kind, branches = run.branches_total, done = so_far.finished(), "run begins");

    let failed = so_far.failed + so_far.refused > 0;
    let jobs = Arc::new(Jobs { shared: Arc::clone(&shared), run, halt: halt.clone(), recorder, resumed });
    let walked = walk(&jobs, limit, stop_on_error, failed).await;
    let kind = jobs.run.kind;
    drop(jobs);
    // The writer ends when the last recorder is gone and everything is written.
    let ended = writing.await.unwrap_or_else(|error| {
        tracing::error!(run = %id, %error, "the writer of the run's events failed");
        None
    });
    if let Some(run) = ended {
        return tell_end(&run);
    }
    match walked {
        Err(error) => tracing::error!(run = %id, %error, "the run was interrupted; it will be taken up again"),
        Ok(()) if halt.reason().is_some() && !halt.is_cancelled() => {
            tracing::info!(run = %id, "the run is interrupted; it goes on when the service is back");
        }
        Ok(()) => {
            let ending = if halt.is_cancelled() { Ending::Cancelled } else { Ending::Done };
            if (kind, ending) == (RunKind::AutoMigrate, Ending::Cancelled) {
                let interval = TimeDelta::from_std(shared.settings.auto.interval).unwrap_or(TimeDelta::zero());
                let until = shared.clock.now() + interval;
                // Otherwise the next pass would begin at once what has just been cancelled.
                if let Err(error) = shared.store.hold_back_unfinished(id, until).await {
                    tracing::warn!(run = %id, %error, "the cancelled run's branches could not be held back");
                }
            }
            match patiently(&halt, || shared.store.end_run(id, &shared.owner, ending)).await {
                Ok(run) => {
                    tell_end(&run);
                    news.send_replace(News::at(run.last_sequence));
                }
                Err(error) => tracing::error!(run = %id, %error, "the run's end could not be recorded"),
            }
        }
    }
}

fn tell_end(run: &Run) {
    let result = run.result.clone().unwrap_or_default();
    tracing::info!(
        run = %run.id, state = %run.state, succeeded = result.branches_succeeded, failed = result.branches_failed,
        skipped = result.branches_skipped, "run over"
    );
}

/// Gives every unfinished branch of the run its turn, `limit` at a time.
async fn walk(jobs: &Arc<Jobs>, limit: usize, stop_on_error: bool, mut failed: bool) -> Result<(), StoreError> {
    let places = Arc::new(Semaphore::new(limit));
    let window = window(limit, stop_on_error);
    let mut queue = Queue::new();
    let mut turns = JoinSet::new();
    while !(failed && stop_on_error) && jobs.halt.reason().is_none() {
        while let Some(ended) = turns.try_join_next() {
            failed |= is_failure(ended);
        }
        if turns.len() >= window {
            if let Some(ended) = turns.join_next().await {
                failed |= is_failure(ended);
            }
            continue;
        }
        let Some(found) = queue.next(jobs).await? else { break };
        let found = match found {
            Ok(found) => found,
            // One unreadable row does not keep the others from their turn.
            Err(error) => {
                tracing::error!(run = %jobs.run.id, %error, "a branch could not be read from head office");
                failed = true;
                continue;
            }
        };
        turns.spawn(place_and_turn(Arc::clone(jobs), Arc::clone(&places), found));
    }
    while let Some(ended) = turns.join_next().await {
        is_failure(ended);
    }
    Ok(())
}

/// How many branches are on their way at once: those that are worked on, those that wait for their place, and those whose
/// outcome is being recorded.
fn window(limit: usize, stop_on_error: bool) -> usize {
    // After the first failure nothing more may begin, and one at a time means in the order of the run's list: then nothing
    // is prepared ahead.
    if stop_on_error || limit == 1 {
        return limit;
    }
    // Branches that wait for their server's own cap do not keep the others from their turn, up to this many.
    (limit * 4).max(64)
}

fn is_failure(ended: Result<Option<OutcomeStatus>, tokio::task::JoinError>) -> bool {
    match ended {
        Ok(status) => matches!(status, Some(OutcomeStatus::Failed | OutcomeStatus::Refused)),
        Err(error) => {
            tracing::error!(%error, "a branch's turn ended abnormally; its lease runs out by itself");
            true
        }
    }
}

/// Waits for a place on the branch's server, then for one in the run, then gives the branch its turn. In a run over many
/// branches, one on which somebody else works has its turn when that is done, if it does not take longer than the lock is
/// waited for.
async fn place_and_turn(jobs: Arc<Jobs>, places: Arc<Semaphore>, mut found: Found) -> Option<OutcomeStatus> {
    let waits = !jobs.run.kind.names_one_branch() && jobs.run.kind != RunKind::AutoMigrate;
    let mut patience = None;
    loop {
        let places = enter(&jobs, &places, &found.branch).await?;
        if found.read.elapsed() >= FRESH {
            found = match read_again(&jobs, found.branch.id).await {
                Ok(found) => found,
                Err(ended) => return Some(ended),
            };
        }
        if !found.branch.is_active && !jobs.run.kind.names_one_branch() {
            // Made inactive since the run was made.
            return Some(jobs.skip(&found.branch).await);
        }
        let id = found.branch.id;
        let waits = waits && patience.is_none_or(|end| Instant::now() < end);
        match jobs.turn(found.branch, found.known, places, waits).await {
            Ok(ended) => return Some(ended),
            Err(Busy) => patience = patience.or(Some(Instant::now() + jobs.shared.settings.lock_wait)),
        }
        tokio::select! {
            () = tokio::time::sleep(BUSY) => {}
            () = jobs.halt.soft().cancelled() => return None,
        }
        found = match read_again(&jobs, id).await {
            Ok(found) => found,
            Err(ended) => return Some(ended),
        };
    }
}

/// A place on the branch's server and one in the run; `None` when the run is to stop.
async fn enter(jobs: &Jobs, places: &Arc<Semaphore>, branch: &Branch) -> Option<Places> {
    let hosts = &jobs.shared.hosts;
    // A connection that does not resolve fails in its turn, with the reason recorded.
    let endpoint = Endpoint::of(branch, &jobs.shared.settings.provider).ok();
    let host = endpoint.as_ref().map(Endpoint::host_key).unwrap_or_default();
    let both = async {
        loop {
            let on_host = hosts.enter(&host, endpoint.as_ref()).await?;
            if let Ok(in_run) = Arc::clone(places).try_acquire_owned() {
                return Some((on_host, in_run));
            }
            // A place on the server is not kept idle while the run has none to give: other runs could use it.
            drop(on_host);
            let in_run = Arc::clone(places).acquire_owned().await.ok()?;
            if let Some(on_host) = hosts.try_enter(&host, endpoint.as_ref()) {
                return Some((on_host, in_run));
            }
        }
    };
    tokio::select! {
        places = both => places,
        () = jobs.halt.soft().cancelled() => None,
    }
}

/// The branch as head office knows it now, or how its turn ends without that.
async fn read_again(jobs: &Jobs, id: BranchId) -> Result<Found, OutcomeStatus> {
    let read = Instant::now();
    match patiently(&jobs.halt, || jobs.shared.store.branch_and_state(id)).await {
        Ok(Some((branch, known))) => Ok(Found { branch, known, read }),
        // Removed since the run was made: its place is counted as skipped at the run's end.
        Ok(None) => Err(OutcomeStatus::Skipped),
        Err(error) => {
            tracing::error!(branch = %id, %error, "the branch could not be read from head office");
            Err(OutcomeStatus::Failed)
        }
    }
}

/// A branch of the run that is not finished, as it was when it was read.
struct Found {
    branch: Branch,
    known: KnownState,
    read: Instant,
}

/// The run's unfinished branches, read page by page. Those that were removed since the run was made are not among them:
/// their places are counted as skipped at the run's end.
struct Queue {
    position: i64,
    page: VecDeque<Unfinished>,
    read: Instant,
    exhausted: bool,
}

impl Queue {
    fn new() -> Self {
        Self { position: 0, page: VecDeque::new(), read: Instant::now(), exhausted: false }
    }

    async fn next(&mut self, jobs: &Jobs) -> Result<Option<Result<Found, StoreError>>, StoreError> {
        if self.page.is_empty() && !self.exhausted {
            self.read = Instant::now();
            let next = || jobs.shared.store.unfinished(jobs.run.id, self.position, PAGE);
            self.page = patiently(&jobs.halt, next).await?.into();
            self.exhausted = self.page.len() < PAGE as usize;
        }
        let Some((position, found)) = self.page.pop_front() else { return Ok(None) };
        self.position = position;
        Ok(Some(found.map(|(branch, known)| Found { branch, known, read: self.read })))
    }
}

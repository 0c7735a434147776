//! Writes what happens in a run to head office, in batches.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::halt::Halt;
use super::news::News;
use super::patience::patiently;
use crate::domain::{BranchOutcome, Clock, EventBody, MigrationStatus, Run, RunId, Time};
use crate::store::{Batch, Finished, HeadOffice, Next};

/// The most entries written in one transaction.
const MAX_BATCH: usize = 512;
/// How long the writer waits for other branches of the run to come to an end as well. No work waits for it meanwhile, and
/// what is written together costs little more than what is written alone.
const GATHER: Duration = Duration::from_millis(25);
/// How many ends are enough to be written at once: fewer than the rollout has on their way.
const ENOUGH: usize = 32;
/// A branch with which a run is through.
pub(super) struct Finish {
    /// What came of it.
    pub(super) outcome: BranchOutcome,
    /// The state that the branch has then.
    pub(super) next: Next,
    /// Where the branch stands, for the event.
    pub(super) status: MigrationStatus,
}

enum Entry {
    Event(Time, Box<EventBody>),
    Finish(Time, Box<Finish>, oneshot::Sender<()>),
}

/// Takes events and outcomes of one run. Events are only queued; the queue stays short, because every branch waits at its
/// end until all of it is written.
#[derive(Clone)]
pub(super) struct Recorder {
    queue: mpsc::UnboundedSender<Entry>,
    clock: Arc<dyn Clock>,
}

/// What the writing side of a recorder needs.
pub(super) struct Book {
    pub(super) store: HeadOffice,
    pub(super) run_id: RunId,
    pub(super) owner: String,
    /// Whether what its outcomes list was undone.
    pub(super) is_rollback: bool,
    pub(super) branches_total: u32,
    pub(super) branches_done: u32,
    /// Whether branches go on while others wait to be recorded.
    pub(super) gathers: bool,
    /// The run's newest event, so that a batch whose answer was lost can be sent again.
    pub(super) newest: i64,
    /// Told after each write.
    pub(super) news: watch::Sender<News>,
    /// Pulled when the run turns out to belong to another process now.
    pub(super) halt: Halt,
}

impl Recorder {
    /// Starts writing. The task ends when all recorders of the run are dropped and the queue is written, or the run is over
    /// because all of its branches have come to an end; then it gives the run.
    pub(super) fn start(book: Book, clock: Arc<dyn Clock>) -> (Self, tokio::task::JoinHandle<Option<Run>>) {
        let (queue, entries) = mpsc::unbounded_channel();
        (Self { queue, clock }, tokio::spawn(book.keep(entries)))
    }

    /// Records an event. Its time is now.
    pub(super) fn event(&self, body: EventBody) {
        // The writer only goes away when the run is given up; then nobody counts on the event any more.
        let _ = self.queue.send(Entry::Event(self.clock.now(), Box::new(body)));
    }

    /// Records that the run is through with a branch, gives up its lease, and waits until that is committed.
    pub(super) async fn finish(&self, finish: Finish) {
        let (written, wait) = oneshot::channel();
        if self.queue.send(Entry::Finish(self.clock.now(), Box::new(finish), written)).is_ok() {
            let _ = wait.await;
        }
    }
}

impl Book {
    async fn keep(mut self, mut entries: mpsc::UnboundedReceiver<Entry>) -> Option<Run> {
        let mut taken = Vec::with_capacity(MAX_BATCH);
        while entries.recv_many(&mut taken, MAX_BATCH).await > 0 {
            self.gather(&mut entries, &mut taken).await;
            let mut batch = Batch {
                run_id: self.run_id,
                owner: self.owner.clone(),
                events: Vec::new(),
                finished: Vec::new(),
                ends: false,
            };
            let mut waiting = Vec::new();
            for entry in taken.drain(..) {
                match entry {
                    Entry::Event(time, body) => batch.events.push((time, *body)),
                    Entry::Finish(time, finish, written) => {
                        self.branches_done += 1;
                        batch.events.push((time, self.finished_event(&finish)));
                        let Finish { outcome, next, .. } = *finish;
                        batch.finished.push(Finished { outcome, next });
                        waiting.push(written);
                    }
                }
            }
            batch.ends = !waiting.is_empty() && self.branches_done >= self.branches_total && !self.halt.is_cancelled();
            let ended = self.write(batch).await?;
            for written in waiting {
                let _ = written.send(());
            }
            if ended.is_some() {
                return ended;
            }
        }
        None
    }

    /// Takes what other branches have to record at about the same time; no longer than until all have come to an end, or
    /// enough of them.
    async fn gather(&self, entries: &mut mpsc::UnboundedReceiver<Entry>, taken: &mut Vec<Entry>) {
        let until = tokio::time::Instant::now() + GATHER;
        while self.gathers && taken.len() < MAX_BATCH && self.are_more_to_come(taken) {
            let room = MAX_BATCH - taken.len();
            match tokio::time::timeout_at(until, entries.recv_many(taken, room)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => break,
            }
        }
    }

    /// Whether there are branches whose end is neither recorded nor in `taken`, and those in `taken` are not enough.
    fn are_more_to_come(&self, taken: &[Entry]) -> bool {
        let ended = taken.iter().filter(|entry| matches!(entry, Entry::Finish(..))).count();
        let all = u32::try_from(ended).unwrap_or(u32::MAX).saturating_add(self.branches_done);
        ended < ENOUGH && all < self.branches_total
    }

    /// Writes a batch, with patience while head office is away; gives the run where it is over with this. `None` when the
    /// run is given up: the branches' ledgers keep what was done, and the run is taken up again later.
    async fn write(&mut self, batch: Batch) -> Option<Option<Run>> {
        let batch = Arc::new(batch);
        match patiently(&self.halt, || self.store.record_after(Arc::clone(&batch), self.newest)).await {
            Ok(recorded) => {
                let last = recorded.events.last().map(|event| event.sequence);
                if let Some(newest) = recorded.ended.as_ref().map(|run| run.last_sequence).or(last) {
                    self.newest = newest;
                    self.news.send_replace(News::with(newest, recorded.events));
                }
                for branch in recorded.lost {
                    tracing::warn!(run = %self.run_id, %branch, "the lease was lost before the outcome was recorded");
                }
                Some(recorded.ended.map(|run| *run))
            }
            Err(error) => {
                tracing::error!(run = %self.run_id, %error, "the run cannot be recorded any more; its work stops");
                self.halt.abandon();
                None
            }
        }
    }

    fn finished_event(&self, finish: &Finish) -> EventBody {
        EventBody::BranchFinished {
            branch_code: finish.outcome.branch_code.clone(),
            status: finish.status,
            applied_migrations: if self.is_rollback { Vec::new() } else { finish.outcome.applied.clone() },
            rolled_back_migrations: if self.is_rollback { finish.outcome.applied.clone() } else { Vec::new() },
            error: finish.outcome.error.clone(),
            duration: finish.outcome.duration,
            branches_done: self.branches_done,
            branches_total: self.branches_total,
        }
    }
}

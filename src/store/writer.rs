//! Group commit: the small writes that many branches make at once share a transaction, and with it one flush to disk.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::audit::AuditEntry;
use super::db::Db;
use super::events::{self, Batch, Recorded};
use super::head_office::to_micros;
use super::leases::{self, Acquire};
use super::runs::{self, KeptRun};
use super::{HeadOffice, StoreError, audit_chain};
use crate::domain::{BranchId, BranchState, Clock, Routes, Time};

/// How many commands wait before callers do.
pub(super) const QUEUE: usize = 1024;
/// How often a command is tried that stands in another replica's way.
const TRIES: usize = 3;
/// The most commands in one transaction.
const GROUP: usize = 256;

/// A small write.
#[derive(Debug)]
pub(super) enum Command {
    Acquire { id: BranchId, owner: String, ttl: Duration, floor: i64 },
    Renew { id: BranchId, token: i64, ttl: Duration },
    Release { id: BranchId, token: i64, state: Box<BranchState> },
    Record { batch: Arc<Batch>, after: Option<i64>, routes: Option<Arc<Routes>> },
    KeepRuns { owner: String, ttl: Duration },
    Audit { entry: Box<AuditEntry> },
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Reply {
    Acquired(Acquire),
    Done(bool),
    Recorded(Recorded),
    Kept(Vec<KeptRun>),
}

/// A command and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    command: Command,
    reply: oneshot::Sender<Result<Reply, StoreError>>,
}

/// How a group's transaction failed.
enum Failure {
    /// One of its commands failed, and nothing of it took effect.
    OfOne,
    /// No transaction could be begun, or the commit was not answered and may have taken effect. Either way the commands
    /// must not be tried again here.
    OfAll(StoreError),
}

impl HeadOffice {
    /// Hands a command to the writer and waits until it is committed. The command runs even if nobody waits any more.
    pub(super) async fn write(&self, command: Command) -> Result<Reply, StoreError> {
        let closed = || StoreError::Unavailable("it is closed; the service is stopping".into());
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs().ok_or_else(closed)?;
        jobs.send(Job { command, reply }).await.map_err(|_| closed())?;
        drop(jobs);
        answer.await.map_err(|_| closed())?
    }
}

impl Reply {
    /// The reply to a command that is answered with yes or no.
    pub(super) fn done(self) -> Result<bool, StoreError> {
        match self {
            Self::Done(done) => Ok(done),
            other => Err(other.unexpected()),
        }
    }

    /// The error for a reply that does not belong to its command.
    pub(super) fn unexpected(self) -> StoreError {
        StoreError::internal(format!("the writer gave an answer to another question: {self:?}"))
    }
}

impl Command {
    async fn run(&self, tx: &mut super::db::Tx, now: Time) -> Result<Reply, StoreError> {
        match self {
            Self::Acquire { id, owner, ttl, floor } => {
                leases::acquire(tx, now, *id, owner, *ttl, *floor).await.map(Reply::Acquired)
            }
            Self::Renew { id, token, ttl } => leases::renew(tx, now, *id, *token, *ttl).await.map(Reply::Done),
            Self::Release { id, token, state } => leases::release(tx, *id, *token, state).await.map(Reply::Done),
            Self::Record { batch, after, routes } => {
                events::record(tx, batch, *after, routes.as_deref(), now).await.map(Reply::Recorded)
            }
            Self::KeepRuns { owner, ttl } => runs::keep(tx, now, owner, *ttl).await.map(Reply::Kept),
            Self::Audit { entry } => audit_chain::append(tx, entry).await.map(|()| Reply::Done(true)),
        }
    }

    /// The order in which rows are locked, the same in every replica, so that two groups seldom lock crosswise.
    fn order(&self, other: &Self) -> Ordering {
        let key = |command: &Self| match command {
            Self::Acquire { id, .. } | Self::Renew { id, .. } | Self::Release { id, .. } => (0, Some(*id), None),
            // A heartbeat locks many runs, in no order: by itself, before any other run is locked.
            Self::KeepRuns { .. } => (1, None, None),
            Self::Record { batch, .. } => (2, None, Some(batch.run_id)),
            // The chain's one row last: every replica waits for it.
            Self::Audit { .. } => (3, None, None),
        };
        key(self).cmp(&key(other))
    }
}

/// The writer's task: takes what has queued up, commits it together, and replies. Ends with the queue.
pub(super) async fn write(db: Db, clock: Arc<dyn Clock>, mut queue: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut jobs, GROUP).await > 0 {
        // Stable: commands about the same branch keep their order.
        jobs.sort_by(|one, two| one.command.order(&two.command));
        let now = to_micros(clock.now());
        let commands: Vec<&Command> = jobs.iter().map(|job| &job.command).collect();
        match together(&db, &commands, now).await {
            Ok(replies) => {
                for (job, reply) in jobs.drain(..).zip(replies) {
                    let _ = job.reply.send(reply);
                }
            }
            Err(Failure::OfAll(error)) => {
                for job in jobs.drain(..) {
                    let _ = job.reply.send(Err(error.clone()));
                }
            }
            Err(Failure::OfOne) => one_by_one(&db, &mut jobs, now).await,
        }
    }
}

/// Runs all commands in one transaction. A command that is refused (it found its run lost, say) has written nothing and
/// does not trouble the others; one that fails undoes the transaction.
async fn together(db: &Db, commands: &[&Command], now: Time) -> Result<Vec<Result<Reply, StoreError>>, Failure> {
    let mut tx = db.begin().await.map_err(Failure::OfAll)?;
    let mut replies = Vec::with_capacity(commands.len());
    for command in commands {
        match command.run(&mut tx, now).await {
            Ok(reply) => replies.push(Ok(reply)),
            Err(refused @ StoreError::RunLost(_)) => replies.push(Err(refused)),
            Err(_) => return Err(Failure::OfOne),
        }
    }
    tx.commit().await.map_err(Failure::OfAll)?;
    Ok(replies)
}

/// After a group failed: each command alone, so that a bad one fails alone. When head office does not answer at all, the
/// rest is not tried in vain.
async fn one_by_one(db: &Db, jobs: &mut Vec<Job>, now: Time) {
    let mut down = None;
    for job in jobs.drain(..) {
        let result = match &down {
            Some(error) => Err(StoreError::clone(error)),
            None => alone(db, &job.command, now).await,
        };
        if let Err(error @ StoreError::Unavailable(_)) = &result {
            down = Some(error.clone());
        }
        let _ = job.reply.send(result);
    }
}

async fn alone(db: &Db, command: &Command, now: Time) -> Result<Reply, StoreError> {
    for _ in 1..TRIES {
        match once(db, command, now).await {
            Err(StoreError::Contended(_)) => {}
            ended => return ended,
        }
    }
    once(db, command, now).await
}

async fn once(db: &Db, command: &Command, now: Time) -> Result<Reply, StoreError> {
    let mut tx = db.begin().await?;
    let reply = command.run(&mut tx, now).await?;
    tx.commit().await?;
    Ok(reply)
}

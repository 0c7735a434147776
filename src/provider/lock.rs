use std::time::Duration;

use tokio::time::Instant;

use crate::domain::Time;

use super::claim::{LockRow, Verdict, judge};
use super::connection::{Cause, Failure};
use super::dialect::LockMeans;
use super::error::{ErrorKind, ProviderError};
use super::hold::Hold;
use super::session::{Session, Used};
use super::stop::{Backoff, Stop, later};

/// Who wants to work on a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The head office, by its own id. Tokens of different head offices say nothing about each other.
    pub head_office: String,
    /// Head office's fencing token for this branch; a later lease has a higher one.
    pub token: i64,
    /// Who holds the lease, in words that help a person who meets the lock.
    pub owner: String,
    /// How long a lock that is a row lasts unless it is renewed.
    pub lease: Duration,
}

/// The proof of holding a branch's lock: an epoch that the branch database counts up with every lock. What commits under
/// it proves in the same transaction that the epoch is still this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    pub(super) epoch: i64,
    pub(super) owner: String,
    pub(super) lease: Duration,
    pub(super) pid: Option<i64>,
}

impl Fence {
    /// The epoch, for logs.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }
}

/// The shortest and longest pause between two looks at a lock that somebody else holds.
const POLL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

impl Session {
    /// Takes the branch's lock, and makes ledger and lock tables where they are missing. Waits for another holder up to
    /// `wait` by asking again and again: a blocking wait would hold a snapshot, which `CREATE INDEX CONCURRENTLY` of the
    /// holder waits for in turn.
    ///
    /// On SQLite the lock is not committed yet when this returns; the first work commits it along. Read the ledger again
    /// under the lock before deciding what to do.
    ///
    /// Fails with [`ErrorKind::Locked`], naming the holder; [`ErrorKind::StaleToken`]; [`ErrorKind::Unsupported`] when a
    /// connection pooler strips the session of its lock.
    pub async fn lock(&mut self, claim: &Claim, wait: Duration, stop: &Stop) -> Result<Fence, ProviderError> {
        if self.hold != Hold::Nothing {
            return Err(ProviderError::new(ErrorKind::Internal, "the session holds a lock already"));
        }
        if claim.owner.is_empty() || claim.owner.contains('\0') || claim.head_office.contains('\0') {
            return Err(ProviderError::new(ErrorKind::Internal, "the lock's owner is not a text"));
        }
        let until = later(Instant::now(), wait);
        let mut backoff = Backoff::new(POLL.0, POLL.1);
        loop {
            let held = match self.try_lock(claim).await? {
                Attempt::Taken(fence) => return Ok(fence),
                Attempt::Held(held) => held,
            };
            let pause = backoff.next();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(match held {
                    Some(held) => held,
                    None => self.name_holder().await,
                });
            }
            stop.sleep(pause.min(left)).await.map_err(|reason| reason.error("waiting for the branch's lock"))?;
        }
    }

    /// Gives the lock back. Does nothing where it has been given back already or was never committed. When this fails,
    /// close the session: that gives it back too, or it expires (SQLite).
    pub async fn unlock(&mut self, fence: Fence) -> Result<(), ProviderError> {
        match self.hold {
            Hold::Nothing => return Ok(()),
            Hold::Uncommitted | Hold::Working => {
                self.roll_back().await;
                if self.hold == Hold::Nothing {
                    return Ok(());
                }
            }
            Hold::Committed => {}
        }
        self.hold = Hold::Nothing;
        let mut text = self.sql.release(&fence);
        if let LockMeans::Session { before_release, .. } = &self.sql.dialect.lock {
            text = format!("{};\n{text};\n{}", self.sql.fill(before_release), self.sql.let_go(fence.pid));
        }
        let Err(failure) = self.query(&text).await else { return Ok(()) };
        self.let_go(fence.pid).await;
        Err(if failure.cause == Cause::Refused { fence_lost() } else { failure.error })
    }

    /// Lets go of the server's lock after something went wrong. Behind a pooler it may be another session's turn; then this
    /// asks again for a while, because a lock that stays behind would shut everybody out.
    async fn let_go(&mut self, pid: Option<i64>) {
        let text = self.sql.let_go(pid);
        if text.is_empty() {
            return;
        }
        for _ in 0..50 {
            match self.ask(&text).await {
                Ok(rows) if rows.first().and_then(|row| row.number(0)) != pid => {}
                _ => return,
            }
        }
    }

    /// Makes sure, between two pieces of work, that the lock is still ours, and moves its expiry where it has one.
    pub async fn renew(&mut self, fence: &Fence) -> Result<(), ProviderError> {
        match self.hold {
            Hold::Nothing => return Err(fence_lost()),
            // Nobody else can write while our transaction is open.
            Hold::Uncommitted | Hold::Working => return Ok(()),
            Hold::Committed => {}
        }
        let ours = match &self.sql.dialect.lock {
            LockMeans::Row => {
                let text = format!("{};\n{}", self.sql.touch(fence), self.sql.is_ours(fence));
                match self.query(&text).await {
                    Ok(rows) => rows.first().is_some_and(|row| row.number(0) == Some(1)),
                    Err(failure) if failure.cause == Cause::Refused => false,
                    Err(failure) => return Err(failure.error),
                }
            }
            LockMeans::Session { held, .. } => {
                let text = format!("{};\n{}", self.sql.is_ours(fence), self.sql.fill(held));
                let rows = self.query(&text).await.map_err(|failure| failure.error)?;
                matches!(&rows[..], [row, lock] if row.number(0) == Some(1) && lock.is_true(1))
            }
        };
        if ours {
            return Ok(());
        }
        self.hold = Hold::Nothing;
        Err(fence_lost())
    }

    async fn try_lock(&mut self, claim: &Claim) -> Result<Attempt, ProviderError> {
        match &self.sql.dialect.lock {
            LockMeans::Row => self.try_row(claim).await,
            LockMeans::Session { try_lock, held, pooler, .. } => self.try_session(claim, try_lock, held, pooler).await,
        }
    }

    async fn try_row(&mut self, claim: &Claim) -> Result<Attempt, ProviderError> {
        let dialect = self.sql.dialect;
        if self.used != Used::Never {
            // Some settings can't be changed any more once the transaction is open.
            self.ask(&dialect.reset.join(";\n")).await.map_err(|failure| failure.error)?;
            self.used = Used::Never;
        }
        let begin = format!("{};\n{}", dialect.begin, self.sql.fill(dialect.select_lock));
        let row = match self.ask(&begin).await {
            Ok(rows) => rows.first().map(LockRow::read),
            Err(failure) if failure.cause == Cause::MissingTable => None,
            Err(failure) if failure.cause == Cause::Busy => {
                return Ok(Attempt::Held(Some(locked("a program that is writing to the file".into(), None))));
            }
            Err(failure) => {
                self.roll_back().await;
                return Err(failure.error);
            }
        };
        match judge(row.as_ref(), claim, self.settings.clock.now()) {
            Verdict::Take => {}
            Verdict::Stale(stored) => {
                self.roll_back().await;
                return Err(stale(stored));
            }
            Verdict::Held { holder, until, clamp } => {
                if clamp {
                    let text = format!("{};\nCOMMIT", self.sql.clamp(claim.lease));
                    if self.ask(&text).await.is_err() {
                        self.roll_back().await;
                    }
                } else {
                    self.roll_back().await;
                }
                return Ok(Attempt::Held(Some(locked(holder, Some(until)))));
            }
        }
        let rows = match self.ask(&self.take(claim, &[])).await {
            Ok(rows) => rows,
            Err(failure) => {
                self.roll_back().await;
                return Err(failure.error);
            }
        };
        let epoch = rows.first().map(|row| LockRow::read(row).epoch).unwrap_or_default();
        self.hold = Hold::Uncommitted;
        Ok(Attempt::Taken(Fence { epoch, owner: claim.owner.clone(), lease: claim.lease, pid: None }))
    }

    async fn try_session(
        &mut self,
        claim: &Claim,
        try_lock: &str,
        held: &str,
        pooler: &str,
    ) -> Result<Attempt, ProviderError> {
        let rows = self.ask(&self.sql.fill(try_lock)).await.map_err(|failure| failure.error)?;
        let Some(row) = rows.first().filter(|row| row.is_true(1)) else { return Ok(Attempt::Held(None)) };
        let pid = row.number(0);
        let mark = row.text(2).ok().flatten();
        if let Some(connection) = &mut self.connection {
            connection.know_pid(pid);
            if connection.is_lent(pid, mark.as_deref()).await {
                self.let_go(pid).await;
                let text = "the session of the server that has the lock also serves other clients: a connection pooler \
                            hands each transaction to any of its sessions";
                return Err(ProviderError::new(ErrorKind::Unsupported, text).hint(pooler));
            }
        }
        let held = self.sql.fill(held);
        let text = format!("{};\n{};\nCOMMIT", self.sql.dialect.begin, self.take(claim, &[&held]));
        let taken = match self.ask(&text).await {
            Ok(rows) => self.have(claim, pid, &rows, pooler).await,
            Err(failure) if failure.cause == Cause::Busy => {
                Err(locked("a session that keeps the lock's table to itself".into(), None))
            }
            Err(failure) => Err(failure.error),
        };
        match taken {
            Ok(fence) => {
                self.hold = Hold::Committed;
                Ok(Attempt::Taken(fence))
            }
            Err(error) => {
                // Whether or not this gets through: the lock ends with the session.
                self.roll_back().await;
                self.let_go(pid).await;
                Err(error)
            }
        }
    }

    /// The statements that take the row and show it, and `and_ask` after them.
    fn take(&self, claim: &Claim, and_ask: &[&str]) -> String {
        let dialect = self.sql.dialect;
        let mut statements: Vec<String> = dialect.create_tables.iter().map(|text| self.sql.fill(text)).collect();
        statements.extend(self.sql.claim(claim));
        statements.push(self.sql.fill(dialect.select_lock));
        statements.extend(and_ask.iter().map(|text| (*text).to_owned()));
        statements.join(";\n")
    }

    /// The lock as these rows show it. What somebody before us has left open is in the ledger afterwards.
    async fn have(
        &mut self,
        claim: &Claim,
        pid: Option<i64>,
        rows: &[super::connection::Row],
        pooler: &str,
    ) -> Result<Fence, ProviderError> {
        let row = Self::check_taken(claim, pid, rows, pooler)?;
        let fence = Fence { epoch: row.epoch, owner: claim.owner.clone(), lease: claim.lease, pid };
        if let Some(unit) = &row.unit {
            // Boxed: it is rare and large.
            Box::pin(self.tell_of(&fence, unit)).await?;
        }
        Ok(fence)
    }

    fn check_taken(
        claim: &Claim,
        pid: Option<i64>,
        rows: &[super::connection::Row],
        pooler: &str,
    ) -> Result<LockRow, ProviderError> {
        let [.., row, held] = rows else {
            return Err(ProviderError::new(ErrorKind::Internal, "the lock's row can't be read back"));
        };
        let same = pid.is_some() && held.number(0) == pid && held.is_true(1);
        if !same {
            let text =
                "the session lost its lock at once: a connection pooler hands each transaction to another session";
            return Err(ProviderError::new(ErrorKind::Unsupported, text).hint(pooler));
        }
        let row = LockRow::read(row);
        if row.owner.as_ref() != Some(&claim.owner) || row.token != claim.token {
            return Err(stale(row.token));
        }
        Ok(row)
    }

    async fn name_holder(&mut self) -> ProviderError {
        let LockMeans::Session { holder, .. } = &self.sql.dialect.lock else { return locked("somebody".into(), None) };
        let owner = match self.query(&self.sql.fill(self.sql.dialect.select_lock)).await {
            Ok(rows) => rows.first().and_then(|row| LockRow::read(row).owner),
            Err(_) => None,
        };
        let process = match self.query(&self.sql.fill(holder)).await {
            Ok(rows) => rows.first().map(|row| {
                let client = row.text(2).ok().flatten().unwrap_or_else(|| "this server".into());
                format!("process {} ({}) from {client}", row.text_or_empty(0), row.text_or_empty(1))
            }),
            Err(_) => None,
        };
        let holder = match (owner, process) {
            (Some(owner), Some(process)) => format!("{owner}, {process}"),
            (owner, process) => owner.or(process).unwrap_or_else(|| "somebody who has just let go".into()),
        };
        locked(holder, None)
    }

    /// As [`Session::query`], but without waiting for a busy file: whoever polls for the lock does that.
    async fn ask(&mut self, text: &str) -> Result<Vec<super::connection::Row>, Failure> {
        self.query_once(text, self.settings.connect_timeout).await
    }
}

enum Attempt {
    Taken(Fence),
    /// Somebody has it, and who, when that is known already.
    Held(Option<ProviderError>),
}

fn locked(holder: String, until: Option<Time>) -> ProviderError {
    let holder = crate::domain::shorten(&holder, 300);
    let end = until.map_or_else(String::new, |until| format!(" until {}", until.format("%Y-%m-%d %H:%M:%S UTC")));
    let text = format!("the branch is locked by {holder}{end}");
    ProviderError::new(ErrorKind::Locked { holder, until }, text).hint("retry when the holder is done")
}

fn stale(stored: i64) -> ProviderError {
    let text = format!("a newer lease of this head office, number {stored}, has locked the branch since");
    ProviderError::new(ErrorKind::StaleToken { stored }, text)
}

pub(super) fn fence_lost() -> ProviderError {
    ProviderError::new(ErrorKind::FenceLost, "the branch's lock has gone to another session; nothing was committed")
        .hint("another process works on the branch; look at its result")
}

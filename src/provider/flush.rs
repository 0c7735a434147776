use std::time::Duration;

use tokio::time::Instant;

use super::connection::{Cause, Ended, Failure, Overdue, Reply};
use super::error::ProviderError;
use super::lock::fence_lost;
use super::message::{Message, Purpose};
use super::run::{Observer, Work};
use super::session::Session;
use super::stop::{Backoff, Stop, later};

/// A message that did not go through.
#[derive(Debug)]
pub(super) struct Break {
    pub(super) error: ProviderError,
    /// What the failing statement was for; `None` when nothing was sent.
    pub(super) purpose: Option<Purpose>,
    /// The message held a commit, and nobody knows whether the server came to it.
    pub(super) in_doubt: bool,
    /// The server says that the transaction ended with this statement, which may have been committed with all before it.
    pub(super) ended: bool,
    /// The server answered, so the connection and its session go on.
    pub(super) answered: bool,
}

impl Break {
    /// Refused before anything was sent.
    pub(super) fn before(error: ProviderError, purpose: Option<Purpose>) -> Self {
        Self { error, purpose, in_doubt: false, ended: false, answered: true }
    }
}

impl Session {
    /// Sends a message and empties it. `works` are the migrations that its statements' numbers mean.
    ///
    /// SQLite's statements that meet another program's lock have done nothing, and are sent again until it is time to stop
    /// or the lock timeout is over; servers wait by themselves.
    pub(super) async fn flush(
        &mut self,
        message: &mut Message,
        works: &[Work<'_>],
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<(), Break> {
        let message = std::mem::take(message);
        let each = observer.each_statement();
        let patience = self.settings.lock_timeout.map(|timeout| later(Instant::now(), timeout));
        let mut backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(200));
        let mut sent = 0;
        loop {
            if let Some(reason) = stop.now() {
                return Err(Break::before(reason.error("the migration"), None));
            }
            let mut finished = 0;
            let mut since = Instant::now();
            let mut sink = |reply| {
                let Reply::Done = reply else { return };
                let purpose = message.parts().get(sent + finished).map(|part| part.purpose);
                finished += 1;
                if let (true, Some(Purpose::Statement { work, index })) = (each, purpose)
                    && let Some(work) = works.get(work)
                {
                    let total = work.planned.script().statements.len();
                    observer.statement_finished(work.id(), index, total, since.elapsed());
                }
                since = Instant::now();
            };
            let failure = match self.send(message.text_from(sent), stop, Overdue::Kill, &mut sink).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            let parts = message.parts();
            if parts.iter().take(sent + finished).any(|part| part.purpose == Purpose::Commit) {
                // What came after the commit only lets go of the lock; the end of the session does that too.
                self.connection = None;
                return Ok(());
            }
            let (part, position) = message.locate(sent, finished, failure.at);
            let retry = failure.cause == Cause::Busy && self.sql.dialect.waits_itself();
            if retry && patience.is_none_or(|end| Instant::now() < end) {
                if let Err(reason) = stop.sleep(backoff.next()).await {
                    return Err(Break::before(
                        reason.error("waiting for the file"),
                        parts.get(part).map(|p| p.purpose),
                    ));
                }
                sent = part;
                continue;
            }
            let purpose = parts.get(part).map(|part| part.purpose);
            return Err(self.explain(failure, purpose, position, message.commits(), works).await);
        }
    }

    async fn explain(
        &mut self,
        failure: Failure,
        purpose: Option<Purpose>,
        position: Option<usize>,
        commits: bool,
        works: &[Work<'_>],
    ) -> Break {
        let Failure { mut error, cause, ended, .. } = failure;
        if let Some(Purpose::Statement { work, index }) = purpose {
            error.position = position;
            let sql = works.get(work).and_then(|work| work.planned.script().statements.get(index));
            if let (None, Some(sql), Some(connection)) = (position, sql, &mut self.connection) {
                error.position = connection.error_offset(&sql.sql, &error).await;
            }
        }
        // Not every server says which of our own statements it was; a migration's travel without them or are known,
        // and so are those that its statements stand for.
        if cause == Cause::Refused && !matches!(purpose, Some(Purpose::Statement { .. } | Purpose::Step { .. })) {
            error = fence_lost();
        }
        let in_doubt = match ended {
            Ended::Answered => false,
            Ended::Goodbye => purpose == Some(Purpose::Commit),
            Ended::Lost => commits,
        };
        Break { error, purpose, in_doubt, ended: cause == Cause::TransactionEnded, answered: ended == Ended::Answered }
    }
}

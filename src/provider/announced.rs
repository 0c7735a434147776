//! A statement that may end the transaction that it runs in, and that most probably does not.
//!
//! It is announced in the journal, and then has a transaction of its own together with what the journal says of it
//! afterwards. Whether that held is proved as for any other; where that can't be asked any more, or the statement failed,
//! which may have been after it had ended the transaction and committed something else, the announcement stays.

use tokio::time::Instant;

use crate::domain::{SessionChange, Statement};

use super::error::{ExecutionError, Outcome};
use super::flush::Break;
use super::lock::Fence;
use super::message::{Message, Purpose};
use super::records::Entry;
use super::run::{Observer, Opened, Work};
use super::segment::{done, partly_done};
use super::session::Session;
use super::stop::Stop;

impl Session {
    /// Runs the statement at `index`, which the journal announces, and records it. With `last`, the migration is finished.
    #[expect(clippy::too_many_arguments, reason = "the parts of one call of run_segment")]
    pub(super) async fn run_announced(
        &mut self,
        fence: &Fence,
        work: &Work<'_>,
        index: usize,
        statement: &Statement,
        last: bool,
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<(), ExecutionError> {
        let works = std::slice::from_ref(work);
        let range = index..index + 1;
        let mut message = Message::default();
        self.open(&mut message, fence, work, Opened::For(range.clone()))
            .map_err(|error| partly_done(error, work, index))?;
        for user in done(work, index, SessionChange::User) {
            message.push(Purpose::Setting, user);
        }
        if let Err(broken) = self.flush(&mut message, works, stop, observer).await {
            return Err(self.not_begun(fence, work, index, broken).await);
        }
        // Whatever it makes may be called next.
        self.reached = None;
        let started = Instant::now();
        if let Err(broken) = self.push_alone(&mut message, statement, index) {
            return Err(self.not_begun(fence, work, index, broken).await);
        }
        let sent = match self.flush(&mut message, works, stop, observer).await {
            Ok(()) => {
                let took = self.sql.dialect.records_afterwards().then(|| started.elapsed());
                let digests = vec![statement.digest()];
                let entry = Entry::Done { digests, last, took, announced: false, next: None };
                // The announcement has made the row.
                self.push_journal(&mut message, &Opened::ToSettle, fence, work, index, &entry);
                self.flush(&mut message, works, stop, observer).await
            }
            // It was told to stop before it was sent.
            Err(broken) if broken.answered && broken.purpose.is_none() => {
                return Err(self.not_begun(fence, work, index, broken).await);
            }
            Err(broken) => Err(broken),
        };
        match sent {
            Ok(()) => {
                self.hold = self.hold.committed(false);
                Ok(())
            }
            Err(broken) => {
                let mut error = self.abort(broken, fence, works, 0, range).await;
                error.statement = Some(index);
                if !matches!(error.outcome, Outcome::InDoubt { .. }) {
                    error.outcome = Outcome::Unknown;
                }
                Err(error)
            }
        }
    }

    /// Takes the announcement back: the statement was not sent.
    async fn not_begun(&mut self, fence: &Fence, work: &Work<'_>, index: usize, broken: Break) -> ExecutionError {
        let mut error = self.abort(broken, fence, std::slice::from_ref(work), 0, index..index).await;
        if self.write_journal(fence, work, index, &Entry::Withdrawn).await.is_err() {
            error.outcome = Outcome::Unknown;
        }
        error
    }
}

//! Telling a branch's journal what a person has to settle, after the connection was lost on which that was found out.

use std::ops::Range;
use std::time::Duration;

use super::apply::{Attempt, Leased};
use super::failure::{Failure, settle_together};
use crate::domain::{Direction, Intent, Ledger, Planned, RowState};
use crate::provider::{Endpoint, ErrorKind, ProviderError, Session};

/// How often it is tried. As long as it does not succeed, only the error and head office's state say so.
const TRIES: u32 = 5;
/// How long is waited after the first try; longer each time.
const WAIT: Duration = Duration::from_millis(200);

/// Statements of which any may have taken effect, which the branch's journal does not say.
#[derive(Debug)]
pub(super) struct Doubt {
    /// What is told.
    pub(super) failure: Failure,
    /// Their migration.
    pub(super) planned: Planned,
    /// The statements.
    pub(super) statements: Range<usize>,
}

impl Attempt<'_> {
    /// Tells the journal. The failure says how it went.
    pub(super) async fn record(&self, doubt: Doubt, endpoint: &Endpoint, leased: &Leased<'_>) -> Failure {
        let Doubt { mut failure, planned, statements } = doubt;
        for number in 1..=TRIES {
            match self.try_record(&planned, &statements, endpoint, leased).await {
                Ok(()) => {
                    failure.error.hint = settle_together(self.branch, &statements);
                    break;
                }
                Err(error) if number == TRIES || self.halt.hard().is_cancelled() => {
                    tracing::error!(%error, "the journal could not be told of statements that a person has to settle");
                    break;
                }
                Err(error) => {
                    tracing::warn!(%error, "the journal could not be told yet of statements that a person has to settle");
                    tokio::time::sleep(WAIT * number).await;
                }
            }
        }
        failure
    }

    async fn try_record(
        &self,
        planned: &Planned,
        statements: &Range<usize>,
        endpoint: &Endpoint,
        leased: &Leased<'_>,
    ) -> Result<(), ProviderError> {
        let mut session = Session::connect(endpoint, &self.settings.provider).await?;
        let ended = self.record_in(&mut session, planned, statements, leased).await;
        session.close().await;
        ended
    }

    async fn record_in(
        &self,
        session: &mut Session,
        planned: &Planned,
        statements: &Range<usize>,
        leased: &Leased<'_>,
    ) -> Result<(), ProviderError> {
        let fence = session.lock(&leased.claim, self.settings.lock_wait, &self.stop()).await?;
        let ledger = session.ledger().await;
        let ended = match ledger {
            // It was told after all.
            Ok(ledger) if is_told(&ledger, planned, statements) => Ok(()),
            // Somebody else has got further meanwhile, who knew as little; what stands there is not overwritten.
            Ok(ledger) if !stands(&ledger, planned, statements.start) => {
                Err(ProviderError::new(ErrorKind::Ledger, "the ledger has changed since"))
            }
            Ok(_) => session.put_in_doubt(&fence, &self.work(planned), statements.clone()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = session.unlock(fence).await {
            tracing::warn!(%error, "the session lock could not be released");
        }
        ended
    }
}

/// Whether the journal says that a person has to settle these statements.
fn is_told(ledger: &Ledger, planned: &Planned, statements: &Range<usize>) -> bool {
    let script = planned.script().statements.get(statements.clone()).unwrap_or_default();
    match ledger.get(planned.migration.id.as_str()).map(|row| &row.state) {
        Some(RowState::Partial(journal)) => {
            journal.done.len() == statements.start && journal.intent == Some(Intent::together(script))
        }
        _ => false,
    }
}

/// Whether the ledger says of the migration what it said when the statements from `begin` on were begun.
fn stands(ledger: &Ledger, planned: &Planned, begin: usize) -> bool {
    match (ledger.get(planned.migration.id.as_str()).map(|row| &row.state), planned.direction) {
        (None, Direction::Up) | (Some(RowState::Applied), Direction::Down) => begin == 0,
        (Some(RowState::Applied), Direction::Up) => planned.replaces && begin == 0,
        (Some(RowState::Partial(journal)), direction) => {
            journal.direction == direction && journal.done.len() == begin && journal.intent.is_none()
        }
        (None, Direction::Down) => false,
    }
}

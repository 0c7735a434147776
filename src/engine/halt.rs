use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// Why work on a branch stops before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HaltReason {
    /// Somebody cancelled the run.
    Cancelled,
    /// The service is stopping.
    Stopping,
    /// Head office could not be told in time that the work goes on, so somebody else may have taken the branch.
    LeaseLost,
}

/// The ways in which work can be told to stop: softly, before the next transaction; or at once, by stopping the
/// statement on the server.
#[derive(Debug, Clone)]
pub(super) struct Halt {
    soft: CancellationToken,
    hard: CancellationToken,
    cancelled: Arc<AtomicBool>,
    lease_lost: Arc<AtomicBool>,
}

impl Halt {
    /// A halt that nobody has pulled. `soft` and `hard` are the whole service's.
    pub(super) fn new(soft: &CancellationToken, hard: &CancellationToken) -> Self {
        Self {
            soft: soft.child_token(),
            hard: hard.child_token(),
            cancelled: Arc::default(),
            lease_lost: Arc::default(),
        }
    }

    /// The halt of one branch in this run: stops with the run, and can be stopped alone.
    pub(super) fn for_branch(&self) -> Self {
        Self {
            soft: self.soft.child_token(),
            hard: self.hard.child_token(),
            cancelled: Arc::clone(&self.cancelled),
            lease_lost: Arc::default(),
        }
    }

    /// Stops everything at once, because somebody asked for it.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        self.soft.cancel();
        self.hard.cancel();
    }

    /// Stops at once, because the lease is lost.
    pub(super) fn lose_lease(&self) {
        self.lease_lost.store(true, Ordering::SeqCst);
        self.soft.cancel();
        self.hard.cancel();
    }

    /// Stops everything at once without anybody having asked: the run itself has been taken over.
    pub(super) fn abandon(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// The token that stops a statement on the server.
    pub(super) fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// The token after which nothing new begins.
    pub(super) fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Whether somebody cancelled the run.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Why to stop, if at all.
    pub(super) fn reason(&self) -> Option<HaltReason> {
        if self.lease_lost.load(Ordering::SeqCst) {
            Some(HaltReason::LeaseLost)
        } else if self.is_cancelled() {
            Some(HaltReason::Cancelled)
        } else if self.soft.is_cancelled() || self.hard.is_cancelled() {
            Some(HaltReason::Stopping)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_stops_with_its_run_but_not_the_other_way_round() {
        let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
        let run = Halt::new(&soft, &hard);
        let (one, two) = (run.for_branch(), run.for_branch());
        one.lose_lease();
        assert_eq!(one.reason(), Some(HaltReason::LeaseLost));
        assert_eq!((run.reason(), two.reason()), (None, None));
        run.cancel();
        assert_eq!(two.reason(), Some(HaltReason::Cancelled));
        assert!(!soft.is_cancelled() && !hard.is_cancelled());
    }

    #[test]
    fn a_stopping_service_begins_nothing_new_but_lets_statements_finish() {
        let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
        let run = Halt::new(&soft, &hard);
        soft.cancel();
        assert_eq!(run.reason(), Some(HaltReason::Stopping));
        assert!(!run.hard().is_cancelled());
    }
}

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::error::{ErrorKind, ProviderError};

/// When to stop: at a deadline, or when somebody asks.
#[derive(Debug, Clone)]
pub struct Stop {
    /// The latest moment.
    pub deadline: Instant,
    /// The request to stop.
    pub cancel: CancellationToken,
}

impl Stop {
    /// Stops after `limit`, and for no other reason.
    pub fn after(limit: Duration) -> Self {
        Self { deadline: later(Instant::now(), limit), cancel: CancellationToken::new() }
    }

    /// The same, but at `other` if that is earlier.
    pub(super) fn no_later_than(&self, other: Instant) -> Self {
        Self { deadline: self.deadline.min(other), cancel: self.cancel.clone() }
    }

    /// Waits until it is time to stop.
    pub(super) async fn reached(&self) -> Reason {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Reason::Cancelled,
            () = tokio::time::sleep_until(self.deadline) => Reason::Deadline,
        }
    }

    /// Whether it is time to stop already.
    pub(super) fn now(&self) -> Option<Reason> {
        if self.cancel.is_cancelled() {
            Some(Reason::Cancelled)
        } else {
            (Instant::now() >= self.deadline).then_some(Reason::Deadline)
        }
    }

    /// Sleeps for `time` or until it is time to stop.
    pub(super) async fn sleep(&self, time: Duration) -> Result<(), Reason> {
        tokio::select! {
            biased;
            reason = self.reached() => Err(reason),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }
}

/// `base` plus `time`, however long that is.
pub(super) fn later(base: Instant, time: Duration) -> Instant {
    base.checked_add(time).unwrap_or_else(|| base + Duration::from_secs(86_400 * 365))
}

/// Why something was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Deadline,
    Cancelled,
}

impl Reason {
    pub(super) fn error(self, what: &str) -> ProviderError {
        match self {
            Self::Deadline => ProviderError::new(ErrorKind::Timeout, format!("{what} took longer than its time limit"))
                .hint("raise the limit if the work needs longer, or look for what it waits for"),
            Self::Cancelled => ProviderError::new(ErrorKind::Cancelled, format!("{what} was cancelled")),
        }
    }
}

/// Waiting times that double from a start to a cap, so that a poll neither storms nor sleeps too long.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    cap: Duration,
}

impl Backoff {
    pub(super) fn new(start: Duration, cap: Duration) -> Self {
        Self { next: start, cap }
    }

    /// The next time to wait, up to a quarter shorter at random, so that waiters do not move in step.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (self.next * 2).min(self.cap);
        wait.mul_f64(rand::random_range(0.75..=1.0))
    }
}

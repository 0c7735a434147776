use std::time::Duration;

use tokio::time::Instant;
use tonic::Code;

use crate::error::Error;
use crate::semantics::{BACKOFF_INITIAL, BACKOFF_MAX, MAX_ATTEMPTS, reason};

/// Whether doing a call twice is the same as doing it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It changes nothing.
    Read,
    /// It carries a `request_id`, so the service does the work once.
    Named,
    /// Everything else.
    Write,
}

/// Whether the status says that trying again is safe and may help.
pub(crate) fn again(error: &Error, kind: Kind) -> bool {
    // Refused before it began, whatever it is.
    let refused = [reason::OVERLOADED, reason::RATE_LIMITED].contains(&error.reason.as_str());
    if error.code == Code::ResourceExhausted && refused {
        return true;
    }
    let asked = matches!(error.code, Code::ResourceExhausted | Code::Aborted) && error.retry_delay.is_some();
    kind != Kind::Write && (error.code == Code::Unavailable || asked)
}

/// Whether a stream that ended like this is to be opened again.
pub(crate) fn broken(error: &Error) -> bool {
    let network =
        matches!(error.code, Code::Unavailable | Code::Internal | Code::Unknown | Code::Cancelled | Code::Aborted);
    (error.reason.is_empty() && network) || again(error, Kind::Read)
}

/// The wait after so many failures in a row.
pub(crate) fn wait_after(failures: u32, error: &Error) -> Duration {
    let longest = BACKOFF_MAX.min(BACKOFF_INITIAL * 2_u32.pow(failures.saturating_sub(1).min(16)));
    error.retry_delay.unwrap_or_default() + longest.mul_f64(rand::random::<f64>())
}

/// The attempts of one call that answers once.
pub(crate) struct Attempts {
    kind: Kind,
    end: Instant,
    failures: u32,
}

impl Attempts {
    pub(crate) fn new(kind: Kind, limit: Duration) -> Self {
        Self { kind, end: Instant::now() + limit, failures: 0 }
    }

    pub(crate) fn end(&self) -> Instant {
        self.end
    }

    /// How long to wait before the next attempt; the error when there is to be none.
    pub(crate) fn wait(&mut self, error: Error) -> Result<Duration, Error> {
        self.failures += 1;
        let wait = wait_after(self.failures, &error);
        let over = self.failures >= MAX_ATTEMPTS || Instant::now() + wait >= self.end;
        if over || !again(&error, self.kind) { Err(error) } else { Ok(wait) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: Code, reason: &str, delayed: bool) -> Error {
        let mut error = Error::new(code, "");
        error.reason = reason.to_owned();
        error.retry_delay = delayed.then_some(Duration::from_secs(2));
        error
    }

    #[test]
    fn what_is_tried_again() {
        let cases = [
            (error(Code::Unavailable, "", false), true, false),
            (error(Code::Aborted, "BRANCH_LOCKED", true), true, false),
            (error(Code::Aborted, "", false), false, false),
            (error(Code::ResourceExhausted, "", false), false, false),
            (error(Code::ResourceExhausted, "OVERLOADED", true), true, true),
            (error(Code::ResourceExhausted, "RATE_LIMITED", true), true, true),
            (error(Code::DeadlineExceeded, "", false), false, false),
            (error(Code::Internal, "", false), false, false),
        ];
        for (error, read, write) in cases {
            assert_eq!((again(&error, Kind::Read), again(&error, Kind::Write)), (read, write), "{error}");
            assert_eq!(again(&error, Kind::Named), read);
        }
        assert!(broken(&error(Code::Internal, "", false)) && !broken(&error(Code::Internal, "INTERNAL", false)));
        assert!(!broken(&error(Code::NotFound, "RUN_NOT_FOUND", false)));
    }

    #[test]
    fn waits_grow_keep_to_what_was_asked_and_end() {
        let plain = error(Code::Unavailable, "", false);
        let asked = error(Code::Unavailable, "DRAINING", true);
        for _ in 0..100 {
            assert!(wait_after(1, &plain) <= BACKOFF_INITIAL && wait_after(50, &plain) <= BACKOFF_MAX);
            let wait = wait_after(1, &asked);
            assert!(wait >= Duration::from_secs(2) && wait <= Duration::from_secs(2) + BACKOFF_INITIAL);
        }
        let mut attempts = Attempts::new(Kind::Read, Duration::from_secs(60));
        assert!((0..4).all(|_| attempts.wait(plain.clone()).is_ok()));
        assert!(attempts.wait(plain).is_err());
        // Nobody waits beyond the deadline.
        assert!(Attempts::new(Kind::Read, Duration::from_secs(1)).wait(asked).is_err());
    }
}

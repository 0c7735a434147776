use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The least time between two lines of the log about the same trouble.
const EVERY: Duration = Duration::from_secs(10);

/// Lets the log tell of a trouble, but seldom.
#[derive(Debug, Default)]
pub(in crate::rpc) struct Seldom(Mutex<(Option<Instant>, u64)>);

impl Seldom {
    /// Whether the log may tell of it now, and then of how many times it has kept quiet since the last one.
    pub(in crate::rpc) fn once(&self, now: Instant) -> Option<u64> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0.is_some_and(|told| now.saturating_duration_since(told) < EVERY) {
            last.1 += 1;
            return None;
        }
        Some(std::mem::replace(&mut *last, (Some(now), 0)).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_quiet_is_counted() {
        let (seldom, now) = (Seldom::default(), Instant::now());
        assert_eq!((seldom.once(now), seldom.once(now), seldom.once(now)), (Some(0), None, None));
        assert_eq!((seldom.once(now + EVERY), seldom.once(now + EVERY)), (Some(2), None));
    }
}

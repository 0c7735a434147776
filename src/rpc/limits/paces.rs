use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Who;
use super::rate::Rate;

/// The most buckets that are kept.
const MOST: usize = 10_000;
/// The least time between two clearings.
const CLEAR_EVERY: Duration = Duration::from_secs(1);

/// A bucket for each of many. At most [`MOST`] are kept: those that are full again are cleared away, and when as many are
/// in use, newcomers share one.
#[derive(Debug)]
pub(super) struct Paces {
    rate: Option<Rate>,
    most: usize,
    buckets: Mutex<Buckets>,
}

#[derive(Debug)]
struct Buckets {
    /// When each will be full again.
    own: HashMap<Who, Instant>,
    shared: Instant,
    cleared: Instant,
}

impl Paces {
    /// One bucket of `rate` for each; `None` allows everything.
    pub(super) fn new(rate: Option<Rate>, now: Instant) -> Self {
        Self::bounded(rate, MOST, now)
    }

    fn bounded(rate: Option<Rate>, most: usize, now: Instant) -> Self {
        Self { rate, most, buckets: Mutex::new(Buckets { own: HashMap::new(), shared: now, cleared: now }) }
    }

    /// Takes one of the tokens of `who`, or says how long it takes until there is one.
    pub(super) fn take(&self, who: Who, now: Instant) -> Result<(), Duration> {
        let Some(rate) = self.rate else { return Ok(()) };
        let mut buckets = self.lock();
        if let Some(full) = buckets.own.get_mut(&who) {
            *full = rate.take(*full, now)?;
            return Ok(());
        }
        if buckets.own.len() >= self.most && now.duration_since(buckets.cleared) >= CLEAR_EVERY {
            buckets.cleared = now;
            buckets.own.retain(|_, full| *full > now);
        }
        if buckets.own.len() >= self.most {
            buckets.shared = rate.take(buckets.shared, now)?;
        } else {
            buckets.own.insert(who, rate.take(now, now)?);
        }
        Ok(())
    }

    /// How long it takes until `who` has a token; takes none.
    pub(super) fn wait(&self, who: Who, now: Instant) -> Option<Duration> {
        let rate = self.rate?;
        let buckets = self.lock();
        let full = match buckets.own.get(&who) {
            Some(full) => *full,
            None if buckets.own.len() >= self.most => buckets.shared,
            None => return None,
        };
        rate.take(full, now).err()
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paces(most: usize, now: Instant) -> Paces {
        Paces::bounded(Rate::new(1, 2), most, now)
    }

    #[test]
    fn one_s_rate_is_nobody_else_s() {
        let now = Instant::now();
        let paces = paces(10, now);
        let (ann, bob) = (Who(1), Who(2));
        assert_eq!((paces.take(ann, now), paces.take(ann, now)), (Ok(()), Ok(())));
        assert_eq!(paces.take(ann, now), Err(Duration::from_secs(1)));
        assert_eq!((paces.wait(ann, now), paces.wait(bob, now)), (Some(Duration::from_secs(1)), None));
        assert_eq!(paces.take(bob, now), Ok(()));
        assert_eq!(paces.take(ann, now + Duration::from_secs(1)), Ok(()));
    }

    #[test]
    fn there_are_never_more_buckets_than_may_be() {
        let begun = Instant::now();
        let paces = paces(3, begun);
        for who in 0..3 {
            paces.take(Who(who), begun).unwrap();
        }
        // Newcomers share one bucket; who has one of their own keeps it.
        assert!(paces.take(Who(8), begun).is_ok() && paces.take(Who(9), begun).is_ok());
        assert!(paces.take(Who(10), begun).is_err());
        assert!(paces.wait(Who(11), begun).is_some());
        assert!(paces.take(Who(0), begun).is_ok());
        // Those that are full again make room.
        let later = begun + Duration::from_secs(5);
        assert!(paces.take(Who(12), later).is_ok());
        assert_eq!(paces.lock().own.len(), 1);
    }

    #[test]
    fn without_a_rate_everything_is_allowed_and_nothing_is_kept() {
        let now = Instant::now();
        let paces = Paces::new(None, now);
        assert!((0..1000).all(|_| paces.take(Who(1), now).is_ok()));
        assert!(paces.lock().own.is_empty() && paces.wait(Who(1), now).is_none());
    }
}

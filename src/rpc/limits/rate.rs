use std::time::{Duration, Instant};

/// How often something may happen: so many times a second in the long run, and a number at once after a rest.
///
/// A bucket of tokens, kept as one moment: the one at which it will be full again (the generic cell rate algorithm of
/// ITU-T I.371). A bucket that is full need not be kept at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// The time in which one token comes back.
    interval: Duration,
    /// How far ahead of now the moment may lie when one more is taken.
    slack: Duration,
}

impl Rate {
    /// `per_second` tokens come back each second, and the bucket holds `burst`, at least one. `None`, which means no
    /// limit, when `per_second` is 0.
    pub(super) fn new(per_second: u32, burst: u32) -> Option<Self> {
        let interval = Duration::from_secs(1).checked_div(per_second)?;
        Some(Self { interval, slack: interval * burst.max(1).saturating_sub(1) })
    }

    /// Takes a token at `now` from a bucket that will be full at `full`, which lies in the past for one that is full. Gives
    /// when it will be full then, or how long it takes until there is a token.
    pub(super) fn take(self, full: Instant, now: Instant) -> Result<Instant, Duration> {
        let full = full.max(now);
        let ahead = full.duration_since(now);
        if ahead > self.slack { Err(ahead - self.slack) } else { Ok(full + self.interval) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_is_free_and_then_the_rate_counts() {
        let rate = Rate::new(10, 3).unwrap();
        let begun = Instant::now();
        let mut full = begun;
        for _ in 0..3 {
            full = rate.take(full, begun).unwrap();
        }
        assert_eq!(rate.take(full, begun), Err(SECOND / 10));
        assert_eq!(rate.take(full, begun + SECOND / 20), Err(SECOND / 20));
        let full = rate.take(full, begun + SECOND / 10).unwrap();
        assert_eq!(full, begun + SECOND * 4 / 10);
        // Rested for long, it holds a burst and no more.
        let late = begun + SECOND * 1000;
        let mut full = full;
        let allowed = (0..10).take_while(|_| rate.take(full, late).map(|next| full = next).is_ok()).count();
        assert_eq!(allowed, 3);
    }

    #[test]
    fn nothing_a_second_means_no_limit() {
        assert_eq!(Rate::new(0, 5), None);
        let rate = Rate::new(1, 0).unwrap();
        let now = Instant::now();
        assert_eq!(rate.take(rate.take(now, now).unwrap(), now), Err(SECOND));
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_rate(
            per_second in 1u32..2_000,
            burst in 0u32..50,
            waits in prop::collection::vec(0u64..200_000, 1..200),
        ) {
            let rate = Rate::new(per_second, burst).unwrap();
            let begun = Instant::now();
            let (mut now, mut full, mut allowed) = (begun, begun, 0u32);
            for wait in waits {
                now += Duration::from_micros(wait);
                match rate.take(full, now) {
                    Ok(next) => (full, allowed) = (next, allowed + 1),
                    // The wait that is told is enough, and no less is.
                    Err(told) => {
                        prop_assert!(rate.take(full, now + told).is_ok());
                        prop_assert!(rate.take(full, now + told - Duration::from_nanos(1)).is_err());
                    }
                }
            }
            let most = f64::from(burst.max(1)) + (now - begun).as_secs_f64() * f64::from(per_second) * 1.001 + 1.0;
            prop_assert!(f64::from(allowed) <= most, "{allowed} of {most}");
        }
    }
}

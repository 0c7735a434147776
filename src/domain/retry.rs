use std::time::Duration;

/// What failed connections mean for a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OfflinePolicy {
    /// They count like any other failure.
    #[default]
    Count,
    /// They are retried without end, for fleets whose branches sleep at night.
    KeepTrying,
}

/// When a failed branch is tried again, and when a person is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The failure with this number makes a branch `RequiresManualIntervention`. At least 1.
    pub max_attempts: u32,
    /// The wait after the first failure; it doubles with each further one.
    pub backoff: Duration,
    /// The longest wait.
    pub max_backoff: Duration,
    /// What failed connections mean.
    pub offline: OfflinePolicy,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            backoff: Duration::from_secs(30),
            max_backoff: Duration::from_secs(3600),
            offline: OfflinePolicy::Count,
        }
    }
}

impl RetryPolicy {
    /// The wait after failure number `failures` (from 1): `backoff × 2^(failures-1)`, at most `max_backoff`, of which
    /// the upper half is scattered by `jitter` in `0.0..=1.0` so that a fleet that failed together does not return together.
    pub fn wait(&self, failures: u32, jitter: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let full = self.backoff.saturating_mul(1 << doublings).min(self.max_backoff);
        full.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_double_up_to_the_limit() {
        let policy = RetryPolicy::default();
        let waits: Vec<u64> = [1, 2, 3, 8, 9, 4_000_000_000].map(|n| policy.wait(n, 1.0).as_secs()).into();
        assert_eq!(waits, [30, 60, 120, 3600, 3600, 3600]);
    }

    proptest! {
        #[test]
        fn a_wait_stays_between_half_and_whole(
            base in 1u64..10_000, most in 1u64..100_000, failures in 1u32.., jitter in -1.0f64..2.0,
        ) {
            let policy = RetryPolicy {
                backoff: Duration::from_millis(base),
                max_backoff: Duration::from_millis(most),
                ..RetryPolicy::default()
            };
            let wait = policy.wait(failures, jitter);
            let full = policy.wait(failures, 1.0);
            prop_assert!(wait <= full && full <= policy.max_backoff);
            prop_assert!(wait + Duration::from_micros(1) >= full / 2);
        }
    }
}

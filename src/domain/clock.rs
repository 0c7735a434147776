use std::sync::Mutex;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// A moment in UTC. Stored and compared in microseconds, the finest step that both head-office backends keep.
pub type Time = DateTime<Utc>;

/// Where "now" comes from. Injected, so that a test decides what time it is.
pub trait Clock: Send + Sync + 'static {
    /// The current moment.
    fn now(&self) -> Time;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        // No finer than it can be stored, so that a value reads the same before and after.
        Utc::now().trunc_subsecs(6)
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct ManualClock(Mutex<Time>);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Time) -> Self {
        Self(Mutex::new(start))
    }

    /// Moves the clock forward by `step`.
    pub fn advance(&self, step: std::time::Duration) {
        let step = TimeDelta::from_std(step).unwrap_or(TimeDelta::MAX);
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = now.checked_add_signed(step).unwrap_or(DateTime::<Utc>::MAX_UTC);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

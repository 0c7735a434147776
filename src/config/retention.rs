use std::time::Duration;

/// The audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// How long entries are kept. Default: 365 days.
    pub retention: Duration,
}

impl Default for Audit {
    fn default() -> Self {
        Self { retention: Duration::from_secs(365 * 86_400) }
    }
}

/// Finished runs and their events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runs {
    /// How long they are kept after their end. Default: 30 days.
    pub retention: Duration,
}

impl Default for Runs {
    fn default() -> Self {
        Self { retention: Duration::from_secs(30 * 86_400) }
    }
}

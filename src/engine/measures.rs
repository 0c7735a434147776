use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::Manager;
use super::error::EngineError;
use crate::store::Measures;

/// How long what was measured is good for: whoever asks more often costs head office nothing.
const FRESH: Duration = Duration::from_secs(1);

/// What head office was measured to have, and when.
#[derive(Debug, Default)]
pub(super) struct LastMeasured(Mutex<Option<(Instant, Measures)>>);

impl Manager {
    /// How much of everything there is in head office, as it was at most a second ago. Who asks at once shares one look.
    pub async fn measures(&self) -> Result<Measures, EngineError> {
        let mut last = self.0.measured.0.lock().await;
        if let Some((at, measures)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(measures.clone());
        }
        let measures = self.0.store.measures(&self.0.owner).await?;
        *last = Some((Instant::now(), measures.clone()));
        Ok(measures)
    }
}

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::halt::Halt;
use crate::store::StoreError;

/// How long head office may be away before what depends on it is given up. Long enough for a restart; branches whose
/// lease runs out meanwhile stop by themselves.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks head office until it answers, for at most [`PATIENCE`]. Any other error than its absence is passed on at once, and
/// so is that one when the work is told to stop at once.
pub(super) async fn patiently<T, F>(halt: &Halt, mut ask: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let give_up = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(100);
    loop {
        match ask().await {
            Err(StoreError::Unavailable(detail) | StoreError::Contended(detail))
                if Instant::now() + pause < give_up && !halt.hard().is_cancelled() =>
            {
                tracing::warn!(detail, "head office is away; waiting for it");
                tokio::select! {
                    () = sleep(pause) => {}
                    () = halt.hard().cancelled() => {}
                }
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn away() -> Result<u8, StoreError> {
        Err(StoreError::Unavailable("restarting".into()))
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_for_a_restart_but_not_for_ever() {
        let halt = Halt::new(&CancellationToken::new(), &CancellationToken::new());
        let mut asked = 0;
        let answer = patiently(&halt, || {
            asked += 1;
            std::future::ready(if asked < 5 { away() } else { Ok(7) })
        });
        assert_eq!(answer.await.unwrap(), 7);
        assert!(patiently(&halt, || std::future::ready(away())).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_run_does_not_wait() {
        let halt = Halt::new(&CancellationToken::new(), &CancellationToken::new());
        halt.cancel();
        let begun = Instant::now();
        assert!(patiently(&halt, || std::future::ready(away())).await.is_err());
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}

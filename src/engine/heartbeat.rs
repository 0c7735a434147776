use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::halt::Halt;
use crate::domain::BranchId;
use crate::store::HeadOffice;

/// Keeps a branch's lease alive while it is held: renews at a third of its life. When head office says that the lease is
/// no longer ours, or has not answered by the time it runs out, the work on the branch is stopped.
pub(super) struct Heartbeat(JoinHandle<()>);

impl Heartbeat {
    /// Starts renewing a lease that was asked for at `asked`; head office counts its life from some moment after that.
    pub(super) fn start(
        store: HeadOffice,
        branch: BranchId,
        token: i64,
        life: Duration,
        asked: Instant,
        halt: Halt,
    ) -> Self {
        Self(tokio::spawn(async move {
            let step = life / 3;
            let mut good_until = asked + life;
            let mut asked = asked;
            loop {
                tokio::time::sleep_until(asked + step).await;
                asked = Instant::now();
                match tokio::time::timeout_at(good_until, store.renew(branch, token, life)).await {
                    Ok(Ok(true)) => good_until = asked + life,
                    Ok(Ok(false)) => {
                        tracing::warn!(%branch, token, "the lease was taken over; the work on the branch stops");
                        return halt.lose_lease();
                    }
                    Ok(Err(error)) if Instant::now() + step < good_until => {
                        tracing::warn!(%branch, token, %error, "the lease could not be renewed; trying again");
                    }
                    Ok(Err(_)) | Err(_) => {
                        tracing::warn!(%branch, token, "the lease ran out unrenewed; the work on the branch stops");
                        return halt.lose_lease();
                    }
                }
            }
        }))
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.0.abort();
    }
}

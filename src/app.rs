//! The service, put together.

use std::net::SocketAddr;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// Runs the service until `shutdown` is cancelled and everything is wound up.
///
/// `ready` receives the address that was bound once requests are served; it is dropped unsent when starting fails.
pub async fn run(
    config: Config,
    shutdown: CancellationToken,
    ready: oneshot::Sender<SocketAddr>,
) -> anyhow::Result<()> {
    let _ = (config, shutdown, ready);
    anyhow::bail!("the service is not wired into this build")
}

//! The service, put together.

mod offline;
mod open_files;
mod secrets;
mod settings;
pub mod sqlite_memory;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::domain::SystemClock;
use crate::engine::{Manager, orchestrator};
use crate::rpc;
use crate::store::{HeadOffice, Location};
use crate::web;

pub use offline::create_token;

fn location(config: &Config) -> Location {
    match &config.head_office.url {
        Some(url) => Location::Postgres(url.expose().to_owned()),
        None => Location::Embedded(config.data.clone()),
    }
}

/// Runs the service until `shutdown` is cancelled and everything is wound up. From then on the service says that it is
/// not ready; it goes on for `server.drain_delay`, so that load balancers see that before it takes no more calls.
///
/// `ready` receives the address that was bound once requests are served; it is dropped unsent when starting fails.
pub async fn run(
    config: Config,
    shutdown: CancellationToken,
    ready: oneshot::Sender<SocketAddr>,
) -> anyhow::Result<()> {
    if let Err(reason) = config.check_exposure() {
        bail!(reason);
    }
    let sealer = secrets::sealer(&config.secrets)?;
    let open_files = open_files::raise();
    // The port first: that it is taken is the commonest mistake, and nothing has been touched yet.
    let mut server_settings = settings::server(&config);
    if let Some(limit) = open_files {
        let (wanted, branches) = (server_settings.max_connections, config.parallel.branches as usize);
        server_settings.max_connections = open_files::affordable(wanted, limit, branches);
    }
    let listeners = rpc::bind(&server_settings).await?;
    let address = listeners.local_addr().context("the bound address cannot be read")?;
    let location = location(&config);
    let clock = Arc::new(SystemClock);
    let store = HeadOffice::open(&location, clock.clone()).await.context("head office cannot be opened")?;
    let engine_settings = settings::engine(&config, clock.clone(), sealer);
    let manager = Manager::new(engine_settings, store.clone(), config.migrations.clone(), clock).await?;

    manager.notify(settings::notify(&config));

    tracing::info!(
        version = env!("CARGO_PKG_VERSION"), %address, owner = manager.owner(), head_office = ?location,
        migrations = %config.migrations.display(), environment = %config.environment, open_files, "Branchkeeper starts"
    );
    let connections = server_settings.max_connections;
    if connections < config.server.max_connections as usize {
        tracing::warn!(
            open_files,
            connections,
            wanted = config.server.max_connections,
            "the process may not open enough files for server.max_connections: fewer connections are taken; raise the \
             limit (ulimit -n), or lower server.max_connections or parallel.branches"
        );
    }
    if !address.ip().is_loopback() && !config.auth.is_on() {
        tracing::warn!(
            %address,
            "anybody who can reach this address may do everything: there is no authentication \
             (server.allow_unauthenticated = true)"
        );
    }
    let http = web::router(manager.readiness(), shutdown.clone());
    // Cancelled when no more calls are to be taken.
    let closing = CancellationToken::new();
    tokio::spawn(drain(manager.clone(), config.server.drain_delay, shutdown.clone(), closing.clone()));
    let serving = tokio::spawn(rpc::serve(manager.clone(), listeners, server_settings, http, closing.clone()));
    if let Err(error) = orchestrator::start(&manager).await {
        closing.cancel();
        return Err(error).context("the orchestrator cannot start");
    }
    // Nobody may be waiting for it, as when the service is run by itself.
    let _ = ready.send(address);
    let grace = config.server.shutdown_timeout;
    let winding_up = async {
        closing.cancelled().await;
        tracing::info!("stopping: statements that are running may finish, nothing new begins");
        manager.shut_down(grace).await;
    };
    let served = async {
        let served = serving.await;
        // A server that fails by itself takes the rest down in order too.
        closing.cancel();
        served
    };
    let (served, ()) = tokio::join!(served, winding_up);
    store.close().await;
    tracing::info!("stopped");
    served.context("the server ended abnormally")??;
    Ok(())
}

/// Cancels `closing` once `shutdown` has been cancelled for `delay`. Ends with `closing`, whoever cancels it.
async fn drain(manager: Manager, delay: Duration, shutdown: CancellationToken, closing: CancellationToken) {
    let wait = async {
        shutdown.cancelled().await;
        if !delay.is_zero() {
            manager.retire();
            tracing::info!(?delay, "stopping: not ready any more; calls are taken until load balancers have seen that");
            tokio::time::sleep(delay).await;
        }
    };
    tokio::select! {
        () = wait => closing.cancel(),
        () = closing.cancelled() => {}
    }
}

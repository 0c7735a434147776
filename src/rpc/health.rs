//! `grpc.health.v1`: liveness for `""`, readiness for each service's name.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tracing::{info, warn};

use crate::engine::Readiness;

/// The name under which liveness is asked for.
const LIVENESS: &str = "";

/// Keeps health in step with `readiness`, and ends every Watch when `shutdown` comes: the server's own end waits for
/// them. Ends when `shutdown` comes.
pub(super) async fn follow(
    mut reporter: HealthReporter,
    services: Vec<&'static str>,
    mut readiness: watch::Receiver<Readiness>,
    shutdown: CancellationToken,
) {
    let mut said = None;
    loop {
        let now = readiness.borrow_and_update().clone();
        if said != Some(now.ready()) {
            said = Some(now.ready());
            if now.ready() {
                info!("ready");
            } else {
                warn!(
                    head_office = now.head_office,
                    catalogue = now.catalogue,
                    draining = now.draining,
                    "not ready: {}",
                    now.detail
                );
            }
        }
        set(&reporter, &services, now.ready()).await;
        let changed = tokio::select! {
            () = shutdown.cancelled() => break,
            changed = readiness.changed() => changed,
        };
        if changed.is_err() {
            // Whoever tells of readiness is gone, so nobody vouches for it any more.
            set(&reporter, &services, false).await;
            shutdown.cancelled().await;
            break;
        }
    }
    // Watchers see the last status before their streams end.
    set(&reporter, &services, false).await;
    reporter.set_service_status(LIVENESS, ServingStatus::NotServing).await;
    for service in services {
        reporter.clear_service_status(service).await;
    }
    reporter.clear_service_status(LIVENESS).await;
}

async fn set(reporter: &HealthReporter, services: &[&'static str], ready: bool) {
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    for service in services {
        reporter.set_service_status(service, status).await;
    }
}

//! `grpc.health.v1`: liveness for `""`, readiness for each service's name.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

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
    loop {
        let ready = readiness.borrow_and_update().ready();
        set(&reporter, &services, ready).await;
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

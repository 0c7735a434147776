//! The server: one port for gRPC, gRPC-Web and plain HTTP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding::Gzip;
use tonic_web::GrpcWebLayer;
use tracing::{info, warn};

use crate::engine::Manager;
use crate::web;

use super::access_service::AccessService;
use super::audit_service::AuditService;
use super::auth::{Guard, authorise};
use super::branch_service::BranchService;
use super::calls::{Calls, surround, unknown};
use super::connections::{self, Listeners};
use super::events::Followers;
use super::health;
use super::limits::Limits;
use super::migration_service::MigrationService;
use super::notification_service::NotificationService;
use super::origins::{Origins, refuse_strangers};
use super::pages::Sizes;
use super::proto;
use super::proto::access_service_server::AccessServiceServer;
use super::proto::audit_service_server::AuditServiceServer;
use super::proto::branch_service_server::BranchServiceServer;
use super::proto::migration_service_server::MigrationServiceServer;
use super::proto::notification_service_server::NotificationServiceServer;
use super::registry::Registry;
use super::settings::ServerSettings;
use super::tally::Tally;

/// How many connections may wait to be taken in. A client that finds the queue full waits a second before it tries again.
const BACKLOG: u32 = 1024;

/// Why the server could not be started or went down.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address could not be had.
    #[error("cannot listen on {address}: {error}; {}", listen_hint(.error))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// Keys, certificates or the Unix socket cannot be used.
    #[error("{0}")]
    Edge(String),
    /// A service was to be served that its descriptors do not describe.
    #[error("the service {0} is not in the descriptors that came with it; this is a fault of the build")]
    NotDescribed(&'static str),
    /// Reflection could not be built from the descriptors.
    #[error("reflection cannot be built from the descriptors: {0}; this is a fault of the build")]
    Reflection(String),
}

fn listen_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program uses the port: stop it, or set server.listen to another one",
        io::ErrorKind::PermissionDenied => "set server.listen to a port above 1023, or give the program the right",
        io::ErrorKind::AddrNotAvailable => "set server.listen to an address of this machine",
        _ => "check server.listen",
    }
}

/// Begins to listen where `settings` say. Connections wait from then on; [`serve`] answers them.
pub async fn bind(settings: &ServerSettings) -> Result<Listeners, ServeError> {
    let address = settings.listen;
    let tcp = listen(address).map_err(|error| ServeError::Listen { address, error })?;
    Listeners::new(tcp, settings.tls.as_ref(), settings.unix_socket.as_deref()).map_err(ServeError::Edge)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A service that is started again need not wait for the connections of the one before.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `manager`, what is measured, and the plain HTTP routes of `http` on `listeners` until `shutdown` is cancelled, and then at most
/// `settings.shutdown_timeout` (and a second) longer.
///
/// On `shutdown` no connection is taken in any more, health says NOT_SERVING, event streams end with UNAVAILABLE
/// (reason DRAINING; their runs go on or are stopped as `manager` decides) and calls may finish. `http` must have no
/// fallback of its own.
pub async fn serve(
    manager: Manager,
    listeners: Listeners,
    settings: ServerSettings,
    http: Router,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let reporter = tonic_health::server::HealthReporter::new();
    let (services, support) = services(&manager, &settings, &reporter, &shutdown)?;
    let names = services.names().to_vec();
    let origins = Origins::new(settings.allowed_origins.clone());
    let tally = Arc::new(Tally::new());
    let calls = Arc::new(Calls::new(settings.concurrency_limit, Arc::clone(&tally)));
    let http = http.merge(web::metrics(manager.clone(), Arc::new(move |page| tally.write(page))));
    let limits = Limits::new(&settings, Instant::now());
    let guard = Guard::new(manager.clone(), settings.auth.clone(), limits).map_err(ServeError::Edge)?;
    let guard = from_fn_with_state(Arc::new(guard), authorise);
    let router = services
        .into_router()
        .layer(guard.clone())
        .layer(from_fn_with_state(calls, surround))
        .merge(support.into_router().layer(guard.clone()))
        // This layer refuses plain HTTP/1.1, so it must not cover the routes of `http`.
        .layer(GrpcWebLayer::new())
        .layer(origins.cross_origin())
        .layer(from_fn_with_state(origins, refuse_strangers))
        .merge(http.layer(guard))
        .fallback(unknown);

    let kill = CancellationToken::new();
    let server = connections::serve(listeners, router, &settings, &shutdown, &kill);
    let health = health::follow(reporter, names, manager.readiness(), shutdown.clone());
    let limit = async {
        shutdown.cancelled().await;
        info!(limit = ?settings.shutdown_timeout, "stopping: waiting for calls to end");
        tokio::time::sleep(settings.shutdown_timeout).await;
        warn!("calls did not end in time; their connections are cut");
        kill.cancel();
        // Cut connections end within moments. Should one not, waiting longer would not help it.
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    tokio::select! {
        _ = async { tokio::join!(server, health) } => {}
        () = limit => {}
    }
    info!("stopped serving");
    Ok(())
}

/// The services that carry the product, and those that help clients to find and watch them.
fn services(
    manager: &Manager,
    settings: &ServerSettings,
    reporter: &tonic_health::server::HealthReporter,
    shutdown: &CancellationToken,
) -> Result<(Registry, Registry), ServeError> {
    let most = settings.max_message_bytes;
    let sizes = Sizes::new(most);
    let followers = Followers::new(settings.max_followers, shutdown.clone());
    let mut services = Registry::default();
    macro_rules! add {
        ($server:expr) => {{
            let server = $server.max_decoding_message_size(most).max_encoding_message_size(most);
            services.add(server.accept_compressed(Gzip).send_compressed(Gzip), proto::DESCRIPTORS)?;
        }};
    }
    add!(MigrationServiceServer::new(MigrationService::new(manager.clone(), followers, sizes)));
    add!(BranchServiceServer::new(BranchService::new(manager.clone(), sizes)));
    add!(AccessServiceServer::new(AccessService::new(manager.clone(), sizes)));
    add!(AuditServiceServer::new(AuditService::new(manager.clone(), sizes)));
    add!(NotificationServiceServer::new(NotificationService::new(manager.clone(), sizes)));

    let mut support = Registry::default();
    let health = tonic_health::server::HealthService::from_health_reporter(reporter.clone());
    let health = tonic_health::pb::health_server::HealthServer::new(health);
    support.add(health, tonic_health::pb::FILE_DESCRIPTOR_SET)?;
    support.add_reflection(&services)?;
    Ok((services, support))
}

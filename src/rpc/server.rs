//! The server: one port for gRPC, gRPC-Web and plain HTTP.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_web::GrpcWebLayer;
use tracing::{info, warn};

use crate::engine::Manager;

use super::access_service::AccessService;
use super::audit_service::AuditService;
use super::auth::{AuthSettings, Guard, authorise};
use super::branch_service::BranchService;
use super::calls::{Calls, surround, unknown};
use super::connections::{Acceptor, Listeners, TlsSettings};
use super::events::Followers;
use super::health;
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

/// How the server listens, and what it bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// The address to listen on. Default: 127.0.0.1:50051.
    pub listen: SocketAddr,
    /// A Unix socket to listen on besides. Default: none.
    pub unix_socket: Option<PathBuf>,
    /// TLS for the address. Default: none.
    pub tls: Option<TlsSettings>,
    /// How callers prove who they are. Default: not at all.
    pub auth: AuthSettings,
    /// The largest message received or sent, in bytes. Default: 4 MiB.
    pub max_message_bytes: usize,
    /// The most connections at once; a further one is closed at once. Default: 1,024.
    pub max_connections: usize,
    /// The most calls and streams at once on one HTTP/2 connection. Default: 256.
    pub max_streams_per_connection: u32,
    /// The most short calls that are answered at once, over all connections; a further one is refused with
    /// RESOURCE_EXHAUSTED. Default: 512.
    pub concurrency_limit: usize,
    /// The most calls that follow a run at once (Apply, and the streams of ApplyAll and WatchRun), which count apart from
    /// the others; a further one is refused with RESOURCE_EXHAUSTED. Default: 512.
    pub max_followers: usize,
    /// Web pages that may call the service, by origin, such as `https://hq.example`. Those of this machine (localhost)
    /// always may. Default: none.
    pub allowed_origins: Vec<String>,
    /// The largest list of headers accepted, in bytes. Default: 16 KiB.
    pub max_header_list_bytes: u32,
    /// The time after which a silent HTTP/2 connection is asked for a sign of life. Default: 30 s.
    pub keepalive_interval: Duration,
    /// The time that the client has to give one. Default: 20 s.
    pub keepalive_timeout: Duration,
    /// The time that a new connection has to begin to speak. Default: 10 s.
    pub silence_timeout: Duration,
    /// The time that calls have to end once the server is to stop; then their connections are cut. Default: 30 s.
    pub shutdown_timeout: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 50051)),
            unix_socket: None,
            tls: None,
            auth: AuthSettings::default(),
            max_message_bytes: 4 * 1024 * 1024,
            max_connections: 1024,
            max_streams_per_connection: 256,
            concurrency_limit: 512,
            max_followers: 512,
            allowed_origins: Vec::new(),
            max_header_list_bytes: 16 * 1024,
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(20),
            silence_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}

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
    /// The transport gave up.
    #[error("the server went down: {0}; start it again")]
    Transport(#[from] tonic::transport::Error),
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
    let tcp = TcpListener::bind(address).await.map_err(|error| ServeError::Listen { address, error })?;
    Listeners::new(tcp, settings.tls.as_ref(), settings.unix_socket.as_deref()).map_err(ServeError::Edge)
}

/// Serves `manager` and the plain HTTP routes of `http` on `listeners` until `shutdown` is cancelled, and then at most
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
    let calls = Arc::new(Calls::new(settings.concurrency_limit));
    let guard = Guard::new(manager.clone(), settings.auth.clone()).map_err(ServeError::Edge)?;
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
    let acceptor = Acceptor::new(listeners, settings.max_connections, settings.silence_timeout, kill.clone());
    let server = Server::builder()
        .accept_http1(true)
        .http2_keepalive_interval(Some(settings.keepalive_interval))
        .http2_keepalive_timeout(Some(settings.keepalive_timeout))
        .http2_max_header_list_size(settings.max_header_list_bytes)
        .max_concurrent_streams(settings.max_streams_per_connection)
        .add_routes(Routes::from(router))
        .serve_with_incoming_shutdown(acceptor.into_stream(), shutdown.clone().cancelled_owned());
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
        ended = async {
            tokio::try_join!(server, async {
                health.await;
                Ok(())
            })
        } => drop(ended?),
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

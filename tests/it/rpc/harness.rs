//! A served manager, and the clients that the tests talk to it with.

use std::net::SocketAddr;
use std::time::Duration;

use branchkeeper::engine::{Manager, Readiness};
use branchkeeper::rpc::proto::branch_service_client::BranchServiceClient;
use branchkeeper::rpc::proto::migration_service_client::MigrationServiceClient;
use branchkeeper::rpc::{ServeError, ServerSettings, bind, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

/// A server of its own on a free port.
pub(super) struct Served {
    pub(super) address: SocketAddr,
    pub(super) shutdown: CancellationToken,
    pub(super) readiness: watch::Sender<Readiness>,
    pub(super) server: JoinHandle<Result<(), ServeError>>,
}

pub(super) fn ready() -> Readiness {
    Readiness { head_office: true, catalogue: true, draining: false, detail: String::new() }
}

/// Settings for tests: any free port, short waits.
pub(super) fn settings() -> ServerSettings {
    ServerSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        shutdown_timeout: Duration::from_secs(5),
        ..ServerSettings::default()
    }
}

pub(super) async fn start(settings: ServerSettings) -> Served {
    let (readiness, receiver) = watch::channel(ready());
    let manager = Manager::placeholder(receiver);
    let listener = bind(&settings).await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let http = branchkeeper::web::router(manager.readiness(), shutdown.clone());
    let server = tokio::spawn(serve(manager, listener, settings, http, shutdown.clone()));
    Served { address, shutdown, readiness, server }
}

impl Served {
    pub(super) async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    pub(super) async fn migrations(&self) -> MigrationServiceClient<Channel> {
        MigrationServiceClient::new(self.channel().await)
    }

    pub(super) async fn branches(&self) -> BranchServiceClient<Channel> {
        BranchServiceClient::new(self.channel().await)
    }

    pub(super) async fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.channel().await)
    }

    /// Sends `request` over HTTP/1.1 and gives back the whole answer: head in lower case, and body.
    pub(super) async fn http(&self, request: &[u8]) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_ascii_lowercase();
        (head, answer[end + 4..].to_vec())
    }

    pub(super) async fn get(&self, path: &str) -> (String, String) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        let (head, body) = self.http(request.as_bytes()).await;
        (head, String::from_utf8(body).unwrap())
    }

    /// Stops the server and says how long that took.
    pub(super) async fn stop(self) -> Duration {
        let begun = std::time::Instant::now();
        self.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.server).await.unwrap().unwrap().unwrap();
        begun.elapsed()
    }
}

/// The reason in a status.
pub(super) fn reason(status: &tonic::Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

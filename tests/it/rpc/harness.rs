//! A served engine, and the clients that the tests talk to it with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use branchkeeper::domain::{Policy, RetryPolicy, SystemClock};
use branchkeeper::engine::{AutoMigrate, EngineSettings, Manager, OnStartup, orchestrator};
use branchkeeper::provider;
use branchkeeper::rpc::proto::branch_service_client::BranchServiceClient;
use branchkeeper::rpc::proto::migration_service_client::MigrationServiceClient;
use branchkeeper::rpc::{ServeError, ServerSettings, bind, serve};
use branchkeeper::store::{HeadOffice, Location};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

use crate::support::secrets::Watch;
use crate::support::{Channel, Overheard, pb, sqlite_branch, temp_dir};

/// A server of its own on a free port, with a head office and a migrations folder of its own. Nothing is migrated
/// unasked.
pub(super) struct Served {
    pub(super) address: SocketAddr,
    pub(super) shutdown: CancellationToken,
    pub(super) server: JoinHandle<Result<(), ServeError>>,
    manager: Manager,
    // Before the folder, which it looks into at the end.
    watch: Watch,
    folder: tempfile::TempDir,
}

/// Settings for tests: any free port, short waits.
pub(super) fn settings() -> ServerSettings {
    ServerSettings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        shutdown_timeout: Duration::from_secs(5),
        ..ServerSettings::default()
    }
}

fn engine_settings(root: PathBuf) -> EngineSettings {
    EngineSettings {
        environment: "development".into(),
        provider: provider::Settings { sqlite_root: root, ..provider::Settings::default() },
        ensure_created: true,
        policy: Policy::default(),
        migration_timeout: Duration::from_secs(60),
        lease: Duration::from_secs(30),
        lock_wait: Duration::from_secs(1),
        retry: RetryPolicy::default(),
        parallel: 8,
        per_host: 8,
        required_tables: Vec::new(),
        log_statements: false,
        auto: AutoMigrate {
            enabled: false,
            in_production: false,
            on_startup: OnStartup::Off,
            initial_delay: Duration::from_secs(30),
            interval: Duration::from_secs(300),
        },
        run_retention: Duration::from_secs(86_400),
        audit_retention: Duration::from_secs(86_400),
    }
}

/// Serves with one migration in the folder, `1_Customers`.
pub(super) async fn start(settings: ServerSettings) -> Served {
    start_with(settings, &[("1_Customers.sql", CUSTOMERS)]).await
}

pub(super) const CUSTOMERS: &str = "CREATE TABLE Customers (Id INTEGER PRIMARY KEY, Email TEXT NOT NULL);\n";

/// A migration that keeps a SQLite branch busy for as long as nobody stops it.
pub(super) const ENDLESS: &str = "CREATE TABLE Busy (n INTEGER);\nINSERT INTO Busy WITH RECURSIVE n(i) AS \
    (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) SELECT i FROM n;\n";

/// One that is through after a moment.
pub(super) const SLOW: &str = "CREATE TABLE Busy (n INTEGER);\nINSERT INTO Busy WITH RECURSIVE n(i) AS \
    (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) SELECT i FROM n;\n";

pub(super) async fn start_with(settings: ServerSettings, migrations: &[(&str, &str)]) -> Served {
    let folder = temp_dir();
    let migrations_folder = folder.path().join("migrations");
    std::fs::create_dir(&migrations_folder).unwrap();
    for (name, sql) in migrations {
        std::fs::write(migrations_folder.join(name), sql).unwrap();
    }
    let clock = Arc::new(SystemClock);
    let store = HeadOffice::open(&Location::Embedded(folder.path().join("data")), clock.clone()).await.unwrap();
    let engine = engine_settings(folder.path().join("branches"));
    let manager = Manager::new(engine, store, migrations_folder, clock).await.unwrap();
    orchestrator::start(&manager).await.unwrap();

    let listener = bind(&settings).await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let http = branchkeeper::web::router(manager.readiness(), shutdown.clone());
    let server = tokio::spawn(serve(manager.clone(), listener, settings, http, shutdown.clone()));
    let watch = Watch::over(vec![folder.path().join("data")]);
    Served { address, shutdown, server, manager, watch, folder }
}

impl Served {
    pub(super) async fn channel(&self) -> Channel {
        Channel::new(self.endpoint().connect().await.unwrap(), &self.watch.seen)
    }

    /// A channel that connects when it is used.
    pub(super) fn lazy_channel(&self) -> Channel {
        Channel::new(self.endpoint().connect_lazy(), &self.watch.seen)
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap()
    }

    /// A connection below every protocol.
    pub(super) async fn connect(&self) -> Overheard<TcpStream> {
        Overheard::new(TcpStream::connect(self.address).await.unwrap(), &self.watch.seen)
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

    /// Registers a SQLite branch at its default place.
    pub(super) async fn register(&self, code: &str) -> pb::Branch {
        let request = pb::CreateBranchRequest { branch: Some(sqlite_branch(code)) };
        self.branches().await.create_branch(request).await.unwrap().into_inner().branch.unwrap()
    }

    /// Begins a run over all branches and waits until a migration is at work in it.
    pub(super) async fn begin_run(&self) -> (String, tonic::Streaming<pb::ApplyAllResponse>) {
        let request = pb::ApplyAllRequest::default();
        let mut events = self.migrations().await.apply_all(request).await.unwrap().into_inner();
        loop {
            let event = events.message().await.unwrap().unwrap().event.unwrap();
            if matches!(event.event, Some(pb::run_event::Event::MigrationStarted(_))) {
                return (event.run_id, events);
            }
        }
    }

    /// Writes a file into the migrations folder.
    pub(super) fn migration(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join("migrations").join(name), text).unwrap();
    }

    /// Takes a file out of the migrations folder.
    pub(super) fn remove_migration(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join("migrations").join(name)).unwrap();
    }

    /// Sends `request` over HTTP/1.1 and gives back the whole answer: head in lower case, and body.
    pub(super) async fn http(&self, request: &[u8]) -> (String, Vec<u8>) {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_ascii_lowercase();
        (head, answer[end + 4..].to_vec())
    }

    /// Calls a method as a gRPC-Web client does over HTTP/1.1. Each line of `headers` ends in `\r\n`.
    pub(super) async fn web(&self, path: &str, message: &impl prost::Message, headers: &str) -> (String, Vec<u8>) {
        let body = message.encode_to_vec();
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Type: application/grpc-web+proto\r\n\
             X-Grpc-Web: 1\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len() + 5
        )
        .into_bytes();
        request.push(0);
        request.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        request.extend(body);
        self.http(&request).await
    }

    pub(super) async fn get(&self, path: &str) -> (String, String) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        let (head, body) = self.http(request.as_bytes()).await;
        (head, String::from_utf8(body).unwrap())
    }

    /// Stops the server, says how long that took, and then stops the engine.
    pub(super) async fn stop(self) -> Duration {
        let begun = std::time::Instant::now();
        self.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.server).await.unwrap().unwrap().unwrap();
        let took = begun.elapsed();
        self.manager.shut_down(Duration::ZERO).await;
        took
    }
}

/// The reason in a status.
pub(super) fn reason(status: &tonic::Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// The code and the reason of a refusal.
pub(super) fn refused<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) -> (tonic::Code, String) {
    let status = answer.unwrap_err();
    assert!(!status.message().is_empty() && !reason(&status).is_empty(), "{status:?}");
    (status.code(), reason(&status))
}

/// The fields that a refusal complains about.
pub(super) fn violations<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) -> Vec<String> {
    let status = answer.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (tonic::Code::InvalidArgument, "INVALID_REQUEST"));
    let found = status.get_details_bad_request().unwrap().field_violations;
    found.into_iter().map(|violation| violation.field).collect()
}

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use branchkeeper::rpc::proto::branch_service_client::BranchServiceClient;
use branchkeeper::rpc::proto::migration_service_client::MigrationServiceClient;
use branchkeeper::rpc::proto::{self as pb, StatusRequest};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use super::channel::Channel;
use super::overheard::Overheard;
use super::secrets::Watch;

/// The built program.
pub(super) const PROGRAM: &str = env!("CARGO_BIN_EXE_branchkeeper");

/// A folder with the data, the migrations and the log of one service, which can be started and killed again and again.
///
/// When it is dropped, what the service has said in its lives is searched for the secrets that it was told.
pub(crate) struct Station {
    // Before the folder, which it looks into at the end.
    watch: Watch,
    folder: tempfile::TempDir,
    address: SocketAddr,
    variables: Vec<(String, String)>,
    mounting: Option<String>,
    /// The most files that it may have open.
    files: Option<u32>,
    /// The authority behind its certificate, PEM, when it speaks TLS.
    authority: Option<String>,
    child: Option<Child>,
}

impl Station {
    /// A service that is not started yet. Nothing is migrated unasked unless a variable says so.
    pub(crate) fn new() -> Self {
        let folder = super::temp_dir();
        fs::create_dir(folder.path().join("migrations")).unwrap();
        // The port is free now; the service takes it a moment later.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let variables = vec![
            ("BRANCHKEEPER__AUTO_MIGRATE__ENABLED".to_owned(), "false".to_owned()),
            ("BRANCHKEEPER__LOG__FORMAT".to_owned(), "json".to_owned()),
        ];
        let watch = Watch::over(vec![folder.path().join("service.log"), folder.path().join("data")]);
        watch.seen.found_at(&address.to_string());
        watch.seen.found_at(&folder.path().display().to_string());
        Self { watch, folder, address, variables, mounting: None, files: None, authority: None, child: None }
    }

    /// Sets a configuration variable, such as `LOCK__LEASE`.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.variable(&format!("BRANCHKEEPER__{key}"), value);
    }

    /// Sets any environment variable of the service.
    pub(crate) fn variable(&mut self, name: &str, value: &str) {
        self.watch.seen.variable(name, value);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// What is looked for, and where, when this is dropped.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Lets the service live among mounts of its own, which this shell script makes and which end with the process.
    /// False, said aloud, where that is not allowed.
    pub(crate) fn mount(&mut self, script: &str) -> bool {
        let tried = namespace().args(["mount", "-t", "tmpfs", "none", "/mnt"]).stderr(Stdio::null()).status();
        let allowed = tried.is_ok_and(|status| status.success());
        if !allowed {
            super::skip::say("tests with mounts of their own: this machine does not allow them (unshare --mount)");
        }
        self.mounting = Some(script.to_owned());
        allowed
    }

    /// A path as the running service sees it, its own mounts included.
    pub(crate) fn inside(&self, path: &Path) -> PathBuf {
        let id = self.child.as_ref().unwrap().id();
        PathBuf::from(format!("/proc/{id}/root")).join(path.strip_prefix("/").unwrap())
    }

    /// Lets the service have no more files open than this, however much it would like to.
    pub(crate) fn limit_files(&mut self, most: u32) {
        self.files = Some(most);
    }

    /// Lets the service speak TLS, and its clients expect it.
    pub(crate) fn secure(&mut self) {
        let authority = super::Authority::new();
        let (cert, key) = authority.issue("service");
        for (variable, name, text) in [("TLS__CERT_FILE", "cert.pem", cert), ("TLS__KEY_FILE", "key.pem", key)] {
            let file = self.folder.path().join(name);
            fs::write(&file, text).unwrap();
            self.set(variable, file.to_str().unwrap());
        }
        self.authority = Some(authority.pem);
    }

    /// Writes a migration file.
    pub(crate) fn migration(&self, name: &str, sql: &str) {
        // Written aside and renamed, as a careful deployment does, so that a running service never sees half of it.
        let hidden = self.folder.path().join(format!(".{name}"));
        fs::write(&hidden, sql).unwrap();
        fs::rename(hidden, self.migrations_folder().join(name)).unwrap();
    }

    pub(crate) fn migrations_folder(&self) -> PathBuf {
        self.folder.path().join("migrations")
    }

    pub(crate) fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The file of a SQLite branch at its default place.
    pub(crate) fn sqlite_file(&self, code: &str) -> PathBuf {
        self.data_folder().join(format!("branches/{code}/Database/{code}.db"))
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that the service has logged, over all its lives.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("service.log")
    }

    /// Starts the process without waiting until it serves.
    pub(crate) fn spawn(&mut self) {
        assert!(self.child.is_none(), "the service is running already");
        let log = fs::File::options().create(true).append(true).open(self.log_file()).unwrap();
        let mut command = match &self.mounting {
            None => match self.files {
                None => Command::new(PROGRAM),
                Some(most) => {
                    let mut command = Command::new("prlimit");
                    command.arg(format!("--nofile={most}:{most}")).arg(PROGRAM);
                    command
                }
            },
            Some(script) => {
                let mut command = namespace();
                command.args(["sh", "-ec", &format!("{script}\nexec \"$@\""), "sh", PROGRAM]);
                command
            }
        };
        command
            .args(["serve", "--listen", &self.address.to_string()])
            .args(["--data".as_ref(), self.data_folder().as_os_str()])
            .args(["--migrations".as_ref(), self.migrations_folder().as_os_str()])
            .current_dir(self.folder.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log));
        self.child = Some(command.spawn().unwrap());
    }

    /// Starts the service and waits until it answers.
    pub(crate) async fn start(&mut self) {
        self.spawn();
        self.wait_until_serving().await;
    }

    pub(crate) async fn wait_until_serving(&mut self) {
        let begun = Instant::now();
        while self.try_channel().await.is_none() {
            let exited = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(exited.is_none(), "the service ended ({exited:?}); its log:\n{}", self.log());
            assert!(begun.elapsed() < Duration::from_secs(60), "the service does not answer; its log:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A connection below every protocol.
    pub(crate) async fn connect(&self) -> Overheard<TcpStream> {
        self.overhear(TcpStream::connect(self.address).await.unwrap())
    }

    /// What comes over a connection that was made in another way is searched too.
    pub(crate) fn overhear<S>(&self, stream: S) -> Overheard<S> {
        Overheard::new(stream, &self.watch.seen)
    }

    /// The same for a channel.
    pub(crate) fn listen_to(&self, channel: tonic::transport::Channel) -> Channel {
        Channel::new(channel, &self.watch.seen)
    }

    /// How tonic is to connect.
    pub(crate) fn endpoint(&self) -> Endpoint {
        let endpoint = Endpoint::from_shared(self.url()).unwrap();
        let Some(authority) = &self.authority else { return endpoint };
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority));
        endpoint.tls_config(tls).unwrap()
    }

    /// Shakes hands over a connection, to speak one of `protocols`.
    pub(crate) async fn shake_hands(&self, stream: TcpStream, protocols: &[&str]) -> Overheard<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        let pem = self.authority.as_ref().expect("it speaks TLS");
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
        let name = ServerName::try_from("localhost").unwrap();
        self.overhear(connector.connect(name, stream).await.unwrap())
    }

    async fn try_channel(&self) -> Option<Channel> {
        let endpoint = self.endpoint().connect_timeout(Duration::from_secs(5));
        Some(self.listen_to(endpoint.connect().await.ok()?))
    }

    pub(crate) async fn channel(&self) -> Channel {
        self.try_channel().await.unwrap_or_else(|| panic!("the service does not answer; its log:\n{}", self.log()))
    }

    pub(crate) async fn migrations(&self) -> MigrationServiceClient<Channel> {
        MigrationServiceClient::new(self.channel().await)
    }

    pub(crate) async fn branches(&self) -> BranchServiceClient<Channel> {
        BranchServiceClient::new(self.channel().await)
    }

    /// Registers an active branch.
    pub(crate) async fn register(&self, branch: pb::Branch) -> pb::Branch {
        let request = pb::CreateBranchRequest { branch: Some(branch) };
        self.branches().await.create_branch(request).await.unwrap().into_inner().branch.unwrap()
    }

    /// Kills the process as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks the process to stop, and waits until it has.
    pub(crate) fn stop(&mut self) -> std::process::ExitStatus {
        self.ask_to_stop();
        self.child.take().unwrap().wait().unwrap()
    }

    /// Asks the process to stop.
    pub(crate) fn ask_to_stop(&self) {
        let id = self.child.as_ref().unwrap().id();
        assert!(Command::new("kill").args(["-TERM", &id.to_string()]).status().unwrap().success());
    }

    /// Whether the process has ended by itself, and how.
    pub(crate) fn exited(&mut self) -> Option<std::process::ExitStatus> {
        self.child.as_mut().unwrap().try_wait().unwrap()
    }

    /// Waits until every branch stands in one of `statuses`, and gives where they stand.
    pub(crate) async fn settled(&self, within: Duration, statuses: &[pb::MigrationStatus]) -> Vec<pb::BranchStatus> {
        let begun = Instant::now();
        let mut client = self.migrations().await;
        loop {
            let request = StatusRequest { page_size: 1000, ..StatusRequest::default() };
            let seen = client.status(request).await.unwrap().into_inner().branches;
            if seen.iter().all(|branch| statuses.contains(&branch.status())) {
                return seen;
            }
            if begun.elapsed() > within {
                let open = seen.iter().filter(|branch| !statuses.contains(&branch.status()));
                let open: Vec<_> =
                    open.map(|b| format!("{} {:?} {}", b.branch_code, b.status(), b.error_details)).collect();
                panic!("branches are not settled: {open:#?}\n{}", tail(&self.log_file()));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command that runs what follows with mounts of its own.
fn namespace() -> Command {
    let root = fs::metadata("/proc/self").is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0);
    let mut command = Command::new("unshare");
    command.args(if root { &["--mount", "--"][..] } else { &["--map-root-user", "--mount", "--"][..] });
    command
}

fn tail(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// A SQLite branch at its default place.
pub(crate) fn sqlite_branch(code: &str) -> pb::Branch {
    pb::Branch { code: code.to_owned(), provider: pb::Provider::Sqlite.into(), ..pb::Branch::default() }
}

/// A branch in a database on the tests' PostgreSQL server. The password is found under `password_ref`.
pub(crate) fn server_branch(code: &str, server: &super::Server, database: &str, password_ref: &str) -> pb::Branch {
    let connection = pb::ServerConnection {
        host: server.host.clone(),
        port: u32::from(server.port),
        database: database.to_owned(),
        username: server.username.clone(),
        password_ref: password_ref.to_owned(),
        ..pb::ServerConnection::default()
    };
    pb::Branch {
        code: code.to_owned(),
        provider: match server.product {
            super::Product::Postgres => pb::Provider::Postgres,
            super::Product::MariaDb | super::Product::MySql => pb::Provider::Mysql,
            super::Product::SqlServer => pb::Provider::Sqlserver,
        }
        .into(),
        connection: Some(pb::Connection { kind: Some(pb::connection::Kind::Server(connection)) }),
        ..pb::Branch::default()
    }
}

/// All events of a run after a sequence number, to its end.
pub(crate) async fn watch(station: &Station, run_id: &str, after_sequence: i64) -> Vec<pb::RunEvent> {
    let request = pb::WatchRunRequest { run_id: run_id.to_owned(), after_sequence, include_statements: true };
    let mut stream = station.migrations().await.watch_run(request).await.unwrap().into_inner();
    let mut events = Vec::new();
    let next = async {
        while let Some(message) = stream.message().await.unwrap() {
            events.push(message.event.unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(120), next).await.expect("the run ends in time");
    events
}

impl Station {
    /// The number of the running process.
    pub(crate) fn process(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// The processor time that the running process has used so far.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process())).unwrap();
        // The name, which may hold anything, is in parentheses; user and system time are the 14th and 15th field.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // A hundred ticks a second, on every Linux.
        Duration::from_millis(ticks * 10)
    }

    /// How many files the running process has open.
    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process())).unwrap().count()
    }

    /// The resident memory of the running process, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let id = self.process();
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
    }
}

//! The real service, and a proxy that cuts its connections.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use branchkeeper_client::v1::{Branch, CreateBranchRequest, Provider};
use branchkeeper_client::{Client, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

/// What a service needs to ask for tokens.
pub(crate) const AUTHENTICATED: [(&str, &str); 2] = [
    ("BRANCHKEEPER__AUTH__JWT__SECRET_REF", "env:CLIENT_TEST_SECRET"),
    ("CLIENT_TEST_SECRET", "for tests only: nobody is let in by this"),
];

/// A token that is signed with that secret.
pub(crate) const TOKEN: &str = include_str!("../../../testdata/token");
/// The same, but it has expired.
pub(crate) const EXPIRED_TOKEN: &str = include_str!("../../../testdata/expired-token");

/// One service with a data folder of its own.
pub(crate) struct Service {
    folder: tempfile::TempDir,
    pub(crate) address: SocketAddr,
    child: Option<Child>,
}

impl Service {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let migrations = folder.path().join("migrations");
        fs::create_dir(&migrations).unwrap();
        let write = |name: &str, sql: &str| fs::write(migrations.join(name), sql).unwrap();
        write("20260101000000_Create.sql", "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT);");
        write("20260102000000_Extend.sql", "ALTER TABLE items ADD COLUMN price INTEGER;");
        Self { folder, address, child: None }
    }

    pub(crate) fn target(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn start(&mut self, variables: &[(&str, &str)]) {
        let program = std::env::var_os("BRANCHKEEPER_BIN").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/debug/branchkeeper"),
            PathBuf::from,
        );
        let child = Command::new(program)
            .args(["serve", "--listen", &self.target()])
            .arg("--data")
            .arg(self.folder.path().join("data"))
            .arg("--migrations")
            .arg(self.folder.path().join("migrations"))
            .current_dir(self.folder.path())
            .env("BRANCHKEEPER__AUTO_MIGRATE__ENABLED", "false")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap());
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) async fn register(&self, client: &Client, codes: &[String]) {
        for code in codes {
            let branch = Branch { code: code.clone(), provider: Provider::Sqlite.into(), ..Branch::default() };
            client.branches().create_branch(CreateBranchRequest { branch: Some(branch) }).await.unwrap();
        }
    }

    /// Puts something where the branch's database belongs that no migration can work on.
    pub(crate) fn spoil(&self, code: &str) {
        let folder = self.folder.path().join(format!("data/branches/{code}/Database"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{code}.db")), "this is no database, however long one looks at it").unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) async fn started() -> (Service, Client) {
    let mut service = Service::new();
    service.start(&[]);
    let client = connect(&service.target());
    client.wait_ready().await.unwrap();
    (service, client)
}

pub(crate) fn connect(target: &str) -> Client {
    Client::connect(target, &Options::default()).unwrap()
}

pub(crate) fn fifty() -> Vec<String> {
    (1..=50).map(|number| format!("BR{number:03}")).collect()
}

/// Passes bytes on, and cuts the first connections when the service has sent a number of bytes on them.
pub(crate) struct Proxy {
    pub(crate) target: String,
    cuts: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn new(to: SocketAddr, limit: usize, most: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap().to_string();
        let cuts = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&cuts);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(service) = TcpStream::connect(to).await else { continue };
                tokio::spawn(pass(client, service, limit, most, Arc::clone(&counter)));
            }
        });
        Self { target, cuts }
    }

    pub(crate) fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

/// Both connections are closed when this ends.
async fn pass(client: TcpStream, service: TcpStream, limit: usize, most: usize, cuts: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_service, mut to_service) = service.into_split();
    let down = async {
        let (mut buffer, mut passed) = ([0; 512], 0);
        while let Ok(count @ 1..) = from_service.read(&mut buffer).await {
            if to_client.write_all(&buffer[..count]).await.is_err() {
                break;
            }
            passed += count;
            if passed >= limit && cuts.load(Ordering::SeqCst) < most {
                cuts.fetch_add(1, Ordering::SeqCst);
                break;
            }
        }
    };
    tokio::select! {
        _ = copy(&mut from_client, &mut to_service) => {}
        () = down => {}
    }
}

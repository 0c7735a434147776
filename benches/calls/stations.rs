use std::fs;
use std::path::Path;

use branchkeeper::rpc::proto::access_service_client::AccessServiceClient;
use branchkeeper::rpc::proto::branch_service_client::BranchServiceClient;
use branchkeeper::rpc::proto::migration_service_client::MigrationServiceClient;
use jsonwebtoken::{EncodingKey, Header, encode};
use tonic::Request;

use crate::echo::Echo;
use crate::support::{Station, pb, sqlite_branch};
use crate::target::{ALL, Call, Target};

/// How many branches are registered.
const BRANCHES: usize = 1_000;
/// How many of them, the first ones, are migrated.
pub(crate) const MIGRATED: usize = 50;

const SECRET: &str = "the-secret-of-a-benchmark-32-bytes-at-least";

/// The code of a branch.
pub(crate) fn code(index: usize) -> String {
    format!("BR{index:05}")
}

/// What is called: the service twice, with the same branches, and the echo.
pub(crate) struct Stations {
    closed: Station,
    open: Station,
    echo: Echo,
    /// A JSON Web Token of an admin.
    pub(crate) jwt: String,
    /// An API token of an admin.
    pub(crate) api_token: String,
}

impl Stations {
    pub(crate) async fn start() -> Self {
        let jwt = jwt();
        let mut closed = station();
        let file = closed.data_folder().with_file_name("jwt.secret");
        fs::write(&file, SECRET).unwrap();
        closed.set("AUTH__JWT__SECRET_REF", &format!("file:{}", file.display()));
        closed.set("AUTH__JWT__ISSUER", "bench");
        closed.set("AUTH__JWT__AUDIENCE", "branchkeeper");
        closed.set("AUTH__TOKENS", "true");
        closed.start().await;
        let mut open = station();
        open.start().await;
        fill(&closed, &jwt, BRANCHES).await;
        fill(&open, "", MIGRATED).await;

        let request = pb::CreateTokenRequest {
            name: "bench".into(),
            role: pb::Role::HeadOfficeAdmin.into(),
            ..Default::default()
        };
        let mut access = AccessServiceClient::new(closed.channel().await);
        let api_token = access.create_token(with(&jwt, request)).await.unwrap().into_inner().secret;

        let mut client = MigrationServiceClient::new(closed.channel().await);
        let mut pending = Vec::new();
        for index in 0..=MIGRATED {
            let answer =
                client.pending(with(&jwt, pb::PendingRequest { branch: code(index) })).await.unwrap().into_inner();
            assert_eq!(answer.count, if index < MIGRATED { 0 } else { 4 });
            pending.push(answer);
        }
        let all = pb::StatusRequest { page_size: ALL, ..Default::default() };
        let status = client.status(with(&jwt, all)).await.unwrap().into_inner();
        assert_eq!(status.branches.len(), BRANCHES);
        let echo = Echo::start(&pending, &status).await;
        Self { closed, open, echo, jwt, api_token }
    }

    /// The service with authentication on.
    pub(crate) fn closed(&self, call: Call, token: &str, expected: &'static str) -> Target {
        let (address, process) = (self.closed.address(), self.closed.process());
        Target { address, process, token: token.to_owned(), call, expected }
    }

    /// The service without authentication.
    pub(crate) fn open(&self, call: Call) -> Target {
        let (address, process) = (self.open.address(), self.open.process());
        Target { address, process, token: String::new(), call, expected: "OK" }
    }

    /// The echo; it is sent the token as well, and does not look at it.
    pub(crate) fn echo(&self, call: Call) -> Target {
        let (address, process) = (self.echo.address, self.echo.process());
        Target { address, process, token: self.jwt.clone(), call, expected: "OK" }
    }
}

fn station() -> Station {
    let mut station = Station::new();
    station.set("LOG__LEVEL", "warn");
    // One caller sends more than any caller should.
    station.set("SERVER__REQUESTS_PER_SECOND", "0");
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("branch_migrations")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, station.migrations_folder().join(path.file_name().unwrap())).unwrap();
    }
    station
}

fn jwt() -> String {
    let in_an_hour = chrono::Utc::now().timestamp() + 3600;
    let claims = serde_json::json!({
        "sub": "bench", "iss": "bench", "aud": "branchkeeper", "exp": in_an_hour, "role": "HeadOfficeAdmin",
    });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if !token.is_empty() {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    request
}

/// Registers branches and migrates the first ones.
async fn fill(station: &Station, token: &str, count: usize) {
    let mut branches = BranchServiceClient::new(station.channel().await);
    for index in 0..count {
        let request = pb::CreateBranchRequest { branch: Some(sqlite_branch(&code(index))) };
        branches.create_branch(with(token, request)).await.unwrap();
    }
    let request = pb::ApplyAllRequest { branches: (0..MIGRATED).map(code).collect(), ..Default::default() };
    let mut client = MigrationServiceClient::new(station.channel().await);
    let mut events = client.apply_all(with(token, request)).await.unwrap().into_inner();
    while events.message().await.unwrap().is_some() {}
}

//! What these tests need: tokens, certificates, a command line, raw calls.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use tonic::{Request, Status};

pub(super) use crate::support::Authority;
use crate::support::{Channel, Program, Raw, Station};

/// The secret of HS256.
pub(super) const SECRET: &str = "a-secret-of-at-least-32-bytes-for-tests";

/// A station whose callers need a JSON Web Token or an API token.
pub(super) fn closed_station() -> Station {
    let mut station = Station::new();
    let file = station.data_folder().with_file_name("jwt.secret");
    std::fs::write(&file, SECRET).unwrap();
    station.set("AUTH__JWT__SECRET_REF", &format!("file:{}", file.display()));
    station.set("AUTH__JWT__ISSUER", "idp");
    station.set("AUTH__JWT__AUDIENCE", "branchkeeper");
    station.set("AUTH__TOKENS", "true");
    station.migration("1_One.sql", "CREATE TABLE One (n INTEGER);\n");
    station
}

pub(super) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// The claims of a good token.
pub(super) fn claims(role: &str) -> Value {
    json!({ "sub": "ann", "iss": "idp", "aud": "branchkeeper", "exp": now() + 600, "role": role })
}

pub(super) fn signed(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

pub(super) fn admin() -> String {
    signed(&claims("HeadOfficeAdmin"))
}

pub(super) fn viewer() -> String {
    signed(&claims("HeadOfficeViewer"))
}

/// A request with a token.
pub(super) fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

/// Runs the command line; `arguments` are separated by spaces.
pub(super) fn cli(server: &str, token: Option<&str>, arguments: &str) -> Output {
    let program = Program::new(arguments.split(' ')).variable("BRANCHKEEPER_SERVER", server);
    match token {
        Some(token) => program.variable("BRANCHKEEPER_TOKEN", token).run(),
        None => program.without("BRANCHKEEPER_TOKEN").run(),
    }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Calls any method with an empty message, and gives how the call began.
pub(super) async fn raw(channel: &Channel, path: &str, authorization: Option<&str>) -> Result<(), Status> {
    let mut request = Request::new(Bytes::new());
    if let Some(value) = authorization {
        request.metadata_mut().insert("authorization", value.parse().unwrap());
    }
    request.set_timeout(Duration::from_secs(30));
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    client.server_streaming(request, path.parse().unwrap(), Raw).await.map(drop)
}

/// Writes a file beside the station's data and gives its path.
pub(super) fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    // Put in place whole, as a careful deployment does.
    let hidden = folder.join(format!(".{name}"));
    std::fs::write(&hidden, text).unwrap();
    std::fs::rename(hidden, &path).unwrap();
    path
}

/// Waits until `done` is true of the outcome of `look`.
pub(super) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> T, done: impl Fn(&T) -> bool) -> T {
    let begun = std::time::Instant::now();
    loop {
        let found = look().await;
        if done(&found) {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

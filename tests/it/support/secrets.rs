//! Whether a service emitted a secret: looked for at the end of every test, in everything that the test's service said.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message;

use super::pb;

/// Shorter ones stand in texts by chance.
const SHORTEST: usize = 6;
/// Secrets that belong to the whole test run, such as the passwords of its servers.
static SHARED: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// What one service was told in confidence and what it has answered. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// What they are, by themselves.
    secrets: BTreeMap<String, String>,
    answers: Vec<u8>,
}

/// Makes a secret known to all tests.
pub(crate) fn share(what: &str, secret: &str) {
    keep(&mut lock(&SHARED), what, secret);
}

fn keep(secrets: &mut BTreeMap<String, String>, what: &str, secret: &str) {
    let secret = secret.trim();
    if secret.len() >= SHORTEST {
        secrets.insert(secret.to_owned(), what.to_owned());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Seen {
    /// The service is given a secret.
    pub(crate) fn secret(&self, what: &str, secret: &str) {
        keep(&mut lock(&self.0).secrets, what, secret);
    }

    /// The service is given a variable of its environment, which may be or name a secret.
    pub(crate) fn variable(&self, name: &str, value: &str) {
        if value.starts_with("file:") || value.starts_with("env:") {
            return self.reference(name, value);
        }
        if name.ends_with("KEY_FILE") && !name.contains("PUBLIC") {
            let pem = fs::read_to_string(value).unwrap_or_default();
            return self.secret(name, pem.lines().nth(1).unwrap_or_default());
        }
        if let Some((_, rest)) = value.split_once("://") {
            let account = rest.rsplit_once('@').and_then(|(account, _)| account.split_once(':'));
            return self.secret(name, account.map_or("", |(_, password)| password));
        }
        let is_secret = ["PASSWORD", "SECRET", "TOKEN"].iter().any(|word| name.contains(word));
        if is_secret && !name.ends_with("_FILE") {
            self.secret(name, value);
        }
    }

    /// The service is told where a secret is. One in a variable is known by that already.
    fn reference(&self, what: &str, reference: &str) {
        if let Some(file) = reference.strip_prefix("file:") {
            self.secret(what, &fs::read_to_string(file).unwrap_or_default());
        }
    }

    /// The service has answered something.
    pub(crate) fn answer(&self, text: &[u8]) {
        let answers = &mut lock(&self.0).answers;
        answers.extend_from_slice(text);
        // Two answers must not make a secret together.
        answers.push(0);
    }

    /// The service was sent these messages.
    pub(super) fn request(&self, path: &str, messages: &[u8]) {
        for message in messages_in(messages) {
            let branch = match path {
                "/branchkeeper.v1.BranchService/CreateBranch" => {
                    pb::CreateBranchRequest::decode(message).ok().and_then(|request| request.branch)
                }
                "/branchkeeper.v1.BranchService/UpdateBranch" => {
                    pb::UpdateBranchRequest::decode(message).ok().and_then(|request| request.value)
                }
                _ => None,
            };
            let connection = match path {
                "/branchkeeper.v1.BranchService/TestConnection" => {
                    match pb::TestConnectionRequest::decode(message).ok().and_then(|request| request.target) {
                        Some(pb::test_connection_request::Target::Connection(connection)) => Some(connection),
                        _ => None,
                    }
                }
                _ => branch.and_then(|branch| branch.connection),
            };
            if let Some(pb::connection::Kind::Server(server)) = connection.and_then(|connection| connection.kind) {
                self.secret("a branch's password", &server.password);
                self.reference("a branch's password", &server.password_ref);
            }
        }
    }

    /// The service has answered with these messages. A new token is shown once, in the answer that is for it; from then on
    /// it is a secret like any other.
    pub(super) fn messages(&self, path: &str, messages: &[u8]) {
        if path != "/branchkeeper.v1.AccessService/CreateToken" {
            return self.answer(messages);
        }
        for message in messages_in(messages) {
            if let Ok(made) = pb::CreateTokenResponse::decode(message) {
                self.secret("an API token", &made.secret);
                self.answer(format!("{:?}", made.token).as_bytes());
            }
        }
    }
}

/// The messages of a body of gRPC, which are not compressed: the tests' clients do not ask for it.
fn messages_in(mut body: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some((head, rest)) = body.split_at_checked(5) {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let Some((message, rest)) = rest.split_at_checked(length) else { break };
        found.push(message);
        body = rest;
    }
    found
}

/// Looks, when it is dropped, for every secret in every answer and in these files and folders, and fails the test when it
/// finds one.
pub(crate) struct Watch {
    pub(crate) seen: Seen,
    places: Vec<PathBuf>,
}

impl Watch {
    pub(crate) fn over(places: Vec<PathBuf>) -> Self {
        Self { seen: Seen::default(), places }
    }

    /// The first secret that was emitted: what it is, and where.
    pub(crate) fn look(&self) -> Option<String> {
        let mut secrets = lock(&SHARED).clone();
        secrets.extend(lock(&self.seen.0).secrets.clone());
        let shapes: Vec<(String, &String)> = secrets
            .iter()
            .flat_map(|(secret, what)| shapes(secret).into_iter().map(move |shape| (shape, what)))
            .collect();
        let found = |emitted: &[u8]| {
            let text = String::from_utf8_lossy(emitted);
            shapes.iter().find(|(shape, _)| text.contains(shape.as_str())).map(|(_, what)| (*what).clone())
        };
        if let Some(what) = found(&lock(&self.seen.0).answers) {
            return Some(format!("{what} was emitted in an answer"));
        }
        let files = self.places.iter().flat_map(|place| files_in(place));
        files.into_iter().find_map(|file| {
            let what = found(&fs::read(&file).unwrap_or_default())?;
            Some(format!("{what} was emitted in {}", file.display()))
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A test that has failed already says why.
        if !std::thread::panicking()
            && let Some(leak) = self.look()
        {
            panic!("{leak}");
        }
    }
}

/// How a secret may be written.
fn shapes(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    let mut all = vec![
        secret.to_owned(),
        json.trim_matches('"').to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
    ];
    all.dedup();
    all
}

fn files_in(place: &Path) -> Vec<PathBuf> {
    // A file may go while it is looked for.
    let Ok(kind) = fs::symlink_metadata(place) else { return Vec::new() };
    if kind.is_file() {
        return vec![place.to_owned()];
    }
    if !kind.is_dir() {
        return Vec::new();
    }
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    entries.flat_map(|entry| files_in(&entry.path())).collect()
}

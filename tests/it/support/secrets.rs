//! Whether a service emitted a secret: looked for at the end of every test, in everything that the test's service said.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message;

use super::{head_offices, pb};

/// Shorter ones stand in texts by chance.
const SHORTEST: usize = 6;
/// Secrets that belong to the whole test run, such as the passwords of its servers.
static SHARED: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
/// Where the services of the tests are found, by address or folder.
static SERVICES: Mutex<Vec<(String, Weak<Mutex<Inner>>)>> = Mutex::new(Vec::new());

/// What one service was told in confidence and what it has answered. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// What they are, by themselves.
    secrets: BTreeMap<String, String>,
    /// The variables that it has, and the names of those that hold secrets.
    variables: BTreeMap<String, String>,
    confidential: BTreeSet<String>,
    answers: Vec<u8>,
}

/// Makes a secret known to all tests.
pub(crate) fn share(what: &str, secret: &str) {
    keep(&mut lock(&SHARED), what, secret);
}

/// The services that a text names, by their address or by a path in their folder.
pub(super) fn services_in(text: &str) -> Vec<Seen> {
    let names = |place: &str| {
        // A port is not the beginning of a longer one.
        text.split_once(place).is_some_and(|(_, rest)| !rest.starts_with(|next: char| next.is_ascii_digit()))
    };
    let services = lock(&SERVICES);
    services.iter().filter(|(place, _)| names(place)).filter_map(|(_, seen)| seen.upgrade().map(Seen)).collect()
}

/// The first secret among the answers that were seen.
pub(super) fn found_in_answers(seen: &Seen) -> Option<String> {
    Secrets::known_to([seen]).first_in(&lock(&seen.0).answers)
}

fn keep(secrets: &mut BTreeMap<String, String>, what: &str, secret: &str) {
    // How a target's secret is encoded is told with it, and is none.
    let secret = secret.trim().trim_start_matches("whsec_");
    if secret.len() >= SHORTEST {
        secrets.insert(secret.to_owned(), what.to_owned());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Seen {
    /// The service is found at `place`: an address, or a folder.
    pub(crate) fn found_at(&self, place: &str) {
        let mut services = lock(&SERVICES);
        services.retain(|(_, seen)| seen.strong_count() > 0);
        services.push((place.to_owned(), Arc::downgrade(&self.0)));
    }

    /// The service is given a secret.
    pub(crate) fn secret(&self, what: &str, secret: &str) {
        keep(&mut lock(&self.0).secrets, what, secret);
    }

    /// The service is given a variable of its environment, which may be or name a secret.
    pub(crate) fn variable(&self, name: &str, value: &str) {
        if value.starts_with("file:") || value.starts_with("env:") {
            return self.reference(name, value);
        }
        if name == "BRANCHKEEPER__HEAD_OFFICE__URL" {
            head_offices::note(value, self);
        }
        let is_confidential = {
            let mut inner = lock(&self.0);
            inner.variables.insert(name.to_owned(), value.to_owned());
            inner.confidential.contains(name)
        };
        if name.ends_with("KEY_FILE") && !name.contains("PUBLIC") {
            let pem = fs::read_to_string(value).unwrap_or_default();
            return self.secret(name, pem.lines().nth(1).unwrap_or_default());
        }
        if let Some((_, rest)) = value.split_once("://") {
            let account = rest.rsplit_once('@').and_then(|(account, _)| account.split_once(':'));
            return self.secret(name, account.map_or("", |(_, password)| password));
        }
        if name.ends_with("TOKEN_FILE") {
            return self.reference(name, &format!("file:{value}"));
        }
        let is_secret = ["PASSWORD", "SECRET", "TOKEN"].iter().any(|word| name.contains(word));
        if is_confidential || is_secret && !name.ends_with("_FILE") {
            self.secret(name, value);
        }
    }

    /// The service is told where a secret is.
    pub(super) fn reference(&self, what: &str, reference: &str) {
        if let Some(variable) = reference.strip_prefix("env:") {
            let value = {
                let mut inner = lock(&self.0);
                inner.confidential.insert(variable.to_owned());
                inner.variables.get(variable).cloned()
            };
            // One that comes later is known then.
            self.secret(variable, &value.unwrap_or_default());
        }
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
        let secrets = Secrets::known_to([&self.seen]);
        if let Some(what) = secrets.first_in(&lock(&self.seen.0).answers) {
            return Some(format!("{what} was emitted in an answer"));
        }
        let files = self.places.iter().flat_map(|place| files_in(place));
        files.into_iter().find_map(|file| {
            let what = secrets.first_in(&fs::read(&file).unwrap_or_default())?;
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

/// What is looked for: how each secret may be written, and what it is.
pub(super) struct Secrets(Vec<(String, String)>);

impl Secrets {
    /// Those of the whole test run, and those that these services were told.
    pub(super) fn known_to<'a>(services: impl IntoIterator<Item = &'a Seen>) -> Self {
        let mut secrets = lock(&SHARED).clone();
        for seen in services {
            secrets.extend(lock(&seen.0).secrets.clone());
        }
        let shaped =
            secrets.iter().flat_map(|(secret, what)| shapes(secret).into_iter().map(|shape| (shape, what.clone())));
        Self(shaped.collect())
    }

    /// What the first one is that stands in something that was emitted.
    pub(super) fn first_in(&self, emitted: &[u8]) -> Option<String> {
        let text = String::from_utf8_lossy(emitted);
        self.0.iter().find(|(shape, _)| text.contains(shape.as_str())).map(|(_, what)| what.clone())
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

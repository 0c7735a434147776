//! A server that is started for one test process and dies with it.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use super::product::{Product, Programs};

/// How long a server may take to become ready.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Runs a server in the folder `$1` until it ends or standard input does, and then sends it the signal `$2`; what follows
/// is the server's command line. Standard input is a pipe whose other end the test process holds, so the server ends with
/// that process, however it ends. While the folder has a file `again`, a server that ends is started once more.
const WATCHDOG: &str = r#"
exec 3<&0
folder=$1; signal=$2; shift 2
( cat <&3 >/dev/null; : >"$folder/over"; kill -"$signal" "$(cat "$folder/process")" 2>/dev/null ) &
while :; do
  "$@" </dev/null >>"$folder/log" 2>&1 3<&- &
  pid=$!
  echo "$pid" >"$folder/process"
  [ ! -e "$folder/over" ] || kill -"$signal" "$pid" 2>/dev/null
  wait "$pid"
  code=$?
  [ -e "$folder/again" ] && [ ! -e "$folder/over" ] || break
  sleep 0.1
done
# The log of a failed start stays for whoever reads the error; a later day's tests remove it.
rm -rf "$folder/data"
[ ! -e "$folder/ready" ] || rm -rf "$folder"
exit "$code"
"#;

/// Where a started server is, and its administrator's password.
pub(super) struct Private {
    pub(super) port: u16,
    pub(super) password: String,
    pub(super) folder: PathBuf,
}

/// Kills the server of `folder` with all of its processes, as a power cut would. With a file `again` in the folder it
/// comes back by itself, as soon as nothing is left of the old one.
pub(super) fn kill_server(folder: &Path) {
    let text = fs::read_to_string(folder.join("process")).expect("the watchdog has written it");
    let server: u32 = text.trim().parse().expect("it is a process id");
    let children = children_of(server);
    for process in std::iter::once(server).chain(children) {
        let _ = Command::new("kill").args(["-KILL", &process.to_string()]).stderr(Stdio::null()).status();
    }
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // The fields after the name, which ends with the last parenthesis: state, parent.
    let parent_of = |id: u32| {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        text.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    ids.filter(|id| parent_of(*id) == Some(parent)).collect()
}

/// The account that the server runs as; `None` is our own.
#[derive(Clone, Copy)]
pub(super) struct Account(Option<(u32, u32)>);

/// The names of the files in a server's folder that are its certificate and key, where it has any.
pub(super) const CERTIFICATE: &str = "server.pem";
pub(super) const KEY: &str = "server.key";

/// Starts a server, within seconds once the template in the cache exists; with a certificate and its key, both PEM, it
/// offers TLS. Fails when there is no such server on this
/// machine; the text says what to do.
///
/// # Panics
/// When the server is there and does not start.
pub(super) fn start(product: Product, certificate: Option<&(String, String)>) -> Result<Private, String> {
    let account = Account::choose();
    let cache = account.cache_folder();
    let programs = Programs::find(product, account, &cache)?;
    let template = template(&programs, account, &cache);
    let password = fs::read_to_string(template.join("password"))
        .unwrap_or_else(|error| panic!("{} is incomplete ({error}); remove it", template.display()));
    let runs = cache.join("run");
    account.make_folder(&runs);
    remove_leftovers(&runs);

    let mut failures = String::new();
    // The port may be taken by somebody else between finding it free and using it.
    for attempt in 0..5 {
        let folder = runs.join(format!("{}-{attempt}-{:08x}", std::process::id(), rand::random::<u32>()));
        account.make_folder(&folder);
        for part in ["data", "password"] {
            run(account.command("cp").arg("-a").arg(template.join(part)).arg(folder.join(part)));
        }
        for (name, text) in certificate.iter().flat_map(|(chain, key)| [(CERTIFICATE, chain), (KEY, key)]) {
            account.write(&folder.join(name), text);
        }
        let port = free_port();
        let (mut watchdog, pipe) = spawn(product, &programs, account, &folder, port);
        match wait_until_ready(&mut watchdog, &programs, &folder, port) {
            Ok(()) => {
                let _ = fs::write(folder.join("ready"), "");
                // One that crashes fails the test that it served then, and not all that come after.
                let _ = fs::write(folder.join("again"), "");
                keep(watchdog, pipe);
                return Ok(Private { port, password, folder });
            }
            Err(problem) => failures.push_str(&format!("\n- {problem}; see {}", folder.join("log").display())),
        }
    }
    panic!("the private {} of {} did not start:{failures}", product.name(), programs.folder().display());
}

/// Holds the pipe for as long as the process lives; closing it stops the server.
fn keep(watchdog: Child, pipe: ChildStdin) {
    static SERVERS: Mutex<Vec<(Child, ChildStdin)>> = Mutex::new(Vec::new());
    SERVERS.lock().expect("nobody panics with it").push((watchdog, pipe));
}

impl Account {
    /// The one that the tests run as.
    pub(super) const OURS: Self = Self(None);

    /// Servers refuse to run as root; then they run as `postgres`, or as `nobody`.
    fn choose() -> Self {
        let us = fs::metadata("/proc/self").map(|meta| meta.uid()).unwrap_or(u32::MAX);
        if us != 0 {
            return Self(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let find = |name: &str| {
            let fields: Vec<&str> =
                accounts.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == name)?;
            Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
        };
        Self(Some(find("postgres").or_else(|| find("nobody")).unwrap_or((65534, 65534))))
    }

    pub(super) fn command(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        // The current folder may be out of the account's reach. PG* variables of the caller must not leak in.
        command.current_dir("/").stdin(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        if let Self(Some((user, group))) = self {
            command.uid(user).gid(group);
        }
        command
    }

    fn cache_folder(self) -> PathBuf {
        let own = || match (self, std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
            (Self(Some((user, _))), _, _) => PathBuf::from(format!("/var/tmp/branchkeeper-tests-{user}")),
            (_, Some(cache), _) if !cache.is_empty() => PathBuf::from(cache).join("branchkeeper-tests"),
            (_, _, Some(home)) => PathBuf::from(home).join(".cache/branchkeeper-tests"),
            _ => std::env::temp_dir().join("branchkeeper-tests"),
        };
        let folder = std::env::var_os("BRANCHKEEPER_TEST_CACHE")
            .filter(|set| !set.is_empty())
            .map_or_else(own, |set| std::path::absolute(set).expect("BRANCHKEEPER_TEST_CACHE names a folder"));
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).unwrap_or_else(|error| panic!("{} can't be made: {error}", parent.display()));
        }
        self.make_folder(&folder);
        folder
    }

    /// Makes a folder that is the account's alone, or checks that an existing one is.
    fn make_folder(self, folder: &Path) {
        let fail = |error: io::Error| -> ! { panic!("the folder {} can't be used: {error}", folder.display()) };
        match fs::DirBuilder::new().mode(0o700).create(folder) {
            Ok(()) => self.own(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Somebody else's folder, or a link planted under a name that can be guessed, is not ours to use.
                let meta = fs::symlink_metadata(folder).unwrap_or_else(|error| fail(error));
                let expected = self.0.map(|(user, _)| user);
                let ours = meta.is_dir() && expected.is_none_or(|user| user == meta.uid() || meta.uid() == 0);
                assert!(ours, "{} belongs to somebody else; remove it", folder.display());
                self.own(folder);
            }
            Err(error) => fail(error),
        }
    }

    /// Writes a new file that nobody but the account may read.
    fn write(self, path: &Path, text: &str) {
        let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        io::Write::write_all(&mut made.expect("a file can be made"), text.as_bytes()).expect("a file can be written");
        self.own(path);
    }

    pub(super) fn own(self, path: &Path) {
        if let Self(Some((user, group))) = self {
            chown(path, Some(user), Some(group))
                .unwrap_or_else(|error| panic!("{} can't be given away: {error}", path.display()));
        }
    }
}

/// The folder with a freshly made, never started data folder, and the administrator's password in it.
fn template(programs: &Programs, account: Account, cache: &Path) -> PathBuf {
    let done = cache.join(programs.template());
    if done.is_dir() {
        return done;
    }
    let folder = cache.join(format!("making-{}-{:08x}", std::process::id(), rand::random::<u32>()));
    account.make_folder(&folder);
    let password = folder.join("password");
    let text: String = (0..4).map(|_| format!("{:08x}", rand::random::<u32>())).collect();
    account.write(&password, &text);
    programs.make_data(account, &folder);
    // Another process may have been faster; then its template is as good as ours.
    if fs::rename(&folder, &done).is_err() {
        let _ = fs::remove_dir_all(&folder);
    }
    done
}

pub(super) fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} can't be run: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed ({}): {text}", output.status);
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

fn spawn(product: Product, programs: &Programs, account: Account, folder: &Path, port: u16) -> (Child, ChildStdin) {
    let mut command = account.command("sh");
    command.arg("-c").arg(WATCHDOG).arg("watchdog").arg(folder).arg(product.signal());
    command.args(programs.serve(account, folder, port));
    // A group of its own: Ctrl-C ends the tests, and only their end stops the server.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut watchdog = command.spawn().expect("sh can be run");
    let pipe = watchdog.stdin.take().expect("it was asked for");
    (watchdog, pipe)
}

/// Waits until the server takes connections.
fn wait_until_ready(watchdog: &mut Child, programs: &Programs, folder: &Path, port: u16) -> Result<(), String> {
    let deadline = Instant::now() + START_LIMIT;
    while Instant::now() < deadline {
        if let Ok(Some(status)) = watchdog.try_wait() {
            return Err(format!("it ended with {status}"));
        }
        if programs.is_ready(folder, port) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(format!("it was not ready after {START_LIMIT:?}"))
}

/// Removes what servers left that could not clean up, such as after a power cut: folders more than a day old.
fn remove_leftovers(runs: &Path) {
    let old = SystemTime::now() - Duration::from_secs(24 * 3600);
    for entry in fs::read_dir(runs).into_iter().flatten().flatten() {
        if entry.metadata().and_then(|meta| meta.modified()).is_ok_and(|time| time < old) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

//! A PostgreSQL server that is started for one test process and dies with it.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

/// How long a server may take to become ready.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Runs the server `$1` on the folder `$2` until it ends or standard input does. Standard input is a pipe whose other end
/// the test process holds, so the server ends with that process, however it ends.
const WATCHDOG: &str = r#"
exec 3<&0
server=$1; folder=$2; shift 2
"$server" -D "$folder/data" "$@" </dev/null >"$folder/log" 2>&1 3<&- &
pid=$!
( cat <&3 >/dev/null; kill -QUIT "$pid" 2>/dev/null ) &
wait "$pid"
code=$?
# The log of a failed start stays for whoever reads the error; a later day's tests remove it.
rm -rf "$folder/data"
[ ! -e "$folder/ready" ] || rm -rf "$folder"
exit "$code"
"#;

/// Where a started server is, and its superuser's password.
pub(super) struct Private {
    pub(super) port: u16,
    pub(super) password: String,
}

/// The account that the server runs as; `None` is our own.
#[derive(Clone, Copy)]
struct Account(Option<(u32, u32)>);

/// Starts a server, within about a second once the template in the cache exists.
///
/// # Panics
/// When there is no PostgreSQL on this machine or it does not start; the text says what to do.
pub(super) fn start() -> Private {
    let binaries = find_binaries().unwrap_or_else(|| {
        panic!(
            "no PostgreSQL was found for the tests (looked for initdb and postgres in PATH and in \
             /usr/lib/postgresql/*/bin). Install it (apt-get install postgresql), or set \
             BRANCHKEEPER_TEST_POSTGRES_URL=postgres://user:password@host:port/database to a server where that user \
             may create databases"
        )
    });
    let account = Account::choose();
    let cache = account.cache_folder();
    let (template, password) = template(&binaries, account, &cache);
    let runs = cache.join("run");
    account.make_folder(&runs);
    remove_leftovers(&runs);

    let mut failures = String::new();
    // The port may be taken by somebody else between finding it free and using it.
    for attempt in 0..5 {
        let folder = runs.join(format!("{}-{attempt}-{:08x}", std::process::id(), rand::random::<u32>()));
        account.make_folder(&folder);
        run(account.command("cp").arg("-a").arg(template.join("data")).arg(folder.join("data")));
        let port = free_port();
        let (mut watchdog, pipe) = spawn(&binaries, account, &folder, port);
        match wait_until_ready(&mut watchdog, &folder) {
            Ok(()) => {
                let _ = fs::write(folder.join("ready"), "");
                keep(watchdog, pipe);
                return Private { port, password };
            }
            Err(problem) => failures.push_str(&format!("\n- {problem}; see {}", folder.join("log").display())),
        }
    }
    panic!("the private PostgreSQL of {} did not start:{failures}", binaries.display());
}

/// Holds the pipe for as long as the process lives; closing it stops the server.
fn keep(watchdog: Child, pipe: ChildStdin) {
    static SERVERS: Mutex<Vec<(Child, ChildStdin)>> = Mutex::new(Vec::new());
    SERVERS.lock().expect("nobody panics with it").push((watchdog, pipe));
}

fn find_binaries() -> Option<PathBuf> {
    let complete = |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) = std::env::split_paths(&path).find(complete) {
        return Some(found);
    }
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let number = |entry: fs::DirEntry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path()));
    let mut folders: Vec<_> = versions.filter_map(number).map(|(version, path)| (version, path.join("bin"))).collect();
    folders.sort();
    folders.into_iter().rev().map(|(_, folder)| folder).find(complete)
}

impl Account {
    /// PostgreSQL refuses to run as root; then it runs as `postgres`, or as `nobody`.
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

    fn command(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
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

    fn own(self, path: &Path) {
        if let Self(Some((user, group))) = self {
            chown(path, Some(user), Some(group))
                .unwrap_or_else(|error| panic!("{} can't be given away: {error}", path.display()));
        }
    }
}

/// The folder with a freshly made, never started data folder, and the superuser's password in it.
fn template(binaries: &Path, account: Account, cache: &Path) -> (PathBuf, String) {
    let version = Command::new(binaries.join("postgres")).arg("--version").output().expect("postgres can be run");
    let version: String = String::from_utf8_lossy(&version.stdout)
        .chars()
        .filter(|c| c.is_ascii_digit() || *c == '.')
        .take_while(|c| *c != '.')
        .collect();
    let done = cache.join(format!("postgres-{version}-template-1"));
    if !done.is_dir() {
        let folder = cache.join(format!("making-{}-{:08x}", std::process::id(), rand::random::<u32>()));
        account.make_folder(&folder);
        let password = folder.join("password");
        let text: String = (0..4).map(|_| format!("{:08x}", rand::random::<u32>())).collect();
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&password)
            .expect("a file can be made");
        io::Write::write_all(&mut file, text.as_bytes()).expect("a file can be written");
        account.own(&password);
        run(account
            .command(binaries.join("initdb"))
            .arg("-D")
            .arg(folder.join("data"))
            .arg("--pwfile")
            .arg(&password)
            .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]));
        // Another process may have been faster; then its template is as good as ours.
        if fs::rename(&folder, &done).is_err() {
            let _ = fs::remove_dir_all(&folder);
        }
    }
    let password = fs::read_to_string(done.join("password"))
        .unwrap_or_else(|error| panic!("{} is incomplete ({error}); remove it", done.display()));
    (done, password)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} can't be run: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed ({}): {text}", output.status);
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

fn spawn(binaries: &Path, account: Account, folder: &Path, port: u16) -> (Child, ChildStdin) {
    let mut command = account.command("sh");
    command.arg("-c").arg(WATCHDOG).arg("watchdog").arg(binaries.join("postgres")).arg(folder);
    for setting in [
        "listen_addresses=127.0.0.1",
        &format!("port={port}"),
        "unix_socket_directories=",
        "fsync=off",
        "full_page_writes=off",
        "max_connections=300",
        "shared_buffers=64MB",
        "max_wal_size=256MB",
        "password_encryption=scram-sha-256",
    ] {
        command.arg("-c").arg(setting);
    }
    // A group of its own: Ctrl-C ends the tests, and only their end stops the server.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut watchdog = command.spawn().expect("sh can be run");
    let pipe = watchdog.stdin.take().expect("it was asked for");
    (watchdog, pipe)
}

/// Waits until the server says in its pid file that it takes connections.
fn wait_until_ready(watchdog: &mut Child, folder: &Path) -> Result<(), String> {
    let deadline = Instant::now() + START_LIMIT;
    while Instant::now() < deadline {
        if let Ok(Some(status)) = watchdog.try_wait() {
            return Err(format!("it ended with {status}"));
        }
        let state = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
        if state.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
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

//! Running the program.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Listener, Program};

/// How long any command of a test may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What a command wrote, and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Standard output as one JSON document.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Standard output as a JSON object a line.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

/// A command to be run.
pub(crate) struct Keeper {
    program: Program,
    input: String,
}

impl Keeper {
    /// `branchkeeper` with these arguments, in an environment without settings of its own.
    pub(crate) fn new(args: &[&str]) -> Self {
        let mut program = Program::new(args);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("BRANCHKEEPER_") || ["NO_COLOR", "RUST_LOG", "COLUMNS"].contains(&name.as_str()) {
                program = program.without(name);
            }
        }
        Self { program, input: String::new() }
    }

    pub(crate) fn server(self, server: &str) -> Self {
        self.variable("BRANCHKEEPER_SERVER", server)
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.program = self.program.variable(name, value);
        self
    }

    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.program = self.program.folder(folder);
        self
    }

    pub(crate) fn input(mut self, text: &str) -> Self {
        text.clone_into(&mut self.input);
        self
    }

    /// Starts it and leaves it running.
    pub(crate) fn start(self) -> Running {
        let (mut command, listener) = self.program.into_parts(&self.input);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Whoever does not read its input may be gone before all is written.
        let _ = child.stdin.take().unwrap().write_all(self.input.as_bytes());
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        Running { child, stdout, stderr, listener: Some(listener) }
    }

    /// Runs it to its end.
    pub(crate) async fn run(self) -> Output {
        self.start().end().await
    }
}

/// A command that is running.
pub(crate) struct Running {
    child: Child,
    stdout: Collected,
    stderr: Collected,
    listener: Option<Listener>,
}

type Collected = std::sync::Arc<std::sync::Mutex<String>>;

fn collect(mut from: impl Read + Send + 'static) -> Collected {
    let text = Collected::default();
    let into = text.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    });
    text
}

impl Running {
    /// What it has written to standard output so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.lock().unwrap().clone()
    }

    /// What it has written to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits until `found` holds.
    pub(crate) async fn until(&mut self, found: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !found(self) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "ended early: {} {}", self.stdout(), self.stderr());
            assert!(begun.elapsed() < LIMIT, "waited too long: {} {}", self.stdout(), self.stderr());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends a signal, such as `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    pub(crate) async fn end(mut self) -> Output {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > LIMIT {
                let _ = self.child.kill();
                panic!("the command did not end: {} {}", self.stdout(), self.stderr());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        // The readers end with the pipes, which end with the process.
        while std::sync::Arc::strong_count(&self.stdout) + std::sync::Arc::strong_count(&self.stderr) > 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.hear();
        Output { code: status.code().unwrap_or(-1), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Running {
    fn hear(&mut self) {
        let (stdout, stderr) = (self.stdout(), self.stderr());
        if let Some(listener) = self.listener.take() {
            listener.hear(stdout.as_bytes(), stderr.as_bytes());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            self.hear();
        }
    }
}

/// The repository's own sample migrations.
pub(crate) fn sample_migrations() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("branch_migrations")
}

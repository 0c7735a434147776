//! The command line, run so that nothing which it says goes unsearched for secrets.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::secrets::{self, Seen};
use super::service::PROGRAM;

/// `branchkeeper`, about to be run.
pub(crate) struct Program(Command);

impl Program {
    /// The program with these arguments.
    pub(crate) fn new(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(args).stdin(Stdio::null());
        Self(command)
    }

    /// The same, run by bash from within `script`, where `$0` stands for the program.
    pub(crate) fn within(script: &str) -> Self {
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", script, PROGRAM]).stdin(Stdio::null());
        Self(command)
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.0.arg(argument);
        self
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.0.args(arguments);
        self
    }

    pub(crate) fn variable(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn without(mut self, variable: impl AsRef<OsStr>) -> Self {
        self.0.env_remove(variable);
        self
    }

    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Output {
        let (mut command, listener) = self.into_parts("");
        let output = command.output().unwrap();
        listener.hear(&output.stdout, &output.stderr);
        output
    }

    /// The command, for a test that starts it by itself and gives it `input`, and who has to hear what it says.
    pub(crate) fn into_parts(self, input: &str) -> (Command, Listener) {
        let listener = Listener::of(&self.0, input);
        (self.0, listener)
    }
}

/// Searches what a process has said for what it was told in confidence, and remembers it among the answers of the services
/// that it was about. Dropped without having heard anything, it fails the test.
pub(crate) struct Listener {
    told: Seen,
    services: Vec<Seen>,
    makes_token: bool,
    has_heard: bool,
}

impl Listener {
    fn of(command: &Command, input: &str) -> Self {
        let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
        let variables: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_string_lossy(), value?.to_string_lossy())))
            .collect();
        let values = args.iter().map(String::as_str).chain(variables.iter().map(|(_, value)| &**value));
        let services: Vec<Seen> = values.flat_map(secrets::services_in).collect();
        let told = Seen::default();
        for seen in services.iter().chain([&told]) {
            for (name, value) in &variables {
                seen.variable(name, value);
            }
            for pair in args.windows(2) {
                match (pair[0].as_str(), pair[1].as_str()) {
                    ("--token", token) => seen.secret("--token", token),
                    ("--password-file", "-") => seen.secret("the input", input),
                    ("--password-file" | "--token-file", file) => seen.reference("a file", &format!("file:{file}")),
                    ("--url", url) => seen.variable("--url", url),
                    _ => {}
                }
            }
        }
        let makes_token = args.windows(2).any(|pair| pair == ["token", "create"]);
        Self { told, services, makes_token, has_heard: false }
    }

    /// The process has said this. A token that it has just made is shown once; from then on it is a secret.
    pub(crate) fn hear(mut self, stdout: &[u8], stderr: &[u8]) {
        self.has_heard = true;
        let mut said = String::from_utf8_lossy(stdout).into_owned();
        if self.makes_token
            && let Some((token, rest)) = take_token(&said)
        {
            for seen in self.services.iter().chain([&self.told]) {
                seen.secret("an API token", &token);
            }
            said = rest;
        }
        for text in [said.as_bytes(), stderr] {
            self.told.answer(text);
            self.services.iter().for_each(|seen| seen.answer(text));
        }
        if let Some(what) = secrets::found_in_answers(&self.told) {
            panic!("{what} was emitted by the command line: {said}{}", String::from_utf8_lossy(stderr));
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        assert!(self.has_heard || std::thread::panicking(), "nobody has looked at what the program said");
    }
}

/// The first token in a text, and the text without it.
fn take_token(text: &str) -> Option<(String, String)> {
    let (before, rest) = text.split_once("bk_")?;
    let digits = rest.split_at_checked(64).filter(|(digits, _)| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    digits.map(|(digits, after)| (format!("bk_{digits}"), format!("{before}{after}")))
}

//! Saying that a test did not do what it is there for.

use std::io::Write;
use std::sync::Mutex;

/// Says once in this process what is skipped and why, past the test runner, which keeps what tests print to itself when
/// they pass.
pub(crate) fn say(what: &str) {
    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut said = SAID.lock().unwrap();
    if !said.iter().any(|earlier| earlier == what) {
        said.push(what.to_owned());
        let _ = std::io::stderr().write_all(format!("skipped: {what}\n").as_bytes());
    }
}

use toml::de::{DeTable, DeValue};

use super::concerns::Config;
use super::error::{ConfigError, Problem};
use super::keys::{self, find, nearest};
use super::value::Raw;
use crate::domain::shorten;

/// What the variables that stand for any key begin with.
const PREFIX: &str = "BRANCHKEEPER__";

/// The variables that have a name of their own. Unlike those with the prefix, an empty one counts as not set.
const SHORT: [(&str, &str); 3] = [
    ("BRANCHKEEPER_LISTEN", "server.listen"),
    ("BRANCHKEEPER_DATA", "data"),
    ("BRANCHKEEPER_MIGRATIONS", "migrations"),
];

/// A configuration file that has been read.
#[derive(Debug, Clone, Copy)]
pub struct ConfigFile<'a> {
    /// How errors call it.
    pub name: &'a str,
    /// What is in it.
    pub text: &'a str,
}

/// What the command line says; it has the last word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--listen`
    pub listen: Option<String>,
    /// `--data`
    pub data: Option<String>,
    /// `--migrations`
    pub migrations: Option<String>,
}

/// Puts defaults, file, variables and command line together, later ones over earlier ones.
///
/// Errors list every key that is not known and every value that is not allowed, not just the first.
pub fn load(
    file: Option<ConfigFile<'_>>,
    variables: impl IntoIterator<Item = (String, String)>,
    overrides: &Overrides,
) -> Result<Config, ConfigError> {
    let mut loader = Loader::default();
    if let Some(file) = file {
        loader.file(file);
    }
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort();
    for (name, value) in &variables {
        loader.variable(name, value);
    }
    for (short, key) in SHORT {
        if let Some((_, value)) = variables.iter().find(|(name, value)| name == short && !value.is_empty()) {
            loader.set(key, Raw::Text(value), || short.to_owned());
        }
    }
    let flags = [
        ("--listen", "server.listen", &overrides.listen),
        ("--data", "data", &overrides.data),
        ("--migrations", "migrations", &overrides.migrations),
    ];
    for (flag, key, value) in flags {
        if let Some(value) = value {
            loader.set(key, Raw::Text(value), || flag.to_owned());
        }
    }
    loader.finish()
}

#[derive(Default)]
struct Loader {
    config: Config,
    problems: Vec<Problem>,
}

impl Loader {
    fn problem(&mut self, place: String, message: String) {
        self.problems.push(Problem { place, message });
    }

    fn set(&mut self, key: &str, raw: Raw<'_>, place: impl Fn() -> String) {
        let set = match find(key) {
            Some(found) => Some((found.set)(&mut self.config, raw)),
            None => self.config.notify.set(key, raw),
        };
        match set {
            Some(Ok(())) => {}
            Some(Err(message)) => self.problem(place(), format!("{}: {message}", shorten(key, 80))),
            None => {
                let message = format!("unknown key '{}'; did you mean '{}'?", shorten(key, 80), nearest(key));
                self.problem(place(), message);
            }
        }
    }

    fn variable(&mut self, name: &str, value: &str) {
        let Some(rest) = name.strip_prefix(PREFIX) else { return self.misspelt(name) };
        let key = rest.replace("__", ".").to_ascii_lowercase();
        if find(&key).is_some() {
            return self.set(&key, Raw::Text(value), || name.to_owned());
        }
        if let Some(set) = self.config.notify.set(&key, Raw::Text(value)) {
            return set.unwrap_or_else(|message| self.problem(name.to_owned(), format!("{key}: {message}")));
        }
        let meant = nearest(&key).replace('.', "__").to_ascii_uppercase();
        self.problem(
            shorten(name, 80),
            format!("unknown key '{}'; did you mean '{PREFIX}{meant}'?", shorten(&key, 80)),
        );
    }

    /// One underscore where two belong is easily written, and whoever did so would take the setting for made. Other variables
    /// are none of ours.
    fn misspelt(&mut self, name: &str) {
        let Some((_, rest)) = name.split_once('_').filter(|(word, _)| PREFIX.trim_end_matches('_') == *word) else {
            return;
        };
        if rest.contains("__") && find(&rest.replace("__", ".").to_ascii_lowercase()).is_some() {
            let message = format!("is no setting; did you mean '{PREFIX}{rest}'?");
            self.problem(shorten(name, 80), message);
        }
    }

    fn file(&mut self, file: ConfigFile<'_>) {
        // Editors on Windows put a byte order mark in front.
        let text = file.text.strip_prefix('\u{feff}').unwrap_or(file.text);
        let place = |offset: usize| format!("{}:{}", file.name, line(text, offset));
        match DeTable::parse(text) {
            Ok(table) => {
                let mut entries = Vec::new();
                flatten(table.get_ref(), "", &mut entries);
                entries.sort_by_key(|entry| entry.offset);
                for entry in entries {
                    if keys::is_table(&entry.key) {
                        let message = format!("'{0}' is a section; write [{0}] above its keys", entry.key);
                        self.problem(place(entry.offset), message);
                    } else {
                        self.set(&entry.key, Raw::Toml(entry.value), || place(entry.offset));
                    }
                }
            }
            // Only its message: the error itself would show the line, and there may be a password in it.
            Err(error) => {
                let offset = error.span().map_or(0, |span| span.start);
                self.problem(place(offset), format!("this is not TOML: {}", shorten(error.message(), 200)));
            }
        }
    }

    fn finish(mut self) -> Result<Config, ConfigError> {
        if self.problems.is_empty() {
            let config = &self.config;
            let mut found = Vec::new();
            if config.retry.max_backoff < config.retry.backoff {
                let message = "is shorter than retry.backoff; make it at least as long";
                found.push(("retry.max_backoff", message.to_owned()));
            }
            found.extend(config.auth.problems(&config.tls));
            if let Err(message) = config.check_exposure() {
                found.push(("server.listen", message));
            }
            let notify = config.notify.problems();
            for (key, message) in found {
                self.problem(key.to_owned(), message);
            }
            for (key, message) in notify {
                self.problem(key, message);
            }
        }
        if self.problems.is_empty() { Ok(self.config) } else { Err(ConfigError { problems: self.problems }) }
    }
}

struct Entry<'a> {
    key: String,
    value: &'a DeValue<'a>,
    offset: usize,
}

/// The leaves of a table: everything that is not a table, and what is known as a key although it is one.
fn flatten<'a>(table: &'a DeTable<'a>, prefix: &str, entries: &mut Vec<Entry<'a>>) {
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        let offset = name.span().start;
        match value.get_ref() {
            DeValue::Table(inner) if find(&key).is_none() && (!inner.is_empty() || keys::is_table(&key)) => {
                flatten(inner, &format!("{key}."), entries);
            }
            leaf => entries.push(Entry { key, value: leaf, offset }),
        }
    }
}

fn line(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;

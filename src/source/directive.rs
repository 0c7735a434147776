use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use super::place::Places;
use super::problem::{Problem, shown};
use super::script::{Comment, MARK, MAX_PROBLEMS};
use super::suggest::{distance, nearest};
use crate::domain::{MigrationId, TransactionMode};

const KEYS: [&str; 4] = ["transaction-mode", "timeout", "depends-on", "description"];
const LONGEST_TIMEOUT: u64 = 24 * 60 * 60;
/// The longest description, in characters.
pub(super) const MAX_DESCRIPTION: usize = 500;
/// The most migrations that one may depend on by name.
pub(super) const MAX_DEPENDENCIES: usize = 100;

/// What a file says about itself in `-- branchkeeper: key=value` comments before its first statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Directives {
    pub(super) transaction_mode: Option<TransactionMode>,
    pub(super) timeout: Option<Duration>,
    /// Each with its line and column.
    pub(super) depends_on: Vec<(MigrationId, (u32, u32))>,
    pub(super) description: String,
}

/// Where directives may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// An up file.
    Allowed,
    /// A down file, which follows its up file.
    Refused,
}

/// Reads the directives among a file's comments. Problems go to `problems`.
pub(super) fn read(
    file: &str,
    text: &str,
    comments: &[Comment],
    place: Place,
    problems: &mut Vec<Problem>,
) -> Directives {
    let mut reader =
        Reader { file, text, places: Places::new(text), seen: BTreeMap::new(), found: Directives::default(), problems };
    for comment in comments {
        reader.comment(*comment, place);
    }
    reader.found
}

struct Reader<'a, 'p> {
    file: &'a str,
    text: &'a str,
    places: Places<'a>,
    /// The keys that were set, and on which line.
    seen: BTreeMap<&'static str, u32>,
    found: Directives,
    problems: &'p mut Vec<Problem>,
}

impl Reader<'_, '_> {
    fn problem(&mut self, offset: usize, message: impl Into<String>, hint: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            let place = self.places.at(offset);
            self.problems.push(Problem::at(self.file, place, message, hint));
        }
    }

    fn comment(&mut self, comment: Comment, place: Place) {
        let raw = self.text.get(comment.body..comment.end).unwrap_or_default();
        let body = raw.trim_start();
        let start = comment.body + (raw.len() - body.len());
        let word_length = body.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(body.len());
        let (word, after) = body.split_at(word_length);
        if !word.eq_ignore_ascii_case(MARK) {
            if !comment.is_block && is_misspelt(word, after) {
                self.problem(start, format!("'{word}' is no directive"), format!("did you mean '{MARK}:'?"));
            }
            return;
        }
        // Prose about the product is no directive; something that looks like a setting is.
        let Some(settings) = after.trim_start().strip_prefix(':') else {
            if KEYS.iter().any(|key| after.contains(&format!("{key}="))) {
                self.problem(start, "this directive lacks its colon", format!("write '-- {MARK}: key=value'"));
            }
            return;
        };
        if comment.is_block {
            return self.problem(
                start,
                "a directive stands in a block comment",
                format!("write '-- {MARK}: key=value'"),
            );
        }
        if comment.is_late {
            let hint = "move it before the first statement";
            return self.problem(start, "this directive comes after the first statement has begun", hint);
        }
        if place == Place::Refused {
            return self.problem(start, "a down file has no directives of its own", "put it into the up file");
        }
        let offset = comment.end - settings.len();
        self.settings(offset, comment.end);
    }

    /// Reads `key=value` pairs from `from` to `to`.
    fn settings(&mut self, from: usize, to: usize) {
        let mut at = from;
        let mut any = false;
        while let Some(setting) = self.next_setting(&mut at, to) {
            any = true;
            self.setting(setting);
        }
        if !any {
            self.problem(from, "this directive is empty", format!("write '-- {MARK}: key=value'"));
        }
    }

    fn next_setting(&mut self, at: &mut usize, to: usize) -> Option<Setting> {
        let slice = |range: Range<usize>| self.text.get(range).unwrap_or_default();
        let rest = slice(*at..to);
        let start = to - rest.trim_start().len();
        let rest = slice(start..to);
        if rest.is_empty() {
            return None;
        }
        let word_end = start + rest.find(char::is_whitespace).unwrap_or(rest.len());
        let Some(equals) = slice(start..word_end).find('=').map(|index| start + index) else {
            *at = word_end;
            return Some(Setting { key: start..word_end, value: None, is_closed: true });
        };
        let value = equals + 1;
        let (value, end, is_closed) = match slice(value..to).strip_prefix('"') {
            None => (value..word_end, word_end, true),
            Some(quoted) => match quoted.find('"') {
                Some(length) => (value + 1..value + 1 + length, value + length + 2, true),
                None => (value..to, to, false),
            },
        };
        *at = end;
        Some(Setting { key: start..equals, value: Some(value), is_closed })
    }

    fn setting(&mut self, setting: Setting) {
        let text = self.text;
        let key = text.get(setting.key.clone()).unwrap_or_default();
        let Some(known) = KEYS.into_iter().find(|known| *known == key) else {
            let hint = match nearest(key, KEYS) {
                Some(meant) => format!("did you mean '{meant}'?"),
                None => format!("use {}; quote a value that has spaces", KEYS.join(", ")),
            };
            return self.problem(setting.key.start, format!("'{}' is not a directive's key", shown(key)), hint);
        };
        let Some(range) = setting.value else {
            return self.problem(setting.key.start, format!("{known} has no value"), format!("write {known}=value"));
        };
        if !setting.is_closed {
            return self.problem(range.start, format!("the value of {known} lacks its closing quote"), "add a '\"'");
        }
        let line = self.places.at(setting.key.start).0;
        if let Some(first) = self.seen.insert(known, line) {
            let message = format!("{known} is set twice, first on line {first}");
            return self.problem(setting.key.start, message, "keep one of the two");
        }
        let value = text.get(range.clone()).unwrap_or_default();
        match known {
            "transaction-mode" => self.transaction_mode(range.start, value),
            "timeout" => match parse_timeout(value) {
                Ok(timeout) => self.found.timeout = Some(timeout),
                Err(message) => self.problem(range.start, message, "write it like 300s, 10m or 1h"),
            },
            "depends-on" => self.depends_on(range.start, value),
            _ if value.chars().count() > MAX_DESCRIPTION => {
                let message = format!("the description has more than {MAX_DESCRIPTION} characters");
                self.problem(range.start, message, "shorten it");
            }
            _ => self.found.description = value.trim().to_owned(),
        }
    }

    fn transaction_mode(&mut self, offset: usize, value: &str) {
        match value.parse() {
            Ok(mode) => self.found.transaction_mode = Some(mode),
            Err(_) => {
                let modes = TransactionMode::ALL.map(TransactionMode::as_str);
                let hint = match nearest(value, modes) {
                    Some(meant) => format!("did you mean '{meant}'?"),
                    None => format!("use {}", modes.join(", ")),
                };
                self.problem(offset, format!("'{}' is not a transaction mode", shown(value)), hint);
            }
        }
    }

    fn depends_on(&mut self, offset: usize, value: &str) {
        if value.split(',').count() > MAX_DEPENDENCIES {
            let message = format!("depends-on names more than {MAX_DEPENDENCIES} migrations");
            return self.problem(offset, message, "name only the direct ones");
        }
        let mut at = offset;
        for part in value.split(',') {
            let start = at + (part.len() - part.trim_start().len());
            at += part.len() + 1;
            let part = part.trim();
            match MigrationId::from_str(part) {
                Ok(id) if self.found.depends_on.iter().any(|(known, _)| *known == id) => {
                    self.problem(start, format!("depends-on names {id} twice"), "remove one of the two");
                }
                Ok(id) => {
                    let place = self.places.at(start);
                    self.found.depends_on.push((id, place));
                }
                Err(_) => {
                    let message = format!("'{}' is not a migration's id", shown(part));
                    self.problem(start, message, "write depends-on=<number>_<Name>,<number>_<Name>");
                }
            }
        }
    }
}

/// A `key=value` pair, as ranges of the file.
struct Setting {
    key: Range<usize>,
    value: Option<Range<usize>>,
    is_closed: bool,
}

/// Whether a comment reads as a directive whose first word is one or two letters off.
fn is_misspelt(word: &str, after: &str) -> bool {
    let lower: Vec<char> = word.to_ascii_lowercase().chars().take(20).collect();
    after.trim_start().starts_with(':')
        && after.contains('=')
        && distance(&lower, &MARK.chars().collect::<Vec<_>>()) <= 3
}

pub(super) fn parse_timeout(text: &str) -> Result<Duration, String> {
    let bad = || format!("'{}' is not a time limit", shown(text));
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
    let (digits, unit) = text.split_at(split);
    let step = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        _ => return Err(bad()),
    };
    if digits.is_empty() {
        return Err(bad());
    }
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(step));
    match seconds {
        Some(seconds @ 1..=LONGEST_TIMEOUT) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("the time limit '{}' is not between 1s and 24h", shown(text))),
    }
}

#[cfg(test)]
#[path = "directive_tests.rs"]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::value::Raw;
use crate::domain::{NotificationKind, RetryPolicy, Secret, SecretRef};

/// Who is told of things unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// How long one delivery may take. Default: 10 s.
    pub timeout: Duration,
    /// How often a message is tried, and the waits between. Default: 16 times, 5 s doubling up to 30 minutes.
    pub retry: RetryPolicy,
    /// How long a message is tried. Default: 24 h.
    pub max_age: Duration,
    /// The same trouble of the same branch is told once within this time. Default: 1 h.
    pub dedup_window: Duration,
    /// The most messages that wait; further ones are only counted. Default: 10,000.
    pub max_pending: u32,
    /// How long settled messages are kept for looking at. Default: 7 days.
    pub retention: Duration,
    /// The targets by name. Default: none.
    pub targets: BTreeMap<String, NotifyTarget>,
}

impl Default for Notify {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            retry: RetryPolicy {
                max_attempts: 16,
                backoff: Duration::from_secs(5),
                max_backoff: Duration::from_secs(1_800),
                ..RetryPolicy::default()
            },
            max_age: Duration::from_secs(86_400),
            dedup_window: Duration::from_secs(3_600),
            max_pending: 10_000,
            retention: Duration::from_secs(7 * 86_400),
            targets: BTreeMap::new(),
        }
    }
}

/// Somebody who is told of things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyTarget {
    /// How it is reached. Default: webhook.
    pub kind: NotifyKind,
    /// The kinds of notification it gets. Default: empty, all.
    pub events: Vec<NotificationKind>,
    /// Only branches in these environments. Default: empty, all.
    pub environments: Vec<String>,
    /// Only branches with all of these labels. Default: empty, all.
    pub labels: BTreeMap<String, String>,
    /// The most messages in a minute; further ones are held back and counted. Default: 30.
    pub max_per_minute: u32,
    /// Certificates that are trusted besides the system's. Default: empty, none.
    pub ca_file: PathBuf,
    /// A webhook's URL. Default: none; `url` or `url_ref` is needed.
    pub url: Option<Secret>,
    /// Where a webhook's URL is found. Default: none.
    pub url_ref: Option<SecretRef>,
    /// Where the key of a webhook's signature is found. Default: none, no signature.
    pub secret_ref: Option<SecretRef>,
    /// What a webhook's body looks like. Default: json.
    pub format: NotifyFormat,
    /// Whether `http://` is accepted for other machines than this one. Default: no.
    pub allow_plaintext: bool,
    /// The mail server. Default: none; needed for mail.
    pub host: String,
    /// The mail server's port. Default: none, the usual one of `tls`.
    pub port: Option<u16>,
    /// How the connection to the mail server is protected. Default: starttls.
    pub tls: NotifyTls,
    /// Who signs in to the mail server. Default: empty, nobody.
    pub username: String,
    /// Where the password is found. Default: none.
    pub password_ref: Option<SecretRef>,
    /// The sender. Default: none; needed for mail.
    pub from: String,
    /// Who gets the mail. Default: none; needed for mail.
    pub to: Vec<String>,
}

impl Default for NotifyTarget {
    fn default() -> Self {
        Self {
            kind: NotifyKind::default(),
            events: Vec::new(),
            environments: Vec::new(),
            labels: BTreeMap::new(),
            max_per_minute: 30,
            ca_file: PathBuf::new(),
            url: None,
            url_ref: None,
            secret_ref: None,
            format: NotifyFormat::default(),
            allow_plaintext: false,
            host: String::new(),
            port: None,
            tls: NotifyTls::default(),
            username: String::new(),
            password_ref: None,
            from: String::new(),
            to: Vec::new(),
        }
    }
}

/// How a target is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NotifyKind {
    /// A POST request.
    #[default]
    Webhook,
    /// A mail over SMTP.
    Mail,
}

/// What a webhook's body looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NotifyFormat {
    /// The notification itself, for programs.
    #[default]
    Json,
    /// `{"text": …}`, for Slack, Mattermost and those like them.
    Slack,
    /// An adaptive card, for Microsoft Teams.
    Teams,
}

/// How the connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NotifyTls {
    /// It has to become TLS before anything is said.
    #[default]
    StartTls,
    /// TLS from the beginning.
    Tls,
    /// Not at all; no password is sent over it, except on this machine.
    None,
}

/// What the keys of targets begin with.
const PREFIX: &str = "notify.targets.";
/// The most targets.
const MAX_TARGETS: usize = 100;

/// Puts a value into its place in a target.
type Setter = fn(&mut NotifyTarget, Raw<'_>) -> Result<(), String>;

macro_rules! keys {
    ($( $name:literal => $place:ident = |$raw:ident| $read:expr; )*) => {
        /// Every key of a target.
        const KEYS: &[(&str, Setter)] = &[$( ($name, |target, $raw| { target.$place = $read; Ok(()) }), )*];
    };
}

keys! {
    "kind" => kind = |raw| raw.word(&[("webhook", NotifyKind::Webhook), ("mail", NotifyKind::Mail)])?;
    "events" => events = |raw| events(raw)?;
    "environments" => environments = |raw| words(raw)?;
    "labels" => labels = |raw| labels(raw)?;
    "max_per_minute" => max_per_minute = |raw| raw.integer(1..=6_000)?;
    "ca_file" => ca_file = |raw| raw.path()?;
    "url" => url = |raw| raw.parsed(url)?;
    "url_ref" => url_ref = |raw| raw.parsed(reference)?;
    "secret_ref" => secret_ref = |raw| raw.parsed(reference)?;
    "format" => format = |raw| raw.word(&[
        ("json", NotifyFormat::Json), ("slack", NotifyFormat::Slack), ("teams", NotifyFormat::Teams),
    ])?;
    "allow_plaintext" => allow_plaintext = |raw| raw.boolean()?;
    "host" => host = |raw| raw.parsed(host)?;
    "port" => port = |raw| Some(raw.integer(1..=65_535)?);
    "tls" => tls = |raw| raw.word(&[
        ("starttls", NotifyTls::StartTls), ("tls", NotifyTls::Tls), ("none", NotifyTls::None),
    ])?;
    "username" => username = |raw| raw.parsed(line)?;
    "password_ref" => password_ref = |raw| raw.parsed(reference)?;
    "from" => from = |raw| raw.parsed(address)?;
    "to" => to = |raw| addresses(raw)?;
}

/// The names of all keys of a target, as they are documented.
pub fn notify_target_key_names() -> impl Iterator<Item = String> {
    KEYS.iter().map(|(name, _)| format!("{PREFIX}NAME.{name}"))
}

/// Whether `name` is the table of targets or a target's own.
pub(super) fn is_table(name: &str) -> bool {
    name == PREFIX.trim_end_matches('.') || name.strip_prefix(PREFIX).is_some_and(|target| !target.contains('.'))
}

impl Notify {
    /// Puts a value into its place in a target, which is made if it is not there yet; `None` when `key` is none of a
    /// target's keys.
    pub(super) fn set(&mut self, key: &str, raw: Raw<'_>) -> Option<Result<(), String>> {
        let (name, field) = key.strip_prefix(PREFIX)?.split_once('.')?;
        let (_, set) = KEYS.iter().find(|(known, _)| *known == field)?;
        if !is_name(name) {
            let name = crate::domain::shorten(name, 60);
            let shape = "1 to 32 lower-case letters, digits, '-' and '_', beginning with a letter";
            return Some(Err(format!("'{name}' is not a target's name; use {shape}")));
        }
        if self.targets.len() >= MAX_TARGETS && !self.targets.contains_key(name) {
            return Some(Err(format!("there are more than {MAX_TARGETS} targets")));
        }
        Some(set(self.targets.entry(name.to_owned()).or_default(), raw))
    }

    /// What does not go together.
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if self.retry.max_backoff < self.retry.backoff {
            let message = "is shorter than notify.backoff; make it at least as long";
            found.push(("notify.max_backoff".to_owned(), message.to_owned()));
        }
        for (name, target) in &self.targets {
            found.extend(target.problem().map(|(key, message)| (format!("{PREFIX}{name}.{key}"), message.to_owned())));
        }
        found
    }
}

impl NotifyTarget {
    fn problem(&self) -> Option<(&'static str, &'static str)> {
        let plain = Self::default();
        let is_mail = self.host != plain.host || self.port.is_some() || self.tls != plain.tls;
        let is_mail = is_mail || !self.username.is_empty() || self.password_ref.is_some();
        let is_mail = is_mail || !self.from.is_empty() || !self.to.is_empty();
        let has_url = self.url.is_some() || self.url_ref.is_some();
        let is_webhook = has_url || self.secret_ref.is_some() || self.format != plain.format || self.allow_plaintext;
        let local = self.host == "localhost" || self.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        match self.kind {
            NotifyKind::Webhook if is_mail => {
                Some(("kind", "is webhook, but there are keys of mail; set kind = \"mail\""))
            }
            NotifyKind::Webhook if !has_url => Some(("url_ref", "is missing; a webhook needs url_ref or url")),
            NotifyKind::Webhook if self.url.is_some() && self.url_ref.is_some() => {
                Some(("url_ref", "is given beside url; give one of them"))
            }
            NotifyKind::Mail if is_webhook => Some(("kind", "is mail, but there are keys of webhooks; leave them out")),
            NotifyKind::Mail if self.host.is_empty() => Some(("host", "is missing; name the mail server")),
            NotifyKind::Mail if self.from.is_empty() => Some(("from", "is missing; give the sender's address")),
            NotifyKind::Mail if self.to.is_empty() => Some(("to", "is missing; say who gets the mail")),
            NotifyKind::Mail if self.username.is_empty() != self.password_ref.is_none() => {
                Some(("password_ref", "and username go together; give both or neither"))
            }
            NotifyKind::Mail if self.tls == NotifyTls::None && self.password_ref.is_some() && !local => {
                Some(("tls", "is none, so the password would travel readable for all; use starttls or tls"))
            }
            NotifyKind::Webhook | NotifyKind::Mail => None,
        }
    }
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    name.len() <= 32 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(fits)
}

fn events(raw: Raw<'_>) -> Result<Vec<NotificationKind>, String> {
    let known = |text: &String| NotificationKind::EVENTS.into_iter().find(|kind| kind.as_str() == text);
    let read = |text: &String| {
        let names: Vec<&str> = NotificationKind::EVENTS.iter().map(|kind| kind.as_str()).collect();
        let text_shown = crate::domain::shorten(text, 60);
        known(text).ok_or_else(|| format!("'{text_shown}' is not an event; there are {}", names.join(", ")))
    };
    raw.list()?.iter().map(read).collect()
}

fn words(raw: Raw<'_>) -> Result<Vec<String>, String> {
    raw.list()?.iter().map(|text| line(text)).collect()
}

fn labels(raw: Raw<'_>) -> Result<BTreeMap<String, String>, String> {
    let read = |text: &String| match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err(format!("'{}' is not a label; write it as key=value", crate::domain::shorten(text, 60))),
    };
    raw.list()?.iter().map(read).collect()
}

/// The text is not repeated in the error: chats' URLs are secrets.
fn url(text: &str) -> Result<Option<Secret>, String> {
    let known = text.starts_with("https://") || text.starts_with("http://");
    if text.is_empty() {
        Ok(None)
    } else if known && text.len() <= 2_000 && !text.contains(|c: char| !c.is_ascii_graphic()) {
        Ok(Some(Secret::new(text)))
    } else {
        Err("the value (not shown) is not an https:// URL".into())
    }
}

fn reference(text: &str) -> Result<Option<SecretRef>, String> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

fn line(text: &str) -> Result<String, String> {
    if text.len() > 300 || text.contains(char::is_control) {
        return Err("has to be a text of at most 300 bytes without control characters".into());
    }
    Ok(text.to_owned())
}

fn host(text: &str) -> Result<String, String> {
    if text.len() > 253 || text.contains(|c: char| !c.is_ascii_graphic() || c == '/' || c == '@') {
        return Err(format!("'{}' is not a server's name or address", crate::domain::shorten(text, 60)));
    }
    Ok(text.to_owned())
}

fn address(text: &str) -> Result<String, String> {
    let text = line(text)?;
    if text.is_empty() || text.contains('@') {
        return Ok(text);
    }
    Err(format!("'{}' is not a mail address", crate::domain::shorten(&text, 60)))
}

fn addresses(raw: Raw<'_>) -> Result<Vec<String>, String> {
    let addresses = raw.list()?;
    if addresses.len() > 50 {
        return Err(format!("has {} addresses; at most 50 are allowed", addresses.len()));
    }
    addresses.iter().map(|text| address(text)).collect()
}

#[cfg(test)]
#[path = "notify_tests.rs"]
mod tests;

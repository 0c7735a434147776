use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::concerns::{Config, Environment, LogFormat, LogLevel, OnStartup};
use super::edge::{ClientAuth, key_set_url};
use super::notify;
use super::value::Raw;
use crate::domain::{CertificateRule, OfflinePolicy, Secret, SecretRef};

/// Puts a value into its place, or says what is wrong with it and what is allowed.
type Setter = fn(&mut Config, Raw<'_>) -> Result<(), String>;

/// One key of the configuration: its name in the file, and how its value is read.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) set: Setter,
}

macro_rules! keys {
    ($( $name:literal => $($place:ident).+ = |$raw:ident| $read:expr; )*) => {
        /// Every key there is. The file, the variables and the flags all go through this one list.
        pub(super) const KEYS: &[Key] = &[$(
            Key { name: $name, set: |config, $raw| { config.$($place).+ = $read; Ok(()) } },
        )*];
    };
}

keys! {
    "environment" => environment = |raw| raw.word(&Environment::WORDS)?;
    "data" => data = |raw| raw.folder()?;
    "migrations" => migrations = |raw| raw.folder()?;
    "server.listen" => server.listen = |raw| raw.parsed(listen_address)?;
    "server.allow_unauthenticated" => server.allow_unauthenticated = |raw| raw.boolean()?;
    "server.allow_plaintext" => server.allow_plaintext = |raw| raw.boolean()?;
    "server.unix_socket" => server.unix_socket = |raw| raw.path()?;
    "server.max_message_bytes" => server.max_message_bytes = |raw| raw.integer(64 * 1024..=64 * 1024 * 1024)?;
    "server.max_connections" => server.max_connections = |raw| raw.integer(1..=65_535)?;
    "server.max_concurrent_requests" => server.max_concurrent_requests = |raw| raw.integer(1..=65_535)?;
    "server.requests_per_second" => server.requests_per_second = |raw| raw.integer(0..=1_000_000)?;
    "server.request_burst" => server.request_burst = |raw| raw.integer(1..=1_000_000)?;
    "server.idle_timeout" => server.idle_timeout = |raw| raw.duration(SECOND..=days(7))?;
    "server.slow_reader_timeout" => server.slow_reader_timeout = |raw| raw.duration(SECOND..=HOUR)?;
    "server.allowed_origins" => server.allowed_origins = |raw| origins(raw)?;
    "server.drain_delay" => server.drain_delay = |raw| raw.duration(ZERO..=HOUR)?;
    "server.shutdown_timeout" => server.shutdown_timeout = |raw| raw.duration(SECOND..=HOUR)?;
    "auth.tokens" => auth.tokens = |raw| raw.boolean()?;
    "auth.certificates" => auth.certificates = |raw| certificate_rules(raw)?;
    "auth.open_health" => auth.open_health = |raw| raw.boolean()?;
    "auth.open_reflection" => auth.open_reflection = |raw| raw.boolean()?;
    "auth.failures_per_second" => auth.failures_per_second = |raw| raw.integer(0..=1_000_000)?;
    "auth.jwt.secret_ref" => auth.jwt.secret_ref = |raw| raw.parsed(secret_ref)?;
    "auth.jwt.public_key_file" => auth.jwt.public_key_file = |raw| raw.path()?;
    "auth.jwt.jwks_file" => auth.jwt.jwks_file = |raw| raw.path()?;
    "auth.jwt.jwks_url" => auth.jwt.jwks_url = |raw| raw.parsed(key_set_url)?;
    "auth.jwt.issuer" => auth.jwt.issuer = |raw| raw.parsed(line)?;
    "auth.jwt.audience" => auth.jwt.audience = |raw| raw.parsed(line)?;
    "auth.jwt.role_claim" => auth.jwt.role_claim = |raw| raw.parsed(claim)?;
    "auth.jwt.leeway" => auth.jwt.leeway = |raw| raw.duration(ZERO..=Duration::from_secs(600))?;
    "tls.cert_file" => tls.cert_file = |raw| raw.path()?;
    "tls.key_file" => tls.key_file = |raw| raw.path()?;
    "tls.client_ca_file" => tls.client_ca_file = |raw| raw.path()?;
    "tls.client_auth" => tls.client_auth = |raw| raw.word(&[
        ("required", ClientAuth::Required), ("optional", ClientAuth::Optional),
    ])?;
    "secrets.key_ref" => secrets.key_ref = |raw| raw.parsed(secret_ref)?;
    "secrets.old_key_refs" => secrets.old_key_refs = |raw| secret_refs(raw)?;
    "head_office.url" => head_office.url = |raw| raw.parsed(head_office_url)?;
    "sqlite.root" => sqlite.root = |raw| raw.path()?;
    "auto_migrate.enabled" => auto_migrate.enabled = |raw| raw.boolean()?;
    "auto_migrate.in_production" => auto_migrate.in_production = |raw| raw.boolean()?;
    "auto_migrate.on_startup" => auto_migrate.on_startup = |raw| raw.word(&[
        ("background", OnStartup::Background), ("blocking", OnStartup::Blocking), ("off", OnStartup::Off),
    ])?;
    "auto_migrate.initial_delay" => auto_migrate.initial_delay = |raw| raw.duration(ZERO..=DAY)?;
    "auto_migrate.interval" => auto_migrate.interval = |raw| raw.duration(SECOND..=days(30))?;
    "migration.timeout" => migration.timeout = |raw| raw.duration(SECOND..=days(7))?;
    "migration.lock_timeout" => migration.lock_timeout = |raw| raw.duration(TENTH..=HOUR)?;
    "migration.connect_timeout" => migration.connect_timeout = |raw| raw.duration(TENTH..=HOUR)?;
    "migration.transaction_mode" => migration.transaction_mode = |raw| raw.parsed(|text| text.parse())?;
    "migration.ensure_created" => migration.ensure_created = |raw| raw.boolean()?;
    "migration.validate_checksums" => migration.validate_checksums = |raw| raw.boolean()?;
    "migration.out_of_order" => migration.out_of_order = |raw| raw.boolean()?;
    "migration.log_details" => migration.log_details = |raw| raw.boolean()?;
    "migration.history_table" => migration.history_table = |raw| raw.parsed(table_name)?;
    "lock.lease" => lock.lease = |raw| raw.duration(SECOND..=HOUR)?;
    "lock.wait" => lock.wait = |raw| raw.duration(ZERO..=HOUR)?;
    "retry.max_attempts" => retry.max_attempts = |raw| raw.integer(1..=100)?;
    "retry.backoff" => retry.backoff = |raw| raw.duration(MILLISECOND..=DAY)?;
    "retry.max_backoff" => retry.max_backoff = |raw| raw.duration(MILLISECOND..=days(30))?;
    "retry.offline" => retry.offline = |raw| raw.word(&[
        ("count", OfflinePolicy::Count), ("keep_trying", OfflinePolicy::KeepTrying),
    ])?;
    "parallel.branches" => parallel.branches = |raw| raw.integer(1..=1_000)?;
    "parallel.per_host" => parallel.per_host = |raw| raw.integer(1..=1_000)?;
    "validation.required_tables" => validation.required_tables = |raw| table_names(raw)?;
    "log.format" => log.format = |raw| raw.word(&[
        ("auto", LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json),
    ])?;
    "log.level" => log.level = |raw| raw.word(&LogLevel::WORDS)?;
    "audit.retention" => audit.retention = |raw| raw.duration(DAY..=days(36_500))?;
    "runs.retention" => runs.retention = |raw| raw.duration(HOUR..=days(36_500))?;
    "notify.timeout" => notify.timeout = |raw| raw.duration(TENTH..=Duration::from_secs(120))?;
    "notify.max_attempts" => notify.retry.max_attempts = |raw| raw.integer(1..=100)?;
    "notify.backoff" => notify.retry.backoff = |raw| raw.duration(MILLISECOND..=DAY)?;
    "notify.max_backoff" => notify.retry.max_backoff = |raw| raw.duration(MILLISECOND..=DAY)?;
    "notify.max_age" => notify.max_age = |raw| raw.duration(SECOND..=days(30))?;
    "notify.dedup_window" => notify.dedup_window = |raw| raw.duration(ZERO..=days(30))?;
    "notify.max_pending" => notify.max_pending = |raw| raw.integer(10..=100_000)?;
    "notify.retention" => notify.retention = |raw| raw.duration(HOUR..=days(365))?;
}

const ZERO: Duration = Duration::ZERO;
const MILLISECOND: Duration = Duration::from_millis(1);
const TENTH: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = days(1);

const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 86_400)
}

/// The names of all keys, in the order in which they are documented.
pub fn key_names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}

/// The key of this name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Whether `name` is a table of keys, such as `server`.
pub(super) fn is_table(name: &str) -> bool {
    let is_start = |key: &Key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
    KEYS.iter().any(is_start) || notify::is_table(name)
}

/// The key that somebody who wrote `name` most likely meant.
pub(super) fn nearest(name: &str) -> &'static str {
    let last = |name: &str| name.rsplit('.').next().map(str::to_owned).unwrap_or_default();
    // A key in the wrong table is as likely as a misspelt one.
    let cost = |key: &&str| distance(name, key).min(distance(&last(name), &last(key)) + 1);
    key_names().min_by_key(cost).unwrap_or("server.listen")
}

/// The number of characters to insert, remove or replace to make `a` of `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(100).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:").map(|port| format!("{}:{port}", Ipv4Addr::LOCALHOST));
    local.as_deref().unwrap_or(text).parse().map_err(|_| {
        let text = crate::domain::shorten(text, 60);
        format!("'{text}' is not an address and port; write one such as 127.0.0.1:50051 or [::1]:50051")
    })
}

fn origins(raw: Raw<'_>) -> Result<Vec<String>, String> {
    let origins = raw.list()?;
    // An origin is what a browser calls a page's server by: without a path, and so without a slash after the host.
    let fits = |text: &str| {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
        !host.is_empty() && host.len() <= 255 && !host.contains(|c: char| c == '/' || c == '*' || !c.is_ascii_graphic())
    };
    match origins.iter().find(|text| !fits(text)) {
        Some(text) => {
            let text = crate::domain::shorten(text, 60);
            Err(format!("'{text}' is not an origin; write one such as https://hq.example, without a path"))
        }
        None if origins.len() > 100 => Err(format!("has {} origins; at most 100 are allowed", origins.len())),
        None => Ok(origins),
    }
}

fn certificate_rules(raw: Raw<'_>) -> Result<Vec<CertificateRule>, String> {
    let rules = raw.list()?;
    if rules.len() > 1_000 {
        return Err(format!("has {} rules; at most 1000 are allowed", rules.len()));
    }
    rules.iter().map(|rule| rule.parse()).collect()
}

fn secret_ref(text: &str) -> Result<Option<SecretRef>, String> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

fn secret_refs(raw: Raw<'_>) -> Result<Vec<SecretRef>, String> {
    let references = raw.list()?;
    if references.len() > 20 {
        return Err(format!("has {} references; at most 20 are allowed", references.len()));
    }
    references.iter().map(|reference| reference.parse()).collect()
}

fn line(text: &str) -> Result<String, String> {
    if text.len() > 1_000 || text.contains(char::is_control) {
        return Err("has to be a text of at most 1000 bytes without control characters".into());
    }
    Ok(text.to_owned())
}

fn claim(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("the claim's name must not be empty".into()) } else { line(text) }
}

/// The text is not repeated in the error: there may be a password in it.
fn head_office_url(text: &str) -> Result<Option<Secret>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let known = text.starts_with("postgres://") || text.starts_with("postgresql://");
    if known && !text.contains(char::is_whitespace) {
        Ok(Some(Secret::new(text)))
    } else {
        Err("the value (not shown) is not a postgres:// URL; leave it empty for the embedded head office".into())
    }
}

fn table_name(text: &str) -> Result<String, String> {
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && text.len() <= 63 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(text.to_owned());
    }
    let text = crate::domain::shorten(text, 60);
    Err(format!("'{text}' is not allowed; use 1 to 63 letters, digits and '_', not beginning with a digit"))
}

fn table_names(raw: Raw<'_>) -> Result<Vec<String>, String> {
    let names = raw.list()?;
    if names.len() > 1_000 {
        return Err(format!("has {} tables; at most 1000 are allowed", names.len()));
    }
    let fits = |name: &&String| name.trim().is_empty() || name.chars().count() > 128 || name.contains(char::is_control);
    match names.iter().find(fits) {
        Some(name) => Err(format!("'{}' is not a table name of 1 to 128 characters", crate::domain::shorten(name, 60))),
        None => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found() {
        let cases = [
            ("lock.leas", "lock.lease"),
            ("lease", "lock.lease"),
            ("migrations.timeout", "migration.timeout"),
            ("parallel.per_hosts", "parallel.per_host"),
            ("log.levle", "log.level"),
            ("retry.lease", "lock.lease"),
        ];
        for (wrong, right) in cases {
            assert_eq!(nearest(wrong), right, "{wrong}");
        }
        // Whatever is written, something is suggested.
        assert!(find(nearest("")).is_some() && find(nearest(&"x".repeat(10_000))).is_some());
    }

    #[test]
    fn names_are_unique_and_in_tables() {
        let mut names: Vec<_> = key_names().collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KEYS.len());
        assert!(is_table("server") && is_table("runs") && !is_table("data") && !is_table("serve"));
    }

    #[test]
    fn listen_addresses() {
        assert_eq!(listen_address("localhost:7").unwrap(), "127.0.0.1:7".parse().unwrap());
        assert_eq!(listen_address("[::1]:0").unwrap().port(), 0);
        for bad in ["", "50051", "127.0.0.1", "db:1", "127.0.0.1:99999", "localhost:"] {
            assert!(listen_address(bad).unwrap_err().contains("127.0.0.1:50051"), "{bad}");
        }
    }

    #[test]
    fn origins_are_whole_and_have_no_path() {
        let read = |text: &str| origins(Raw::Text(text));
        assert_eq!(read("https://hq.example, http://10.0.0.7:8080").unwrap().len(), 2);
        assert!(read("").unwrap().is_empty());
        for bad in ["*", "hq.example", "https://", "https://hq.example/", "https://*.example", "ftp://hq.example"] {
            assert!(read(bad).unwrap_err().contains("https://hq.example"), "{bad}");
        }
    }

    #[test]
    fn a_refused_url_is_not_repeated() {
        let error = head_office_url("mysql://root:hunter2@db/x").unwrap_err();
        assert!(!error.contains("hunter2") && error.contains("postgres://"));
    }
}

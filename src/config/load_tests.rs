use std::time::Duration;

use super::*;
use crate::config::{Environment, LogFormat, OnStartup, key_names};
use crate::domain::{OfflinePolicy, TransactionMode};

fn from_file(text: &str) -> Result<Config, ConfigError> {
    load(Some(ConfigFile { name: "b.toml", text }), [], &Overrides::default())
}

fn from_variables(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    load(None, variables, &Overrides::default())
}

/// A value other than the default for every key, as it stands in the file and in a variable.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("environment", "'production'", "production"),
    ("data", "'/var/lib/bk'", "/var/lib/bk"),
    ("migrations", "'m'", "m"),
    ("server.listen", "'[::1]:7000'", "[::1]:7000"),
    ("server.allow_unauthenticated", "true", "true"),
    ("server.allow_plaintext", "true", "true"),
    ("server.unix_socket", "'/run/bk.sock'", "/run/bk.sock"),
    ("server.max_message_bytes", "1_048_576", "1048576"),
    ("server.max_connections", "0x10", "16"),
    ("server.max_concurrent_requests", "7", "7"),
    ("server.requests_per_second", "0", "0"),
    ("server.request_burst", "10", "10"),
    ("server.idle_timeout", "'1h'", "1h"),
    ("server.slow_reader_timeout", "'10s'", "10s"),
    ("server.allowed_origins", "['https://hq.example', 'http://b']", "https://hq.example, http://b"),
    ("server.drain_delay", "'10s'", "10s"),
    ("server.shutdown_timeout", "'5s'", "5s"),
    ("auth.tokens", "true", "true"),
    ("auth.certificates", "['cn:a = HeadOfficeAdmin']", "cn:a = HeadOfficeAdmin"),
    ("auth.open_health", "false", "false"),
    ("auth.open_reflection", "true", "true"),
    ("auth.failures_per_second", "0", "0"),
    ("auth.jwt.secret_ref", "'env:JWT'", "env:JWT"),
    ("auth.jwt.public_key_file", "'k.pem'", "k.pem"),
    ("auth.jwt.jwks_file", "'k.json'", "k.json"),
    ("auth.jwt.jwks_url", "'https://idp.example/keys'", "https://idp.example/keys"),
    ("auth.jwt.issuer", "'idp'", "idp"),
    ("auth.jwt.audience", "'bk'", "bk"),
    ("auth.jwt.role_claim", "'roles'", "roles"),
    ("auth.jwt.leeway", "'0s'", "0s"),
    ("tls.cert_file", "'c.pem'", "c.pem"),
    ("tls.key_file", "'c.key'", "c.key"),
    ("tls.client_ca_file", "'ca.pem'", "ca.pem"),
    ("tls.client_auth", "'optional'", "optional"),
    ("secrets.key_ref", "'env:KEY'", "env:KEY"),
    ("secrets.old_key_refs", "['env:OLD', 'file:/k']", "env:OLD, file:/k"),
    ("head_office.url", "'postgres://k:hunter2@db/h'", "postgres://k:hunter2@db/h"),
    ("sqlite.root", "'/srv/shops'", "/srv/shops"),
    ("auto_migrate.enabled", "false", "false"),
    ("auto_migrate.in_production", "true", "true"),
    ("auto_migrate.on_startup", "'blocking'", "blocking"),
    ("auto_migrate.initial_delay", "'0s'", "0s"),
    ("auto_migrate.interval", "'1h'", "1h"),
    ("migration.timeout", "'10m'", "10m"),
    ("migration.lock_timeout", "'250ms'", "250ms"),
    ("migration.connect_timeout", "'3s'", "3s"),
    ("migration.transaction_mode", "'AllInOne'", "AllInOne"),
    ("migration.ensure_created", "false", "false"),
    ("migration.validate_checksums", "false", "false"),
    ("migration.out_of_order", "true", "true"),
    ("migration.log_details", "true", "true"),
    ("migration.history_table", "'_ledger'", "_ledger"),
    ("lock.lease", "'1s'", "1s"),
    ("lock.wait", "'1m'", "1m"),
    ("retry.max_attempts", "5", "5"),
    ("retry.backoff", "'10s'", "10s"),
    ("retry.max_backoff", "'1d'", "1d"),
    ("retry.offline", "'keep_trying'", "keep_trying"),
    ("parallel.branches", "1000", "1000"),
    ("parallel.per_host", "1", "1"),
    ("validation.required_tables", "['Sales', 'Products']", "Sales, Products"),
    ("log.format", "'json'", "json"),
    ("log.level", "'debug'", "debug"),
    ("audit.retention", "'30d'", "30d"),
    ("runs.retention", "'1h'", "1h"),
    ("notify.timeout", "'5s'", "5s"),
    ("notify.max_attempts", "3", "3"),
    ("notify.backoff", "'1s'", "1s"),
    ("notify.max_backoff", "'1h'", "1h"),
    ("notify.max_age", "'1h'", "1h"),
    ("notify.dedup_window", "'0s'", "0s"),
    ("notify.max_pending", "50", "50"),
    ("notify.retention", "'1d'", "1d"),
];

#[test]
fn nothing_given_means_the_defaults() {
    assert_eq!(load(None, [], &Overrides::default()).unwrap(), Config::default());
    assert_eq!(from_file("").unwrap(), Config::default());
    assert_eq!(from_file("[server]\n").unwrap(), Config::default());
    let config = Config::default();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:50051");
    assert_eq!(config.sqlite_root(), std::path::Path::new("data/branches"));
}

#[test]
fn every_key_is_read_the_same_from_file_and_variable() {
    let names: Vec<_> = SAMPLES.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, key_names().collect::<Vec<_>>());
    // Some keys do not stand alone.
    let company: &[(&str, &[&str])] = &[
        ("auth.jwt.issuer", &["auth.jwt.secret_ref"]),
        ("auth.jwt.audience", &["auth.jwt.secret_ref"]),
        ("auth.jwt.role_claim", &["auth.jwt.secret_ref"]),
        ("auth.jwt.leeway", &["auth.jwt.secret_ref"]),
        ("auth.certificates", &["tls.cert_file", "tls.key_file", "tls.client_ca_file"]),
        ("tls.cert_file", &["tls.key_file"]),
        ("tls.key_file", &["tls.cert_file"]),
        ("tls.client_ca_file", &["tls.cert_file", "tls.key_file"]),
    ];
    let variable = |name: &str| format!("BRANCHKEEPER__{}", name.replace('.', "__").to_ascii_uppercase());
    for (name, toml, text) in SAMPLES {
        let with = company.iter().find(|(key, _)| key == name).map_or(&[][..], |(_, others)| others);
        let others: Vec<_> = SAMPLES.iter().filter(|(other, ..)| with.contains(other)).collect();
        let lines: String = others.iter().map(|(other, toml, _)| format!("{other} = {toml}\n")).collect();
        let file = from_file(&format!("{lines}{name} = {toml}")).unwrap();
        let variables: Vec<_> = others.iter().map(|(other, _, text)| (variable(other), *text)).collect();
        let own = variable(name);
        let mut given: Vec<_> = variables.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        given.push((&own, text));
        assert_eq!(file, from_variables(&given).unwrap(), "{name}");
        assert_ne!(file, Config::default(), "{name}");
    }
}

#[test]
fn everything_at_once() {
    let text: String = SAMPLES.iter().map(|(name, toml, _)| format!("{name} = {toml}\n")).collect();
    let config = from_file(&text).unwrap();
    assert_eq!(config.environment, Environment::Production);
    assert_eq!(config.auto_migrate.on_startup, OnStartup::Blocking);
    assert_eq!(config.auto_migrate.interval, Duration::from_secs(3600));
    assert_eq!(config.migration.transaction_mode, TransactionMode::AllInOne);
    assert_eq!(config.migration.lock_timeout, Duration::from_millis(250));
    assert_eq!(config.retry.offline, OfflinePolicy::KeepTrying);
    assert_eq!(config.validation.required_tables, ["Sales", "Products"]);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.server.max_connections, 16);
    assert_eq!(config.sqlite_root(), std::path::Path::new("/srv/shops"));
    assert_eq!(config.head_office.url.as_ref().unwrap().expose(), "postgres://k:hunter2@db/h");
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn later_sources_win() {
    let file =
        ConfigFile { name: "b.toml", text: "data = 'file'\nmigrations = 'file'\n[server]\nlisten = '127.0.0.1:1'" };
    let all = [
        ("BRANCHKEEPER__SERVER__LISTEN", "127.0.0.1:2"),
        ("BRANCHKEEPER_LISTEN", "127.0.0.1:3"),
        ("BRANCHKEEPER__DATA", "long"),
        ("BRANCHKEEPER_DATA", "short"),
        ("BRANCHKEEPER_MIGRATIONS", ""),
        ("BRANCHKEEPER_PORT", "tcp://10.0.0.1:80"),
    ];
    let load_with = |count: usize, overrides: &Overrides| {
        let variables = all[..count].iter().map(|(name, value)| (name.to_string(), value.to_string()));
        load(Some(file), variables, overrides).unwrap()
    };
    let none = Overrides::default();
    assert_eq!(load_with(0, &none).server.listen.port(), 1);
    assert_eq!(load_with(1, &none).server.listen.port(), 2);
    assert_eq!(load_with(2, &none).server.listen.port(), 3);
    let config = load_with(all.len(), &none);
    assert_eq!((config.data.to_str(), config.migrations.to_str()), (Some("short"), Some("file")));
    let flags =
        Overrides { listen: Some("[::1]:4".into()), data: Some("flag".into()), migrations: Some("flag".into()) };
    let config = load_with(all.len(), &flags);
    assert_eq!(config.server.listen.port(), 4);
    assert_eq!((config.data.to_str(), config.migrations.to_str()), (Some("flag"), Some("flag")));
}

#[test]
fn errors_name_the_place_the_key_and_what_is_allowed() {
    let cases = [
        ("lock.lease = '0s'", "b.toml:1: lock.lease: '0s' is out of bounds; allowed are 1s to 1h"),
        ("\n[lock]\nlease = 60", "b.toml:3: lock.lease: a duration needs quotes and a unit, such as \"30s\""),
        ("retry.max_attempts = 0", "b.toml:1: retry.max_attempts: 0 is out of bounds; allowed are 1 to 100"),
        ("retry.max_attempts = -1", "b.toml:1: retry.max_attempts: -1 is out of bounds; allowed are 1 to 100"),
        ("retry.max_attempts = '3'", "b.toml:1: retry.max_attempts: expected a whole number, found string"),
        ("parallel.branches = 1001", "b.toml:1: parallel.branches: 1001 is out of bounds; allowed are 1 to 1000"),
        ("log.format = 'xml'", "b.toml:1: log.format: 'xml' is not allowed; use auto, human or json"),
        ("migration.ensure_created = 'yes'", "expected true or false, without quotes, found string"),
        ("migration.history_table = 'a b'", "use 1 to 63 letters, digits and '_'"),
        ("data = ''", "b.toml:1: data: the folder must not be empty"),
        ("server = 5", "b.toml:1: 'server' is a section; write [server] above its keys"),
        ("[server.listen]\nport = 5", "b.toml:1: server.listen: expected text in quotes, found table"),
        ("[lock]\nleas = '60s'", "b.toml:2: unknown key 'lock.leas'; did you mean 'lock.lease'?"),
        ("[locks]\nlease = '60s'", "b.toml:2: unknown key 'locks.lease'; did you mean 'lock.lease'?"),
        ("[telephone]", "b.toml:1: unknown key 'telephone'"),
        ("retry.backoff = '2h'", "retry.max_backoff: is shorter than retry.backoff"),
        ("validation.required_tables = [1]", "every item of the list has to be text in quotes"),
        ("lock.lease = '1s'\nlock.lease = '2s'", "b.toml:2: this is not TOML: duplicate key"),
        ("server.listen = '0.0.0.0:50051'", "server.listen: 0.0.0.0:50051 can be reached from other machines"),
    ];
    for (text, expected) in cases {
        let error = from_file(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}\n  expected {expected}\n  found    {error}");
    }
}

#[test]
fn variables_are_checked_like_the_file() {
    let error = from_variables(&[("BRANCHKEEPER__LOCK__LEASES", "5s")]).unwrap_err().to_string();
    assert_eq!(
        error,
        "BRANCHKEEPER__LOCK__LEASES: unknown key 'lock.leases'; did you mean 'BRANCHKEEPER__LOCK__LEASE'?"
    );
    let error = from_variables(&[("BRANCHKEEPER_LOCK__LEASE", "5s")]).unwrap_err().to_string();
    assert_eq!(error, "BRANCHKEEPER_LOCK__LEASE: is no setting; did you mean 'BRANCHKEEPER__LOCK__LEASE'?");
    for other in ["BRANCHKEEPER_SERVICE_HOST", "BRANCHKEEPER_LOCK__KEY", "BRANCHKEEPERS_LOCK__LEASE"] {
        assert!(from_variables(&[(other, "x")]).is_ok(), "{other}");
    }
    let error = from_variables(&[("BRANCHKEEPER_LISTEN", "here")]).unwrap_err().to_string();
    assert!(error.starts_with("BRANCHKEEPER_LISTEN: server.listen: 'here' is not an address"), "{error}");
}

#[test]
fn all_problems_are_reported_in_order() {
    let error = from_file("zebra = 1\nlock.wait = 1\n[auto_migrate]\nenabled = 7").unwrap_err();
    let places: Vec<_> = error.problems.iter().map(|problem| problem.place.as_str()).collect();
    assert_eq!(places, ["b.toml:1", "b.toml:2", "b.toml:4"]);
}

#[test]
fn a_secret_is_not_repeated_by_errors() {
    for text in ["head_office.url = 'mysql://k:hunter2@db'", "head_office.url = 'hunter2", "head_office.url = hunter2"]
    {
        let error = from_file(text).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn other_machines_only_when_asked_for() {
    let text = "[server]\nlisten = '0.0.0.0:50051'\nallow_unauthenticated = true";
    assert_eq!(from_file(text).unwrap().server.listen.port(), 50051);
    assert!(from_file("server.listen = '[::]:1'").is_err());
    assert!(from_file("server.listen = '127.9.9.9:1'").is_ok());
    let out = "server.listen = '0.0.0.0:1'\nauth.tokens = true\n";
    assert!(from_file(out).unwrap_err().to_string().contains("server.allow_plaintext"));
    // Once there is authentication, unencrypted tokens have to be allowed by name.
    assert!(from_file(&format!("{out}server.allow_unauthenticated = true")).is_err());
    assert!(from_file(&format!("{out}server.allow_plaintext = true")).is_ok());
    assert!(from_file(&format!("{out}tls.cert_file = 'c'\ntls.key_file = 'k'")).is_ok());
    assert!(from_file("server.listen = '0.0.0.0:1'\ntls.cert_file = 'c'\ntls.key_file = 'k'").is_err());
}

#[test]
fn a_byte_order_mark_is_no_problem() {
    assert!(from_file("\u{feff}data = 'x'").is_ok());
}

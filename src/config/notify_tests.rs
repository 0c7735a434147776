use super::*;
use crate::config::{Config, ConfigError, ConfigFile, Overrides, load};

fn from_file(text: &str) -> Result<Config, ConfigError> {
    load(Some(ConfigFile { name: "b.toml", text }), [], &Overrides::default())
}

/// A value other than the default for every key, as it stands in the file and in a variable, and what it needs besides.
const SAMPLES: &[(&str, &str, &str, &str)] = &[
    ("kind", "'mail'", "mail", MAIL),
    ("events", "['recovered', 'run_finished']", "recovered, run_finished", HOOK),
    ("environments", "['production']", "production", HOOK),
    ("labels", "['region=north', 'size=big']", "region=north,size=big", HOOK),
    ("max_per_minute", "5", "5", HOOK),
    ("ca_file", "'ca.pem'", "ca.pem", HOOK),
    ("url", "'https://hooks.example/hunter2'", "https://hooks.example/hunter2", ""),
    ("url_ref", "'env:HOOK'", "env:HOOK", ""),
    ("secret_ref", "'file:/run/key'", "file:/run/key", HOOK),
    ("format", "'teams'", "teams", HOOK),
    ("allow_plaintext", "true", "true", HOOK),
    ("host", "'mail.example'", "mail.example", MAIL),
    ("port", "2525", "2525", MAIL),
    ("tls", "'tls'", "tls", MAIL),
    ("username", "'keeper'", "keeper", "kind host from to password_ref"),
    ("password_ref", "'env:MAIL'", "env:MAIL", "kind host from to username"),
    ("from", "'Keeper <keeper@shop.example>'", "Keeper <keeper@shop.example>", MAIL),
    ("to", "['a@shop.example', 'b@shop.example']", "a@shop.example, b@shop.example", MAIL),
];
const HOOK: &str = "url_ref";
const MAIL: &str = "kind host from to";

#[test]
fn every_key_of_a_target_is_read_the_same_from_file_and_variable() {
    let names: Vec<_> = SAMPLES.iter().map(|(name, ..)| format!("notify.targets.NAME.{name}")).collect();
    assert_eq!(names, notify_target_key_names().collect::<Vec<_>>());
    for (name, _, _, with) in SAMPLES {
        let used: Vec<_> = SAMPLES.iter().filter(|(n, ..)| n == name || with.split(' ').any(|w| w == *n)).collect();
        let lines: String = used.iter().map(|(name, toml, ..)| format!("{name} = {toml}\n")).collect();
        let file = from_file(&format!("[notify.targets.hq]\n{lines}")).unwrap();
        let variable = |name: &str| format!("BRANCHKEEPER__NOTIFY__TARGETS__HQ__{}", name.to_ascii_uppercase());
        let variables: Vec<_> = used.iter().map(|(name, _, text, _)| (variable(name), text.to_string())).collect();
        assert_eq!(file, load(None, variables, &Overrides::default()).unwrap(), "{name}");
        assert_ne!(file.notify.targets["hq"], NotifyTarget::default(), "{name}");
    }
}

#[test]
fn what_does_not_go_together_is_found() {
    let cases = [
        ("format = 'slack'", "notify.targets.hq.url_ref: is missing"),
        ("url = 'https://a'\nurl_ref = 'env:A'", "notify.targets.hq.url_ref: is given beside url"),
        ("url = 'https://a'\nhost = 'b'", "notify.targets.hq.kind: is webhook"),
        ("kind = 'mail'\nurl = 'https://a'", "notify.targets.hq.kind: is mail"),
        ("kind = 'mail'", "notify.targets.hq.host: is missing"),
        ("kind = 'mail'\nhost = 'b'\nfrom = 'a@b'", "notify.targets.hq.to: is missing"),
        ("kind = 'mail'\nhost = 'b'\nfrom = 'a@b'\nto = ['a@b']\nusername = 'u'", "password_ref: and username go"),
        (
            "kind = 'mail'\nhost = 'b'\nfrom = 'a@b'\nto = ['a@b']\nusername = 'u'\npassword_ref = 'env:P'\ntls = 'none'",
            "notify.targets.hq.tls: is none",
        ),
        ("events = ['failed']", "'failed' is not an event; there are branch_failed, needs_manual_intervention"),
        ("labels = ['north']", "'north' is not a label"),
        ("colour = 'red'", "unknown key 'notify.targets.hq.colour'"),
        ("url = 'hooks.example/hunter2'", "the value (not shown) is not an https:// URL"),
        ("url_ref = 'hunter2'", "a secret reference is env:NAME or file:PATH"),
    ];
    for (lines, expected) in cases {
        let error = from_file(&format!("[notify.targets.hq]\n{lines}\n")).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{lines}: {error}");
    }
    for bad in ["HQ", "1st", "'h q'", "''"] {
        let error = from_file(&format!("notify.targets.{bad}.url_ref = 'env:A'")).unwrap_err().to_string();
        assert!(error.contains("is not a target's name"), "{bad}: {error}");
    }
    let local = "kind = 'mail'\nhost = '127.0.0.1'\nfrom = 'a@b'\nto = ['a@b']\nusername = 'u'\n\
                 password_ref = 'env:P'\ntls = 'none'";
    assert!(from_file(&format!("[notify.targets.hq]\n{local}")).is_ok());
    assert!(from_file("notify.backoff = '1h'").unwrap_err().to_string().contains("notify.max_backoff: is shorter"));
}

#[test]
fn a_url_does_not_print() {
    let config = from_file("[notify.targets.hq]\nurl = 'https://hooks.example/hunter2'").unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

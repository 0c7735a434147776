//! Configurations that would leave a door open.

use crate::support::{Program, Station};

/// Starts a service that must not start, and gives what it says.
fn refused(set: &[(&str, &str)], listen: &str) -> String {
    let folder = crate::support::temp_dir();
    let program = Program::new(["serve", "--listen", listen]).folder(folder.path());
    let set_to =
        |program: Program, (key, value): &(&str, &str)| program.variable(format!("BRANCHKEEPER__{key}"), value);
    let output = set.iter().fold(program, set_to).run();
    assert_eq!(output.status.code().map(|code| code == 0), Some(false));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn doors_are_not_left_open() {
    let out = "0.0.0.0:0";
    assert!(refused(&[], out).contains("callers need not prove who they are"));
    assert!(refused(&[("AUTH__TOKENS", "true")], out).contains("server.allow_plaintext"));
    let half = [("TLS__CERT_FILE", "cert.pem")];
    assert!(refused(&half, "127.0.0.1:0").contains("goes together with tls.key_file"));
    let keyless = [("AUTH__JWT__ISSUER", "idp")];
    assert!(refused(&keyless, "127.0.0.1:0").contains("without a key"));
    let missing = [("AUTH__JWT__SECRET_REF", "env:BRANCHKEEPER_NO_SUCH_SECRET")];
    assert!(refused(&missing, "127.0.0.1:0").contains("BRANCHKEEPER_NO_SUCH_SECRET is not set"));
    let missing = [("TLS__CERT_FILE", "no.pem"), ("TLS__KEY_FILE", "no.key")];
    assert!(refused(&missing, "127.0.0.1:0").contains("no.pem cannot be read"));
    let plain = [("AUTH__JWT__JWKS_URL", "http://idp.example/keys")];
    assert!(refused(&plain, "127.0.0.1:0").contains("https://"));
}

#[tokio::test]
async fn a_short_secret_is_refused_without_being_repeated() {
    let mut station = Station::new();
    station.variable("SHORT_SECRET", "hunter2");
    station.set("AUTH__JWT__SECRET_REF", "env:SHORT_SECRET");
    station.spawn();
    let log = super::kit::until("the refusal", async || station.log(), |log| log.contains("at least 32")).await;
    assert!(!log.contains("hunter2"));
}

//! TLS on the service's port.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::kit::{Authority, cli, closed_station, text, until, viewer, write};
use crate::support::{Program, Station};

/// Files for a station with TLS, and the authority behind them.
pub(super) struct Secured {
    pub(super) station: Station,
    pub(super) folder: PathBuf,
    pub(super) authority: Authority,
}

pub(super) fn secured() -> Secured {
    let mut station = closed_station();
    let folder = station.migrations_folder().parent().unwrap().to_owned();
    let authority = Authority::new();
    let (cert, key) = authority.issue("service one");
    write(&folder, "ca.pem", &authority.pem);
    station.set("TLS__CERT_FILE", write(&folder, "cert.pem", &cert).to_str().unwrap());
    station.set("TLS__KEY_FILE", write(&folder, "key.pem", &key).to_str().unwrap());
    Secured { station, folder, authority }
}

impl Secured {
    pub(super) async fn start(&mut self) {
        self.station.spawn();
        self.wait().await;
    }

    async fn wait(&self) {
        until("serving", async || self.station.log(), |log| log.contains("\"serving\"")).await;
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}", self.station.address())
    }

    fn cli(&self, token: Option<&str>, arguments: &str) -> std::process::Output {
        cli(&self.url(), token, &format!("{arguments} --tls-ca {}", self.folder.join("ca.pem").display()))
    }

    /// Files with a client's certificate and its key.
    pub(super) fn certificate(&self, authority: &Authority, name: &str) -> (PathBuf, PathBuf) {
        let (cert, key) = authority.issue(name);
        (write(&self.folder, &format!("{name}.pem"), &cert), write(&self.folder, &format!("{name}.key"), &key))
    }

    fn curl(&self, arguments: &str) -> String {
        let mut curl = std::process::Command::new("curl");
        let ca = format!("--cacert {}", self.folder.join("ca.pem").display());
        let line = format!("-sv --max-time 10 {ca} {arguments} {}/healthz", self.url());
        let output = curl.args(line.split(' ').filter(|word| !word.is_empty())).output().unwrap();
        self.station.watch().seen.answer(&output.stdout);
        self.station.watch().seen.answer(&output.stderr);
        text(&output.stdout) + &text(&output.stderr)
    }
}

#[tokio::test]
async fn both_protocols_on_one_port_and_certificates_are_rolled() {
    let mut secured = secured();
    secured.start().await;
    let listed = secured.cli(Some(&viewer()), "status --output json");
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    let (one, two) = (secured.curl("--http1.1"), secured.curl("--http2"));
    assert!(one.contains("HTTP/1.1 200") && two.contains("HTTP/2 200"), "{one}{two}");
    assert!(one.contains("service one"), "{one}");
    assert!(secured.curl("--tls-max 1.2").contains("TLSv1.2"));
    assert!(!secured.curl("--tls-max 1.1").contains("200"));
    // Unencrypted, and verified with the wrong authority: refused.
    let plain = cli(&secured.station.url(), None, "health");
    assert_eq!(plain.status.code(), Some(3));
    let stranger = cli(&secured.url(), None, "health");
    assert_eq!(stranger.status.code(), Some(3), "{}", text(&stranger.stderr));
    assert!(text(&stranger.stderr).contains("--tls-ca"), "{}", text(&stranger.stderr));

    let (cert, key) = secured.authority.issue("service two");
    write(&secured.folder, "cert.pem", &cert);
    // Between the two writes they do not go together; the old ones stay.
    assert!(secured.curl("--http1.1").contains("service one"));
    write(&secured.folder, "key.pem", &key);
    until("the new certificate", async || secured.curl("--http1.1"), |said| said.contains("service two")).await;
    assert!(secured.curl("--http2").contains("HTTP/2 200"));
}

#[tokio::test]
async fn a_slow_handshake_holds_nobody_up() {
    let mut secured = secured();
    secured.start().await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(secured.station.connect().await);
    }
    let begun = std::time::Instant::now();
    assert!(secured.cli(None, "health").status.success());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // They are closed in the end.
    for mut stream in silent {
        let ended = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut [0; 16])).await;
        assert!(matches!(ended, Ok(Ok(0) | Err(_))));
    }
}

#[tokio::test]
async fn certificates_of_clients_say_who_they_are() {
    for required in [true, false] {
        let mut secured = secured();
        let ca = secured.folder.join("ca.pem");
        secured.station.set("TLS__CLIENT_CA_FILE", ca.to_str().unwrap());
        secured.station.set("TLS__CLIENT_AUTH", if required { "required" } else { "optional" });
        let rules = "cn:hq-backend = HeadOfficeAdmin, cn:dashboard = HeadOfficeViewer";
        secured.station.set("AUTH__CERTIFICATES", rules);
        secured.start().await;
        let certificate = |authority: &Authority, name: &str| {
            let (cert, key) = secured.certificate(authority, name);
            format!("--tls-cert {} --tls-key {}", cert.display(), key.display())
        };
        let add = "branch add BR001 --provider sqlite --inactive";
        let admin = certificate(&secured.authority, "hq-backend");
        let added = secured.cli(None, &format!("{add} {admin}"));
        assert!(added.status.success(), "{}", text(&added.stderr));
        let viewer_cert = certificate(&secured.authority, "dashboard");
        assert!(secured.cli(None, &format!("status {viewer_cert}")).status.success());
        let denied = secured.cli(None, &format!("branch remove BR001 {viewer_cert}"));
        assert_eq!(denied.status.code(), Some(3));
        assert!(text(&denied.stderr).contains("may not do that"), "{}", text(&denied.stderr));
        let unmapped = secured.cli(None, &format!("status {}", certificate(&secured.authority, "stranger")));
        assert!(text(&unmapped.stderr).contains("may not do that"));
        // One of another authority does not come in at all, whatever its name.
        let forged = certificate(&Authority::new(), "forged");
        assert_eq!(secured.cli(None, &format!("status {forged}")).status.code(), Some(3));
        let without = secured.cli(Some(&viewer()), "status");
        assert_eq!(without.status.success(), !required, "{}", text(&without.stderr));
        let events = secured.cli(None, &format!("audit --output json {admin}"));
        assert!(text(&events.stdout).contains("cert:hq-backend") && text(&events.stdout).contains("cert:dashboard"));
    }
}

#[test]
fn a_token_does_not_travel_unencrypted() {
    let output = Program::new(["status", "--server", "http://192.0.2.1:50051", "--token", "bk_hunter2"]).run();
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("readable for all") && !said.contains("hunter2"), "{said}");
}

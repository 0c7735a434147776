//! `branchkeeper health` as the probe of a container: everything it needs comes from the environment.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use super::kit::{closed_station, text, viewer};
use super::tls::secured;
use crate::support::Program;

const SERVICE: &str = "branchkeeper.v1.MigrationService";

/// Runs the probe, which must end within seconds, whatever it meets, and gives its exit code and what it said.
async fn probe(arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    let mut program = Program::new(["health"]).args(arguments);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BRANCHKEEPER_")) {
        program = program.without(name);
    }
    program = variables.iter().fold(program, |program, (name, value)| program.variable(name, value));
    let begun = Instant::now();
    let output = tokio::task::spawn_blocking(move || program.run()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "the probe took {:?}", begun.elapsed());
    (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_port_that_says_nothing_is_no_service() {
    // One takes connections and reads them, the other only lets them wait.
    let (reads, ignores) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await);
    let ignores = ignores.unwrap();
    let addresses = [reads.local_addr().unwrap(), ignores.local_addr().unwrap()];
    let reader = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = reads.accept().await {
            open.push(tokio::spawn(async move {
                let (mut from, _kept_open) = stream.into_split();
                tokio::io::copy(&mut from, &mut tokio::io::sink()).await
            }));
        }
    });
    for address in addresses {
        for scheme in ["http", "https"] {
            let server = format!("{scheme}://{address}");
            let variables = [("BRANCHKEEPER_SERVER", server.as_str())];
            let (code, said) = probe(&["--timeout", "500ms"], &variables).await;
            assert!(code == 3 && said.contains("did not answer within 500ms"), "{server}: {code} {said}");
        }
    }
    // Without being told, it waits five seconds.
    let server = format!("http://{}", addresses[0]);
    let (code, said) = probe(&[SERVICE], &[("BRANCHKEEPER_SERVER", &server)]).await;
    assert!(code == 3 && said.contains("within 5s"), "{code} {said}");
    reader.abort();
}

#[tokio::test]
async fn a_service_with_tls_client_certificates_and_closed_health_is_probed() {
    let mut secured = secured();
    let ca = secured.folder.join("ca.pem");
    secured.station.set("TLS__CLIENT_CA_FILE", path(&ca));
    secured.station.set("AUTH__OPEN_HEALTH", "false");
    let socket = secured.folder.join("bk.sock");
    secured.station.set("SERVER__UNIX_SOCKET", path(&socket));
    secured.start().await;
    let (cert, key) = secured.certificate(&secured.authority, "probe");
    let (url, viewer) = (secured.url(), viewer());
    let trusting = [("BRANCHKEEPER_SERVER", url.as_str()), ("BRANCHKEEPER_TLS_CA", path(&ca))];
    let certified =
        [trusting.as_slice(), &[("BRANCHKEEPER_TLS_CERT", path(&cert)), ("BRANCHKEEPER_TLS_KEY", path(&key))]].concat();
    let token = secured.folder.join("token");
    std::fs::write(&token, &viewer).unwrap();
    let complete = [certified.as_slice(), &[("BRANCHKEEPER_TOKEN_FILE", path(&token))]].concat();
    let local = format!("unix://{}", socket.display());
    let cases = [
        ("no client certificate", trusting.to_vec(), 3),
        ("no token, and health is closed", certified, 3),
        ("everything", complete, 0),
        ("the Unix socket, which needs nothing", vec![("BRANCHKEEPER_SERVER", local.as_str())], 0),
    ];
    for (case, variables, expected) in cases {
        for arguments in [&[][..], &[SERVICE]] {
            let (code, said) = probe(arguments, &variables).await;
            assert_eq!((code, code == 0), (expected, said == "SERVING\n"), "{case}: {said}");
            assert!(!said.contains(&viewer), "{case}: {said}");
        }
    }
}

#[tokio::test]
async fn a_service_that_lives_but_cannot_work_is_told_apart() {
    let mut station = closed_station();
    station.migration("7_Empty.sql", "");
    station.start().await;
    let url = station.url();
    let variables = [("BRANCHKEEPER_SERVER", url.as_str())];
    assert_eq!(probe(&[], &variables).await, (0, "SERVING\n".to_owned()));
    assert_eq!(probe(&[SERVICE], &variables).await, (1, "NOT_SERVING\n".to_owned()));
    station.kill();
    assert_eq!(probe(&[], &variables).await.0, 3);
}

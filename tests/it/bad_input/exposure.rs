//! Where the service may listen while it lets everybody in.

use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::{Listener, Program, temp_dir};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn serve(listen: &str, variables: &[(&str, &str)]) -> (tempfile::TempDir, Command, Listener) {
    let folder = temp_dir();
    std::fs::create_dir(folder.path().join("migrations")).unwrap();
    let program = Program::new(["serve", "--listen", listen, "--data", "data", "--migrations", "migrations"]);
    let program = program.folder(folder.path());
    let program = variables.iter().fold(program, |program, (name, value)| program.variable(name, value));
    let (command, listener) = program.into_parts("");
    (folder, command, listener)
}

/// Runs to the end, which has to come by itself.
fn refused_to_start(listen: &str, variables: &[(&str, &str)]) -> (tempfile::TempDir, Output) {
    let (folder, mut command, listener) = serve(listen, variables);
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let id = child.id().to_string();
    let (done, ended) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || done.send(child.wait_with_output()));
    let output = ended.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| {
        let _ = Command::new("kill").args(["-KILL", &id]).status();
        panic!("the service started on {listen}");
    });
    waiting.join().unwrap().unwrap();
    let output = output.unwrap();
    listener.hear(&output.stdout, &output.stderr);
    (folder, output)
}

#[test]
fn other_addresses_than_loopback_are_refused() {
    for host in ["0.0.0.0", "[::]", "192.0.2.1"] {
        let listen = format!("{host}:{}", free_port());
        let (folder, output) = refused_to_start(&listen, &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{said}");
        assert!(said.contains(&listen) && said.contains("server.allow_unauthenticated"), "{said}");
        assert!(!folder.path().join("data").exists(), "nothing is touched");
    }
}

#[tokio::test]
async fn the_warning_comes_at_every_start() {
    let port = free_port();
    let allowed = [("BRANCHKEEPER__SERVER__ALLOW_UNAUTHENTICATED", "true"), ("BRANCHKEEPER__LOG__FORMAT", "json")];
    let (folder, mut command, listener) = serve(&format!("0.0.0.0:{port}"), &allowed);
    for start in 1..=2 {
        let log = std::fs::File::options().create(true).append(true).open(folder.path().join("log")).unwrap();
        let mut child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "it does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let warnings = || {
            let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
            log.lines().filter(|line| line.contains("WARN") && line.contains("no authentication")).count()
        };
        while warnings() < start {
            assert!(begun.elapsed() < Duration::from_secs(30), "it does not warn");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    listener.hear(&std::fs::read(folder.path().join("log")).unwrap(), b"");
}

#[test]
fn bad_configuration_is_told_all_at_once_and_starts_nothing() {
    let variables = [
        ("BRANCHKEEPER__LOCK__LEASE", "soon"),
        ("BRANCHKEEPER__PARALLEL__BRANCHES", "-1"),
        ("BRANCHKEEPER__HEAD_OFFICE__URL", "mysql://ann:hunter2@db/x"),
        ("BRANCHKEEPER__LOKC__WAIT", "1s"),
    ];
    let (folder, output) = refused_to_start(&format!("127.0.0.1:{}", free_port()), &variables);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for told in ["LEASE", "BRANCHES", "HEAD_OFFICE__URL", "LOKC"] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_head_office_that_cannot_be_reached_shows_no_password() {
    let url = "postgres://ann:hunter2@127.0.0.1:1/head";
    let variables = [("BRANCHKEEPER__HEAD_OFFICE__URL", url), ("BRANCHKEEPER__LOG__LEVEL", "trace")];
    let (_folder, output) = refused_to_start(&format!("127.0.0.1:{}", free_port()), &variables);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(!output.status.success() && said.contains("head office"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

//! The Unix socket.

use std::os::unix::fs::PermissionsExt;

use super::kit::{cli, closed_station, text, viewer};

// Several threads: a client whose connection nobody drives would hold the stopping service up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_open_the_socket_is_an_admin() {
    let mut station = closed_station();
    let path = station.migrations_folder().with_file_name("bk.sock");
    station.set("SERVER__UNIX_SOCKET", path.to_str().unwrap());
    station.start().await;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let server = format!("unix://{}", path.display());
    let made = cli(&server, None, "token create deploy --role admin");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let token = text(&made.stdout).trim().to_owned();
    assert!(token.starts_with("bk_") && token.len() == 67, "{token}");
    assert!(cli(&station.url(), Some(&token), "status").status.success());
    // A token says more than the socket.
    let denied = cli(&server, Some(&viewer()), "token list");
    assert!(text(&denied.stderr).contains("may not do that"));
    let events = text(&cli(&server, None, "audit --action CreateToken --output json").stdout);
    assert!(events.contains("\"local:") && events.contains("\"unix\""), "{events}");

    // What a killed process leaves behind is in nobody's way; an orderly end leaves nothing.
    station.kill();
    assert!(path.exists());
    station.start().await;
    assert!(cli(&server, None, "status").status.success());
    assert!(station.stop().success());
    assert!(!path.exists());
}

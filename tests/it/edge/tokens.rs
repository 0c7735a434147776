//! API tokens, from the first one on.

use super::kit::{admin, cli, closed_station, text, until, viewer};
use crate::support::{Program, Station};

fn offline(station: &Station, arguments: &str) -> std::process::Output {
    Program::new(arguments.split(' ')).arg("--data").arg(station.data_folder()).run()
}

#[tokio::test]
async fn the_first_token_is_made_without_a_service() {
    let mut station = closed_station();
    let made = offline(&station, "token create root --role admin");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let token = text(&made.stdout).trim().to_owned();
    assert!(text(&made.stderr).contains("only time"));
    let again = offline(&station, "token create ROOT --role viewer");
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("revoke that one first"), "{}", text(&again.stderr));
    station.start().await;
    let busy = offline(&station, "token create second --role admin");
    assert!(!busy.status.success() && text(&busy.stderr).contains("in use"), "{}", text(&busy.stderr));

    let url = station.url();
    let short = cli(&url, Some(&token), "token create short --role viewer --expires 90d --output json");
    assert!(short.status.success(), "{}", text(&short.stderr));
    let list = text(&cli(&url, Some(&token), "token list").stdout);
    assert!(list.contains("short") && list.contains("HeadOfficeViewer") && list.contains("offline"), "{list}");
    assert!(!list.contains(&token));
    assert_eq!(cli(&url, Some(&viewer()), "token list").status.code(), Some(3));
    // A use is noted, if not at once.
    let used = async || text(&cli(&url, Some(&admin()), "token list --output json").stdout);
    until("the last use", used, |list| list.contains("\"last_used_time\": \"2")).await;

    assert!(cli(&url, Some(&admin()), "token revoke root").status.success());
    assert_eq!(cli(&url, Some(&token), "status").status.code(), Some(3));
    assert_eq!(cli(&url, Some(&admin()), "token revoke nobody").status.code(), Some(3));
    // The name is free again.
    assert!(cli(&url, Some(&admin()), "token create root --role viewer").status.success());
    assert!(!station.log().contains(&token));
    let files = std::fs::read(station.data_folder().join("head-office.db")).unwrap();
    assert!(!text(&files).contains(&token));
}

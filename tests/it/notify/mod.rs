//! Notifications: who is told of what, over real connections, and that nobody waits for it.

mod failing;
mod mail;
mod mail_server;
mod outbox;
mod receiver;
mod restart;
mod webhooks;

use std::time::{Duration, Instant};

use receiver::{Receiver, Request};

use crate::support::{Station, sqlite_branch};

/// A migration that works, and one that fails on every branch.
const GOOD: &str = "CREATE TABLE Customers (Id INTEGER PRIMARY KEY);\n";
const BAD: &str = "INSERT INTO Crads VALUES ('hunter3');\n";

/// A service that tells `receiver`, as target `hq`, of everything, and tries again soon.
fn station(receiver: &Receiver) -> Station {
    let mut station = Station::new();
    station.set("NOTIFY__TARGETS__HQ__URL_REF", "env:HOOK");
    station.variable("HOOK", &receiver.url());
    station.set("NOTIFY__BACKOFF", "50ms");
    station.set("NOTIFY__MAX_BACKOFF", "200ms");
    station.set("NOTIFY__TIMEOUT", "2s");
    station
}

/// Waits until `found` gives something.
async fn until<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn types(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|request| request.json()["type"].as_str().unwrap().to_owned()).collect()
}

async fn register(station: &Station, codes: &[&str]) {
    for code in codes {
        station.register(sqlite_branch(code)).await;
    }
}

/// The requests without those that came before with the same id: a message may come again when its delivery could not be
/// recorded.
fn once_each(requests: &[Request]) -> Vec<Request> {
    let mut seen = std::collections::HashSet::new();
    let is_new = |request: &&Request| seen.insert(request.header("webhook-id").unwrap().to_owned());
    requests.iter().filter(is_new).cloned().collect()
}

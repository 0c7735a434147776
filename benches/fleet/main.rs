//! What Branchkeeper costs on top of the bare driver.
//!
//! The service runs as a process of its own and is called over gRPC, as its users do. The floor is this process doing the
//! same statements with the same driver, the same number of branches at once, and nothing around it: no ledger, no lock,
//! no lease, no record of anything. What is up to date is the same databases for both, and the floor only reads which
//! migrations they have. Both take turns, and the medians are compared.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a benchmark")]

mod fleet;
mod floor;
mod report;
mod trips;

#[path = "../../tests/it/support/mod.rs"]
mod support;

use fleet::{Fleet, Ours};
use report::{Comparison, Report};

/// Turns of each side; the medians are reported.
const TURNS: usize = 5;
/// Turns of each side where nothing is to be done, which takes so little that anything else on the machine shows.
const SHORT_TURNS: usize = 15;
/// The least ratio of the bare driver's time to ours.
const WANTED: f64 = 0.7;

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    // `cargo test --benches` calls this too, without the word that `cargo bench` adds; there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    // `cargo bench --bench fleet -- mysql trips` measures only these.
    let mut only: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    // `… -- sqlite uncounted`: the floor's SQLite does not count its memory either, as the driver by itself lets it.
    if let Some(at) = only.iter().position(|argument| argument == "uncounted") {
        only.remove(at);
        // SAFETY: nothing has opened a file yet.
        #[allow(unsafe_code, reason = "as the service does it")]
        let agreed = unsafe { branchkeeper::app::sqlite_memory::stop_counting() };
        assert!(agreed, "SQLite was used before");
    }
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|each| each.eq_ignore_ascii_case(name));
    let mut report = Report::default();
    let mut fleets = vec![("SQLite", Fleet::sqlite(500))];
    let servers = [
        Some(support::postgres().await),
        support::mariadb().await,
        support::mysql().await,
        // Where there is one by URL.
        support::sqlserver_server().await,
    ];
    let servers: Vec<_> = servers.into_iter().flatten().collect();
    fleets.extend(servers.iter().map(|server| (server.product.name(), Fleet::on(server, 100))));
    // What was made is removed in the end: files are made more slowly where others were removed a moment ago.
    let mut made = Vec::new();
    for (name, fleet) in fleets.iter().filter(|(name, _)| is_wanted(name)) {
        let mut ours = Ours::start(fleet).await;
        let mut fresh = Comparison::new(format!("{name}: {} fresh branches", fleet.size()), WANTED);
        let mut bares = Vec::new();
        for _ in 0..TURNS {
            let (bare, kept) = floor::fresh(fleet).await;
            bares.push(kept);
            fresh.add(bare, ours.fresh().await);
        }
        let mut current = Comparison::new(format!("{name}: {} up-to-date branches", ours.size()), WANTED);
        for _ in 0..SHORT_TURNS {
            let bare = floor::current(&ours).await;
            current.add(bare, ours.current().await);
        }
        report.comparisons.extend([fresh, current]);
        made.push((bares, ours));
    }
    for server in servers.into_iter().filter(|_| is_wanted("trips")) {
        report.trips.push((server.product.name(), trips::count(server).await));
    }
    if is_wanted("memory") {
        report.memory_bytes = fleet::memory_with_registered(10_000).await;
    }
    report.print();
    let misses = report.misses();
    assert!(misses.is_empty(), "worse than wanted: {}", misses.join("; "));
}

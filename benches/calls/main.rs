//! How many calls the service answers, beside a bare tonic server that gives the same answers without doing anything.
//!
//! The service, the echo and the load generator are three processes on one machine, and the service has authentication
//! on. Each caller has a connection of its own. Service and echo take turns, and the medians are compared. The load
//! generator takes processor time from both alike, so the table also has what each server itself uses for a call.
//!
//! Pending is measured three ways: of one branch that is up to date, which is the usual question; of one branch that
//! has migrations to come and no database yet; and of fifty branches in turn, where callers seldom share a look at a
//! branch. Every answer is read from the branch's ledger after the question was asked.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a benchmark")]

mod echo;
mod load;
mod report;
mod stations;
mod target;

#[path = "../../tests/it/support/mod.rs"]
mod support;

use std::time::Duration;

use load::Load;
use report::{Added, Comparison};
use stations::{Stations, code};
use target::{Call, Target};

/// Turns of each side; the medians are reported.
const TURNS: usize = 3;
/// How long each load lasts.
const SPAN: Duration = Duration::from_secs(4);
/// Callers at once.
const CALLERS: usize = 50;

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, address, folder] = arguments.as_slice()
        && flag == echo::FLAG
    {
        return echo::serve(address, folder.into()).await;
    }
    // `cargo test --benches` calls this too; there is nothing to test here.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    // `cargo bench --bench calls -- own pending` calls without ghz, and measures only this.
    let only: Vec<&String> =
        arguments.iter().filter(|argument| !argument.starts_with('-') && *argument != "own").collect();
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|each| each.eq_ignore_ascii_case(name));
    let load = Load::choose(arguments.iter().any(|argument| argument == "own"));
    let stations = Stations::start().await;
    let (mut comparisons, mut added) = (Vec::new(), Vec::new());

    let cases = [
        ("Pending of one branch, up to date", "pending", Call::Pending(vec![code(0)]), Some(0.5)),
        ("Pending of one branch, 4 to come", "pending", Call::Pending(vec![code(stations::MIGRATED)]), Some(0.5)),
        ("Pending of 50 branches in turn", "pending", Call::Pending((0..stations::MIGRATED).map(code).collect()), None),
        ("Status of 1,000 branches", "status", Call::Status, None),
    ];
    for (name, _, call, wanted) in cases.into_iter().filter(|(_, group, ..)| is_wanted(group)) {
        let mut comparison = Comparison::new(name, wanted);
        let (echo, ours) = (stations.echo(call.clone()), stations.closed(call, &stations.jwt, "OK"));
        for _ in 0..TURNS {
            comparison.add(load.run(&echo, CALLERS, SPAN).await, load.run(&ours, CALLERS, SPAN).await);
        }
        comparisons.push(comparison);
    }

    let pending = || Call::Pending(vec![code(0)]);
    let open = stations.open(pending());
    for callers in [1, CALLERS] {
        let pairs: [(&str, &str, Target, Target); 3] = [
            ("JWT (HS256)", "auth", open.clone(), stations.closed(pending(), &stations.jwt, "OK")),
            ("API token", "auth", open.clone(), stations.closed(pending(), &stations.api_token, "OK")),
            (
                "audit entry",
                "audit",
                stations.closed(Call::GetUnknown, &stations.jwt, "NotFound"),
                stations.closed(Call::RetryUnknown, &stations.jwt, "NotFound"),
            ),
        ];
        for (what, _, without, with) in pairs.into_iter().filter(|(_, group, ..)| is_wanted(group)) {
            let mut pair = Added::new(&format!("{what}, {callers} caller{}", if callers == 1 { "" } else { "s" }));
            for _ in 0..TURNS {
                pair.add(load.run(&without, callers, SPAN).await, load.run(&with, callers, SPAN).await);
            }
            added.push(pair);
        }
    }
    report::print(load.name(), CALLERS, &comparisons, &added);
    assert!(comparisons.iter().all(Comparison::is_enough), "too slow");
}

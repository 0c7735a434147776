//! What Branchkeeper costs on top of the bare driver.
//!
//! The service runs as a process of its own and is called over gRPC, as its users do. The floor is this process doing the
//! same statements with the same driver, the same number of branches at once, and nothing around it: no ledger, no lock,
//! no lease, no record of anything. Both take turns, and the medians are compared.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a benchmark")]

mod fleet;
mod floor;
mod report;

#[path = "../../tests/it/support/mod.rs"]
mod support;

use report::{Comparison, Report};

/// Turns of each side; the medians are reported.
const TURNS: usize = 3;

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    // `cargo test --benches` calls this too; there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let mut report = Report::default();
    for (name, fleet) in [("sqlite", fleet::sqlite(500)), ("postgres", fleet::postgres(50).await)] {
        let mut fresh = Comparison::new(format!("{name}: {} fresh branches", fleet.size()), 0.7);
        let mut current = Comparison::new(format!("{name}: {} up-to-date branches", fleet.size()), 0.5);
        for _ in 0..TURNS {
            let bare = floor::turn(&fleet).await;
            let ours = fleet::turn(&fleet).await;
            fresh.add(bare.fresh, ours.fresh);
            current.add(bare.current, ours.current);
        }
        report.comparisons.extend([fresh, current]);
    }
    report.memory_bytes = fleet::memory_with_registered(10_000).await;
    report.print();
}

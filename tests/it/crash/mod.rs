//! Whatever fails while a fleet is migrated — the service, the database server, the network between them, another service,
//! another session's lock — every statement is executed exactly once in the end, or a person is asked about the one whose
//! fate cannot be told.
//!
//! `BRANCHKEEPER_CRASH_KILLS` sets how often things fail (10), `BRANCHKEEPER_CRASH_SEED` repeats a run.

mod held;
mod kills;
mod long;
mod network;
mod rivals;
mod servers;
mod ten;
mod unknown;

use std::time::{Duration, Instant};

use branchkeeper::rpc::proto::MigrationStatus;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::support::{Product, Server, Station, mariadb, mysql, pb, postgres, sqlserver_server};

/// How often the service is killed.
fn kills() -> usize {
    std::env::var("BRANCHKEEPER_CRASH_KILLS").ok().map_or(10, |text| text.parse().unwrap())
}

/// How often something happens that takes longer than a kill of the service.
fn rounds() -> usize {
    kills().div_ceil(5)
}

/// How long it may take until everything is applied: every kill leaves work, and the providers share the machine.
fn patience() -> Duration {
    Duration::from_secs(120) + Duration::from_secs(5) * u32::try_from(kills()).unwrap()
}

/// Chance, which can be repeated.
fn random() -> StdRng {
    let seed = std::env::var("BRANCHKEEPER_CRASH_SEED").ok().map_or_else(rand::random, |text| text.parse().unwrap());
    println!("BRANCHKEEPER_CRASH_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

fn code(index: usize) -> String {
    format!("BR{index:03}")
}

/// The server that the tests of a kind share; `None`, said aloud, when there is none.
async fn shared(product: Product) -> Option<&'static Server> {
    match product {
        Product::Postgres => Some(postgres().await),
        Product::MariaDb => mariadb().await,
        Product::MySql => mysql().await,
        Product::SqlServer => sqlserver_server().await,
    }
}

/// Lets a service migrate by itself, at once, as often as it takes.
fn eager(station: &mut Station) {
    station.set("AUTO_MIGRATE__ENABLED", "true");
    station.set("AUTO_MIGRATE__INITIAL_DELAY", "1ms");
    station.set("AUTO_MIGRATE__INTERVAL", "1s");
}

/// Lets a service forgive and forget quickly.
fn patient(station: &mut Station) {
    station.set("RETRY__BACKOFF", "100ms");
    station.set("RETRY__MAX_BACKOFF", "200ms");
    station.set("RETRY__MAX_ATTEMPTS", "100");
    station.set("LOCK__LEASE", "2s");
}

/// Waits until every branch has everything up to `newest`.
async fn completed(station: &Station, branches: usize, newest: &str) {
    let begun = Instant::now();
    loop {
        let seen = station.settled(patience(), &[MigrationStatus::Completed]).await;
        assert_eq!(seen.len(), branches);
        if seen.iter().all(|branch| branch.last_migration_applied == newest) {
            return;
        }
        assert!(begun.elapsed() < patience(), "not everything is applied: {seen:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asks until the branch is migrated, while an earlier attempt's session may still hold its lock.
async fn applied_at_last(station: &Station, branch: &str) {
    let begun = Instant::now();
    loop {
        let answer = crate::support::apply(station, branch).await;
        let result = answer.as_ref().ok().and_then(|answer| answer.result.clone());
        if result.as_ref().is_some_and(|result| result.success) {
            return;
        }
        for error in result.iter().flat_map(|result| &result.errors) {
            let passes = [pb::FailureClass::Connection, pb::FailureClass::Locked, pb::FailureClass::Timeout];
            assert!(passes.contains(&error.class()), "{error:?}");
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "the branch is not migrated: {answer:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

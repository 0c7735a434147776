//! What these tests measure: the service's memory, and how health and other callers fare.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::pb::migration_service_client::MigrationServiceClient;
use crate::support::{Channel, Station, pb, sqlite_branch};

/// The longest that health and another caller may wait while the service is abused, on a machine that is busy otherwise.
pub(super) const WITHIN: Duration = Duration::from_secs(5);
/// The address of the caller who means no ill. All of 127/8 is this machine.
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

pub(super) const MIB: u64 = 1024 * 1024;
pub(super) const PENDING: &str = "/branchkeeper.v1.MigrationService/Pending";

/// Floods that run at once would be measured together.
pub(super) async fn one_at_a_time() -> tokio::sync::MutexGuard<'static, ()> {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    TURN.lock().await
}

/// A running service with one branch.
pub(super) async fn station(settings: &[(&str, &str)]) -> Station {
    station_with(settings, |_| {}).await
}

/// The same, made ready by `prepare`.
pub(super) async fn station_with(settings: &[(&str, &str)], prepare: impl FnOnce(&mut Station)) -> Station {
    let mut station = Station::new();
    prepare(&mut station);
    // Something to be kept: what ill-meaning callers are answered is searched for it.
    let key = station.data_folder().with_file_name("secrets.key");
    std::fs::write(&key, "5b".repeat(32)).unwrap();
    station.set("SECRETS__KEY_REF", &format!("file:{}", key.display()));
    station.variable("BRANCH_PASSWORD", "kept from everybody 1f2e");
    for (key, value) in settings {
        station.set(key, value);
    }
    station.migration("1_One.sql", "CREATE TABLE One (n INTEGER);\n");
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    station
}

/// How others fared while the service was abused.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Pairs of a probe and a call, while the abuse went on.
    pub(super) during: u32,
    /// Calls that had to be made again, as the client libraries do by themselves.
    pub(super) again: u32,
    pub(super) slowest: Duration,
    /// The most that the service's memory has grown, in bytes.
    pub(super) grown: u64,
}

/// Somebody else than who abuses the service, with a connection of its own.
pub(super) async fn another(station: &Station) -> Channel {
    from_address(station, OTHER).await
}

/// A caller at an address of its own, all of which are this machine's.
pub(super) async fn from_address(station: &Station, address: IpAddr) -> Channel {
    let endpoint = station.endpoint().connect_timeout(WITHIN).timeout(WITHIN).local_address(Some(address));
    station.listen_to(endpoint.connect().await.unwrap())
}

/// How often others have been looked at while the abuse goes on.
pub(super) type Looks = Arc<AtomicU32>;

/// Runs `abuse`, asks health and calls the service meanwhile and once more afterwards, and checks that each is answered in
/// time and that the service's memory never grows by more than `bound` bytes.
pub(super) async fn abused<T>(station: &Station, bound: u64, abuse: impl Future<Output = T>) -> (T, Seen) {
    abused_until(station, bound, |_| abuse).await
}

/// The same for an abuse that has to know how often others have been looked at.
pub(super) async fn abused_until<T, F: Future<Output = T>>(
    station: &Station,
    bound: u64,
    abuse: impl FnOnce(Looks) -> F,
) -> (T, Seen) {
    let others = another(station).await;
    let mut seen = Seen::default();
    look(&others, &mut seen).await;
    let before = station.resident_bytes();
    let begun = Instant::now();
    let looks = Looks::default();
    let outcome = {
        let watch = async {
            loop {
                seen.grown = seen.grown.max(station.resident_bytes().saturating_sub(before));
                look(&others, &mut seen).await;
                looks.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            outcome = abuse(Arc::clone(&looks)) => outcome,
            () = watch => unreachable!("it never ends"),
        }
    };
    let took = begun.elapsed();
    look(&others, &mut seen).await;
    look(&another(station).await, &mut seen).await;
    seen.grown = seen.grown.max(station.resident_bytes().saturating_sub(before));
    seen.during = looks.load(Ordering::Relaxed);
    println!("abused for {took:?}: {seen:?}; {} MiB before", before / MIB);
    assert!(seen.grown < bound, "the service grew by {} MiB; it may by {}", seen.grown / MIB, bound / MIB);
    assert!(seen.slowest < WITHIN, "{seen:?}");
    assert!(!station.log().contains("panicked"), "{}", station.log());
    (outcome, seen)
}

/// Asks health once and calls once.
async fn look(channel: &Channel, seen: &mut Seen) {
    let begun = Instant::now();
    let probe = async || HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.map(drop);
    served(probe, seen).await;
    let request = || pb::PendingRequest { branch: "BR001".into() };
    let call = async || MigrationServiceClient::new(channel.clone()).pending(request()).await.map(drop);
    served(call, seen).await;
    seen.slowest = seen.slowest.max(begun.elapsed());
}

/// Makes a call that changes nothing, again where its connection was taken away, as the client libraries do.
async fn served(call: impl AsyncFn() -> Result<(), Status>, seen: &mut Seen) {
    let begun = Instant::now();
    loop {
        match call().await {
            Ok(()) => return,
            Err(status) => {
                let broken = [Code::Unavailable, Code::Unknown, Code::Cancelled, Code::Internal];
                assert!(begun.elapsed() < WITHIN && broken.contains(&status.code()), "{status:?}");
                seen.again += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

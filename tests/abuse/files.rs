//! More connections than there are files that the service may have open.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::frames::{END_HEADERS, HEADERS, PREFACE, SETTINGS, call_headers, frame};
use crate::kit::{MIB, PENDING, WITHIN, abused, another, one_at_a_time, station, station_with};
use crate::support::{Overheard, Station, pb};

/// Opens connections, and says on each, in turn, one of these things. Those that are not taken in for long are given up.
async fn crowd(station: &Station, many: usize, said: &[&[u8]]) -> Vec<Overheard<TcpStream>> {
    let open = (0..many).map(async |number| {
        let mut stream = tokio::time::timeout(Duration::from_secs(3), station.connect()).await.ok()?;
        // The service may have closed it already.
        let _ = stream.write_all(said[number % said.len()]).await;
        Some(stream)
    });
    futures_util::future::join_all(open).await.into_iter().flatten().collect()
}

fn lines(station: &Station, what: &str) -> usize {
    station.log().lines().filter(|line| line.contains(what)).count()
}

/// Asks health over a connection of its own, as often as it takes.
async fn becomes_healthy(station: &Station) {
    let begun = Instant::now();
    loop {
        let endpoint = station.endpoint().connect_timeout(WITHIN).timeout(WITHIN);
        if let Ok(channel) = endpoint.connect().await {
            let checked = HealthClient::new(station.listen_to(channel)).check(HealthCheckRequest::default()).await;
            if checked.is_ok() {
                return;
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "health does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_may_open_few_files_takes_as_many_connections_as_it_can() {
    let _alone = one_at_a_time().await;
    let station = station_with(&[], |station| station.limit_files(128)).await;
    assert_eq!(lines(&station, "may not open enough files"), 1, "{}", station.log());
    assert!(station.log().contains("\"open_files\":128"), "{}", station.log());
    let begun = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let abuse = async {
        let open = crowd(&station, 500, &[b"", &begun]).await;
        let (before, since) = (station.processor_time(), Instant::now());
        tokio::time::sleep(Duration::from_secs(3)).await;
        let used = station.processor_time() - before;
        assert!(used < since.elapsed() / 2, "it spins: {used:?}");
        // What the branches need is still there.
        let files = station.open_files();
        assert!(files < 110, "{files} files are open");
        open
    };
    let (open, seen) = abused(&station, 48 * MIB, abuse).await;
    assert!(seen.during > 3, "{seen:?}");
    assert_eq!(lines(&station, "could not be accepted"), 0);
    let answered = station.branches().await.list_branches(pb::ListBranchesRequest::default()).await;
    assert_eq!(answered.unwrap().into_inner().branches.len(), 1);
    drop(open);
    becomes_healthy(&station).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_can_open_no_more_files_waits_until_it_can() {
    let _alone = one_at_a_time().await;
    let station = station(&[]).await;
    let mut other = HealthClient::new(another(&station).await);
    other.check(HealthCheckRequest::default()).await.unwrap();
    // Calls that are at work give their places to nobody, and there are hardly any others.
    let begun = Instant::now();
    let working =
        [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(HEADERS, END_HEADERS, 1, &call_headers(PENDING))].concat();
    let most = station.open_files() + 8;
    let lower = format!("--nofile={most}:");
    let id = station.process().to_string();
    let lowered = std::process::Command::new("prlimit").args(["--pid", &id, &lower]).status().unwrap();
    assert!(lowered.success());
    let calls = crowd(&station, 500, &[&working]).await;
    while lines(&station, "could not be accepted") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", station.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (before, since) = (station.processor_time(), Instant::now());
    while since.elapsed() < Duration::from_secs(3) {
        // Whoever is in is served as ever.
        other.check(HealthCheckRequest::default()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let used = station.processor_time() - before;
    assert!(used < since.elapsed() / 2, "it spins: {used:?}");
    let told = lines(&station, "could not be accepted");
    assert!(told as u64 <= 1 + begun.elapsed().as_secs() / 10, "the log grows: {told} lines");
    assert!(station.log().contains("ulimit -n"), "{}", station.log());
    drop(calls);
    becomes_healthy(&station).await;
    other.check(HealthCheckRequest::default()).await.unwrap();
    // The migrations folder, which could not be read meanwhile, can be read again.
    let ready = || HealthCheckRequest { service: "branchkeeper.v1.MigrationService".into() };
    while other.check(ready()).await.unwrap().into_inner().status() != ServingStatus::Serving {
        assert!(begun.elapsed() < Duration::from_secs(90), "it does not become ready again: {}", station.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!station.log().contains("uncategorized"), "{}", station.log());
}

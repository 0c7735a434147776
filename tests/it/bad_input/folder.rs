//! A migrations folder that somebody breaks while the service runs.

use std::fs;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{FIRST, Snapshot};
use crate::support::{Station, apply, details, outcome, pb, refused, sqlite_branch};

async fn health(station: &Station, service: &str) -> ServingStatus {
    let request = tonic_health::pb::HealthCheckRequest { service: service.into() };
    HealthClient::new(station.channel().await).check(request).await.unwrap().into_inner().status()
}

async fn get(station: &Station, path: &str) -> String {
    let mut stream = station.connect().await;
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn becomes(station: &Station, ready: bool) {
    let begun = Instant::now();
    let wanted = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    loop {
        let answer = get(station, "/readyz").await;
        let http = answer.starts_with("HTTP/1.1 200") == ready;
        if http && health(station, "branchkeeper.v1.MigrationService").await == wanted {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "ready should be {ready}: {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_folder_stops_new_work_until_it_is_repaired() {
    let mut station = Station::new();
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    becomes(&station, true).await;
    assert!(outcome(&station, "BR001").await.success);
    let before = Snapshot::of(&station).await;
    let faults: [(&str, &[u8]); 5] = [
        ("2_Empty.sql", b""),
        ("2_Unclosed.sql", b"SELECT 'open"),
        ("not-a-migration.sql", b"SELECT 1"),
        ("1_Twice.sql", b"SELECT 1"),
        ("2_Latin.sql", b"SELECT '\xe9'"),
    ];
    for (name, contents) in faults {
        let file = station.migrations_folder().join(name);
        fs::write(&file, contents).unwrap();
        let all = pb::ApplyAllRequest::default();
        let all = station.migrations().await.apply_all(all).await.map(drop);
        for answer in [apply(&station, "BR001").await.map(drop), all] {
            let status = refused(answer, Code::FailedPrecondition, "CATALOGUE_BROKEN");
            assert!(status.message().contains(name), "{name}: {status:?}");
            assert!(details(&status).precondition_failure().is_some(), "{status:?}");
        }
        fs::remove_file(file).unwrap();
    }
    assert_eq!(Snapshot::of(&station).await, before);

    let file = station.migrations_folder().join("2_Empty.sql");
    fs::write(&file, "").unwrap();
    becomes(&station, false).await;
    assert_eq!(health(&station, "").await, ServingStatus::Serving, "it is alive all the same");
    assert!(get(&station, "/healthz").await.starts_with("HTTP/1.1 200"));
    // What only looks goes on with the last good catalogue.
    let request = pb::PendingRequest { branch: "BR001".into() };
    let pending = station.migrations().await.pending(request).await.unwrap().into_inner();
    assert_eq!(pending.count, 0);
    station.migration("2_Empty.sql", super::SECOND);
    becomes(&station, true).await;
    let result = outcome(&station, "BR001").await;
    assert_eq!(result.applied_migrations, ["2_Empty"], "{result:?}");
}

/// The folder itself may go away, as when a share is not mounted: that is no empty catalogue.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_gone_is_not_an_empty_one() {
    let mut station = Station::new();
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    assert!(outcome(&station, "BR001").await.success);
    let before = Snapshot::of(&station).await;
    let away = station.migrations_folder().with_extension("away");
    fs::rename(station.migrations_folder(), &away).unwrap();
    refused(apply(&station, "BR001").await, Code::FailedPrecondition, "CATALOGUE_BROKEN");
    becomes(&station, false).await;
    assert_eq!(Snapshot::of(&station).await, before);
    fs::rename(&away, station.migrations_folder()).unwrap();
    becomes(&station, true).await;
    assert!(outcome(&station, "BR001").await.success);
}

/// A service that starts with a broken folder says so and gets well without a restart.
#[tokio::test(flavor = "multi_thread")]
async fn starting_with_a_broken_folder_waits_for_its_repair() {
    let mut station = Station::new();
    station.set("AUTO_MIGRATE__ENABLED", "true");
    station.set("AUTO_MIGRATE__INITIAL_DELAY", "1ms");
    station.migration("1_Customers.sql", "CREATE TABLE customers (id INTEGER");
    station.migration("oops.txt.sql", "SELECT 1");
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    becomes(&station, false).await;
    refused(apply(&station, "BR001").await, Code::FailedPrecondition, "CATALOGUE_BROKEN");
    assert!(!station.sqlite_file("BR001").exists());
    fs::remove_file(station.migrations_folder().join("oops.txt.sql")).unwrap();
    station.migration("1_Customers.sql", FIRST);
    becomes(&station, true).await;
    station.settled(Duration::from_secs(30), &[pb::MigrationStatus::Completed]).await;
}

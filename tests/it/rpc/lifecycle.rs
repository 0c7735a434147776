//! Health, readiness, and stopping.

use std::time::Duration;

use branchkeeper::rpc::ServerSettings;
use branchkeeper::rpc::proto::{ApplyRequest, WatchRunRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

use super::harness::{ENDLESS, SLOW, Served, reason, settings, start, start_with};

const SERVICES: [&str; 2] = ["branchkeeper.v1.MigrationService", "branchkeeper.v1.BranchService"];

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

async fn check(served: &Served, service: &str) -> ServingStatus {
    served.health().await.check(about(service)).await.unwrap().into_inner().status()
}

#[tokio::test]
async fn health_follows_readiness_and_liveness_does_not() {
    let served = start(settings()).await;
    let mut health = served.health().await;
    let mut watch = health.watch(about(SERVICES[0])).await.unwrap().into_inner();
    let mut next = async || {
        let message = tokio::time::timeout(Duration::from_secs(20), watch.message()).await.unwrap();
        message.unwrap().unwrap().status()
    };
    assert_eq!(next().await, ServingStatus::Serving);
    assert!(served.get("/readyz").await.0.starts_with("http/1.1 200"));

    served.migration("7_Empty.sql", "");
    assert_eq!(next().await, ServingStatus::NotServing);
    for service in SERVICES {
        assert_eq!(check(&served, service).await, ServingStatus::NotServing);
    }
    assert_eq!(check(&served, "").await, ServingStatus::Serving);
    let (head, body) = served.get("/readyz").await;
    assert!(head.starts_with("http/1.1 503") && head.contains("content-type: application/json"), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&body["ready"], &body["catalogue"]), (&false.into(), &false.into()));
    assert!(body["detail"].as_str().unwrap().contains("migrations folder"), "{body}");
    let (head, _) = served.get("/healthz").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");

    served.remove_migration("7_Empty.sql");
    assert_eq!(next().await, ServingStatus::Serving);
    let unknown = health.check(about("nobody.knows.It")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    served.stop().await;
}

#[tokio::test]
async fn stopping_ends_open_watches_and_says_why() {
    let served = start_with(settings(), &[("1_Endless.sql", ENDLESS)]).await;
    let mut health = served.health().await.watch(about("")).await.unwrap().into_inner();
    assert_eq!(health.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    served.register("BR001").await;
    let (run_id, mut all) = served.begin_run().await;
    let request = WatchRunRequest { run_id, ..Default::default() };
    let mut events = served.migrations().await.watch_run(request).await.unwrap().into_inner();
    let _idle = served.channel().await;

    assert!(served.stop().await < Duration::from_secs(3));
    assert_eq!(health.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(health.message().await.unwrap().is_none());
    let end = loop {
        if let Err(end) = events.message().await {
            break end;
        }
    };
    assert_eq!((end.code(), reason(&end).as_str()), (Code::Unavailable, "DRAINING"));
    assert_eq!(reason(&all.message().await.unwrap_err()), "DRAINING");
}

#[tokio::test]
async fn a_call_at_work_may_finish_while_the_server_stops() {
    let served = start_with(settings(), &[("1_Slow.sql", SLOW)]).await;
    served.register("BR001").await;
    let mut client = served.migrations().await;
    let apply = ApplyRequest { branch: "BR001".into(), ..Default::default() };
    let apply = tokio::spawn(async move { client.apply(apply).await });
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(served.stop().await < Duration::from_secs(5));
    assert!(apply.await.unwrap().unwrap().into_inner().result.unwrap().success);
}

#[tokio::test]
async fn stopping_is_bounded_even_if_a_peer_is_dead() {
    let served = start(ServerSettings { shutdown_timeout: Duration::from_millis(300), ..settings() }).await;
    // A client that opened HTTP/2 and never answers anything again.
    let mut dead = served.connect().await;
    dead.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut some = [0; 9];
    dead.read_exact(&mut some).await.unwrap();
    let took = served.stop().await;
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_stopping_server_takes_no_one_in() {
    let served = start(settings()).await;
    let address = served.address;
    served.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_client_that_says_nothing_is_closed() {
    let served = start(ServerSettings { silence_timeout: Duration::from_millis(200), ..settings() }).await;
    let mut silent = served.connect().await;
    let mut stutters = served.connect().await;
    stutters.write_all(b"PRI * HT").await.unwrap();
    for stream in [&mut silent, &mut stutters] {
        let read = tokio::time::timeout(Duration::from_secs(3), stream.read(&mut [0; 64])).await.unwrap();
        assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    }
    // One that speaks may then be silent.
    let mut health = served.health().await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    health.check(about("")).await.unwrap();
    served.stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_explained() {
    let served = start(settings()).await;
    let taken = ServerSettings { listen: served.address, ..settings() };
    let error = branchkeeper::rpc::bind(&taken).await.unwrap_err().to_string();
    assert!(error.contains(&served.address.to_string()) && error.contains("server.listen"), "{error}");
    served.stop().await;
}

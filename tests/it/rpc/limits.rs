//! Limits whose defaults are too long or too large to wait for.

use std::time::Duration;

use branchkeeper::rpc::ServerSettings;
use branchkeeper::rpc::proto::{GetBranchRequest, PendingRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_types::StatusExt;

use super::harness::{Served, refused, settings, start};

/// Begins a call whose message never comes, and gives the head of the answer.
async fn unfinished(served: &Served, body: &[u8]) -> http::HeaderMap {
    let stream = served.connect().await;
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let path = "/branchkeeper.v1.MigrationService/Pending";
    let request = http::Request::post(format!("http://test{path}")).header("content-type", "application/grpc");
    let mut client = client.ready().await.unwrap();
    let (answer, mut stream) = client.send_request(request.body(()).unwrap(), false).unwrap();
    if !body.is_empty() {
        stream.send_data(bytes::Bytes::copy_from_slice(body), false).unwrap();
    }
    let answer = tokio::time::timeout(Duration::from_secs(5), answer).await.unwrap().unwrap();
    connection.abort();
    answer.headers().clone()
}

#[tokio::test]
async fn a_message_that_does_not_arrive_is_not_waited_for() {
    let served = start(ServerSettings { request_timeout: Duration::from_millis(200), ..settings() }).await;
    for begun in [&b""[..], &[0, 0], &[0, 0, 0, 0, 9, 10]] {
        let headers = unfinished(&served, begun).await;
        let status = tonic::Status::from_header_map(&headers).unwrap();
        assert!(status.message().contains("was not there within"), "{status:?}");
        assert_eq!(refused::<()>(Err(status)), (Code::InvalidArgument, "MALFORMED_MESSAGE".into()));
    }
    // One over HTTP/1.1, whose body stops.
    let mut stream = served.connect().await;
    let head = "POST /branchkeeper.v1.MigrationService/Pending HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
                Content-Type: application/grpc-web+proto\r\nContent-Length: 100\r\n\r\n";
    stream.write_all(&[head.as_bytes(), &[0; 10]].concat()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    assert!(answer.contains("grpc-status: 3") || answer.contains("grpc-status:3"), "{answer}");
    served.stop().await;
}

#[tokio::test]
async fn headers_are_bounded() {
    let served = start(settings()).await;
    let mut request = Request::new(GetBranchRequest { branch: "BR999".into() });
    request.metadata_mut().insert("x-large", "x".repeat(20_000).parse().unwrap());
    let status = served.branches().await.get_branch(request).await.unwrap_err();
    assert_ne!(status.code(), Code::NotFound, "it was read");
    let head = format!("GET /healthz HTTP/1.1\r\nHost: test\r\nX-Large: {}\r\n\r\n", "x".repeat(20_000));
    let (answer, _) = served.http(head.as_bytes()).await;
    assert!(answer.starts_with("http/1.1 431"), "{answer}");
    served.stop().await;
}

#[tokio::test]
async fn a_caller_over_its_rate_is_told_when_to_come_again() {
    let served = start(ServerSettings { requests_per_second: 1, request_burst: 3, ..settings() }).await;
    let mut client = served.migrations().await;
    let request = || PendingRequest { branch: "BR999".into() };
    for _ in 0..3 {
        assert_eq!(refused(client.pending(request()).await).1, "BRANCH_NOT_FOUND");
    }
    let status = client.pending(request()).await.unwrap_err();
    let wait = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(wait <= Duration::from_secs(1) && !wait.is_zero(), "{wait:?}");
    assert_eq!(refused::<()>(Err(status)), (Code::ResourceExhausted, "RATE_LIMITED".into()));
    for _ in 0..20 {
        served.health().await.check(HealthCheckRequest::default()).await.unwrap();
        assert!(served.get("/readyz").await.0.starts_with("http/1.1 200"));
    }
    tokio::time::sleep(wait).await;
    assert_eq!(refused(client.pending(request()).await).1, "BRANCH_NOT_FOUND");
    served.stop().await;
}

#[tokio::test]
async fn a_block_of_headers_that_never_ends_is_no_sign_of_life() {
    let (keepalive_interval, keepalive_timeout) = (Duration::from_millis(100), Duration::from_millis(200));
    let served = start(ServerSettings { keepalive_interval, keepalive_timeout, ..settings() }).await;
    let mut stream = served.connect().await;
    // Settings, then the head of a HEADERS frame of 16,000 bytes.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\x3e\x80\x01\0\0\0\0\x01").await.unwrap();
    let begun = std::time::Instant::now();
    let mut buffer = [0; 512];
    loop {
        // One byte more each time.
        let sent = stream.write_all(b"\x82").await;
        let read = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut buffer)).await;
        if sent.is_err() || matches!(read, Ok(Ok(0) | Err(_))) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "it is waited for");
    }
    served.stop().await;
}

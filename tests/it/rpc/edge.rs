//! What the server does around calls: limits, reflection, gRPC-Web, plain HTTP, and statuses of its own.

use std::time::Duration;

use branchkeeper::rpc::ServerSettings;
use branchkeeper::rpc::proto::{CreateBranchRequest, GetBranchRequest, GetBranchResponse, WatchRunRequest};
use tokio::io::AsyncReadExt;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt;

use super::harness::{ENDLESS, Served, reason, settings, start, start_with};

#[tokio::test]
async fn reflection_lists_what_is_served_in_both_versions() {
    let served = start(settings()).await;
    let expected = [
        "branchkeeper.v1.AccessService",
        "branchkeeper.v1.AuditService",
        "branchkeeper.v1.BranchService",
        "branchkeeper.v1.MigrationService",
        "branchkeeper.v1.NotificationService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ];
    macro_rules! list {
        ($version:ident) => {{
            use tonic_reflection::pb::$version::ServerReflectionRequest;
            use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
            use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
            use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
            let ask = |question| ServerReflectionRequest { host: String::new(), message_request: Some(question) };
            let mut questions = vec![ask(MessageRequest::ListServices(String::new()))];
            questions.extend(expected.map(|name| ask(MessageRequest::FileContainingSymbol(name.to_owned()))));
            let imported = "google/protobuf/timestamp.proto".to_owned();
            questions.push(ask(MessageRequest::FileByFilename(imported)));
            let mut client = ServerReflectionClient::new(served.channel().await);
            let mut answers = client.server_reflection_info(tokio_stream::iter(questions)).await.unwrap().into_inner();
            let first = answers.message().await.unwrap().unwrap().message_response;
            let Some(MessageResponse::ListServicesResponse(list)) = first else { panic!("{first:?}") };
            let mut names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
            names.sort();
            assert_eq!(names, expected);
            for name in expected.into_iter().chain(["an imported file"]) {
                let file = answers.message().await.unwrap().unwrap().message_response;
                assert!(matches!(file, Some(MessageResponse::FileDescriptorResponse(_))), "{name}: {file:?}");
            }
        }};
    }
    list!(v1);
    list!(v1alpha);
    served.stop().await;
}

#[tokio::test]
async fn plain_http_is_answered_on_the_same_port() {
    let served = start(settings()).await;
    for path in ["/", "/nothing", "/healthz/x"] {
        let (head, body) = served.get(path).await;
        assert!(head.starts_with("http/1.1 404") && body.contains("/healthz"), "{path}: {head} {body}");
    }
    let (head, _) = served.http(b"POST /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await;
    assert!(head.starts_with("http/1.1 405"), "{head}");
    let (head, body) = served.http(b"HEAD /readyz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").await;
    assert!(head.starts_with("http/1.1 200") && body.is_empty(), "{head}");
    served.stop().await;
}

#[tokio::test]
async fn grpc_web_reaches_the_services_over_http_1() {
    let served = start(settings()).await;
    let request = GetBranchRequest { branch: "BR999".into() };
    let (head, body) = served.web("/branchkeeper.v1.BranchService/GetBranch", &request, "").await;
    let answer = format!("{head}\n{}", String::from_utf8_lossy(&body));
    assert!(head.starts_with("http/1.1 200") && head.contains("application/grpc-web"), "{answer}");
    assert!(answer.contains("grpc-status: 5") || answer.contains("grpc-status:5"), "{answer}");

    let health = tonic_health::pb::HealthCheckRequest { service: String::new() };
    let (head, body) = served.web("/grpc.health.v1.Health/Check", &health, "").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(body.windows(7).any(|window| window == [0, 0, 0, 0, 2, 8, 1]), "{body:?}");

    let (head, _) = served.web("/no.such.Service/Method", &request, "").await;
    assert!(head.contains("grpc-status: 12") && head.contains("application/grpc-web"), "{head}");
    served.stop().await;
}

async fn call(served: &Served, path: &'static str) -> tonic::Status {
    let mut client = tonic::client::Grpc::new(served.channel().await);
    client.ready().await.unwrap();
    let codec = ProstCodec::<GetBranchRequest, GetBranchResponse>::default();
    let request = Request::new(GetBranchRequest { branch: "x".repeat(9) });
    client.unary(request, PathAndQuery::from_static(path), codec).await.unwrap_err()
}

#[tokio::test]
async fn what_does_not_exist_is_unimplemented() {
    let served = start(settings()).await;
    for path in ["/branchkeeper.v1.BranchService/Explode", "/branchkeeper.v2.BranchService/GetBranch", "/x"] {
        let status = call(&served, path).await;
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unimplemented, "METHOD_NOT_FOUND"), "{path}");
        assert!(status.message().contains(path), "{}", status.message());
    }
    served.stop().await;
}

#[tokio::test]
async fn bad_messages_are_refused_with_a_reason() {
    let served = start(ServerSettings { max_message_bytes: 10_000, ..settings() }).await;
    let large = GetBranchRequest { branch: "x".repeat(20_000) };
    let status = served.branches().await.get_branch(large).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"));

    // A field of the wrong kind: CreateBranch takes a message where GetBranch has a text.
    let status = call(&served, "/branchkeeper.v1.BranchService/CreateBranch").await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "MALFORMED_MESSAGE"));

    let status = served.branches().await.create_branch(CreateBranchRequest::default()).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "INVALID_REQUEST"));
    let violations = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, "branch");
    served.stop().await;
}

#[tokio::test]
async fn one_call_too_many_is_refused_and_health_still_answers() {
    let served = start(ServerSettings { concurrency_limit: 0, ..settings() }).await;
    let request = GetBranchRequest { branch: "BR001".into() };
    let status = served.branches().await.get_branch(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    assert!(status.get_details_retry_info().is_some());
    let live = tonic_health::pb::HealthCheckRequest { service: String::new() };
    served.health().await.check(live).await.unwrap();
    served.stop().await;
}

#[tokio::test]
async fn event_streams_are_bounded_and_give_their_place_back() {
    let limited = ServerSettings { max_followers: 1, ..settings() };
    let served = start_with(limited, &[("1_Endless.sql", ENDLESS)]).await;
    served.register("BR001").await;
    let mut client = served.migrations().await;
    let (run_id, first) = served.begin_run().await;
    let request = WatchRunRequest { run_id, ..Default::default() };
    let status = client.watch_run(request.clone()).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    drop(first);
    for _ in 0..50 {
        if client.watch_run(request.clone()).await.is_ok() {
            served.stop().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the place was not given back");
}

#[tokio::test]
async fn connections_are_bounded() {
    let served = start(ServerSettings { max_connections: 1, ..settings() }).await;
    let mut health = served.health().await;
    let live = tonic_health::pb::HealthCheckRequest { service: String::new() };
    let mut watch = health.watch(live.clone()).await.unwrap().into_inner();
    watch.message().await.unwrap().unwrap();
    let mut second = served.connect().await;
    let read = tokio::time::timeout(Duration::from_secs(3), second.read(&mut [0; 8])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    health.check(live.clone()).await.unwrap();

    // One that has nothing to do makes room.
    drop(watch);
    for _ in 0..50 {
        let mut newcomer = tonic_health::pb::health_client::HealthClient::new(served.lazy_channel());
        if newcomer.check(live.clone()).await.is_ok() {
            health.check(live).await.expect("its client connects anew by itself");
            served.stop().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no room was made");
}

#[tokio::test]
async fn a_strangers_web_page_may_not_call() {
    let served = start(ServerSettings { allowed_origins: vec!["https://hq.example".into()], ..settings() }).await;
    let head = async |method: &str, origin: &str| {
        let request = format!(
            "{method} /grpc.health.v1.Health/Check HTTP/1.1\r\nHost: test\r\nConnection: close\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,x-grpc-web\r\n\
             Content-Type: application/grpc-web+proto\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0"
        );
        served.http(request.as_bytes()).await.0
    };
    for origin in ["https://evil.example", "null"] {
        let answer = head("POST", origin).await;
        assert!(answer.starts_with("http/1.1 403") && answer.contains("grpc-status: 7"), "{answer}");
        assert!(head("OPTIONS", origin).await.starts_with("http/1.1 403"));
    }
    for origin in ["https://hq.example", "http://localhost:5173"] {
        let allowed = format!("access-control-allow-origin: {origin}");
        let answer = head("OPTIONS", origin).await;
        assert!(answer.starts_with("http/1.1 200") && answer.contains(&allowed), "{answer}");
        assert!(answer.contains("access-control-allow-headers: content-type,x-grpc-web"), "{answer}");
        let answer = head("POST", origin).await;
        assert!(answer.starts_with("http/1.1 200") && answer.contains(&allowed), "{answer}");
        assert!(answer.contains("grpc-status-details-bin"), "{answer}");
    }
    served.stop().await;
}

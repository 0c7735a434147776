//! Every method of every service, with every kind of credential.

use std::collections::BTreeMap;

use branchkeeper::rpc::proto as pb;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use prost::Message;
use prost_types::FileDescriptorSet;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::Code;

use super::kit::{SECRET, admin, claims, closed_station, now, raw, signed, viewer, with};
use crate::support::Station;

/// What a viewer may call; everything else that is not open is for admins.
const VIEWERS: [&str; 13] = [
    "/branchkeeper.v1.AuditService/ListAuditEvents",
    "/branchkeeper.v1.AuditService/VerifyAudit",
    "/branchkeeper.v1.BranchService/GetBranch",
    "/branchkeeper.v1.BranchService/ListBranches",
    "/branchkeeper.v1.MigrationService/GetRun",
    "/branchkeeper.v1.MigrationService/History",
    "/branchkeeper.v1.MigrationService/ListRuns",
    "/branchkeeper.v1.MigrationService/Pending",
    "/branchkeeper.v1.MigrationService/Plan",
    "/branchkeeper.v1.MigrationService/Status",
    "/branchkeeper.v1.MigrationService/Validate",
    "/branchkeeper.v1.MigrationService/WatchRun",
    "/branchkeeper.v1.NotificationService/ListNotifications",
];

fn methods() -> Vec<String> {
    let sets = [
        pb::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    let files = sets.into_iter().flat_map(|set| FileDescriptorSet::decode(set).unwrap().file);
    let mut found = Vec::new();
    for file in files {
        for service in &file.service {
            let name = |method: &str| format!("/{}.{}/{method}", file.package(), service.name());
            found.extend(service.method.iter().map(|method| name(method.name())));
        }
    }
    assert!(found.len() > 25);
    found
}

/// API tokens of each role, one of them revoked.
async fn tokens(station: &Station) -> BTreeMap<&'static str, String> {
    let mut client = pb::access_service_client::AccessServiceClient::new(station.channel().await);
    let mut made = BTreeMap::new();
    for (name, role) in [
        ("admin", pb::Role::HeadOfficeAdmin),
        ("viewer", pb::Role::HeadOfficeViewer),
        ("revoked", pb::Role::HeadOfficeAdmin),
    ] {
        let request = pb::CreateTokenRequest { name: name.into(), role: role.into(), life: None };
        made.insert(name, client.create_token(with(&admin(), request)).await.unwrap().into_inner().secret);
    }
    // It is remembered as a good one when it is revoked.
    let status = "/branchkeeper.v1.MigrationService/Status";
    raw(&station.channel().await, status, Some(&format!("Bearer {}", made["revoked"]))).await.unwrap();
    client.revoke_token(with(&admin(), pb::RevokeTokenRequest { token: "revoked".into() })).await.unwrap();
    made
}

#[tokio::test]
async fn every_method_with_every_kind_of_credential() {
    let mut station = closed_station();
    // More attempts fail here than one address may make.
    station.set("AUTH__FAILURES_PER_SECOND", "0");
    station.start().await;
    let tokens = tokens(&station).await;
    let changed = |name: &str, value: serde_json::Value| {
        let mut claims = claims("HeadOfficeAdmin");
        claims[name] = value;
        format!("Bearer {}", signed(&claims))
    };
    let good = admin();
    let payload = good.split('.').nth(1).unwrap();
    let other_key = EncodingKey::from_secret(&[7; 40]);
    let forged = encode(&Header::default(), &claims("HeadOfficeAdmin"), &other_key).unwrap();
    let longer = Header::new(Algorithm::HS512);
    let longer = encode(&longer, &claims("HeadOfficeAdmin"), &EncodingKey::from_secret(SECRET.as_bytes())).unwrap();
    let unknown = format!("bk_{}", "0".repeat(64));
    let nobody = [
        ("none", None),
        ("garbage", Some("Bearer garbage".to_owned())),
        ("no scheme", Some(good.clone())),
        ("basic", Some("Basic YWRtaW46YWRtaW4=".to_owned())),
        ("empty", Some("Bearer ".to_owned())),
        ("expired", Some(changed("exp", json!(now() - 120)))),
        ("not yet", Some(changed("nbf", json!(now() + 600)))),
        ("wrong audience", Some(changed("aud", json!("other")))),
        ("wrong issuer", Some(changed("iss", json!("evil")))),
        // {"alg":"none","typ":"JWT"}
        ("alg none", Some(format!("Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}."))),
        ("alg HS512", Some(format!("Bearer {longer}"))),
        ("forged", Some(format!("Bearer {forged}"))),
        ("unknown API token", Some(format!("Bearer {unknown}"))),
        ("revoked API token", Some(format!("Bearer {}", tokens["revoked"]))),
    ];
    let roleless = format!("Bearer {}", signed(&claims("SomethingElse")));
    let viewers = [format!("Bearer {}", viewer()), format!("bearer {}", tokens["viewer"])];
    let admins = [format!("Bearer {good}"), format!("Bearer {}", tokens["admin"])];

    let channel = station.channel().await;
    for method in methods() {
        let open = method.starts_with("/grpc.health.");
        let begin = async |credential: Option<&str>| raw(&channel, &method, credential).await.err();
        for (kind, credential) in &nobody {
            let status = begin(credential.as_deref()).await;
            let code = status.as_ref().map(tonic::Status::code);
            if open {
                assert!(
                    !matches!(code, Some(Code::Unauthenticated | Code::PermissionDenied)),
                    "{method} {kind}: {code:?}"
                );
            } else {
                assert_eq!(code, Some(Code::Unauthenticated), "{method} with {kind}");
                // Whatever is wrong, the answer is the same.
                let text = "the caller is not known; send a token as 'authorization: Bearer TOKEN', or use a client certificate";
                assert_eq!(status.unwrap().message(), text, "{method} with {kind}");
            }
        }
        let code = async |credential: &str| begin(Some(credential)).await.map(|status| status.code());
        let refused = |code: Option<Code>| matches!(code, Some(Code::Unauthenticated | Code::PermissionDenied));
        let all_may = open || method.starts_with("/grpc.reflection.") || VIEWERS.contains(&method.as_str());
        if !open {
            assert_eq!(code(&roleless).await, Some(Code::PermissionDenied), "{method} without a role");
        }
        for credential in &viewers {
            let code = code(credential).await;
            if all_may {
                assert!(!refused(code), "{method} for a viewer: {code:?}");
            } else {
                assert_eq!(code, Some(Code::PermissionDenied), "{method} for a viewer");
            }
        }
        for credential in &admins {
            let code = code(credential).await;
            assert!(!refused(code), "{method} for an admin: {code:?}");
        }
    }
    let log = station.log();
    for secret in [SECRET, &good, &forged, &tokens["admin"], &tokens["revoked"], &unknown] {
        assert!(!log.contains(secret), "the log has a token or a secret in it");
    }
    for why in ["the token has expired", "another audience", "was revoked", "the call has no credential"] {
        assert!(log.contains(why), "the log does not say: {why}");
    }
}

#[tokio::test]
async fn health_and_reflection_are_opened_and_closed() {
    let mut station = closed_station();
    station.set("AUTH__OPEN_HEALTH", "false");
    station.set("AUTH__OPEN_REFLECTION", "true");
    station.start().await;
    let channel = station.channel().await;
    let code = async |method: &str, token: Option<&str>| raw(&channel, method, token).await.err().map(|s| s.code());
    assert_eq!(code("/grpc.health.v1.Health/Check", None).await, Some(Code::Unauthenticated));
    assert_eq!(code("/grpc.health.v1.Health/Check", Some(&format!("Bearer {}", viewer()))).await, None);
    assert_eq!(code("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", None).await, None);
    for path in ["/healthz", "/readyz", "/metrics"] {
        let codes = (get(&station, path, "garbage").await, get(&station, path, &viewer()).await);
        assert_eq!((codes.0.as_str(), codes.1.as_str()), ("401", "200"), "{path}");
    }
}

#[tokio::test]
async fn what_is_measured_is_not_for_everybody() {
    let mut station = closed_station();
    station.start().await;
    let roleless = signed(&claims("SomethingElse"));
    for (token, code) in [("garbage", "401"), (&roleless, "403"), (&viewer(), "200"), (&admin(), "200")] {
        assert_eq!(get(&station, "/metrics", token).await, code);
        assert_eq!(get(&station, "/healthz", token).await, "200", "health is open");
    }
}

/// The code of a plain route's answer.
async fn get(station: &Station, path: &str, token: &str) -> String {
    let mut stream = station.connect().await;
    station.watch().seen.secret("a caller's token", token);
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn runs_carry_who_asked() {
    let mut station = closed_station();
    station.start().await;
    let mut client = station.migrations().await;
    let mut events = client.apply_all(with(&admin(), pb::ApplyAllRequest::default())).await.unwrap().into_inner();
    while events.message().await.unwrap().is_some() {}
    let runs = client.list_runs(with(&viewer(), pb::ListRunsRequest::default())).await.unwrap().into_inner().runs;
    assert_eq!(runs[0].requested_by, "jwt:ann");
}

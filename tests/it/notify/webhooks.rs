//! Deliveries to receivers of every kind.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::receiver::{Answer, Receiver};
use super::{BAD, register, station, until};
use crate::support::pb::notification_service_client::NotificationServiceClient;
use crate::support::pb::{self, NotificationState};
use crate::support::{Program, Station, outcome};

async fn notifications(station: &Station) -> Vec<pb::Notification> {
    let mut client = NotificationServiceClient::new(station.channel().await);
    client.list_notifications(pb::ListNotificationsRequest::default()).await.unwrap().into_inner().notifications
}

/// A service with one failure to tell, and how often the receiver is told of it at the most.
async fn failing(receiver: &Receiver, attempts: &str) -> Station {
    let mut station = station(receiver);
    station.set("NOTIFY__MAX_ATTEMPTS", attempts);
    station.set("NOTIFY__TARGETS__HQ__EVENTS", "branch_failed");
    station.migration("1_Bad.sql", BAD);
    station.start().await;
    register(&station, &["BR001"]).await;
    assert!(!outcome(&station, "BR001").await.success);
    station
}

/// The only notification, once it is settled.
async fn settled(station: &Station) -> pb::Notification {
    let settled = until("the end of the deliveries", async || {
        let all = notifications(station).await;
        all.into_iter().find(|each| each.state() != NotificationState::Pending)
    });
    settled.await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_sent_again_under_the_same_id_until_it_is_taken() {
    let receiver = Receiver::start().await;
    let rough = [Answer::Status(500), Answer::Close, Answer::With(429, "retry-after: 1".into()), Answer::Status(404)];
    receiver.next(rough);
    let station = failing(&receiver, "16").await;
    let settled = settled(&station).await;
    assert_eq!((settled.state(), settled.attempts), (NotificationState::Delivered, 5));
    let requests = receiver.requests();
    assert_eq!(requests.len(), 5);
    assert!(requests.iter().all(|request| request.header("webhook-id") == Some(&settled.id)));
    assert!(requests.iter().all(|request| request.body == requests[0].body));
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_are_bounded_and_the_last_reason_is_kept_without_the_url() {
    let receiver = Receiver::answering(Answer::Status(503)).await;
    let station = failing(&receiver, "3").await;
    let settled = settled(&station).await;
    assert_eq!((settled.state(), settled.attempts), (NotificationState::Failed, 3));
    assert_eq!(settled.error, "answered 503 Service Unavailable");
    assert_eq!((settled.target.as_str(), settled.subject.as_str()), ("hq", "BR001"));
    assert_eq!(receiver.requests().len(), 3);
    assert!(!station.log().contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_followed() {
    let elsewhere = Receiver::start().await;
    let receiver = Receiver::answering(Answer::With(307, format!("location: {}", elsewhere.url()))).await;
    let station = failing(&receiver, "2").await;
    let settled = settled(&station).await;
    assert!(settled.error.contains("307 Temporary Redirect; redirects are not followed"), "{}", settled.error);
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_endless_answer_little_is_read() {
    let receiver = Receiver::answering(Answer::HugeBody).await;
    let station = failing(&receiver, "2").await;
    assert_eq!(settled(&station).await.state(), NotificationState::Delivered);
    // What the kernel's buffers hold, and no more.
    assert!(receiver.sent() < 16 * 1024 * 1024, "{} bytes were taken", receiver.sent());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_ends_takes_no_longer_than_the_time_limit() {
    for answer in [Answer::SlowBody, Answer::Hang] {
        let receiver = Receiver::answering(answer.clone()).await;
        let station = failing(&receiver, "1").await;
        let settled = settled(&station).await;
        let expected = match answer {
            Answer::Hang => (NotificationState::Failed, "no answer"),
            // That it was taken stood in the answer's first line.
            _ => (NotificationState::Delivered, ""),
        };
        assert_eq!(settled.state(), expected.0, "{answer:?}: {}", settled.error);
        assert!(settled.error.starts_with(expected.1), "{answer:?}: {}", settled.error);
    }
}

/// The program in the documentation that verifies a message.
fn verification_example() -> String {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/notifications.md");
    let text = std::fs::read_to_string(docs).unwrap();
    let (_, code) = text.split_once("```python\n").unwrap();
    code.split_once("```").unwrap().0.to_owned()
}

fn verify(code: &str, secret: &str, request: &super::Request, timestamp: &str, body: &[u8]) -> Option<bool> {
    let header = |name: &str| request.header(name).unwrap().to_owned();
    let call = format!(
        "{code}\nimport sys\nheaders = {{'webhook-id': {:?}, 'webhook-timestamp': {:?}, 'webhook-signature': {:?}}}\n\
         sys.exit(0 if verify({secret:?}, headers, sys.stdin.buffer.read()) else 3)\n",
        header("webhook-id"),
        timestamp,
        header("webhook-signature"),
    );
    let mut python = Command::new("python3").args(["-c", &call]).stdin(Stdio::piped()).spawn().ok()?;
    python.stdin.take().unwrap().write_all(body).unwrap();
    match python.wait().unwrap().code() {
        Some(0) => Some(true),
        Some(3) => Some(false),
        other => panic!("the documentation's program ended with {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_s_program_verifies_the_signature() {
    let receiver = Receiver::start().await;
    let mut station = station(&receiver);
    station.set("NOTIFY__TARGETS__HQ__SECRET_REF", "env:HOOK_KEY");
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    station.variable("HOOK_KEY", secret);
    station.migration("1_Bad.sql", BAD);
    station.start().await;
    register(&station, &["BR001"]).await;
    assert!(!outcome(&station, "BR001").await.success);
    let request = receiver.wait_for(1).await.remove(0);
    let code = verification_example();
    let timestamp = request.header("webhook-timestamp").unwrap().to_owned();
    let Some(genuine) = verify(&code, secret, &request, &timestamp, &request.body) else {
        println!("skipped: there is no python3 to run the documentation's program");
        return;
    };
    assert!(genuine);
    assert_eq!(verify(&code, "whsec_AAAA", &request, &timestamp, &request.body), Some(false), "another key");
    let mut forged = request.body.clone();
    forged[20] ^= 1;
    assert_eq!(verify(&code, secret, &request, &timestamp, &forged), Some(false), "another body");
    let later = (timestamp.parse::<i64>().unwrap() + 1).to_string();
    assert_eq!(verify(&code, secret, &request, &later, &request.body), Some(false), "another time");
    assert_eq!(verify(&code, secret, &request, "1000000000", &request.body), Some(false), "long ago");
    assert!(!station.log().contains("MfKQ9r8G"));
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_are_tried_out_from_the_command_line() {
    let (good, chat) = (Receiver::start().await, Receiver::answering(Answer::Status(403)).await);
    let mut station = station(&good);
    station.set("NOTIFY__TARGETS__CHAT__URL", &chat.url());
    station.set("NOTIFY__TARGETS__CHAT__FORMAT", "slack");
    station.start().await;
    let notify = |args: &[&str]| {
        let output = Program::new(["--server", &station.url(), "notify"]).args(args).run();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, text) = notify(&["test", "hq"]);
    assert!(code == 0 && text.starts_with("hq: delivered in "), "{code} {text}");
    assert_eq!(good.requests()[0].json()["type"], "test");
    let (code, text) = notify(&["test"]);
    assert!(
        code == 1 && text.contains("chat: failed in ") && text.contains(": answered 403 Forbidden"),
        "{code} {text}"
    );
    let told = chat.requests()[0].json();
    assert!(told["text"].as_str().unwrap().starts_with("a test: this target is reached\nTime: "), "{told}");
    let (code, text) = notify(&["test", "nowhere"]);
    assert!(code == 3 && text.contains("there is no target 'nowhere'; there are: chat, hq"), "{code} {text}");
    assert_eq!(notify(&["list"]), (0, "No notifications.\n".to_owned()));
    station.migration("1_Bad.sql", BAD);
    register(&station, &["BR001"]).await;
    assert!(!outcome(&station, "BR001").await.success);
    let (code, text) = notify(&["list", "--target", "hq"]);
    assert!(code == 0 && text.contains("branch BR001 failed: no such table: Crads"), "{code} {text}");
    let (code, text) = notify(&["list", "--state", "held-back", "--output", "json"]);
    assert_eq!((code, serde_json::from_str(&text).unwrap()), (0, serde_json::json!({ "notifications": [] })));
}

#[tokio::test(flavor = "multi_thread")]
async fn http_to_other_machines_is_refused() {
    let receiver = Receiver::start().await;
    let mut station = station(&receiver);
    station.set("NOTIFY__TARGETS__FAR__URL", "http://192.0.2.1/hunter2");
    station.start().await;
    let mut client = NotificationServiceClient::new(station.channel().await);
    let request = pb::TestNotificationRequest { target: "far".into() };
    let result = client.test_notification(request).await.unwrap().into_inner().results.remove(0);
    assert!(!result.delivered && result.message.contains("allow_plaintext"), "{}", result.message);
    let long = pb::ListNotificationsRequest { target: "x".repeat(100), ..Default::default() };
    assert_eq!(client.list_notifications(long).await.unwrap_err().code(), tonic::Code::InvalidArgument);
}

/// Only so many in a minute, and then how many more there were.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_held_back() {
    let receiver = Receiver::start().await;
    let mut station = station(&receiver);
    station.set("NOTIFY__TARGETS__HQ__MAX_PER_MINUTE", "3");
    station.migration("1_Bad.sql", BAD);
    station.start().await;
    let codes: Vec<String> = (0..20).map(|number| format!("BR{number:03}")).collect();
    register(&station, &codes.iter().map(String::as_str).collect::<Vec<_>>()).await;
    crate::support::apply_all(&station, Default::default()).await;
    let held = until("all to be settled", async || {
        let all = notifications(&station).await;
        let held = all.iter().filter(|each| each.state() == NotificationState::HeldBack).count();
        (all.len() == 21 && held == 18).then_some(held)
    });
    assert_eq!(held.await, 18);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(receiver.requests().len(), 3);
}

//! Notifications by mail, to a small server of the test's own.

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::mail_server::{MailServer, Speech};
use super::{BAD, register, until};
use crate::support::pb::notification_service_client::NotificationServiceClient;
use crate::support::{Station, outcome, pb, temp_dir};

/// A server's TLS for `localhost`, and the certificate that a client has to trust.
fn tls() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let chain = vec![made.cert.der().clone()];
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

fn station(server: &MailServer, tls: &str) -> Station {
    let mut station = Station::new();
    let mut set = |key: &str, value: &str| station.set(&format!("NOTIFY__TARGETS__OPS__{key}"), value);
    set("KIND", "mail");
    set("HOST", "localhost");
    set("PORT", &server.address.port().to_string());
    set("TLS", tls);
    set("FROM", "Keeper <keeper@shop.example>");
    set("TO", "a@shop.example, Bea <b@shop.example>");
    station.set("NOTIFY__BACKOFF", "50ms");
    station.migration("1_Bad.sql", BAD);
    station
}

async fn try_out(station: &Station) -> pb::NotificationTest {
    let mut client = NotificationServiceClient::new(station.channel().await);
    let answer = client.test_notification(pb::TestNotificationRequest::default()).await.unwrap();
    answer.into_inner().results.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_branch_is_told_by_mail() {
    let server = MailServer::start(Speech::Plain).await;
    let mut station = station(&server, "none");
    station.set("NOTIFY__TARGETS__OPS__EVENTS", "branch_failed");
    station.start().await;
    register(&station, &["BR001"]).await;
    assert!(!outcome(&station, "BR001").await.success);
    let mail = until("the mail", async || server.mails().into_iter().next()).await;
    assert!(mail.envelope[0].starts_with("MAIL FROM:<keeper@shop.example>"), "{mail:?}");
    assert_eq!(mail.envelope[1..], ["RCPT TO:<a@shop.example>", "RCPT TO:<b@shop.example>"]);
    for part in [
        "Subject: [Branchkeeper] branch BR001 failed: no such table: Crads\r\n",
        "\r\nPlace: 1_Bad.sql:1\r\n",
        "@branchkeeper>\r\n",
        "\r\nFrom: ",
    ] {
        assert!(mail.text.contains(part), "{part:?} in {}", mail.text);
    }
    assert!(mail.auth.is_empty() && !mail.secure);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_only_sent_over_tls_that_is_trusted() {
    for way in ["starttls", "tls"] {
        let (acceptor, certificate) = tls();
        let speech = if way == "tls" { Speech::Tls(acceptor) } else { Speech::StartTls(acceptor) };
        let server = MailServer::start(speech).await;
        let folder = temp_dir();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, certificate).unwrap();
        let mut strange = station(&server, way);
        let mut trusted = station(&server, way);
        trusted.set("NOTIFY__TARGETS__OPS__CA_FILE", ca.to_str().unwrap());
        for station in [&mut strange, &mut trusted] {
            station.set("NOTIFY__TARGETS__OPS__USERNAME", "keeper");
            station.set("NOTIFY__TARGETS__OPS__PASSWORD_REF", "env:MAIL_PASSWORD");
            station.variable("MAIL_PASSWORD", "hunter2");
            station.start().await;
        }
        let refused = try_out(&strange).await;
        assert!(!refused.delivered && !refused.message.is_empty(), "{way}: {refused:?}");
        assert!(server.mails().is_empty(), "{way}");
        let taken = try_out(&trusted).await;
        assert!(taken.delivered, "{way}: {}", taken.message);
        let mail = server.mails().remove(0);
        // keeper and hunter2 with zero bytes before them, in base64.
        assert_eq!((mail.secure, mail.auth.as_str()), (true, "AUTH PLAIN AGtlZXBlcgBodW50ZXIy"), "{way}");
        assert!(mail.text.contains("a test: this target is reached"), "{way}: {}", mail.text);
        assert!(!(strange.log() + &trusted.log()).contains("hunter2"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_refused_when_tls_is_wanted() {
    let server = MailServer::start(Speech::Plain).await;
    let mut station = station(&server, "starttls");
    station.start().await;
    let refused = try_out(&station).await;
    assert!(!refused.delivered, "{refused:?}");
    assert!(server.mails().is_empty());
}

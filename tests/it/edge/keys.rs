//! Keys of JSON Web Tokens: files that change, a key set behind a URL.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::kit::{claims, raw, until, write};
use crate::support::Station;

const STATUS: &str = "/branchkeeper.v1.MigrationService/Status";

struct Key {
    pair: rcgen::KeyPair,
    algorithm: Algorithm,
}

impl Key {
    fn new(kind: &'static rcgen::SignatureAlgorithm, algorithm: Algorithm) -> Self {
        Self { pair: rcgen::KeyPair::generate_for(kind).unwrap(), algorithm }
    }

    fn private(&self) -> EncodingKey {
        let pem = self.pair.serialize_pem();
        match self.algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(pem.as_bytes()),
            Algorithm::ES256 => EncodingKey::from_ec_pem(pem.as_bytes()),
            _ => EncodingKey::from_ed_pem(pem.as_bytes()),
        }
        .unwrap()
    }

    fn token(&self, id: Option<&str>) -> String {
        let header = Header { kid: id.map(str::to_owned), ..Header::new(self.algorithm) };
        encode(&header, &claims("HeadOfficeViewer"), &self.private()).unwrap()
    }

    fn jwk(&self, id: &str) -> serde_json::Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.private(), self.algorithm).unwrap()).unwrap();
        jwk["kid"] = json!(id);
        jwk
    }
}

fn keys() -> [Key; 3] {
    [
        Key::new(&rcgen::PKCS_RSA_SHA256, Algorithm::RS256),
        Key::new(&rcgen::PKCS_ECDSA_P256_SHA256, Algorithm::ES256),
        Key::new(&rcgen::PKCS_ED25519, Algorithm::EdDSA),
    ]
}

fn station() -> Station {
    let mut station = Station::new();
    station.set("AUTH__JWT__ISSUER", "idp");
    station.set("AUTH__JWT__AUDIENCE", "branchkeeper");
    station
}

async fn accepted(station: &Station, token: &str) -> bool {
    raw(&station.channel().await, STATUS, Some(&format!("Bearer {token}"))).await.is_ok()
}

#[tokio::test]
async fn keys_in_files_are_rolled_without_a_restart() {
    let mut station = station();
    let folder = station.migrations_folder().parent().unwrap().to_owned();
    let [first, second, third] = keys();
    let pem = write(&folder, "key.pem", &first.pair.public_key_pem());
    let set = write(&folder, "keys.json", &json!({ "keys": [second.jwk("a")] }).to_string());
    station.set("AUTH__JWT__PUBLIC_KEY_FILE", pem.to_str().unwrap());
    station.set("AUTH__JWT__JWKS_FILE", set.to_str().unwrap());
    station.start().await;
    assert!(accepted(&station, &first.token(None)).await && accepted(&station, &second.token(Some("a"))).await);
    assert!(!accepted(&station, &third.token(Some("b"))).await && !accepted(&station, &second.token(Some("b"))).await);

    write(&folder, "key.pem", &third.pair.public_key_pem());
    write(&folder, "keys.json", "half writ");
    let token = third.token(None);
    until("the new key", async || accepted(&station, &token).await, |accepted| *accepted).await;
    assert!(!accepted(&station, &first.token(None)).await, "the old key is gone");
    assert!(accepted(&station, &second.token(Some("a"))).await, "an unusable file leaves the last good keys");
    write(&folder, "keys.json", &json!({ "keys": [first.jwk("c")] }).to_string());
    let token = first.token(Some("c"));
    until("the new key set", async || accepted(&station, &token).await, |accepted| *accepted).await;
    assert!(!accepted(&station, &second.token(Some("a"))).await);
}

/// Answers every request with what it holds, and counts them.
async fn key_server() -> (u16, Arc<Mutex<String>>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (answer, count) = (Arc::new(Mutex::new(String::new())), Arc::new(AtomicUsize::new(0)));
    let (kept, counted) = (answer.clone(), count.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            counted.fetch_add(1, Ordering::SeqCst);
            let text = kept.lock().unwrap().clone();
            let _ = stream.write_all(text.as_bytes()).await;
        }
    });
    (port, answer, count)
}

fn page(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn keys_behind_a_url_are_fetched_once_and_for_unknown_ids_not_too_often() {
    let (port, answer, count) = key_server().await;
    let [first, second, third] = keys();
    *answer.lock().unwrap() = page(&json!({ "keys": [first.jwk("a"), second.jwk("b")] }).to_string());
    let mut station = station();
    station.set("AUTH__JWT__JWKS_URL", &format!("http://127.0.0.1:{port}/keys"));
    station.start().await;
    for _ in 0..5 {
        assert!(
            accepted(&station, &first.token(Some("a"))).await && accepted(&station, &second.token(Some("b"))).await
        );
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    // Whoever sends unknown ids does not make the service ask again and again.
    for _ in 0..5 {
        assert!(!accepted(&station, &third.token(Some("z"))).await);
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
    assert!(accepted(&station, &first.token(Some("a"))).await);
}

#[tokio::test]
async fn a_key_server_that_lies_is_of_no_harm() {
    let [key, ..] = keys();
    let huge = format!("{{\"keys\": [], \"x\": \"{}\"}}", "y".repeat(300_000));
    let moved = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    for (lie, said) in [(page(&huge), "more than"), (page("<html>"), "not JSON"), (moved.to_owned(), "302")] {
        let (port, answer, _) = key_server().await;
        *answer.lock().unwrap() = lie;
        let mut station = station();
        station.set("AUTH__JWT__JWKS_URL", &format!("http://localhost:{port}/keys"));
        station.start().await;
        assert!(!accepted(&station, &key.token(Some("a"))).await);
        assert!(station.log().contains(said), "{said}:\n{}", station.log());
    }
}

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use super::super::keys::{from_pem, from_secret};
use super::*;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn now() -> Time {
    Time::from_timestamp(1_000_000, 0).unwrap()
}

fn settings() -> JwtSettings {
    JwtSettings { issuer: "idp".into(), audience: "branchkeeper".into(), ..JwtSettings::default() }
}

fn good() -> Value {
    json!({ "sub": "ann", "iss": "idp", "aud": "branchkeeper", "exp": 1_000_060, "role": "HeadOfficeViewer" })
}

fn token(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

fn verified(token: &str) -> Result<Said, Refused> {
    verify(token, [from_secret(SECRET).unwrap()].iter(), &settings(), now())
}

fn with(name: &str, value: Value) -> Result<Said, Refused> {
    let mut claims = good();
    claims[name] = value;
    verified(&token(&claims))
}

#[test]
fn a_good_token_says_who_and_what() {
    assert_eq!(verified(&token(&good())), Ok(Said { subject: "ann".into(), role: Some(Role::Viewer) }));
}

#[test]
fn what_is_wrong_is_refused() {
    let cases = [
        ("exp", json!(999_969), Refused::Expired),
        ("exp", Value::Null, Refused::NoExpiry),
        ("exp", json!("1000060"), Refused::NoExpiry),
        ("nbf", json!(1_000_031), Refused::NotYet),
        ("nbf", json!("soon"), Refused::Malformed),
        ("iss", json!("evil"), Refused::Issuer),
        ("iss", json!(["idp"]), Refused::Issuer),
        ("aud", json!("other"), Refused::Audience),
        ("aud", json!(["other", "third"]), Refused::Audience),
        ("aud", Value::Null, Refused::Audience),
        ("sub", json!(" "), Refused::NoSubject),
        ("sub", json!(7), Refused::NoSubject),
    ];
    for (name, value, expected) in cases {
        assert_eq!(with(name, value.clone()), Err(expected), "{name} = {value}");
    }
    assert!(with("exp", json!(999_971)).is_ok(), "within the leeway");
    assert!(with("nbf", json!(1_000_029)).is_ok(), "within the leeway");
    assert!(with("aud", json!(["x", "branchkeeper"])).is_ok());
}

#[test]
fn an_audience_that_nobody_expects_is_refused() {
    let settings = JwtSettings { audience: String::new(), ..settings() };
    let keys = [from_secret(SECRET).unwrap()];
    assert_eq!(verify(&token(&good()), keys.iter(), &settings, now()), Err(Refused::Audience));
    let mut claims = good();
    claims.as_object_mut().unwrap().remove("aud");
    assert!(verify(&token(&claims), keys.iter(), &settings, now()).is_ok());
}

#[test]
fn roles_come_as_a_text_or_a_list_or_from_an_object() {
    let admin = Some(Role::Admin);
    assert_eq!(with("role", json!(["x", "HeadOfficeViewer", "HeadOfficeAdmin"])).unwrap().role, admin);
    for none in [json!("admin"), json!([]), json!({}), json!(true), json!("HeadOfficeAdmin,")] {
        assert_eq!(with("role", none.clone()).unwrap().role, None, "{none}");
    }
    let claims = json!({ "realm": { "roles": ["HeadOfficeAdmin"] }, "a.b": "HeadOfficeViewer" });
    let claims = claims.as_object().unwrap();
    assert_eq!(role(claims, "realm.roles"), admin);
    assert_eq!(role(claims, "a.b"), Some(Role::Viewer));
    assert_eq!(role(claims, "realm.roles.x"), None);
    assert_eq!(role(claims, "nothing"), None);
}

#[test]
fn garbage_and_unsigned_tokens_are_refused() {
    let body = token(&good());
    let (_, rest) = body.split_once('.').unwrap();
    let (payload, _) = rest.split_once('.').unwrap();
    // {"alg":"none","typ":"JWT"}
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
    // {"alg":"HS256","crit":["x"]}
    let critical = format!("eyJhbGciOiJIUzI1NiIsImNyaXQiOlsieCJdfQ.{payload}.AAAA");
    for bad in ["", ".", "..", "a.b.c", &none, &critical, &"x".repeat(MAX_TOKEN + 1)] {
        assert_eq!(verified(bad), Err(Refused::Malformed), "{}", shorten(bad, 60));
    }
    assert_eq!(verified(&format!("{}A", &body[..body.len() - 1])), Err(Refused::Signature));
    let other = encode(&Header::default(), &good(), &EncodingKey::from_secret(&[7; 32])).unwrap();
    assert_eq!(verified(&other), Err(Refused::Signature));
}

#[test]
fn a_key_serves_its_own_algorithm_only() {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let public = pair.public_key_pem();
    let keys = [from_pem(public.as_bytes()).unwrap()];
    // The public key, which everybody has, taken for the secret of HS256.
    let confused = encode(&Header::default(), &good(), &EncodingKey::from_secret(public.as_bytes())).unwrap();
    assert_eq!(verify(&confused, keys.iter(), &settings(), now()), Err(Refused::Algorithm));
    // The right key, in an algorithm that it is not pinned to.
    let private = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
    let longer = encode(&Header::new(Algorithm::RS512), &good(), &private).unwrap();
    assert_eq!(verify(&longer, keys.iter(), &settings(), now()), Err(Refused::Algorithm));
    let right = encode(&Header::new(Algorithm::RS256), &good(), &private).unwrap();
    assert!(verify(&right, keys.iter(), &settings(), now()).is_ok());
}

#[test]
fn a_key_id_chooses_the_key() {
    let key = |id: &str, secret: &[u8]| VerifyKey { id: Some(id.into()), ..from_secret(secret).unwrap() };
    let keys = [key("old", &[1; 32]), key("new", SECRET)];
    let signed = |id: Option<&str>| {
        let header = Header { kid: id.map(str::to_owned), ..Header::default() };
        encode(&header, &good(), &EncodingKey::from_secret(SECRET)).unwrap()
    };
    let check = |token: &str| verify(token, keys.iter(), &settings(), now());
    assert!(check(&signed(Some("new"))).is_ok() && check(&signed(None)).is_ok());
    assert_eq!(check(&signed(Some("old"))), Err(Refused::Signature));
    assert_eq!(check(&signed(Some("third"))), Err(Refused::UnknownKey("third".into())));
    assert_eq!(key_id(&signed(Some("third"))).as_deref(), Some("third"));
    assert_eq!(key_id("nonsense"), None);
}

proptest::proptest! {
    #[test]
    fn no_text_is_fatal_or_accepted(text in "[A-Za-z0-9._-]{0,200}") {
        proptest::prop_assert!(verified(&text).is_err());
    }
}

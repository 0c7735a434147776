//! Keys that JSON Web Tokens are verified with. Each is good for one algorithm only, whatever a token says about itself.

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

/// The most keys in a set.
const MAX_KEYS: usize = 100;
/// The least bytes of an HS256 secret: as many as its hash has (RFC 7518, 3.2).
const MIN_SECRET: usize = 32;

/// A key and the one algorithm that it is used for.
#[derive(Clone)]
pub(super) struct VerifyKey {
    /// Its name in a key set; `None` where it has none.
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyKey").field("id", &self.id).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// The key of HS256 from its secret; a newline at the end is dropped.
pub(super) fn from_secret(bytes: &[u8]) -> Result<VerifyKey, String> {
    let bytes = bytes.strip_suffix(b"\n").map_or(bytes, |rest| rest.strip_suffix(b"\r").unwrap_or(rest));
    if bytes.len() < MIN_SECRET {
        return Err(format!("the secret of HS256 has {} bytes; it needs at least {MIN_SECRET}", bytes.len()));
    }
    Ok(VerifyKey { id: None, algorithm: Algorithm::HS256, key: DecodingKey::from_secret(bytes) })
}

/// A public key from its PEM text, with the algorithm of its kind.
pub(super) fn from_pem(bytes: &[u8]) -> Result<VerifyKey, String> {
    let bad = |what: &str| format!("the public key {what}; use a PEM file that begins with BEGIN PUBLIC KEY");
    let (_, pem) = x509_parser::pem::parse_x509_pem(bytes).map_err(|_| bad("is not a PEM file"))?;
    if pem.label != "PUBLIC KEY" {
        return Err(bad(&format!("is a PEM file of '{}'", crate::domain::shorten(&pem.label, 40))));
    }
    let (_, info) = SubjectPublicKeyInfo::from_der(&pem.contents).map_err(|_| bad("cannot be read"))?;
    let kind = info.algorithm.algorithm.to_id_string();
    let curve = info.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok()).map(|oid| oid.to_id_string());
    let (algorithm, key) = match (kind.as_str(), curve.as_deref()) {
        ("1.2.840.113549.1.1.1", _) => (Algorithm::RS256, DecodingKey::from_rsa_pem(bytes)),
        ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => (Algorithm::ES256, DecodingKey::from_ec_pem(bytes)),
        ("1.3.101.112", _) => (Algorithm::EdDSA, DecodingKey::from_ed_pem(bytes)),
        _ => return Err("the public key is of a kind that is not supported; use RSA, P-256 or Ed25519".into()),
    };
    let key = key.map_err(|error| bad(&format!("cannot be used: {error}")))?;
    Ok(VerifyKey { id: None, algorithm, key })
}

/// The usable keys of a JSON Web Key Set. Others are passed over, as RFC 7517 asks for; symmetric ones too, because what
/// is published is no secret.
pub(super) fn from_jwks(bytes: &[u8]) -> Result<Vec<VerifyKey>, String> {
    let set: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| format!("the key set is not JSON: {error}"))?;
    let listed = set.get("keys").and_then(serde_json::Value::as_array).ok_or("the key set has no list 'keys'")?;
    if listed.len() > MAX_KEYS {
        return Err(format!("the key set has {} keys; at most {MAX_KEYS} are allowed", listed.len()));
    }
    let jwks = listed.iter().filter_map(|value| serde_json::from_value::<Jwk>(value.clone()).ok());
    let keys: Vec<_> = jwks.filter_map(|jwk| from_jwk(&jwk)).collect();
    if keys.is_empty() {
        return Err("the key set has no key for RS256, ES256 or EdDSA".into());
    }
    Ok(keys)
}

fn from_jwk(jwk: &Jwk) -> Option<VerifyKey> {
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    let of_that_kind = jwk.common.key_algorithm.is_none_or(|said| said == named);
    let for_signing = jwk.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let key = DecodingKey::from_jwk(jwk).ok()?;
    (of_that_kind && for_signing).then(|| VerifyKey { id: jwk.common.key_id.clone(), algorithm, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_secrets_and_foreign_files_are_refused() {
        assert!(from_secret(b"short\n").unwrap_err().contains("at least 32"));
        assert_eq!(from_secret(&[b'x'; 32]).unwrap().algorithm, Algorithm::HS256);
        assert!(from_pem(b"nonsense").unwrap_err().contains("BEGIN PUBLIC KEY"));
        let private = rcgen::KeyPair::generate().unwrap();
        let error = from_pem(private.serialize_pem().as_bytes()).unwrap_err();
        assert!(error.contains("PRIVATE KEY"), "{error}");
    }

    #[test]
    fn a_key_s_kind_fixes_its_algorithm() {
        let kinds = [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Some(Algorithm::ES256)),
            (&rcgen::PKCS_ED25519, Some(Algorithm::EdDSA)),
            (&rcgen::PKCS_RSA_SHA256, Some(Algorithm::RS256)),
            (&rcgen::PKCS_ECDSA_P384_SHA384, None),
        ];
        for (kind, expected) in kinds {
            let pair = rcgen::KeyPair::generate_for(kind).unwrap();
            let found = from_pem(pair.public_key_pem().as_bytes());
            assert_eq!(found.ok().map(|key| key.algorithm), expected);
        }
    }

    #[test]
    fn a_set_keeps_what_can_be_used() {
        let set = br#"{"keys": [
            {"kty": "oct", "k": "c2VjcmV0", "kid": "published-secret"},
            {"kty": "unheard", "kid": "x"},
            {"kty": "OKP", "crv": "Ed25519", "kid": "good", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            {"kty": "OKP", "crv": "Ed25519", "kid": "enc", "use": "enc", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            {"kty": "OKP", "crv": "Ed25519", "kid": "lie", "alg": "HS256", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
        ]}"#;
        let keys = from_jwks(set).unwrap();
        let ids: Vec<_> = keys.iter().map(|key| key.id.as_deref()).collect();
        assert_eq!(ids, [Some("good")]);
        assert!(from_jwks(b"{}").is_err() && from_jwks(b"[").is_err() && from_jwks(br#"{"keys": []}"#).is_err());
    }
}

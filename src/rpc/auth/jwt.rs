//! The checks of a JSON Web Token (RFC 7519, with the advice of RFC 8725), as a pure function.

use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::keys::VerifyKey;
use super::settings::JwtSettings;
use crate::domain::{Role, Time, shorten};

/// The longest token that is looked at.
const MAX_TOKEN: usize = 8 * 1024;
/// The longest name taken from a token, in characters.
const MAX_NAME: usize = 100;
/// The most roles in a list that are looked at.
const MAX_ROLES: usize = 1_000;

/// Why a token is not accepted. For the log; the caller is told nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the token cannot be read")]
    Malformed,
    #[error("the token's algorithm is not that of any key")]
    Algorithm,
    #[error("no key has the token's key id '{0}'")]
    UnknownKey(String),
    #[error("the token's signature is wrong")]
    Signature,
    #[error("the token has no exp, or it is not a number")]
    NoExpiry,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token is of another issuer than auth.jwt.issuer")]
    Issuer,
    #[error("the token is for another audience than auth.jwt.audience")]
    Audience,
    #[error("the token has no sub")]
    NoSubject,
}

/// What an accepted token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// Its subject.
    pub(super) subject: String,
    /// The strongest role among those that it gives; `None` when it gives none of ours.
    pub(super) role: Option<Role>,
}

/// The key id in a token's header, which nothing vouches for yet.
pub(super) fn key_id(token: &str) -> Option<String> {
    (token.len() <= MAX_TOKEN).then(|| decode_header(token).ok()?.kid).flatten()
}

/// Verifies a token with those of `keys` that fit it, and checks what it says at `now`.
pub(super) fn verify<'k>(
    token: &str,
    keys: impl Iterator<Item = &'k VerifyKey>,
    settings: &JwtSettings,
    now: Time,
) -> Result<Said, Refused> {
    if token.len() > MAX_TOKEN {
        return Err(Refused::Malformed);
    }
    // This knows no algorithm 'none'.
    let header = decode_header(token).map_err(|_| Refused::Malformed)?;
    if header.crit.is_some() {
        return Err(Refused::Malformed);
    }
    let mut refused = Refused::Algorithm;
    for key in keys.filter(|key| key.algorithm == header.alg) {
        if let (Some(own), Some(named)) = (&key.id, &header.kid)
            && own != named
        {
            if refused == Refused::Algorithm {
                refused = Refused::UnknownKey(shorten(named, 60));
            }
            continue;
        }
        match signed_by(token, key) {
            Ok(claims) => return check(&claims, settings, now),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn signed_by(token: &str, key: &VerifyKey) -> Result<Map<String, Value>, Refused> {
    // Only the signature: times and the rest are checked below, at a moment that is given.
    let mut only = Validation::new(key.algorithm);
    only.required_spec_claims.clear();
    only.validate_exp = false;
    only.validate_nbf = false;
    only.validate_aud = false;
    let verified = decode::<Map<String, Value>>(token, &key.key, &only);
    verified.map(|data| data.claims).map_err(|error| match error.kind() {
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => Refused::Algorithm,
        ErrorKind::InvalidSignature => Refused::Signature,
        _ => Refused::Malformed,
    })
}

fn check(claims: &Map<String, Value>, settings: &JwtSettings, now: Time) -> Result<Said, Refused> {
    let now = now.timestamp_millis() as f64 / 1000.0;
    let leeway = settings.leeway.min(Duration::from_secs(3600)).as_secs_f64();
    let expires = claims.get("exp").and_then(Value::as_f64).ok_or(Refused::NoExpiry)?;
    if now >= expires + leeway {
        return Err(Refused::Expired);
    }
    match claims.get("nbf").map(Value::as_f64) {
        None => {}
        Some(Some(begins)) if begins <= now + leeway => {}
        Some(Some(_)) => return Err(Refused::NotYet),
        Some(None) => return Err(Refused::Malformed),
    }
    if !settings.issuer.is_empty() && claims.get("iss").and_then(Value::as_str) != Some(&settings.issuer) {
        return Err(Refused::Issuer);
    }
    let for_us = match claims.get("aud") {
        // A token that names an audience is refused by whoever is not in it (RFC 7519, 4.1.3).
        None | Some(Value::Null) => settings.audience.is_empty(),
        Some(Value::String(one)) => !settings.audience.is_empty() && *one == settings.audience,
        Some(Value::Array(many)) => {
            !settings.audience.is_empty() && many.iter().any(|one| one.as_str() == Some(&settings.audience))
        }
        Some(_) => false,
    };
    if !for_us {
        return Err(Refused::Audience);
    }
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    let subject: String = subject.chars().filter(|c| !c.is_control()).collect();
    if subject.trim().is_empty() {
        return Err(Refused::NoSubject);
    }
    Ok(Said { subject: shorten(subject.trim(), MAX_NAME), role: role(claims, &settings.role_claim) })
}

/// The strongest of our roles in a claim. A claim of exactly that name goes before a path into objects.
fn role(claims: &Map<String, Value>, claim: &str) -> Option<Role> {
    let inside = || {
        let mut parts = claim.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.as_object()?.get(part))
    };
    match claims.get(claim).or_else(inside)? {
        Value::String(one) => Role::from_name(one),
        Value::Array(many) => many.iter().take(MAX_ROLES).filter_map(|one| Role::from_name(one.as_str()?)).max(),
        _ => None,
    }
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;

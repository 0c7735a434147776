//! Signatures as <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md> has them.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::DeliveryError;
use crate::domain::Secret;

/// What a key in base64 begins with.
const PREFIX: &str = "whsec_";

/// The value of `webhook-signature`: HMAC-SHA256 over id, timestamp and body.
pub(super) fn sign(secret: &Secret, id: &str, timestamp: i64, body: &[u8]) -> Result<String, DeliveryError> {
    let key = match secret.expose().strip_prefix(PREFIX) {
        Some(encoded) => {
            let wrong = |_| DeliveryError::new("secret_ref: what follows whsec_ is not base64");
            STANDARD.decode(encoded).map_err(wrong)?
        }
        None => secret.expose().as_bytes().to_vec(),
    };
    if key.is_empty() {
        return Err(DeliveryError::new("secret_ref: the secret is empty"));
    }
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
    context.update(format!("{id}.{timestamp}.").as_bytes());
    context.update(body);
    Ok(format!("v1,{}", STANDARD.encode(context.sign())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specification_s_example_is_signed_as_it_says() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let signature = sign(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn other_keys_are_taken_as_they_are() {
        assert_eq!(sign(&Secret::new("hunter2"), "a", 1, b"x").unwrap().len(), 47);
        for bad in ["whsec_?", "whsec_", ""] {
            let error = sign(&Secret::new(bad), "a", 1, b"x").unwrap_err();
            assert!(error.message.starts_with("secret_ref: "), "{error}");
        }
    }
}

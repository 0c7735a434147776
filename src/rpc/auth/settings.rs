use std::path::PathBuf;
use std::time::Duration;

use crate::domain::{CertificateRule, SecretRef};

/// How callers prove who they are. With none of the ways configured, everybody who reaches the service may do
/// everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthSettings {
    /// Signed tokens of others. Default: none.
    pub jwt: Option<JwtSettings>,
    /// Whether API tokens are accepted. Default: no.
    pub tokens: bool,
    /// What client certificates mean. Default: none.
    pub certificates: Vec<CertificateRule>,
    /// Whether health answers without a credential. Default: yes.
    pub open_health: bool,
    /// Whether reflection answers without a credential. Default: no.
    pub open_reflection: bool,
    /// The failed attempts a second that each address may make in the long run, ten times as many at once; beyond, only
    /// credentials that were accepted before are looked at. 0 means no limit. Default: 10.
    pub failures_per_second: u32,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            jwt: None,
            tokens: false,
            certificates: Vec::new(),
            open_health: true,
            open_reflection: false,
            failures_per_second: 10,
        }
    }
}

impl AuthSettings {
    /// Whether callers have to prove who they are.
    pub fn is_on(&self) -> bool {
        self.jwt.is_some() || self.tokens || !self.certificates.is_empty()
    }
}

/// Which JSON Web Tokens are accepted, and what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtSettings {
    /// Where the secret of HS256 is kept; 32 bytes at least.
    pub secret_ref: Option<SecretRef>,
    /// A PEM file with a public key: RSA for RS256, P-256 for ES256, Ed25519 for EdDSA.
    pub public_key_file: Option<PathBuf>,
    /// A file with a JSON Web Key Set.
    pub jwks_file: Option<PathBuf>,
    /// A URL of a JSON Web Key Set, https, or http on this machine.
    pub jwks_url: Option<String>,
    /// The issuer that a token must name; empty accepts any.
    pub issuer: String,
    /// The audience that a token must name; empty accepts only tokens that name none.
    pub audience: String,
    /// The claim with the role or a list of roles; dots lead into objects. Default: role.
    pub role_claim: String,
    /// How wrong the clocks may be. Default: 30 s.
    pub leeway: Duration,
    /// The least time between two fetches of the URL. Default: 30 s.
    pub fetch_every: Duration,
}

impl Default for JwtSettings {
    fn default() -> Self {
        Self {
            secret_ref: None,
            public_key_file: None,
            jwks_file: None,
            jwks_url: None,
            issuer: String::new(),
            audience: String::new(),
            role_claim: "role".into(),
            leeway: Duration::from_secs(30),
            fetch_every: Duration::from_secs(30),
        }
    }
}

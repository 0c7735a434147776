use std::path::PathBuf;
use std::time::Duration;

use crate::domain::{CertificateRule, SecretRef};

/// How callers prove who they are. With no way configured, everybody who reaches the service may do everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// JSON Web Tokens.
    pub jwt: Jwt,
    /// Whether API tokens are accepted, which `branchkeeper token create` makes. Default: no.
    pub tokens: bool,
    /// Which role a client certificate means, by a name in it. Default: none.
    pub certificates: Vec<CertificateRule>,
    /// Whether health answers without a credential. Default: yes.
    pub open_health: bool,
    /// Whether reflection answers without a credential. Default: no.
    pub open_reflection: bool,
    /// The failed attempts a second of each address, ten times as many at once; 0 means no limit. Default: 10.
    pub failures_per_second: u32,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            jwt: Jwt::default(),
            tokens: false,
            certificates: Vec::new(),
            open_health: true,
            open_reflection: false,
            failures_per_second: 10,
        }
    }
}

impl Auth {
    /// Whether callers have to prove who they are.
    pub fn is_on(&self) -> bool {
        self.jwt.has_keys() || self.tokens || !self.certificates.is_empty()
    }
}

/// JSON Web Tokens: the keys they are verified with, and what they have to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// Where the secret of HS256 is kept. Default: none.
    pub secret_ref: Option<SecretRef>,
    /// A PEM file with a public key. Default: none.
    pub public_key_file: PathBuf,
    /// A file with a JSON Web Key Set. Default: none.
    pub jwks_file: PathBuf,
    /// A URL of a JSON Web Key Set. Default: none.
    pub jwks_url: String,
    /// The issuer that tokens must name. Default: any.
    pub issuer: String,
    /// The audience that tokens must name. Default: none, and tokens that name one are refused.
    pub audience: String,
    /// The claim with the role. Default: `role`.
    pub role_claim: String,
    /// How wrong the clocks may be. Default: 30 s.
    pub leeway: Duration,
}

impl Default for Jwt {
    fn default() -> Self {
        Self {
            secret_ref: None,
            public_key_file: PathBuf::new(),
            jwks_file: PathBuf::new(),
            jwks_url: String::new(),
            issuer: String::new(),
            audience: String::new(),
            role_claim: "role".into(),
            leeway: Duration::from_secs(30),
        }
    }
}

impl Jwt {
    /// Whether there is anything to verify tokens with.
    pub fn has_keys(&self) -> bool {
        let files = [&self.public_key_file, &self.jwks_file];
        self.secret_ref.is_some()
            || !self.jwks_url.is_empty()
            || files.into_iter().any(|file| !file.as_os_str().is_empty())
    }
}

/// TLS for `server.listen`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// A PEM file with the server's certificate and the authorities between it and the root. Default: none, no TLS.
    pub cert_file: PathBuf,
    /// A PEM file with its private key. Default: none.
    pub key_file: PathBuf,
    /// A PEM file with the authorities of client certificates. Default: none, and clients are asked for none.
    pub client_ca_file: PathBuf,
    /// Whether clients need a certificate when there is a `client_ca_file`. Default: required.
    pub client_auth: ClientAuth,
}

impl Tls {
    /// Whether there is TLS.
    pub fn is_on(&self) -> bool {
        !self.cert_file.as_os_str().is_empty()
    }
}

/// Whether clients need a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// One without is turned away.
    #[default]
    Required,
    /// One without may come in, and prove who it is by a token.
    Optional,
}

/// Passwords of branches that are stored, encrypted, in head office.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secrets {
    /// Where the key is kept that they are encrypted with. Default: none, and no password is stored.
    pub key_ref: Option<SecretRef>,
    /// Where earlier keys are kept, for reading what was encrypted with them. Default: none.
    pub old_key_refs: Vec<SecretRef>,
}

impl Auth {
    /// What does not go together, each with the key to correct.
    pub(super) fn problems(&self, tls: &Tls) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let mut problem = |key, text: &str| found.push((key, text.to_owned()));
        let given = |path: &PathBuf| !path.as_os_str().is_empty();
        if given(&tls.cert_file) != given(&tls.key_file) {
            problem("tls.cert_file", "goes together with tls.key_file; set both or neither");
        }
        if given(&tls.client_ca_file) && !tls.is_on() {
            problem("tls.client_ca_file", "needs TLS; set tls.cert_file and tls.key_file");
        }
        if !self.certificates.is_empty() && !given(&tls.client_ca_file) {
            problem("auth.certificates", "needs tls.client_ca_file, which certificates are verified with");
        }
        if !self.jwt.has_keys() && self.jwt != Jwt::default() {
            let text = "tokens cannot be verified without a key; set auth.jwt.secret_ref, public_key_file, jwks_file or \
                        jwks_url";
            problem("auth.jwt", text);
        }
        found
    }
}

/// Reads the URL of a key set.
pub(super) fn key_set_url(text: &str) -> Result<String, String> {
    let local = ["http://127.0.0.1", "http://[::1]", "http://localhost"]
        .iter()
        .any(|start| text.strip_prefix(start).is_some_and(|rest| rest.starts_with([':', '/']) || rest.is_empty()));
    let whole = !text.contains(|c: char| !c.is_ascii_graphic() || c == '@') && text.len() <= 2_000;
    if text.is_empty() || (whole && (local || text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty()))) {
        return Ok(text.to_owned());
    }
    Err("has to be an https:// URL without an account in it; http:// is for this machine alone".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_sets_come_over_https_or_from_this_machine() {
        for good in ["", "https://idp.example/keys", "http://127.0.0.1:8080/k", "http://localhost/k", "http://[::1]:1/"]
        {
            assert!(key_set_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://idp.example/keys",
            "http://127.0.0.1.evil.example/k",
            "http://localhost.evil.example",
            "https://",
            "https://u:hunter2@idp.example",
            "file:///etc/passwd",
        ] {
            assert!(!key_set_url(bad).unwrap_err().contains("hunter2"), "{bad}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_found() {
        let tls = Tls { cert_file: "c".into(), ..Tls::default() };
        let keys = |auth: &Auth, tls: &Tls| auth.problems(tls).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
        assert_eq!(keys(&Auth::default(), &tls), ["tls.cert_file"]);
        let jwt = Jwt { issuer: "x".into(), ..Jwt::default() };
        let rules = vec!["cn:a = HeadOfficeAdmin".parse().unwrap()];
        let auth = Auth { jwt, certificates: rules, ..Auth::default() };
        assert_eq!(keys(&auth, &Tls::default()), ["auth.certificates", "auth.jwt"]);
        assert_eq!(
            keys(&Auth::default(), &Tls { client_ca_file: "a".into(), ..Tls::default() }),
            ["tls.client_ca_file"]
        );
    }
}

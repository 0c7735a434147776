use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use http::{HeaderValue, Uri};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::semantics::{DEADLINE, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, PORT, READY_CHECK, RUN_DEADLINE, VERSION};

/// How to speak with the service.
#[derive(Clone)]
pub struct Options {
    ca_file: Option<PathBuf>,
    certificate: Option<(PathBuf, PathBuf)>,
    token: Option<Secret>,
    allow_insecure_token: bool,
    pub(crate) deadline: Duration,
    pub(crate) run_deadline: Duration,
    keepalive: Duration,
}

#[derive(Clone)]
enum Secret {
    Text(String),
    File(PathBuf),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ca_file: None,
            certificate: None,
            token: None,
            allow_insecure_token: false,
            deadline: DEADLINE,
            run_deadline: RUN_DEADLINE,
            keepalive: KEEPALIVE_INTERVAL,
        }
    }
}

impl Options {
    /// Trusts the authorities of a PEM file. Default: the system's.
    pub fn ca_file(self, file: impl Into<PathBuf>) -> Self {
        Self { ca_file: Some(file.into()), ..self }
    }

    /// Shows a certificate of the client's own, from PEM files. Default: none.
    pub fn certificate(self, cert_file: impl Into<PathBuf>, key_file: impl Into<PathBuf>) -> Self {
        Self { certificate: Some((cert_file.into(), key_file.into())), ..self }
    }

    /// Sends a token with every call. Default: none.
    pub fn token(self, token: impl Into<String>) -> Self {
        Self { token: Some(Secret::Text(token.into())), ..self }
    }

    /// Sends the token of a file with every call; it is read again when it has changed. Default: none.
    pub fn token_file(self, file: impl Into<PathBuf>) -> Self {
        Self { token: Some(Secret::File(file.into())), ..self }
    }

    /// Sends the token to other machines without TLS. Default: refuse.
    pub fn allow_insecure_token(self) -> Self {
        Self { allow_insecure_token: true, ..self }
    }

    /// Limits a call, its retries included. Default: 60 s.
    pub fn deadline(self, limit: Duration) -> Self {
        Self { deadline: limit, ..self }
    }

    /// Limits a call that answers when a run is over. Default: 30 min.
    pub fn run_deadline(self, limit: Duration) -> Self {
        Self { run_deadline: limit, ..self }
    }

    /// The silence after which a connection in use is asked for a sign of life; zero for never. Default: 30 s.
    pub fn keepalive(self, interval: Duration) -> Self {
        Self { keepalive: interval, ..self }
    }

    /// The endpoint and the token for a target. Nothing that was given is repeated: it may be secret.
    pub(crate) fn endpoint(&self, target: &str) -> Result<(Endpoint, Token), ConnectError> {
        let uri = read_target(target)?;
        let tls = uri.scheme_str() == Some("https");
        let refuse = |what| Err(ConnectError::Options(what));
        if !tls && (self.ca_file.is_some() || self.certificate.is_some()) {
            return refuse("certificates need TLS; begin the target with https://");
        }
        if self.token.is_some() && !tls && !self.allow_insecure_token && !is_this_machine(uri.host().unwrap_or("")) {
            return refuse(
                "a token would be sent in the clear; use https://, or allow_insecure_token if the network is safe",
            );
        }
        let mut endpoint = Endpoint::from(uri).connect_timeout(READY_CHECK);
        endpoint = endpoint.user_agent(format!("branchkeeper-rust/{VERSION}"))?;
        if !self.keepalive.is_zero() {
            endpoint = endpoint.http2_keep_alive_interval(self.keepalive).keep_alive_timeout(KEEPALIVE_TIMEOUT);
        }
        if tls {
            let read = |file: &Path| fs::read(file).map_err(|error| ConnectError::File(file.to_owned(), error));
            let mut config = ClientTlsConfig::new();
            config = match &self.ca_file {
                Some(file) => config.ca_certificate(Certificate::from_pem(read(file)?)),
                None => config.with_native_roots(),
            };
            if let Some((cert, key)) = &self.certificate {
                config = config.identity(Identity::from_pem(read(cert)?, read(key)?));
            }
            endpoint = endpoint.tls_config(config)?;
        }
        let token = match &self.token {
            None => Token::None,
            Some(Secret::Text(text)) => Token::Fixed(header(text)?),
            Some(Secret::File(file)) => Token::File { file: file.clone(), seen: Mutex::new(None) },
        };
        Ok((endpoint, token))
    }
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The options do not go together.
    #[error("{0}")]
    Options(&'static str),
    /// A certificate or key cannot be read.
    #[error("cannot read {0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// A certificate or key cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] tonic::transport::Error),
}

fn read_target(target: &str) -> Result<Uri, ConnectError> {
    let wrong = || ConnectError::Options("the target is not an address; write it like https://keeper.example:50051");
    let text = if target.contains("://") { target.to_owned() } else { format!("http://{target}") };
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https")).ok_or_else(wrong)?;
    let authority = uri.authority().ok_or_else(wrong)?;
    let host = authority.host();
    let rest = authority.as_str().strip_prefix(host).ok_or_else(wrong)?;
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => PORT,
        Some(port) => port.parse().map_err(|_| wrong())?,
        None => return Err(wrong()),
    };
    if host.is_empty() || uri.path() != "/" || uri.query().is_some() {
        return Err(wrong());
    }
    format!("{scheme}://{host}:{port}").parse().map_err(|_| wrong())
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn header(token: &str) -> Result<HeaderValue, ConnectError> {
    let wrong = |_| ConnectError::Options("the token has characters that cannot be sent");
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.trim())).map_err(wrong)?;
    value.set_sensitive(true);
    Ok(value)
}

/// What every call carries.
pub(crate) enum Token {
    None,
    Fixed(HeaderValue),
    File { file: PathBuf, seen: Mutex<Option<(SystemTime, u64, HeaderValue)>> },
}

impl Token {
    /// The header of the next call. The file is read again when its time or size has changed.
    pub(crate) fn current(&self) -> Result<Option<HeaderValue>, ConnectError> {
        let (file, seen) = match self {
            Self::None => return Ok(None),
            Self::Fixed(value) => return Ok(Some(value.clone())),
            Self::File { file, seen } => (file, seen),
        };
        let failed = |error| ConnectError::File(file.clone(), error);
        let found = fs::metadata(file).map_err(failed)?;
        let stamp = (found.modified().map_err(failed)?, found.len());
        let mut seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &*seen {
            Some((modified, size, value)) if (*modified, *size) == stamp => Ok(Some(value.clone())),
            _ => {
                let value = header(&fs::read_to_string(file).map_err(failed)?)?;
                *seen = Some((stamp.0, stamp.1, value.clone()));
                Ok(Some(value))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails may say so like this")]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let cases = [
            ("keeper", "http://keeper:50051/"),
            ("keeper:7", "http://keeper:7/"),
            ("http://keeper:7/", "http://keeper:7/"),
            ("https://keeper", "https://keeper:50051/"),
            ("[::1]:7", "http://[::1]:7/"),
        ];
        for (target, expected) in cases {
            assert_eq!(read_target(target).unwrap().to_string(), expected);
        }
        for wrong in ["", "ftp://keeper", "http://u:hunter2@keeper", "http://keeper/x", "keeper:x", "keeper:99999"] {
            let refused = read_target(wrong).unwrap_err().to_string();
            assert!(refused.contains("not an address") && !refused.contains("hunter2"), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_not_sent_in_the_clear() {
        let options = Options::default().token("secret");
        for target in ["localhost", "127.0.0.1:7", "[::1]:7", "https://keeper"] {
            assert!(options.endpoint(target).is_ok(), "{target}");
        }
        assert!(options.endpoint("keeper").is_err());
        assert!(options.allow_insecure_token().endpoint("keeper").is_ok());
    }

    #[test]
    fn a_token_file_is_read_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let token = Token::File { file: file.clone(), seen: Mutex::new(None) };
        for text in ["first\n", "second one\n"] {
            fs::write(&file, text).unwrap();
            assert_eq!(token.current().unwrap().unwrap(), format!("Bearer {}", text.trim()));
        }
    }
}

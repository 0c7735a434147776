//! What the command line shows to the service to be let in.

use std::path::{Path, PathBuf};

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};
use tonic::{Request, Status};

use super::failure::Failure;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// How to be let in, and whom to trust.
#[derive(Clone, Default, clap::Args)]
pub(crate) struct Credential {
    /// The token to show: an API token or a JSON Web Token
    ///
    /// Other users of this machine can see the arguments of its processes: the variable or --token-file is better.
    #[arg(long, global = true, value_name = "TOKEN", env = "BRANCHKEEPER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file with the token
    #[arg(long, global = true, value_name = "FILE", env = "BRANCHKEEPER_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// A PEM file with the authority that signed the service's certificate; without it, the well-known ones
    #[arg(long, global = true, value_name = "FILE", env = "BRANCHKEEPER_TLS_CA")]
    tls_ca: Option<PathBuf>,
    /// A PEM file with a client certificate
    #[arg(long, global = true, value_name = "FILE", env = "BRANCHKEEPER_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// A PEM file with its private key
    #[arg(long, global = true, value_name = "FILE", env = "BRANCHKEEPER_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl Credential {
    /// The token as a header; `None` when there is none. The one that was named on the command line goes first.
    pub(crate) fn bearer(&self) -> Result<Option<MetadataValue<Ascii>>, Failure> {
        let text = match (&self.token, &self.token_file) {
            (Some(token), _) if !token.trim().is_empty() => token.clone(),
            (_, Some(file)) => String::from_utf8(read(file)?).unwrap_or_default(),
            _ => return Ok(None),
        };
        let value = format!("Bearer {}", text.trim()).parse::<MetadataValue<Ascii>>();
        let usable = value.ok().filter(|_| !text.trim().is_empty() && !text.trim().contains(char::is_whitespace));
        let mut value = usable.ok_or_else(|| {
            Failure::usage("what is given as token is not a token", "copy it again, without quotes and spaces")
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// What to do TLS with.
    pub(crate) fn tls(&self) -> Result<ClientTlsConfig, Failure> {
        let mut tls = ClientTlsConfig::new();
        tls = match &self.tls_ca {
            Some(file) => tls.ca_certificate(Certificate::from_pem(read(file)?)),
            None => tls.with_webpki_roots(),
        };
        if let (Some(cert), Some(key)) = (&self.tls_cert, &self.tls_key) {
            tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
        }
        Ok(tls)
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credential")
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let bad = |error: std::io::Error| {
        Failure::usage(format!("{} cannot be read: {error}", file.display()), "check the path and its permissions")
    };
    let mut bytes = Vec::new();
    std::fs::File::open(file).map_err(bad)?.take(MAX_FILE).read_to_end(&mut bytes).map_err(bad)?;
    Ok(bytes)
}

/// Puts the token into every request.
#[derive(Clone)]
pub(crate) struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    /// For this token, or for none.
    pub(crate) fn new(token: Option<MetadataValue<Ascii>>) -> Self {
        Self(token)
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bearer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_from_the_line_or_a_file_and_does_not_print() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "bk_hunter2\n").unwrap();
        let from_file = Credential { token_file: Some(file.clone()), ..Credential::default() };
        assert_eq!(from_file.bearer().unwrap().unwrap(), "Bearer bk_hunter2");
        let both = Credential { token: Some("x".into()), ..from_file.clone() };
        assert_eq!(both.bearer().unwrap().unwrap(), "Bearer x");
        assert!(Credential::default().bearer().unwrap().is_none());
        assert!(!format!("{from_file:?} {:?}", from_file.bearer().unwrap()).contains("hunter2"));
        for bad in ["", "hunter2 x", "hunter2\u{1}"] {
            std::fs::write(&file, bad).unwrap();
            assert!(!from_file.bearer().unwrap_err().report().contains("hunter2"), "{bad}");
        }
    }
}

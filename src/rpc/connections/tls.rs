//! TLS with certificates that are read again when their files change.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::taken::Taken;
use crate::domain::CertificateName;
use crate::rpc::auth::names_of;
use crate::rpc::watched::Watched;

/// The server's side of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// A PEM file with the server's certificate, the authorities between it and the root after it.
    pub cert_file: PathBuf,
    /// A PEM file with its private key.
    pub key_file: PathBuf,
    /// A PEM file with the authorities that clients' certificates are signed by. Default: none, which asks for none.
    pub client_ca_file: Option<PathBuf>,
    /// Whether a client without a certificate is turned away. Default: yes, where there is a `client_ca_file`.
    pub client_required: bool,
}

/// TLS as its files say it now.
pub(super) struct Tls(Watched<ServerConfig>);

impl Tls {
    pub(super) fn open(settings: &TlsSettings) -> Result<Self, String> {
        let mut files = vec![settings.cert_file.clone(), settings.key_file.clone()];
        files.extend(settings.client_ca_file.clone());
        let required = settings.client_required;
        let read = move |contents: &[Vec<u8>]| match contents {
            [cert, key, rest @ ..] => config(cert, key, rest.first().map(Vec::as_slice), required),
            _ => Err("tls.cert_file and tls.key_file go together".into()),
        };
        Watched::open("the TLS certificate", files, read).map(Self)
    }

    /// Shakes hands.
    pub(super) async fn accept(&self, stream: Taken<TcpStream>) -> std::io::Result<TlsStream<Taken<TcpStream>>> {
        TlsAcceptor::from(self.0.current()).accept(stream).await
    }
}

/// The names in the certificate that the client has shown.
pub(super) fn client_names<S>(stream: &TlsStream<S>) -> Arc<[CertificateName]> {
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().and_then(|chain| chain.first());
    shown.map(|certificate| names_of(certificate).into()).unwrap_or_default()
}

fn config(cert: &[u8], key: &[u8], ca: Option<&[u8]>, required: bool) -> Result<ServerConfig, String> {
    let chain = certificates("tls.cert_file", cert)?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| "tls.key_file has no private key in PEM form that is not encrypted".to_owned())?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    // The versions that the library takes for safe: 1.2 and 1.3.
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let builder = match ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates("tls.client_ca_file", ca)? {
                roots.add(certificate).map_err(|error| format!("tls.client_ca_file: {error}"))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if required { verifier } else { verifier.allow_unauthenticated() };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| format!("tls.client_ca_file: {error}"))?)
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("tls.cert_file and tls.key_file do not go together: {error}"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A session that is resumed would keep the certificate that its client has shown once, whatever is trusted now.
    config.session_storage = Arc::new(tokio_rustls::rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn certificates(key: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!("{key} has no certificate in PEM form")),
        Err(error) => Err(format!("{key} is not a PEM file of certificates: {error}")),
    }
}

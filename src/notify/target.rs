use std::path::PathBuf;
use std::time::Duration;

use super::body::Format;
use crate::domain::{Secret, SecretRef};

/// Somebody who is told of things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// How it is reached.
    pub channel: Channel,
    /// How long one delivery may take.
    pub timeout: Duration,
    /// The most messages in a minute; further ones are held back.
    pub max_per_minute: u32,
}

/// How a target is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// A POST request.
    Webhook(WebhookTarget),
    /// A mail.
    Mail(MailTarget),
}

/// A URL that takes POST requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookTarget {
    /// The URL, which may hold a secret.
    pub url: UrlSource,
    /// The key of the signature; `None` sends none.
    pub secret: Option<SecretRef>,
    /// What the body looks like.
    pub format: Format,
    /// Whether `http://` is accepted for other machines too.
    pub allow_plaintext: bool,
    /// Certificates in PEM form that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// Where a URL comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlSource {
    /// It stands in the configuration.
    Literal(Secret),
    /// It is fetched for each delivery.
    Reference(SecretRef),
}

/// A mail server and who gets the mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailTarget {
    /// The server's name.
    pub host: String,
    /// Its port; `None` is the usual one of `tls`.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub tls: MailTls,
    /// Who signs in; empty signs nobody in.
    pub username: String,
    /// The password of `username`.
    pub password: Option<SecretRef>,
    /// The sender.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// Certificates in PEM form that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MailTls {
    /// It begins in the clear and has to become TLS before anything is said. Port 587.
    #[default]
    StartTls,
    /// TLS from the beginning. Port 465.
    Tls,
    /// Not at all. Port 25.
    None,
}

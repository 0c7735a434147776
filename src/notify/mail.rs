use std::time::Duration;

use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::DeliveryError;
use super::secret::{self, resolve};
use super::target::{MailTarget, MailTls};
use crate::domain::Notification;

/// The longest subject, in characters.
const MAX_SUBJECT: usize = 150;

/// Sends one mail to everybody who gets it.
pub(super) async fn send(
    target: &MailTarget,
    id: &str,
    notification: &Notification,
    timeout: Duration,
) -> Result<(), DeliveryError> {
    let message = message(target, id, notification)?;
    let tls = match target.tls {
        MailTls::StartTls => Tls::Required(parameters(target).await?),
        MailTls::Tls => Tls::Wrapper(parameters(target).await?),
        MailTls::None => Tls::None,
    };
    let usual = match target.tls {
        MailTls::StartTls => 587,
        MailTls::Tls => 465,
        MailTls::None => 25,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&target.host)
        .port(target.port.unwrap_or(usual))
        .tls(tls)
        .timeout(Some(timeout));
    if let Some(reference) = &target.password {
        let password = resolve("password_ref", reference).await?;
        builder = builder.credentials(Credentials::new(target.username.clone(), password.expose().to_owned()));
    }
    builder.build().send(message).await.map(drop).map_err(|error| failed(&error))
}

fn message(target: &MailTarget, id: &str, notification: &Notification) -> Result<Message, DeliveryError> {
    let mailbox = |what: &str, text: &str| {
        text.parse::<Mailbox>().map_err(|_| DeliveryError::new(format!("{what}: is not a mail address")))
    };
    let subject = crate::domain::shorten(&format!("[Branchkeeper] {}", notification.summary), MAX_SUBJECT);
    let mut builder = Message::builder()
        // The same each time it is sent, so that mail programs show a repetition once.
        .message_id(Some(format!("<{id}@branchkeeper>")))
        .from(mailbox("from", &target.from)?)
        .subject(subject)
        .header(ContentType::TEXT_PLAIN);
    for to in &target.to {
        builder = builder.to(mailbox("to", to)?);
    }
    let text = format!("{}\n", notification.text());
    builder.body(text).map_err(|_| DeliveryError::new("the mail cannot be put together"))
}

async fn parameters(target: &MailTarget) -> Result<TlsParameters, DeliveryError> {
    let mut builder = TlsParameters::builder(target.host.clone());
    if let Some(path) = &target.ca_file {
        let pem = secret::read("ca_file", path).await?;
        let wrong = |_| DeliveryError::new("ca_file: holds no certificate in PEM form");
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(wrong)?);
    }
    builder.build_rustls().map_err(|_| DeliveryError::new("TLS cannot be set up; check ca_file"))
}

/// What the server or the connection said.
fn failed(error: &lettre::transport::smtp::Error) -> DeliveryError {
    if error.is_timeout() {
        return DeliveryError::new("no answer in time");
    }
    let what = match error.status() {
        Some(code) => format!("the mail server refused it with {code}"),
        None => "the mail server cannot be used".to_owned(),
    };
    match std::error::Error::source(error) {
        Some(source) => DeliveryError::new(format!("{what}: {source}")),
        None => DeliveryError::new(what),
    }
}

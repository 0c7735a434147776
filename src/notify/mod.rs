//! Delivering notifications: one message to one target, webhook or mail.
//!
//! A delivery has a deadline of its own, follows no redirect, and reads no more of an answer than it needs.

mod body;
mod mail;
mod secret;
mod signature;
mod target;
mod webhook;

pub use body::Format;
pub use target::{Channel, MailTarget, MailTls, Target, UrlSource, WebhookTarget};

use std::time::Duration;

use crate::domain::{Clock, Notification};

/// How much longer than its time limit a delivery may take: by then a channel has noticed the limit itself, and knows
/// whether the target had taken the message before.
const MARGIN: Duration = Duration::from_secs(1);

/// Why a message was not delivered. The text holds no secret and no part of an address that may be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DeliveryError {
    /// What happened.
    pub message: String,
    /// The target says when it wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl DeliveryError {
    fn new(message: impl AsRef<str>) -> Self {
        Self { message: crate::domain::shorten(message.as_ref(), 300), retry_after: None }
    }
}

/// Delivers one message, within the target's time limit.
///
/// `id` is the same each time the message is sent, so that the target can tell a repetition.
///
/// # Errors
/// [`DeliveryError`] when the target did not take it, or it is not known whether it did.
pub async fn deliver(
    target: &Target,
    id: &str,
    notification: &Notification,
    clock: &dyn Clock,
) -> Result<(), DeliveryError> {
    let work = async {
        match &target.channel {
            Channel::Webhook(webhook) => webhook::send(webhook, id, notification, clock.now(), target.timeout).await,
            Channel::Mail(mail) => mail::send(mail, id, notification, target.timeout).await,
        }
    };
    let late = || DeliveryError::new("no answer in time");
    tokio::time::timeout(target.timeout + MARGIN, work).await.unwrap_or_else(|_| Err(late()))
}

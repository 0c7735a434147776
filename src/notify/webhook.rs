use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, Url};

use super::DeliveryError;
use super::body::body;
use super::secret::{self, resolve};
use super::signature::sign;
use super::target::{UrlSource, WebhookTarget};
use crate::domain::{Notification, Time};

/// The most that is read of an answer, in bytes; it is read only so that the connection ends in order.
const MAX_ANSWER: usize = 16 * 1024;
/// The longest wait that a target may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// Sends one message, once.
pub(super) async fn send(
    target: &WebhookTarget,
    id: &str,
    notification: &Notification,
    now: Time,
    timeout: Duration,
) -> Result<(), DeliveryError> {
    let url = url(target).await?;
    let body = body(target.format, id, notification)?;
    let timestamp = now.timestamp();
    let client = client(target, timeout).await?;
    let mut request = client
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("branchkeeper/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp.to_string());
    if let Some(reference) = &target.secret {
        let secret = resolve("secret_ref", reference).await?;
        request = request.header("webhook-signature", sign(&secret, id, timestamp, &body)?);
    }
    let response = request.body(body).send().await.map_err(|error| failed(&error))?;
    let status = response.status();
    let retry_after = retry_after(&response);
    drain(response).await;
    if status.is_success() {
        return Ok(());
    }
    let what = match status.is_redirection() {
        true => format!("answered {status}; redirects are not followed, so configure the place itself"),
        false => format!("answered {status}"),
    };
    Err(DeliveryError { retry_after, ..DeliveryError::new(what) })
}

/// The URL, checked. It is not repeated in any error: chats' URLs are secrets.
async fn url(target: &WebhookTarget) -> Result<Url, DeliveryError> {
    let text = match &target.url {
        UrlSource::Literal(url) => url.clone(),
        UrlSource::Reference(reference) => resolve("url_ref", reference).await?,
    };
    let url = Url::parse(text.expose()).map_err(|_| DeliveryError::new("the URL (not shown) is not one"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_local = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_local || target.allow_plaintext => Ok(url),
        "http" => {
            Err(DeliveryError::new("http:// is refused for other machines; use https://, or set allow_plaintext"))
        }
        _ => Err(DeliveryError::new("the URL (not shown) has to begin with https://")),
    }
}

/// A client for one message: messages are rare, and a certificate that was changed counts at once.
async fn client(target: &WebhookTarget, timeout: Duration) -> Result<Client, DeliveryError> {
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .connect_timeout(timeout)
        .timeout(timeout);
    if let Some(path) = &target.ca_file {
        let pem = secret::read("ca_file", path).await?;
        let wrong = |_| DeliveryError::new("ca_file: holds no certificate in PEM form");
        builder = builder.tls_certs_merge(Certificate::from_pem_bundle(&pem).map_err(wrong)?);
    }
    builder.build().map_err(|error| failed(&error))
}

/// What is wrong, without the URL.
fn failed(error: &reqwest::Error) -> DeliveryError {
    if error.is_timeout() {
        return DeliveryError::new("no answer in time");
    }
    let what = if error.is_connect() { "cannot be reached" } else { "the request failed" };
    // The error's own text has the URL; those below do not.
    let below = std::iter::successors(std::error::Error::source(error), |error| error.source());
    match below.last() {
        None => DeliveryError::new(what),
        Some(innermost) => DeliveryError::new(format!("{what}: {innermost}")),
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

async fn drain(mut response: Response) {
    let mut read = 0;
    while read < MAX_ANSWER {
        match response.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) | Err(_) => return,
        }
    }
}

//! Which web pages may call the service through a browser.
//!
//! A browser on a machine that reaches the service runs the pages of strangers too, and a stranger's host name can be
//! made to mean this machine. What tells such a call from others is its `Origin`, which programs that are not browsers
//! do not send.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, Uri, header};
use tonic::Code;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tracing::info;

use super::reasons;
use super::status::Refusal;

/// The origins that may call.
#[derive(Debug, Clone)]
pub(super) struct Origins(Arc<[String]>);

impl Origins {
    /// Those of this machine, and `listed`.
    pub(super) fn new(listed: Vec<String>) -> Self {
        Self(listed.into_iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect())
    }

    fn allow(&self, origin: &HeaderValue) -> bool {
        let Ok(text) = origin.to_str() else { return false };
        self.0.iter().any(|listed| listed.eq_ignore_ascii_case(text)) || is_local(text)
    }

    /// Tells browsers that pages of these origins may call, and may read how a call ended.
    pub(super) fn cross_origin(&self) -> CorsLayer {
        let origins = self.clone();
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |origin, _| origins.allow(origin)))
            .allow_methods([Method::POST])
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers(
                ["grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-encoding"]
                    .map(HeaderName::from_static),
            )
            .max_age(Duration::from_secs(3600))
    }
}

/// Refuses calls from pages of other origins: not sending them CORS headers would only hide the answer from them, and
/// not even that once their host name means this machine.
pub(super) async fn refuse_strangers(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    match request.headers().get(header::ORIGIN) {
        Some(origin) if !origins.allow(origin) => {
            let origin = String::from_utf8_lossy(origin.as_bytes()).into_owned();
            info!(origin = %crate::domain::shorten(&origin, 100), "refused a web page's call");
            let what = "a web page of this origin may not call the service";
            let hint = "open the page from this machine, or add its origin to server.allowed_origins";
            let refusal = Refusal::new(Code::PermissionDenied, reasons::ORIGIN_REFUSED, what, hint);
            let mut response: Response = refusal.with("origin", origin).into_status().into_http();
            *response.status_mut() = http::StatusCode::FORBIDDEN;
            response
        }
        _ => next.run(request).await,
    }
}

fn is_local(origin: &str) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let Some(host) = uri.host() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    matches!(uri.scheme_str(), Some("http" | "https"))
        && (host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_and_listed_pages_may_call() {
        let origins = Origins::new(vec!["https://HQ.example/".into()]);
        let allow = |text: &str| origins.allow(&HeaderValue::from_str(text).unwrap());
        for good in ["http://localhost:5173", "http://127.0.0.1", "https://[::1]:8443", "https://hq.example"] {
            assert!(allow(good), "{good}");
        }
        for bad in [
            "null",
            "",
            "https://evil.example",
            "http://hq.example",
            "https://hq.example:8443",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "file://localhost",
            "http://10.0.0.1",
        ] {
            assert!(!allow(bad), "{bad}");
        }
    }
}

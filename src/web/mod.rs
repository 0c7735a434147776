//! Plain HTTP on the gRPC port: probes for load balancers and for people with a browser, and what the service measures.

mod exposition;
mod metrics;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::engine::Readiness;

pub use exposition::{Exposition, Family, Kind};
pub use metrics::{Others, metrics};

/// The routes `/healthz` (the process lives: 200 until it stops) and `/readyz` (it can work: 200, otherwise 503). Both
/// answer with a small JSON object.
pub fn router(readiness: watch::Receiver<Readiness>, shutdown: CancellationToken) -> Router {
    let state = Probes { readiness, shutdown };
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).with_state(state)
}

#[derive(Clone)]
struct Probes {
    readiness: watch::Receiver<Readiness>,
    shutdown: CancellationToken,
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    head_office: bool,
    catalogue: bool,
    draining: bool,
    detail: String,
}

async fn healthz() -> Response {
    json(StatusCode::OK, &Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

async fn readyz(State(probes): State<Probes>) -> Response {
    let now = probes.readiness.borrow().clone();
    let stopping = probes.shutdown.is_cancelled();
    let ready = now.ready() && !stopping;
    let body = Ready {
        ready,
        head_office: now.head_office,
        catalogue: now.catalogue,
        draining: now.draining || stopping,
        detail: now.detail,
    };
    json(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Values of these types always serialise.
    let text = serde_json::to_string(body).unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, text + "\n").into_response()
}

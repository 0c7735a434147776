//! What surrounds every call: its place among the others, its deadline, its span, and what it ends with.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use http::HeaderMap;
use tokio::sync::Semaphore;
use tonic::{Code, Status};
use tracing::{Instrument, Span, debug, error, info, info_span, warn};
use uuid::Uuid;

use crate::domain::shorten;
use crate::engine::{Caller, EngineError};

use super::auth::FailureAudit;
use super::connections::Peer;
use super::limits::{Kind, Seldom};
use super::messages::Held;
use super::status;
use super::tally::Tally;

/// Marks an answer that the log does not tell of: there may be any number of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quiet;

/// How many calls are answered at once.
#[derive(Debug)]
pub(super) struct Calls {
    slots: Arc<Semaphore>,
    limit: usize,
    told: Seldom,
    tally: Arc<Tally>,
}

impl Calls {
    /// At most `limit` short calls at once, each until its answer has been taken. Those that follow a run do not count.
    /// They are counted in `tally`.
    pub(super) fn new(limit: usize, tally: Arc<Tally>) -> Self {
        Self { slots: Arc::new(Semaphore::new(limit)), limit, told: Seldom::default(), tally }
    }
}

/// Answers one call, or refuses it at once when there are too many: a queue would only make all of them late.
pub(super) async fn surround(State(calls): State<Arc<Calls>>, request: Request, next: Next) -> Response {
    let method = shorten(request.uri().path().trim_start_matches("/branchkeeper.v1."), 100);
    let peer = request.extensions().get::<Peer>().map(ToString::to_string).unwrap_or_default();
    let span = info_span!("rpc", %method, peer, who = tracing::field::Empty);
    answer(&calls, request, next).instrument(span).await
}

async fn answer(calls: &Calls, request: Request, next: Next) -> Response {
    let begun = std::time::Instant::now();
    let path = request.uri().path().to_owned();
    let slot = match Arc::clone(&calls.slots).try_acquire_owned() {
        _ if Kind::of(&path) == Kind::Following => None,
        Ok(slot) => Some(slot),
        Err(_) => {
            if let Some(more) = calls.told.once(begun) {
                warn!(limit = calls.limit, more, "refused: too many calls at once");
            }
            let hint = "try again in a moment, or raise server.max_concurrent_requests";
            calls.tally.answered(&path, Code::ResourceExhausted, begun.elapsed());
            return status::overloaded("the service", "calls at work", calls.limit, hint).into_http();
        }
    };
    let deadline = deadline(request.headers());
    let work = AssertUnwindSafe(next.run(request)).catch_unwind();
    let outcome = match deadline {
        Some(span) => tokio::time::timeout(span, work).await,
        None => Ok(work.await),
    };
    let mut response: Response = match outcome {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => fault("a call's handler panicked").into_http(),
        Err(_elapsed) => status::deadline_exceeded().into_http(),
    };
    let code = complete(&path, response.headers_mut());
    if let Some(slot) = slot {
        Held::with(&mut response, slot);
    }
    let elapsed = begun.elapsed();
    calls.tally.answered(&path, code, elapsed);
    match code {
        _ if response.extensions().get::<Quiet>().is_some() => {}
        Code::Ok => debug!(?elapsed, "answered"),
        code => info!(?elapsed, ?code, "refused"),
    }
    response
}

/// Gives the statuses that the library made by itself a reason, as every status of this service has one.
fn complete(path: &str, headers: &mut HeaderMap) -> Code {
    let Some(found) = Status::from_header_map(headers) else { return Code::Ok };
    if found.code() == Code::Ok || !found.details().is_empty() {
        return found.code();
    }
    let full = match found.code() {
        Code::Unimplemented if found.message().is_empty() => status::unknown_method(path),
        _ => status::completed(&found),
    };
    // Failing to write it leaves the library's own status, which is an answer too.
    let _ = full.add_header(headers);
    full.code()
}

/// The longest wait that the client has asked for. A little is taken off, so that this answer, which can be told to
/// gRPC-Web clients too, comes before the library's own.
fn deadline(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    let span = match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    };
    Some(span.saturating_sub(Duration::from_millis(2)))
}

/// Who asks, as the guard has found out.
pub(super) fn caller<T>(request: &tonic::Request<T>) -> Caller {
    request.extensions().get::<Caller>().cloned().unwrap_or_else(|| Caller::named("anonymous"))
}

/// Runs `work` to its end even if the client goes away meanwhile: what changes something is never left half done.
pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, EngineError>> + Send + 'static,
) -> Result<T, Status> {
    let audit = FailureAudit::of_this_call();
    let work = async move {
        match work.await {
            Ok(value) => Ok(value),
            Err(error) => {
                let status = status::status_of(&error);
                audit.failed(&status).await;
                Err(status)
            }
        }
    };
    match tokio::spawn(work.instrument(Span::current())).await {
        Ok(done) => done,
        Err(_panic) => Err(fault("a call's work panicked")),
    }
}

fn fault(what: &'static str) -> Status {
    let id = Uuid::now_v7();
    error!(%id, "{what}");
    status::internal(id)
}

/// A response for a path that nobody serves: a gRPC status for a gRPC client, a plain 404 for anybody else.
pub(super) async fn unknown(request: Request) -> Response {
    let content_type = request.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match content_type {
        Some(kind) if kind.starts_with("application/grpc") => {
            let mut response: Response = status::unknown_method(request.uri().path()).into_http();
            if let Some(kind) = request.headers().get(http::header::CONTENT_TYPE) {
                response.headers_mut().insert(http::header::CONTENT_TYPE, kind.clone());
            }
            response
        }
        _ => {
            let text = "There is nothing here. This port speaks gRPC and gRPC-Web, and answers /healthz, /readyz and /metrics.\n";
            let mut response = Response::new(Body::from(text));
            *response.status_mut() = http::StatusCode::NOT_FOUND;
            let kind = http::HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_read_as_the_protocol_writes_them() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            deadline(&headers)
        };
        assert_eq!(read("5S"), Some(Duration::from_millis(4998)));
        assert_eq!(read("99999999H").map(|span| span.as_secs()), Some(99_999_999 * 3600 - 1));
        assert_eq!(read("1n"), Some(Duration::ZERO));
        for bad in ["", "S", "5", "5x", "123456789S", "-1S", "1.5S"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(deadline(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn a_panic_becomes_an_internal_error_with_an_id() {
        let panics = async {
            assert!(Uuid::nil().is_max(), "a handler's own words");
            Ok(())
        };
        let status = to_the_end::<()>(panics).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("own words"), "{}", status.message());
    }
}

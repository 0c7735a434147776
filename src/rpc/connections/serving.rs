//! What is served on connections, and when each of them ends.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::debug;

use super::acceptor::Acceptor;
use super::connection::{Connection, Patience};
use super::crowd::Member;
use super::{Listeners, Peer};
use crate::rpc::limits::Kind;
use crate::rpc::messages::{Answer, Arriving, Held, Streams};
use crate::rpc::settings::ServerSettings;

/// The most of an answer that waits for its client to read on, in bytes.
const MOST_UNSENT: usize = 64 * 1024;
/// The least that HTTP/1 can do with, in bytes.
const LEAST_BUFFER: u32 = 8 * 1024;
/// How long a client that is told to go may take to hear it.
const GOODBYE: Duration = Duration::from_secs(1);

/// Serves `router` on `listeners` until `shutdown` is cancelled, and then until every connection has ended, which `kill`
/// hastens. A connection ends when its client says so, breaks the protocol, does not read, or gives no sign of life; and when
/// no call has been open on it for long, or its place is needed, by GOAWAY.
pub(in crate::rpc) async fn serve(
    listeners: Listeners,
    router: Router,
    settings: &ServerSettings,
    shutdown: &CancellationToken,
    kill: &CancellationToken,
) {
    let patience = Patience { silence: settings.silence_timeout, unread: settings.slow_reader_timeout };
    let mut acceptor = Acceptor::new(listeners, settings.max_connections, patience);
    let host = Arc::new(Host {
        builder: builder(settings),
        router,
        idle_timeout: settings.idle_timeout,
        request_timeout: settings.request_timeout,
        shutdown: shutdown.clone(),
        kill: kill.clone(),
    });
    let attended = TaskTracker::new();
    loop {
        let (connection, peer, member) = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            next = acceptor.next() => next,
        };
        attended.spawn(Arc::clone(&host).attend(connection, peer, member));
    }
    // Nobody else is taken in.
    drop(acceptor);
    attended.close();
    attended.wait().await;
}

fn builder(settings: &ServerSettings) -> Builder<Streams> {
    let mut builder = Builder::new(Streams::new(settings.slow_reader_timeout));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.silence_timeout)
        .max_buf_size(settings.max_header_list_bytes.max(LEAST_BUFFER) as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(settings.keepalive_interval)
        .keep_alive_timeout(settings.keepalive_timeout)
        .max_header_list_size(settings.max_header_list_bytes)
        .max_concurrent_streams(settings.max_streams_per_connection)
        .max_send_buf_size(MOST_UNSENT);
    builder
}

/// What all connections have in common.
struct Host {
    builder: Builder<Streams>,
    router: Router,
    idle_timeout: Duration,
    request_timeout: Duration,
    shutdown: CancellationToken,
    kill: CancellationToken,
}

impl Host {
    async fn attend(self: Arc<Self>, connection: Connection, peer: Peer, member: Member) {
        let service = {
            let (host, peer, member) = (Arc::clone(&self), peer.clone(), member.clone());
            service_fn(move |request| host.answer(request, peer.clone(), &member))
        };
        let mut serving = pin!(self.builder.serve_connection(TokioIo::new(connection), service));
        let stopping = tokio::select! {
            ended = serving.as_mut() => return ended_with(&peer, ended),
            () = self.kill.cancelled() => return,
            () = self.shutdown.cancelled() => true,
            () = member.told_to_leave(self.idle_timeout) => false,
        };
        serving.as_mut().graceful_shutdown();
        if !stopping && !member.may_say_goodbye() {
            return debug!(%peer, "an idle connection was cut");
        }
        loop {
            tokio::select! {
                ended = serving.as_mut() => return ended_with(&peer, ended),
                () = self.kill.cancelled() => return,
                // A call may have come before the client heard that it should go; that one is still answered.
                () = tokio::time::sleep(GOODBYE), if !stopping => if member.is_idle() {
                    return debug!(%peer, "an idle connection was closed");
                },
            }
        }
    }

    /// Answers one call.
    fn answer(
        &self,
        request: Request<Incoming>,
        peer: Peer,
        member: &Member,
    ) -> impl Future<Output = Result<http::Response<Answer>, Infallible>> + Send + use<> {
        let open = member.call();
        let router = self.router.clone();
        // A stream of questions may take its time; any other request is one message.
        let limit = (Kind::of(request.uri().path()) != Kind::Watching).then_some(self.request_timeout);
        let mut request = request.map(|body| Body::new(Arriving::new(body, limit)));
        request.extensions_mut().insert(peer);
        async move {
            let mut response = router.oneshot(request).await?;
            let held = Held::take(&mut response).and(open);
            Ok(response.map(|body| Answer::new(body, held)))
        }
    }
}

fn ended_with(peer: &Peer, ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        debug!(%peer, %error, cause, "a connection broke");
    }
}

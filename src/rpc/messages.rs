//! The bodies of requests and answers, and how long a client may take to send the one and to take the other.

use std::any::Any;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http::HeaderMap;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::Sleep;
use tracing::info;

use super::status;

/// The most of an answer that is handed over at once, in bytes. What is handed over waits in memory until it is read.
const PIECE: usize = 16 * 1024;

/// A request's body, which has to arrive in time.
pub(super) struct Arriving {
    body: Incoming,
    limit: Option<Duration>,
    late: Option<Pin<Box<Sleep>>>,
}

impl Arriving {
    /// `body`, which fails when it is not there whole within `limit`, counted from when it was first waited for.
    pub(super) fn new(body: Incoming, limit: Option<Duration>) -> Self {
        Self { body, limit, late: None }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let Some(limit) = self.limit else { return Poll::Pending };
        let late = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(late.as_mut().poll(context));
        Poll::Ready(Some(Err(status::incomplete(limit).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What is to be kept until the client has taken the answer, such as the call's place among the others.
#[derive(Clone, Default)]
pub(super) struct Held(Vec<Arc<dyn Any + Send + Sync>>);

impl Held {
    /// Keeps one thing more.
    pub(super) fn and(mut self, thing: impl Send + Sync + 'static) -> Self {
        self.0.push(Arc::new(thing));
        self
    }

    /// Keeps `thing` until the answer has been taken.
    pub(super) fn with(response: &mut Response, thing: impl Send + Sync + 'static) {
        let held = Self::take(response).and(thing);
        response.extensions_mut().insert(held);
    }

    /// Everything that is to be kept.
    pub(super) fn take(response: &mut Response) -> Self {
        response.extensions_mut().remove().unwrap_or_default()
    }
}

/// An answer's body. Everything that belongs to it is let go when its client does not take it.
pub(super) struct Answer(Arc<Delivery>);

/// How an answer fares, as the body and the task know it that delivers it.
#[derive(Default)]
struct Delivery(Mutex<Stage>);

#[derive(Default)]
enum Stage {
    /// There is none yet.
    #[default]
    None,
    Going(Box<Going>),
    /// Its client has not taken it. What is left to say is that.
    GivenUp {
        at: Instant,
        told: bool,
    },
}

struct Going {
    body: Body,
    /// What is left of the last piece.
    rest: Option<Bytes>,
    /// Since when the client has something to take; `None` while the service has nothing for it.
    unread_since: Option<Instant>,
    _held: Held,
}

tokio::task_local! {
    /// The delivery of the stream that this task serves.
    static DELIVERY: Arc<Delivery>;
}

impl Answer {
    pub(super) fn new(body: Body, held: Held) -> Self {
        // Over HTTP/1 there is no task of its own, and no other answer on the connection, which ends instead.
        let delivery = DELIVERY.try_with(Arc::clone).unwrap_or_default();
        let going = Going { body, rest: None, unread_since: Some(Instant::now()), _held: held };
        *delivery.stage() = Stage::Going(Box::new(going));
        Self(delivery)
    }
}

impl Going {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = match self.rest.take() {
            Some(rest) => Some(Ok(Frame::data(rest))),
            None => {
                self.unread_since = None;
                ready!(Pin::new(&mut self.body).poll_frame(context))
            }
        };
        self.unread_since = Some(Instant::now());
        let Some(Ok(mut frame)) = frame else { return Poll::Ready(frame) };
        if let Some(data) = frame.data_mut().filter(|data| data.len() > PIECE) {
            let piece = data.split_to(PIECE);
            self.rest = Some(std::mem::replace(data, piece));
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut *self.0.stage() {
            Stage::None => Poll::Ready(None),
            Stage::Going(going) => going.poll_frame(context),
            Stage::GivenUp { told, .. } if *told => Poll::Ready(None),
            Stage::GivenUp { told, .. } => {
                *told = true;
                let mut trailers = HeaderMap::new();
                // Failing to write it leaves an end without a status, which no client takes for a good one.
                let _ = status::slow_reader().add_header(&mut trailers);
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &*self.0.stage() {
            Stage::None => true,
            Stage::Going(going) => going.rest.is_none() && going.body.is_end_stream(),
            Stage::GivenUp { told, .. } => *told,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &*self.0.stage() {
            Stage::Going(going) if going.rest.is_none() => going.body.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // With everything that is held for it.
        *self.0.stage() = Stage::None;
    }
}

/// What is to be done about an answer.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Nothing before something happens.
    Wait,
    /// To look again then.
    LookAt(Instant),
    /// To let go of everything that belongs to it.
    GiveUp,
    /// To end its stream.
    Reset,
}

impl Delivery {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be done at `now` for a client that has `patience` to read on, and as long again to hear how it ended.
    fn next(&self, now: Instant, patience: Duration) -> Next {
        let (since, then) = match &*self.stage() {
            Stage::Going(going) => (going.unread_since, Next::GiveUp),
            Stage::GivenUp { at, .. } => (Some(*at), Next::Reset),
            Stage::None => return Next::Wait,
        };
        match since {
            None => Next::Wait,
            Some(since) if now >= since + patience => then,
            Some(since) => Next::LookAt(since + patience),
        }
    }

    fn give_up(&self, at: Instant) {
        *self.stage() = Stage::GivenUp { at, told: false };
    }
}

/// Runs the streams of HTTP/2 connections, each in a task that ends when its client does not take the answer.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    patience: Duration,
}

impl Streams {
    /// A client has `patience` to read on before its answer is given up; as long after that its stream is reset.
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience }
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let delivery = Arc::<Delivery>::default();
        let work = deliver(stream, Arc::clone(&delivery), self.patience);
        tokio::spawn(DELIVERY.scope(delivery, work));
    }
}

/// Runs `stream` to its end, or until its answer has not been taken for too long: dropping it resets it.
async fn deliver(stream: impl Future<Output = ()>, delivery: Arc<Delivery>, patience: Duration) {
    let mut stream = pin!(stream);
    let mut alarm: Option<(Instant, Pin<Box<Sleep>>)> = None;
    std::future::poll_fn(|context| {
        if stream.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        loop {
            let now = Instant::now();
            match delivery.next(now, patience) {
                Next::Wait => return Poll::Pending,
                Next::Reset => return Poll::Ready(()),
                Next::GiveUp => {
                    info!(?patience, "an answer was given up: its client does not take it");
                    delivery.give_up(now);
                }
                Next::LookAt(at) => {
                    let (_, sleep) = match &mut alarm {
                        // The one that was set goes off earlier, and then looks again: setting it anew each time costs more.
                        Some(set) if set.0 <= at => set,
                        _ => alarm.insert((at, Box::pin(tokio::time::sleep_until(at.into())))),
                    };
                    ready!(sleep.as_mut().poll(context));
                    alarm = None;
                }
            }
        }
    })
    .await;
}

//! The connections of the server: how many there are, how long they may stay silent, and that they can all be closed.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::{Connected, TcpConnectInfo};
use tracing::warn;

/// The bytes by which HTTP/1 and HTTP/2 are told apart; hardly any request is shorter.
const PREFACE: usize = 24;
/// The wait after the system refused to accept, for example because there are no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);
/// The least time between two warnings about the same trouble.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// Takes connections in.
pub(super) struct Acceptor {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    limit: usize,
    silence: Duration,
    kill: CancellationToken,
    warned: Option<Instant>,
}

impl Acceptor {
    /// At most `limit` connections at once; one more is closed at once, so that its client can go elsewhere. A client
    /// that does not begin to speak within `silence` is closed, and all are when `kill` is cancelled.
    pub(super) fn new(listener: TcpListener, limit: usize, silence: Duration, kill: CancellationToken) -> Self {
        Self { listener, slots: Arc::new(Semaphore::new(limit)), limit, silence, kill, warned: None }
    }

    /// The connections as they come; never ends and never fails.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Connection, Infallible>> {
        stream::unfold(self, async |mut acceptor| {
            let connection = acceptor.next().await;
            Some((Ok(connection), acceptor))
        })
    }

    async fn next(&mut self) -> Connection {
        loop {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    self.warn(&format!("a connection could not be accepted: {error}"));
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
                self.warn(&format!("{} connections are open, as many as may be; a further one was closed", self.limit));
                continue;
            };
            // Small answers would otherwise wait for the acknowledgement of the one before.
            if let Err(error) = stream.set_nodelay(true) {
                self.warn(&format!("a connection was lost as it was made: {error}"));
                continue;
            }
            return Connection {
                stream,
                killed: Box::pin(self.kill.clone().cancelled_owned()),
                silence: Some((PREFACE, Box::pin(tokio::time::sleep(self.silence)))),
                _slot: slot,
            };
        }
    }

    fn warn(&mut self, what: &str) {
        let now = Instant::now();
        if self.warned.is_none_or(|last| now.duration_since(last) >= WARN_EVERY) {
            self.warned = Some(now);
            warn!("{what}");
        }
    }
}

/// One client's connection.
pub(super) struct Connection {
    stream: TcpStream,
    killed: Pin<Box<WaitForCancellationFutureOwned>>,
    /// How many bytes the client still has to send, and until when.
    silence: Option<(usize, Pin<Box<Sleep>>)>,
    _slot: OwnedSemaphorePermit,
}

impl Connection {
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.killed.as_mut().poll(context).is_ready() {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the service has stopped"));
        }
        Ok(())
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let received = buffer.filled().len() - before;
        if let Some((missing, limit)) = &mut self.silence {
            *missing = missing.saturating_sub(received);
            if *missing == 0 {
                self.silence = None;
            } else if read.is_pending() && limit.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client did not begin to speak")));
            }
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::Sleep;

/// A connection of the system, on which writing fails when the client takes nothing for too long. It is below TLS, whose own
/// buffer would take for it.
pub(super) struct Taken<S> {
    stream: S,
    /// Until when the client has to take something, once it has stopped.
    blocked: Option<Pin<Box<Sleep>>>,
    patience: Duration,
}

/// What a system's connection can do when its client does not take what was sent.
pub(super) trait Forget {
    /// Lets the system forget what the client has not taken, instead of keeping it until it is; what cannot forget ends all the
    /// same.
    fn forget(&self);
}

impl Forget for TcpStream {
    fn forget(&self) {
        let _ = self.set_zero_linger();
    }
}

#[cfg(unix)]
impl Forget for UnixStream {
    fn forget(&self) {}
}

impl<S: Forget> Taken<S> {
    /// The client has `patience` to take something.
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, blocked: None, patience }
    }

    /// Passes on how writing went, unless the client has not taken anything for too long.
    fn written<T>(&mut self, outcome: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.blocked = None;
            return outcome;
        }
        let patience = self.patience;
        let limit = self.blocked.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        if limit.as_mut().poll(context).is_ready() {
            self.stream.forget();
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")));
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Taken<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Forget + Unpin> AsyncWrite for Taken<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(outcome, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(outcome, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // These wait for nothing: the system sends what it was given by itself.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

/// The bytes by which HTTP/1 and HTTP/2 are told apart; hardly any request is shorter.
const PREFACE: usize = 24;

/// How much is read at a stretch, in bytes. A client that sends without a pause would otherwise keep a thread from everybody
/// else: this much can be thousands of frames.
const STRETCH: usize = 64 * 1024;

/// What a connection's bytes travel over.
pub(super) enum Wire {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Calls a method of whatever the wire is.
macro_rules! over {
    ($wire:expr, $stream:ident => $call:expr) => {
        match $wire {
            Wire::Tcp($stream) => $call,
            Wire::Tls($stream) => $call,
            #[cfg(unix)]
            Wire::Unix($stream) => $call,
        }
    };
}

/// How long a client is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Until it has shaken hands, and again until it has begun to speak.
    pub(super) silence: Duration,
    /// Until it reads on.
    pub(super) unread: Duration,
}

/// One client's connection. Reading fails when it does not begin to speak, and writing when it does not read.
pub(super) struct Connection {
    wire: Wire,
    /// How many bytes the client still has to send, and until when.
    silence: Option<(usize, Pin<Box<Sleep>>)>,
    /// Until when the client has to read something, once it has stopped.
    blocked: Option<Pin<Box<Sleep>>>,
    unread: Duration,
    /// The bytes that were read at a stretch.
    stretch: usize,
}

impl Connection {
    pub(super) fn new(wire: Wire, patience: Patience) -> Self {
        let silence = Some((PREFACE, Box::pin(tokio::time::sleep(patience.silence))));
        Self { wire, silence, blocked: None, unread: patience.unread, stretch: 0 }
    }

    /// Passes on how writing went, unless the client has not read for too long.
    fn written<T>(&mut self, outcome: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.blocked = None;
            return outcome;
        }
        let unread = self.unread;
        let limit = self.blocked.get_or_insert_with(|| Box::pin(tokio::time::sleep(unread)));
        if limit.as_mut().poll(context).is_ready() {
            self.reset();
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")));
        }
        outcome
    }

    /// Lets the system forget what the client has not read, instead of keeping it until it is; what cannot be reset ends all
    /// the same.
    fn reset(&self) {
        let stream = match &self.wire {
            Wire::Tcp(stream) => stream,
            Wire::Tls(stream) => stream.get_ref().0,
            #[cfg(unix)]
            Wire::Unix(_) => return,
        };
        let _ = stream.set_zero_linger();
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.stretch >= STRETCH {
            // Others first; then on.
            self.stretch = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = over!(&mut self.wire, stream => Pin::new(stream).poll_read(context, buffer));
        let received = buffer.filled().len() - before;
        self.stretch = if read.is_ready() { self.stretch + received } else { 0 };
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
        let outcome = over!(&mut self.wire, stream => Pin::new(stream).poll_write(context, bytes));
        self.written(outcome, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = over!(&mut self.wire, stream => Pin::new(stream).poll_write_vectored(context, slices));
        self.written(outcome, context)
    }

    fn is_write_vectored(&self) -> bool {
        over!(&self.wire, stream => stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = over!(&mut self.wire, stream => Pin::new(stream).poll_flush(context));
        self.written(outcome, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = over!(&mut self.wire, stream => Pin::new(stream).poll_shutdown(context));
        self.written(outcome, context)
    }
}

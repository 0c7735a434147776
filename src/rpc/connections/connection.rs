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

use super::taken::Taken;

/// The bytes by which HTTP/1 and HTTP/2 are told apart; hardly any request is shorter.
const PREFACE: usize = 24;

/// How much is read at a stretch, in bytes. A client that sends without a pause would otherwise keep a thread from everybody
/// else: this much can be thousands of frames.
const STRETCH: usize = 64 * 1024;

/// What a connection's bytes travel over.
pub(super) enum Wire {
    Tcp(Taken<TcpStream>),
    Tls(Box<TlsStream<Taken<TcpStream>>>),
    #[cfg(unix)]
    Unix(Taken<UnixStream>),
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

/// One client's connection. Reading fails when it does not begin to speak.
pub(super) struct Connection {
    wire: Wire,
    /// How many bytes the client still has to send, and until when.
    silence: Option<(usize, Pin<Box<Sleep>>)>,
    /// The bytes that were read at a stretch.
    stretch: usize,
}

impl Connection {
    pub(super) fn new(wire: Wire, patience: Patience) -> Self {
        let silence = Some((PREFACE, Box::pin(tokio::time::sleep(patience.silence))));
        Self { wire, silence, stretch: 0 }
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
        over!(&mut self.wire, stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        over!(&mut self.wire, stream => Pin::new(stream).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        over!(&self.wire, stream => stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        over!(&mut self.wire, stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        over!(&mut self.wire, stream => Pin::new(stream).poll_shutdown(context))
    }
}

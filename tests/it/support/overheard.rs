use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::secrets::Seen;

/// How much of what comes is kept, in bytes: what a flood is answered with goes on as it began.
const MOST: usize = 4 * 1024 * 1024;

/// A connection to a service, below every protocol, whose answers are remembered when it is dropped.
pub(crate) struct Overheard<S> {
    stream: S,
    heard: Vec<u8>,
    seen: Seen,
}

impl<S> Overheard<S> {
    pub(crate) fn new(stream: S, seen: &Seen) -> Self {
        Self { stream, heard: Vec::new(), seen: seen.clone() }
    }

    /// The connection itself.
    pub(crate) fn get_ref(&self) -> &S {
        &self.stream
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MOST.saturating_sub(self.heard.len());
        self.heard.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl Overheard<tokio::net::TcpStream> {
    /// As [`tokio::net::TcpStream::try_read`].
    pub(crate) fn try_read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.stream.try_read(buffer)?;
        self.keep(&buffer[..count]);
        Ok(count)
    }
}

impl<S> Drop for Overheard<S> {
    fn drop(&mut self) {
        if !self.heard.is_empty() {
            self.seen.answer(&self.heard);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Overheard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.keep(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Overheard<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

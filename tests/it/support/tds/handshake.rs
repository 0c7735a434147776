//! TLS within the protocol: while hands are shaken, its bytes travel in packets.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::packet::{HEAD, PRELOGIN, packets};

/// Shakes hands. What comes afterwards goes over the connection as it is.
pub(super) async fn shake(acceptor: &TlsAcceptor, client: TcpStream) -> io::Result<TlsStream<Wrapped>> {
    let over = Arc::new(AtomicBool::new(false));
    let wrapped = Wrapped {
        inner: client,
        over: Arc::clone(&over),
        head: Vec::new(),
        left: 0,
        unsent: Vec::new(),
        kept: Vec::new(),
    };
    let stream = acceptor.accept(wrapped).await?;
    over.store(true, Ordering::SeqCst);
    Ok(stream)
}

/// A connection whose bytes are taken out of packets, and put into packets, until the handshake is over.
pub(super) struct Wrapped {
    pub(super) inner: TcpStream,
    over: Arc<AtomicBool>,
    /// What was read of a packet's head.
    head: Vec<u8>,
    /// How much of the packet was not read yet.
    left: usize,
    /// Packets that were not sent yet.
    unsent: Vec<u8>,
    /// What is to be put into the next packet.
    kept: Vec<u8>,
}

impl Wrapped {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}

impl AsyncRead for Wrapped {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_over() {
            return Pin::new(&mut this.inner).poll_read(context, into);
        }
        while this.left == 0 {
            let mut byte = [0];
            let mut one = ReadBuf::new(&mut byte);
            ready!(Pin::new(&mut this.inner).poll_read(context, &mut one))?;
            let Some(byte) = one.filled().first() else { return Poll::Ready(Ok(())) };
            this.head.push(*byte);
            if this.head.len() == HEAD {
                assert_eq!(this.head[0], PRELOGIN, "the handshake is part of the greeting");
                this.left = usize::from(u16::from_be_bytes([this.head[2], this.head[3]])) - HEAD;
                this.head.clear();
            }
        }
        let mut part = vec![0; this.left.min(into.remaining())];
        let mut part = ReadBuf::new(&mut part);
        ready!(Pin::new(&mut this.inner).poll_read(context, &mut part))?;
        this.left -= part.filled().len();
        into.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wrapped {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_over() {
            return Pin::new(&mut self.inner).poll_write(context, bytes);
        }
        self.kept.extend(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let kept = std::mem::take(&mut this.kept);
        this.unsent.extend(packets(PRELOGIN, &kept));
        while !this.unsent.is_empty() {
            let sent = ready!(Pin::new(&mut this.inner).poll_write(context, &this.unsent))?;
            this.unsent.drain(..sent);
        }
        Pin::new(&mut this.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

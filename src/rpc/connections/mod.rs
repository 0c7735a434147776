//! The connections of the server: over which ways they come, how many there are, how long they may stay silent, and that
//! they can all be closed.

mod connection;
mod peer;
mod tls;
#[cfg(unix)]
mod unix;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

pub(super) use connection::Connection;
use connection::Wire;
pub(super) use peer::Peer;
use tls::Tls;
pub use tls::TlsSettings;
#[cfg(unix)]
use unix::UnixSocket;

/// The bytes by which HTTP/1 and HTTP/2 are told apart; hardly any request is shorter.
const PREFACE: usize = 24;
/// The wait after the system refused to accept, for example because there are no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);
/// The least time between two warnings about the same trouble.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// What the service listens on.
pub struct Listeners {
    tcp: TcpListener,
    #[cfg(unix)]
    unix: Option<UnixSocket>,
    tls: Option<Arc<Tls>>,
}

impl Listeners {
    /// Puts the ways in together; reads the certificates.
    pub(super) fn new(tcp: TcpListener, tls: Option<&TlsSettings>, unix: Option<&Path>) -> Result<Self, String> {
        let tls = tls.map(Tls::open).transpose()?.map(Arc::new);
        #[cfg(unix)]
        let listeners = Self { tcp, unix: unix.map(UnixSocket::bind).transpose()?, tls };
        #[cfg(not(unix))]
        let listeners = match unix {
            None => Self { tcp, tls },
            Some(_) => return Err("server.unix_socket: this system has no Unix sockets".into()),
        };
        Ok(listeners)
    }

    /// The TCP address.
    ///
    /// # Errors
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    #[cfg(unix)]
    async fn accept(&self) -> io::Result<(Incoming, Peer)> {
        let Some(unix) = &self.unix else { return self.accept_tcp().await };
        tokio::select! {
            accepted = self.accept_tcp() => accepted,
            accepted = unix.accept() => {
                let (stream, user) = accepted?;
                Ok((Incoming::Ready(Wire::Unix(stream)), Peer { user: Some(user), ..Peer::default() }))
            }
        }
    }

    #[cfg(not(unix))]
    async fn accept(&self) -> io::Result<(Incoming, Peer)> {
        self.accept_tcp().await
    }

    async fn accept_tcp(&self) -> io::Result<(Incoming, Peer)> {
        let (stream, address) = self.tcp.accept().await?;
        // Small answers would otherwise wait for the acknowledgement of the one before. A connection that was lost as it was
        // made shows when it is read.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%address, %error, "a connection was lost as it was made");
        }
        let incoming = if self.tls.is_some() { Incoming::Bare(stream) } else { Incoming::Ready(Wire::Tcp(stream)) };
        Ok((incoming, Peer { address: Some(address.ip().to_canonical()), ..Peer::default() }))
    }
}

/// A connection that was accepted.
enum Incoming {
    Ready(Wire),
    /// One with which hands have to be shaken first.
    Bare(TcpStream),
}

/// Takes connections in.
pub(super) struct Acceptor {
    listeners: Listeners,
    /// Handshakes under way.
    shaking: JoinSet<Option<(Wire, Peer, OwnedSemaphorePermit)>>,
    slots: Arc<Semaphore>,
    limit: usize,
    silence: Duration,
    kill: CancellationToken,
    warned: Option<Instant>,
}

impl Acceptor {
    /// At most `limit` connections at once; one more is closed at once, so that its client can go elsewhere. A client
    /// that does not shake hands or does not begin to speak within `silence` is closed, and all are when `kill` is
    /// cancelled.
    pub(super) fn new(listeners: Listeners, limit: usize, silence: Duration, kill: CancellationToken) -> Self {
        let slots = Arc::new(Semaphore::new(limit));
        Self { listeners, shaking: JoinSet::new(), slots, limit, silence, kill, warned: None }
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
            let accepted = tokio::select! {
                accepted = self.listeners.accept() => accepted,
                Some(shaken) = self.shaking.join_next() => match shaken {
                    Ok(Some((wire, peer, slot))) => return self.connection(wire, peer, slot),
                    _ => continue,
                },
            };
            let (incoming, peer) = match accepted {
                Ok(accepted) => accepted,
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
            match incoming {
                Incoming::Ready(wire) => return self.connection(wire, peer, slot),
                Incoming::Bare(stream) => self.shake_hands(stream, peer, slot),
            }
        }
    }

    /// In a task of its own: a client that is slow at it keeps nobody else waiting.
    fn shake_hands(&mut self, stream: TcpStream, peer: Peer, slot: OwnedSemaphorePermit) {
        let Some(tls) = self.listeners.tls.clone() else { return };
        let limit = self.silence;
        self.shaking.spawn(async move {
            match tokio::time::timeout(limit, tls.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let peer = Peer { names: tls::client_names(&stream), ..peer };
                    return Some((Wire::Tls(Box::new(stream)), peer, slot));
                }
                Ok(Err(error)) => debug!(%peer, %error, "a TLS handshake failed"),
                Err(_) => debug!(%peer, "a TLS handshake took too long"),
            }
            None
        });
    }

    fn connection(&self, wire: Wire, peer: Peer, slot: OwnedSemaphorePermit) -> Connection {
        Connection {
            wire,
            peer,
            killed: Box::pin(self.kill.clone().cancelled_owned()),
            silence: Some((PREFACE, Box::pin(tokio::time::sleep(self.silence)))),
            _slot: slot,
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

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listeners").field("tcp", &self.tcp).field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

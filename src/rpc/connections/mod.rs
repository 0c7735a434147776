//! The connections of the server: over which ways they come, how many there are, what is served on them, how long they
//! may be silent, idle or not read, and that they can all be closed.

mod acceptor;
mod connection;
mod crowd;
mod peer;
mod serving;
mod taken;
mod tls;
#[cfg(unix)]
mod unix;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::net::{TcpListener, TcpStream};
use tracing::debug;

pub(super) use peer::Peer;
pub(super) use serving::serve;
use tls::Tls;
pub use tls::TlsSettings;
#[cfg(unix)]
use unix::UnixSocket;

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
                Ok((Incoming::Unix(stream), Peer { user: Some(user), ..Peer::default() }))
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
        Ok((Incoming::Tcp(stream), Peer { address: Some(address.ip().to_canonical()), ..Peer::default() }))
    }
}

/// A connection that was accepted.
enum Incoming {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listeners").field("tcp", &self.tcp).field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

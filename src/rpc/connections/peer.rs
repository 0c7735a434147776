use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::domain::CertificateName;

/// Who is at the other end of a connection, as far as the connection itself tells.
#[derive(Debug, Clone, Default)]
pub(in crate::rpc) struct Peer {
    pub(super) address: Option<IpAddr>,
    /// The user at the other end of the Unix socket.
    pub(super) user: Option<u32>,
    /// The names in the client's certificate.
    pub(super) names: Arc<[CertificateName]>,
}

impl Peer {
    /// One of whom only the address is known.
    #[cfg(test)]
    pub(in crate::rpc) fn at(address: IpAddr) -> Self {
        Self { address: Some(address), ..Self::default() }
    }

    /// The address at the other end; `None` for a Unix socket.
    pub(in crate::rpc) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The user at the other end of the Unix socket; `None` for other connections.
    pub(in crate::rpc) fn local_user(&self) -> Option<u32> {
        self.user
    }

    /// The names in the client's certificate, which is a genuine one; empty when it has shown none.
    pub(in crate::rpc) fn names(&self) -> &[CertificateName] {
        &self.names
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.user) {
            (Some(address), _) => fmt::Display::fmt(&address, f),
            (None, Some(_)) => f.write_str("unix"),
            (None, None) => f.write_str("anonymous"),
        }
    }
}

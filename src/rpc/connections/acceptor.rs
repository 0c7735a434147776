use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::connection::{Connection, Patience, Wire};
use super::crowd::{Crowd, Member};
use super::taken::Taken;
use super::tls::{self, Tls};
use super::{Incoming, Listeners, Peer};
use crate::rpc::limits::Seldom;

/// The wait after the system refused to accept, for example because there are no file descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes connections in.
pub(super) struct Acceptor {
    listeners: Listeners,
    /// Handshakes under way.
    shaking: JoinSet<Option<(Wire, Peer, Member)>>,
    crowd: Arc<Crowd>,
    limit: usize,
    patience: Patience,
    refused: Warning,
    full: Warning,
}

impl Acceptor {
    /// At most `limit` connections at once. One more takes the place of one that has nothing to do, or else is closed at
    /// once, so that its client can go elsewhere. A client that does not shake hands or does not begin to speak in time is
    /// closed.
    pub(super) fn new(listeners: Listeners, limit: usize, patience: Patience) -> Self {
        let (refused, full) = (Warning::default(), Warning::default());
        Self { listeners, shaking: JoinSet::new(), crowd: Crowd::new(limit), limit, patience, refused, full }
    }

    /// The next connection; never fails.
    pub(super) async fn next(&mut self) -> (Connection, Peer, Member) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listeners.accept() => accepted,
                Some(shaken) = self.shaking.join_next() => match shaken {
                    Ok(Some((wire, peer, member))) => return (Connection::new(wire, self.patience), peer, member),
                    _ => continue,
                },
            };
            let (incoming, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.refused.tell(&format!(
                        "a connection could not be accepted: {error}; connections wait until there is room{}",
                        if is_out_of_files(&error) { " for their files (ulimit -n)" } else { "" }
                    ));
                    // Those that are served stay: what uses the files up may be something else.
                    self.crowd.dismiss_stranger().await;
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let Some(member) = self.crowd.enter().await else {
                let limit = self.limit;
                self.full.tell(&format!(
                    "{limit} connections are open and at work, as many as may be; a further one was closed"
                ));
                continue;
            };
            let unread = self.patience.unread;
            let wire = match incoming {
                Incoming::Tcp(stream) => match self.listeners.tls.clone() {
                    Some(tls) => {
                        self.shake_hands(tls, Taken::new(stream, unread), peer, member);
                        continue;
                    }
                    None => Wire::Tcp(Taken::new(stream, unread)),
                },
                #[cfg(unix)]
                Incoming::Unix(stream) => Wire::Unix(Taken::new(stream, unread)),
            };
            return (Connection::new(wire, self.patience), peer, member);
        }
    }

    /// In a task of its own: a client that is slow at it keeps nobody else waiting.
    fn shake_hands(&mut self, tls: Arc<Tls>, stream: Taken<TcpStream>, peer: Peer, member: Member) {
        let limit = self.patience.silence;
        self.shaking.spawn(async move {
            let shaken = tokio::select! {
                shaken = tokio::time::timeout(limit, tls.accept(stream)) => shaken,
                () = member.told_to_leave(limit) => return None,
            };
            match shaken {
                Ok(Ok(stream)) => {
                    let peer = Peer { names: tls::client_names(&stream), ..peer };
                    return Some((Wire::Tls(Box::new(stream)), peer, member));
                }
                Ok(Err(error)) => debug!(%peer, %error, "a TLS handshake failed"),
                Err(_) => debug!(%peer, "a TLS handshake took too long"),
            }
            None
        });
    }
}

/// A warning that comes seldom.
#[derive(Default)]
struct Warning(Seldom);

impl Warning {
    fn tell(&self, what: &str) {
        if let Some(more) = self.0.once(Instant::now()) {
            warn!(more, "{what}");
        }
    }
}

/// Whether the process (EMFILE) or the system (ENFILE) has no more room for open files.
fn is_out_of_files(error: &io::Error) -> bool {
    // The numbers are the same on every Unix.
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

//! How many branches are worked on at once on each database server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::provider::{Endpoint, Spare};

/// For how long a connection waits for the next look.
const IDLE: Duration = Duration::from_secs(1);

/// Caps on how many branches are worked on at once per database server, so that a thousand branches on one server do not
/// storm it. The caps hold over all runs of this process.
pub(super) struct Hosts {
    per_host: usize,
    known: Mutex<HashMap<String, Arc<Host>>>,
}

struct Host {
    places: Arc<Semaphore>,
    spares: Mutex<Spares>,
}

/// The connections that looks have left: never more than there are places free, because whoever takes a place takes one of
/// these along.
#[derive(Default)]
struct Spares {
    list: Vec<Spare>,
    /// Whether somebody sees to it that they do not stay for long.
    swept: bool,
}

/// A place on a server.
pub(super) struct HostPlace {
    host: Arc<Host>,
    /// A connection that was left, if there is one. It is used, or closed, before another one is made; what is left of it
    /// goes to the next who takes a place.
    pub(super) spare: Option<Spare>,
    _permit: OwnedSemaphorePermit,
}

impl Hosts {
    /// At most `per_host` places per server.
    pub(super) fn new(per_host: usize) -> Self {
        Self { per_host: per_host.max(1), known: Mutex::default() }
    }

    /// Waits for a place on the server `key`, for work on the branch there. `None` only if the semaphore was closed, which
    /// nothing does.
    pub(super) async fn enter(&self, key: &str, branch: Option<&Endpoint>) -> Option<HostPlace> {
        let host = self.of(key);
        let permit = Arc::clone(&host.places).acquire_owned().await.ok()?;
        Some(host.place(permit, branch))
    }

    /// A place on the server `key`, if one is free at this moment.
    pub(super) fn try_enter(&self, key: &str, branch: Option<&Endpoint>) -> Option<HostPlace> {
        let host = self.of(key);
        let permit = Arc::clone(&host.places).try_acquire_owned().ok()?;
        Some(host.place(permit, branch))
    }

    /// Closes the connections that wait for a look.
    pub(super) async fn close_spares(&self) {
        let hosts: Vec<_> = lock(&self.known).values().cloned().collect();
        for host in hosts {
            let spares = std::mem::take(&mut lock(&host.spares).list);
            close(spares).await;
        }
    }

    fn of(&self, key: &str) -> Arc<Host> {
        let mut known = lock(&self.known);
        if let Some(host) = known.get(key) {
            return Arc::clone(host);
        }
        // Servers that nobody uses any more are forgotten, so that the map does not grow with history.
        if known.len() > 1024 {
            known.retain(|_, host| Arc::strong_count(host) > 1 || !lock(&host.spares).list.is_empty());
        }
        let host = Host { places: Arc::new(Semaphore::new(self.per_host)), spares: Mutex::default() };
        Arc::clone(known.entry(key.to_owned()).or_insert_with(|| Arc::new(host)))
    }
}

impl Host {
    fn place(self: Arc<Self>, permit: OwnedSemaphorePermit, branch: Option<&Endpoint>) -> HostPlace {
        let spare = {
            let list = &mut lock(&self.spares).list;
            let serves = |spare: &Spare| branch.is_some_and(|branch| spare.may_serve(branch));
            let best = list.iter().rposition(serves).or_else(|| list.len().checked_sub(1));
            best.map(|index| list.swap_remove(index))
        };
        HostPlace { host: self, spare, _permit: permit }
    }
}

impl HostPlace {
    /// Closes what was left here, before another connection is made.
    pub(super) async fn clear(&mut self) {
        if let Some(spare) = self.spare.take() {
            spare.close().await;
        }
    }
}

impl Drop for HostPlace {
    fn drop(&mut self) {
        let Some(spare) = self.spare.take() else { return };
        // Without a runtime nobody could close it in time; it ends with its socket.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut spares = lock(&self.host.spares);
        spares.list.push(spare);
        if !std::mem::replace(&mut spares.swept, true) {
            runtime.spawn(sweep(Arc::downgrade(&self.host)));
        }
    }
}

/// Closes connections that have waited for too long, until none is left.
async fn sweep(host: Weak<Host>) {
    loop {
        tokio::time::sleep(IDLE).await;
        let Some(host) = host.upgrade() else { return };
        let stale: Vec<Spare> = {
            let mut spares = lock(&host.spares);
            if spares.list.is_empty() {
                spares.swept = false;
                return;
            }
            spares.list.extract_if(.., |spare| spare.idle() >= IDLE).collect()
        };
        close(stale).await;
    }
}

async fn close(spares: Vec<Spare>) {
    futures_util::future::join_all(spares.into_iter().map(Spare::close)).await;
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_server_has_its_own_cap() {
        let hosts = Hosts::new(1);
        let first = hosts.enter("a", None).await;
        assert!(hosts.enter("b", None).await.is_some());
        assert!(hosts.try_enter("a", None).is_none());
        let second = hosts.enter("a", None);
        tokio::pin!(second);
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert!(second.await.is_some());
    }
}

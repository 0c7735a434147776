use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Caps on how many branches are worked on at once per database server, so that a thousand branches on one server do not
/// storm it. The caps hold over all runs of this process.
#[derive(Debug)]
pub(super) struct Hosts {
    per_host: usize,
    known: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Hosts {
    /// At most `per_host` permits per server.
    pub(super) fn new(per_host: usize) -> Self {
        Self { per_host: per_host.max(1), known: Mutex::new(HashMap::new()) }
    }

    /// Waits for a place on the server `key`. `None` only if the semaphore was closed, which nothing does.
    pub(super) async fn enter(&self, key: String) -> Option<OwnedSemaphorePermit> {
        self.of(key).acquire_owned().await.ok()
    }

    /// A place on the server `key`, if one is free at this moment.
    pub(super) fn try_enter(&self, key: String) -> Option<OwnedSemaphorePermit> {
        self.of(key).try_acquire_owned().ok()
    }

    fn of(&self, key: String) -> Arc<Semaphore> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Servers that nobody uses any more are forgotten, so that the map does not grow with history.
        if known.len() > 1024 {
            known.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        }
        Arc::clone(known.entry(key).or_insert_with(|| Arc::new(Semaphore::new(self.per_host))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_server_has_its_own_cap() {
        let hosts = Hosts::new(1);
        let first = hosts.enter("a".into()).await;
        assert!(hosts.enter("b".into()).await.is_some());
        let second = hosts.enter("a".into());
        tokio::pin!(second);
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert!(second.await.is_some());
    }
}

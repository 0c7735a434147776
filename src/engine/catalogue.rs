use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::Catalogue;
use crate::source::{Problems, Reload, Watcher};

/// The catalogue in use, kept up to date with its folder.
pub(super) struct CatalogueKeeper {
    watcher: Arc<Mutex<Watcher>>,
    seen: Mutex<Seen>,
}

/// What readers see; apart from the watcher, so that nobody waits while the folder is read.
#[derive(Clone)]
struct Seen {
    catalogue: Arc<Catalogue>,
    problems: Option<Arc<Problems>>,
}

impl CatalogueKeeper {
    /// Reads the folder for the first time.
    pub(super) async fn open(folder: PathBuf) -> Result<Self, tokio::task::JoinError> {
        let watcher = tokio::task::spawn_blocking(move || Watcher::open(folder)).await?;
        let seen = Seen { catalogue: watcher.current(), problems: watcher.problems() };
        if let Some(problems) = &seen.problems {
            tracing::error!("the migrations folder cannot be used: {problems}");
        }
        Ok(Self { watcher: Arc::new(Mutex::new(watcher)), seen: Mutex::new(seen) })
    }

    /// The last catalogue that was wholly in order; empty when there never was one.
    pub(super) fn current(&self) -> Arc<Catalogue> {
        Arc::clone(&locked(&self.seen).catalogue)
    }

    /// What is wrong with the folder as it is now.
    pub(super) fn problems(&self) -> Option<Arc<Problems>> {
        locked(&self.seen).problems.clone()
    }

    /// Looks whether the folder has changed, and reads it again if so. True when the catalogue is a new one.
    pub(super) async fn refresh(&self) -> bool {
        let watcher = Arc::clone(&self.watcher);
        let looked = tokio::task::spawn_blocking(move || {
            let mut watcher = locked(&watcher);
            let reload = watcher.reload_if_changed();
            (reload, Seen { catalogue: watcher.current(), problems: watcher.problems() })
        });
        let Ok((reload, seen)) = looked.await else { return false };
        let had_problems = locked(&self.seen).problems.is_some();
        match (&reload, &seen.problems) {
            (Reload::Loaded, _) => tracing::info!("the migrations folder has changed; the new catalogue is in use"),
            (Reload::Broken, Some(problems)) if !had_problems => {
                tracing::error!("the migrations folder cannot be used, the last good catalogue stays: {problems}");
            }
            _ => {}
        }
        *locked(&self.seen) = seen;
        matches!(reload, Reload::Loaded)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

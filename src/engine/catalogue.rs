use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::{JoinError, spawn_blocking};

use crate::domain::Catalogue;
use crate::source::{Problems, Reload, Watcher};

/// The catalogue in use, kept up to date with its folder. The file system is only touched off the async threads.
pub(super) struct CatalogueKeeper(Arc<Watcher>);

impl CatalogueKeeper {
    /// Reads the folder for the first time.
    pub(super) async fn open(folder: PathBuf) -> Result<Self, JoinError> {
        let watcher = spawn_blocking(move || Watcher::open(folder)).await?;
        if let Some(problems) = watcher.problems() {
            tracing::error!("the migrations folder cannot be used: {problems}");
        }
        Ok(Self(Arc::new(watcher)))
    }

    /// The last catalogue that was wholly in order; empty when there never was one.
    pub(super) fn current(&self) -> Arc<Catalogue> {
        self.0.current()
    }

    /// What is wrong with the folder as it is now.
    pub(super) fn problems(&self) -> Option<Arc<Problems>> {
        self.0.problems()
    }

    /// Looks whether the folder has changed, and reads it again if so. True when the catalogue is a new one.
    pub(super) async fn refresh(&self) -> bool {
        let watcher = Arc::clone(&self.0);
        match spawn_blocking(move || watcher.reload_if_changed()).await {
            Ok(Reload::Loaded) => {
                tracing::info!("the migrations folder has changed; the new catalogue is in use");
                true
            }
            Ok(Reload::Broken) => {
                if let Some(problems) = self.problems() {
                    tracing::error!("the migrations folder cannot be used, the last good catalogue stays: {problems}");
                }
                false
            }
            Ok(Reload::Unchanged) => false,
            Err(error) => {
                tracing::error!(%error, "the migrations folder could not be looked at");
                false
            }
        }
    }
}

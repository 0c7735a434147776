use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::catalogue::CatalogueKeeper;
use super::halt::Halt;
use super::hosts::Hosts;
use super::readiness::Readiness;
use super::settings::EngineSettings;
use crate::domain::{BranchId, Clock, RunId};
use crate::store::HeadOffice;

/// What all parts of the engine have in common.
pub(super) struct Shared {
    pub(super) settings: EngineSettings,
    pub(super) store: HeadOffice,
    pub(super) catalogue: CatalogueKeeper,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hosts: Hosts,
    /// This replica's name in leases and locks.
    pub(super) owner: String,
    pub(super) active: ActiveRuns,
    /// The branches that the orchestrator's own runs are about to work on.
    pub(super) in_flight: InFlight,
    /// Rung when a branch has become due.
    pub(super) wake: Notify,
    /// Cancelled when nothing new may begin.
    pub(super) soft: CancellationToken,
    /// Cancelled when running statements have to be stopped too.
    pub(super) hard: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) readiness: watch::Sender<Readiness>,
}

/// The runs that this process works on.
#[derive(Default)]
pub(super) struct ActiveRuns(Mutex<HashMap<RunId, ActiveRun>>);

/// One of them.
#[derive(Clone)]
pub(super) struct ActiveRun {
    pub(super) halt: Halt,
    /// The newest sequence number that is committed; closed when this process is through with the run.
    pub(super) sequence: watch::Receiver<i64>,
}

impl ActiveRuns {
    pub(super) fn insert(&self, id: RunId, run: ActiveRun) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, run);
    }

    pub(super) fn remove(&self, id: RunId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    pub(super) fn get(&self, id: RunId) -> Option<ActiveRun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }
}

/// Branches that need not be found due again, because a run of the orchestrator's covers them.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<HashSet<BranchId>>>);

/// Takes its branches out again when dropped.
pub(super) struct Flight {
    all: InFlight,
    branches: Vec<BranchId>,
}

impl InFlight {
    pub(super) fn add(&self, branches: Vec<BranchId>) -> Flight {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(branches.iter().copied());
        Flight { all: self.clone(), branches }
    }

    pub(super) fn contains(&self, id: BranchId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        for id in &self.branches {
            all.remove(id);
        }
    }
}

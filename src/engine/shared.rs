use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::catalogue::CatalogueKeeper;
use super::error::EngineError;
use super::halt::Halt;
use super::hosts::Hosts;
use super::inspect::Lacking;
use super::looks::Looks;
use super::measures::LastMeasured;
use super::news::News;
use super::notifications::NotifySettings;
use super::readiness::Readiness;
use super::settings::EngineSettings;
use super::standing::Standing;
use super::tokens::KnownTokens;
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
    pub(super) tokens: KnownTokens,
    /// What head office was last measured to have.
    pub(super) measured: LastMeasured,
    /// The looks at what branches lack.
    pub(super) looks: Looks<Result<Arc<Lacking>, EngineError>>,
    /// The looks at where branches stand.
    pub(super) standings: Looks<Result<Arc<Standing>, EngineError>>,
    /// Rung when a branch has become due.
    pub(super) wake: Notify,
    /// Cancelled when nothing new may begin.
    pub(super) soft: CancellationToken,
    /// Cancelled when running statements have to be stopped too.
    pub(super) hard: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) readiness: watch::Sender<Readiness>,
    /// Who is told what; never set when nobody is.
    pub(super) notifications: OnceLock<NotifySettings>,
}

/// The runs that this process works on.
#[derive(Default)]
pub(super) struct ActiveRuns(Mutex<HashMap<RunId, ActiveRun>>);

/// One of them.
#[derive(Clone)]
pub(super) struct ActiveRun {
    pub(super) halt: Halt,
    /// What was committed last; closed when this process is through with the run.
    pub(super) news: watch::Receiver<News>,
}

impl ActiveRuns {
    /// Adds a run; false, and nothing is done, when this process works on it already.
    pub(super) fn insert(&self, id: RunId, run: ActiveRun) -> bool {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(run);
                true
            }
        }
    }

    pub(super) fn remove(&self, id: RunId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    pub(super) fn get(&self, id: RunId) -> Option<ActiveRun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }
}

/// Branches that need not be found due again, because a run of the orchestrator's is going to see to them. Each with the
/// number of its flight.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<Flights>>);

#[derive(Default)]
struct Flights {
    newest: u64,
    branches: HashMap<BranchId, u64>,
}

/// Takes its branches out again when dropped.
pub(super) struct Flight {
    all: InFlight,
    number: u64,
    branches: Vec<BranchId>,
}

impl InFlight {
    pub(super) fn add(&self, branches: Vec<BranchId>) -> Flight {
        let mut all = self.lock();
        all.newest += 1;
        let number = all.newest;
        all.branches.extend(branches.iter().map(|id| (*id, number)));
        drop(all);
        Flight { all: self.clone(), number, branches }
    }

    /// A branch has had its turn, and can be found due again although its run still goes on.
    pub(super) fn landed(&self, id: BranchId) {
        self.lock().branches.remove(&id);
    }

    pub(super) fn contains(&self, id: BranchId) -> bool {
        self.lock().branches.contains_key(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().branches.len()
    }

    fn lock(&self) -> MutexGuard<'_, Flights> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        for id in &self.branches {
            // One that has landed may be in a later flight.
            if all.branches.get(id) == Some(&self.number) {
                all.branches.remove(id);
            }
        }
    }
}

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::caller::Caller;
use super::catalogue::CatalogueKeeper;
use super::error::EngineError;
use super::hosts::Hosts;
use super::looks::Looks;
use super::measures::LastMeasured;
use super::readiness::Readiness;
use super::settings::EngineSettings;
use super::shared::{ActiveRuns, InFlight, Shared};
use super::tokens::KnownTokens;
use crate::domain::{Branch, BranchRef, BranchState, Clock, Time};
use crate::store::HeadOffice;

/// The engine as the outside sees it. Cheap to clone.
///
/// Its operations are spread over the modules of this folder by what they are about; this one only holds it together.
#[derive(Clone)]
pub struct Manager(pub(super) Arc<Shared>);

impl Manager {
    /// An engine over a head office and a migrations folder. Nothing runs in the background until
    /// [`super::orchestrator::start`].
    pub async fn new(
        settings: EngineSettings,
        store: HeadOffice,
        migrations: PathBuf,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, EngineError> {
        let catalogue = CatalogueKeeper::open(migrations).await.map_err(EngineError::internal)?;
        let replica = Uuid::new_v4().simple().to_string();
        let owner = format!("{}/{}/{}", host_name(), std::process::id(), &replica[..8]);
        Ok(Self(Arc::new(Shared {
            hosts: Hosts::new(settings.per_host),
            settings,
            store,
            catalogue,
            clock,
            owner,
            active: ActiveRuns::default(),
            in_flight: InFlight::default(),
            tokens: KnownTokens::default(),
            looks: Looks::default(),
            standings: Looks::default(),
            measured: LastMeasured::default(),
            wake: Notify::new(),
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            tasks: TaskTracker::new(),
            readiness: watch::Sender::new(Readiness::unknown()),
            notifications: OnceLock::new(),
        })))
    }

    /// This replica's name in leases, locks and logs.
    pub fn owner(&self) -> &str {
        &self.0.owner
    }

    /// Whether the service can do its work, and each change of that.
    pub fn readiness(&self) -> watch::Receiver<Readiness> {
        self.0.readiness.subscribe()
    }

    /// Says that this replica is about to stop, so that whoever asks before calling calls another one. Calls and runs go
    /// on as before; only what nobody asked for is left to the others.
    pub fn retire(&self) {
        self.0.readiness.send_if_modified(|readiness| {
            readiness.detail = "stopping".into();
            !std::mem::replace(&mut readiness.draining, true)
        });
    }

    /// Whether [`Manager::retire`] or [`Manager::shut_down`] was called.
    pub(super) fn is_retiring(&self) -> bool {
        self.0.readiness.borrow().draining
    }

    /// Stops: nothing new begins at once, running statements get `grace` to finish and be recorded, then they are stopped
    /// on their servers. Returns when nothing runs any more, or a little after `grace`.
    pub async fn shut_down(&self, grace: Duration) {
        let shared = &self.0;
        self.retire();
        shared.soft.cancel();
        shared.tasks.close();
        if tokio::time::timeout(grace, shared.tasks.wait()).await.is_err() {
            tracing::warn!("statements are still running after the time allowed for stopping; they are stopped now");
            shared.hard.cancel();
            if tokio::time::timeout(Duration::from_secs(15), shared.tasks.wait()).await.is_err() {
                tracing::error!("some work did not stop; its locks and leases run out by themselves");
                return;
            }
        }
        shared.hosts.close_spares().await;
        // What is interrupted need not wait until our claims run out.
        if let Err(error) = shared.store.release_all(&shared.owner).await {
            tracing::warn!(%error, "the remaining leases could not be given up; they run out by themselves");
        }
    }

    /// Clears a branch's failures and makes it due now.
    pub async fn retry(&self, which: &BranchRef, caller: &Caller) -> Result<(Branch, BranchState), EngineError> {
        let branch = self.branch(which).await?;
        let state = self.0.store.retry(branch.id).await.map_err(|error| busy(&branch, error))?;
        let state = state.ok_or_else(|| EngineError::UnknownBranch(which.to_string()))?;
        self.audit(caller, "Retry", branch.code.as_str(), serde_json::Value::Null).await;
        self.0.wake.notify_one();
        Ok((branch, state))
    }

    pub(super) fn now(&self) -> Time {
        self.0.clock.now()
    }
}

/// A store error about a branch that is being worked on, with the branch named.
pub(super) fn busy(branch: &Branch, error: crate::store::StoreError) -> EngineError {
    match error {
        crate::store::StoreError::Leased(lease) => EngineError::BranchBusy { branch: branch.code.clone(), lease },
        other => other.into(),
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager").field("owner", &self.0.owner).finish_non_exhaustive()
    }
}

fn host_name() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = read.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_default();
    let name: String = name.trim().chars().take(64).collect();
    if name.is_empty() { "host".to_owned() } else { name }
}

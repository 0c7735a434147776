//! Looking at one branch without changing it.

use std::sync::Arc;

use super::error::EngineError;
use super::manager::Manager;
use super::report::observe;
use super::validate::findings;
use crate::domain::{
    Branch, BranchRef, BranchState, Finding, FindingKind, Ledger, Migration, MigrationError, Observed, Severity, Time,
    pending,
};
use crate::provider::{Endpoint, ErrorKind, ProviderError, Session, Tables};

/// What a branch's ledger records, and where head office thinks it stands.
#[derive(Debug, Clone)]
pub struct History {
    /// The branch.
    pub branch: Branch,
    /// Its ledger, read now.
    pub ledger: Ledger,
    /// What it lacks.
    pub pending: Vec<Arc<Migration>>,
    /// Head office's view.
    pub state: BranchState,
}

/// What a branch lacks.
#[derive(Debug)]
pub struct Lacking {
    /// The branch.
    pub branch: Branch,
    /// The migrations.
    pub migrations: Vec<Arc<Migration>>,
}

impl Manager {
    /// The migrations that a branch lacks, by its ledger, which is read after this is called. Callers who ask for the same
    /// branch at once share a look at it.
    pub async fn pending(&self, which: &BranchRef) -> Result<Arc<Lacking>, EngineError> {
        let key = match which {
            BranchRef::Id(id) => id.to_string(),
            BranchRef::Code(code) => code.folded(),
        };
        let (manager, which) = (self.clone(), which.clone());
        let look = async move {
            let branch = manager.branch(&which).await?;
            let ledger = manager.ledger(&branch).await?;
            let catalogue = manager.0.catalogue.current();
            let migrations = pending(catalogue.of(branch.provider), &ledger);
            Ok(Arc::new(Lacking { branch, migrations }))
        };
        self.0.looks.join(key, look).await
    }

    /// A branch's ledger as it is now, and head office's view of the branch.
    pub async fn history(&self, which: &BranchRef) -> Result<History, EngineError> {
        let branch = self.branch(which).await?;
        let ledger = self.ledger(&branch).await?;
        let catalogue = self.0.catalogue.current();
        let pending = pending(catalogue.of(branch.provider), &ledger);
        let state = self.0.store.state(branch.id).await?;
        let state = state.ok_or_else(|| EngineError::UnknownBranch(which.to_string()))?;
        Ok(History { branch, ledger, pending, state })
    }

    /// Compares a branch's ledger and tables with the catalogue.
    pub async fn validate(&self, which: &BranchRef) -> Result<(Branch, Vec<Finding>), EngineError> {
        let branch = self.branch(which).await?;
        self.0.catalogue.refresh().await;
        let (ledger, tables) = match self.look(&branch).await {
            Ok(seen) => seen,
            Err(error) => {
                let message =
                    if error.hint.is_empty() { error.message } else { format!("{}; {}", error.message, error.hint) };
                let unreachable = Finding {
                    severity: Severity::Error,
                    kind: FindingKind::Unreachable,
                    message,
                    object: String::new(),
                    migration_id: String::new(),
                };
                return Ok((branch, vec![unreachable]));
            }
        };
        let catalogue = self.0.catalogue.current();
        let required = &self.0.settings.required_tables;
        let mut found = findings(catalogue.of(branch.provider), &ledger, &tables, required);
        found.sort_by_key(|finding| finding.severity);
        Ok((branch, found))
    }

    /// Reads a branch's ledger, and keeps in head office what was seen.
    async fn ledger(&self, branch: &Branch) -> Result<Ledger, EngineError> {
        // A file that was put into the folder a moment ago counts.
        self.0.catalogue.refresh().await;
        let ledger = self.read_ledger(branch).await.map_err(|error| unavailable(branch, error))?;
        let catalogue = self.0.catalogue.current();
        let seen = observe(catalogue.of(branch.provider), &ledger);
        // What was seen is worth keeping, but the answer does not depend on it.
        if let Err(error) = self.0.store.observe(branch.id, &seen).await {
            tracing::warn!(branch = %branch.code, %error, "what was seen of the branch could not be kept");
        }
        Ok(ledger)
    }

    async fn look(&self, branch: &Branch) -> Result<(Ledger, Tables), ProviderError> {
        let Some(mut session) = self.session(branch).await? else {
            return Err(ProviderError::new(ErrorKind::DatabaseMissing, "the branch's database does not exist"));
        };
        let seen = async { Ok((session.ledger().await?, session.tables().await?)) }.await;
        session.close().await;
        seen
    }

    pub(super) async fn session(&self, branch: &Branch) -> Result<Option<Session>, ProviderError> {
        let settings = &self.0.settings.provider;
        let endpoint = Endpoint::of(branch, settings)?;
        match Session::connect(&endpoint, settings).await {
            Ok(session) => Ok(Some(session)),
            Err(error) if error.kind == ErrorKind::DatabaseMissing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a branch that must not be migrated unasked, so that what it lacks is known, and asks for another look at
    /// `again`.
    pub(super) async fn report_pending(&self, branch: &Branch, again: Time) -> Result<(), EngineError> {
        let catalogue = self.0.catalogue.current();
        let seen = match self.read_ledger(branch).await {
            Ok(ledger) => observe(catalogue.of(branch.provider), &ledger),
            Err(error) => {
                tracing::warn!(branch = %branch.code, "the branch could not be looked at: {}", error.message);
                let state = self.0.store.state(branch.id).await?;
                let last_migration = state.as_ref().and_then(|state| state.last_migration.clone());
                let pending = state.and_then(|state| state.pending_count).unwrap_or_default();
                Observed { last_migration, pending, verified_digest: None }
            }
        };
        if seen.pending > 0 {
            tracing::warn!(
                branch = %branch.code, pending = seen.pending,
                "the branch lacks migrations; they are not applied unasked in production (auto_migrate.in_production)"
            );
        }
        self.0.store.observe(branch.id, &seen).await?;
        self.0.store.hold_back(branch.id, again).await?;
        Ok(())
    }

    /// A branch's ledger as it is now; empty when the database does not exist yet.
    pub(super) async fn read_ledger(&self, branch: &Branch) -> Result<Ledger, ProviderError> {
        let Some(mut session) = self.session(branch).await? else { return Ok(Ledger::default()) };
        let ledger = session.ledger().await;
        session.close().await;
        ledger
    }
}

/// The error for a branch that could not be asked.
pub(super) fn unavailable(branch: &Branch, error: ProviderError) -> EngineError {
    let shown = MigrationError {
        provider_code: error.code.clone(),
        ..MigrationError::new(&branch.code, error.class(), format!("branch '{}': {}", branch.code, error.message))
            .hint(error.hint)
    };
    EngineError::BranchUnavailable(Box::new(shown))
}

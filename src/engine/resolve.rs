//! A person says what became of a statement whose outcome cannot be read back.

use std::time::Duration;

use tokio::time::Instant;

use super::caller::Caller;
use super::error::EngineError;
use super::halt::Halt;
use super::heartbeat::Heartbeat;
use super::inspect::unavailable;
use super::manager::Manager;
use super::report::observe;
use crate::domain::{
    Branch, BranchRef, BranchState, Direction, Intent, Ledger, MigrationId, Planned, ProviderCatalogue, RowState, RunId,
};
use crate::provider::{Claim, Endpoint, ErrorKind, Fate, Fence, ProviderError, Session, Stop, Work};
use crate::store::Acquire;

/// What a person has found out about the statement at which a branch stands.
#[derive(Debug, Clone)]
pub struct ResolveCommand {
    /// The branch.
    pub branch: BranchRef,
    /// The migration, by its whole id; `None` means the one that has such a statement.
    pub migration: Option<MigrationId>,
    /// Whether the statement took effect.
    pub applied: bool,
}

/// Why a statement was not settled.
enum Refused {
    Provider(ProviderError),
    Engine(EngineError),
}

impl From<ProviderError> for Refused {
    fn from(error: ProviderError) -> Self {
        Self::Provider(error)
    }
}

impl Manager {
    /// Settles the statement whose outcome is unknown: it counts as done, or is run again. The branch is due afterwards,
    /// with a clean count. Refused where Branchkeeper can tell the outcome by itself.
    pub async fn resolve(
        &self,
        command: ResolveCommand,
        caller: &Caller,
    ) -> Result<(Branch, BranchState), EngineError> {
        self.check_can_begin().await?;
        let shared = &self.0;
        let named = self.branch(&command.branch).await?;
        let mut floor = 0;
        let (branch, settled) = loop {
            let asked = Instant::now();
            let acquired = shared.store.acquire(named.id, &shared.owner, shared.settings.lease, floor).await?;
            let (branch, before, token) = match acquired {
                Acquire::Granted { branch, state_before, token } => (branch, state_before, token),
                Acquire::Held(lease) => {
                    let (holder, until) = (lease.owner, Some(lease.expires_time));
                    return Err(EngineError::Locked { branch: named.code, holder, until });
                }
                Acquire::Gone => return Err(EngineError::UnknownBranch(command.branch.to_string())),
            };
            let halt = Halt::new(&shared.soft, &shared.hard);
            let lease = shared.settings.lease;
            let heartbeat = Heartbeat::start(shared.store.clone(), branch.id, token, lease, asked, halt.clone());
            let ended = self.settle(&branch, token, &command, &halt).await;
            drop(heartbeat);
            let next = match &ended {
                Ok((_, ledger)) => {
                    let catalogue = shared.catalogue.current();
                    let seen = observe(catalogue.of(branch.provider), ledger);
                    let (last_migration, pending_count) = (seen.last_migration, Some(seen.pending));
                    let (hold, held_digest) = (before.hold.clone(), before.held_digest.clone());
                    BranchState { last_migration, pending_count, hold, held_digest, ..before.retried() }
                }
                Err(_) => *before,
            };
            let kept = shared.store.release(branch.id, token, &next).await;
            match ended {
                Ok((settled, _)) => {
                    if !kept? {
                        tracing::warn!(branch = %branch.code, "the lease was lost before the branch's state was recorded");
                    }
                    break (*branch, settled);
                }
                Err(Refused::Engine(error)) => return Err(error),
                Err(Refused::Provider(error)) => match error.kind {
                    ErrorKind::StaleToken { stored } if floor == 0 && stored < i64::MAX => floor = stored,
                    ErrorKind::Locked { holder, until } => {
                        return Err(EngineError::Locked { branch: branch.code, holder, until });
                    }
                    _ => return Err(unavailable(&branch, error)),
                },
            }
        };
        let state = shared.store.state(branch.id).await?;
        let state = state.ok_or_else(|| EngineError::UnknownBranch(command.branch.to_string()))?;
        let (migration, number) = settled;
        tracing::info!(
            branch = %branch.code, %migration, statement = number, applied = command.applied, who = %caller.name,
            "a person has settled a statement"
        );
        let detail = serde_json::json!({
            "migration": migration.as_str(), "statement": number, "applied": command.applied,
        });
        self.audit(caller, "Resolve", branch.code.as_str(), detail).await;
        shared.wake.notify_one();
        Ok((branch, state))
    }

    async fn settle(
        &self,
        branch: &Branch,
        token: i64,
        command: &ResolveCommand,
        halt: &Halt,
    ) -> Result<((MigrationId, usize), Ledger), Refused> {
        let shared = &self.0;
        let settings = &shared.settings.provider;
        let endpoint = Endpoint::of(branch, settings)?;
        let mut session = Session::connect(&endpoint, settings).await?;
        let claim = Claim {
            head_office: shared.store.id().to_owned(),
            token,
            owner: shared.owner.clone(),
            lease: shared.settings.lease,
        };
        let stop = Stop { cancel: halt.hard().clone(), ..Stop::after(shared.settings.lock_wait * 2) };
        let ended = match session.lock(&claim, shared.settings.lock_wait, &stop).await {
            Ok(fence) => {
                let catalogue = shared.catalogue.current();
                let ended = settle_in(&mut session, &fence, branch, catalogue.of(branch.provider), command).await;
                if let Err(error) = session.unlock(fence).await {
                    tracing::warn!(branch = %branch.code, %error, "the session lock could not be released");
                }
                ended
            }
            Err(error) => Err(error.into()),
        };
        session.close().await;
        ended
    }
}

async fn settle_in(
    session: &mut Session,
    fence: &Fence,
    branch: &Branch,
    catalogue: &ProviderCatalogue,
    command: &ResolveCommand,
) -> Result<((MigrationId, usize), Ledger), Refused> {
    let refuse = |why: String, hint: &'static str| {
        let branch = branch.code.clone();
        Err(Refused::Engine(EngineError::NothingToResolve { branch, why, hint }))
    };
    let ledger = session.ledger().await?;
    let doubtful = ledger.rows.iter().find_map(|row| match &row.state {
        RowState::Partial(progress)
            if progress.intent.is_some() && command.migration.as_ref().is_none_or(|id| id.as_str() == row.id) =>
        {
            Some((row, progress))
        }
        _ => None,
    });
    let Some((row, progress)) = doubtful else {
        return refuse("its ledger holds no statement whose outcome is unknown".into(), "look at its history");
    };
    let migration = row.id.parse::<MigrationId>().ok().and_then(|id| catalogue.get(&id).cloned());
    let Some(migration) = migration else {
        let why = format!("the catalogue does not have {}", crate::domain::shorten(&row.id, MigrationId::MAX));
        return refuse(why, "put the migration's file back");
    };
    let direction = progress.direction;
    let planned = Planned { migration, direction, resume: Some(progress.clone()), replaces: false };
    let (script, doubtful) = (planned.script(), planned.doubtful().unwrap_or_default());
    let number = doubtful.start + 1;
    let begun = script.statements.get(doubtful.start..).unwrap_or_default();
    let is_together = matches!(planned.intent(), Some(Intent::Together { .. }));
    let fits = planned.intent().is_some_and(|intent| intent.fits(begun));
    // What never took effect may have been corrected meanwhile; what did is recorded by what it was.
    if !fits && (!is_together || command.applied) {
        let what = if is_together { "one of the statements from" } else { "statement" };
        let why = format!("{what} {number} of {} was changed since it was begun", script.file);
        return refuse(why, if is_together { "restore the file" } else { "restore the statement" });
    }
    if let (false, Some(statement)) = (is_together, begun.first()) {
        match session.fate(statement).await? {
            Fate::Unknown => {}
            Fate::Running => {
                return refuse(format!("statement {number} is still running on the server"), "wait until it is done");
            }
            Fate::Applied | Fate::NotStarted | Fate::Leftover | Fate::Rerun => {
                let why = format!("what became of statement {number} can be read from the server");
                let hint = match direction {
                    Direction::Up => "apply again: it is settled without a person",
                    Direction::Down => "roll back again: it is settled without a person",
                };
                return refuse(why, hint);
            }
        }
    }
    // It stays the work of the run that began it.
    let run_id = row.run_id.unwrap_or_else(RunId::generate);
    let work = Work { planned: &planned, run_id, timeout: Duration::from_secs(60) };
    session.settle(fence, &work, doubtful, command.applied).await?;
    Ok(((planned.migration.id.clone(), number), session.ledger().await?))
}

//! Undoing migrations of one branch.

use super::apply::{Attempt, Broken, Leased};
use super::caller::Caller;
use super::error::EngineError;
use super::failure::Failure;
use super::manager::Manager;
use super::patience::patiently;
use super::report::Report;
use crate::domain::{
    BranchRef, Checksum, DownPolicy, FailureClass, HeldMigration, Hold, Ledger, MigrationError, MigrationId, Plan,
    Policy, RequestId, RollbackRequest, Run, RunKind, RunRequest, Undo, plan_down,
};
use crate::store::{FixedUndo, Scope, StoreError};

/// A request to undo migrations of one branch.
#[derive(Debug, Clone)]
pub struct RollbackCommand {
    /// The branch.
    pub branch: BranchRef,
    /// What to undo.
    pub undo: UndoWish,
    /// Run statements that destroy something for good.
    pub allow_data_loss: bool,
    /// Refuse when the branch's plan has another digest.
    pub plan_digest: Option<Checksum>,
    /// The client's own name for the request.
    pub request_id: Option<RequestId>,
}

/// What somebody wants to have undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UndoWish {
    /// So many of the migrations that were applied last.
    Steps(u32),
    /// Every migration after this one, named by id or number; it stays applied itself.
    After(String),
}

impl Manager {
    /// Undoes migrations of one branch; answers when the run is over. Afterwards they are not applied again unasked.
    pub async fn rollback(&self, command: RollbackCommand, caller: &Caller) -> Result<Run, EngineError> {
        self.check_can_begin().await?;
        let branch = self.branch(&command.branch).await?;
        caller.about(branch.code.as_str());
        let undo = self.undo(&command.undo, branch.provider)?;
        self.refuse_if_leased(&branch, command.request_id.is_some()).await?;
        let request = RunRequest {
            rollback: Some(RollbackRequest { undo, allow_data_loss: command.allow_data_loss }),
            plan_digest: command.plan_digest,
            ..RunRequest::default()
        };
        let scope = Scope::Branches(vec![branch.id]);
        let run = self.create(RunKind::Rollback, request, scope, command.request_id, caller).await?;
        let run = self.wait_until_over(run.id).await?;
        self.refuse_if_not_tried(&branch, &run).await?;
        Ok(run)
    }
}

impl Attempt<'_> {
    /// Reads what an earlier attempt of this run was about to undo.
    pub(super) async fn recall(&self, report: &mut Report) -> Result<(), Broken> {
        if self.request.rollback.is_some() {
            let asked = patiently(self.halt, || self.store.undo_list(self.run_id, self.branch.id)).await;
            report.undo = asked.map_err(|error| self.no_head_office(&error))?;
        }
        Ok(())
    }

    /// The plan of this rollback.
    pub(super) fn plan_rollback(
        &self,
        rollback: &RollbackRequest,
        ledger: &Ledger,
        policy: Policy,
        report: &Report,
    ) -> Result<Plan, Broken> {
        let undo = report.undo.clone().map_or_else(|| rollback.undo.clone(), Undo::These);
        let policy = DownPolicy { policy, allow_data_loss: rollback.allow_data_loss };
        plan_down(self.catalogue, ledger, &undo, &policy).map_err(|refusals| {
            // Whatever keeps something from being undone, the branch stands as it did before.
            let failure = Failure { refused: true, ..Failure::from_refusals(self.branch, &refusals) };
            Broken::Failed(failure)
        })
    }

    /// Fixes in head office what is going to be undone, before anything of it is.
    pub(super) async fn fix(&self, plan: &Plan, leased: &Leased<'_>, report: &mut Report) -> Result<(), Broken> {
        if self.request.rollback.is_none() || report.undo.is_some() {
            return Ok(());
        }
        let migrations: Vec<MigrationId> = plan.migrations().map(|planned| planned.migration.id.clone()).collect();
        let held = plan.migrations().map(|planned| HeldMigration {
            id: planned.migration.id.clone(),
            checksum: planned.migration.checksum.clone(),
        });
        let hold = Hold { since: leased.since, run_id: self.run_id, migrations: held.collect() }.with(leased.held);
        let undo = FixedUndo {
            run_id: self.run_id,
            branch_id: self.branch.id,
            token: leased.claim.token,
            migrations: &migrations,
            hold: &hold,
            held_digest: self.catalogue.digest(),
        };
        match patiently(self.halt, || self.store.fix_undo(undo)).await {
            Ok(true) => {
                (report.undo, report.hold) = (Some(migrations), Some(hold));
                Ok(())
            }
            Ok(false) => Err(Broken::Failed(Failure::halted(self.branch, super::halt::HaltReason::LeaseLost))),
            Err(error) => Err(self.no_head_office(&error)),
        }
    }

    fn no_head_office(&self, error: &StoreError) -> Broken {
        tracing::error!(%error, "what is to be undone could not be recorded; nothing is");
        let text = "head office did not take down what is to be undone, so nothing was begun";
        let error = MigrationError::new(&self.branch.code, FailureClass::Internal, text);
        Broken::Failed(Failure::refused(error.hint("check head office; the service's log has the detail")))
    }
}

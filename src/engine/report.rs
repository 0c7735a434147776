use std::time::Duration;

use super::apply::Attempt;
use super::failure::Failure;
use super::halt::Halt;
use super::recorder::Recorder;
use crate::domain::{
    Branch, BranchCode, BranchOutcome, Direction, EventBody, Hold, Ledger, MigrationId, Observed, OutcomeStatus,
    ProviderCatalogue, RunId, pending,
};
use crate::provider::Observer;

/// What an attempt on a branch has come to so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// What was applied, or undone.
    pub(super) applied: Vec<MigrationId>,
    /// What a rollback undoes, once that is fixed.
    pub(super) undo: Option<Vec<MigrationId>>,
    /// What is not to be applied again unasked, because this attempt has begun to undo it.
    pub(super) hold: Option<Hold>,
    /// What a dry run could not try.
    pub(super) notes: Vec<String>,
    /// The ledger as it was last seen.
    pub(super) observed: Option<Observed>,
    /// Why it did not succeed.
    pub(super) failure: Option<Failure>,
}

impl Report {
    /// Takes note of a ledger. What it records for this run was applied by it, and what it lacks of those that this run was
    /// to undo was undone, also if the connection or the process was lost before that could be told.
    pub(super) fn see(&mut self, catalogue: &ProviderCatalogue, ledger: &Ledger, run: RunId) {
        self.observed = Some(observe(catalogue, ledger));
        let ours: Vec<MigrationId> = match &self.undo {
            Some(list) => list.iter().filter(|id| ledger.get(id.as_str()).is_none()).cloned().collect(),
            None => {
                let ours = ledger.rows.iter().filter(|row| row.is_applied() && row.run_id == Some(run));
                ours.filter_map(|row| row.id.parse().ok()).collect()
            }
        };
        ours.into_iter().for_each(|id| self.applied(id));
    }

    /// Takes note of a migration that is applied, or undone.
    pub(super) fn applied(&mut self, id: MigrationId) {
        if !self.applied.contains(&id) {
            self.applied.push(id);
        }
    }

    /// The outcome that is recorded.
    pub(super) fn into_outcome(self, branch: &Branch, duration: Duration) -> BranchOutcome {
        let status = match &self.failure {
            None => OutcomeStatus::Succeeded,
            Some(failure) if failure.refused => OutcomeStatus::Refused,
            Some(_) => OutcomeStatus::Failed,
        };
        BranchOutcome {
            branch_id: branch.id,
            branch_code: branch.code.clone(),
            status,
            applied: self.applied,
            notes: self.notes,
            error: self.failure.map(|failure| *failure.error),
            duration,
            observed: self.observed,
        }
    }
}

/// What a ledger shows, as head office keeps it.
pub(super) fn observe(catalogue: &ProviderCatalogue, ledger: &Ledger) -> Observed {
    let lacks = pending(catalogue, ledger).len();
    Observed {
        last_migration: ledger.last_applied().map(|row| row.id.clone()),
        pending: u32::try_from(lacks).unwrap_or(u32::MAX),
        verified_digest: (lacks == 0).then(|| catalogue.digest().clone()),
    }
}

/// Turns what the provider reports into events and log lines.
pub(super) struct Progress<'a> {
    branch: &'a BranchCode,
    recorder: &'a Recorder,
    halt: &'a Halt,
    direction: Direction,
    total: u32,
    begun: u32,
    include_statements: bool,
    log_statements: bool,
}

impl<'a> Progress<'a> {
    /// Reports on `total` migrations of an attempt.
    pub(super) fn new(attempt: &Attempt<'a>, total: usize) -> Self {
        Self {
            branch: &attempt.branch.code,
            recorder: attempt.recorder,
            halt: attempt.halt,
            direction: attempt.direction(),
            total: count(total),
            begun: 0,
            include_statements: attempt.request.include_statements,
            log_statements: attempt.settings.log_statements,
        }
    }
}

impl Observer for Progress<'_> {
    fn each_statement(&self) -> bool {
        self.include_statements || self.log_statements
    }

    fn goes_on(&self) -> bool {
        self.halt.reason().is_none()
    }

    fn migration_started(&mut self, id: &MigrationId) {
        self.begun += 1;
        self.recorder.event(EventBody::MigrationStarted {
            branch_code: self.branch.clone(),
            migration_id: id.clone(),
            index: self.begun,
            total: self.total,
            direction: self.direction,
        });
    }

    fn statement_finished(&mut self, id: &MigrationId, index: usize, total: usize, took: Duration) {
        if self.log_statements {
            tracing::info!(migration = %id, statement = index + 1, total, ?took, "statement finished");
        }
        if self.include_statements {
            self.recorder.event(EventBody::StatementFinished {
                branch_code: self.branch.clone(),
                migration_id: id.clone(),
                index: count(index + 1),
                total: count(total),
                duration: took,
            });
        }
    }

    fn migration_finished(&mut self, id: &MigrationId, took: Duration) {
        tracing::debug!(migration = %id, ?took, direction = self.direction.as_str(), "migration finished");
        self.recorder.event(EventBody::MigrationFinished {
            branch_code: self.branch.clone(),
            migration_id: id.clone(),
            duration: took,
            direction: self.direction,
        });
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

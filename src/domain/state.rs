use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    BranchId, BranchOutcome, Checksum, FailureClass, MigrationError, MigrationId, OfflinePolicy, OutcomeStatus,
    ProviderCatalogue, RetryPolicy, RunId, Time,
};

/// Where a branch stands, as far as head office knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MigrationStatus {
    /// It has, or may have, migrations to apply.
    Pending,
    /// A replica is working on it.
    InProgress,
    /// It had nothing left to apply when it was last looked at.
    Completed,
    /// The last attempt failed; it will be tried again.
    Failed,
    /// It failed too often, or a statement's outcome is unknown: the orchestrator leaves it alone.
    RequiresManualIntervention,
}

impl MigrationStatus {
    /// Every status, in the order of the contract's enum.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::InProgress, Self::Completed, Self::Failed, Self::RequiresManualIntervention];

    /// The name used in stored rows, in totals and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::RequiresManualIntervention => "RequiresManualIntervention",
        }
    }

    /// The status of this name; `None` for a name this build does not know.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

impl fmt::Display for MigrationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Head office's claim that one replica works on a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The replica.
    pub owner: String,
    /// The fencing token: each acquisition of this branch's lease gets a higher one.
    pub token: i64,
    /// When the claim ends unless renewed.
    pub expires_time: Time,
}

/// Migrations that somebody has undone, and that are not applied again unasked.
///
/// It ends for a migration when it is applied on request, when its content changes, and when it is taken out of the
/// catalogue; and for all of them when somebody asks for another try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Since when.
    pub since: Time,
    /// The rollback.
    pub run_id: RunId,
    /// What was undone.
    pub migrations: Vec<HeldMigration>,
}

/// A migration that was undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldMigration {
    /// The migration.
    pub id: MigrationId,
    /// Its checksum at that time.
    pub checksum: Checksum,
}

impl Hold {
    /// Whether the catalogue still has what was undone, unchanged, so that applying everything would bring it back.
    pub fn binds(&self, catalogue: &ProviderCatalogue) -> bool {
        let same = |held: &HeldMigration| catalogue.get(&held.id).is_some_and(|now| now.checksum == held.checksum);
        self.migrations.iter().any(same)
    }

    /// What remains of it once migrations up to `target` were asked for; `None` is everything.
    pub fn lifted(mut self, target: Option<&MigrationId>) -> Option<Self> {
        self.migrations.retain(|held| target.is_some_and(|target| held.id > *target));
        (!self.migrations.is_empty()).then_some(self)
    }

    /// The same hold, together with an earlier one.
    pub fn with(mut self, earlier: Option<&Self>) -> Self {
        let earlier = earlier.into_iter().flat_map(|earlier| &earlier.migrations);
        let more: Vec<_> =
            earlier.filter(|held| self.migrations.iter().all(|each| each.id != held.id)).cloned().collect();
        self.migrations.extend(more);
        self
    }
}

/// Head office's last observation of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchState {
    /// The branch.
    pub branch_id: BranchId,
    /// Where it stands.
    pub status: MigrationStatus,
    /// The newest migration its ledger held.
    pub last_migration: Option<String>,
    /// When it was last worked on.
    pub last_attempt_time: Option<Time>,
    /// Failed attempts since the last success.
    pub retry_count: u32,
    /// The orchestrator does not try before this moment; `None` means as soon as it can.
    pub next_attempt_time: Option<Time>,
    /// Why the last attempt failed.
    pub error: Option<MigrationError>,
    /// Who works on it now.
    pub lease: Option<Lease>,
    /// How many migrations it lacked when it was last looked at; `None` when never looked at.
    pub pending_count: Option<u32>,
    /// The digest of the catalogue with which it was last seen to be up to date.
    pub verified_digest: Option<Checksum>,
    /// What a rollback has undone and the orchestrator leaves so.
    pub hold: Option<Hold>,
    /// The digest of the catalogue against which the hold was last looked at: until it changes, the branch is not due.
    pub held_digest: Option<Checksum>,
}

impl BranchState {
    /// The state of a branch that was just registered.
    pub fn new(branch_id: BranchId) -> Self {
        Self {
            branch_id,
            status: MigrationStatus::Pending,
            last_migration: None,
            last_attempt_time: None,
            retry_count: 0,
            next_attempt_time: None,
            error: None,
            lease: None,
            pending_count: None,
            verified_digest: None,
            hold: None,
            held_digest: None,
        }
    }

    /// The same state with this hold, looked at against `catalogue`.
    pub fn held(self, hold: Option<Hold>, catalogue: &ProviderCatalogue) -> Self {
        let binds = hold.as_ref().is_some_and(|hold| hold.binds(catalogue));
        Self { hold, held_digest: binds.then(|| catalogue.digest().clone()), ..self }
    }

    /// The state after an attempt that began in this state (status as it was *before* the lease made it `InProgress`).
    /// `jitter` in `0.0..=1.0` scatters the next attempt. The lease is given up.
    pub fn after(self, outcome: &BranchOutcome, now: Time, policy: &RetryPolicy, jitter: f64) -> Self {
        let wait = |failures| Some(now + policy.wait(failures, jitter));
        let before = self.status;
        let mut next = Self { lease: None, last_attempt_time: Some(now), ..self };
        if let Some(seen) = &outcome.observed {
            next.last_migration.clone_from(&seen.last_migration);
            next.pending_count = Some(seen.pending);
            next.verified_digest.clone_from(&seen.verified_digest);
        }
        match outcome.status {
            OutcomeStatus::Succeeded => {
                let pending = outcome.observed.as_ref().map_or(0, |seen| seen.pending);
                next.status = if pending == 0 { MigrationStatus::Completed } else { MigrationStatus::Pending };
                next.retry_count = 0;
                next.next_attempt_time = None;
                next.error = None;
            }
            OutcomeStatus::Refused | OutcomeStatus::Skipped => {
                // Nothing was learnt about the branch: it goes back to where it stood, and waits a little.
                next.status = if before == MigrationStatus::InProgress { MigrationStatus::Pending } else { before };
                next.next_attempt_time = wait(1);
            }
            OutcomeStatus::Failed => {
                let class = outcome.error.as_ref().map_or(FailureClass::Internal, |error| error.class);
                let offline = class == FailureClass::Connection && policy.offline == OfflinePolicy::KeepTrying;
                next.retry_count = next.retry_count.saturating_add(1);
                next.error.clone_from(&outcome.error);
                let needs_a_person = before == MigrationStatus::RequiresManualIntervention
                    || class == FailureClass::Ambiguous
                    || (next.retry_count >= policy.max_attempts && !offline);
                if needs_a_person {
                    next.status = MigrationStatus::RequiresManualIntervention;
                    next.next_attempt_time = None;
                } else {
                    next.status = MigrationStatus::Failed;
                    next.next_attempt_time = wait(next.retry_count);
                }
            }
        }
        next
    }

    /// The state after a person asked for another try: due now, with a clean count, and nothing held.
    pub fn retried(self) -> Self {
        Self {
            status: MigrationStatus::Pending,
            retry_count: 0,
            next_attempt_time: None,
            error: None,
            verified_digest: None,
            hold: None,
            held_digest: None,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Observed;

    fn outcome(status: OutcomeStatus, class: Option<FailureClass>) -> BranchOutcome {
        let code = "BR001".parse().unwrap();
        BranchOutcome {
            branch_id: BranchId::generate(),
            error: class.map(|class| MigrationError::new(&code, class, "no")),
            branch_code: code,
            status,
            applied: Vec::new(),
            notes: Vec::new(),
            duration: Default::default(),
            observed: None,
        }
    }

    fn after(state: BranchState, status: OutcomeStatus, class: Option<FailureClass>) -> BranchState {
        state.after(&outcome(status, class), Time::UNIX_EPOCH, &RetryPolicy::default(), 1.0)
    }

    #[test]
    fn the_third_failure_needs_a_person() {
        let mut state = BranchState::new(BranchId::generate());
        for expected in [MigrationStatus::Failed, MigrationStatus::Failed, MigrationStatus::RequiresManualIntervention]
        {
            state = after(state, OutcomeStatus::Failed, Some(FailureClass::Sql));
            assert_eq!(state.status, expected);
        }
        assert_eq!((state.retry_count, state.next_attempt_time), (3, None));
        let again = after(state.clone(), OutcomeStatus::Failed, Some(FailureClass::Sql));
        assert_eq!((again.status, again.retry_count), (MigrationStatus::RequiresManualIntervention, 4));
        let state = after(state, OutcomeStatus::Succeeded, None);
        assert_eq!((state.status, state.retry_count, state.error), (MigrationStatus::Completed, 0, None));
    }

    #[test]
    fn an_unknown_outcome_needs_a_person_at_once() {
        let state = after(BranchState::new(BranchId::generate()), OutcomeStatus::Failed, Some(FailureClass::Ambiguous));
        assert_eq!(state.status, MigrationStatus::RequiresManualIntervention);
    }

    #[test]
    fn a_refusal_counts_as_nothing() {
        let failed = after(BranchState::new(BranchId::generate()), OutcomeStatus::Failed, Some(FailureClass::Sql));
        let state = after(failed.clone(), OutcomeStatus::Refused, Some(FailureClass::Locked));
        assert_eq!((state.status, state.retry_count), (MigrationStatus::Failed, 1));
        assert_eq!(state.error, failed.error);
    }

    #[test]
    fn offline_branches_can_be_retried_without_end() {
        let policy = RetryPolicy { offline: OfflinePolicy::KeepTrying, ..RetryPolicy::default() };
        let mut state = BranchState::new(BranchId::generate());
        for _ in 0..50 {
            let failure = outcome(OutcomeStatus::Failed, Some(FailureClass::Connection));
            state = state.after(&failure, Time::UNIX_EPOCH, &policy, 0.0);
            assert_eq!(state.status, MigrationStatus::Failed);
        }
        assert_eq!(state.retry_count, 50);
    }

    #[test]
    fn stopping_at_a_target_leaves_the_rest_pending() {
        let mut done = outcome(OutcomeStatus::Succeeded, None);
        done.observed = Some(Observed { last_migration: Some("1_a".into()), pending: 2, verified_digest: None });
        let state = BranchState::new(done.branch_id).after(&done, Time::UNIX_EPOCH, &RetryPolicy::default(), 0.0);
        assert_eq!((state.status, state.pending_count), (MigrationStatus::Pending, Some(2)));
        assert_eq!(state.last_migration.as_deref(), Some("1_a"));
    }
}

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{BranchState, MigrationStatus, OutcomeStatus};

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// An attempt on a branch failed; it will be tried again.
    BranchFailed,
    /// A branch failed too often, or a statement's outcome is unknown: a person has to look.
    NeedsManualIntervention,
    /// A branch that was told of as failed is in order again.
    Recovered,
    /// A run is over, well or not.
    RunFinished,
    /// The migrations folder cannot be used; nothing new is applied until it is corrected.
    CatalogueBroken,
    /// The migrations folder is in order again.
    CatalogueMended,
    /// How many notifications a target was spared, because there were too many at once.
    HeldBack,
    /// Somebody tries out a target.
    Test,
}

impl NotificationKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::BranchFailed,
        Self::NeedsManualIntervention,
        Self::Recovered,
        Self::RunFinished,
        Self::CatalogueBroken,
        Self::CatalogueMended,
        Self::HeldBack,
        Self::Test,
    ];

    /// The kinds that a target can ask for. The others come of themselves.
    pub const EVENTS: [Self; 6] = [
        Self::BranchFailed,
        Self::NeedsManualIntervention,
        Self::Recovered,
        Self::RunFinished,
        Self::CatalogueBroken,
        Self::CatalogueMended,
    ];

    /// The name used in configuration, messages and stored rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BranchFailed => "branch_failed",
            Self::NeedsManualIntervention => "needs_manual_intervention",
            Self::Recovered => "recovered",
            Self::RunFinished => "run_finished",
            Self::CatalogueBroken => "catalogue_broken",
            Self::CatalogueMended => "catalogue_mended",
            Self::HeldBack => "held_back",
            Self::Test => "test",
        }
    }

    /// The kind of this name; `None` for a name this build does not know.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether it tells of something that somebody should look at.
    pub const fn is_trouble(self) -> bool {
        matches!(self, Self::BranchFailed | Self::NeedsManualIntervention | Self::CatalogueBroken)
    }
}

impl fmt::Display for NotificationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What to tell of a branch that had its turn with this outcome and is in the state `next` now. `in_trouble` says whether
/// the last thing told of it was a failure.
pub fn kind_of_outcome(outcome: OutcomeStatus, next: &BranchState, in_trouble: bool) -> Option<NotificationKind> {
    let is_well = next.error.is_none() && matches!(next.status, MigrationStatus::Completed | MigrationStatus::Pending);
    match outcome {
        OutcomeStatus::Succeeded if in_trouble && is_well => Some(NotificationKind::Recovered),
        // Without an error in the state the attempt did not count, as a dry run's does not.
        OutcomeStatus::Failed if next.error.is_none() => None,
        OutcomeStatus::Failed if next.status == MigrationStatus::RequiresManualIntervention => {
            Some(NotificationKind::NeedsManualIntervention)
        }
        OutcomeStatus::Failed => Some(NotificationKind::BranchFailed),
        OutcomeStatus::Succeeded | OutcomeStatus::Refused | OutcomeStatus::Skipped => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BranchId, FailureClass, MigrationError};

    fn state(status: MigrationStatus, failed: bool) -> BranchState {
        let code = "BR001".parse().unwrap();
        let error = failed.then(|| MigrationError::new(&code, FailureClass::Sql, "no"));
        BranchState { status, error, ..BranchState::new(BranchId::generate()) }
    }

    #[test]
    fn names_are_read_back() {
        for kind in NotificationKind::ALL {
            assert_eq!(NotificationKind::from_name(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
        assert_eq!(NotificationKind::from_name("other"), None);
    }

    #[test]
    fn each_change_gives_its_kind() {
        use MigrationStatus::{Completed, Failed, Pending, RequiresManualIntervention};
        use NotificationKind::{BranchFailed, NeedsManualIntervention, Recovered};
        let cases = [
            (OutcomeStatus::Failed, state(Failed, true), false, Some(BranchFailed)),
            (OutcomeStatus::Failed, state(Failed, true), true, Some(BranchFailed)),
            (OutcomeStatus::Failed, state(RequiresManualIntervention, true), true, Some(NeedsManualIntervention)),
            (OutcomeStatus::Failed, state(Completed, false), false, None),
            (OutcomeStatus::Succeeded, state(Completed, false), true, Some(Recovered)),
            (OutcomeStatus::Succeeded, state(Pending, false), true, Some(Recovered)),
            (OutcomeStatus::Succeeded, state(Completed, false), false, None),
            (OutcomeStatus::Succeeded, state(Failed, true), true, None),
            (OutcomeStatus::Refused, state(Failed, true), true, None),
            (OutcomeStatus::Skipped, state(Pending, false), true, None),
        ];
        for (outcome, next, in_trouble, expected) in cases {
            assert_eq!(kind_of_outcome(outcome, &next, in_trouble), expected, "{outcome:?} {next:?} {in_trouble}");
        }
    }
}

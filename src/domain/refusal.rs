use super::{FailureClass, Irreversible, LEDGER_FORMAT, MigrationId, shorten};

/// Why a branch cannot be migrated as asked. Nothing has been changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A ledger row was written by a newer program.
    NewerLedger {
        /// The row's migration.
        id: String,
        /// Its format.
        format: i32,
    },
    /// The ledger holds a migration that the catalogue lacks.
    Unknown {
        /// The migration.
        id: String,
    },
    /// An applied migration's file has changed since.
    ChecksumChanged {
        /// The migration.
        id: MigrationId,
        /// Its file.
        file: String,
        /// The checksum in the ledger, shortened.
        applied: String,
        /// The file's checksum, shortened.
        now: String,
    },
    /// An unapplied migration is older than an applied one.
    OutOfOrder {
        /// The migration.
        id: MigrationId,
        /// The newest applied one.
        newest: String,
    },
    /// A migration needs another one that will not have been applied by then.
    MissingDependency {
        /// The migration.
        id: MigrationId,
        /// What it needs.
        needs: MigrationId,
    },
    /// The target is older than what is applied.
    TargetBehind {
        /// The target.
        target: MigrationId,
        /// The newest applied one.
        newest: String,
    },
    /// One transaction was asked for, and this statement refuses to run inside one.
    RefusesTransaction {
        /// The migration.
        id: MigrationId,
        /// Its file.
        file: String,
        /// The statement's line; 0 when the migration itself sets the mode `None`.
        line: u32,
        /// The statement, shortened.
        statement: String,
    },
    /// A half-applied migration's statement that is done already has been changed in the file.
    DoneStatementChanged {
        /// The migration.
        id: MigrationId,
        /// Its file.
        file: String,
        /// The statement's line now; 0 when the file has fewer statements.
        line: u32,
        /// The statement's number, from 1.
        number: usize,
    },
    /// A rollback of the migration was interrupted, and has to be finished before anything is applied.
    HalfUndone {
        /// The migration.
        id: MigrationId,
    },
    /// A rollback of a migration that this rollback leaves out was interrupted.
    HalfUndoneElsewhere {
        /// The migration.
        id: String,
    },
    /// The migration was applied in part, and has to be applied wholly before anything is undone.
    HalfApplied {
        /// The migration.
        id: String,
    },
    /// A migration that is to be undone has no down script.
    Irreversible {
        /// The migration.
        id: MigrationId,
        /// Its up file.
        file: String,
        /// Which operation of a portable migration can't be undone, its line, and what to do.
        reason: Option<Irreversible>,
    },
    /// A migration that is to be undone is needed by one that stays.
    StillNeeded {
        /// The migration.
        id: MigrationId,
        /// The one that stays.
        by: MigrationId,
    },
    /// A statement would destroy something for good, and that was not allowed.
    LosesData {
        /// The migration.
        id: MigrationId,
        /// Its down file.
        file: String,
        /// The statement's line.
        line: u32,
        /// What would be lost.
        what: String,
    },
    /// No migration is applied that could be undone.
    NothingToUndo,
    /// Fewer migrations are applied than are to be undone.
    TooManySteps {
        /// How many are to be undone.
        asked: usize,
        /// How many are applied.
        applied: usize,
    },
    /// The migration that is to stay applied is not.
    TargetNotApplied {
        /// The migration.
        target: MigrationId,
    },
    /// A migration was applied on top of those that an interrupted rollback has yet to undo.
    AppliedSince {
        /// The migration.
        id: String,
    },
}

impl Refusal {
    /// How the refusal is classed.
    pub fn class(&self) -> FailureClass {
        match self {
            Self::ChecksumChanged { .. } | Self::DoneStatementChanged { .. } => FailureClass::Checksum,
            _ => FailureClass::Catalogue,
        }
    }

    /// Whether the request was at fault rather than the branch, so that the branch's state stays as it was.
    pub fn blames_request(&self) -> bool {
        matches!(
            self,
            Self::TargetBehind { .. }
                | Self::HalfUndoneElsewhere { .. }
                | Self::HalfApplied { .. }
                | Self::Irreversible { .. }
                | Self::StillNeeded { .. }
                | Self::LosesData { .. }
                | Self::NothingToUndo
                | Self::TooManySteps { .. }
                | Self::TargetNotApplied { .. }
                | Self::AppliedSince { .. }
        )
    }

    /// Whether the branch is ahead of the service rather than in trouble: what is not known is newer than `newest`, the
    /// newest migration that the service knows. So it is between the updates of two services that share a head office.
    pub fn is_ahead(&self, newest: Option<&MigrationId>) -> bool {
        match self {
            Self::NewerLedger { .. } => true,
            Self::Unknown { id } => id.parse::<MigrationId>().is_ok_and(|id| newest.is_none_or(|newest| id > *newest)),
            _ => false,
        }
    }

    /// The migration concerned; empty when there is none in particular.
    pub fn migration(&self) -> &str {
        match self {
            Self::NothingToUndo | Self::TooManySteps { .. } => "",
            Self::NewerLedger { id, .. }
            | Self::Unknown { id }
            | Self::HalfUndoneElsewhere { id }
            | Self::HalfApplied { id }
            | Self::AppliedSince { id } => id,
            Self::HalfUndone { id }
            | Self::Irreversible { id, .. }
            | Self::StillNeeded { id, .. }
            | Self::LosesData { id, .. }
            | Self::TargetNotApplied { target: id }
            | Self::ChecksumChanged { id, .. }
            | Self::OutOfOrder { id, .. }
            | Self::MissingDependency { id, .. }
            | Self::TargetBehind { target: id, .. }
            | Self::RefusesTransaction { id, .. }
            | Self::DoneStatementChanged { id, .. } => id.as_str(),
        }
    }

    /// The file and line concerned; empty and 0 when there is none.
    pub fn place(&self) -> (&str, u32) {
        match self {
            Self::ChecksumChanged { file, .. } => (file, 0),
            Self::Irreversible { file, reason, .. } => (file, reason.as_ref().map_or(0, |reason| reason.line)),
            Self::RefusesTransaction { file, line, .. }
            | Self::DoneStatementChanged { file, line, .. }
            | Self::LosesData { file, line, .. } => (file, *line),
            _ => ("", 0),
        }
    }

    /// What is wrong.
    pub fn message(&self) -> String {
        match self {
            Self::NewerLedger { id, format } => format!(
                "the ledger's row for '{}' has format {format}; this Branchkeeper knows formats up to {LEDGER_FORMAT}",
                shorten(id, MigrationId::MAX)
            ),
            Self::Unknown { id } => {
                format!("the ledger holds '{}', which the catalogue does not have", shorten(id, MigrationId::MAX))
            }
            Self::ChecksumChanged { id, applied, now, .. } => {
                format!("{id} was changed after it was applied: checksum {applied} then, {now} now")
            }
            Self::OutOfOrder { id, newest } => {
                format!("{id} is not applied, but the newer {} is", shorten(newest, MigrationId::MAX))
            }
            Self::MissingDependency { id, needs } => format!("{id} depends on {needs}, which is not applied before it"),
            Self::TargetBehind { target, newest } => {
                format!("the target {target} is older than {}, which is applied", shorten(newest, MigrationId::MAX))
            }
            Self::RefusesTransaction { id, line: 0, .. } => {
                format!("{id} asks for transaction mode None, so it cannot be part of one transaction for all")
            }
            Self::RefusesTransaction { id, statement, .. } => {
                format!("{id} cannot be part of one transaction for all: '{statement}' refuses to run inside one")
            }
            Self::DoneStatementChanged { id, file, line: 0, number } => {
                format!("{id} stands half-way, and its statement {number}, which is done, is no longer in {file}")
            }
            Self::DoneStatementChanged { id, file, number, .. } => {
                format!("{id} stands half-way, and its statement {number}, which is done, was changed in {file}")
            }
            Self::HalfUndone { id } => format!("{id} stands half undone: a rollback of it was interrupted"),
            Self::HalfUndoneElsewhere { id } => {
                let id = shorten(id, MigrationId::MAX);
                format!("{id} stands half undone, and this rollback would leave it so")
            }
            Self::HalfApplied { id } => format!("{} stands half applied", shorten(id, MigrationId::MAX)),
            Self::Irreversible { id, reason: None, .. } => format!("{id} cannot be undone: it has no down script"),
            Self::Irreversible { id, file, reason: Some(Irreversible { line, reason }) } => {
                format!("{id} cannot be undone: {reason} ({file}:{line})")
            }
            Self::StillNeeded { id, by } => format!("{id} cannot be undone: {by}, which stays applied, depends on it"),
            Self::LosesData { id, file, line, what } => {
                format!("undoing {id} destroys {what} for good ({file}:{line})")
            }
            Self::NothingToUndo => "no migration is applied that could be undone".to_owned(),
            Self::TooManySteps { asked, applied } => {
                format!("{asked} migrations are to be undone, but only {applied} are applied")
            }
            Self::TargetNotApplied { target } => format!("{target}, which is to stay applied, is not applied"),
            Self::AppliedSince { id } => {
                let id = shorten(id, MigrationId::MAX);
                format!("{id} was applied on top of what the interrupted rollback was about to undo")
            }
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NewerLedger { .. } => "use the Branchkeeper version that migrated this branch, or a newer one",
            Self::Unknown { .. } => {
                "put the migration's file back, or use the catalogue that this branch was migrated with"
            }
            Self::ChecksumChanged { .. } => "restore the file and put the change into a new migration",
            Self::OutOfOrder { .. } => {
                "give the migration a newer number, or set migration.out_of_order = true if order does not matter"
            }
            Self::MissingDependency { .. } => "add the missing migration, or correct depends-on",
            Self::TargetBehind { .. } => "leave the target out, or name a newer migration",
            Self::RefusesTransaction { .. } => "use transaction mode PerMigration",
            Self::DoneStatementChanged { .. } => {
                "restore the statement; statements that are not done yet may be changed"
            }
            Self::HalfUndone { .. } => "finish it with a rollback (`branchkeeper down`), then apply again",
            Self::HalfUndoneElsewhere { .. } => "undo it first: `branchkeeper down` without a target goes on with it",
            Self::HalfApplied { .. } => "finish it by applying (`branchkeeper up`), then undo it",
            Self::Irreversible { .. } => {
                "write its down file, or undo its effect with a new migration; nothing was changed"
            }
            Self::StillNeeded { .. } => "undo both, by naming a target before them",
            Self::LosesData { .. } => {
                "allow it with --allow-data-loss (allow_data_loss) if that is meant; nothing was changed"
            }
            Self::NothingToUndo => "look at the branch's history",
            Self::TooManySteps { .. } => "ask for fewer steps, or name the migration that is to stay applied",
            Self::TargetNotApplied { .. } => "name an applied migration; the branch's history lists them",
            Self::AppliedSince { .. } => "look at the branch's history, and ask for a new rollback",
        }
    }
}

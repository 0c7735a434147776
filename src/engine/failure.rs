use std::ops::Range;

use super::halt::{Halt, HaltReason};
use crate::domain::{Branch, Direction, FailureClass, Intent, MigrationError, Planned, Refusal, shorten};
use crate::provider::{ErrorKind, ExecutionError, Outcome, ProviderError};

/// Why an attempt on a branch ended early.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// Whether it says nothing about the branch, so that the branch's state stays as it was.
    pub(super) refused: bool,
    /// The error that is shown.
    pub(super) error: Box<MigrationError>,
}

impl Failure {
    /// A failure of the branch itself.
    pub(super) fn failed(error: MigrationError) -> Self {
        Self { refused: false, error: Box::new(error) }
    }

    /// A failure that says nothing about the branch.
    pub(super) fn refused(error: MigrationError) -> Self {
        Self { refused: true, error: Box::new(error) }
    }

    /// The planner's refusals as one error; the first is told in full, the others are named.
    pub(super) fn from_refusals(branch: &Branch, refusals: &[Refusal]) -> Self {
        let Some(first) = refusals.first() else {
            return Self::failed(MigrationError::new(&branch.code, FailureClass::Internal, "refused without a reason"));
        };
        let mut message = first.message();
        for other in refusals.iter().skip(1).take(9) {
            message.push_str("; ");
            message.push_str(&other.message());
        }
        if refusals.len() > 10 {
            message.push_str(&format!("; and {} more", refusals.len() - 10));
        }
        let (file, line) = first.place();
        let error = MigrationError {
            migration_id: first.migration().parse().ok(),
            file: file.to_owned(),
            line,
            ..MigrationError::new(&branch.code, first.class(), message).hint(first.hint())
        };
        Self { refused: refusals.iter().all(Refusal::blames_request), error: Box::new(error) }
    }

    /// An error of the provider that concerns no migration in particular.
    pub(super) fn from_provider(branch: &Branch, error: ProviderError, halt: &Halt) -> Self {
        let refused = matches!(
            error.kind,
            ErrorKind::Locked { .. } | ErrorKind::Busy | ErrorKind::Cancelled | ErrorKind::FenceLost
        );
        if matches!(error.kind, ErrorKind::Cancelled)
            && let Some(reason) = halt.reason()
        {
            return Self::halted(branch, reason);
        }
        let shown = MigrationError {
            provider_code: error.code.clone(),
            ..MigrationError::new(&branch.code, error.class(), error.message.clone()).hint(error.hint.clone())
        };
        Self { refused, error: Box::new(shown) }
    }

    /// An error of the provider while it ran a plan.
    pub(super) fn from_execution(branch: &Branch, planned: &[&Planned], error: ExecutionError, halt: &Halt) -> Self {
        let position = error.error.position;
        let direction = planned.first().map_or(Direction::Up, |planned| planned.direction);
        let outcome = error.outcome;
        let mut failure = Self::from_provider(branch, error.error, halt);
        if failure.error.hint.is_empty() {
            failure.error.hint = what_now(outcome, direction).to_owned();
        }
        let at = error.migration.as_ref();
        if let Some(planned) = planned.iter().find(|planned| Some(&planned.migration.id) == at) {
            let script = planned.script();
            if let Outcome::InDoubt { end, recorded: true } = outcome {
                failure.error.hint = settle_together(branch, &(error.done..end));
            }
            failure.error.migration_id = Some(planned.migration.id.clone());
            failure.error.file.clone_from(&script.file);
            failure.error.statements_done = u32::try_from(error.done).unwrap_or(u32::MAX);
            failure.error.statements_total = u32::try_from(script.statements.len()).unwrap_or(u32::MAX);
            if let Some(statement) = error.statement.and_then(|index| script.statements.get(index)) {
                failure.error.line = position.map_or(statement.line, |offset| statement.position(offset).0);
                failure.error.statement = shorten(&statement.sql, 200);
                if let Some(lines) = statement.lines_in_words() {
                    failure.error.hint = format!("the statement {lines}; {}", failure.error.hint);
                }
            }
        }
        failure
    }

    /// Whether nothing more is begun in the same attempt once the outcome is known: the migration's time is over.
    pub(super) fn ends_attempt(&self) -> bool {
        self.error.class == FailureClass::Timeout
    }

    /// The same, when it was found out after another failure, which tells more of what happened.
    pub(super) fn after(mut self, earlier: &Self) -> Self {
        if self.error.class == FailureClass::Ambiguous && earlier.error.class != FailureClass::Ambiguous {
            self.error.message = format!("{}; it ended with: {}", self.error.message, earlier.error.message);
            self.error.provider_code.clone_from(&earlier.error.provider_code);
        }
        self
    }

    /// The work was told to stop.
    pub(super) fn halted(branch: &Branch, reason: HaltReason) -> Self {
        let (class, message, hint) = match reason {
            HaltReason::Cancelled => {
                (FailureClass::Cancelled, "the run was cancelled", "apply again when the branch should go on")
            }
            HaltReason::Stopping => {
                (FailureClass::Cancelled, "the service is stopping", "the run goes on when the service is back")
            }
            HaltReason::LeaseLost => (
                FailureClass::Locked,
                "head office gave the branch to another process, or could not be reached to renew the lease",
                "the other process, or the next attempt, goes on from the branch's ledger",
            ),
        };
        Self::refused(MigrationError::new(&branch.code, class, message).hint(hint))
    }

    /// The outcome of these statements is unknown and cannot be found out.
    pub(super) fn ambiguous(branch: &Branch, planned: &Planned, doubtful: &Range<usize>) -> Self {
        let script = planned.script();
        let first = script.statements.get(doubtful.start);
        let message = match planned.intent() {
            Some(Intent::Together { .. }) => format!(
                "in an earlier attempt, the transaction of {} did not hold: which of them took effect cannot be read back",
                numbered(doubtful)
            ),
            _ => format!(
                "an earlier attempt was interrupted while {} ran, and whether it took effect cannot be read back",
                numbered(doubtful)
            ),
        };
        let hint = match planned.intent() {
            Some(Intent::Together { .. }) => settle_together(branch, doubtful),
            _ => format!(
                "look in the branch's database whether the statement took effect, then settle it with \
                 `branchkeeper resolve {0} --applied` or `branchkeeper resolve {0} --not-applied`, which runs it again",
                branch.code
            ),
        };
        Self::failed(MigrationError {
            migration_id: Some(planned.migration.id.clone()),
            file: script.file.clone(),
            line: first.map_or(0, |statement| statement.line),
            statement: first.map(|statement| shorten(&statement.sql, 200)).unwrap_or_default(),
            statements_done: u32::try_from(doubtful.start).unwrap_or(u32::MAX),
            statements_total: u32::try_from(script.statements.len()).unwrap_or(u32::MAX),
            ..MigrationError::new(&branch.code, FailureClass::Ambiguous, message).hint(hint)
        })
    }
}

fn numbered(statements: &Range<usize>) -> String {
    match statements.len() {
        0 | 1 => format!("statement {}", statements.start + 1),
        _ => format!("statements {} to {}", statements.start + 1, statements.end),
    }
}

/// What a person does about statements of which any may have taken effect.
pub(super) fn settle_together(branch: &Branch, statements: &Range<usize>) -> String {
    format!(
        "leave transactions to Branchkeeper, and look in the branch's database what {1} did. Make it all of it or none by \
         hand; then say `branchkeeper resolve {0} --applied`, or correct the file and say `branchkeeper resolve {0} \
         --not-applied`, which runs all of it again",
        branch.code,
        numbered(statements)
    )
}

/// What to do after a migration failed, by what it left behind.
fn what_now(outcome: Outcome, direction: Direction) -> &'static str {
    match (outcome, direction) {
        (Outcome::RolledBack, Direction::Up) => {
            "nothing of it was kept; correct the file or the branch's data, then apply again"
        }
        (Outcome::RolledBack, Direction::Down) => {
            "nothing of it was kept, and the migration is still applied; correct the down file or the branch's data, then \
             roll back again"
        }
        (Outcome::Partial, _) => {
            "the statements before it stay; correct this one or the branch's data, and the next attempt goes on here"
        }
        // What is in doubt names the branch.
        (Outcome::InDoubt { .. }, _) => "",
        (Outcome::Unknown, _) => "the next attempt reads the branch's ledger to find out what took effect",
    }
}

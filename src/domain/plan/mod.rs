use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Intent, Migration, MigrationId, Progress, Script, Statement, TransactionMode};

mod down;
mod down_rows;
mod preview;
mod units;
mod up;

pub use self::down::{DownPolicy, Undo, plan_down};
pub use self::preview::{plan_digest, transactions};
pub use self::up::{pending, plan_up};

#[cfg(test)]
mod down_tests;
#[cfg(test)]
mod tests;

/// Which way a migration is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Direction {
    /// It is applied.
    #[default]
    Up,
    /// It is undone.
    Down,
}

impl Direction {
    /// The name used in digests, logs and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "Up",
            Self::Down => "Down",
        }
    }

    /// The layout of the ledger rows that work in this direction writes. A program that does not know how to undo reads a
    /// row that stands half undone as one of a newer program, and leaves it alone.
    pub const fn ledger_format(self) -> i32 {
        match self {
            Self::Up => 1,
            Self::Down => 2,
        }
    }
}

/// How far to go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Target {
    /// Everything, repeatable migrations included.
    #[default]
    Latest,
    /// Versioned migrations up to and including this one; no repeatable ones.
    UpTo(MigrationId),
}

impl Target {
    fn includes(&self, id: &MigrationId) -> bool {
        match self {
            Self::Latest => true,
            Self::UpTo(last) => !id.is_repeatable() && id <= last,
        }
    }
}

/// What the planner lets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Apply migrations that are older than the newest applied one.
    pub out_of_order: bool,
    /// Refuse when an applied migration's file has changed.
    pub validate_checksums: bool,
    /// The mode of migrations that do not set their own.
    pub transaction_mode: TransactionMode,
}

impl Default for Policy {
    fn default() -> Self {
        Self { out_of_order: false, validate_checksums: true, transaction_mode: TransactionMode::PerMigration }
    }
}

/// What will be done to one branch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The units in order. Empty when the branch is up to date.
    pub units: Vec<Unit>,
}

impl Plan {
    /// The planned migrations in order.
    pub fn migrations(&self) -> impl Iterator<Item = &Planned> {
        self.units.iter().flat_map(Unit::migrations)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }
}

/// What commits together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// These migrations and what the ledger says of them, in one transaction.
    Atomic(Vec<Planned>),
    /// One migration in segments, each recorded in the ledger's journal as it is done.
    Stepwise(Planned, Vec<Segment>),
}

impl Unit {
    /// Its migrations in order.
    pub fn migrations(&self) -> &[Planned] {
        match self {
            Self::Atomic(planned) => planned,
            Self::Stepwise(planned, _) => std::slice::from_ref(planned),
        }
    }
}

/// One migration of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The migration.
    pub migration: Arc<Migration>,
    /// Whether it is applied or undone.
    pub direction: Direction,
    /// The journal of an earlier, interrupted attempt.
    pub resume: Option<Progress>,
    /// Whether a ledger row of an earlier content is replaced (a repeatable migration that has changed).
    pub replaces: bool,
}

impl Planned {
    /// What is run.
    pub fn script(&self) -> &Script {
        /// The planner plans no undoing of what has no down script.
        static NOTHING: Script = Script { file: String::new(), statements: Vec::new() };
        match self.direction {
            Direction::Up => &self.migration.up,
            Direction::Down => self.migration.down.as_ref().unwrap_or(&NOTHING),
        }
    }

    /// The index of the first statement that is still to be run.
    pub fn begin(&self) -> usize {
        self.resume.as_ref().map_or(0, |progress| progress.done.len().min(self.script().statements.len()))
    }

    /// The statements that are still to be run, with their indexes.
    pub fn remaining(&self) -> impl Iterator<Item = (usize, &Statement)> {
        self.script().statements.iter().enumerate().skip(self.begin())
    }

    /// What an earlier, interrupted attempt has begun and of which it did not record the outcome.
    pub fn intent(&self) -> Option<&Intent> {
        self.resume.as_ref()?.intent.as_ref()
    }

    /// The statements that were begun and whose outcome is unknown: one that ran outside any transaction, or all of a
    /// transaction that did not hold.
    pub fn doubtful(&self) -> Option<Range<usize>> {
        let begin = self.resume.as_ref()?.done.len();
        let end = self.script().statements.len().max(begin);
        self.intent().map(|intent| begin..begin.saturating_add(intent.count()).min(end))
    }
}

/// A part of a migration that is run stepwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// These statements and the journal's entry for them, in one transaction.
    Transaction(Range<usize>),
    /// This one statement outside any transaction: intent before, success after.
    Alone(usize),
}

impl Segment {
    /// The same work with these statements, in ascending order, taken out of its transaction.
    pub fn apart(self, alone: &[usize]) -> Vec<Segment> {
        let range = match self {
            Self::Transaction(range) if !alone.is_empty() => range,
            whole => return vec![whole],
        };
        let mut segments = Vec::new();
        let mut begin = range.start;
        for &index in alone.iter().filter(|index| range.contains(index)) {
            if begin < index {
                segments.push(Self::Transaction(begin..index));
            }
            segments.push(Self::Alone(index));
            begin = index + 1;
        }
        if begin < range.end {
            segments.push(Self::Transaction(begin..range.end));
        }
        segments
    }
}

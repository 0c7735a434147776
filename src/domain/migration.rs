use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Checksum, MigrationId, Script};

/// One migration as it reads for one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The stem of its file name.
    pub id: MigrationId,
    /// What it is for, from the file's `description` directive; empty when there is none.
    pub description: String,
    /// The checksum of the up file that this provider uses.
    pub checksum: Checksum,
    /// The file's own transaction mode; `None` leaves it to the request and the configuration.
    pub transaction_mode: Option<TransactionMode>,
    /// The file's own time limit; `None` leaves it to the configuration.
    pub timeout: Option<Duration>,
    /// Migrations that must be applied before this one.
    pub depends_on: Vec<MigrationId>,
    /// What to run.
    pub up: Script,
    /// What undoes it: the down file, or what follows from a portable migration. `None` when nothing does.
    pub down: Option<Script>,
    /// Why a portable migration has no `down`. `None` when it has one, and for a migration of SQL files.
    pub irreversible: Option<Irreversible>,
}

/// The operation of a portable migration that stands in the way of undoing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Irreversible {
    /// The operation's line in the up file, counted from 1.
    pub line: u32,
    /// Which operation it is, and what to do.
    pub reason: String,
}

/// How migrations and transactions go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum TransactionMode {
    /// Each migration in a transaction of its own, its ledger row included.
    #[default]
    PerMigration,
    /// All pending migrations of a branch in a single transaction.
    AllInOne,
    /// No transaction around a migration: every statement is committed by itself and journaled.
    None,
}

impl TransactionMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::PerMigration, Self::AllInOne, Self::None];

    /// The name used in files, configuration and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PerMigration => "PerMigration",
            Self::AllInOne => "AllInOne",
            Self::None => "None",
        }
    }
}

impl fmt::Display for TransactionMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TransactionMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("'{text}' is not a transaction mode; use PerMigration, AllInOne or None"))
    }
}

use serde::{Deserialize, Serialize};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// The schema is not what the catalogue says.
    Error,
    /// Worth knowing; the schema is still valid.
    Warning,
}

/// What kind of disagreement a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FindingKind {
    /// The database does not exist or can't be read.
    Unreachable,
    /// The ledger's table is missing.
    LedgerMissing,
    /// An applied migration's checksum is not the catalogue's.
    ChecksumMismatch,
    /// The ledger holds a migration that the catalogue lacks.
    UnknownMigration,
    /// A row was written by a newer program.
    NewerLedger,
    /// A migration stands half-way.
    PartialMigration,
    /// A table that ought to exist does not.
    MissingTable,
    /// Migrations are waiting to be applied.
    PendingMigration,
}

impl FindingKind {
    /// The name used in the contract and in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "Unreachable",
            Self::LedgerMissing => "LedgerMissing",
            Self::ChecksumMismatch => "ChecksumMismatch",
            Self::UnknownMigration => "UnknownMigration",
            Self::NewerLedger => "NewerLedger",
            Self::PartialMigration => "PartialMigration",
            Self::MissingTable => "MissingTable",
            Self::PendingMigration => "PendingMigration",
        }
    }
}

/// One thing that validation found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What it is about.
    pub kind: FindingKind,
    /// What was found and what to do.
    pub message: String,
    /// The table or other object; empty when none is concerned.
    pub object: String,
    /// The migration; empty when none is concerned.
    pub migration_id: String,
}

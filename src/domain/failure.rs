use std::fmt;

use serde::{Deserialize, Serialize};

use super::{BranchCode, MigrationId};

/// Why an attempt on a branch failed, as far as it matters for what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FailureClass {
    /// The branch's database could not be reached, or the connection was lost.
    Connection,
    /// The server refused the user or password, or they could not be had.
    Authentication,
    /// Somebody else works on the branch. Counts as nothing.
    Locked,
    /// A time limit ran out.
    Timeout,
    /// The database refused a statement.
    Sql,
    /// An applied migration's file has changed since.
    Checksum,
    /// Ledger and catalogue do not fit each other, or the catalogue can't be used.
    Catalogue,
    /// A statement's outcome is unknown; a person has to look.
    Ambiguous,
    /// The run was cancelled or the service is stopping.
    Cancelled,
    /// A fault of Branchkeeper's own.
    Internal,
    /// The branch's plan is no longer the one that the request was made for. Counts as nothing.
    PlanChanged,
}

impl FailureClass {
    /// Every class, in the order of the contract's enum.
    pub const ALL: [Self; 11] = [
        Self::Connection,
        Self::Authentication,
        Self::Locked,
        Self::Timeout,
        Self::Sql,
        Self::Checksum,
        Self::Catalogue,
        Self::Ambiguous,
        Self::Cancelled,
        Self::Internal,
        Self::PlanChanged,
    ];

    /// The name used in stored rows, logs and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "Connection",
            Self::Authentication => "Authentication",
            Self::Locked => "Locked",
            Self::Timeout => "Timeout",
            Self::Sql => "Sql",
            Self::Checksum => "Checksum",
            Self::Catalogue => "Catalogue",
            Self::Ambiguous => "Ambiguous",
            Self::Cancelled => "Cancelled",
            Self::Internal => "Internal",
            Self::PlanChanged => "PlanChanged",
        }
    }

    /// The class of this name; `None` for a name this build does not know.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }

    /// Whether the attempt counts towards the limit after which a person is needed. A lock held by somebody else, a
    /// cancelled run and a plan that has changed say nothing about the branch.
    pub const fn counts(self) -> bool {
        !matches!(self, Self::Locked | Self::Cancelled | Self::PlanChanged)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What went wrong on a branch, told so that a person can act on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationError {
    /// The branch.
    pub branch_code: BranchCode,
    /// The migration, when one was being worked on.
    pub migration_id: Option<MigrationId>,
    /// The class.
    pub class: FailureClass,
    /// What happened. Never holds a secret.
    pub message: String,
    /// What to do about it; empty when there is nothing to add.
    pub hint: String,
    /// The migration file, empty when none is concerned.
    pub file: String,
    /// The line in that file, from 1; 0 when unknown.
    pub line: u32,
    /// The statement, shortened; empty when none is concerned.
    pub statement: String,
    /// The server's own error code (SQLSTATE or number); empty when there is none.
    pub provider_code: String,
    /// How many statements of the migration took effect and stay.
    pub statements_done: u32,
    /// How many statements the migration has; 0 when none was being worked on.
    pub statements_total: u32,
}

impl MigrationError {
    /// An error without a migration.
    pub fn new(branch: &BranchCode, class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            branch_code: branch.clone(),
            migration_id: None,
            class,
            message: message.into(),
            hint: String::new(),
            file: String::new(),
            line: 0,
            statement: String::new(),
            provider_code: String::new(),
            statements_done: 0,
            statements_total: 0,
        }
    }

    /// The same error with what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl fmt::Display for MigrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.branch_code)?;
        if let Some(id) = &self.migration_id {
            write!(f, "{id}: ")?;
        }
        if !self.file.is_empty() {
            write!(f, "{}:{}: ", self.file, self.line)?;
        }
        f.write_str(&self.message)
    }
}

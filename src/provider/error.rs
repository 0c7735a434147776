use crate::domain::{FailureClass, MigrationId, Time};

/// What went wrong with a branch's database. Never holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// What happened, and to which thing.
    pub message: String,
    /// What to do about it; empty when there is nothing to add.
    pub hint: String,
    /// The server's own code: SQLSTATE, MySQL's error number, or SQLite's extended result code. Empty when the failure is not the server's.
    pub code: String,
    /// Where in the failing statement, in characters from its first (0). `None` when the server did not say.
    pub position: Option<usize>,
}

/// The kinds of failure that callers tell apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// The database, or the schema in it, does not exist.
    DatabaseMissing,
    /// Nobody answers there.
    Unreachable,
    /// The connection broke, or was given up, after it had been made.
    Lost,
    /// The server has no connection to spare, or is still starting. Says nothing about the branch.
    Busy,
    /// The server refused the user or password, or the password could not be had.
    Authentication,
    /// Somebody else holds the branch's session lock.
    Locked {
        /// Who, as far as it can be told.
        holder: String,
        /// Until when; `None` when the lock ends with its holder's connection.
        until: Option<Time>,
    },
    /// The session lock has gone to somebody else. Nothing was committed.
    FenceLost,
    /// A newer lease of the same head office has locked this branch before.
    StaleToken {
        /// The token that the branch knows.
        stored: i64,
    },
    /// A time limit ran out.
    Timeout,
    /// It was stopped because the caller asked for it.
    Cancelled,
    /// The server refused a statement.
    Sql,
    /// The file is not a database, or is damaged.
    NotADatabase,
    /// The database, its file or its folder can't be written.
    ReadOnly,
    /// No space is left.
    DiskFull,
    /// The ledger can't be read, or is not Branchkeeper's.
    Ledger,
    /// The connection asks for something that can't be done safely.
    Unsupported,
    /// Statements took effect of which the ledger cannot say whether they did: a person has to look.
    Ambiguous,
    /// A fault of Branchkeeper's own.
    Internal,
}

impl ProviderError {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: String::new(), code: String::new(), position: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    pub(super) fn code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    /// The class under which the failure is counted and shown.
    pub fn class(&self) -> FailureClass {
        match self.kind {
            ErrorKind::DatabaseMissing
            | ErrorKind::Unreachable
            | ErrorKind::Lost
            | ErrorKind::Busy
            | ErrorKind::Unsupported => FailureClass::Connection,
            ErrorKind::Authentication => FailureClass::Authentication,
            ErrorKind::Locked { .. } | ErrorKind::FenceLost | ErrorKind::StaleToken { .. } => FailureClass::Locked,
            ErrorKind::Timeout => FailureClass::Timeout,
            ErrorKind::Cancelled => FailureClass::Cancelled,
            ErrorKind::Sql | ErrorKind::NotADatabase | ErrorKind::ReadOnly | ErrorKind::DiskFull => FailureClass::Sql,
            ErrorKind::Ledger => FailureClass::Catalogue,
            ErrorKind::Ambiguous => FailureClass::Ambiguous,
            ErrorKind::Internal => FailureClass::Internal,
        }
    }

    /// Whether the failure counts towards the limit after which a person is needed: a server that has no connection to
    /// spare says nothing about the branch, as little as a lock or a cancellation does.
    pub fn counts(&self) -> bool {
        self.kind != ErrorKind::Busy && self.class().counts()
    }
}

/// A migration that did not go through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct ExecutionError {
    /// Why.
    pub error: ProviderError,
    /// The migration that was being run; `None` when it failed before the first or at the common commit.
    pub migration: Option<MigrationId>,
    /// The index of the failing statement in its migration; `None` when no statement of the file is to blame.
    pub statement: Option<usize>,
    /// How many statements of that migration took effect and stay.
    pub done: usize,
    /// What stands in the database now.
    pub outcome: Outcome,
}

/// What a failed piece of work left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: the database is as it was before the unit.
    RolledBack,
    /// Earlier statements of the migration stay, and the ledger's journal says which.
    Partial,
    /// The unit's transaction did not hold: one of its statements ended it, or changed what no transaction takes back. A
    /// person has to settle it. Never to be run again unasked.
    InDoubt {
        /// The index behind the last statement of which that holds; the first is that behind those that are done.
        end: usize,
        /// Whether the journal says so. Otherwise it has to be told, with [`Session::put_in_doubt`](super::Session::put_in_doubt).
        recorded: bool,
    },
    /// Not known: the connection was lost while committing, or a statement outside any transaction was cut off. Connect
    /// anew, read the ledger, and probe the statement that it names.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_cancellation_and_a_full_server_do_not_count() {
        let locked = ErrorKind::Locked { holder: String::new(), until: None };
        for kind in [locked, ErrorKind::FenceLost, ErrorKind::Busy, ErrorKind::Cancelled] {
            assert!(!ProviderError::new(kind, "").counts());
        }
        assert!(ProviderError::new(ErrorKind::Unreachable, "").counts());
    }
}

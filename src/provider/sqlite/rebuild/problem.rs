use crate::provider::error::{ErrorKind, ProviderError};

/// Why a table can't be rebuilt as asked, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::provider) struct Problem {
    message: String,
    hint: String,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: String::new() }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// The same, said of a table.
    pub(super) fn of(self, table: &str) -> Self {
        self.said(table, "rebuilt")
    }

    /// The same, said of a table that was to be dropped.
    pub(super) fn of_dropped(self, table: &str) -> Self {
        self.said(table, "dropped")
    }

    fn said(self, table: &str, what: &str) -> Self {
        let table = crate::domain::shorten(table, 100);
        Self { message: format!("the table '{table}' can't be {what}: {}", self.message), ..self }
    }
}

impl From<Problem> for ProviderError {
    fn from(problem: Problem) -> Self {
        Self::new(ErrorKind::Sql, problem.message).hint(problem.hint)
    }
}

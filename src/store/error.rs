use std::path::PathBuf;

use crate::domain::{BranchCode, Lease, RequestId, RunId};

/// Why head office could not do what it was asked to. No text in it ever holds a password or a URL.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database could not be reached, was too slow, or is full. The same call may work later; whether a write that
    /// failed like this took effect is not known.
    #[error("head office does not answer: {0}")]
    Unavailable(String),
    /// Another transaction stood in the way, and nothing was written. The same call works later.
    #[error("head office was in use: {0}")]
    Contended(String),
    /// No branch has this id.
    #[error("there is no branch '{0}' in head office")]
    NotFound(String),
    /// Another branch has this code.
    #[error("the branch code '{code}' is taken; choose another one")]
    CodeTaken {
        /// The code as the other branch writes it.
        code: BranchCode,
    },
    /// Another API token that is not revoked has this name.
    #[error("the token name '{0}' is taken; choose another one, or revoke that token")]
    TokenNameTaken(String),
    /// Another branch uses the same database.
    #[error("branch '{by}' uses the same database; two branches must not share one")]
    DatabaseTaken {
        /// That branch.
        by: BranchCode,
    },
    /// Somebody works on the branch, so it cannot be changed now.
    #[error("the branch is being worked on by {} until {}; try again afterwards", .0.owner, .0.expires_time)]
    Leased(Lease),
    /// The page token was not given out for this list with this filter.
    #[error("the page token does not belong to this list; start again without one")]
    BadPageToken,
    /// The request id was used before, for a different request.
    #[error("the request id '{}' was used for a different request; choose a new one", .0.as_str())]
    RequestIdReused(RequestId),
    /// A selector names branches that do not exist.
    #[error("there are no branches {}; check the codes", .0.join(", "))]
    UnknownBranches(Vec<String>),
    /// The run is over or another replica has taken it; nothing was recorded.
    #[error("run {0} is over or was taken over by another replica")]
    RunLost(RunId),
    /// A row cannot be read.
    #[error("head office's table {table} has an unreadable row '{key}': {problem}; correct or remove the row")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The row's key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// The database's file or pages are damaged.
    #[error(
        "head office's database is damaged: {0}; restore it from a backup, or begin with an empty one, register the \
         branches again, and their states are learnt from their ledgers"
    )]
    Damaged(String),
    /// The database was written by a newer Branchkeeper.
    #[error(
        "head office has version {found}, this Branchkeeper knows versions up to {known}; use the newer Branchkeeper"
    )]
    Newer {
        /// The version found.
        found: i64,
        /// The newest version this build knows.
        known: i64,
    },
    /// Another process has the embedded head office open.
    #[error(
        "the data folder {} is in use by {holder}; stop that process, or give this one another data folder",
        folder.display()
    )]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// What the lock file says about its holder.
        holder: String,
    },
    /// The location cannot be used as it is written.
    #[error("{0}")]
    BadLocation(String),
    /// A fault of Branchkeeper's own.
    #[error("head office failed: {0}")]
    Internal(String),
}

/// What a driver's error means, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unavailable,
    Contended,
    Damaged,
    Internal,
}

impl StoreError {
    pub(super) fn internal(detail: impl Into<String>) -> Self {
        Self::Internal(detail.into())
    }
}

/// Whether two rows would have had the same unique key.
pub(super) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(inner) => {
                // `Display` of a PostgreSQL error adds the server's source line; the message alone is what helps.
                let code = inner.code().unwrap_or_default();
                let text = format!("{} (code {code})", inner.message());
                let kind = match inner.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
                    Some(_) => postgres_kind(&code),
                    None => sqlite_kind(&code),
                };
                match kind {
                    Kind::Unavailable => Self::Unavailable(text),
                    Kind::Contended => Self::Contended(text),
                    Kind::Damaged => Self::Damaged(text),
                    Kind::Internal => Self::Internal(text),
                }
            }
            sqlx::Error::PoolTimedOut => Self::Unavailable("no connection could be had in time".into()),
            sqlx::Error::PoolClosed => Self::Unavailable("it is closed; the service is stopping".into()),
            sqlx::Error::WorkerCrashed => Self::Unavailable("the database's thread ended".into()),
            sqlx::Error::Io(io) => Self::Unavailable(io.to_string()),
            sqlx::Error::Tls(tls) => Self::Unavailable(format!("TLS: {tls}")),
            sqlx::Error::Protocol(text) => Self::Unavailable(format!("unexpected answer: {text}")),
            sqlx::Error::BeginFailed => Self::Unavailable("no transaction could be begun".into()),
            other => Self::Internal(other.to_string()),
        }
    }
}

/// By SQLSTATE class, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn postgres_kind(code: &str) -> Kind {
    match code {
        "XX001" | "XX002" => Kind::Damaged,
        // Serialization failures and deadlocks: the server has undone the transaction.
        "40001" | "40P01" => Kind::Contended,
        // Read-only standby, and locks or statements that ran out of time.
        "25006" | "55P03" | "3D000" => Kind::Unavailable,
        // Connection, authentication, resources, operator intervention, system errors.
        _ if ["08", "28", "53", "57", "58"].iter().any(|class| code.starts_with(class)) => Kind::Unavailable,
        _ => Kind::Internal,
    }
}

/// By primary result code, <https://www.sqlite.org/rescode.html>; the extended code has it in its low byte.
fn sqlite_kind(code: &str) -> Kind {
    match code.parse::<u32>().map(|code| code & 0xff) {
        // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL
        Ok(5 | 6 | 7 | 8 | 9 | 10 | 13 | 14 | 15) => Kind::Unavailable,
        // CORRUPT, NOTADB
        Ok(11 | 26) => Kind::Damaged,
        _ => Kind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart() {
        for code in ["57P01", "57014", "53300", "08006", "28P01", "55P03", "3D000"] {
            assert_eq!(postgres_kind(code), Kind::Unavailable, "{code}");
        }
        assert_eq!((postgres_kind("40P01"), postgres_kind("40001")), (Kind::Contended, Kind::Contended));
        assert_eq!(postgres_kind("42601"), Kind::Internal);
        for code in ["5", "517", "13", "778", "14"] {
            assert_eq!(sqlite_kind(code), Kind::Unavailable, "{code}");
        }
        assert_eq!(sqlite_kind("26"), Kind::Damaged);
        assert_eq!(sqlite_kind("2067"), Kind::Internal);
    }
}

use sqlx::postgres::{PgDatabaseError, PgErrorPosition, PgSeverity};

use crate::provider::connection::{Cause, Ended, Failure};
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::server::ServerPlace;

/// What a driver's error means. `connecting` tells a server that can't be reached from one that was lost.
pub(super) fn failure(error: sqlx::Error, place: &ServerPlace, connecting: bool) -> Failure {
    let error = match error {
        sqlx::Error::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
            Some(database) => return answered(database, place),
            None => ProviderError::new(ErrorKind::Internal, "the driver reported another server's error"),
        },
        sqlx::Error::Configuration(error) => {
            let text = format!("the connection to {} is set up wrongly: {error}", place.address());
            ProviderError::new(ErrorKind::Unsupported, text)
                .hint("check ssl_ca_file and the PG* variables of the service's environment")
        }
        sqlx::Error::Protocol(text) if text.contains("unexpected message") => {
            ProviderError::new(ErrorKind::Unsupported, "the statement transfers data through the connection")
                .hint("use INSERT, or COPY from a file on the server")
        }
        error => place.driver_error(error, connecting),
    };
    Failure { error, cause: Cause::Other, at: None, ended: Ended::Lost }
}

/// Whether the request for a connection was refused for a parameter that PostgreSQL itself takes: poolers name it with
/// PostgreSQL's code for a breach of protocol or for what is not supported.
pub(super) fn is_refused_parameter(error: &sqlx::Error) -> bool {
    let Some(database) = error.as_database_error() else { return false };
    let said = database.message().to_ascii_lowercase();
    matches!(database.code().as_deref(), Some("08P01" | "0A000" | "42704"))
        && (said.contains("option") || said.contains("startup parameter"))
}

fn answered(database: &PgDatabaseError, place: &ServerPlace) -> Failure {
    let at = place.address();
    let code = database.code();
    let said = database.message();
    let (kind, message, hint) = match code {
        "28P01" | "28000" => {
            let refused = place.refused_user(said);
            (refused.kind, refused.message, refused.hint)
        }
        "3D000" => (
            ErrorKind::DatabaseMissing,
            format!("the database '{}' does not exist at {at}", place.database),
            String::new(),
        ),
        "53300" => (
            ErrorKind::Busy,
            format!("{at} takes no connection now: {said}"),
            "retry when others have left; lower parallel.per_host, or raise the limit of the server or the user".into(),
        ),
        "57P03" => (
            ErrorKind::Busy,
            format!("{at} takes no connection now: {said}"),
            "retry when the server has started".into(),
        ),
        "08P01" if said.contains("unsupported startup parameter") => {
            (ErrorKind::Unsupported, format!("{at} is a connection pooler: {said}"), POOLER.into())
        }
        "53100" => (ErrorKind::DiskFull, said.into(), "free some space on the server, then retry".into()),
        "25006" => (ErrorKind::ReadOnly, said.into(), "connect to the primary server".into()),
        "42501" => (ErrorKind::Sql, said.into(), format!("grant the privilege to '{}'", place.username)),
        "55P03" => (
            ErrorKind::Timeout,
            said.into(),
            "another session holds a lock on it; retry when that is done, or raise migration.lock_timeout".into(),
        ),
        "57014" if said.contains("timeout") => (ErrorKind::Timeout, said.into(), String::new()),
        "57014" => (ErrorKind::Sql, said.into(), "somebody cancelled it on the server".into()),
        "57P01" | "57P02" | "57P05" | "25P03" | "25P04" => {
            (ErrorKind::Lost, format!("{at} ended the session: {said}"), String::new())
        }
        code if code.starts_with("08") => (ErrorKind::Lost, format!("{at} ended the session: {said}"), String::new()),
        _ => (ErrorKind::Sql, said.into(), database.hint().unwrap_or_default().into()),
    };
    let message = match (&kind, database.detail()) {
        (ErrorKind::Sql, Some(detail)) => format!("{message}: {}", crate::domain::shorten(detail, 500)),
        _ => message,
    };
    let cause = match code {
        "42P01" => Cause::MissingTable,
        "42703" | "42883" => Cause::ForeignShape,
        "23502" => Cause::Refused,
        "55P03" => Cause::Busy,
        "42P04" | "42P06" | "23505" => Cause::Exists,
        _ => Cause::Other,
    };
    let position = match database.position() {
        Some(PgErrorPosition::Original(position)) => position.checked_sub(1),
        _ => None,
    };
    let goodbye = matches!(database.severity(), PgSeverity::Fatal | PgSeverity::Panic);
    Failure {
        error: ProviderError::new(kind, message).hint(hint).code(code),
        cause,
        at: position,
        ended: if goodbye { Ended::Goodbye } else { Ended::Answered },
    }
}

/// Why a pooler that changes the backend between transactions can't be used.
pub(in crate::provider) const POOLER: &str = "connect to PostgreSQL itself: a lock that lasts for a session, and \
    CREATE INDEX CONCURRENTLY, need a connection that a pooler does not share";

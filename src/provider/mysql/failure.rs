use sqlx::mysql::MySqlDatabaseError;

use super::place::without_line;
use crate::provider::connection::{Cause, Ended, Failure};
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::server::ServerPlace;

/// What a driver's error means. `connecting` tells a server that can't be reached from one that was lost.
pub(super) fn failure(error: sqlx::Error, place: &ServerPlace, connecting: bool) -> Failure {
    let error = match error {
        sqlx::Error::Database(database) => match database.try_downcast_ref::<MySqlDatabaseError>() {
            Some(database) => return answered(database, place, connecting),
            None => ProviderError::new(ErrorKind::Internal, "the driver reported another server's error"),
        },
        sqlx::Error::Configuration(error) if error.to_string().contains("RSA") => {
            let text =
                format!("{} asks for the password of '{}' in a form that needs TLS", place.address(), place.username);
            ProviderError::new(ErrorKind::Authentication, text).hint(
                "set ssl_mode to require and turn TLS on at the server; without it, caching_sha2_password and \
                 sha256_password can't be used, only mysql_native_password",
            )
        }
        sqlx::Error::Configuration(error) => {
            let text = format!("the connection to {} is set up wrongly: {error}", place.address());
            ProviderError::new(ErrorKind::Unsupported, text).hint("check ssl_ca_file")
        }
        error => place.driver_error(error, connecting),
    };
    Failure { error, cause: Cause::Other, at: None, ended: Ended::Lost }
}

fn answered(database: &MySqlDatabaseError, place: &ServerPlace, connecting: bool) -> Failure {
    let at = place.address();
    let number = database.number();
    let said = without_line(number, database.message());
    let grant = || format!("grant the privilege to '{}'", place.username);
    let (kind, message, hint) = match number {
        1045 | 1130 | 1251 | 1275 | 1698 | 1820 | 1862 | 3118 | 3878 | 4151 => {
            let refused = place.refused_user(said);
            (refused.kind, refused.message, refused.hint)
        }
        1044 if connecting => (
            ErrorKind::Authentication,
            format!("{at} keeps '{}' out of the database '{}': {said}", place.username, place.database),
            format!("create the database and grant it to '{}'; or correct its name", place.username),
        ),
        1049 => (
            ErrorKind::DatabaseMissing,
            format!("the database '{}' does not exist at {at}", place.database),
            String::new(),
        ),
        1040 | 1203 | 1226 => (ErrorKind::Busy, format!("{at} takes no connection now: {said}"), String::new()),
        1053 if connecting => (ErrorKind::Busy, format!("{at} takes no connection now: {said}"), String::new()),
        1129 => (
            ErrorKind::Unreachable,
            format!("{at} refuses this machine: {said}"),
            "run FLUSH HOSTS on the server, and look for what has broken connections to it".into(),
        ),
        3159 => (
            ErrorKind::Unsupported,
            format!("{at} takes encrypted connections only: {said}"),
            "set ssl_mode to require, verify_ca or verify_full".into(),
        ),
        1053 | 1152 | 1927 | 3169 | 4031 => (ErrorKind::Lost, format!("{at} ended the session: {said}"), String::new()),
        1021 | 1114 | 3675 => (ErrorKind::DiskFull, said.into(), "free some space on the server, then retry".into()),
        1290 | 1792 | 1836 => (ErrorKind::ReadOnly, said.into(), "connect to the primary server".into()),
        1044 | 1142 | 1143 | 1227 | 1370 | 1410 => (ErrorKind::Sql, said.into(), grant()),
        1205 | 3572 => (
            ErrorKind::Timeout,
            said.into(),
            "another session holds a lock on it; retry when that is done, or raise migration.lock_timeout".into(),
        ),
        1213 => (ErrorKind::Sql, said.into(), "another session works on the same rows; retry when that is done".into()),
        1317 => (ErrorKind::Sql, said.into(), "somebody stopped it on the server".into()),
        1969 | 3024 => (ErrorKind::Timeout, said.into(), String::new()),
        1419 => (ErrorKind::Sql, said.into(), "set log_bin_trust_function_creators on the server".into()),
        _ => (ErrorKind::Sql, said.into(), String::new()),
    };
    let cause = match number {
        1146 => Cause::MissingTable,
        1054 => Cause::ForeignShape,
        // A number that overflows, and a savepoint that is gone with its transaction.
        1048 | 1305 | 1690 => Cause::Refused,
        1205 | 3572 => Cause::Busy,
        1007 | 1050 => Cause::Exists,
        _ => Cause::Other,
    };
    let ended = if kind == ErrorKind::Lost { Ended::Goodbye } else { Ended::Answered };
    let error = ProviderError::new(kind, message).hint(hint).code(number.to_string());
    Failure { error, cause, at: None, ended }
}

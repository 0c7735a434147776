use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::domain::{BranchCode, SslMode};
use crate::provider::error::ProviderError;
use crate::provider::server::ServerPlace;

/// The driver's options for a database of the server, the password fetched.
///
/// The driver fills its options from `PG*` variables; every field that it lets us set is set. It offers no way to clear
/// `PGOPTIONS`, `PGSSLCERT` and `PGSSLKEY`. Sessions run in UTC with ISO dates, which the driver always asks for: a
/// migration then means the same on every branch.
pub(super) async fn options(
    code: &BranchCode,
    place: &ServerPlace,
    database: &str,
) -> Result<PgConnectOptions, ProviderError> {
    let password = place.password().await?;
    let ssl_mode = match place.ssl_mode {
        SslMode::Disable => PgSslMode::Disable,
        SslMode::Prefer => PgSslMode::Prefer,
        SslMode::Require => PgSslMode::Require,
        SslMode::VerifyCa => PgSslMode::VerifyCa,
        SslMode::VerifyFull => PgSslMode::VerifyFull,
    };
    let options = PgConnectOptions::new_without_pgpass()
        .host(&place.host)
        .port(place.port)
        .username(&place.username)
        .password(password.as_ref().map_or("", |secret| secret.expose()))
        .database(database)
        .ssl_mode(ssl_mode)
        .application_name(&format!("branchkeeper/{code}"))
        .extra_float_digits(None)
        .disable_statement_logging();
    Ok(match &place.ssl_ca_file {
        Some(file) => options.ssl_root_cert(file),
        // No further authority, whatever PGSSLROOTCERT says.
        None => options.ssl_root_cert_from_pem(Vec::new()),
    })
}

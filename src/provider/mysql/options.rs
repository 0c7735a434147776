use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

use crate::domain::SslMode;
use crate::provider::error::ProviderError;
use crate::provider::server::ServerPlace;

/// The driver's options for a database of the server, or for none; the password fetched. The driver is kept from changing
/// the session's settings: a migration runs as it does in the server's own tools.
pub(super) async fn options(place: &ServerPlace, database: Option<&str>) -> Result<MySqlConnectOptions, ProviderError> {
    let password = place.password().await?;
    let ssl_mode = match place.ssl_mode {
        SslMode::Disable => MySqlSslMode::Disabled,
        SslMode::Prefer => MySqlSslMode::Preferred,
        SslMode::Require => MySqlSslMode::Required,
        SslMode::VerifyCa => MySqlSslMode::VerifyCa,
        SslMode::VerifyFull => MySqlSslMode::VerifyIdentity,
    };
    let mut options = MySqlConnectOptions::new()
        .host(&place.host)
        .port(place.port)
        .username(&place.username)
        .ssl_mode(ssl_mode)
        .charset("utf8mb4")
        .set_names(false)
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .statement_cache_capacity(0)
        .disable_statement_logging();
    if let Some(password) = &password {
        options = options.password(password.expose());
    }
    if let Some(database) = database {
        options = options.database(database);
    }
    if let Some(file) = &place.ssl_ca_file {
        options = options.ssl_ca(file);
    }
    Ok(options)
}

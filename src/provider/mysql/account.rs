use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

use crate::domain::{Secret, SslMode};
use crate::provider::error::ProviderError;
use crate::provider::server::ServerPlace;

/// Who connects to a server, and how. Connections of equal accounts differ by nothing but the database that they use.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::provider) struct Account {
    host: String,
    port: u16,
    username: String,
    password: Option<Secret>,
    ssl_mode: SslMode,
    ssl_ca_file: Option<String>,
}

impl Account {
    /// The account of a place; the password fetched.
    pub(super) async fn of(place: &ServerPlace) -> Result<Self, ProviderError> {
        Ok(Self {
            host: place.host.clone(),
            port: place.port,
            username: place.username.clone(),
            password: place.password().await?,
            ssl_mode: place.ssl_mode,
            ssl_ca_file: place.ssl_ca_file.clone(),
        })
    }

    /// Whether a place's account can be this one, as far as that is known without the password.
    pub(super) fn may_be_of(&self, place: &ServerPlace) -> bool {
        self.host == place.host
            && self.port == place.port
            && self.username == place.username
            && self.ssl_mode == place.ssl_mode
            && self.ssl_ca_file == place.ssl_ca_file
    }

    /// The driver's options for a database of the server, or for none where the name is empty. The driver is kept from
    /// changing the session's settings: a migration runs as it does in the server's own tools.
    pub(super) fn options(&self, database: &str) -> MySqlConnectOptions {
        let ssl_mode = match self.ssl_mode {
            SslMode::Disable => MySqlSslMode::Disabled,
            SslMode::Prefer => MySqlSslMode::Preferred,
            SslMode::Require => MySqlSslMode::Required,
            SslMode::VerifyCa => MySqlSslMode::VerifyCa,
            SslMode::VerifyFull => MySqlSslMode::VerifyIdentity,
        };
        let mut options = MySqlConnectOptions::new()
            .host(&self.host)
            .port(self.port)
            .username(&self.username)
            .ssl_mode(ssl_mode)
            .charset("utf8mb4")
            .set_names(false)
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            .statement_cache_capacity(0)
            .disable_statement_logging();
        if let Some(password) = &self.password {
            options = options.password(password.expose());
        }
        if !database.is_empty() {
            options = options.database(database);
        }
        if let Some(file) = &self.ssl_ca_file {
            options = options.ssl_ca(file);
        }
        options
    }
}

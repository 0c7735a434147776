use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::domain::{Provider, Secret, ServerConnection, SslMode, shorten};

use super::connection::GRACE;
use super::error::{ErrorKind, ProviderError};
use super::secret::PasswordSource;
use super::stop::{Backoff, later};

/// The longest identifier that PostgreSQL keeps, in bytes; it cuts longer ones without an error.
pub(super) const POSTGRES_NAME: usize = 63;
/// The longest identifier that MySQL takes, in characters.
const MYSQL_NAME: usize = 64;
/// The longest identifier that SQL Server takes, in UTF-16 units.
const SQLSERVER_NAME: usize = 128;
/// The options of a SQL Server connection.
const INSTANCE: &str = "instance";
const CERTIFICATE_HOST: &str = "certificate_host";

/// A database on a server, with everything filled in.
#[derive(Clone)]
pub(super) struct ServerPlace {
    pub(super) provider: Provider,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
    /// `None` means the provider's default, such as `public` with the server's own search path.
    pub(super) schema: Option<String>,
    pub(super) username: String,
    pub(super) password: PasswordSource,
    pub(super) ssl_mode: SslMode,
    pub(super) ssl_ca_file: Option<String>,
    /// SQL Server's named instance, which its browser service knows the port of.
    pub(super) instance: Option<String>,
    /// The name that the server's certificate is made out to, where that is not the host.
    pub(super) certificate_host: Option<String>,
    /// After how long without a sign of life the server is asked whether it still works on a statement; MySQL's only, where
    /// the driver keeps no connection alive.
    pub(super) silence: Duration,
}

impl ServerPlace {
    /// Checks a connection and fills in what it leaves open.
    pub(super) fn resolve(
        server: &ServerConnection,
        provider: Provider,
        silence: Duration,
    ) -> Result<Self, ProviderError> {
        let refuse = |text: String, hint: &str| Err(ProviderError::new(ErrorKind::Unsupported, text).hint(hint));
        for (what, text, required) in [
            ("host", &server.host, true),
            ("database", &server.database, true),
            ("schema", &server.schema, false),
            ("username", &server.username, true),
        ] {
            if (required && text.is_empty()) || text.contains('\0') {
                return refuse(format!("the connection's {what} is empty or not text"), "correct it");
            }
        }
        if provider == Provider::MySql && !server.schema.is_empty() {
            let hint = "leave connection.server.schema empty: a database of MySQL has no schemas";
            return refuse(format!("the connection names the schema '{}'", shorten(&server.schema, 60)), hint);
        }
        for (what, name) in [("database", &server.database), ("schema", &server.schema)] {
            let (length, limit, unit) = match provider {
                Provider::MySql => (name.chars().count(), MYSQL_NAME, "characters that MySQL takes"),
                Provider::SqlServer => {
                    (name.encode_utf16().count(), SQLSERVER_NAME, "characters that SQL Server takes")
                }
                _ => (name.len(), POSTGRES_NAME, "bytes that PostgreSQL keeps"),
            };
            if length > limit {
                return refuse(format!("the {what} name is longer than the {limit} {unit}"), "shorten it");
            }
        }
        let known = |key: &str| provider == Provider::SqlServer && matches!(key, INSTANCE | CERTIFICATE_HOST);
        for (key, value) in &server.options {
            if !known(key) {
                return refuse(format!("the connection option '{}' is not known", shorten(key, 60)), "remove it");
            }
            if value.is_empty() || value.chars().any(|ch| ch.is_control() || ch == '\\') || value.chars().count() > 255
            {
                return refuse(format!("the connection option '{key}' has no usable value"), "correct or remove it");
            }
        }
        let option = |key: &str| server.options.get(key).cloned();
        if option(INSTANCE).is_some() && server.port.is_some() {
            let hint = "leave the port out to have the server's browser service tell it, or the instance";
            return refuse("the connection names both a port and an instance".into(), hint);
        }
        if provider == Provider::SqlServer && server.ssl_mode == SslMode::VerifyCa {
            let hint = "use verify_full; where the certificate is for another name, say so with the option \
                        certificate_host";
            return refuse(
                "ssl_mode verify_ca can't be had on SQL Server: the host is always verified too".into(),
                hint,
            );
        }
        if server.port == Some(0) {
            return refuse("port 0 is not a port".into(), "use 1 to 65535");
        }
        Ok(Self {
            provider,
            host: server.host.clone(),
            port: server.port_or_default(provider),
            database: server.database.clone(),
            schema: Some(server.schema.clone()).filter(|schema| !schema.is_empty()),
            username: server.username.clone(),
            password: server.password_ref.clone().map_or(PasswordSource::None, PasswordSource::Reference),
            ssl_mode: server.ssl_mode,
            ssl_ca_file: Some(server.ssl_ca_file.clone()).filter(|file| !file.is_empty()),
            instance: option(INSTANCE),
            certificate_host: option(CERTIFICATE_HOST),
            silence,
        })
    }

    /// Host and port, for messages.
    pub(super) fn address(&self) -> String {
        match &self.instance {
            Some(instance) => format!("{}\\{instance}", self.host),
            None => format!("{}:{}", self.host, self.port),
        }
    }

    /// The password, fetched now; `None` when the branch has none.
    pub(super) async fn password(&self) -> Result<Option<Secret>, ProviderError> {
        self.password.password().await
    }

    /// Connects by `attempt` within `limit`. A server that has no connection to spare is asked again.
    pub(super) async fn connect<T, F>(&self, limit: Duration, attempt: impl Fn() -> F) -> Result<T, ProviderError>
    where
        F: Future<Output = Result<T, ProviderError>>,
    {
        let deadline = later(Instant::now(), limit);
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        let mut busy = None;
        loop {
            let error = match tokio::time::timeout_at(deadline, attempt()).await {
                Ok(Ok(connected)) => return Ok(connected),
                Ok(Err(error)) => error,
                Err(_) => {
                    if let Some(busy) = busy {
                        // It has said that it is full, and only this last question went unanswered.
                        return Err(busy);
                    }
                    let text = format!("{} did not answer within {:.0} s", self.address(), limit.as_secs_f32());
                    return Err(ProviderError::new(ErrorKind::Unreachable, text).hint(CHECK_PLACE));
                }
            };
            let wait = backoff.next();
            if error.kind != ErrorKind::Busy || Instant::now() + wait >= deadline {
                return Err(error);
            }
            busy = Some(error);
            tokio::time::sleep(wait).await;
        }
    }

    /// The server refused the user or the password.
    pub(super) fn refused_user(&self, said: &str) -> ProviderError {
        let text = format!("{} refused the user '{}': {said}", self.address(), self.username);
        ProviderError::new(ErrorKind::Authentication, text).hint(match &self.password {
            PasswordSource::Reference(reference) => {
                format!("check the user '{}' and the password at {reference}", self.username)
            }
            PasswordSource::Stored(_) => format!("check the user '{}' and give the password again", self.username),
            PasswordSource::None => format!(
                "check the user '{}'; the branch has no password: give it one with password_ref, or a stored one",
                self.username
            ),
        })
    }

    /// What an error means that the driver reports and not the server. `connecting` tells a server that can't be reached
    /// from one that was lost.
    pub(super) fn driver_error(&self, error: sqlx::Error, connecting: bool) -> ProviderError {
        match error {
            sqlx::Error::Io(error) if is_about_tls(&error) => {
                self.driver_error(sqlx::Error::Tls(error.into()), connecting)
            }
            sqlx::Error::Io(error) if connecting => self.unreachable(&error),
            sqlx::Error::Tls(error) => self.unencrypted(&error),
            error if connecting => {
                let product = if self.provider == Provider::MySql { "MySQL or MariaDB" } else { "PostgreSQL" };
                self.strange(&error, product)
            }
            error => self.lost(&error),
        }
    }
}

impl ServerPlace {
    /// Nobody answers there.
    pub(super) fn unreachable(&self, said: &dyn fmt::Display) -> ProviderError {
        let text = format!("{} can't be reached: {said}", self.address());
        ProviderError::new(ErrorKind::Unreachable, text).hint(CHECK_PLACE)
    }

    /// Encryption or the proof of who the server is could not be had.
    pub(super) fn unencrypted(&self, said: &dyn fmt::Display) -> ProviderError {
        let text = format!("no encrypted connection to {}: {said}", self.address());
        ProviderError::new(ErrorKind::Unreachable, text).hint(
            "check ssl_mode and ssl_ca_file: require needs a server with TLS, verify_ca and verify_full its authority",
        )
    }

    /// Somebody answers who does not speak the protocol.
    pub(super) fn strange(&self, said: &dyn fmt::Display, product: &str) -> ProviderError {
        let text = format!("the server at {} answers strangely: {said}", self.address());
        ProviderError::new(ErrorKind::Unreachable, text).hint(format!("check that it is a {product} server"))
    }

    /// The connection broke after it was made.
    pub(super) fn lost(&self, said: &dyn fmt::Display) -> ProviderError {
        ProviderError::new(ErrorKind::Lost, format!("the connection to {} was lost: {said}", self.address()))
    }

    /// Something could not be created; `denied` when the user may not.
    pub(super) fn not_created(&self, mut error: ProviderError, what: &str, denied: &[&str]) -> ProviderError {
        error.message = format!("{what} could not be created at {}: {}", self.address(), error.message);
        if denied.contains(&&*error.code) {
            error.hint = format!("create it by hand, or allow '{}' to create it", self.username);
        }
        error
    }
}

/// A handshake that was refused reaches us as a fault of the connection.
fn is_about_tls(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

const CHECK_PLACE: &str = "check host, port and firewall, and that the server is running";

/// Sends a text through a connection of one driver.
pub(super) type Send<C> = for<'c> fn(&'c mut C, String) -> BoxFuture<'c, ()>;

/// Stops what a session does from a second connection: sends the first text and, when that is not heeded, the next.
/// Returns when no answer is to be expected any more.
pub(super) async fn kill<C, F, E>(connect: impl Fn() -> F, texts: impl IntoIterator<Item = String>, send: Send<C>)
where
    F: Future<Output = Result<C, E>>,
{
    let connect = async {
        loop {
            // Boxed: every text that could be stopped has room for this, and hardly any is.
            match Box::pin(connect()).await {
                Ok(second) => return second,
                Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
            }
        }
    };
    let Ok(mut second) = tokio::time::timeout(GRACE, connect).await else { return };
    for text in texts {
        let _ = tokio::time::timeout(GRACE, send(&mut second, text)).await;
        tokio::time::sleep(GRACE).await;
    }
}

use std::time::{Duration, Instant};

use super::endpoint::{Endpoint, Place};
use super::error::{ErrorKind, ProviderError};
use super::session::Session;
use super::settings::Settings;
use super::{mysql, postgres, sqlite};

/// Creates what is missing: folders and file, or database and schema. Does nothing where all is there, and two may do it
/// at once.
pub async fn create(endpoint: &Endpoint, settings: &Settings) -> Result<(), ProviderError> {
    match &endpoint.place {
        Place::Sqlite(file) => sqlite::create(file).await,
        Place::Postgres(place) => postgres::create(&endpoint.code, place, settings.connect_timeout).await,
        Place::MySql(place) => mysql::create(place, settings.connect_timeout).await,
    }
}

/// What trying a connection found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TestReport {
    /// The server answers and lets the user in, or the file's place can be used.
    pub reachable: bool,
    /// The database, schema or file is there.
    pub database_exists: bool,
    /// The server's version; empty when it is not known.
    pub server_version: String,
    /// How long it took.
    pub latency: Duration,
    /// What was found, in words.
    pub message: String,
    /// What to do about it; empty when nothing has to be done.
    pub hint: String,
}

/// Tries a connection. Creates and changes nothing.
pub async fn test(endpoint: &Endpoint, settings: &Settings) -> TestReport {
    let started = Instant::now();
    let mut report = match try_out(endpoint, settings).await {
        Ok(server_version) => TestReport {
            reachable: true,
            database_exists: true,
            server_version,
            message: format!("{endpoint} is there"),
            ..TestReport::default()
        },
        Err(error) if error.kind == ErrorKind::DatabaseMissing => TestReport {
            reachable: true,
            message: error.message,
            hint: "it is created when migrations are first applied".into(),
            ..TestReport::default()
        },
        Err(error) => TestReport { message: error.message, hint: error.hint, ..TestReport::default() },
    };
    report.latency = started.elapsed();
    report
}

async fn try_out(endpoint: &Endpoint, settings: &Settings) -> Result<String, ProviderError> {
    if let Place::Sqlite(file) = &endpoint.place {
        let file = file.clone();
        let probed = tokio::task::spawn_blocking(move || sqlite::probe(&file)).await;
        probed.unwrap_or_else(|_| Err(ProviderError::new(ErrorKind::Internal, "looking at a file did not end")))?;
    }
    let mut session = Session::connect(endpoint, settings).await?;
    let version = session.server_version().await;
    session.close().await;
    version
}

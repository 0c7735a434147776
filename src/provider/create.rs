use std::time::{Duration, Instant};

use super::connection::{Cause, Connection, Failure, Overdue, Reply};
use super::dialect::{Creation, Dialect};
use super::endpoint::{Endpoint, Place};
use super::error::{ErrorKind, ProviderError};
use super::server::ServerPlace;
use super::session::Session;
use super::settings::Settings;
use super::sql::Sql;
use super::sqlite;
use super::stop::{Backoff, Stop};

/// Copying the template takes as long as its disk does.
const LIMIT: Duration = Duration::from_secs(120);
/// How often a template that somebody else is using is tried.
const TRIES: usize = 8;

/// Creates what is missing: folders and file, or database and schema. Does nothing where all is there, and two may do it
/// at once.
pub async fn create(endpoint: &Endpoint, settings: &Settings) -> Result<(), ProviderError> {
    let place = match &endpoint.place {
        Place::Sqlite(file) => return sqlite::create(file).await,
        Place::Postgres(place) | Place::MySql(place) | Place::SqlServer(place) => place,
    };
    let open = || Connection::open(&endpoint.code, place, &place.database, settings.connect_timeout, None, None);
    let mut connection = match open().await {
        Err(error) if error.kind == ErrorKind::DatabaseMissing => {
            create_database(endpoint, place, settings).await?;
            open().await?
        }
        other => other?,
    };
    let done = match &place.schema {
        Some(schema) => create_schema(&mut connection, endpoint, place, schema, settings).await,
        None => Ok(()),
    };
    connection.close().await;
    done
}

async fn create_database(endpoint: &Endpoint, place: &ServerPlace, settings: &Settings) -> Result<(), ProviderError> {
    let (mut connection, dialect, creation) = maintenance(endpoint, place, settings).await?;
    let text = format!("CREATE DATABASE {}{}", (dialect.quote)(&place.database), creation.options);
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    let mut done = Ok(());
    for attempt in 1.. {
        match send(&mut connection, &text).await {
            Err(failure) if failure.error.code == creation.busy && attempt < TRIES => {
                tokio::time::sleep(backoff.next()).await;
            }
            // Somebody else was faster.
            Err(failure) if failure.cause == Cause::Exists => break,
            Err(failure) => {
                let what = format!("the database '{}'", place.database);
                done = Err(place.not_created(failure.error, &what, creation.denied));
                break;
            }
            Ok(()) => break,
        }
    }
    connection.close().await;
    done
}

/// A connection to a database where others can be created.
async fn maintenance(
    endpoint: &Endpoint,
    place: &ServerPlace,
    settings: &Settings,
) -> Result<(Connection, &'static Dialect, &'static Creation), ProviderError> {
    let dialect = endpoint.dialect();
    let nothing = || ProviderError::new(ErrorKind::Internal, "there is nowhere to create a database from");
    let creation = dialect.creation.as_ref().ok_or_else(nothing)?;
    let mut last = nothing();
    for database in creation.maintenance {
        match Connection::open(&endpoint.code, place, database, settings.connect_timeout, None, None).await {
            Ok(connection) => return Ok((connection, dialect, creation)),
            Err(error) if error.kind == ErrorKind::DatabaseMissing => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

async fn create_schema(
    connection: &mut Connection,
    endpoint: &Endpoint,
    place: &ServerPlace,
    schema: &str,
    settings: &Settings,
) -> Result<(), ProviderError> {
    let dialect = endpoint.dialect();
    // Asked first, because a user who may not create schemas may still use one that is there.
    let question = Sql::new(dialect, endpoint, settings).fill(dialect.find_schema);
    let mut there = false;
    let mut sink = |reply| {
        if let Reply::Row(row) = reply {
            there = row.is_true(0);
        }
    };
    let asked = connection.send(&question, &Stop::after(LIMIT), Overdue::Abandon, &mut sink).await;
    asked.map_err(|failure| failure.error)?;
    if there {
        return Ok(());
    }
    match send(connection, &format!("CREATE SCHEMA {}", (dialect.quote)(schema))).await {
        Err(failure) if failure.cause != Cause::Exists => {
            let denied = dialect.creation.as_ref().map_or(&[][..], |creation| creation.denied);
            Err(place.not_created(failure.error, &format!("the schema '{schema}'"), denied))
        }
        _ => Ok(()),
    }
}

async fn send(connection: &mut Connection, text: &str) -> Result<(), Failure> {
    connection.send(text, &Stop::after(LIMIT), Overdue::Abandon, &mut |_| {}).await
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

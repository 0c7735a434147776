use std::time::Duration;

use super::dialect::{literal, quote};
use super::wire::Wire;
use crate::domain::BranchCode;
use crate::provider::connection::{Cause, Failure, Overdue, Reply};
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::server::ServerPlace;
use crate::provider::stop::{Backoff, Stop};

/// Copying the template takes as long as its disk does.
const LIMIT: Duration = Duration::from_secs(120);
/// How often a template that somebody else is copying is tried.
const TRIES: usize = 8;

/// Creates the database, and the schema in it, where they are missing.
pub(in crate::provider) async fn create(
    code: &BranchCode,
    place: &ServerPlace,
    connect: Duration,
) -> Result<(), ProviderError> {
    let mut wire = match Wire::open(code, place, &place.database, connect).await {
        Err(error) if error.kind == ErrorKind::DatabaseMissing => {
            create_database(code, place, connect).await?;
            Wire::open(code, place, &place.database, connect).await?
        }
        other => other?,
    };
    let mut done = Ok(());
    if let Some(schema) = &place.schema {
        // Asked first, because a user who may not create schemas may still use one that is there.
        let question = format!("SELECT to_regnamespace({}) IS NOT NULL", literal(&quote(schema)));
        let mut there = false;
        let mut sink = |reply| {
            if let Reply::Row(row) = reply {
                there = row.is_true(0)
            }
        };
        let asked = wire.send(&question, &Stop::after(LIMIT), Overdue::Abandon, &mut sink).await;
        asked.map_err(|failure| failure.error)?;
        if there {
            wire.close().await;
            return Ok(());
        }
        let text = format!("CREATE SCHEMA {}", quote(schema));
        done = match send(&mut wire, &text).await {
            Err(failure) if failure.cause == Cause::Exists => Ok(()),
            Err(failure) => Err(named(failure.error, &format!("the schema '{schema}'"), place)),
            Ok(()) => Ok(()),
        };
    }
    wire.close().await;
    done
}

async fn create_database(code: &BranchCode, place: &ServerPlace, connect: Duration) -> Result<(), ProviderError> {
    let mut wire = match Wire::open(code, place, "postgres", connect).await {
        Err(error) if error.kind == ErrorKind::DatabaseMissing => Wire::open(code, place, "template1", connect).await?,
        other => other?,
    };
    let text = format!("CREATE DATABASE {}", quote(&place.database));
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    for attempt in 1.. {
        match send(&mut wire, &text).await {
            Ok(()) => break,
            Err(failure) if failure.cause == Cause::Exists => break,
            // Somebody is connected to the template.
            Err(failure) if failure.error.code == "55006" && attempt < TRIES => {
                tokio::time::sleep(backoff.next()).await;
            }
            Err(failure) => return Err(named(failure.error, &format!("the database '{}'", place.database), place)),
        }
    }
    wire.close().await;
    Ok(())
}

async fn send(wire: &mut Wire, text: &str) -> Result<(), Failure> {
    wire.send(text, &Stop::after(LIMIT), Overdue::Abandon, &mut |_| {}).await
}

fn named(mut error: ProviderError, what: &str, place: &ServerPlace) -> ProviderError {
    error.message = format!("{what} could not be created at {}:{}: {}", place.host, place.port, error.message);
    if error.code == "42501" {
        error.hint = format!("create it by hand, or allow '{}' to create it", place.username);
    }
    error
}

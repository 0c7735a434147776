use std::time::Duration;

use super::dialect::quote;
use super::wire::Wire;
use crate::provider::connection::{Cause, Overdue};
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::server::ServerPlace;
use crate::provider::stop::Stop;

const LIMIT: Duration = Duration::from_secs(120);

/// Creates the database where it is missing.
pub(in crate::provider) async fn create(place: &ServerPlace, connect: Duration) -> Result<(), ProviderError> {
    match Wire::open(place, Some(&place.database), connect).await {
        Err(error) if error.kind == ErrorKind::DatabaseMissing => {}
        other => {
            other?.close().await;
            return Ok(());
        }
    }
    let mut wire = Wire::open(place, None, connect).await?;
    let text = format!("CREATE DATABASE {} CHARACTER SET utf8mb4", quote(&place.database));
    let done = wire.send(&text, &Stop::after(LIMIT), Overdue::Abandon, &mut |_| {}).await;
    wire.close().await;
    match done {
        Ok(()) => Ok(()),
        // Somebody else was faster.
        Err(failure) if failure.cause == Cause::Exists => Ok(()),
        Err(failure) => {
            let mut error = failure.error;
            let (name, at) = (&place.database, place.address());
            if matches!(&*error.code, "1044" | "1227") {
                error.hint = format!("create it by hand, or allow '{}' to create it", place.username);
            }
            error.message = format!("the database '{name}' could not be created at {at}: {}", error.message);
            Err(error)
        }
    }
}

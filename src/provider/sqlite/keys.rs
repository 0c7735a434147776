use std::ffi::c_int;

use libsqlite3_sys as ffi;
use sqlx::sqlite::SqliteConnection;

use crate::provider::connection::Connection;
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::flush::Break;
use crate::provider::message::{Message, Purpose};
use crate::provider::run::{Observer, Work};
use crate::provider::session::Session;
use crate::provider::stop::Stop;

/// What SQLite calls a violation of a foreign key, and one that `RESTRICT` refuses at once.
const VIOLATIONS: [&str; 2] = ["787", "1811"];

impl Session {
    /// Whether the enforcement of foreign keys is the session's to decide.
    pub(in crate::provider) fn can_enforce_keys(&self) -> bool {
        matches!(self.connection, Some(Connection::Sqlite(_)))
    }

    /// Runs one statement of a migration with foreign keys enforced, as other servers always do, and leaves the session as
    /// it was.
    ///
    /// What is deferred to the commit is counted by the transaction, and is checked there although enforcement is off
    /// again.
    pub(in crate::provider) async fn run_enforcing(
        &mut self,
        works: &[Work<'_>],
        (number, index): (usize, usize),
        sql: &str,
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<(), Break> {
        let purpose = Purpose::Statement { work: number, index };
        let refused = |error| Break::before(error, Some(purpose));
        let was = self.enforce_keys(true).await.map_err(refused)?;
        let mut message = Message::default();
        message.push(purpose, sql);
        let ran = self.flush(&mut message, works, stop, observer).await;
        if was == Some(false) && self.connection.is_some() {
            self.enforce_keys(false).await.map_err(refused)?;
        }
        ran.map_err(|mut broken| {
            if VIOLATIONS.contains(&&*broken.error.code) {
                "rows would refer to a row that does not exist; correct the rows or their order"
                    .clone_into(&mut broken.error.hint);
            }
            broken
        })
    }

    /// Turns enforcement on or off, and says what it was; `None` where it can't be turned off.
    async fn enforce_keys(&mut self, on: bool) -> Result<Option<bool>, ProviderError> {
        // Taken out, so that a call that is dropped in between leaves no connection in an unknown state.
        match self.connection.take() {
            Some(Connection::Sqlite(mut wire)) => {
                let was = switch(&mut wire.connection, on).await?;
                self.connection = Some(Connection::Sqlite(wire));
                Ok(Some(was))
            }
            other => {
                self.connection = other;
                Ok(None)
            }
        }
    }
}

/// Turns the enforcement of foreign keys on or off, and says what it was. The pragma does nothing inside a transaction.
#[allow(unsafe_code, reason = "inside a transaction only SQLite's C interface can do it")]
async fn switch(connection: &mut SqliteConnection, on: bool) -> Result<bool, ProviderError> {
    let lost = |why: String| ProviderError::new(ErrorKind::Lost, format!("foreign keys can't be switched: {why}"));
    let mut handle = connection.lock_handle().await.map_err(|error| lost(error.to_string()))?;
    let database = handle.as_raw_handle().as_ptr();
    let (ask, mut was, mut now): (c_int, c_int, c_int) = (-1, 0, 0);
    // SAFETY: `database` is open and, for as long as `handle` lives, used by nobody else. The operation takes an int and a
    // pointer to an int, which outlives the call.
    let codes = unsafe {
        let asked = ffi::sqlite3_db_config(database, ffi::SQLITE_DBCONFIG_ENABLE_FKEY, ask, &raw mut was);
        let set = ffi::sqlite3_db_config(database, ffi::SQLITE_DBCONFIG_ENABLE_FKEY, c_int::from(on), &raw mut now);
        [asked, set]
    };
    if codes != [ffi::SQLITE_OK; 2] || now != c_int::from(on) {
        return Err(lost("SQLite does not take it".to_owned()));
    }
    Ok(was != 0)
}

use std::time::Duration;

use crate::domain::MigrationId;

use super::connection::{Cause, Connection, Ended, Failure, Overdue, Reply, Row};
use super::endpoint::{Endpoint, Place};
use super::error::{ErrorKind, ProviderError};
use super::hold::Hold;
use super::server::ServerPlace;
use super::settings::Settings;
use super::spare::Spare;
use super::sql::Sql;
use super::sqlite;
use super::stop::{Backoff, Stop};
use super::untransacted::Reached;

/// One connection to a branch's database, and the lock that it may hold.
///
/// A session that lost its connection, or whose call was abandoned half-way, answers every further call with
/// [`ErrorKind::Lost`]. Dropping it is always safe: nothing uncommitted stays, and its lock goes with the connection
/// or expires (SQLite).
pub struct Session {
    // Taken out while a call is under way: a call that is dropped takes the connection with it.
    pub(super) connection: Option<Connection>,
    pub(super) settings: Settings,
    pub(super) sql: Sql,
    pub(super) hold: Hold,
    pub(super) used: Used,
    /// The migration that is being run in segments, and since when.
    pub(super) stepwise: Option<(MigrationId, tokio::time::Instant)>,
    /// The statement that the journal announces and that was not begun yet.
    pub(super) announced: Option<(MigrationId, usize)>,
    /// The tables that no transaction takes back, once they were asked for; forgotten when something is made.
    pub(super) reached: Option<Reached>,
    place: String,
}

/// Who may have changed the session's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Used {
    /// Nobody.
    Never,
    /// This migration, which may go on with them.
    By(MigrationId),
    /// Some migration, whose settings are of no use any more.
    Before,
}

impl Session {
    /// Connects. Never creates anything: a database, schema or file that is not there is [`ErrorKind::DatabaseMissing`].
    pub async fn connect(endpoint: &Endpoint, settings: &Settings) -> Result<Self, ProviderError> {
        Self::connect_over(endpoint, settings, None).await
    }

    /// As [`Self::connect`], over a connection that an earlier look has left, if it serves; otherwise that is closed first.
    pub async fn connect_over(
        endpoint: &Endpoint,
        settings: &Settings,
        spare: Option<Spare>,
    ) -> Result<Self, ProviderError> {
        let limit = settings.connect_timeout;
        let sql = Sql::new(endpoint.dialect(), endpoint, settings);
        let connection = match &endpoint.place {
            Place::Sqlite(file) => {
                if let Some(spare) = spare {
                    spare.close().await;
                }
                Connection::Sqlite(sqlite::Wire::open(file, limit).await?)
            }
            Place::Postgres(place) | Place::MySql(place) | Place::SqlServer(place) => {
                let first = sql.fill(sql.dialect.select_ledger);
                Connection::open(&endpoint.code, place, &place.database, limit, Some(&first), spare).await?
            }
        };
        let mut session = Self {
            connection: Some(connection),
            settings: settings.clone(),
            sql,
            hold: Hold::Nothing,
            used: Used::Never,
            stepwise: None,
            announced: None,
            reached: None,
            place: endpoint.to_string(),
        };
        if let Some(ServerPlace { schema: Some(schema), database, .. }) = endpoint.server() {
            session.check_schema(schema, database).await?;
        }
        Ok(session)
    }

    /// Makes sure that the branch's schema is there, and that the names of its migrations mean it.
    async fn check_schema(&mut self, schema: &str, database: &str) -> Result<(), ProviderError> {
        let found = self.query(&self.sql.fill(self.sql.dialect.find_schema)).await;
        let found = found.map_err(|failure| failure.error)?;
        let Some(row) = found.first().filter(|row| row.is_true(0)) else {
            let text = format!("the schema '{schema}' does not exist in the database '{database}'");
            return Err(ProviderError::new(ErrorKind::DatabaseMissing, text));
        };
        if !row.is_true(1) {
            let usual = crate::domain::shorten(&row.text_or_empty(2), 130);
            let text =
                format!("the branch's schema is '{schema}', but a name without a schema means '{usual}' to its user");
            let hint = format!("ALTER USER … WITH DEFAULT_SCHEMA = {}", (self.sql.dialect.quote)(schema));
            return Err(ProviderError::new(ErrorKind::Unsupported, text).hint(hint));
        }
        Ok(())
    }

    /// The server's version, in its own words.
    pub async fn server_version(&mut self) -> Result<String, ProviderError> {
        let rows = self.query(self.sql.dialect.select_version).await.map_err(|failure| failure.error)?;
        Ok(rows.first().map(|row| crate::domain::shorten(&row.text_or_empty(0), 100)).unwrap_or_default())
    }

    /// Says goodbye to the server, and waits a few seconds at most. What was not committed is undone.
    pub async fn close(mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    /// Whether its connection is one that an earlier look has left. To read the ledger it is as good as any, because that is
    /// named in full. What is between us and the server, though, may take its database otherwise than the server would, so
    /// whatever else is to be done deserves a connection of its own.
    pub fn is_borrowed(&self) -> bool {
        matches!(&self.connection, Some(Connection::MySql(wire)) if wire.is_borrowed())
    }

    /// As [`Self::close`]; a connection over which nothing was done but to read the ledger is left for another look where
    /// it can serve one.
    pub async fn leave(mut self) -> Option<Spare> {
        self.connection.take()?.leave().await
    }

    /// Asks a question of our own: bounded in time, waited for where SQLite's file is busy. Its rows may be anything.
    pub(super) async fn query(&mut self, text: &str) -> Result<Vec<Row>, Failure> {
        let stop = Stop::after(self.settings.connect_timeout);
        let mut backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(200));
        loop {
            match self.query_once(text, self.settings.connect_timeout).await {
                Err(failure) if failure.cause == Cause::Busy && self.sql.dialect.waits_itself() => {
                    if stop.sleep(backoff.next()).await.is_err() {
                        return Err(failure);
                    }
                }
                other => return other,
            }
        }
    }

    pub(super) async fn query_once(&mut self, text: &str, limit: Duration) -> Result<Vec<Row>, Failure> {
        let mut rows = Vec::new();
        let mut sink = |reply| {
            if let Reply::Row(row) = reply {
                rows.push(row);
            }
        };
        self.send(text, &Stop::after(limit), Overdue::Abandon, &mut sink).await?;
        Ok(rows)
    }

    /// Sends a text. The connection stays only if it can be used again.
    pub(super) async fn send(
        &mut self,
        text: &str,
        stop: &Stop,
        overdue: Overdue,
        sink: &mut (dyn FnMut(Reply) + Send),
    ) -> Result<(), Failure> {
        let Some(mut connection) = self.connection.take() else {
            let error = ProviderError::new(ErrorKind::Lost, format!("the connection to {} is gone", self.place));
            return Err(Failure { error, cause: Cause::Other, at: None, ended: Ended::Lost });
        };
        let result = connection.send(text, stop, overdue, sink).await;
        let alive = !matches!(&result, Err(failure) if failure.ended != Ended::Answered);
        if alive && !connection.is_tainted() {
            self.connection = Some(connection);
        }
        result
    }

    /// Undoes the open transaction. What can't be undone so is undone by closing the connection.
    pub(super) async fn roll_back(&mut self) {
        if self.connection.is_some() {
            let stop = Stop::after(self.settings.connect_timeout);
            let undone = self.send(self.sql.dialect.roll_back, &stop, Overdue::Abandon, &mut |_| {}).await;
            // SQLite has undone some transactions by itself already, and says so with its general error.
            let already = matches!(&undone, Err(failure) if failure.error.message.contains("no transaction is active"));
            if undone.is_err() && !already {
                self.connection = None;
            }
        }
        self.hold = self.hold.rolled_back();
        if self.used != Used::Never {
            self.used = Used::Before;
        }
    }
}

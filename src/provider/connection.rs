use std::time::Duration;

use futures_util::{Stream, TryStreamExt};
use sqlx::mysql::MySqlRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Either, RawSql, Row as _};

use crate::domain::{BranchCode, Provider};

use super::error::{ErrorKind, ProviderError};
use super::server::ServerPlace;
use super::spare::Spare;
use super::stop::{Reason, Stop};
use super::{mysql, postgres, sqlite, sqlserver};

/// How long a statement that was told to stop may take to do so, before stronger means are used.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// A connection to a branch's database.
///
/// What its calls wait for is boxed. Otherwise whoever waits for one has room for what the most demanding driver needs, and so
/// has everybody above, and all that room is moved at each call on the way.
pub(super) enum Connection {
    Sqlite(sqlite::Wire),
    Postgres(Box<postgres::Wire>),
    MySql(Box<mysql::Wire>),
    SqlServer(Box<sqlserver::Wire>),
}

/// What the server sends back while it works through a text.
pub(super) enum Reply {
    /// The next statement is done.
    Done,
    /// A row of the statement that is running.
    Row(Row),
}

/// A row of any provider. Everything is read as text, because the values may be anybody's.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
    MySql(MySqlRow),
    SqlServer(tiberius::Row),
}

impl Row {
    /// How many columns it has.
    pub(super) fn columns(&self) -> usize {
        match self {
            Self::Sqlite(row) => row.len(),
            Self::Postgres(row) => row.len(),
            Self::MySql(row) => row.len(),
            Self::SqlServer(row) => row.len(),
        }
    }

    /// The column's text, `None` for NULL. Fails when it is not text.
    pub(super) fn text(&self, index: usize) -> Result<Option<String>, String> {
        let value = match self {
            Self::Sqlite(row) => row.try_get_unchecked(index),
            Self::Postgres(row) => row.try_get_unchecked(index),
            Self::MySql(row) => row.try_get_unchecked(index),
            Self::SqlServer(row) => return sqlserver::text(row, index),
        };
        value.map_err(|_| "a value is not readable as text".into())
    }

    /// The column's text, empty for NULL and for what can't be read.
    pub(super) fn text_or_empty(&self, index: usize) -> String {
        self.text(index).ok().flatten().unwrap_or_default()
    }

    /// The column as a whole number, `None` for NULL and for what is none.
    pub(super) fn number(&self, index: usize) -> Option<i64> {
        self.text(index).ok().flatten()?.trim().parse().ok()
    }

    /// Whether the column is true, in any provider's spelling.
    pub(super) fn is_true(&self, index: usize) -> bool {
        matches!(&*self.text_or_empty(index), "t" | "true" | "1")
    }
}

/// A text that did not go through.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: ProviderError,
    pub(super) cause: Cause,
    /// Where in the whole text, in characters from its first.
    pub(super) at: Option<usize>,
    pub(super) ended: Ended,
}

/// Causes that the logic over the providers tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// A table that the text names does not exist.
    MissingTable,
    /// A table exists, but not with these columns.
    ForeignShape,
    /// What our own statements run into when the lock is not ours any more: a NULL in a column that takes none, or
    /// whatever else the dialect refuses with.
    Refused,
    /// A lock that somebody else holds; the statement did nothing and can be sent again.
    Busy,
    /// The object is there already.
    Exists,
    /// The statement has ended the transaction by itself, and what came before it may be committed.
    TransactionEnded,
    Other,
}

/// What is left of a connection after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The server answered and waits for the next text.
    Answered,
    /// The server said why and ended the session: nothing uncommitted remains.
    Goodbye,
    /// Nobody knows how far the server has come.
    Lost,
}

/// What to do with a text whose time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// Stop the server's work, and wait for its answer.
    Kill,
    /// Give the connection up.
    Abandon,
}

/// What is called with every reply.
pub(super) type Sink<'a> = dyn FnMut(Reply) + Send + 'a;

/// The one place where text becomes SQL. Whoever builds a text quotes names and values by the dialect; migrations' own
/// statements are run as they stand, which is what they are for.
pub(super) fn raw(text: &str) -> RawSql {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned()))
}

impl Connection {
    /// Connects to a database of a server. A server that has no connection to spare is asked again within `limit`. What is
    /// going to be asked `first` saves a round trip where it can travel with the greeting. A `spare` connection is used
    /// where it fits, and closed otherwise.
    pub(super) async fn open(
        code: &BranchCode,
        place: &ServerPlace,
        database: &str,
        limit: Duration,
        first: Option<&str>,
        spare: Option<Spare>,
    ) -> Result<Self, ProviderError> {
        let spare = spare.map(Spare::into_inner);
        if place.provider == Provider::MySql {
            let wire = Box::pin(mysql::Wire::open(place, database, limit, first, spare)).await?;
            return Ok(Self::MySql(Box::new(wire)));
        }
        if let Some(spare) = spare {
            Box::pin(spare.close()).await;
        }
        Ok(match place.provider {
            Provider::Postgres => {
                let wire = Box::pin(postgres::Wire::open(code, place, database, limit)).await?;
                Self::Postgres(Box::new(wire))
            }
            Provider::SqlServer => {
                let wire = Box::pin(sqlserver::Wire::open(code, place, database, limit)).await?;
                Self::SqlServer(Box::new(wire))
            }
            Provider::Sqlite | Provider::MySql => {
                return Err(ProviderError::new(ErrorKind::Internal, "a file is not opened like a server"));
            }
        })
    }

    /// Sends one text of one or more statements and hands every reply to `sink`. The connection may be used again after
    /// success and after [`Ended::Answered`] only.
    pub(super) async fn send(
        &mut self,
        text: &str,
        stop: &Stop,
        overdue: Overdue,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        match self {
            Self::Sqlite(wire) => Box::pin(wire.send(text, stop, overdue, sink)).await,
            Self::Postgres(wire) => Box::pin(wire.send(text, stop, overdue, sink)).await,
            Self::MySql(wire) => Box::pin(wire.send(text, stop, overdue, sink)).await,
            Self::SqlServer(wire) => Box::pin(wire.send(text, stop, overdue, sink)).await,
        }
    }

    /// Where the server would read a script otherwise than it was split: the statement's index, the offset in it in
    /// characters, and the mode that is to blame.
    pub(super) fn misread<'s>(
        &self,
        statements: impl Iterator<Item = &'s str>,
    ) -> Option<(usize, usize, &'static str)> {
        match self {
            Self::MySql(wire) => wire.misread(statements),
            Self::Sqlite(_) | Self::Postgres(_) | Self::SqlServer(_) => None,
        }
    }

    /// Where in a statement that failed just now the server stopped understanding it, for providers that have to be asked.
    pub(super) async fn error_offset(&mut self, sql: &str, error: &ProviderError) -> Option<usize> {
        match self {
            // The general error is the only one that compiling can give; after others the schema may have changed back.
            Self::Sqlite(wire) if error.code == "1" => sqlite::error_offset(&mut wire.connection, sql).await,
            Self::Sqlite(_) | Self::Postgres(_) | Self::MySql(_) | Self::SqlServer(_) => None,
        }
    }

    /// Whether the next statement could be hit by something meant for an earlier one.
    pub(super) fn is_tainted(&self) -> bool {
        match self {
            // SQL Server's is given up whenever a text was stopped.
            Self::Sqlite(_) | Self::SqlServer(_) => false,
            Self::Postgres(wire) => wire.tainted,
            Self::MySql(wire) => wire.tainted,
        }
    }

    /// The server's number for this session became known; by it the session can be stopped.
    pub(super) fn know_pid(&mut self, pid: Option<i64>) {
        match self {
            Self::Postgres(wire) => wire.pid = pid,
            // It knows its own since it was opened.
            Self::Sqlite(_) | Self::MySql(_) | Self::SqlServer(_) => {}
        }
    }

    /// Whether the server's session with the lock, which has just answered with its number and its mark, also serves other
    /// clients, as behind a pooler.
    pub(super) async fn is_lent(&self, pid: Option<i64>, mark: Option<&str>) -> bool {
        match (self, pid) {
            (Self::Postgres(wire), Some(pid)) => wire.is_lent(pid, mark).await,
            _ => false,
        }
    }

    /// Ends the session; its connection is left where it can serve others and nothing was done over it but to look.
    pub(super) async fn leave(self) -> Option<Spare> {
        match self {
            Self::MySql(wire) => Box::pin(wire.leave()).await.map(Spare::new),
            other => {
                other.close().await;
                None
            }
        }
    }

    /// Says goodbye to the server, without waiting long for it.
    pub(super) async fn close(self) {
        match self {
            Self::Sqlite(wire) => Box::pin(wire.close()).await,
            Self::Postgres(wire) => Box::pin(wire.close()).await,
            Self::MySql(wire) => Box::pin(wire.close()).await,
            Self::SqlServer(wire) => Box::pin(wire.close()).await,
        }
    }
}

/// How a text ended.
pub(super) struct Driven {
    /// `None` when it was given up.
    pub(super) end: Option<Result<(), sqlx::Error>>,
    /// Why it was stopped, if it was.
    pub(super) stopped: Option<Reason>,
}

impl Driven {
    /// What became of a text that was sent to the server at `at`. The second value says whether something meant to stop
    /// it may still hit the next one, because the answer is none of the `interrupted` codes.
    pub(super) fn end(
        self,
        at: &str,
        interrupted: &[&str],
        failure: impl FnOnce(sqlx::Error) -> Failure,
    ) -> (Result<(), Failure>, bool) {
        let Some(end) = self.end else {
            let what = format!("work on {at}");
            let lost = || ProviderError::new(ErrorKind::Lost, format!("{what} was given up"));
            let error = self.stopped.map_or_else(lost, |reason| reason.error(&what));
            return (Err(Failure { error, cause: Cause::Other, at: None, ended: Ended::Lost }), true);
        };
        let result = end.map_err(failure);
        let Some(reason) = self.stopped else { return (result, false) };
        let Err(mut failure) = result else { return (Ok(()), true) };
        let hit = interrupted.contains(&&*failure.error.code) || failure.ended == Ended::Lost;
        if hit {
            failure.error = reason.error("the statement").code(std::mem::take(&mut failure.error.code));
        }
        (Err(failure), !hit)
    }
}

/// Drains `replies`. When it is time to stop, `kill` runs beside, and whichever is finished first decides.
pub(super) async fn drive<S>(mut replies: S, stop: &Stop, kill: impl Future<Output = ()>, sink: &mut Sink<'_>) -> Driven
where
    S: Stream<Item = Result<Reply, sqlx::Error>> + Unpin,
{
    let reason = tokio::select! {
        biased;
        end = drain(&mut replies, sink) => return Driven { end: Some(end), stopped: None },
        reason = stop.reached() => reason,
    };
    tokio::select! {
        biased;
        end = drain(&mut replies, sink) => Driven { end: Some(end), stopped: Some(reason) },
        () = kill => Driven { end: None, stopped: Some(reason) },
    }
}

async fn drain<S>(replies: &mut S, sink: &mut Sink<'_>) -> Result<(), sqlx::Error>
where
    S: Stream<Item = Result<Reply, sqlx::Error>> + Unpin,
{
    while let Some(reply) = replies.try_next().await? {
        sink(reply);
    }
    Ok(())
}

/// A driver's result or row as a reply.
pub(super) fn reply<D, R>(item: Either<D, R>, row: impl FnOnce(R) -> Row) -> Reply {
    match item {
        Either::Left(_) => Reply::Done,
        Either::Right(found) => Reply::Row(row(found)),
    }
}

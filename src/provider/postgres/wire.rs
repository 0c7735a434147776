use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection as _};
use tokio::time::Instant;

use super::failure::failure;
use super::options::options;
use crate::domain::BranchCode;
use crate::provider::connection::{Cause, Driven, Ended, Failure, GRACE, Overdue, Row, Sink, drive, raw, reply};
use crate::provider::endpoint::PostgresPlace;
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::stop::{Backoff, Stop, later};

/// A connection to a PostgreSQL database.
pub(in crate::provider) struct Wire {
    connection: PgConnection,
    options: PgConnectOptions,
    place: PostgresPlace,
    /// The server's process for this session, once it is known. Without it nothing can be killed.
    pub(in crate::provider) pid: Option<i32>,
    /// A cancellation was sent and its answer has not been seen: it may hit the next statement instead.
    pub(in crate::provider) tainted: bool,
}

impl Wire {
    /// Connects to a database of the place. A server that has no connection to spare is asked again within `limit`.
    pub(in crate::provider) async fn open(
        code: &BranchCode,
        place: &PostgresPlace,
        database: &str,
        limit: Duration,
    ) -> Result<Self, ProviderError> {
        let options = options(code, place, database).await?;
        let deadline = later(Instant::now(), limit);
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        let mut busy = None;
        loop {
            let error = match tokio::time::timeout_at(deadline, options.connect()).await {
                Ok(Ok(connection)) => {
                    return Ok(Self { connection, options, place: place.clone(), pid: None, tainted: false });
                }
                Ok(Err(error)) => failure(error, place, true).error,
                Err(_) => {
                    if let Some(busy) = busy {
                        // It has said that it is full, and only this last question went unanswered.
                        return Err(busy);
                    }
                    let seconds = limit.as_secs_f32();
                    let text = format!("{}:{} did not answer within {seconds:.0} s", place.host, place.port);
                    return Err(ProviderError::new(ErrorKind::Unreachable, text)
                        .hint("check host, port and firewall, and that the server is running"));
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

    pub(in crate::provider) async fn send(
        &mut self,
        text: &str,
        stop: &Stop,
        overdue: Overdue,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let Self { connection, options, place, pid, tainted } = self;
        let kill = async {
            if let (Overdue::Kill, Some(pid)) = (overdue, *pid) {
                kill(options, pid).await;
            }
        };
        let replies = raw(text).fetch_many(connection);
        let replies = replies.map_ok(|item| reply(item, Row::Postgres));
        let Driven { end, stopped } = drive(replies, stop, kill, sink).await;
        let Some(end) = end else {
            let what = format!("work on {}:{}", place.host, place.port);
            let lost = || ProviderError::new(ErrorKind::Lost, format!("{what} was given up"));
            let error = stopped.map_or_else(lost, |reason| reason.error(&what));
            return Err(Failure { error, cause: Cause::Other, at: None, ended: Ended::Lost });
        };
        let result = end.map_err(|error| failure(error, place, false));
        let Some(reason) = stopped else { return result };
        result.map_err(|mut failure| {
            let killed = matches!(&*failure.error.code, "57014" | "57P01") || failure.ended == Ended::Lost;
            *tainted = !killed;
            if killed {
                failure.error = reason.error("the statement").code(std::mem::take(&mut failure.error.code));
            }
            failure
        })?;
        *tainted = true;
        Ok(())
    }

    pub(in crate::provider) async fn close(self) {
        // Whatever goes wrong here, the server ends the session when it sees the socket closed.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.connection.close()).await;
    }
}

/// Asks the server to cancel what the process does and, when that is not heeded, ends its session. Returns when no answer
/// is to be expected any more.
async fn kill(options: &PgConnectOptions, pid: i32) {
    let connect = async {
        loop {
            match options.connect().await {
                Ok(second) => return second,
                Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
            }
        }
    };
    let Ok(mut second) = tokio::time::timeout(GRACE, connect).await else { return };
    for function in ["pg_cancel_backend", "pg_terminate_backend"] {
        let text = format!("SELECT {function}({pid})");
        let _ = tokio::time::timeout(GRACE, raw(&text).execute(&mut second)).await;
        tokio::time::sleep(GRACE).await;
    }
}

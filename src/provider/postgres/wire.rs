use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection as _};

use super::failure::failure;
use super::options::options;
use crate::domain::BranchCode;
use crate::provider::connection::{Failure, Overdue, Row, Sink, drive, raw, reply};
use crate::provider::error::ProviderError;
use crate::provider::server::{ServerPlace, kill};
use crate::provider::stop::Stop;

/// A connection to a PostgreSQL database.
pub(in crate::provider) struct Wire {
    connection: PgConnection,
    options: PgConnectOptions,
    place: ServerPlace,
    /// The server's process for this session, once it is known. Without it nothing can be killed.
    pub(in crate::provider) pid: Option<i64>,
    /// A cancellation was sent and its answer has not been seen: it may hit the next statement instead.
    pub(in crate::provider) tainted: bool,
}

impl Wire {
    /// Connects to a database of the place. A server that has no connection to spare is asked again within `limit`.
    pub(in crate::provider) async fn open(
        code: &BranchCode,
        place: &ServerPlace,
        database: &str,
        limit: Duration,
    ) -> Result<Self, ProviderError> {
        let options = options(code, place, database).await?;
        let attempt = || async { options.connect().await.map_err(|error| failure(error, place, true).error) };
        let connection = place.connect(limit, attempt).await?;
        Ok(Self { connection, options, place: place.clone(), pid: None, tainted: false })
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
                let texts = ["pg_cancel_backend", "pg_terminate_backend"].map(|f| format!("SELECT {f}({pid})"));
                kill(
                    || options.connect(),
                    texts,
                    |second, text| Box::pin(async move { drop(raw(&text).execute(second).await) }),
                )
                .await;
            }
        };
        let replies = raw(text).fetch_many(connection);
        let replies = replies.map_ok(|item| reply(item, Row::Postgres));
        let driven = drive(replies, stop, kill, sink).await;
        let (result, late) = driven.end(&place.address(), &["57014", "57P01"], |error| failure(error, place, false));
        *tainted = late;
        result
    }

    pub(in crate::provider) async fn close(self) {
        // Whatever goes wrong here, the server ends the session when it sees the socket closed.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.connection.close()).await;
    }
}

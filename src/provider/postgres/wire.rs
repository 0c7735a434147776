use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection as _, Row as _};

use super::failure::{failure, is_refused_parameter};
use super::options::options;
use crate::domain::BranchCode;
use crate::provider::connection::{Failure, Overdue, Row, Sink, drive, raw, reply};
use crate::provider::error::ProviderError;
use crate::provider::server::{ServerPlace, kill};
use crate::provider::stop::Stop;

/// The parameter by which a session that was made for us is known. Only the server's own sessions can have it: it goes
/// along with the request for a connection, which poolers answer themselves.
pub(super) const BIRTHMARK: &str = "branchkeeper.session";
/// How many clients ask a pooler for a session at once.
const CLIENTS: usize = 3;
/// How long each waits for it.
const ASKING: Duration = Duration::from_secs(2);

/// A connection to a PostgreSQL database.
pub(in crate::provider) struct Wire {
    connection: PgConnection,
    options: PgConnectOptions,
    place: ServerPlace,
    /// What the session was told at its birth; `None` where something on the way would not pass it on.
    birthmark: Option<String>,
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
        let plain = options(code, place, database).await?;
        let birthmark = format!("{:016x}", rand::random::<u64>());
        let marked = plain.clone().options([(BIRTHMARK, &birthmark)]);
        let attempt = || async {
            match marked.connect().await {
                // A pooler knows which parameters its sessions can share, and this is none of them.
                Err(error) if is_refused_parameter(&error) => plain.connect().await.map(|opened| (opened, false)),
                opened => opened.map(|opened| (opened, true)),
            }
            .map_err(|error| failure(error, place, true).error)
        };
        let (connection, is_marked) = place.connect(limit, attempt).await?;
        let (options, birthmark) = if is_marked { (marked, Some(birthmark)) } else { (plain, None) };
        Ok(Self { connection, options, place: place.clone(), birthmark, pid: None, tainted: false })
    }

    /// Whether the server's session that serves this connection between two transactions, which has the number `pid` and
    /// bears the mark `found`, serves others too.
    ///
    /// A session with our mark is ours alone. One without was made by a pooler, which is harmless as long as it keeps a
    /// session for each client. Then nobody else can get this one; a pooler that lends its sessions for a transaction
    /// gives the one that has just become idle to the next client that asks.
    pub(in crate::provider) async fn is_lent(&self, pid: i64, found: Option<&str>) -> bool {
        if self.birthmark.is_some() && self.birthmark.as_deref() == found {
            return false;
        }
        let mut asking = Vec::new();
        for _ in 0..CLIENTS {
            let ask = async {
                let mut other = self.options.connect().await?;
                let row = raw("BEGIN; SELECT pg_backend_pid()::text").fetch_one(&mut other).await?;
                let text: String = row.try_get_unchecked(0)?;
                Ok::<_, sqlx::Error>((other, text.parse() == Ok(pid)))
            };
            match tokio::time::timeout(ASKING, ask).await {
                Ok(Ok((_, true))) => return true,
                // Its transaction stays open, so that the next one is given another session.
                Ok(Ok((other, false))) => asking.push(other),
                // Without a session to spare, no idle one is lent.
                Ok(Err(_)) | Err(_) => break,
            }
        }
        for other in asking {
            let _ = tokio::time::timeout(Duration::from_secs(1), other.close()).await;
        }
        false
    }

    pub(in crate::provider) async fn send(
        &mut self,
        text: &str,
        stop: &Stop,
        overdue: Overdue,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let Self { connection, options, place, pid, tainted, .. } = self;
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

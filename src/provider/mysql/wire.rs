use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{ConnectOptions, Connection as _, Row as _};

use super::dialect::{sent, whole_seconds};
use super::failure::failure;
use super::options::options;
use super::place::find;
use super::quoting::Quoting;
use super::vigil;
use crate::provider::connection::{Cause, Ended, Failure, Overdue, Row, Sink, drive, raw, reply};
use crate::provider::error::ProviderError;
use crate::provider::server::{ServerPlace, kill};
use crate::provider::stop::Stop;

/// The codes of a statement that was stopped: interrupted, over its time, its connection ended.
const INTERRUPTED: [&str; 4] = ["1317", "1969", "3024", "1927"];

/// A connection to a MySQL or MariaDB server.
pub(in crate::provider) struct Wire {
    connection: MySqlConnection,
    options: MySqlConnectOptions,
    place: ServerPlace,
    /// The server's number for this connection.
    id: u64,
    /// How the server names itself.
    server: String,
    /// What the server's modes change of how scripts are read.
    pub(in crate::provider) quoting: Quoting,
    /// A `KILL QUERY` was sent and its answer has not been seen: it may hit the next statement instead.
    pub(in crate::provider) tainted: bool,
}

impl Wire {
    /// Connects to a database of the place, or to none where the name is empty. A server that has no connection to spare is asked again within
    /// `limit`.
    pub(in crate::provider) async fn open(
        place: &ServerPlace,
        database: &str,
        limit: Duration,
    ) -> Result<Self, ProviderError> {
        let options = options(place, Some(database).filter(|name| !name.is_empty())).await?;
        let wait = whole_seconds(limit);
        let attempt = || async {
            let opened = open(&options, wait).await;
            opened.map_err(|error| failure(error, place, true).error)
        };
        let (connection, greeting) = place.connect(limit, attempt).await?;
        let Greeting { id, server, quoting } = greeting;
        Ok(Self { connection, options, place: place.clone(), id, server, quoting, tainted: false })
    }

    pub(in crate::provider) async fn send(
        &mut self,
        text: &str,
        stop: &Stop,
        overdue: Overdue,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let Self { connection, options, place, id, server, tainted, .. } = self;
        let kill = async {
            if overdue == Overdue::Kill {
                let texts = ["QUERY", "CONNECTION"].map(|what| format!("KILL {what} {id}"));
                kill(
                    || options.connect(),
                    texts,
                    |second, text| Box::pin(async move { drop(raw(&text).execute(second).await) }),
                )
                .await;
            }
        };
        let text = sent(text);
        let replies = raw(text).fetch_many(connection);
        let replies = replies.map_ok(|item| reply(item, Row::MySql));
        let driven = tokio::select! {
            biased;
            driven = drive(replies, stop, kill, sink) => driven,
            why = vigil::watch(options, *id, server, place.silence) => {
                *tainted = true;
                return Err(Failure { error: place.lost(&why), cause: Cause::Other, at: None, ended: Ended::Lost });
            }
        };
        let (result, late) = driven.end(&place.address(), &INTERRUPTED, |error| {
            let at = find(text, &error);
            Failure { at, ..failure(error, place, false) }
        });
        *tainted = late;
        result
    }

    pub(in crate::provider) async fn close(self) {
        // Whatever goes wrong here, the server ends the session when it sees the socket closed.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.connection.close()).await;
    }
}

/// What a server says of itself and of a new session.
struct Greeting {
    id: u64,
    server: String,
    quoting: Quoting,
}

/// Connects, gives the session the server's own settings, and learns who the server is and how it reads quotes: one round
/// trip after the handshake.
///
/// A silent session ends after ten minutes, whatever the server's own limit: long enough for everything that happens
/// between two statements, and short enough that the lock of a machine that vanished does not stay for hours. A statement
/// that runs for long is not silent.
async fn open(options: &MySqlConnectOptions, wait: u64) -> Result<(MySqlConnection, Greeting), sqlx::Error> {
    let mut connection = options.connect().await?;
    let text = format!(
        "SET NAMES utf8mb4, @@SESSION.sql_mode = @@GLOBAL.sql_mode, @@SESSION.autocommit = 1,
  @@SESSION.wait_timeout = 600, @@SESSION.lock_wait_timeout = {wait};
SELECT CAST(CONNECTION_ID() AS CHAR), {}, @@SESSION.sql_mode",
        vigil::SERVER
    );
    let row = raw(&text).fetch_one(&mut connection).await?;
    let id: String = row.try_get_unchecked(0)?;
    let id = id.parse().map_err(|_| sqlx::Error::Protocol("the server gives no connection number".into()))?;
    let (server, modes): (String, String) = (row.try_get_unchecked(1)?, row.try_get_unchecked(2)?);
    Ok((connection, Greeting { id, server, quoting: Quoting::of(&modes) }))
}

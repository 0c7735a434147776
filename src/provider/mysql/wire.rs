use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::{ConnectOptions, Connection as _, Either, Row as _};

use super::dialect::{sent, whole_seconds};
use super::failure::failure;
use super::options::options;
use super::place::find;
use super::quoting::Quoting;
use super::vigil;
use crate::provider::connection::{Cause, Ended, Failure, Overdue, Reply, Row, Sink, drive, raw, reply};
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
    /// The question that travelled with the greeting, and its answer, until something else is asked.
    asked: Option<Asked>,
    /// What the server's modes change of how scripts are read.
    pub(in crate::provider) quoting: Quoting,
    /// A `KILL QUERY` was sent and its answer has not been seen: it may hit the next statement instead.
    pub(in crate::provider) tainted: bool,
}

impl Wire {
    /// Connects to a database of the place, or to none where the name is empty. A server that has no connection to spare
    /// is asked again within `limit`. What is asked `first` travels with the greeting, and when it is sent next, the
    /// answer is there already.
    pub(in crate::provider) async fn open(
        place: &ServerPlace,
        database: &str,
        limit: Duration,
        first: Option<&str>,
    ) -> Result<Self, ProviderError> {
        let options = options(place, Some(database).filter(|name| !name.is_empty())).await?;
        let wait = whole_seconds(limit);
        let attempt = || async {
            let opened = open(&options, wait, first).await;
            opened.map_err(|error| failure(error, place, true).error)
        };
        let (connection, greeting, asked) = place.connect(limit, attempt).await?;
        let Greeting { id, server, quoting } = greeting;
        Ok(Self { connection, options, place: place.clone(), id, server, asked, quoting, tainted: false })
    }

    pub(in crate::provider) async fn send(
        &mut self,
        text: &str,
        stop: &Stop,
        overdue: Overdue,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        if let Some(asked) = self.asked.take().filter(|asked| asked.text == text) {
            let rows = asked.answer.map_err(|error| failure(error, &self.place, false))?;
            rows.into_iter().for_each(|row| sink(Reply::Row(Row::MySql(row))));
            sink(Reply::Done);
            return Ok(());
        }
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

/// A question and what came of it.
struct Asked {
    text: String,
    answer: Result<Vec<MySqlRow>, sqlx::Error>,
}

/// Connects, gives the session the server's own settings, learns who the server is and how it reads quotes, and asks what
/// is to be asked `first`: one round trip after the handshake.
///
/// A silent session ends after ten minutes, whatever the server's own limit: long enough for everything that happens
/// between two statements, and short enough that the lock of a machine that vanished does not stay for hours. A statement
/// that runs for long is not silent.
async fn open(
    options: &MySqlConnectOptions,
    wait: u64,
    first: Option<&str>,
) -> Result<(MySqlConnection, Greeting, Option<Asked>), sqlx::Error> {
    let mut connection = options.connect().await?;
    let mut text = format!(
        "SET NAMES utf8mb4, @@SESSION.sql_mode = @@GLOBAL.sql_mode, @@SESSION.autocommit = 1,
  @@SESSION.wait_timeout = 600, @@SESSION.lock_wait_timeout = {wait};
SELECT CAST(CONNECTION_ID() AS CHAR), {}, @@SESSION.sql_mode",
        vigil::SERVER
    );
    if let Some(first) = first {
        text.push_str(";\n");
        text.push_str(sent(first));
    }
    let mut replies = raw(&text).fetch_many(&mut connection);
    let (mut greeting, mut rows) = (None, Vec::new());
    let answer = loop {
        match replies.try_next().await {
            Ok(Some(Either::Right(row))) if greeting.is_none() => greeting = Some(row),
            Ok(Some(Either::Right(row))) => rows.push(row),
            Ok(Some(Either::Left(_))) => {}
            Ok(None) => break Ok(rows),
            // The greeting went through; this is the answer to the question.
            Err(error @ sqlx::Error::Database(_)) if greeting.is_some() => break Err(error),
            Err(error) => return Err(error),
        }
    };
    drop(replies);
    let row = greeting.ok_or_else(|| sqlx::Error::Protocol("the server does not say who it is".into()))?;
    let id: String = row.try_get_unchecked(0)?;
    let id = id.parse().map_err(|_| sqlx::Error::Protocol("the server gives no connection number".into()))?;
    let (server, modes): (String, String) = (row.try_get_unchecked(1)?, row.try_get_unchecked(2)?);
    let asked = first.map(|text| Asked { text: text.to_owned(), answer });
    Ok((connection, Greeting { id, server, quoting: Quoting::of(&modes) }, asked))
}

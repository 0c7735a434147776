use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlRow};
use sqlx::{ConnectOptions, Connection as _, Row as _};

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
    /// For how long a statement waits for a table that others use, in seconds, unless it is told otherwise.
    wait: u64,
    /// `None` until something was asked that needs the session's settings.
    greeting: Option<Greeting>,
    /// The question that was asked while connecting, and its answer, until something else is asked.
    asked: Option<Asked>,
    /// A `KILL QUERY` was sent and its answer has not been seen: it may hit the next statement instead.
    pub(in crate::provider) tainted: bool,
}

impl Wire {
    /// Connects to a database of the place, or to none where the name is empty. A server that has no connection to spare
    /// is asked again within `limit`. What is asked `first`, which must mean the same with any settings, is asked at once,
    /// and when it is sent next, the answer is there already; most branches are asked nothing else.
    pub(in crate::provider) async fn open(
        place: &ServerPlace,
        database: &str,
        limit: Duration,
        first: Option<&str>,
    ) -> Result<Self, ProviderError> {
        let options = options(place, Some(database).filter(|name| !name.is_empty())).await?;
        // The server may take names for something else until it is told in which characters they are written.
        let first = first.filter(|text| text.is_ascii());
        let attempt = || async {
            let opened = open(&options, first).await;
            opened.map_err(|error| failure(error, place, true).error)
        };
        let (connection, asked) = place.connect(limit, attempt).await?;
        let wait = whole_seconds(limit);
        let mut wire = Self { connection, options, place: place.clone(), wait, greeting: None, asked, tainted: false };
        if first.is_none() {
            wire.greet(&Stop::after(limit), true).await.map_err(|failure| failure.error)?;
        }
        Ok(wire)
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
        if self.greeting.is_none() {
            if overdue == Overdue::Abandon {
                return self.greet_and_send(sent(text), stop, false, sink).await;
            }
            self.greet(stop, false).await?;
        }
        let Self { connection, options, place, greeting, tainted, .. } = self;
        let Greeting { id, server, .. } = greeting.as_ref().ok_or_else(|| nameless(place))?;
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

    /// Begins the session where nothing is to be asked along; `connecting` is for how a failure is told.
    async fn greet(&mut self, stop: &Stop, connecting: bool) -> Result<(), Failure> {
        self.greet_and_send("", stop, connecting, &mut |_| {}).await
    }

    /// Gives the session the server's own settings, learns who the server is and how it reads quotes, and sends a question
    /// of ours, all in one round trip. What is not answered in time is given up with the connection.
    async fn greet_and_send(
        &mut self,
        text: &str,
        stop: &Stop,
        connecting: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        let Self { connection, place, greeting, .. } = self;
        let opening = opening(self.wait);
        let opening = if text.is_empty() { opening } else { format!("{opening};\n{text}") };
        let replies = raw(&opening).fetch_many(connection);
        let replies = replies.map_ok(|item| reply(item, Row::MySql));
        // The settings are done, then the greeting, whose one row is ours.
        let (mut done, mut told) = (0, None);
        let mut rest = |reply| match reply {
            Reply::Row(Row::MySql(row)) if done == 1 => told = Greeting::read(&row),
            Reply::Done if done < 2 => done += 1,
            reply => sink(reply),
        };
        let driven = drive(replies, stop, std::future::ready(()), &mut rest).await;
        let (result, _) = driven.end(&place.address(), &INTERRUPTED, |error| failure(error, place, connecting));
        *greeting = told;
        result?;
        greeting.as_ref().map(drop).ok_or_else(|| nameless(place))
    }

    /// Where the server would read a script otherwise than it was split; see [`Quoting::misread`].
    pub(in crate::provider) fn misread<'s>(
        &self,
        statements: impl Iterator<Item = &'s str>,
    ) -> Option<(usize, usize, &'static str)> {
        // Whoever is about to run a script has taken the lock, and with it the greeting.
        self.greeting.as_ref().and_then(|greeting| greeting.quoting.misread(statements))
    }

    pub(in crate::provider) async fn close(self) {
        // Whatever goes wrong here, the server ends the session when it sees the socket closed.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.connection.close()).await;
    }
}

/// What a server says of itself and of a new session.
struct Greeting {
    /// The server's number for the connection.
    id: u64,
    /// How the server names itself.
    server: String,
    /// What the server's modes change of how scripts are read.
    quoting: Quoting,
}

impl Greeting {
    fn read(row: &MySqlRow) -> Option<Self> {
        let text = |column: usize| row.try_get_unchecked::<String, _>(column).ok();
        Some(Self { id: text(0)?.parse().ok()?, server: text(1)?, quoting: Quoting::of(&text(2)?) })
    }
}

/// A question and what came of it.
struct Asked {
    text: String,
    answer: Result<Vec<MySqlRow>, sqlx::Error>,
}

/// Connects, and asks what is to be asked `first`.
async fn open(
    options: &MySqlConnectOptions,
    first: Option<&str>,
) -> Result<(MySqlConnection, Option<Asked>), sqlx::Error> {
    let mut connection = options.connect().await?;
    let Some(text) = first else { return Ok((connection, None)) };
    match raw(sent(text)).fetch_all(&mut connection).await {
        Err(error) if !is_about_question(&error) => Err(error),
        answer => Ok((connection, Some(Asked { text: text.to_owned(), answer }))),
    }
}

/// Whether it is the question that the server has refused, and not the session.
fn is_about_question(error: &sqlx::Error) -> bool {
    let refused = error.as_database_error().and_then(|refused| refused.try_downcast_ref::<MySqlDatabaseError>());
    refused.is_some_and(|refused| !matches!(refused.number(), 1053 | 1152 | 1927 | 4031))
}

/// What a session begins with.
///
/// A silent session ends after ten minutes, whatever the server's own limit: long enough for everything that happens
/// between two statements, and short enough that the lock of a machine that vanished does not stay for hours. A statement
/// that runs for long is not silent.
fn opening(wait: u64) -> String {
    format!(
        "SET NAMES utf8mb4, @@SESSION.sql_mode = @@GLOBAL.sql_mode, @@SESSION.autocommit = 1,
  @@SESSION.wait_timeout = 600, @@SESSION.lock_wait_timeout = {wait};
SELECT CAST(CONNECTION_ID() AS CHAR), {}, @@SESSION.sql_mode",
        vigil::SERVER
    )
}

fn nameless(place: &ServerPlace) -> Failure {
    failure(sqlx::Error::Protocol("the server does not say who it is".into()), place, false)
}

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::{ConnectOptions, Row as _};

use super::account::Account;
use super::asked::{self, Asked};
use super::dialect::{sent, whole_seconds};
use super::failure::failure;
use super::place::find;
use super::quoting::Quoting;
use super::spare::Spare;
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
    account: Account,
    options: MySqlConnectOptions,
    place: ServerPlace,
    /// For how long a statement waits for a table that others use, in seconds, unless it is told otherwise.
    wait: u64,
    /// `None` until something was asked that needs the session's settings.
    greeting: Option<Greeting>,
    /// The question that was asked while connecting, and its answer, until something else is asked.
    asked: Option<Asked>,
    /// Whether the connection comes from an earlier look.
    reused: bool,
    /// A `KILL QUERY` was sent and its answer has not been seen: it may hit the next statement instead.
    pub(in crate::provider) tainted: bool,
}

impl Wire {
    /// Connects to a database of the place, or to none where the name is empty. A server that has no connection to spare
    /// is asked again within `limit`. What is asked `first`, which must mean the same with any settings, is asked at once,
    /// and when it is sent next, the answer is there already; most branches are asked nothing else. A `spare` connection
    /// is used if it can tell the answer, and closed otherwise.
    pub(in crate::provider) async fn open(
        place: &ServerPlace,
        database: &str,
        limit: Duration,
        first: Option<&str>,
        spare: Option<Spare>,
    ) -> Result<Self, ProviderError> {
        let account = Account::of(place).await?;
        let options = account.options(database);
        // The server may take names for something else until it is told in which characters they are written.
        let first = first.filter(|text| text.is_ascii());
        let mut spared = None;
        match (spare, first) {
            (Some(spare), Some(first)) => spared = spare.ask(&account, database, first, limit).await,
            (Some(spare), None) => spare.close().await,
            (None, _) => {}
        }
        let reused = spared.is_some();
        let (connection, asked) = match spared {
            Some((connection, asked)) => (connection, Some(asked)),
            None => {
                let attempt = || async {
                    let opened = asked::open(&options, first).await;
                    opened.map_err(|error| failure(error, place, true).error)
                };
                place.connect(limit, attempt).await?
            }
        };
        let (place, wait) = (place.clone(), whole_seconds(limit));
        let mut wire =
            Self { connection, account, options, place, wait, greeting: None, asked, reused, tainted: false };
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
        asked::close(self.connection).await;
    }

    /// Whether the connection comes from an earlier look.
    pub(in crate::provider) fn is_borrowed(&self) -> bool {
        self.reused
    }

    /// Ends the session; its connection is left where nothing was done over it but to look.
    pub(in crate::provider) async fn leave(self) -> Option<Spare> {
        if self.greeting.is_some() || self.tainted {
            self.close().await;
            return None;
        }
        Some(Spare { account: self.account, connection: self.connection, settled: self.reused })
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

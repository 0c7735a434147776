//! Connections that are left over from looks.
//!
//! A server of MySQL's has all of its databases in reach of one connection, and to connect costs it more than the one
//! question that most branches are asked. So a connection over which nothing was done but to look is left to the next
//! look of the same account, which brings its own database along: `USE` tells it as connecting does, with the same
//! errors. Work that such a look finds goes over a connection of the branch's own.

use std::time::Duration;

use sqlx::mysql::MySqlConnection;

use super::account::Account;
use super::asked::{Asked, close, is_about_table};
use super::dialect::{quote, sent};
use crate::provider::connection::raw;
use crate::provider::server::ServerPlace;

/// A connection over which nothing was done but to look.
pub(in crate::provider) struct Spare {
    pub(super) account: Account,
    pub(super) connection: MySqlConnection,
    /// Whether each of its questions sees what is committed then. A server whose sessions begin with a transaction would go
    /// on to show what the first question saw.
    pub(super) settled: bool,
}

impl Spare {
    /// Whether a look at the place may go over it, as far as that is known without the password.
    pub(in crate::provider) fn may_serve(&self, place: &ServerPlace) -> bool {
        self.account.may_be_of(place)
    }

    /// Asks what is to be asked `first` in a database. `None`, with the connection closed, where it takes a connection of
    /// its own to tell the answer: the account is another one, the server refused the database, the connection is gone.
    pub(super) async fn ask(
        mut self,
        account: &Account,
        database: &str,
        first: &str,
        limit: Duration,
    ) -> Option<(MySqlConnection, Asked)> {
        // The server may take a name for something else until it is told in which characters it is written.
        if self.account != *account || database.is_empty() || !database.is_ascii() {
            self.close().await;
            return None;
        }
        let settle = if self.settled { "" } else { "SET autocommit = 1;\n" };
        let text = format!("{settle}USE {};\n{}", quote(database), sent(first));
        match tokio::time::timeout(limit, raw(&text).fetch_all(&mut self.connection)).await {
            Ok(answer) if answer.as_ref().err().is_none_or(is_about_table) => {
                Some((self.connection, Asked { text: first.to_owned(), answer }))
            }
            Ok(_) => {
                self.close().await;
                None
            }
            // Its answer may still come.
            Err(_) => None,
        }
    }

    pub(in crate::provider) async fn close(self) {
        close(self.connection).await;
    }
}

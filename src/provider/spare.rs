use std::time::Duration;

use tokio::time::Instant;

use super::endpoint::{Endpoint, Place};
use super::mysql;

/// A connection to a server, left over from a look at one of its databases, for a look at another. MySQL's and MariaDB's
/// only: elsewhere a connection is one to a database.
pub struct Spare {
    connection: mysql::Spare,
    since: Instant,
}

impl Spare {
    pub(super) fn new(connection: mysql::Spare) -> Self {
        Self { connection, since: Instant::now() }
    }

    pub(super) fn into_inner(self) -> mysql::Spare {
        self.connection
    }

    /// Whether a look at this branch can be expected to go over it.
    pub fn may_serve(&self, endpoint: &Endpoint) -> bool {
        matches!(&endpoint.place, Place::MySql(place) if self.connection.may_serve(place))
    }

    /// For how long nobody has used it.
    pub fn idle(&self) -> Duration {
        self.since.elapsed()
    }

    /// Says goodbye to the server, and waits a second at most.
    pub async fn close(self) {
        self.connection.close().await;
    }
}

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{Clock, Sealer, SystemClock};

/// What holds for all branches.
#[derive(Clone)]
pub struct Settings {
    /// The folder under which all SQLite branches live.
    pub sqlite_root: PathBuf,
    /// The ledger's table, 1 to 60 characters; the lock's table has the same name with `Lock` at its end.
    pub history_table: String,
    /// How long to wait for a connection, and for the answer to each small question of our own.
    pub connect_timeout: Duration,
    /// How long a migration's statement may wait for another session's lock on what it changes; `None` leaves it to the
    /// server or to the migration's own time limit (SQLite).
    pub lock_timeout: Option<Duration>,
    /// After how long without a sign of life a server whose driver keeps no connection alive (MySQL) is asked whether it
    /// still works on a statement.
    pub silence: Duration,
    /// What decrypts stored passwords.
    pub sealer: Sealer,
    /// The time that goes into ledgers and locks of providers without a clock of their own.
    pub clock: Arc<dyn Clock>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sqlite_root: PathBuf::from("data/branches"),
            history_table: "__MigrationsHistory".into(),
            connect_timeout: Duration::from_secs(15),
            lock_timeout: None,
            silence: Duration::from_secs(60),
            sealer: Sealer::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("sqlite_root", &self.sqlite_root)
            .field("history_table", &self.history_table)
            .field("connect_timeout", &self.connect_timeout)
            .field("lock_timeout", &self.lock_timeout)
            .finish_non_exhaustive()
    }
}

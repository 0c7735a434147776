use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The kinds of database server that a branch can live on. MariaDB is [`Provider::MySql`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// A database file on the service's own machine.
    Sqlite,
    /// Microsoft SQL Server 2016 or newer, and Azure SQL Database.
    SqlServer,
    /// PostgreSQL 12 or newer.
    Postgres,
    /// MySQL 8.0.22 or newer and MariaDB 10.6 or newer.
    MySql,
}

impl Provider {
    /// Every provider, in the order of the contract's enum.
    pub const ALL: [Self; 4] = [Self::Sqlite, Self::SqlServer, Self::Postgres, Self::MySql];

    /// The name used in file names, on the command line and in stored rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::SqlServer => "sqlserver",
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
        }
    }

    /// The TCP port used when a connection names none; `None` for SQLite.
    pub const fn default_port(self) -> Option<u16> {
        match self {
            Self::Sqlite => None,
            Self::SqlServer => Some(1433),
            Self::Postgres => Some(5432),
            Self::MySql => Some(3306),
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("'{text}' is not a provider; use sqlite, sqlserver, postgres or mysql"))
    }
}

//! What a server that speaks SQL Server's protocol and language without being SQL Server can't show, by name.
//!
//! The tests are written for SQL Server as it is documented. Such a server may be given to them all the same, because it
//! shows most of what they ask; what it can't show is skipped, and said aloud with the difference that is to blame.

use super::server::Server;
use super::{Product, skip, sqlserver};

/// How such a server differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    /// The catalog gives every name in lower case.
    LowerCaseNames,
    /// The catalog gives the names of indexes with something behind them.
    IndexNames,
    /// Errors do not tell the procedure that they are from.
    Procedures,
    /// What a session does can neither be stopped nor is it stopped when its client goes.
    Stopping,
    /// There are no views of what sessions do (`sys.dm_exec_requests`).
    Sessions,
    /// A database can't have a collation of its own.
    Collations,
    /// Not every change of a schema is understood: ALTER COLUMN with NULL or NOT NULL, ADD … WITH VALUES, ALTER VIEW, other
    /// names for indexes, names with `]`; and the names of defaults are not kept.
    SchemaChanges,
}

impl Gap {
    fn told(self) -> &'static str {
        match self {
            Self::LowerCaseNames => "its catalog gives names in lower case",
            Self::IndexNames => "its catalog gives the names of indexes with a suffix",
            Self::Procedures => "its errors do not tell the procedure",
            Self::Stopping => "a statement that runs can't be stopped",
            Self::Sessions => "it has no sys.dm_exec_requests",
            Self::Collations => "its databases all have the same collation",
            Self::SchemaChanges => "it does not understand every change of a schema",
        }
    }
}

impl Server {
    /// Whether the server differs so from the one that it stands for, which keeps it from showing `what`. That is said aloud.
    /// SQL Server itself never does, nor does any other product, nor a server that says nothing of being another.
    pub(crate) async fn keeps_from(&self, gap: Gap, what: &str) -> bool {
        if self.product != Product::SqlServer || !self.is_babelfish().await {
            return false;
        }
        skip::say(&format!("{what}: this is Babelfish for PostgreSQL, and {}", gap.told()));
        true
    }

    async fn is_babelfish(&self) -> bool {
        static VERSION: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
        let ask = || async {
            let mut connection = sqlserver::connect(self, &self.maintenance).await.expect("it lets us in");
            let rows = sqlserver::rows(&mut connection, "SELECT @@VERSION").await.expect("it has a version");
            rows.into_iter().next().and_then(|row| row.into_iter().next().flatten()).expect("it is a text")
        };
        VERSION.get_or_init(ask).await.starts_with("Babelfish")
    }
}

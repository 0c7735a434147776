use std::collections::BTreeMap;
use std::fmt;

use super::{Branch, Connection, Provider};

/// The longest name, label value, host, user or other free text of a branch, in characters.
const MAX_TEXT: usize = 200;
/// The longest path.
const MAX_PATH: usize = 1024;
/// The most labels or options of one branch.
const MAX_PAIRS: usize = 64;

/// One field of a request that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// The field's path in the request, such as `branch.connection.server.port`.
    pub field: String,
    /// What is wrong with it and what is allowed.
    pub description: String,
}

/// Every field of a request that cannot be accepted; empty when the request is fine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Violations(pub Vec<FieldViolation>);

impl Violations {
    /// Adds one.
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.0.push(FieldViolation { field: field.into(), description: description.into() });
    }

    /// `Ok` when nothing was added.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// Adds one when `value` has more than `limit` characters or holds control characters.
    pub fn text(&mut self, field: &str, value: &str, limit: usize) {
        let length = value.chars().count();
        if length > limit {
            self.add(field, format!("has {length} characters; at most {limit} are allowed"));
        } else if value.chars().any(char::is_control) {
            self.add(field, "contains control characters");
        }
    }

    fn required(&mut self, field: &str, value: &str, limit: usize) {
        if value.trim().is_empty() {
            self.add(field, "must not be empty");
        } else {
            self.text(field, value, limit);
        }
    }

    /// Adds one for every key and value that labels may not have, and one when there are too many.
    pub fn pairs(&mut self, field: &str, pairs: &BTreeMap<String, String>) {
        if pairs.len() > MAX_PAIRS {
            self.add(field, format!("has {} entries; at most {MAX_PAIRS} are allowed", pairs.len()));
            return;
        }
        for (key, value) in pairs {
            self.required(&format!("{field} key"), key, 63);
            self.text(&format!("{field}[{}]", super::shorten(key, 63)), value, MAX_TEXT);
        }
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{} {}", violation.field, violation.description)?;
        }
        Ok(())
    }
}

/// Checks everything about a branch that can be checked without a database. `prefix` is the branch's path in the request.
pub fn validate_branch(branch: &Branch, prefix: &str) -> Result<(), Violations> {
    let mut found = Violations::default();
    let field = |name: &str| format!("{prefix}.{name}");
    found.text(&field("name"), &branch.name, MAX_TEXT);
    found.text(&field("environment"), &branch.environment, 64);
    found.pairs(&field("labels"), &branch.labels);
    let connection = field("connection");
    match (&branch.connection, branch.provider) {
        (Connection::Sqlite(sqlite), Provider::Sqlite) => {
            let path = format!("{connection}.sqlite.path");
            found.text(&path, &sqlite.path, MAX_PATH);
            let parts: Vec<&str> = sqlite.path.split(['/', '\\']).collect();
            if sqlite.path.starts_with(['/', '\\']) || sqlite.path.contains(':') {
                found.add(path, "must be relative to the configured root");
            } else if parts.contains(&"..") {
                found.add(path, "must not contain '..'");
            } else if !sqlite.path.is_empty() && parts.last().is_none_or(|name| name.is_empty()) {
                found.add(path, "must name a file");
            }
        }
        (Connection::Server(server), provider) if provider != Provider::Sqlite => {
            let at = |name: &str| format!("{connection}.server.{name}");
            found.required(&at("host"), &server.host, 255);
            if server.host.contains(char::is_whitespace) {
                found.add(at("host"), "must not contain white space");
            }
            if server.port == Some(0) {
                found.add(at("port"), "must be between 1 and 65535");
            }
            found.required(&at("database"), &server.database, 63);
            found.text(&at("schema"), &server.schema, 63);
            if provider == Provider::MySql && !server.schema.is_empty() {
                found.add(at("schema"), "must be empty: a database of MySQL has no schemas");
            }
            found.required(&at("username"), &server.username, MAX_TEXT);
            found.text(&at("ssl_ca_file"), &server.ssl_ca_file, MAX_PATH);
            found.pairs(&at("options"), &server.options);
        }
        (Connection::Sqlite(_), provider) => {
            found.add(connection, format!("is a SQLite file, but the provider is {provider}; give connection.server"));
        }
        (Connection::Server(_), _) => {
            found.add(connection, "is a server, but the provider is sqlite; give connection.sqlite");
        }
    }
    found.into_result()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BranchId, ServerConnection, SqliteConnection, Time};

    fn branch(provider: Provider, connection: Connection) -> Branch {
        Branch {
            id: BranchId::generate(),
            code: "BR001".parse().unwrap(),
            name: String::new(),
            provider,
            connection,
            labels: Default::default(),
            is_active: true,
            environment: String::new(),
            create_time: Time::UNIX_EPOCH,
            update_time: Time::UNIX_EPOCH,
        }
    }

    fn fields(branch: &Branch) -> Vec<String> {
        match validate_branch(branch, "branch") {
            Ok(()) => Vec::new(),
            Err(found) => found.0.into_iter().map(|violation| violation.field).collect(),
        }
    }

    #[test]
    fn sqlite_paths_stay_relative() {
        for path in ["/etc/x.db", "../x.db", "a/../../x.db", "C:/x.db", "\\x.db", "a/"] {
            let connection = Connection::Sqlite(SqliteConnection { path: path.into() });
            let found = fields(&branch(Provider::Sqlite, connection));
            assert_eq!(found, ["branch.connection.sqlite.path"], "{path}");
        }
        let connection = Connection::Sqlite(SqliteConnection { path: "shops/..db".into() });
        assert!(fields(&branch(Provider::Sqlite, connection)).is_empty());
    }

    #[test]
    fn every_violation_is_reported_at_once() {
        let server = ServerConnection { port: Some(0), schema: "x".repeat(10_000), ..Default::default() };
        let mut branch = branch(Provider::Postgres, Connection::Server(server));
        branch.name = "n".repeat(10_000);
        let found = fields(&branch);
        for name in ["name", "connection.server.host", "connection.server.port", "connection.server.schema"] {
            assert!(found.contains(&format!("branch.{name}")), "{name} in {found:?}");
        }
    }

    #[test]
    fn connection_and_provider_have_to_fit() {
        let found = fields(&branch(Provider::Postgres, Connection::Sqlite(SqliteConnection::default())));
        assert_eq!(found, ["branch.connection"]);
    }
}

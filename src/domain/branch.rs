use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BranchCode, BranchId, Provider, SealedPassword, Secret, SecretRef, Time};

/// One managed database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Its identity.
    pub id: BranchId,
    /// Its code, unique without regard to case.
    pub code: BranchCode,
    /// What people call it.
    pub name: String,
    /// The kind of server it lives on.
    pub provider: Provider,
    /// How to reach it.
    pub connection: Connection,
    /// Free labels for selection.
    pub labels: BTreeMap<String, String>,
    /// Whether ApplyAll and the orchestrator work on it.
    pub is_active: bool,
    /// Which environment it belongs to; empty means the service's own.
    pub environment: String,
    /// When it was registered.
    pub create_time: Time,
    /// When it was last changed.
    pub update_time: Time,
}

/// How to reach a branch's database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "nearly every connection that is kept in numbers is a server")]
pub enum Connection {
    /// A file under the configured root.
    Sqlite(SqliteConnection),
    /// A database on a server.
    Server(ServerConnection),
}

/// A SQLite file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqliteConnection {
    /// The path relative to the configured root; empty means `{code}/Database/{code}.db`.
    #[serde(default)]
    pub path: String,
}

impl SqliteConnection {
    /// The path relative to the root, with the default filled in.
    pub fn relative_path(&self, code: &BranchCode) -> String {
        if self.path.is_empty() { format!("{code}/Database/{code}.db") } else { self.path.clone() }
    }
}

/// A database on a server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConnection {
    /// Host name or address.
    pub host: String,
    /// TCP port; `None` means the provider's usual one.
    #[serde(default)]
    pub port: Option<u16>,
    /// The database.
    pub database: String,
    /// The schema inside the database; empty means the provider's usual one.
    #[serde(default)]
    pub schema: String,
    /// The user.
    pub username: String,
    /// Where the password is kept; `None` means that there is none, or that it is stored.
    #[serde(default)]
    pub password_ref: Option<SecretRef>,
    /// The password that is stored, encrypted. Connections without one read as they did before there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_password: Option<SealedPassword>,
    /// How the connection is protected.
    #[serde(default)]
    pub ssl_mode: SslMode,
    /// A PEM file with the authority that signed the server's certificate; empty means the usual roots.
    #[serde(default)]
    pub ssl_ca_file: String,
    /// The provider's own options.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl ServerConnection {
    /// The port, with the provider's usual one filled in.
    pub fn port_or_default(&self, provider: Provider) -> u16 {
        self.port.or(provider.default_port()).unwrap_or_default()
    }

    /// Whether a password that was given for this connection is shown to nobody else over `other`: nothing differs but
    /// the database, the schema and the password itself.
    pub fn trusts_same_server(&self, other: &Self, provider: Provider) -> bool {
        let server = |connection: &Self| Self {
            port: Some(connection.port_or_default(provider)),
            database: String::new(),
            schema: String::new(),
            password_ref: None,
            sealed_password: None,
            ..connection.clone()
        };
        server(self) == server(other)
    }
}

/// How a connection to a server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SslMode {
    /// No encryption.
    Disable,
    /// Encrypted when the server can, otherwise not. Does not verify the server.
    #[default]
    Prefer,
    /// Encrypted, or no connection. Does not verify the server.
    Require,
    /// Encrypted, and the certificate must be signed by a known authority.
    VerifyCa,
    /// As `VerifyCa`, and the certificate must be for this host.
    VerifyFull,
}

/// Which parts of a branch an update replaces. `None` leaves a part alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BranchUpdate {
    /// New code.
    pub code: Option<BranchCode>,
    /// New name.
    pub name: Option<String>,
    /// New connection, of the branch's own provider.
    pub connection: Option<Connection>,
    /// What becomes of the stored password when the connection is replaced.
    pub password: PasswordChange,
    /// New labels, all of them.
    pub labels: Option<BTreeMap<String, String>>,
    /// New active flag.
    pub is_active: Option<bool>,
    /// New environment.
    pub environment: Option<String>,
}

/// What an update does to a stored password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PasswordChange {
    /// It stays, unless the new connection has a reference instead.
    #[default]
    Keep,
    /// It is forgotten.
    Forget,
    /// This one takes its place.
    Set(Secret),
}

impl BranchUpdate {
    /// The names of the parts that it replaces.
    pub fn parts(&self) -> Vec<&'static str> {
        let parts = [
            ("code", self.code.is_some()),
            ("name", self.name.is_some()),
            ("connection", self.connection.is_some()),
            ("password", self.password != PasswordChange::Keep),
            ("labels", self.labels.is_some()),
            ("is_active", self.is_active.is_some()),
            ("environment", self.environment.is_some()),
        ];
        parts.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
    }

    /// `branch` with the update's parts put in, but for the password, which has to be encrypted.
    pub fn apply_to(self, mut branch: Branch) -> Branch {
        if let Some(code) = self.code {
            branch.code = code;
        }
        if let Some(name) = self.name {
            branch.name = name;
        }
        if let Some(connection) = self.connection {
            branch.connection = connection;
        }
        if let Some(labels) = self.labels {
            branch.labels = labels;
        }
        if let Some(is_active) = self.is_active {
            branch.is_active = is_active;
        }
        if let Some(environment) = self.environment {
            branch.environment = environment;
        }
        branch
    }
}

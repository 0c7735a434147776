use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::domain::{BranchCode, Connection, Provider, SecretRef, ServerConnection, SslMode};

use super::error::{ErrorKind, ProviderError};
use super::settings::Settings;
use super::sqlite::SqliteFile;

/// The longest identifier that PostgreSQL keeps, in bytes; it cuts longer ones without an error.
const POSTGRES_NAME: usize = 63;
const LOCK_SUFFIX: usize = "Lock".len();

/// Where a branch's database is, with everything filled in. Holds no password, only where to find it.
#[derive(Clone)]
pub struct Endpoint {
    pub(super) code: BranchCode,
    pub(super) place: Place,
}

#[derive(Clone)]
pub(super) enum Place {
    Sqlite(SqliteFile),
    Postgres(PostgresPlace),
}

#[derive(Clone)]
pub(super) struct PostgresPlace {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
    /// `None` means `public`, with the server's own search path.
    pub(super) schema: Option<String>,
    pub(super) username: String,
    pub(super) password_ref: Option<SecretRef>,
    pub(super) ssl_mode: SslMode,
    pub(super) ssl_ca_file: Option<String>,
}

impl Endpoint {
    /// Checks a branch's connection and fills in what it leaves open. Looks at folders and symbolic links, but creates
    /// nothing and connects to nothing.
    ///
    /// Fails with [`ErrorKind::Unsupported`] for whatever can't or must not be used: a path that leads out of the root,
    /// an unknown option, a provider that this build can't migrate, a bad `history_table`.
    pub fn resolve(
        code: &BranchCode,
        provider: Provider,
        connection: &Connection,
        settings: &Settings,
    ) -> Result<Self, ProviderError> {
        check_history_table(&settings.history_table, provider)?;
        let place = match (provider, connection) {
            (Provider::Sqlite, Connection::Sqlite(sqlite)) => {
                Place::Sqlite(SqliteFile::resolve(&settings.sqlite_root, &sqlite.relative_path(code))?)
            }
            (Provider::Postgres, Connection::Server(server)) => Place::Postgres(PostgresPlace::resolve(server)?),
            (Provider::SqlServer | Provider::MySql, _) => {
                return Err(unsupported(format!("{provider} is not supported yet"), "use sqlite or postgres"));
            }
            (provider, _) => {
                let text = format!("the connection is not of the kind that {provider} needs");
                return Err(unsupported(text, "give connection.sqlite for sqlite, connection.server otherwise"));
            }
        };
        Ok(Self { code: code.clone(), place })
    }

    /// A text that two endpoints share exactly when they mean the same database. Host names are compared as written, but
    /// for letter case and the names of this machine.
    pub fn fingerprint(&self) -> String {
        match &self.place {
            Place::Sqlite(file) => format!("sqlite:{}", file.path().display()),
            Place::Postgres(place) => {
                let schema = place.schema.as_deref().unwrap_or("public");
                let encode = |text| utf8_percent_encode(text, SEPARATORS).to_string();
                format!("{}/{}?{}", self.host_key(), encode(&place.database), encode(schema))
            }
        }
    }

    /// The server, for limits per server. All SQLite files share one.
    pub fn host_key(&self) -> String {
        match &self.place {
            Place::Sqlite(_) => "sqlite".into(),
            Place::Postgres(place) => format!("postgres:{}:{}", canonical_host(&place.host), place.port),
        }
    }

    /// The provider.
    pub fn provider(&self) -> Provider {
        match &self.place {
            Place::Sqlite(_) => Provider::Sqlite,
            Place::Postgres(_) => Provider::Postgres,
        }
    }
}

const SEPARATORS: &AsciiSet = &CONTROLS.add(b'/').add(b'?').add(b'%');

impl PostgresPlace {
    fn resolve(server: &ServerConnection) -> Result<Self, ProviderError> {
        for (what, text, required) in [
            ("host", &server.host, true),
            ("database", &server.database, true),
            ("schema", &server.schema, false),
            ("username", &server.username, true),
        ] {
            if (required && text.is_empty()) || text.contains('\0') {
                return Err(unsupported(format!("the connection's {what} is empty or not text"), "correct it"));
            }
        }
        for (what, name) in [("database", &server.database), ("schema", &server.schema)] {
            if name.len() > POSTGRES_NAME {
                let text = format!("the {what} name is longer than the {POSTGRES_NAME} bytes that PostgreSQL keeps");
                return Err(unsupported(text, "shorten it"));
            }
        }
        if let Some(key) = server.options.keys().next() {
            let key = crate::domain::shorten(key, 60);
            return Err(unsupported(format!("the connection option '{key}' is not known"), "remove it"));
        }
        if server.port == Some(0) {
            return Err(unsupported("port 0 is not a port".into(), "use 1 to 65535"));
        }
        Ok(Self {
            host: server.host.clone(),
            port: server.port_or_default(Provider::Postgres),
            database: server.database.clone(),
            schema: Some(server.schema.clone()).filter(|schema| !schema.is_empty()),
            username: server.username.clone(),
            password_ref: server.password_ref.clone(),
            ssl_mode: server.ssl_mode,
            ssl_ca_file: Some(server.ssl_ca_file.clone()).filter(|file| !file.is_empty()),
        })
    }
}

fn canonical_host(host: &str) -> String {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&host);
    match bare {
        "localhost" | "127.0.0.1" | "::1" => "localhost".into(),
        _ => bare.to_owned(),
    }
}

fn check_history_table(name: &str, provider: Provider) -> Result<(), ProviderError> {
    let limit = 60;
    if name.is_empty() || name.chars().count() > limit || name.chars().any(char::is_control) {
        let text =
            format!("the history table's name must have 1 to {limit} characters, none of them a control character");
        return Err(unsupported(text, "correct migration.history_table"));
    }
    if provider == Provider::Postgres && name.len() + LOCK_SUFFIX > POSTGRES_NAME {
        let text = format!("the history table's name is longer than {} bytes", POSTGRES_NAME - LOCK_SUFFIX);
        return Err(unsupported(text, "shorten migration.history_table: PostgreSQL cuts longer names"));
    }
    Ok(())
}

fn unsupported(message: String, hint: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Unsupported, message).hint(hint)
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Sqlite(file) => write!(f, "sqlite:{}", file.path().display()),
            Place::Postgres(place) => {
                write!(f, "postgres://{}@{}:{}/{}", place.username, place.host, place.port, place.database)?;
                place.schema.as_ref().map_or(Ok(()), |schema| write!(f, "?schema={schema}"))
            }
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({}: {self})", self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres(change: impl FnOnce(&mut ServerConnection)) -> Result<Endpoint, ProviderError> {
        let mut server = ServerConnection {
            host: "DB.Example.com".into(),
            database: "shop".into(),
            username: "keeper".into(),
            password_ref: Some(SecretRef::Env("PW".into())),
            ..Default::default()
        };
        change(&mut server);
        let code = "BR001".parse().unwrap();
        Endpoint::resolve(&code, Provider::Postgres, &Connection::Server(server), &Settings::default())
    }

    #[test]
    fn the_same_database_has_the_same_fingerprint() {
        let base = postgres(|_| {}).unwrap();
        assert_eq!(base.fingerprint(), "postgres:db.example.com:5432/shop?public");
        let same = postgres(|s| {
            s.host = "db.example.com.".into();
            s.port = Some(5432);
            s.schema = "public".into();
            s.username = "other".into();
        });
        assert_eq!(same.unwrap().fingerprint(), base.fingerprint());
        assert_ne!(postgres(|s| s.schema = "b".into()).unwrap().fingerprint(), base.fingerprint());
        assert_ne!(postgres(|s| s.database = "Shop".into()).unwrap().fingerprint(), base.fingerprint());
        let tricky = [("a?b", "c"), ("a", "b?c"), ("a/b", "c")];
        let prints: std::collections::BTreeSet<_> = tricky
            .iter()
            .map(|(database, schema)| {
                let endpoint = postgres(|s| (s.database, s.schema) = (database.to_string(), schema.to_string()));
                endpoint.unwrap().fingerprint()
            })
            .collect();
        assert_eq!(prints.len(), tricky.len());
        let local: Vec<_> = ["localhost", "127.0.0.1", "::1", "[::1]"]
            .iter()
            .map(|host| postgres(|s| s.host = host.to_string()).unwrap().host_key())
            .collect();
        assert!(local.windows(2).all(|pair| pair[0] == pair[1]), "{local:?}");
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for change in [
            (|s: &mut ServerConnection| drop(s.options.insert("sslsni".into(), "1".into()))) as fn(&mut _),
            |s| s.host = String::new(),
            |s| s.database = "x".repeat(64),
            |s| s.port = Some(0),
        ] {
            assert_eq!(postgres(change).unwrap_err().kind, ErrorKind::Unsupported);
        }
        for (name, good) in [("", false), ("a\0b", false), (&*"x".repeat(60), true), (&*"x".repeat(61), false)] {
            assert_eq!(check_history_table(name, Provider::Sqlite).is_ok(), good, "{name:?}");
        }
        assert!(check_history_table(&"x".repeat(60), Provider::Postgres).is_err());
        assert!(check_history_table(&"ä".repeat(30), Provider::Postgres).is_err());
    }

    #[test]
    fn it_prints_no_reference_to_a_secret() {
        let endpoint = postgres(|_| {}).unwrap();
        assert_eq!(endpoint.to_string(), "postgres://keeper@DB.Example.com:5432/shop");
        assert!(!format!("{endpoint:?}").contains("PW"));
    }
}

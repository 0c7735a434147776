use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::domain::{Branch, BranchCode, Connection, Provider};

use super::error::{ErrorKind, ProviderError};
use super::secret::{PasswordSource, StoredPassword};
use super::server::{POSTGRES_NAME, ServerPlace};
use super::settings::Settings;
use super::sqlite::SqliteFile;

const LOCK_SUFFIX: usize = "Lock".len();

/// Where a branch's database is, with everything filled in. Holds no readable password, only where to find it.
#[derive(Clone)]
pub struct Endpoint {
    pub(super) code: BranchCode,
    pub(super) place: Place,
}

#[derive(Clone)]
pub(super) enum Place {
    Sqlite(SqliteFile),
    Postgres(ServerPlace),
    MySql(ServerPlace),
    SqlServer(ServerPlace),
}

impl Endpoint {
    /// Where a branch's database is, with its stored password, if it has one. Otherwise as [`Self::resolve`].
    pub fn of(branch: &Branch, settings: &Settings) -> Result<Self, ProviderError> {
        let mut endpoint = Self::resolve(&branch.code, branch.provider, &branch.connection, settings)?;
        if let (Place::Postgres(place) | Place::MySql(place) | Place::SqlServer(place), Connection::Server(server)) =
            (&mut endpoint.place, &branch.connection)
            && let Some(sealed) = server.sealed_password.clone()
        {
            let (code, sealer) = (branch.code.clone(), settings.sealer.clone());
            let stored = StoredPassword { sealed, branch: branch.id, code, sealer };
            place.password = PasswordSource::Stored(Box::new(stored));
        }
        Ok(endpoint)
    }

    /// Checks a branch's connection and fills in what it leaves open. Looks at folders and symbolic links, but creates
    /// nothing and connects to nothing. A stored password is left out: it is bound to a branch.
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
            (Provider::Postgres, Connection::Server(server)) => {
                Place::Postgres(ServerPlace::resolve(server, provider, settings.silence)?)
            }
            (Provider::MySql, Connection::Server(server)) => {
                Place::MySql(ServerPlace::resolve(server, provider, settings.silence)?)
            }
            (Provider::SqlServer, Connection::Server(server)) => {
                Place::SqlServer(ServerPlace::resolve(server, provider, settings.silence)?)
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
                format!("{}/{}?{}", self.host_key(), encode(&place.database), encode(schema))
            }
            // Whether the server tells letter cases apart is its own setting: rather one branch too few than two on one
            // database.
            Place::MySql(place) => format!("{}/{}", self.host_key(), encode(&place.database.to_lowercase())),
            Place::SqlServer(place) => {
                let schema = place.schema.as_deref().unwrap_or("dbo").to_lowercase();
                format!("{}/{}?{}", self.host_key(), encode(&place.database.to_lowercase()), encode(&schema))
            }
        }
    }

    /// The server, for limits per server. All SQLite files share one.
    pub fn host_key(&self) -> String {
        match &self.place {
            Place::Sqlite(_) => "sqlite".into(),
            Place::Postgres(place) | Place::MySql(place) | Place::SqlServer(place) => {
                let host = canonical_host(&place.host);
                match &place.instance {
                    Some(instance) => format!("{}:{host}\\{}", place.provider, encode(&instance.to_lowercase())),
                    None => format!("{}:{host}:{}", place.provider, place.port),
                }
            }
        }
    }

    /// The database's place, where it is on a server.
    pub(super) fn server(&self) -> Option<&ServerPlace> {
        match &self.place {
            Place::Sqlite(_) => None,
            Place::Postgres(place) | Place::MySql(place) | Place::SqlServer(place) => Some(place),
        }
    }

    /// The provider.
    pub fn provider(&self) -> Provider {
        match &self.place {
            Place::Sqlite(_) => Provider::Sqlite,
            Place::Postgres(place) | Place::MySql(place) | Place::SqlServer(place) => place.provider,
        }
    }
}

const SEPARATORS: &AsciiSet = &CONTROLS.add(b'/').add(b'?').add(b'%');

fn encode(text: &str) -> String {
    utf8_percent_encode(text, SEPARATORS).to_string()
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
            Place::Postgres(place) | Place::MySql(place) | Place::SqlServer(place) => {
                write!(f, "{}://{}@{}/{}", place.provider, place.username, place.address(), place.database)?;
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
    use crate::domain::{SecretRef, ServerConnection};

    fn postgres(change: impl FnOnce(&mut ServerConnection)) -> Result<Endpoint, ProviderError> {
        server(Provider::Postgres, change)
    }

    fn server(provider: Provider, change: impl FnOnce(&mut ServerConnection)) -> Result<Endpoint, ProviderError> {
        let mut server = ServerConnection {
            host: "DB.Example.com".into(),
            database: "shop".into(),
            username: "keeper".into(),
            password_ref: Some(SecretRef::Env("PW".into())),
            ..Default::default()
        };
        change(&mut server);
        let code = "BR001".parse().unwrap();
        Endpoint::resolve(&code, provider, &Connection::Server(server), &Settings::default())
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
    fn a_mysql_database_is_known_without_its_letter_case() {
        let base = server(Provider::MySql, |_| {}).unwrap();
        assert_eq!(base.fingerprint(), "mysql:db.example.com:3306/shop");
        assert_eq!(server(Provider::MySql, |s| s.database = "Shop".into()).unwrap().fingerprint(), base.fingerprint());
        assert_eq!(base.to_string(), "mysql://keeper@DB.Example.com:3306/shop");
        let refused = server(Provider::MySql, |s| s.schema = "x".into()).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Unsupported);
        assert!(server(Provider::MySql, |s| s.database = "ä".repeat(64)).is_ok());
        assert!(server(Provider::MySql, |s| s.database = "x".repeat(65)).is_err());
    }

    #[test]
    fn sql_server_is_known_by_port_or_instance() {
        let sqlserver = |change: fn(&mut ServerConnection)| server(Provider::SqlServer, change);
        let base = sqlserver(|_| {}).unwrap();
        assert_eq!(base.fingerprint(), "sqlserver:db.example.com:1433/shop?dbo");
        assert_eq!(sqlserver(|s| s.database = "Shop".into()).unwrap().fingerprint(), base.fingerprint());
        let named = sqlserver(|s| drop(s.options.insert("instance".into(), "Sql1".into()))).unwrap();
        assert_eq!(named.host_key(), "sqlserver:db.example.com\\sql1");
        assert_eq!(named.to_string(), "sqlserver://keeper@DB.Example.com\\Sql1/shop");
        for change in [
            (|s: &mut ServerConnection| {
                s.options.insert("instance".into(), "a".into());
                s.port = Some(1433);
            }) as fn(&mut _),
            |s| drop(s.options.insert("instance".into(), String::new())),
            |s| drop(s.options.insert("instance".into(), "a\\b".into())),
            |s| drop(s.options.insert("encrypt".into(), "no".into())),
            |s| s.ssl_mode = crate::domain::SslMode::VerifyCa,
            |s| s.database = "x".repeat(129),
        ] {
            assert_eq!(sqlserver(change).unwrap_err().kind, ErrorKind::Unsupported);
        }
        assert!(sqlserver(|s| s.database = "x".repeat(128)).is_ok());
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

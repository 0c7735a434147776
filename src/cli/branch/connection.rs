use std::io::Read;
use std::path::{Path, PathBuf};

use super::super::failure::Failure;
use super::url::parse_url;
use super::values::connection_message;
use crate::domain::{Connection, Provider, SecretRef, ServerConnection, SqliteConnection, SslMode};
use crate::rpc::proto;
use crate::rpc::proto::connection::Kind;

/// The most bytes of a password file that are read.
const MAX_PASSWORD_FILE: u64 = 64 * 1024;

/// How to reach a branch's database, as flags.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct ConnectionArgs {
    /// The database on a server: postgres://USER@HOST:PORT/DATABASE?schema=S&sslmode=M, without a password
    #[arg(long, value_name = "URL", conflicts_with_all = ["host", "port", "database", "user"])]
    url: Option<String>,
    /// The server's name or address
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The server's port [default: the provider's usual one]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// The database; it is created when it does not exist
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// The schema in the database [default: the provider's usual one]
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// The user to connect as
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Where the service finds the password: env:NAME or file:PATH
    #[arg(long, value_name = "REF")]
    password_ref: Option<String>,
    /// A file on this machine with the password, which the service stores encrypted; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "password_ref")]
    password_file: Option<PathBuf>,
    /// How the connection is protected [default: prefer]
    #[arg(long, value_enum, value_name = "MODE")]
    ssl_mode: Option<SslFlag>,
    /// A file on the service's machine with the authority that signed the server's certificate
    #[arg(long, value_name = "FILE")]
    ssl_ca: Option<String>,
    /// A SQLite file, relative to the service's root [default: CODE/Database/CODE.db]
    #[arg(long, value_name = "FILE")]
    path: Option<String>,
}

/// How a connection is protected, as a flag's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SslFlag {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl From<SslFlag> for SslMode {
    fn from(flag: SslFlag) -> Self {
        match flag {
            SslFlag::Disable => Self::Disable,
            SslFlag::Prefer => Self::Prefer,
            SslFlag::Require => Self::Require,
            SslFlag::VerifyCa => Self::VerifyCa,
            SslFlag::VerifyFull => Self::VerifyFull,
        }
    }
}

impl ConnectionArgs {
    /// Whether no flag was given.
    pub(super) fn is_empty(&self) -> bool {
        !self.has_server_flags() && self.path.is_none()
    }

    fn has_server_flags(&self) -> bool {
        let texts = [&self.url, &self.host, &self.database, &self.schema, &self.user, &self.password_ref, &self.ssl_ca];
        texts.iter().any(|text| text.is_some())
            || self.port.is_some()
            || self.ssl_mode.is_some()
            || self.password_file.is_some()
    }

    /// What to send for the connection that the flags describe, over what there was before: with the password, if there is
    /// a file with one.
    pub(super) fn message(&self, provider: Provider, before: Option<Connection>) -> Result<proto::Connection, Failure> {
        let mut message = connection_message(self.over(provider, before)?);
        if let Some(Kind::Server(server)) = &mut message.kind {
            if let Some(file) = &self.password_file {
                server.password = read_password(file)?;
            }
            if self.password_ref.as_deref() == Some("") {
                server.has_password = Some(false);
            }
        }
        Ok(message)
    }

    /// The connection that the flags describe, over what there was before.
    pub(super) fn over(&self, provider: Provider, before: Option<Connection>) -> Result<Connection, Failure> {
        if provider == Provider::Sqlite {
            if self.has_server_flags() {
                return Err(Failure::usage(
                    "a SQLite branch has a file, not a server",
                    "use --path, or no flag at all",
                ));
            }
            let path = match (&self.path, before) {
                (Some(path), _) => path.clone(),
                (None, Some(Connection::Sqlite(before))) => before.path,
                (None, _) => String::new(),
            };
            return Ok(Connection::Sqlite(SqliteConnection { path }));
        }
        if self.path.is_some() {
            let message = format!("--path is for SQLite; a {provider} branch has a server");
            return Err(Failure::usage(message, "use --url, or --host, --database and --user"));
        }
        let before = match before {
            Some(Connection::Server(before)) => Some(before),
            _ => None,
        };
        let server = self.server_over(provider, before)?;
        let required = [("--host", &server.host), ("--database", &server.database), ("--user", &server.username)];
        let missing: Vec<&str> = required.iter().filter(|(_, text)| text.is_empty()).map(|(flag, _)| *flag).collect();
        if missing.is_empty() {
            return Ok(Connection::Server(server));
        }
        let message = format!("a {provider} branch needs {} too", missing.join(", "));
        Err(Failure::usage(message, "or give all of it with --url"))
    }

    fn server_over(&self, provider: Provider, before: Option<ServerConnection>) -> Result<ServerConnection, Failure> {
        let mut server = match &self.url {
            Some(url) => {
                let read = parse_url(provider, url).map_err(|message| Failure::usage(message, ""))?;
                // A URL says everything but where the password is.
                ServerConnection { password_ref: before.and_then(|before| before.password_ref), ..read }
            }
            None => before.unwrap_or_default(),
        };
        let replace = |place: &mut String, given: &Option<String>| {
            if let Some(given) = given {
                place.clone_from(given);
            }
        };
        replace(&mut server.host, &self.host);
        replace(&mut server.database, &self.database);
        replace(&mut server.schema, &self.schema);
        replace(&mut server.username, &self.user);
        replace(&mut server.ssl_ca_file, &self.ssl_ca);
        server.port = self.port.or(server.port);
        server.ssl_mode = self.ssl_mode.map_or(server.ssl_mode, SslMode::from);
        match self.password_ref.as_deref() {
            None if self.password_file.is_some() => server.password_ref = None,
            None => {}
            Some("") => server.password_ref = None,
            Some(reference) => {
                let parsed = reference.parse::<SecretRef>();
                server.password_ref = Some(parsed.map_err(|message| {
                    let message = format!("what --password-ref says (not shown) is not a reference: {message}");
                    Failure::usage(message, "the reference names where the password is; it is not the password itself")
                })?);
            }
        }
        Ok(server)
    }
}

/// The password in a file, without a newline at its end.
fn read_password(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(MAX_PASSWORD_FILE).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MAX_PASSWORD_FILE).read_to_string(&mut text))
    };
    let name = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
    read.map_err(|error| {
        Failure::usage(format!("{name} cannot be read: {error}"), "check the path and its permissions")
    })?;
    let line = text.strip_suffix('\n').map_or(&*text, |text| text.strip_suffix('\r').unwrap_or(text));
    if line.is_empty() {
        return Err(Failure::usage(format!("there is no password in {name}"), "leave --password-file out for none"));
    }
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(connection: Connection) -> ServerConnection {
        match connection {
            Connection::Server(server) => server,
            Connection::Sqlite(_) => panic!("a server was expected"),
        }
    }

    #[test]
    fn flags_go_over_what_there_was() {
        let before = ServerConnection {
            host: "db".into(),
            port: Some(1),
            database: "shop".into(),
            username: "keeper".into(),
            password_ref: Some("env:P".parse().unwrap()),
            ..Default::default()
        };
        let args = ConnectionArgs { port: Some(2), schema: Some("pos".into()), ..Default::default() };
        let after = server(args.over(Provider::Postgres, Some(Connection::Server(before.clone()))).unwrap());
        assert_eq!(after, ServerConnection { port: Some(2), schema: "pos".into(), ..before.clone() });
        let args = ConnectionArgs { password_ref: Some(String::new()), ..Default::default() };
        let after = server(args.over(Provider::Postgres, Some(Connection::Server(before.clone()))).unwrap());
        assert_eq!(after.password_ref, None);
        let url = Some("postgres://k@other/d".into());
        let args = ConnectionArgs { url, ssl_mode: Some(SslFlag::Require), ..Default::default() };
        let after = server(args.over(Provider::Postgres, Some(Connection::Server(before))).unwrap());
        assert_eq!((after.host.as_str(), after.port, after.ssl_mode), ("other", None, SslMode::Require));
        assert!(after.password_ref.is_some());
    }

    #[test]
    fn what_does_not_fit_the_provider_is_refused() {
        let path = || ConnectionArgs { path: Some("x.db".into()), ..Default::default() };
        let host = || ConnectionArgs { host: Some("db".into()), ..Default::default() };
        assert!(path().over(Provider::Sqlite, None).is_ok());
        assert!(path().over(Provider::Postgres, None).is_err());
        assert!(host().over(Provider::Sqlite, None).is_err());
        let text = host().over(Provider::Postgres, None).unwrap_err().report();
        assert!(text.contains("needs --database, --user too"), "{text}");
    }

    #[test]
    fn a_password_comes_from_a_file_and_takes_a_reference_s_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "hunter2 \r\n").unwrap();
        let before = ServerConnection {
            host: "db".into(),
            database: "shop".into(),
            username: "keeper".into(),
            password_ref: Some("env:P".parse().unwrap()),
            ..Default::default()
        };
        let before = Some(Connection::Server(before));
        let sent = |args: &ConnectionArgs| match args.message(Provider::Postgres, before.clone()).unwrap().kind {
            Some(Kind::Server(server)) => (server.password, server.password_ref, server.has_password),
            _ => panic!("a server was expected"),
        };
        let args = ConnectionArgs { password_file: Some(file.clone()), ..Default::default() };
        assert!(!args.is_empty());
        assert_eq!(sent(&args), ("hunter2 ".into(), String::new(), None));
        let args = ConnectionArgs { password_ref: Some(String::new()), ..Default::default() };
        assert_eq!(sent(&args), (String::new(), String::new(), Some(false)));
        let args = ConnectionArgs { schema: Some("s".into()), ..Default::default() };
        assert_eq!(sent(&args), (String::new(), "env:P".into(), None));
        std::fs::write(&file, "\n").unwrap();
        let args = ConnectionArgs { password_file: Some(file), ..Default::default() };
        assert!(args.message(Provider::Postgres, before.clone()).is_err());
    }

    #[test]
    fn a_password_in_the_wrong_place_is_not_repeated() {
        let args = ConnectionArgs {
            url: Some("postgres://k@db/d".into()),
            password_ref: Some("hunter2".into()),
            ..Default::default()
        };
        let text = args.over(Provider::Postgres, None).unwrap_err().report();
        assert!(!text.contains("hunter2") && text.contains("env:NAME"), "{text}");
    }
}

use crate::cli::branch::{connection_message, parse_url};
use crate::cli::failure::Failure;
use crate::domain::{Connection, Provider, ServerConnection};
use crate::rpc::proto;

/// What the databases of a demo are called unless its URL has a name.
const NAME: &str = "branchkeeper_demo";
/// The longest part of a name that a URL may give: a run's and a branch's mark follow it, and servers take 63 bytes.
const LONGEST: usize = 40;

/// A server on which the demo makes databases.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) provider: Provider,
    connection: ServerConnection,
}

/// The servers that were given by URL. `run` marks this demo's databases, so that it meets none that is there.
pub(super) fn read(urls: &[String], run: &str) -> Result<Vec<Server>, Failure> {
    urls.iter().map(|url| Server::read(url, run)).collect()
}

impl Server {
    fn read(url: &str, run: &str) -> Result<Self, Failure> {
        let wrong = |message: String| {
            let hint = "write it as in --providers 'postgres://USER@HOST:PORT?passwordref=env:NAME'";
            Failure::usage(message, hint)
        };
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
        let provider = match scheme.as_str() {
            "postgres" | "postgresql" => Provider::Postgres,
            "mysql" | "mariadb" => Provider::MySql,
            "sqlserver" | "mssql" => Provider::SqlServer,
            _ => {
                let message =
                    "the URL of a server (not shown) begins with postgres://, mysql://, mariadb:// or sqlserver://";
                return Err(wrong(message.into()));
            }
        };
        let mut connection = parse_url(provider, &with_database(url)).map_err(wrong)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if connection.database.len() > LONGEST || !connection.database.chars().all(fits) {
            let message = format!("a demo's databases begin with at most {LONGEST} letters, digits and '_'");
            return Err(wrong(message));
        }
        connection.database = format!("{}_{run}", connection.database).to_ascii_lowercase();
        Ok(Self { provider, connection })
    }

    /// Where the branch with this code lives.
    pub(super) fn connection(&self, code: &str) -> proto::Connection {
        let database = format!("{}_{}", self.connection.database, code.to_ascii_lowercase());
        connection_message(Connection::Server(ServerConnection { database, ..self.connection.clone() }))
    }

    /// The server and the names of its databases, for people.
    pub(super) fn describe(&self) -> String {
        let ServerConnection { host, port, database, .. } = &self.connection;
        let port = port.or(self.provider.default_port()).unwrap_or_default();
        format!("{} at {host}:{port} (databases {database}_…)", title(self.provider))
    }
}

/// A provider's own name.
pub(super) fn title(provider: Provider) -> &'static str {
    match provider {
        Provider::Sqlite => "SQLite",
        Provider::SqlServer => "SQL Server",
        Provider::Postgres => "PostgreSQL",
        Provider::MySql => "MySQL or MariaDB",
    }
}

/// The URL with the demo's name for databases where it has none.
fn with_database(url: &str) -> String {
    let (place, settings) = url.split_once('?').map_or((url, None), |(place, settings)| (place, Some(settings)));
    let place = place.trim_end_matches('/');
    let authority = place.split_once("://").map_or("", |(_, authority)| authority);
    let place = if authority.contains('/') { place.to_owned() } else { format!("{place}/{NAME}") };
    settings.map_or(place.clone(), |settings| format!("{place}?{settings}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(url: &str) -> String {
        let servers = read(&[url.to_owned()], "a1b2").unwrap();
        match servers[0].connection("BR007").kind {
            Some(proto::connection::Kind::Server(server)) => server.database,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn databases_have_names_of_their_own() {
        assert_eq!(database("postgres://k@db"), "branchkeeper_demo_a1b2_br007");
        assert_eq!(database("mysql://k@db:3306/?passwordref=env:X"), "branchkeeper_demo_a1b2_br007");
        assert_eq!(database("mariadb://k@db/Mine?sslmode=disable"), "mine_a1b2_br007");
        let server = &read(&["postgres://k@db".to_owned()], "a1b2").unwrap()[0];
        assert_eq!(server.describe(), "PostgreSQL at db:5432 (databases branchkeeper_demo_a1b2_…)");
    }

    #[test]
    fn what_cannot_be_a_server_is_refused_and_never_repeated() {
        for url in
            ["", "hunter2", "sqlite://hunter2", "postgres://k:hunter2@db", "mysql://k@db/hunter2-x", "mysql://hunter2"]
        {
            let error = read(&[url.to_owned()], "a1b2").unwrap_err();
            assert!(!format!("{error:?}").contains("hunter2"), "{url}: {error:?}");
        }
    }
}

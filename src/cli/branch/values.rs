//! Connections between the contract's messages and the domain's values.

use crate::domain::{Connection, Provider, ServerConnection, SqliteConnection, SslMode};
use crate::rpc::proto;
use crate::rpc::proto::connection::Kind;

/// The contract's message for a connection.
pub(in crate::cli) fn connection_message(connection: Connection) -> proto::Connection {
    let kind = match connection {
        Connection::Sqlite(sqlite) => Kind::Sqlite(proto::SqliteConnection { path: sqlite.path }),
        Connection::Server(server) => Kind::Server(proto::ServerConnection {
            host: server.host,
            port: server.port.map_or(0, u32::from),
            database: server.database,
            schema: server.schema,
            username: server.username,
            password: String::new(),
            password_ref: server.password_ref.map(String::from).unwrap_or_default(),
            ssl_mode: ssl_mode_value(server.ssl_mode).into(),
            ssl_ca_file: server.ssl_ca_file,
            options: server.options.into_iter().collect(),
            has_password: None,
        }),
    };
    proto::Connection { kind: Some(kind) }
}

/// The connection that the service told of; `None` when it told of none, or of one that this client does not know.
pub(super) fn connection_value(connection: Option<&proto::Connection>) -> Option<Connection> {
    Some(match connection?.kind.as_ref()? {
        Kind::Sqlite(sqlite) => Connection::Sqlite(SqliteConnection { path: sqlite.path.clone() }),
        Kind::Server(server) => Connection::Server(ServerConnection {
            host: server.host.clone(),
            port: u16::try_from(server.port).ok().filter(|port| *port != 0),
            database: server.database.clone(),
            schema: server.schema.clone(),
            username: server.username.clone(),
            password_ref: server.password_ref.parse().ok(),
            sealed_password: None,
            ssl_mode: ssl_mode(server.ssl_mode)?,
            ssl_ca_file: server.ssl_ca_file.clone(),
            options: server.options.clone().into_iter().collect(),
        }),
    })
}

/// The provider that the service told of.
pub(super) fn provider(value: i32) -> Option<Provider> {
    match proto::Provider::try_from(value).ok()? {
        proto::Provider::Unspecified => None,
        proto::Provider::Sqlite => Some(Provider::Sqlite),
        proto::Provider::Sqlserver => Some(Provider::SqlServer),
        proto::Provider::Postgres => Some(Provider::Postgres),
        proto::Provider::Mysql => Some(Provider::MySql),
    }
}

fn ssl_mode_value(mode: SslMode) -> proto::SslMode {
    match mode {
        SslMode::Disable => proto::SslMode::Disable,
        SslMode::Prefer => proto::SslMode::Prefer,
        SslMode::Require => proto::SslMode::Require,
        SslMode::VerifyCa => proto::SslMode::VerifyCa,
        SslMode::VerifyFull => proto::SslMode::VerifyFull,
    }
}

fn ssl_mode(value: i32) -> Option<SslMode> {
    Some(match proto::SslMode::try_from(value).ok()? {
        proto::SslMode::Disable => SslMode::Disable,
        proto::SslMode::Unspecified | proto::SslMode::Prefer => SslMode::Prefer,
        proto::SslMode::Require => SslMode::Require,
        proto::SslMode::VerifyCa => SslMode::VerifyCa,
        proto::SslMode::VerifyFull => SslMode::VerifyFull,
    })
}

/// A connection in a word, for tables; never with a secret, because there is none in it.
pub(super) fn describe(connection: Option<&proto::Connection>) -> String {
    match connection.and_then(|connection| connection.kind.as_ref()) {
        Some(Kind::Sqlite(sqlite)) if sqlite.path.is_empty() => "(the code's own file)".into(),
        Some(Kind::Sqlite(sqlite)) => sqlite.path.clone(),
        Some(Kind::Server(server)) => {
            let port = if server.port == 0 { String::new() } else { format!(":{}", server.port) };
            let schema = if server.schema.is_empty() { String::new() } else { format!(" ({})", server.schema) };
            format!("{}@{}{port}/{}{schema}", server.username, server.host, server.database)
        }
        None => "-".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_survive_the_way_there_and_back() {
        let server = ServerConnection {
            host: "db".into(),
            port: Some(5433),
            database: "shop".into(),
            schema: "pos".into(),
            username: "keeper".into(),
            password_ref: Some("env:P".parse().unwrap()),
            sealed_password: None,
            ssl_mode: SslMode::VerifyCa,
            ssl_ca_file: "/ca.pem".into(),
            options: [("a".to_owned(), "b".to_owned())].into(),
        };
        for connection in [Connection::Server(server), Connection::Sqlite(SqliteConnection { path: "x.db".into() })] {
            let message = connection_message(connection.clone());
            assert_eq!(connection_value(Some(&message)), Some(connection));
        }
        for each in Provider::ALL {
            assert_eq!(provider(crate::cli::args::provider_value(each).into()), Some(each));
        }
    }

    #[test]
    fn connections_in_a_word() {
        let server = proto::ServerConnection {
            host: "db".into(),
            port: 5433,
            database: "shop".into(),
            schema: "pos".into(),
            username: "keeper".into(),
            password: "hunter2".into(),
            ..Default::default()
        };
        let shown = describe(Some(&proto::Connection { kind: Some(Kind::Server(server)) }));
        assert_eq!(shown, "keeper@db:5433/shop (pos)");
    }
}

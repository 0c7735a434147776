//! SQL Server past the code under test.

use futures_util::TryStreamExt;
use tiberius::{AuthMethod, Client, ColumnData, Config, QueryItem, Row};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::server::Server;

pub(crate) type Connection = Client<Compat<TcpStream>>;

/// A connection to a database of the server.
pub(crate) async fn connect(server: &Server, database: &str) -> Result<Connection, String> {
    connect_as(server, database, &server.username, &server.password).await
}

/// A connection in somebody's name.
pub(crate) async fn connect_as(
    server: &Server,
    database: &str,
    user: &str,
    password: &str,
) -> Result<Connection, String> {
    let mut config = Config::new();
    config.host(&server.host);
    config.port(server.port);
    config.database(database);
    config.authentication(AuthMethod::sql_server(user, password));
    config.trust_cert();
    let tcp = TcpStream::connect((&*server.host, server.port)).await.map_err(|error| error.to_string())?;
    tcp.set_nodelay(true).map_err(|error| error.to_string())?;
    Box::pin(Client::connect(config, tcp.compat_write())).await.map_err(|error| error.to_string())
}

/// Runs one batch, and gives the rows of all its results as texts.
pub(crate) async fn rows(connection: &mut Connection, batch: &str) -> Result<Vec<Vec<Option<String>>>, String> {
    let mut replies = Box::pin(connection.simple_query(batch)).await.map_err(|error| error.to_string())?;
    let mut rows = Vec::new();
    while let Some(item) = replies.try_next().await.map_err(|error| error.to_string())? {
        if let QueryItem::Row(row) = item {
            rows.push(texts(&row));
        }
    }
    Ok(rows)
}

/// Runs one batch in a database of the server.
pub(crate) async fn execute(server: &Server, database: &str, batch: &str) -> Result<(), String> {
    rows(&mut connect(server, database).await?, batch).await.map(drop)
}

/// The batch that drops a database if it exists, with everybody connected to it.
pub(crate) fn drop_database(name: &str) -> String {
    format!(
        "IF DB_ID('{name}') IS NOT NULL BEGIN
  BEGIN TRY EXEC('ALTER DATABASE [{name}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE') END TRY BEGIN CATCH END CATCH
  DROP DATABASE [{name}]
END"
    )
}

fn texts(row: &Row) -> Vec<Option<String>> {
    let text = |cell: &ColumnData<'static>| match cell {
        ColumnData::String(value) => value.as_ref().map(|text| text.to_string()),
        ColumnData::U8(value) => value.map(|number| number.to_string()),
        ColumnData::I16(value) => value.map(|number| number.to_string()),
        ColumnData::I32(value) => value.map(|number| number.to_string()),
        ColumnData::I64(value) => value.map(|number| number.to_string()),
        ColumnData::Bit(value) => value.map(|number| number.to_string()),
        other => Some(format!("{other:?}")),
    };
    row.cells().map(|(_, cell)| text(cell)).collect()
}

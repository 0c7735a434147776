use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlRow};
use sqlx::{ConnectOptions, Connection as _};

use super::dialect::sent;
use crate::provider::connection::raw;

/// A question that was asked while connecting, and what came of it.
pub(super) struct Asked {
    pub(super) text: String,
    pub(super) answer: Result<Vec<MySqlRow>, sqlx::Error>,
}

/// Connects, and asks what is to be asked `first`.
pub(super) async fn open(
    options: &MySqlConnectOptions,
    first: Option<&str>,
) -> Result<(MySqlConnection, Option<Asked>), sqlx::Error> {
    let mut connection = options.connect().await?;
    let Some(text) = first else { return Ok((connection, None)) };
    match raw(sent(text)).fetch_all(&mut connection).await {
        Err(error) if !is_about_question(&error) => Err(error),
        answer => Ok((connection, Some(Asked { text: text.to_owned(), answer }))),
    }
}

/// Whether it is the question that the server has refused, and not the session.
fn is_about_question(error: &sqlx::Error) -> bool {
    number(error).is_some_and(|number| !matches!(number, 1053 | 1152 | 1927 | 4031))
}

/// Whether the server does not know the table that was asked for.
pub(super) fn is_about_table(error: &sqlx::Error) -> bool {
    number(error) == Some(1146)
}

fn number(error: &sqlx::Error) -> Option<u16> {
    let refused = error.as_database_error().and_then(|refused| refused.try_downcast_ref::<MySqlDatabaseError>());
    refused.map(MySqlDatabaseError::number)
}

/// Says goodbye to the server. Whatever goes wrong here, it ends the session when it sees the socket closed.
pub(super) async fn close(connection: MySqlConnection) {
    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), connection.close()).await;
}

//! Looks after a statement from which nothing is heard. A firewall that forgets a silent connection tells neither side, and
//! the driver sets no keepalive: without this, the loss would show at the migration's time limit only.

use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlRow};
use sqlx::{ConnectOptions, Connection as _, Row as _};

use super::dialect::sessions;
use crate::provider::connection::{GRACE, raw};

/// What the server says of a session.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// It is at work, or the server does not tell.
    AtWork,
    /// It waits for its client.
    Waiting,
    Gone,
}

/// Asks the server every `silence` what session `id` does, and returns when no answer can come from it any more; the text
/// says why. `server` is how the session's server names itself: another one behind the same address knows nothing of it.
pub(super) async fn watch(options: &MySqlConnectOptions, id: u64, server: &str, silence: Duration) -> String {
    let mut waited = false;
    loop {
        tokio::time::sleep(silence).await;
        match tokio::time::timeout(GRACE, ask(options, id, server)).await {
            Ok(Ok(Seen::Gone)) => return format!("the server has no session {id} any more"),
            // Once may be the moment in which its answer is on its way.
            Ok(Ok(Seen::Waiting)) if waited => {
                end(options, id).await;
                return format!("session {id} has answered, and the answer did not arrive");
            }
            Ok(Ok(Seen::Waiting)) => waited = true,
            Ok(Ok(Seen::AtWork) | Err(_)) | Err(_) => waited = false,
        }
    }
}

async fn ask(options: &MySqlConnectOptions, id: u64, server: &str) -> Result<Seen, sqlx::Error> {
    let mut second = options.connect().await?;
    // A list without this very session is not the list.
    let text = format!(
        "SELECT {SERVER}, (SELECT COUNT(*) FROM {list} WHERE ID = CONNECTION_ID()),
  (SELECT CAST(COMMAND AS CHAR) FROM {list} WHERE ID = {id})",
        list = sessions!()
    );
    let row: MySqlRow = raw(&text).fetch_one(&mut second).await?;
    let _ = second.close().await;
    let (name, listed): (String, i64) = (row.try_get_unchecked(0)?, row.try_get_unchecked(1)?);
    let command: Option<String> = row.try_get_unchecked(2)?;
    Ok(seen(name == server && listed == 1, command.as_deref()))
}

/// How a server names itself.
pub(super) const SERVER: &str = "CAST(CONCAT_WS(' ', @@hostname, @@port, @@server_id) AS CHAR)";

fn seen(is_known: bool, command: Option<&str>) -> Seen {
    match command {
        _ if !is_known => Seen::AtWork,
        None => Seen::Gone,
        Some("Sleep") => Seen::Waiting,
        Some(_) => Seen::AtWork,
    }
}

/// So that its lock does not stay for as long as the server waits for a client.
async fn end(options: &MySqlConnectOptions, id: u64) {
    let kill = async {
        let mut second = options.connect().await?;
        raw(&format!("KILL CONNECTION {id}")).execute(&mut second).await?;
        second.close().await
    };
    let _ = tokio::time::timeout(GRACE, kill).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_taken_for_work() {
        assert_eq!(seen(false, None), Seen::AtWork);
        assert_eq!(seen(false, Some("Sleep")), Seen::AtWork);
        assert_eq!(seen(true, Some("Query")), Seen::AtWork);
        assert_eq!(seen(true, Some("Killed")), Seen::AtWork);
        assert_eq!(seen(true, Some("Sleep")), Seen::Waiting);
        assert_eq!(seen(true, None), Seen::Gone);
    }
}

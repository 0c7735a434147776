//! Head offices on a PostgreSQL server: which databases they are, and everything that is in one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use percent_encoding::percent_decode_str;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnection;

use super::secrets::{Secrets, Seen};
use super::server::Server;

/// Who works with which database as its head office.
static USERS: Mutex<BTreeMap<String, Vec<Seen>>> = Mutex::new(BTreeMap::new());

/// A service has this URL for its head office, of which the last part is the database's name.
pub(super) fn note(url: &str, user: &Seen) {
    if let Some((_, name)) = url.rsplit_once('/') {
        let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
        let mut users = USERS.lock().unwrap_or_else(PoisonError::into_inner);
        users.entry(name).or_default().push(user.clone());
    }
}

/// The first secret that somebody left in the database, if it is a head office.
pub(super) fn search(server: &'static Server, name: &str) -> Option<String> {
    let users = USERS.lock().unwrap_or_else(PoisonError::into_inner).remove(name)?;
    let database = name.to_owned();
    // In a thread with its own runtime, because this is called from `Drop`, inside or outside of any runtime.
    let search = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { first_in(server, &database, &Secrets::known_to(&users)).await })
    });
    search.join().unwrap_or_else(|_| Some("something that could not be looked for".into()))
}

async fn first_in(server: &Server, database: &str, secrets: &Secrets) -> Option<String> {
    let begun = Instant::now();
    let mut connection = loop {
        match server.options(database).connect().await {
            Ok(connection) => break connection,
            // A server that was crashed for the test is back in a moment.
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(60), "{database} cannot be searched: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables \
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert!(tables.iter().any(|table| table.ends_with(".branches")), "{database} is no head office: {tables:?}");
    for table in tables {
        if let Some(what) = secrets.first_in(&contents(&mut connection, &table).await) {
            return Some(format!("{what} was emitted in head office's table {table}"));
        }
    }
    None
}

/// Every value in a table as its bytes, text and binary alike.
async fn contents(connection: &mut PgConnection, table: &str) -> Vec<u8> {
    let copy = format!("COPY {table} TO STDOUT (FORMAT binary)");
    let mut chunks = connection.copy_out_raw(&copy).await.unwrap();
    let mut all = Vec::new();
    while let Some(chunk) = chunks.try_next().await.unwrap() {
        all.extend_from_slice(&chunk);
    }
    all
}

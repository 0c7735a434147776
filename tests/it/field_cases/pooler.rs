//! PgBouncer between the service and the server.

use super::{MARKS, branch_on, eventually, number_on, station_for};
use crate::support::{Database, Pooler, outcome, pb, postgres};

fn through(pooler: &Pooler, database: &Database) -> pb::Branch {
    branch_on("BR001", database, |server| {
        (server.host, server.port) = ("127.0.0.1".into(), pooler.port.into());
        server.ssl_mode = pb::SslMode::Disable.into();
    })
}

/// authentik#23876, atlas#2447: a pooler that lends its sessions for a transaction would strand the branch's lock. It is
/// found out before anything is changed, also when nobody else uses it, and the branch says what to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_shares_sessions_is_refused() {
    let server = postgres().await;
    let database = server.fresh_database().await;
    let Some(pooler) = Pooler::start(server, "transaction", "default_pool_size = 4").await else { return };
    let mut station = station_for(server);
    station.migration("1_Audit.sql", "CREATE TABLE audit (n INTEGER);\nINSERT INTO audit VALUES (1);\n");
    station.start().await;
    station.register(through(&pooler, &database)).await;
    let error = outcome(&station, "BR001").await.errors.remove(0);
    assert!(error.message.contains("connection pooler"), "{error:?}");
    assert!(error.hint.contains("connect to PostgreSQL itself"), "{error:?}");
    let tables = "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(number_on(&database, tables).await, 0);
    eventually("no lock stays", async || (number_on(&database, STRANDED).await == 0).then_some(())).await;
}

const STRANDED: &str = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' \
                        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// authentik#23876, atlas#2447, the other way round: a pooler that keeps a session for each client does no harm, and is not
/// taken for one that does.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_keeps_sessions_apart_does_no_harm() {
    let server = postgres().await;
    let sessions = "min_pool_size = 2\nserver_round_robin = 1\nignore_startup_parameters = extra_float_digits";
    let silent = "ignore_startup_parameters = options";
    for more in ["", sessions, silent, "max_db_connections = 2"] {
        let database = server.fresh_database().await;
        let more = format!("default_pool_size = 4\n{more}");
        let Some(pooler) = Pooler::start(server, "session", &more).await else { return };
        let mut station = station_for(server);
        station.migration("1_Audit.sql", "CREATE TABLE audit (n INTEGER);\nINSERT INTO audit VALUES (1);\n");
        station.migration("2_Index.sql", "CREATE INDEX CONCURRENTLY audit_n ON audit (n);\n");
        station.start().await;
        station.register(through(&pooler, &database)).await;
        let result = outcome(&station, "BR001").await;
        assert!(result.success, "{more}: {result:?}");
        assert_eq!(number_on(&database, MARKS).await, 1, "{more}");
        eventually("the lock is given back", async || (number_on(&database, STRANDED).await == 0).then_some(())).await;
    }
}

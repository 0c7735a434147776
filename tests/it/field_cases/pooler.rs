//! PgBouncer between the service and the server.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{MARKS, branch_on, eventually, number_on, station_for};
use crate::support::{Database, outcome, pb, postgres, temp_dir};

/// A pooler that lives as long as the value.
struct Pooler {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<PathBuf> {
    let places = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
    let found = places.iter().map(Path::new).find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: no PgBouncer (apt-get install pgbouncer)");
    }
    found.map(Path::to_owned)
}

/// Starts a pooler in a mode, in front of a database.
async fn start(program: &Path, database: &Database, mode: &str, more: &str) -> Pooler {
    let folder = temp_dir();
    let server = database.server;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let users = folder.path().join("users");
    fs::write(&users, format!("\"{}\" \"{}\"\n", server.username, server.password)).unwrap();
    let settings = format!(
        "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = plain\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = 4\n{more}\n",
        server.host,
        server.port,
        users.display()
    );
    let file = folder.path().join("settings.ini");
    fs::write(&file, settings).unwrap();
    let mut command = Command::new(program);
    // It refuses to run as root.
    if std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) == 0 {
        for path in [folder.path(), &users, &file] {
            chown(path, Some(65534), Some(65534)).unwrap();
        }
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
    }
    command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    let answers = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok();
    eventually("the pooler answers", answers).await;
    Pooler { child, port, _folder: folder }
}

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
    let Some(program) = program() else { return };
    let server = postgres().await;
    let database = server.fresh_database().await;
    let pooler = start(&program, &database, "transaction", "").await;
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
    let Some(program) = program() else { return };
    let server = postgres().await;
    let sessions = "min_pool_size = 2\nserver_round_robin = 1\nignore_startup_parameters = extra_float_digits";
    let silent = "ignore_startup_parameters = options";
    for more in ["", sessions, silent, "max_db_connections = 2"] {
        let database = server.fresh_database().await;
        let pooler = start(&program, &database, "session", more).await;
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

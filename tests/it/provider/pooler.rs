//! A connection pooler between us and PostgreSQL that hands each transaction to any of its sessions.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use branchkeeper::provider::{ErrorKind, ProviderError, Session};
use sqlx::Executor;

use super::fixture::{Fixture, Notes, claim, planned, soon, sql, work};
use crate::support;

struct Pooler(Child);

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[allow(clippy::print_stderr, reason = "a test that did not run says so")]
/// A PgBouncer in transaction mode in front of the fixture's server; `None`, said out loud, where it is not installed.
async fn pooler(fixture: &Fixture, more: &str) -> Option<(Pooler, u16)> {
    let program =
        ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|at| std::path::Path::new(at).exists());
    let Some(program) = program else {
        eprintln!("skipped: no PgBouncer");
        return None;
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = fixture.server();
    let password = &support::postgres().await.password;
    let text = format!(
        "[databases]\n* = host={} port={} user={} password={password}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n{more}\n",
        server.host,
        server.port.unwrap(),
        server.username,
    );
    let file = fixture.folder.path().join("pgbouncer.ini");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(program);
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if is_root {
        // It refuses to run as root.
        command.args(["-u", "nobody"]);
    }
    command.arg("-q").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Some((Pooler(command.spawn().unwrap()), port))
}

async fn session(fixture: &Fixture) -> Session {
    let begun = Instant::now();
    loop {
        match Session::connect(&fixture.endpoint(), &fixture.settings).await {
            Ok(session) => return session,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(10), "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn is_explained(error: &ProviderError) {
    assert_eq!(error.kind, ErrorKind::Unsupported, "{error:?}");
    assert!(error.message.contains("connection pooler") && error.hint.contains("PostgreSQL itself"), "{error:?}");
}

/// Nobody else uses the pooler, so that every transaction happens to run in the same session of the server.
#[tokio::test]
async fn a_quiet_pooler_is_told_by_its_name() {
    // It may refuse what it does not pass on, or keep silent about it.
    for more in ["", "ignore_startup_parameters = options", "server_round_robin = 1\nmin_pool_size = 2"] {
        let mut fixture = Fixture::postgres().await;
        fixture.create().await;
        let Some((_pooler, port)) = pooler(&fixture, more).await else { return };
        let direct = fixture.server().port;
        fixture.server_mut().port = Some(port);
        let mut one = session(&fixture).await;
        let error = one.lock(&claim(1), Duration::ZERO, &soon()).await.unwrap_err();
        is_explained(&error);
        assert!(one.ledger().await.unwrap().rows.is_empty(), "reading does no harm");
        fixture.server_mut().port = direct;
        assert!(!fixture.has_table("__MigrationsHistory").await, "{more}: nothing was made");
        // No lock stays behind in a session of the pooler.
        let mut straight = session(&fixture).await;
        let fence = straight.lock(&claim(2), Duration::from_secs(5), &soon()).await.unwrap();
        straight.unlock(fence).await.unwrap();
    }
}

/// The pooler has no room for those who would find it out, and goes on to another session of the server later.
#[tokio::test]
async fn a_pooler_that_changes_the_session_is_told_by_its_name() {
    let mut fixture = Fixture::postgres().await;
    fixture.create().await;
    let Some((_pooler, port)) = pooler(&fixture, "max_client_conn = 1").await else { return };
    let direct = fixture.server().port;
    fixture.server_mut().port = Some(port);
    let mut one = session(&fixture).await;
    let fence = one.lock(&claim(1), Duration::ZERO, &soon()).await.unwrap();
    let database = fixture.server().database.clone();
    let mut administrator = support::postgres().await.connect_to(&database).await;
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    administrator.execute(end).await.unwrap();
    let work_of = planned("1_one", [sql("CREATE TABLE t (a integer)")]);
    let error = one.run_atomic(&fence, &[work(&work_of)], true, &soon(), &mut Notes::default()).await.unwrap_err();
    is_explained(&error.error);
    fixture.server_mut().port = direct;
    assert!(!fixture.has_table("t").await && fixture.ledger().await.rows.is_empty());
}

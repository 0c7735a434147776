//! A connection pooler between us and PostgreSQL that hands each transaction to any of its sessions.

use std::time::{Duration, Instant};

use branchkeeper::provider::{ErrorKind, ProviderError, Session};
use sqlx::{AssertSqlSafe, Executor};

use super::fixture::{Fixture, Notes, claim, planned, soon, sql, work};
use crate::support::{Pooler, postgres};

/// A pooler that hands out sessions for a transaction.
async fn pooler(more: &str) -> Option<Pooler> {
    Pooler::start(postgres().await, "transaction", more).await
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
        let Some(pooler) = pooler(more).await else { return };
        let direct = fixture.server().port;
        fixture.server_mut().port = Some(pooler.port);
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
    // Where the pooler has not noticed yet that its session is gone, it passes on the session's end, which is a loss like
    // any other.
    for _ in 0..10 {
        let Some(error) = work_when_the_pooler_has_lost_its_session().await else { return };
        if error.kind != ErrorKind::Lost {
            return is_explained(&error);
        }
    }
    panic!("the pooler never went on to another session");
}

/// What comes of work under a lock whose session the server has ended; `None` where there is no pooler.
async fn work_when_the_pooler_has_lost_its_session() -> Option<ProviderError> {
    let mut fixture = Fixture::postgres().await;
    fixture.create().await;
    let pooler = pooler("max_client_conn = 1").await?;
    let direct = fixture.server().port;
    fixture.server_mut().port = Some(pooler.port);
    let mut one = session(&fixture).await;
    let fence = one.lock(&claim(1), Duration::ZERO, &soon()).await.unwrap();
    let database = fixture.server().database.clone();
    let mut administrator = postgres().await.connect_to(&database).await;
    let others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let end = format!("SELECT pg_terminate_backend(pid) {others}");
    administrator.execute(AssertSqlSafe(end)).await.unwrap();
    let left = format!("SELECT COUNT(*) {others}");
    let begun = Instant::now();
    while sqlx::query_scalar::<_, i64>(AssertSqlSafe(left.clone())).fetch_one(&mut administrator).await.unwrap() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the session does not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let work_of = planned("1_one", [sql("CREATE TABLE t (a integer)")]);
    let error = one.run_atomic(&fence, &[work(&work_of)], true, &soon(), &mut Notes::default()).await.unwrap_err();
    fixture.server_mut().port = direct;
    assert!(!fixture.has_table("t").await && fixture.ledger().await.rows.is_empty());
    Some(error.error)
}

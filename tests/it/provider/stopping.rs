use std::time::{Duration, Instant};

use branchkeeper::domain::{Effect, Segment};
use branchkeeper::provider::{ErrorKind, Outcome, Stop, Work};

use super::fixture::{Fixture, Notes, alone, intent, planned, progress, soon, sql, work};
use crate::support::{Gap, Product, SESSIONS};

on_every_provider!(
    a_time_limit_stops_the_servers_work,
    cancelling_stops_the_servers_work,
    a_lone_statement_is_stopped_and_withdrawn,
    a_stop_before_the_work_does_nothing,
    a_unit_that_was_not_begun_leaves_no_doubt,
    an_abandoned_call_spoils_the_session_only,
);

/// Whether the server still runs the endless statement.
async fn still_runs(fixture: &Fixture) -> bool {
    let running = match fixture.product() {
        None => return false,
        Some(Product::Postgres) => {
            "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(300)%' AND state = 'active' \
             AND datname = current_database() AND pid <> pg_backend_pid()"
        }
        Some(Product::SqlServer) => {
            "SELECT r.session_id FROM sys.dm_exec_requests AS r WHERE r.command = 'WAITFOR' AND r.database_id = DB_ID() \
             AND r.session_id <> @@SPID"
        }
        Some(_) => &format!(
            "SELECT id FROM {SESSIONS} WHERE info LIKE '%SLEEP(300)%' AND db = DATABASE() AND id <> CONNECTION_ID()"
        ),
    };
    fixture.value(running).await.is_some()
}

async fn a_time_limit_stops_the_servers_work(fixture: Fixture) {
    if fixture.is_kept_from(Gap::Stopping, "a time limit that stops the server's work").await {
        return;
    }
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("t").await, sql(fixture.endless())]);
    let limited = Work { timeout: Duration::from_millis(300), ..work(&one) };
    let started = Instant::now();
    let error = session.run_atomic(&fence, &[limited], true, &soon(), &mut Notes::default()).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert_eq!(error.error.kind, ErrorKind::Timeout, "{error:?}");
    assert_eq!((error.statement, error.outcome), (Some(1), Outcome::RolledBack));
    assert!(!still_runs(&fixture).await);
    assert!(!fixture.has_change("t").await);
    let _ = session.unlock(fence).await;
    drop(session);
    // Nothing is left that would keep the next one out.
    let mut next = fixture.session().await;
    let fence = next.lock(&super::fixture::claim(2), Duration::from_secs(5), &soon()).await.unwrap();
    let two = planned("1_one", [fixture.change("t").await]);
    next.run_atomic(&fence, &[work(&two)], true, &soon(), &mut Notes::default()).await.unwrap();
}

async fn cancelling_stops_the_servers_work(fixture: Fixture) {
    if fixture.is_kept_from(Gap::Stopping, "a cancellation that stops the server's work").await {
        return;
    }
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("t").await, sql(fixture.endless())]);
    let stop = soon();
    let cancel = stop.cancel.clone();
    let mut notes = Notes::default();
    let works = [work(&one)];
    let run = session.run_atomic(&fence, &works, true, &stop, &mut notes);
    let later = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cancel.cancel();
        Instant::now()
    };
    let (result, cancelled) = tokio::join!(run, later);
    let error = result.unwrap_err();
    assert!(cancelled.elapsed() < Duration::from_secs(8));
    assert_eq!(error.error.kind, ErrorKind::Cancelled, "{error:?}");
    assert_eq!((error.statement, error.outcome), (Some(1), Outcome::RolledBack));
    assert!(!still_runs(&fixture).await);
    assert!(!fixture.has_change("t").await);
}

async fn a_lone_statement_is_stopped_and_withdrawn(fixture: Fixture) {
    if fixture.is_kept_from(Gap::Stopping, "a lone statement that is stopped").await {
        return;
    }
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [alone(fixture.endless(), Effect::Unknowable)]);
    let limited = Work { timeout: Duration::from_millis(300), ..work(&one) };
    let mut notes = Notes::default();
    let failed = session.run_segment(&fence, &limited, &Segment::Alone(0), true, &soon(), &mut notes).await;
    let error = failed.unwrap_err();
    assert_eq!(error.error.kind, ErrorKind::Timeout, "{error:?}");
    assert_eq!(error.statement, Some(0));
    assert!(!still_runs(&fixture).await);
    if fixture.is_sqlserver() {
        // The session is given up whenever its work was stopped; the announcement stays for the next one.
        assert_eq!(error.outcome, Outcome::Unknown);
        assert_eq!(progress(&fixture.ledger().await, "1_one").intent, intent(&one, 0));
        return;
    }
    assert_eq!(error.outcome, Outcome::RolledBack);
    assert!(fixture.ledger().await.rows.is_empty());
    session.unlock(fence).await.unwrap();
}

async fn a_stop_before_the_work_does_nothing(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("t").await]);
    let stop = Stop::after(Duration::ZERO);
    let error = session.run_atomic(&fence, &[work(&one)], true, &stop, &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.error.kind, error.outcome), (ErrorKind::Timeout, Outcome::RolledBack));
    assert!(!fixture.has_change("t").await);
    session.unlock(fence).await.unwrap();
}

async fn an_abandoned_call_spoils_the_session_only(fixture: Fixture) {
    if fixture.is_kept_from(Gap::Stopping, "the end of an abandoned session").await {
        return;
    }
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [fixture.change("t").await, sql(fixture.endless())]);
    let mut notes = Notes::default();
    let (works, stop) = ([work(&one)], soon());
    let run = session.run_atomic(&fence, &works, true, &stop, &mut notes);
    assert!(tokio::time::timeout(Duration::from_millis(300), run).await.is_err());
    let error = session.ledger().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Lost);
    let _ = session.unlock(fence).await;
    // The server notices within seconds that nobody is there any more, and lets the lock go.
    let mut next = fixture.session().await;
    next.lock(&super::fixture::claim(2), Duration::from_secs(20), &soon()).await.unwrap();
    assert!(!fixture.is_sqlite() || !fixture.has_change("t").await);
}

/// The unit before it has committed what its own mark was part of.
async fn a_unit_that_was_not_begun_leaves_no_doubt(fixture: Fixture) {
    let (mut session, fence) = fixture.locked().await;
    let (one, two) = (planned("1_one", [fixture.change("one").await]), planned("2_two", [fixture.change("two").await]));
    session.run_atomic(&fence, &[work(&one)], false, &soon(), &mut Notes::default()).await.unwrap();
    let stopped = soon();
    stopped.cancel.cancel();
    let error = session.run_atomic(&fence, &[work(&two)], true, &stopped, &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.error.kind, error.outcome), (ErrorKind::Cancelled, Outcome::RolledBack));
    session.run_atomic(&fence, &[work(&two)], true, &soon(), &mut Notes::default()).await.unwrap();
    assert!(fixture.has_change("two").await && fixture.ledger().await.is_applied("2_two"));
}

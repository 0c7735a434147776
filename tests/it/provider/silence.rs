//! Statements from which nothing is heard: because they take long, because their session has ended, or because their answer
//! got lost.

use std::time::{Duration, Instant};

use branchkeeper::domain::{Effect, Segment};
use branchkeeper::provider::{ErrorKind, ExecutionError, Outcome, Session};

use super::fixture::{Fixture, Notes, alone, claim, intent, planned, progress, soon, work};
use crate::support::{Proxy, SESSIONS};

on_mysql!(
    a_statement_that_takes_long_is_left_alone,
    a_session_that_has_ended_is_found_out,
    an_answer_that_got_lost_is_found_out,
);

const OFTEN: Duration = Duration::from_millis(100);

/// What the one statement of a migration ends with; `forget` is called while it runs.
async fn run(
    session: &mut Session,
    fixture: &Fixture,
    text: &str,
    forget: impl AsyncFnOnce(),
) -> Result<(), ExecutionError> {
    let fence = session.lock(&claim(1), Duration::from_secs(5), &soon()).await.unwrap();
    let one = planned("1_one", [alone(text, Effect::Unknowable)]);
    let (work, mut notes) = (work(&one), Notes::default());
    let stop = soon();
    let running = session.run_segment(&fence, &work, &Segment::Alone(0), true, &stop, &mut notes);
    let then = async {
        let begun = Instant::now();
        while fixture.value(&running_as(text)).await.is_none() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not begin");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        forget().await;
    };
    let (result, ()) = tokio::join!(running, then);
    let ledger = fixture.ledger().await;
    match &result {
        Ok(_) => assert!(ledger.is_applied("1_one")),
        Err(_) => assert_eq!(progress(&ledger, "1_one").intent, intent(&one, 0), "its fate can be looked for"),
    }
    result.map(drop)
}

fn running_as(text: &str) -> String {
    let pattern = text.replace('\'', "''");
    format!(
        "SELECT CAST(id AS CHAR) FROM {SESSIONS} WHERE info LIKE '%{pattern}%' \
         AND db = DATABASE() AND id <> CONNECTION_ID()"
    )
}

/// Lets the session go through a proxy that can forget it.
async fn proxied(fixture: &mut Fixture) -> (Proxy, Session) {
    fixture.create().await;
    fixture.settings.silence = OFTEN;
    let (host, port) = (fixture.server().host.clone(), fixture.server().port.unwrap());
    let proxy = Proxy::to(&host, port).await;
    fixture.server_mut().port = Some(proxy.port());
    let session = fixture.session().await;
    (proxy, session)
}

fn is_lost(result: Result<(), ExecutionError>, why: &str) {
    let error = result.unwrap_err();
    assert!(error.error.kind == ErrorKind::Lost && error.outcome == Outcome::Unknown, "{error:?}");
    assert!(error.error.message.contains(why), "{error:?}");
}

async fn a_statement_that_takes_long_is_left_alone(mut fixture: Fixture) {
    let (_proxy, mut session) = proxied(&mut fixture).await;
    // Many times as long as the silence after which the server is asked.
    run(&mut session, &fixture, "DO SLEEP(1.5)", async || {}).await.unwrap();
}

async fn a_session_that_has_ended_is_found_out(mut fixture: Fixture) {
    let (proxy, mut session) = proxied(&mut fixture).await;
    let text = "DO SLEEP(299)";
    let begun = Instant::now();
    let forget = async || {
        proxy.forget();
        let id = fixture.value(&running_as(text)).await.unwrap();
        fixture.value(&format!("KILL CONNECTION {id}")).await;
    };
    is_lost(run(&mut session, &fixture, text, forget).await, "has no session");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

async fn an_answer_that_got_lost_is_found_out(mut fixture: Fixture) {
    let (proxy, mut session) = proxied(&mut fixture).await;
    let begun = Instant::now();
    is_lost(run(&mut session, &fixture, "DO SLEEP(1)", async || proxy.forget()).await, "did not arrive");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    // The lock goes with the session, although nobody else has told the server.
    let mut next = fixture.session().await;
    let fence = next.lock(&claim(2), Duration::from_secs(10), &soon()).await.unwrap();
    next.unlock(fence).await.unwrap();
}

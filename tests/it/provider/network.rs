//! What a network does to a session: round trips cost time, and a connection can break at any moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use branchkeeper::domain::{Effect, ObjectName, Segment, SslMode};
use branchkeeper::provider::{ErrorKind, Fate, Outcome, Session, Then};
use sqlx::Executor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, Notes, alone, claim, intent, planned, progress, resumed, soon, sql, work};
use crate::support;

/// Passes everything through, counts the round trips, and can be cut.
struct Proxy {
    port: u16,
    trips: Arc<AtomicUsize>,
    cut: CancellationToken,
}

impl Proxy {
    /// A proxy before the fixture's server, and the fixture led through it.
    async fn before(fixture: &mut Fixture) -> Self {
        let server = fixture.server();
        let target = format!("{}:{}", server.host, server.port.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy =
            Self { port: listener.local_addr().unwrap().port(), trips: Arc::default(), cut: CancellationToken::new() };
        let (trips, cut) = (Arc::clone(&proxy.trips), proxy.cut.clone());
        let counted = if fixture.is_mysql() { Counted::Commands } else { Counted::Readies };
        // A password that has been seen over TLS may be proved without it afterwards.
        fixture.create().await;
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&target).await.unwrap();
                let through = pass(client, server, counted, Arc::clone(&trips));
                tokio::spawn(cut.clone().run_until_cancelled_owned(through));
            }
        });
        fixture.server_mut().port = Some(proxy.port);
        fixture.server_mut().host = "127.0.0.1".into();
        fixture.server_mut().ssl_mode = SslMode::Disable;
        proxy
    }

    fn trips(&self) -> usize {
        self.trips.swap(0, Ordering::SeqCst)
    }
}

/// By what a round trip is known.
#[derive(Clone, Copy, PartialEq)]
enum Counted {
    /// PostgreSQL's server says that it is ready for the next.
    Readies,
    /// MySQL's client begins a command: the first packet of a numbered series.
    Commands,
}

async fn pass(client: TcpStream, server: TcpStream, counted: Counted, trips: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async {
        if counted == Counted::Commands {
            let mut head = [0; 4];
            while from_client.read_exact(&mut head).await.is_ok() {
                let mut body = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
                from_client.read_exact(&mut body).await.unwrap();
                trips.fetch_add(usize::from(head[3] == 0), Ordering::SeqCst);
                if to_server.write_all(&head).await.and(to_server.write_all(&body).await).is_err() {
                    break;
                }
            }
        }
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    let down = async {
        if counted == Counted::Readies {
            let mut head = [0; 5];
            while from_server.read_exact(&mut head).await.is_ok() {
                let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
                let mut body = vec![0; length - 4];
                from_server.read_exact(&mut body).await.unwrap();
                trips.fetch_add(usize::from(head[0] == b'Z'), Ordering::SeqCst);
                if to_client.write_all(&head).await.and(to_client.write_all(&body).await).is_err() {
                    break;
                }
            }
        }
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
    };
    tokio::join!(up, down);
}

#[tokio::test]
async fn round_trips_are_few_on_mysql() {
    for fixture in [Fixture::mariadb().await, Fixture::mysql().await] {
        let Some(mut fixture) = fixture else { continue };
        let change = fixture.change("t").await;
        let proxy = Proxy::before(&mut fixture).await;
        let mut session = Session::connect(&fixture.endpoint(), &fixture.settings).await.unwrap();
        assert_eq!(proxy.trips(), 1, "the session's settings, its number, and the ledger");
        session.ledger().await.unwrap();
        assert_eq!(proxy.trips(), 0, "which is there already, also where there is none");
        session.ledger().await.unwrap();
        assert_eq!(proxy.trips(), 1, "asked again, it is read anew");
        let fence = session.lock(&claim(1), Duration::ZERO, &soon()).await.unwrap();
        assert_eq!(proxy.trips(), 2, "take the lock, and make sure of it");
        let one = planned("1_one", [change, sql("SELECT 1"), sql("SELECT 2")]);
        session.run_atomic(&fence, &[work(&one)], false, &soon(), &mut Notes::default()).await.unwrap();
        assert_eq!(proxy.trips(), 3 + 2, "each statement, what stands before them and what comes after");
        let effect = Effect::TableExists(ObjectName::bare("made"));
        let two = planned("2_two", [alone("CREATE TABLE made (a integer)", effect)]);
        let mut notes = Notes::default();
        session.run_segment(&fence, &work(&two), &Segment::Alone(0), true, &soon(), &mut notes).await.unwrap();
        assert_eq!(proxy.trips(), 3, "announced, run, recorded");
        let more = |name: &str| {
            alone(&format!("CREATE TABLE {name} (a integer)"), Effect::TableExists(ObjectName::bare(name)))
        };
        let three = planned("3_three", [more("a"), more("b"), more("c")]);
        for (index, then) in [(0, Then::Alone(1)), (1, Then::Alone(2)), (2, Then::Finished)] {
            let segment = Segment::Alone(index);
            session.run_segment(&fence, &work(&three), &segment, then, &soon(), &mut notes).await.unwrap();
        }
        assert_eq!(
            proxy.trips(),
            1 + 3 * 2,
            "announced; then each is run, and recorded together with the next one's announcement"
        );
        session.unlock(fence).await.unwrap();
        assert_eq!(proxy.trips(), 1);
    }
}

/// The client's connection breaks while the server waits with an ALTER. The server does not notice and finishes it later.
async fn an_alter_outlives_its_client(mut fixture: Fixture) {
    let direct = fixture.connection.clone();
    let proxy = Proxy::before(&mut fixture).await;
    fixture.value("CREATE TABLE t (a integer)").await;
    let mut blocker = fixture.database().server.mysql_connect_to(&fixture.server().database).await;
    blocker.execute(sqlx::raw_sql("START TRANSACTION; INSERT INTO t VALUES (1)")).await.unwrap();
    let effect = Effect::ColumnExists { table: ObjectName::bare("t"), column: "b".into() };
    let next = Effect::ColumnExists { table: ObjectName::bare("t"), column: "c".into() };
    let alter = |column: &str| format!("ALTER TABLE t ADD COLUMN {column} integer");
    let one = planned("1_one", [alone(&alter("b"), effect), alone(&alter("c"), next)]);
    let (mut session, fence) = fixture.locked().await;
    let (stop, mut notes, lone) = (soon(), Notes::default(), work(&one));
    let run = session.run_segment(&fence, &lone, &Segment::Alone(0), false, &stop, &mut notes);
    fixture.connection = direct;
    let (result, (running, locked)) = tokio::join!(run, async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        proxy.cut.cancel();
        let mut other = fixture.session().await;
        let running = other.fate(&one.migration.up.statements[0]).await;
        (running, other.lock(&claim(2), Duration::ZERO, &soon()).await.unwrap_err())
    });
    let error = result.unwrap_err();
    assert_eq!((error.error.kind, error.outcome), (ErrorKind::Lost, Outcome::Unknown));
    assert_eq!(running, Ok(Fate::Running), "the server has not noticed");
    assert!(matches!(locked.kind, ErrorKind::Locked { .. }), "its lock lasts as long as its work: {locked:?}");

    blocker.execute("ROLLBACK").await.unwrap();
    let mut next = fixture.session().await;
    let fence = next.lock(&claim(2), Duration::from_secs(20), &soon()).await.unwrap();
    let ledger = next.ledger().await.unwrap();
    assert_eq!(progress(&ledger, "1_one").intent, intent(&one, 0));
    let again = resumed(&one, &ledger);
    assert_eq!(next.fate(&again.migration.up.statements[0]).await, Ok(Fate::Applied), "found out, not run again");
    next.settle(&fence, &work(&again), 0..1, true).await.unwrap();
    next.run_segment(&fence, &work(&again), &Segment::Alone(1), true, &soon(), &mut Notes::default()).await.unwrap();
    assert!(next.ledger().await.unwrap().is_applied("1_one"));
}

#[tokio::test]
async fn an_alter_outlives_its_client_on_mariadb() {
    if let Some(fixture) = Fixture::mariadb().await {
        an_alter_outlives_its_client(fixture).await;
    }
}

#[tokio::test]
async fn an_alter_outlives_its_client_on_mysql() {
    if let Some(fixture) = Fixture::mysql().await {
        an_alter_outlives_its_client(fixture).await;
    }
}

#[tokio::test]
async fn round_trips_are_few() {
    let mut fixture = Fixture::postgres().await;
    fixture.create().await;
    let proxy = Proxy::before(&mut fixture).await;
    let trips = || proxy.trips();

    let mut session = Session::connect(&fixture.endpoint(), &fixture.settings).await.unwrap();
    assert_eq!(trips(), 1, "connecting asks nothing");
    session.ledger().await.unwrap();
    assert_eq!(trips(), 1, "the check is one question, also without a ledger");
    let fence = session.lock(&claim(1), Duration::ZERO, &soon()).await.unwrap();
    assert_eq!(trips(), 2, "take the lock, and make sure of it");
    for n in 1..=3 {
        let one = planned(&format!("{n}_m"), [sql(&format!("CREATE TABLE t{n} (a integer)")), sql("SELECT 1")]);
        session.run_atomic(&fence, &[work(&one)], n == 3, &soon(), &mut Notes::default()).await.unwrap();
        assert_eq!(trips(), 1, "a migration travels in one message");
    }
    session.unlock(fence).await.unwrap();
    assert_eq!(trips(), 0, "the last one has let go already");
    assert_eq!(session.ledger().await.unwrap().rows.len(), 3);
    assert_eq!(trips(), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_the_outcome_open_until_the_ledger_is_read() {
    let mut fixture = Fixture::postgres().await;
    let direct = fixture.connection.clone();
    let proxy = Proxy::before(&mut fixture).await;
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", ["CREATE TABLE t (a integer)", "SELECT pg_sleep(300)"].map(sql));
    let (works, stop, mut notes) = ([work(&one)], soon(), Notes::default());
    let run = session.run_atomic(&fence, &works, true, &stop, &mut notes);
    let (result, ()) = tokio::join!(run, async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        proxy.cut.cancel();
    });
    let error = result.unwrap_err();
    assert_eq!((error.error.kind, error.outcome), (ErrorKind::Lost, Outcome::Unknown));
    assert_eq!(session.ledger().await.unwrap_err().kind, ErrorKind::Lost);

    // The server finds out within seconds that nobody waits for the answer, and lets the lock go.
    fixture.connection = direct;
    let mut next = fixture.session().await;
    let fence = next.lock(&claim(2), Duration::from_secs(20), &soon()).await.unwrap();
    assert!(next.ledger().await.unwrap().rows.is_empty());
    assert!(!fixture.has_table("t").await);
    let fixed = planned("1_one", [sql("CREATE TABLE t (a integer)")]);
    next.run_atomic(&fence, &[work(&fixed)], true, &soon(), &mut Notes::default()).await.unwrap();
}

#[tokio::test]
async fn an_index_whose_connection_breaks_is_probed() {
    let mut fixture = Fixture::postgres().await;
    let direct = fixture.connection.clone();
    fixture.create().await;
    fixture.value("CREATE TABLE t (a integer)").await;
    let mut blocker = support::postgres().await.connect_to(&fixture.server().database).await;
    blocker.execute(sqlx::raw_sql("BEGIN; INSERT INTO t VALUES (1)")).await.unwrap();
    let effect = Effect::IndexExists { index: ObjectName::bare("i"), table: ObjectName::bare("t") };
    let one = planned("1_one", [alone("CREATE INDEX CONCURRENTLY i ON t (a)", effect)]);

    let proxy = Proxy::before(&mut fixture).await;
    let (mut session, fence) = fixture.locked().await;
    let (stop, mut notes, lone) = (soon(), Notes::default(), work(&one));
    let run = session.run_segment(&fence, &lone, &Segment::Alone(0), true, &stop, &mut notes);
    fixture.connection = direct;
    let (result, running) = tokio::join!(run, async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        proxy.cut.cancel();
        let mut other = fixture.session().await;
        other.fate(&one.migration.up.statements[0]).await
    });
    let error = result.unwrap_err();
    assert_eq!((error.error.kind, error.outcome), (ErrorKind::Lost, Outcome::Unknown));
    assert_eq!(running, Ok(Fate::Running), "the server has not noticed yet");

    let mut next = fixture.session().await;
    let fence = next.lock(&claim(2), Duration::from_secs(20), &soon()).await.unwrap();
    blocker.execute("ROLLBACK").await.unwrap();
    let ledger = next.ledger().await.unwrap();
    assert_eq!(progress(&ledger, "1_one").intent, intent(&one, 0));
    let again = resumed(&one, &ledger);
    let statement = &again.migration.up.statements[0];
    assert_eq!(next.fate(statement).await, Ok(Fate::Leftover));
    next.clear_leftover(&fence, statement, &soon()).await.unwrap();
    next.settle(&fence, &work(&again), 0..1, false).await.unwrap();
    next.run_segment(&fence, &work(&again), &Segment::Alone(0), true, &soon(), &mut Notes::default()).await.unwrap();
    assert!(next.ledger().await.unwrap().is_applied("1_one"));
}

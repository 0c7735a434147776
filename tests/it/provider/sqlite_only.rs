//! What only SQLite has: files, other programs that use them, and pragmas.

use std::sync::Arc;
use std::time::{Duration, Instant};

use branchkeeper::domain::{Clock, Effect, ManualClock, Planned, Segment, SystemClock};
use branchkeeper::provider::{ErrorKind, Outcome, Session, create, test};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Executor};

use super::fixture::{Fixture, Notes, alone, claim, planned, soon, sql, work};

/// How often the file was committed to, as its header counts.
fn commits(fixture: &Fixture) -> u32 {
    let bytes = std::fs::read(fixture.path()).unwrap();
    bytes.get(24..28).map_or(0, |counter| u32::from_be_bytes(counter.try_into().unwrap()))
}

/// Another program that uses the file.
async fn program(fixture: &Fixture) -> SqliteConnection {
    SqliteConnectOptions::new().filename(fixture.path()).foreign_keys(false).connect().await.unwrap()
}

#[tokio::test]
async fn migrations_cost_one_commit_each_lock_included() {
    let fixture = Fixture::sqlite();
    let (mut session, fence) = fixture.locked().await;
    assert!(!session.ledger().await.unwrap().rows.iter().any(|_| true));
    let all: Vec<Planned> =
        (1..=3).map(|n| planned(&format!("{n}_m"), [sql(&format!("CREATE TABLE t{n} (a integer)"))])).collect();
    for (index, one) in all.iter().enumerate() {
        assert_eq!(commits(&fixture), u32::try_from(index).unwrap());
        session.run_atomic(&fence, &[work(one)], index == 2, &soon(), &mut Notes::default()).await.unwrap();
    }
    session.unlock(fence).await.unwrap();
    session.close().await;
    assert_eq!(commits(&fixture), 3);
    assert_eq!(
        fixture.value("PRAGMA journal_mode").await.as_deref(),
        Some("delete"),
        "the file's settings are its own"
    );
}

#[tokio::test]
async fn a_lock_without_work_writes_nothing() {
    let fixture = Fixture::sqlite();
    let (mut session, fence) = fixture.locked().await;
    session.unlock(fence).await.unwrap();
    session.close().await;
    assert_eq!(std::fs::metadata(fixture.path()).unwrap().len(), 0);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_recognised() {
    let fixture = Fixture::sqlite();
    fixture.create().await;
    std::fs::write(fixture.path(), "this is a letter to my aunt, and it is longer than a header ".repeat(40)).unwrap();
    let error = fixture.session().await.ledger().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotADatabase, "{error:?}");
    assert!(error.message.contains("one.db") && !error.hint.is_empty());
    let report = test(&fixture.endpoint(), &fixture.settings).await;
    assert!(!report.reachable, "{report:?}");
    let mut session = fixture.session().await;
    let error = session.lock(&claim(1), Duration::ZERO, &soon()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotADatabase);
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_folder_is_named() {
    let fixture = Fixture::sqlite();
    std::fs::create_dir_all(&fixture.settings.sqlite_root).unwrap();
    let endpoint = fixture.endpoint();
    std::fs::write(fixture.settings.sqlite_root.join("shop"), "a file").unwrap();
    let error = create(&endpoint, &fixture.settings).await.unwrap_err();
    assert!(error.message.contains("shop"), "{error:?}");
    let report = test(&endpoint, &fixture.settings).await;
    assert!(!report.reachable && !report.message.is_empty(), "{report:?}");
}

#[tokio::test]
async fn connecting_never_makes_a_file() {
    let fixture = Fixture::sqlite();
    std::fs::create_dir_all(fixture.path().parent().unwrap()).unwrap();
    let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::DatabaseMissing);
    assert!(!fixture.path().exists());
}

#[tokio::test]
async fn a_program_that_writes_is_waited_for_and_named() {
    let fixture = Fixture::sqlite();
    let mut session = fixture.session().await;
    let mut other = program(&fixture).await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let started = Instant::now();
    let error = session.lock(&claim(1), Duration::from_millis(300), &soon()).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5));
    let ErrorKind::Locked { holder, until } = error.kind else { panic!("{error:?}") };
    assert!(holder.contains("program") && until.is_none());
    let stop = soon();
    let claim = claim(1);
    let (fence, ()) = tokio::join!(session.lock(&claim, Duration::from_secs(20), &stop), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        other.execute("ROLLBACK").await.unwrap();
    });
    fence.unwrap();
}

#[tokio::test]
async fn a_program_that_reads_delays_the_commit_only() {
    let mut fixture = Fixture::sqlite();
    fixture.create().await;
    fixture.value("CREATE TABLE old (a)").await;
    let read = "BEGIN; SELECT * FROM old";
    // A reader that does not go away in time.
    fixture.settings.lock_timeout = Some(Duration::from_millis(300));
    let (mut session, fence) = fixture.locked().await;
    let mut reader = program(&fixture).await;
    reader.execute(sqlx::raw_sql(read)).await.unwrap();
    let one = planned("1_one", [sql("CREATE TABLE t (a integer)")]);
    let error = session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.error.kind, error.outcome), (ErrorKind::Timeout, Outcome::RolledBack));
    assert!(!fixture.has_table("t").await);
    drop(session);
    // One that does.
    fixture.settings.lock_timeout = None;
    let (mut session, fence) = fixture.locked().await;
    let (works, stop, mut notes) = ([work(&one)], soon(), Notes::default());
    let (result, ()) = tokio::join!(session.run_atomic(&fence, &works, true, &stop, &mut notes), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        reader.execute("COMMIT").await.unwrap();
    });
    result.unwrap();
    assert!(fixture.ledger().await.is_applied("1_one"));
}

#[tokio::test]
async fn a_full_disk_undoes_the_work() {
    let fixture = Fixture::sqlite();
    let (mut session, fence) = fixture.locked().await;
    let fill = "INSERT INTO t WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000) \
        SELECT hex(randomblob(1000)) FROM c";
    let small = alone("PRAGMA max_page_count = 20", Effect::Idempotent);
    let one = planned("1_one", [small, sql("CREATE TABLE t (a text)"), sql(fill)]);
    let work = work(&one);
    let mut notes = Notes::default();
    session.run_segment(&fence, &work, &Segment::Alone(0), false, &soon(), &mut notes).await.unwrap();
    let failed = session.run_segment(&fence, &work, &Segment::Transaction(1..3), true, &soon(), &mut notes).await;
    let error = failed.unwrap_err();
    assert_eq!(error.error.kind, ErrorKind::DiskFull, "{error:?}");
    assert_eq!((error.statement, error.done, error.outcome), (Some(2), 1, Outcome::Partial));
    assert!(!fixture.has_table("t").await);
    session.unlock(fence).await.unwrap();
}

#[tokio::test]
async fn rebuilding_a_table_keeps_its_children() {
    let fixture = Fixture::sqlite();
    let (mut session, fence) = fixture.locked().await;
    let make = [
        "CREATE TABLE parent (id integer PRIMARY KEY)",
        "CREATE TABLE child (id integer REFERENCES parent (id) ON DELETE CASCADE)",
        "INSERT INTO parent VALUES (1)",
        "INSERT INTO child VALUES (1)",
    ];
    let rebuild = [
        "CREATE TABLE parent_new (id integer PRIMARY KEY, name text)",
        "INSERT INTO parent_new (id) SELECT id FROM parent",
        "DROP TABLE parent",
        "ALTER TABLE parent_new RENAME TO parent",
    ];
    let all = [planned("1_make", make.map(sql)), planned("2_rebuild", rebuild.map(sql))];
    for one in &all {
        session.run_atomic(&fence, &[work(one)], false, &soon(), &mut Notes::default()).await.unwrap();
    }
    assert_eq!(fixture.value("SELECT CAST(count(*) AS TEXT) FROM child").await.as_deref(), Some("1"));
    // A pragma of one migration does not reach the next, which would then lose the rows after all.
    let on = planned("3_on", [alone("PRAGMA foreign_keys = ON", Effect::Idempotent)]);
    session.run_segment(&fence, &work(&on), &Segment::Alone(0), true, &soon(), &mut Notes::default()).await.unwrap();
    let again = planned("4_again", rebuild.map(sql));
    session.run_atomic(&fence, &[work(&again)], true, &soon(), &mut Notes::default()).await.unwrap();
    assert_eq!(fixture.value("SELECT CAST(count(*) AS TEXT) FROM child").await.as_deref(), Some("1"));
}

#[tokio::test]
async fn an_expiry_from_the_far_future_does_not_block_for_ever() {
    let mut fixture = Fixture::sqlite();
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    fixture.settings.clock = clock.clone();
    let (mut one, fence) = fixture.locked().await;
    let first = planned("1_first", [sql("SELECT 1")]);
    one.run_atomic(&fence, &[work(&first)], false, &soon(), &mut Notes::default()).await.unwrap();
    fixture.value("UPDATE \"__MigrationsHistoryLock\" SET expires_at = '2999-01-01T00:00:00Z'").await;
    let mut two = fixture.session().await;
    let other = branchkeeper::provider::Claim { head_office: "elsewhere".into(), ..claim(1) };
    for _ in 0..2 {
        let error = two.lock(&other, Duration::ZERO, &soon()).await.unwrap_err();
        let ErrorKind::Locked { until, .. } = error.kind else { panic!("{error:?}") };
        let left = (until.unwrap() - clock.now()).num_milliseconds();
        assert!((59_990..=60_000).contains(&left), "one lease from the first look: {left} ms");
    }
    clock.advance(Duration::from_secs(61));
    two.lock(&other, Duration::ZERO, &soon()).await.unwrap();
}

#[tokio::test]
async fn a_lock_that_expired_unnoticed_is_still_ours() {
    let mut fixture = Fixture::sqlite();
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    fixture.settings.clock = clock.clone();
    let (mut session, fence) = fixture.locked().await;
    for n in 1..4 {
        let one = planned(&format!("{n}_m"), [sql("SELECT 1")]);
        session.run_atomic(&fence, &[work(&one)], false, &soon(), &mut Notes::default()).await.unwrap();
        clock.advance(Duration::from_secs(61));
        session.renew(&fence).await.unwrap();
    }
    let until = fixture.value("SELECT expires_at FROM \"__MigrationsHistoryLock\"").await.unwrap();
    assert!(until.parse::<branchkeeper::domain::Time>().unwrap() > clock.now(), "renewed");
}

//! MySQL's connections that go from one look to the next.

use std::time::Duration;

use branchkeeper::domain::{Effect, SecretRef, Segment};
use branchkeeper::provider::{ErrorKind, Session, Spare, create};

use super::fixture::{Fixture, INIT_CONNECT, Notes, alone, claim, planned, soon, sql, work};
use crate::support::SESSIONS;

on_mysql!(
    a_look_goes_over_what_another_has_left,
    what_is_left_is_as_good_as_new_for_work,
    what_does_not_serve_is_not_used,
    a_look_sees_what_is_committed_then,
    work_leaves_nothing,
);

/// Two branches' databases on one server, and a user of their own, whom both use.
struct Pair {
    one: Fixture,
    other: Fixture,
    user: String,
}

impl Pair {
    async fn new(mut one: Fixture) -> Self {
        let mut other = Fixture::on(one.database().server).await;
        one.create().await;
        other.create().await;
        let name = one.database().name.clone();
        let user = format!("s{}", &name[name.len() - 8..]);
        one.value(&format!("CREATE USER {user}@'%' IDENTIFIED BY 'pw'")).await;
        let file = one.folder.path().join("user");
        std::fs::write(&file, "pw").unwrap();
        for fixture in [&mut one, &mut other] {
            fixture.value(&format!("GRANT ALL ON {}.* TO {user}@'%'", fixture.database().name)).await;
            fixture.server_mut().username = user.clone();
            fixture.server_mut().password_ref = Some(SecretRef::File(file.to_str().unwrap().into()));
        }
        for (fixture, id) in [(&one, "1_one"), (&other, "1_other")] {
            let (mut session, fence) = fixture.locked().await;
            let planned = planned(id, [sql("SELECT 1")]);
            session.run_atomic(&fence, &[work(&planned)], true, &soon(), &mut Notes::default()).await.unwrap();
            session.close().await;
        }
        Self { one, other, user }
    }

    async fn look(fixture: &Fixture, spare: Option<Spare>) -> (Session, Vec<String>) {
        let mut session = Session::connect_over(&fixture.endpoint(), &fixture.settings, spare).await.unwrap();
        let rows = session.ledger().await.unwrap().rows;
        (session, rows.into_iter().map(|row| row.id).collect())
    }

    /// What a look at the first branch has left.
    async fn spare(&self) -> Spare {
        let (session, ids) = Self::look(&self.one, None).await;
        assert_eq!(ids, ["1_one"]);
        session.leave().await.expect("a look leaves its connection")
    }

    /// The server's numbers of the user's sessions, once those that were closed are gone.
    async fn sessions(&self, count: usize) -> String {
        let text = format!("SELECT CAST(GROUP_CONCAT(id) AS CHAR) FROM {SESSIONS} WHERE user = '{}'", self.user);
        for _ in 0..200 {
            let found = self.one.value(&text).await.unwrap_or_default();
            if found.split(',').filter(|id| !id.is_empty()).count() == count {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("there are not {count} sessions")
    }

    async fn end(self) {
        self.one.value(&format!("DROP USER {}@'%'", self.user)).await;
    }
}

async fn a_look_goes_over_what_another_has_left(fixture: Fixture) {
    let pair = Pair::new(fixture).await;
    let mut spare = Some(pair.spare().await);
    let number = pair.sessions(1).await;
    for (fixture, id) in [(&pair.other, "1_other"), (&pair.one, "1_one"), (&pair.other, "1_other")] {
        let (session, ids) = Pair::look(fixture, spare.take()).await;
        assert_eq!(ids, [id]);
        spare = session.leave().await;
        assert!(spare.is_some());
    }
    assert_eq!(pair.sessions(1).await, number);
    spare.unwrap().close().await;
    pair.sessions(0).await;
    pair.end().await;
}

async fn what_is_left_is_as_good_as_new_for_work(fixture: Fixture) {
    let pair = Pair::new(fixture).await;
    let spare = pair.spare().await;
    let number = pair.sessions(1).await;
    let (mut session, ids) = Pair::look(&pair.other, Some(spare)).await;
    assert_eq!(ids, ["1_other"]);
    let fence = session.lock(&claim(2), Duration::ZERO, &soon()).await.unwrap();
    let made = alone("CREATE TABLE made (n bigint)", Effect::Idempotent);
    let two = planned("2_two", [made, sql("INSERT INTO made SELECT @@SESSION.autocommit + CONNECTION_ID()")]);
    let mut notes = Notes::default();
    session.run_segment(&fence, &work(&two), &Segment::Alone(0), false, &soon(), &mut notes).await.unwrap();
    session.run_segment(&fence, &work(&two), &Segment::Transaction(1..2), true, &soon(), &mut notes).await.unwrap();
    session.unlock(fence).await.unwrap();
    session.close().await;
    assert!(pair.other.has_table("made").await);
    assert!(!pair.one.has_table("made").await);
    let written = pair.other.value("SELECT CAST(n AS CHAR) FROM made").await.unwrap();
    assert_eq!(written.parse::<u64>().unwrap(), number.parse::<u64>().unwrap() + 1, "the same session, settled");
    assert!(pair.other.ledger().await.is_applied("2_two"));
    assert!(!pair.one.ledger().await.is_applied("2_two"));
    pair.end().await;
}

async fn what_does_not_serve_is_not_used(fixture: Fixture) {
    let mut pair = Pair::new(fixture).await;
    let connect = async |pair: &Pair, spare| {
        Session::connect_over(&pair.other.endpoint(), &pair.other.settings, Some(spare)).await
    };
    // Its session was ended on the server.
    let spare = pair.spare().await;
    pair.one.value(&format!("KILL {}", pair.sessions(1).await)).await;
    pair.sessions(0).await;
    let mut session = connect(&pair, spare).await.unwrap();
    assert!(session.ledger().await.unwrap().is_applied("1_other"));
    session.close().await;
    // The database is gone.
    let spare = pair.spare().await;
    let name = pair.other.database().name.clone();
    pair.other.server_mut().database = format!("{name}x");
    pair.one.value(&format!("GRANT ALL ON {name}x.* TO {}@'%'", pair.user)).await;
    let error = connect(&pair, spare).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::DatabaseMissing, "{error:?}");
    create(&pair.other.endpoint(), &pair.other.settings).await.unwrap();
    // It is there, and has no ledger yet.
    let mut session = connect(&pair, pair.spare().await).await.unwrap();
    assert!(!session.ledger().await.unwrap().exists);
    session.close().await;
    pair.one.value(&format!("DROP DATABASE {name}x")).await;
    // The user may not use it.
    pair.other.server_mut().database = "mysql".into();
    let error = connect(&pair, pair.spare().await).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Authentication, "{error:?}");
    // The password is another one, although the user's connection is open.
    pair.other.server_mut().database = name;
    let file = pair.other.folder.path().join("wrong");
    std::fs::write(&file, "wrong").unwrap();
    pair.other.server_mut().password_ref = Some(SecretRef::File(file.to_str().unwrap().into()));
    let error = connect(&pair, pair.spare().await).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Authentication, "{error:?}");
    pair.sessions(0).await;
    pair.end().await;
}

async fn a_look_sees_what_is_committed_then(fixture: Fixture) {
    let pair = Pair::new(fixture).await;
    let _alone = INIT_CONNECT.lock().await;
    // Not for administrators, as whom the other tests connect.
    let told = format!("SET autocommit = IF(CURRENT_USER() LIKE '{}@%', 0, 1)", pair.user);
    pair.one.value(&format!("SET GLOBAL init_connect = '{}'", told.replace('\'', "''"))).await;
    let mut spare = Some(pair.spare().await);
    let mut seen = Vec::new();
    for number in 2..5 {
        let copy = format!(
            "INSERT INTO __MigrationsHistory SELECT '{number}_more', checksum, format, state, statements_done, \
             statements_total, intent, applied_at, duration_us, product_version, run_id, {number}, fence \
             FROM __MigrationsHistory WHERE sequence = 1"
        );
        pair.other.value(&copy).await;
        let (session, ids) = Pair::look(&pair.other, spare.take()).await;
        seen.push(ids.len());
        spare = session.leave().await;
    }
    pair.one.value("SET GLOBAL init_connect = ''").await;
    assert_eq!(seen, [2, 3, 4]);
    spare.unwrap().close().await;
    pair.end().await;
}

async fn work_leaves_nothing(fixture: Fixture) {
    let pair = Pair::new(fixture).await;
    let (mut session, _) = Pair::look(&pair.one, None).await;
    session.tables().await.unwrap();
    assert!(session.leave().await.is_none());
    let (mut session, _) = Pair::look(&pair.one, None).await;
    let fence = session.lock(&claim(2), Duration::ZERO, &soon()).await.unwrap();
    session.unlock(fence).await.unwrap();
    assert!(session.leave().await.is_none());
    pair.sessions(0).await;
    pair.end().await;
}

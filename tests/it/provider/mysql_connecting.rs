//! Connections to MySQL and MariaDB: users, full servers, encryption, and servers of another kind.

use std::time::Duration;

use branchkeeper::domain::{SecretRef, SslMode};
use branchkeeper::provider::{ErrorKind, Session, Settings, create, test};
use tokio::net::TcpListener;

use super::fixture::{Fixture, INIT_CONNECT, Notes, planned, soon, sql, work};

on_mysql!(
    users_databases_and_hosts_that_do_not_fit_are_told_apart,
    a_full_server_is_asked_again,
    what_a_server_tells_new_sessions_does_not_garble_the_ledger,
    foreign_replies_are_refused,
    the_version_names_the_product,
);

/// A user who may use the fixture's database only; the fixture connects as this user from now on.
struct Account(String);

impl Account {
    async fn of(fixture: &mut Fixture, limits: &str) -> Self {
        fixture.create().await;
        let name = fixture.database().name.clone();
        let user = format!("u{}", &name[name.len() - 8..]);
        let (file, password) = (fixture.folder.path().join("user"), "s3cret x");
        std::fs::write(&file, password).unwrap();
        fixture.value(&format!("CREATE USER {user}@'%' IDENTIFIED BY '{password}' {limits}")).await;
        fixture.value(&format!("GRANT ALL ON {name}.* TO {user}@'%'")).await;
        fixture.server_mut().username = user.clone();
        fixture.server_mut().password_ref = Some(SecretRef::File(file.to_str().unwrap().into()));
        Self(user)
    }

    async fn drop(self, fixture: &Fixture) {
        fixture.value(&format!("DROP USER {}@'%'", self.0)).await;
    }
}

async fn users_databases_and_hosts_that_do_not_fit_are_told_apart(mut fixture: Fixture) {
    let good = fixture.connection.clone();
    fixture.server_mut().username = "nobody_at_all".into();
    let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Authentication, "{error:?}");
    assert!(!test(&fixture.endpoint(), &fixture.settings).await.reachable);
    fixture.connection = good.clone();
    fixture.server_mut().port = Some(1);
    let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error:?}");

    // Somebody who may use one database only.
    fixture.connection = good;
    let server = fixture.database().server;
    let account = Account::of(&mut fixture, "").await;
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [sql("SELECT 1")]);
    session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap();
    session.close().await;
    fixture.server_mut().database = server.unique_name();
    for error in [
        Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap(),
        create(&fixture.endpoint(), &fixture.settings).await.unwrap_err(),
    ] {
        assert!(matches!(error.kind, ErrorKind::Authentication | ErrorKind::Sql), "{error:?}");
        assert!(error.hint.contains(&account.0), "{error:?}");
    }
    account.drop(&fixture).await;
}

async fn what_a_server_tells_new_sessions_does_not_garble_the_ledger(mut fixture: Fixture) {
    let account = Account::of(&mut fixture, "").await;
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_one", [sql("SELECT 1")]);
    session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap();
    session.close().await;
    fixture.value("UPDATE \"__MigrationsHistory\" SET migration_id = '1_Größe_Ж'").await;

    let _alone = INIT_CONNECT.lock().await;
    // Not for administrators, as whom the other tests connect.
    let user = &account.0;
    let told = format!("SET character_set_results = IF(CURRENT_USER() LIKE '{user}@%', 'latin1', 'utf8mb4')");
    fixture.value(&format!("SET GLOBAL init_connect = '{}'", told.replace('\'', "''"))).await;
    let mut session = Session::connect(&fixture.endpoint(), &fixture.settings).await.unwrap();
    let first = session.ledger().await.unwrap();
    let again = session.ledger().await.unwrap();
    // The session has its own settings since something else was asked.
    session.tables().await.unwrap();
    let settled = session.ledger().await.unwrap();
    fixture.value("SET GLOBAL init_connect = ''").await;
    for ledger in [first, again, settled] {
        assert!(ledger.is_applied("1_Größe_Ж"), "{ledger:?}");
    }
    account.drop(&fixture).await;
}

async fn a_full_server_is_asked_again(mut fixture: Fixture) {
    let account = Account::of(&mut fixture, "WITH MAX_USER_CONNECTIONS 1").await;
    let first = Session::connect(&fixture.endpoint(), &fixture.settings).await.unwrap();
    let brief = Settings { connect_timeout: Duration::from_secs(1), ..fixture.settings.clone() };
    let error = Session::connect(&fixture.endpoint(), &brief).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Busy, "{error:?}");
    assert!(!error.counts());
    let (endpoint, later) = (fixture.endpoint(), async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        first.close().await;
    });
    let (second, ()) = tokio::join!(Session::connect(&endpoint, &fixture.settings), later);
    second.unwrap().close().await;
    account.drop(&fixture).await;
}

async fn foreign_replies_are_refused(mut fixture: Fixture) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    fixture.server_mut().host = "127.0.0.1".into();
    fixture.server_mut().port = Some(listener.local_addr().unwrap().port());
    fixture.settings.connect_timeout = Duration::from_millis(500);
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            if kept.is_empty() {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"SSH-2.0-not a database\r\n").await;
            }
            kept.push(stream);
        }
    });
    for _ in 0..2 {
        let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap();
        assert_eq!(error.kind, ErrorKind::Unreachable, "{error:?}");
    }
}

async fn the_version_names_the_product(fixture: Fixture) {
    let version = fixture.session().await.server_version().await.unwrap();
    let product = fixture.product().unwrap().name();
    assert!(version.starts_with(&format!("{product} ")), "{version}");
}

#[tokio::test]
async fn a_password_that_needs_encryption_says_so() {
    let Some(mut fixture) = Fixture::mysql().await else { return };
    let account = Account::of(&mut fixture, "").await;
    fixture.server_mut().ssl_mode = SslMode::Disable;
    let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Authentication, "{error:?}");
    assert!(error.hint.contains("TLS"), "{error:?}");
    fixture.server_mut().ssl_mode = SslMode::Require;
    Session::connect(&fixture.endpoint(), &fixture.settings).await.unwrap().close().await;
    fixture.server_mut().ssl_mode = SslMode::VerifyFull;
    let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unreachable, "an unknown authority: {error:?}");
    assert!(error.hint.contains("ssl_ca_file"), "{error:?}");
    account.drop(&fixture).await;
}

#[tokio::test]
async fn a_server_without_encryption_is_refused_where_it_is_required() {
    let Some(mut fixture) = Fixture::mariadb().await else { return };
    fixture.server_mut().ssl_mode = SslMode::Require;
    let connected = Session::connect(&fixture.endpoint(), &fixture.settings).await;
    let error = connected.err().unwrap();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error:?}");
    assert!(error.hint.contains("TLS"), "{error:?}");
}

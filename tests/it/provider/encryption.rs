//! Connections that are encrypted, to servers whose certificate is good, for another host, or of another authority.

use branchkeeper::domain::SslMode;
use branchkeeper::provider::{ErrorKind, Session};

use super::fixture::{Fixture, Notes, planned, soon, sql, work};
use crate::support::{Authority, Product, encrypted};

#[tokio::test]
async fn postgres_is_verified_as_asked() {
    a_server_is_verified_as_asked(Product::Postgres).await;
}

#[tokio::test]
async fn mariadb_is_verified_as_asked() {
    a_server_is_verified_as_asked(Product::MariaDb).await;
}

#[tokio::test]
async fn mysql_is_verified_as_asked() {
    a_server_is_verified_as_asked(Product::MySql).await;
}

async fn a_server_is_verified_as_asked(product: Product) {
    let (authority, stranger) = (Authority::new(), Authority::new());
    // Not for 127.0.0.1, so that the address is another host than the name.
    let Some(server) = encrypted(product, authority.issue_for("database", &["localhost"])).await else { return };
    let mut fixture = Fixture::on(server).await;
    let file = |name: &str, text: &str| {
        let path = fixture.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path.to_str().unwrap().to_owned())
    };
    let (ours, theirs) = (file("ours.pem", &authority.pem), file("theirs.pem", &stranger.pem));
    let cases = [
        (SslMode::Require, "127.0.0.1", &None, true),
        (SslMode::VerifyCa, "127.0.0.1", &ours, true),
        (SslMode::VerifyFull, "localhost", &ours, true),
        (SslMode::VerifyFull, "127.0.0.1", &ours, false),
        (SslMode::VerifyCa, "localhost", &theirs, false),
        (SslMode::VerifyFull, "localhost", &theirs, false),
    ];
    for (number, (mode, host, authority, good)) in cases.into_iter().enumerate() {
        let what = format!("{mode:?} of {host}, {authority:?}");
        let place = fixture.server_mut();
        (place.ssl_mode, place.host, place.ssl_ca_file) = (mode, host.into(), authority.clone().unwrap_or_default());
        if !good {
            let error = Session::connect(&fixture.endpoint(), &fixture.settings).await.err().expect(&what);
            assert_eq!(error.kind, ErrorKind::Unreachable, "{what}: {error:?}");
            assert!(error.hint.contains("ssl_"), "{what}: {error:?}");
            continue;
        }
        // The migration itself tells whether its session is encrypted.
        let (table, marks) = (format!("t{number}"), fixture.is_mysql());
        let seen = match marks {
            true => {
                "SELECT VARIABLE_VALUE AS cipher FROM performance_schema.session_status \
                     WHERE VARIABLE_NAME = 'Ssl_cipher'"
            }
            false => "SELECT cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
        };
        let seen =
            if product == Product::MariaDb { &seen.replace("performance_schema", "information_schema") } else { seen };
        let (mut session, fence) = fixture.locked().await;
        fixture.value(&format!("CREATE TABLE {table} (cipher varchar(100))")).await;
        let one = planned(&format!("{}_one", number + 1), [sql(&format!("INSERT INTO {table} {seen}"))]);
        session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await.unwrap();
        session.unlock(fence).await.unwrap();
        session.close().await;
        let cipher = fixture.value(&format!("SELECT cipher FROM {table}")).await;
        assert!(cipher.is_some_and(|cipher| cipher.contains("AES") || cipher.contains("CHACHA")), "{what}");
    }
}

//! Passwords that head office stores.

use branchkeeper::rpc::proto as pb;
use pb::connection::Kind;
use tonic::Code;

use super::kit::{cli, text, write};
use crate::support::{Station, postgres, refused, server_branch};

const PASSWORD: &str = "pass-hunter2-word";

/// A service that may store passwords, with this key and these earlier ones.
fn keyed(station: &mut Station, current: u8, earlier: &[u8]) {
    let folder = station.migrations_folder().parent().unwrap().to_owned();
    let place = |byte: &u8| {
        let file = write(&folder, &format!("{byte}.key"), &format!("{byte:02x}").repeat(32));
        format!("file:{}", file.display())
    };
    station.set("SECRETS__KEY_REF", &place(&current));
    station.set("SECRETS__OLD_KEY_REFS", &earlier.iter().map(place).collect::<Vec<_>>().join(","));
}

fn keyed_station() -> Station {
    let mut station = Station::new();
    station.migration("1_One.sql", "CREATE TABLE One (n INTEGER);\n");
    station.set("AUTO_MIGRATE__ENABLED", "false");
    keyed(&mut station, 1, &[]);
    station
}

fn server(branch: &mut pb::Branch) -> &mut pb::ServerConnection {
    match branch.connection.as_mut().unwrap().kind.as_mut().unwrap() {
        Kind::Server(server) => server,
        Kind::Sqlite(_) => panic!("a server was expected"),
    }
}

/// An inactive branch that leads nowhere, with a password.
fn nowhere(code: &str) -> pb::Branch {
    let connection = pb::ServerConnection {
        host: "127.0.0.1".into(),
        port: 1,
        database: format!("db_{code}"),
        username: "keeper".into(),
        password: PASSWORD.into(),
        ..Default::default()
    };
    pb::Branch {
        code: code.into(),
        provider: pb::Provider::Postgres.into(),
        connection: Some(pb::Connection { kind: Some(Kind::Server(connection)) }),
        is_active: Some(false),
        ..Default::default()
    }
}

async fn update(station: &Station, value: pb::Branch) -> Result<pb::Branch, tonic::Status> {
    let update_mask = Some(prost_types::FieldMask { paths: vec!["connection".into()] });
    let request = pb::UpdateBranchRequest { branch: value.code.clone(), value: Some(value), update_mask };
    Ok(station.branches().await.update_branch(request).await?.into_inner().branch.unwrap())
}

async fn tried(station: &Station, code: &str) -> pb::TestConnectionResponse {
    let target = Some(pb::test_connection_request::Target::Branch(code.into()));
    let request = pb::TestConnectionRequest { target, provider: 0 };
    station.branches().await.test_connection(request).await.unwrap().into_inner()
}

async fn rekey(station: &Station) -> Result<pb::RekeyResponse, tonic::Status> {
    Ok(station.branches().await.rekey(pb::RekeyRequest {}).await?.into_inner())
}

/// Everything in head office's files.
fn kept(station: &Station) -> String {
    let files = std::fs::read_dir(station.data_folder()).unwrap().flatten().filter(|entry| entry.path().is_file());
    files.map(|entry| text(&std::fs::read(entry.path()).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_password_opens_its_branch() {
    let postgres = postgres().await;
    let database = postgres.fresh_database().await;
    let mut station = keyed_station();
    station.start().await;
    let mut branch = server_branch("BR001", postgres, &database.name, "");
    server(&mut branch).password = postgres.password.clone();
    let mut shown = station.register(branch.clone()).await;
    let seen = server(&mut shown);
    assert_eq!((seen.password.as_str(), seen.has_password), ("", Some(true)));
    let apply = pb::ApplyRequest { branch: "BR001".into(), ..Default::default() };
    let applied = station.migrations().await.apply(apply).await.unwrap().into_inner();
    assert!(applied.result.as_ref().unwrap().success, "{applied:?}");

    // Another one takes its place, and what is sent back as it was shown leaves it alone.
    server(&mut branch).password = PASSWORD.into();
    let mut shown = update(&station, branch.clone()).await.unwrap();
    server(&mut shown).schema = "public".into();
    let mut shown = update(&station, shown).await.unwrap();
    assert_eq!(server(&mut shown).has_password, Some(true));
    let target = branch.connection.clone().map(pb::test_connection_request::Target::Connection);
    let request = pb::TestConnectionRequest { target, provider: branch.provider };
    let wrong = station.branches().await.test_connection(request).await.unwrap().into_inner();
    assert_eq!((wrong.reachable, tried(&station, "BR001").await.reachable), (false, false), "{wrong:?}");
    assert!(!wrong.hint.contains("password_ref"), "{wrong:?}");
    server(&mut branch).password = postgres.password.clone();
    update(&station, branch).await.unwrap();
    assert!(tried(&station, "BR001").await.reachable);

    // A reference takes a stored one's place, and false takes it away.
    let mut referred = shown.clone();
    server(&mut referred).password_ref = "env:NOWHERE".into();
    let mut referred = update(&station, referred).await.unwrap();
    assert_eq!(server(&mut referred).has_password, Some(false));
    assert!(tried(&station, "BR001").await.message.contains("NOWHERE"));
    station.register(nowhere("BR002")).await;
    let mut without = nowhere("BR002");
    server(&mut without).password.clear();
    server(&mut without).has_password = Some(false);
    assert_eq!(server(&mut update(&station, without).await.unwrap()).has_password, Some(false));
    assert!(!kept(&station).contains(PASSWORD) && !station.log().contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_password_is_not_sent_elsewhere() {
    let mut station = keyed_station();
    station.start().await;
    let mut before = station.register(nowhere("BR001")).await;
    let changes: [fn(&mut pb::ServerConnection); 6] = [
        |server| server.host = "evil.example".into(),
        |server| server.port = 2,
        |server| server.username = "other".into(),
        |server| server.ssl_mode = pb::SslMode::Disable.into(),
        |server| server.ssl_ca_file = "/evil.pem".into(),
        |server| server.has_password = None,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut changed = before.clone();
        change(server(&mut changed));
        let result = update(&station, changed.clone()).await;
        if number == 5 {
            // Nothing but the word that there is a password: that is no change.
            result.unwrap();
            continue;
        }
        let status = result.as_ref().unwrap_err();
        assert!(status.message().contains("value.connection.server.password must be given again"), "{status:?}");
        refused(result, Code::InvalidArgument, "INVALID_REQUEST");
        server(&mut changed).password = PASSWORD.into();
        update(&station, changed).await.unwrap();
        // Back again.
        server(&mut before).password = PASSWORD.into();
        before = update(&station, before).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_key_a_password_is_not_to_be_had() {
    let mut station = keyed_station();
    station.start().await;
    station.register(nowhere("BR001")).await;
    assert!(station.stop().success());
    keyed(&mut station, 2, &[]);
    station.start().await;
    let found = tried(&station, "BR001").await;
    assert!(!found.reachable && found.message.contains("'BR001'") && found.message.contains("with key "), "{found:?}");
    assert!(found.hint.contains("secrets.old_key_refs"), "{found:?}");
    let apply = pb::ApplyRequest { branch: "BR001".into(), ..Default::default() };
    let result = station.migrations().await.apply(apply).await.unwrap().into_inner().result.unwrap();
    assert_eq!(result.errors[0].class(), pb::FailureClass::Authentication);
    let done = rekey(&station).await.unwrap();
    assert_eq!((done.rewritten, done.unreadable, done.unreadable_branches), (0, 1, vec!["BR001".to_owned()]));
    let output = cli(&station.url(), None, "rekey");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("BR001"), "{output:?}");
    // A service without a key stores none, and encrypts none anew.
    assert!(station.stop().success());
    station.set("SECRETS__KEY_REF", "");
    station.start().await;
    refused(rekey(&station).await, Code::FailedPrecondition, "SECRETS_KEY_MISSING");
    let request = pb::CreateBranchRequest { branch: Some(nowhere("BR002")) };
    let status = station.branches().await.create_branch(request).await.unwrap_err();
    assert!(status.message().contains("secrets.key_ref") && status.message().contains("password_ref"), "{status:?}");
    assert!(!format!("{status:?}").contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rekeying_goes_on_where_it_was_killed() {
    const BRANCHES: u64 = 120;
    let mut station = keyed_station();
    station.start().await;
    for number in 0..BRANCHES {
        station.register(nowhere(&format!("BR{number}"))).await;
    }
    assert!(station.stop().success());
    keyed(&mut station, 2, &[1]);
    station.start().await;
    let mut branches = station.branches().await;
    let asked = tokio::spawn(async move { branches.rekey(pb::RekeyRequest {}).await });
    // At whatever moment this is.
    tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    station.kill();
    let _ = asked.await;
    station.start().await;
    station.register(nowhere("NEW")).await;
    let done = rekey(&station).await.unwrap();
    assert_eq!((done.rewritten + done.current, done.unreadable, done.overtaken), (BRANCHES + 1, 0, 0), "{done:?}");
    assert!(done.current >= 1, "{done:?}");
    let again = rekey(&station).await.unwrap();
    assert_eq!((again.rewritten, again.current, &again.key_id), (0, BRANCHES + 1, &done.key_id));
    let output = cli(&station.url(), None, "rekey --output json");
    assert!(output.status.success() && text(&output.stdout).contains(&done.key_id), "{output:?}");
    // The earlier key is not needed any more: what fails now is the connection, not the password.
    assert!(station.stop().success());
    keyed(&mut station, 2, &[]);
    station.start().await;
    for code in ["BR0", "BR119", "NEW"] {
        let found = tried(&station, code).await;
        assert!(found.message.contains("can't be reached"), "{found:?}");
    }
    assert!(station.stop().success());
    assert!(!kept(&station).contains(PASSWORD) && !station.log().contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_reads_a_password_from_a_file() {
    let mut station = keyed_station();
    station.start().await;
    let file = write(station.migrations_folder().parent().unwrap(), "pw", &format!("{PASSWORD}\n"));
    let flags = "--provider postgres --host 127.0.0.1 --port 1 --database d --user u";
    let add = format!("branch add BR001 {flags} --password-file {}", file.display());
    let added = cli(&station.url(), None, &add);
    assert!(added.status.success(), "{added:?}");
    let shown = text(&cli(&station.url(), None, "branch show BR001").stdout);
    assert!(shown.contains("head office, encrypted") && !shown.contains(PASSWORD), "{shown}");
    assert!(cli(&station.url(), None, "branch update BR001 --database e").status.success());
    let moved = cli(&station.url(), None, "branch update BR001 --host 127.0.0.2");
    assert_eq!(moved.status.code(), Some(3), "{moved:?}");
    assert!(cli(&station.url(), None, "branch update BR001 --password-ref env:P").status.success());
    let shown = text(&cli(&station.url(), None, "branch show BR001").stdout);
    assert!(shown.contains("env:P") && !shown.contains("encrypted"), "{shown}");
}

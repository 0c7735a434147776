//! The helpers themselves.

use sqlx::{Executor, Row};

use crate::support::{Program, Station, pb, postgres, sqlite_branch};

#[tokio::test]
async fn every_test_has_a_database_of_its_own() {
    let server = postgres().await;
    let (one, two) = (server.fresh_database().await, server.fresh_database().await);
    assert_ne!(one.name, two.name);
    let mut connection = one.connect().await;
    connection.execute("CREATE TABLE t (a int)").await.unwrap();
    let row = connection.fetch_one("SELECT current_database()").await.unwrap();
    assert_eq!(row.get::<String, _>(0), one.name);
    assert!(two.connect().await.execute("SELECT * FROM t").await.is_err());

    let name = one.name.clone();
    drop(one);
    let query = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(name);
    assert!(query.fetch_optional(&mut two.connect().await).await.unwrap().is_none());
}

const PLANTED: &str = "planted \"secret\" 9f8e";

/// A service that knows the planted secret by a variable.
async fn confidant() -> Station {
    let mut station = Station::new();
    station.variable("BRANCH_PASSWORD", PLANTED);
    station.migration("1_One.sql", "CREATE TABLE One (n INTEGER);\n");
    station.start().await;
    station
}

#[tokio::test]
async fn a_service_that_keeps_its_secrets_is_found_to() {
    let station = confidant().await;
    station.register(sqlite_branch("BR001")).await;
    assert_eq!(station.watch().look(), None);
}

#[tokio::test]
#[should_panic(expected = "BRANCH_PASSWORD was emitted in")]
async fn a_secret_in_the_log_is_found() {
    let station = confidant().await;
    // As a log line has it.
    let line = serde_json::json!({ "message": format!("connecting with {PLANTED}") }).to_string();
    std::fs::write(station.data_folder().with_file_name("service.log"), line).unwrap();
}

#[tokio::test]
#[should_panic(expected = "BRANCH_PASSWORD was emitted in")]
async fn a_secret_in_a_file_of_the_service_is_found() {
    let station = confidant().await;
    let folder = station.data_folder().join("branches/BR001");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("note"), format!("\0\u{1}{PLANTED}\0")).unwrap();
}

#[tokio::test]
#[should_panic(expected = "BRANCH_PASSWORD was emitted in an answer")]
async fn a_secret_in_a_message_is_found() {
    let mut station = confidant().await;
    station.register(pb::Branch { name: PLANTED.into(), ..sqlite_branch("BR001") }).await;
    // Only the answer is to be found, not what is kept.
    station.kill();
    std::fs::remove_dir_all(station.data_folder()).unwrap();
}

#[tokio::test]
#[should_panic(expected = "a caller's token was emitted in an answer")]
async fn a_token_in_a_status_is_found() {
    let mut station = Station::new();
    station.migration("1_One.sql", "CREATE TABLE One (n INTEGER);\n");
    station.start().await;
    let mut request = tonic::Request::new(pb::GetBranchRequest { branch: "BR-NOBODY-7f3a".into() });
    request.metadata_mut().insert("authorization", "Bearer BR-NOBODY-7f3a".parse().unwrap());
    station.branches().await.get_branch(request).await.unwrap_err();
    // Only the answer is to be found, not what is logged.
    station.kill();
    std::fs::remove_file(station.data_folder().with_file_name("service.log")).unwrap();
}

#[tokio::test]
#[should_panic(expected = "a branch's password was emitted in")]
async fn a_password_that_was_sent_is_known() {
    let station = confidant().await;
    let server = pb::ServerConnection {
        host: "127.0.0.1".into(),
        port: 1,
        database: "d".into(),
        username: "u".into(),
        password: "sent-in-confidence".into(),
        ..pb::ServerConnection::default()
    };
    let branch = pb::Branch {
        provider: pb::Provider::Postgres.into(),
        connection: Some(pb::Connection { kind: Some(pb::connection::Kind::Server(server)) }),
        ..sqlite_branch("BR001")
    };
    // Without a key to encrypt it with, it is refused; it is a secret all the same.
    station.branches().await.create_branch(pb::CreateBranchRequest { branch: Some(branch) }).await.unwrap_err();
    std::fs::write(station.data_folder().with_file_name("service.log"), "sent-in-confidence").unwrap();
}

#[tokio::test]
#[should_panic(expected = "BRANCH_PASSWORD was emitted in head office's table public.branches")]
async fn a_secret_in_a_head_office_on_postgresql_is_found() {
    let database = postgres().await.fresh_database().await;
    let mut station = Station::new();
    station.set("HEAD_OFFICE__URL", &database.url());
    station.variable("BRANCH_PASSWORD", PLANTED);
    station.migration("1_One.sql", "CREATE TABLE One (n INTEGER);\n");
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    let plant = sqlx::query("UPDATE branches SET name = $1").bind(PLANTED);
    plant.execute(&mut database.connect().await).await.unwrap();
}

#[tokio::test]
#[should_panic(expected = "the password of PostgreSQL was emitted in head office's table public.note")]
async fn a_secret_among_the_bytes_of_a_head_office_is_found() {
    let database = postgres().await.fresh_database().await;
    let url = database.head_office_url();
    let location = branchkeeper::store::Location::Postgres(url);
    let clock = std::sync::Arc::new(branchkeeper::domain::SystemClock);
    branchkeeper::store::HeadOffice::open(&location, clock).await.unwrap().close().await;
    let mut connection = database.connect().await;
    connection.execute("CREATE TABLE note (text bytea)").await.unwrap();
    let note = format!("\u{1}{}\u{2}", database.server.password).into_bytes();
    sqlx::query("INSERT INTO note VALUES ($1)").bind(note).execute(&mut connection).await.unwrap();
}

#[tokio::test]
#[should_panic(expected = "BRANCHKEEPER_TOKEN was emitted by the command line")]
async fn a_token_that_the_command_line_says_is_found() {
    Program::new(["planted-7c41"]).variable("BRANCHKEEPER_TOKEN", "planted-7c41").run();
}

#[tokio::test]
#[should_panic(expected = "BRANCH_PASSWORD was emitted in an answer")]
async fn a_secret_of_the_service_that_the_command_line_says_is_found() {
    let station = confidant().await;
    Program::new(["--server", &station.url(), "status", "planted \"secret\" 9f8e"]).run();
}

#[tokio::test]
#[should_panic(expected = "an API token was emitted")]
async fn a_new_token_is_shown_once() {
    let station = Station::new();
    let create =
        Program::new(["token", "create", "ann", "--role", "viewer", "--data"]).arg(station.data_folder()).run();
    assert!(create.status.success(), "{create:?}");
    let token = String::from_utf8(create.stdout).unwrap();
    Program::new(["status", token.trim(), "--server", &station.url()]).run();
}

#[tokio::test]
#[should_panic(expected = "nobody has looked at what the program said")]
async fn a_program_to_which_nobody_listens_is_found() {
    drop(Program::new(["--version"]).into_parts(""));
}

#[tokio::test]
#[should_panic(expected = "BRANCH_PASSWORD was emitted in an answer")]
async fn a_secret_that_comes_over_a_bare_connection_is_found() {
    let station = confidant().await;
    let (mut near, far) = tokio::io::duplex(1000);
    let mut heard = station.overhear(far);
    tokio::io::AsyncWriteExt::write_all(&mut near, format!("HTTP/1.1 200\r\n\r\n{PLANTED}").as_bytes()).await.unwrap();
    drop(near);
    tokio::io::AsyncReadExt::read_to_end(&mut heard, &mut Vec::new()).await.unwrap();
}

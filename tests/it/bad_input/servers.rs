use std::time::{Duration, Instant};

use sqlx::Executor;
use tonic::Code;

use super::{FIRST, only_error};
use crate::support::{
    Server, Station, apply, details, outcome, pb, postgres, refused, server_branch, sqlite_branch, status_of,
};

async fn tested(station: &Station, branch: &str) -> pb::TestConnectionResponse {
    let target = Some(pb::test_connection_request::Target::Branch(branch.into()));
    let request = pb::TestConnectionRequest { target, provider: 0 };
    station.branches().await.test_connection(request).await.unwrap().into_inner()
}

async fn exists(server: &Server, database: &str) -> bool {
    let mut connection = server.connect_to("postgres").await;
    let found = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(database);
    found.fetch_optional(&mut connection).await.unwrap().is_some()
}

fn change(branch: &mut pb::Branch, change: impl FnOnce(&mut pb::ServerConnection)) {
    match &mut branch.connection.as_mut().unwrap().kind {
        Some(pb::connection::Kind::Server(server)) => change(server),
        other => panic!("{other:?}"),
    }
}

/// What a server that does not let anybody in looks like from all sides: the test, questions, and Apply.
async fn is_kept_out(station: &Station, code: &str, class: pb::FailureClass, asked: Code, told: &str) {
    let test = tested(station, code).await;
    assert!(!test.reachable && !test.database_exists && !test.hint.is_empty(), "{test:?}");
    assert!(test.message.contains(told), "{told}: {test:?}");
    let mut client = station.migrations().await;
    let pending = client.pending(pb::PendingRequest { branch: code.into() }).await;
    let status = refused(pending, asked, "BRANCH_UNAVAILABLE");
    assert!(status.message().contains(told), "{status:?}");
    assert_eq!(details(&status).error_info().unwrap().metadata["branch"], code);
    assert_eq!(status_of(station, code).await.retry_count, 0, "asking counts as nothing");
    let error = only_error(&outcome(station, code).await);
    assert_eq!(error.class(), class, "{error:?}");
    assert!(error.message.contains(told), "{told}: {error:?}");
    let state = status_of(station, code).await;
    assert_eq!((state.status(), state.retry_count, state.is_locked), (pb::MigrationStatus::Failed, 1, false));
    assert_eq!(state.failure_class(), class);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_host_is_named_with_what_to_check() {
    let server = postgres().await;
    let mut station = Station::new();
    station.set("MIGRATION__CONNECT_TIMEOUT", "1s");
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    let mut closed = server_branch("BR001", server, "shop", "");
    change(&mut closed, |server| server.port = 1);
    station.register(closed).await;
    let mut nowhere = server_branch("BR002", server, "shop", "");
    change(&mut nowhere, |server| server.host = "no-such-host.invalid".into());
    station.register(nowhere).await;
    // A peer that takes connections and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut mute = server_branch("BR003", server, "shop", "");
    change(&mut mute, |server| server.port = silent.local_addr().unwrap().port().into());
    station.register(mute).await;
    let begun = Instant::now();
    let connection = pb::FailureClass::Connection;
    is_kept_out(&station, "BR001", connection, Code::Unavailable, "127.0.0.1:1 ").await;
    is_kept_out(&station, "BR002", connection, Code::Unavailable, "no-such-host.invalid:").await;
    is_kept_out(&station, "BR003", connection, Code::Unavailable, "did not answer within 1 s").await;
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_without_being_shown() {
    let server = postgres().await;
    let role = server.unique_name();
    let create = format!("CREATE ROLE {role} LOGIN PASSWORD 'the-right-one'");
    server.connect_to("postgres").await.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
    let mut station = Station::new();
    station.variable("WRONG_PASSWORD", "hunter2-is-wrong");
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    let database = server.unique_name();
    for (code, reference) in [
        ("BR001", "env:WRONG_PASSWORD"),
        ("BR002", ""),
        ("BR003", "env:BRANCHKEEPER_NO_SUCH_VARIABLE"),
        ("BR004", "file:/nonexistent/password"),
    ] {
        let mut branch = server_branch(code, server, &format!("{database}{code}").to_lowercase(), reference);
        change(&mut branch, |server| server.username = role.clone());
        station.register(branch).await;
    }
    let refused = pb::FailureClass::Authentication;
    is_kept_out(&station, "BR001", refused, Code::FailedPrecondition, &role).await;
    is_kept_out(&station, "BR003", refused, Code::FailedPrecondition, "BRANCHKEEPER_NO_SUCH_VARIABLE").await;
    is_kept_out(&station, "BR004", refused, Code::FailedPrecondition, "/nonexistent/password").await;
    let error = only_error(&outcome(&station, "BR002").await);
    assert!(error.hint.contains("password_ref"), "{error:?}");
    for code in ["br001", "br002", "br003", "br004"] {
        assert!(!exists(server, &format!("{database}{code}")).await);
    }
    assert!(!station.log().contains("hunter2"), "the log shows the password");
    let drop = format!("DROP ROLE {role}");
    server.connect_to("postgres").await.execute(sqlx::AssertSqlSafe(drop)).await.unwrap();
}

/// Also: a database that cannot be created says why, and what to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_privilege_is_named_with_what_to_grant() {
    let server = postgres().await;
    let role = server.unique_name();
    let create = format!("CREATE ROLE {role} LOGIN PASSWORD 'the-right-one'");
    server.connect_to("postgres").await.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
    let database = server.fresh_database().await;
    let mut station = Station::new();
    station.variable("BRANCH_PASSWORD", "the-right-one");
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    let missing = server.unique_name();
    for (code, database) in [("BR001", &missing), ("BR002", &database.name)] {
        let mut branch = server_branch(code, server, database, "env:BRANCH_PASSWORD");
        change(&mut branch, |server| server.username = role.clone());
        station.register(branch).await;
    }
    let error = only_error(&outcome(&station, "BR001").await);
    assert!(error.message.contains(&missing) && error.hint.contains(&role), "{error:?}");
    let error = only_error(&outcome(&station, "BR002").await);
    assert_eq!(error.provider_code, "42501", "{error:?}");
    assert!(error.hint.contains(&role), "{error:?}");
    assert!(!exists(server, &missing).await);
    assert!(!station.log().contains("the-right-one"));
    drop(station);
    let drop = format!("DROP ROLE {role}");
    server.connect_to("postgres").await.execute(sqlx::AssertSqlSafe(drop)).await.unwrap();
}

/// Passwords stay where they are kept: in no answer, event, log line or file of the service.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_in_no_answer_event_log_or_file() {
    let server = postgres().await;
    if server.password.is_empty() {
        println!("skipped: the server that was given to the tests has no password");
        return;
    }
    let database = server.fresh_database().await;
    let head_office = server.fresh_database().await;
    let mut station = Station::new();
    station.variable("BRANCH_PASSWORD", &server.password);
    station.set("HEAD_OFFICE__URL", &head_office.url());
    station.set("LOG__LEVEL", "trace");
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    let mut seen = String::new();
    let mut note = |text: String| seen.push_str(&text);
    let branch = server_branch("BR001", server, &database.name, "env:BRANCH_PASSWORD");
    note(format!("{:?}", station.register(branch).await));
    note(format!("{:?}", tested(&station, "BR001").await));
    let applied = apply(&station, "BR001").await.unwrap();
    note(format!("{:?}", crate::support::watch(&station, &applied.run_id, 0).await));
    note(format!("{applied:?}"));
    let broken = format!("SELECT '{0}' FROM nowhere_{0}", "x");
    station.migration("2_Broken.sql", &broken);
    note(format!("{:?}", apply(&station, "BR001").await));
    station.register(sqlite_branch("BR002")).await;
    let list = pb::ListBranchesRequest::default();
    note(format!("{:?}", station.branches().await.list_branches(list).await));
    note(format!("{:?}", status_of(&station, "BR001").await));
    let history = pb::HistoryRequest { branch: "BR001".into() };
    note(format!("{:?}", station.migrations().await.history(history).await));
    assert!(seen.contains("env:BRANCH_PASSWORD"), "the reference is shown");
    assert!(!seen.contains(&server.password), "an answer shows the password");
    assert!(station.stop().success());
    let log = station.log();
    assert!(log.contains("BR001") && !log.contains(&server.password), "the log shows the password");
    let mut files = std::collections::BTreeMap::new();
    super::read_files(&station.data_folder(), &mut files);
    let secret = server.password.as_bytes();
    let holds = |bytes: &Vec<u8>| bytes.windows(secret.len()).any(|window| window == secret);
    assert!(!files.values().any(holds), "a file holds the password");
}

use super::*;
use crate::domain::SecretRef;

fn fields<T>(result: Result<T, Violations>) -> Vec<String> {
    result.err().unwrap_or_default().0.into_iter().map(|violation| violation.field).collect()
}

fn server() -> proto::ServerConnection {
    proto::ServerConnection {
        host: "db.example".into(),
        database: "shop".into(),
        username: "keeper".into(),
        ..Default::default()
    }
}

fn over(server: proto::ServerConnection) -> Option<proto::Connection> {
    Some(proto::Connection { kind: Some(proto::connection::Kind::Server(server)) })
}

fn file(path: &str) -> Option<proto::Connection> {
    let sqlite = proto::SqliteConnection { path: path.into() };
    Some(proto::Connection { kind: Some(proto::connection::Kind::Sqlite(sqlite)) })
}

fn branch(provider: proto::Provider, connection: Option<proto::Connection>) -> proto::Branch {
    proto::Branch { code: "BR001".into(), provider: provider.into(), connection, ..Default::default() }
}

fn create(branch: proto::Branch) -> Result<NewBranch, Violations> {
    new_branch(proto::CreateBranchRequest { branch: Some(branch) })
}

#[test]
fn a_sqlite_branch_needs_no_more_than_its_code() {
    let new = create(branch(proto::Provider::Sqlite, None)).unwrap();
    assert_eq!((new.code.as_str(), new.provider, new.connection), ("BR001", Provider::Sqlite, None));
    assert!(new.is_active, "not given means active");
    let inactive = proto::Branch { is_active: Some(false), ..branch(proto::Provider::Sqlite, file("a/b.db")) };
    assert!(!create(inactive).unwrap().is_active);
}

#[test]
fn a_server_branch_is_read_whole() {
    let given = proto::ServerConnection {
        port: 65_535,
        schema: "pos".into(),
        password_ref: "env:PGPASS".into(),
        ssl_mode: proto::SslMode::VerifyFull.into(),
        ..server()
    };
    let new = create(branch(proto::Provider::Postgres, over(given))).unwrap();
    let Some(Connection::Server(read)) = new.connection else { panic!("not a server") };
    assert_eq!((read.port, read.schema.as_str()), (Some(65_535), "pos"));
    assert_eq!(read.password_ref, Some(SecretRef::Env("PGPASS".into())));
    assert_eq!(read.ssl_mode, domain::SslMode::VerifyFull);
}

#[test]
fn every_bad_field_is_reported_at_once() {
    let given = proto::ServerConnection {
        host: String::new(),
        port: 65_536,
        ssl_mode: 42,
        password_ref: "hunter2".into(),
        ..server()
    };
    let bad = proto::Branch {
        id: "7".into(),
        code: "c".repeat(10_000),
        name: "n".repeat(10_000),
        provider: 0,
        connection: over(given),
        labels: [("k".repeat(64), "v".into())].into(),
        ..Default::default()
    };
    let found = fields(create(bad));
    for field in [
        "branch.id",
        "branch.code",
        "branch.name",
        "branch.provider",
        "branch.labels key",
        "branch.connection.server.host",
        "branch.connection.server.port",
        "branch.connection.server.ssl_mode",
        "branch.connection.server.password_ref",
    ] {
        assert!(found.iter().any(|each| each == field), "{field} in {found:?}");
    }
    assert_eq!(found.len(), 9, "{found:?}");
    assert_eq!(fields(new_branch(proto::CreateBranchRequest { branch: None })), ["branch"]);
}

#[test]
fn a_password_is_refused_and_never_repeated() {
    let given = proto::ServerConnection { password: "hunter2".into(), password_ref: "hunter3".into(), ..server() };
    let violations = create(branch(proto::Provider::Postgres, over(given))).unwrap_err();
    let text = violations.to_string();
    assert!(text.contains("password_ref") && !text.contains("hunter"), "{text}");
    assert_eq!(violations.0.len(), 2);
}

#[test]
fn a_password_travels_beside_the_connection() {
    let given = proto::ServerConnection { password: "hunter2".into(), ..server() };
    let new = create(branch(proto::Provider::Postgres, over(given.clone()))).unwrap();
    assert_eq!(new.password, Some(Secret::new("hunter2")));
    assert!(!format!("{new:?}").contains("hunter2"));
    let change = |server: proto::ServerConnection| {
        let value = proto::Branch { connection: over(server), ..Default::default() };
        update(&["connection"], Some(value)).unwrap().1.password
    };
    assert_eq!(change(given), PasswordChange::Set(Secret::new("hunter2")));
    assert_eq!(change(server()), PasswordChange::Keep);
    assert_eq!(change(proto::ServerConnection { has_password: Some(true), ..server() }), PasswordChange::Keep);
    assert_eq!(change(proto::ServerConnection { has_password: Some(false), ..server() }), PasswordChange::Forget);
}

#[test]
fn provider_and_connection_have_to_fit() {
    use proto::Provider::{Postgres, Sqlite, Sqlserver};
    assert_eq!(fields(create(branch(Postgres, None))), ["branch.connection"]);
    assert_eq!(fields(create(branch(Postgres, file("a.db")))), ["branch.connection"]);
    assert_eq!(fields(create(branch(Sqlite, over(server())))), ["branch.connection"]);
    assert_eq!(fields(create(branch(Sqlite, Some(proto::Connection { kind: None })))), ["branch.connection"]);
    assert_eq!(fields(create(branch(Sqlite, file("../a.db")))), ["branch.connection.sqlite.path"]);
    assert!(create(branch(Sqlserver, over(server()))).is_ok());
    assert_eq!(fields(create(branch(Sqlserver, None))), ["branch.connection"]);
    let unknown = proto::Branch { provider: 99, ..branch(Sqlite, None) };
    assert_eq!(fields(create(unknown)), ["branch.provider"]);
}

fn update(paths: &[&str], value: Option<proto::Branch>) -> Result<(BranchRef, BranchUpdate), Violations> {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let update_mask = Some(prost_types::FieldMask { paths });
    update_branch(proto::UpdateBranchRequest { branch: "BR001".into(), value, update_mask })
}

#[test]
fn an_update_takes_what_the_mask_names_and_nothing_else() {
    let value = proto::Branch {
        code: "not a code, and not looked at".into(),
        name: "Harbour".into(),
        is_active: Some(false),
        connection: over(proto::ServerConnection { password: "hunter2".into(), ..server() }),
        ..Default::default()
    };
    let (which, found) = update(&["name", "is_active", "name"], Some(value)).unwrap();
    assert_eq!(which.to_string(), "BR001");
    let expected = BranchUpdate { name: Some("Harbour".into()), is_active: Some(false), ..Default::default() };
    assert_eq!(found, expected);
}

#[test]
fn an_update_can_clear_what_may_be_empty() {
    let (_, found) = update(&["name", "labels", "environment"], Some(proto::Branch::default())).unwrap();
    assert_eq!((found.name.as_deref(), found.environment.as_deref()), (Some(""), Some("")));
    assert_eq!(found.labels, Some(BTreeMap::new()));
}

#[test]
fn a_mask_names_only_what_can_change() {
    let value = Some(proto::Branch::default());
    for path in ["provider", "id", "create_time", "connection.server.host", "labels.zone", "*", "", "Name"] {
        assert_eq!(fields(update(&[path], value.clone())), ["update_mask"], "{path}");
    }
    assert_eq!(fields(update(&[], value.clone())), ["update_mask"]);
    assert_eq!(fields(update(&["name"], None)), ["value"]);
    assert_eq!(fields(update(&["is_active", "connection"], value)), ["value.connection", "value.is_active"]);
    let request = proto::UpdateBranchRequest { branch: "x y".into(), value: None, update_mask: None };
    assert_eq!(fields(update_branch(request)), ["branch", "update_mask", "value"]);
}

#[test]
fn a_mask_of_many_bad_paths_is_not_read_to_its_end() {
    let paths: Vec<String> = (0..100_000).map(|number| format!("field{number}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    assert!(fields(update(&paths, Some(proto::Branch::default()))).len() < 30);
}

#[test]
fn new_values_are_checked_like_those_of_a_new_branch() {
    let value = proto::Branch {
        code: String::new(),
        name: "n".repeat(10_000),
        connection: over(proto::ServerConnection { port: 70_000, password: "hunter2".into(), ..server() }),
        ..Default::default()
    };
    let found = fields(update(&["code", "name", "connection"], Some(value)));
    let expected = ["value.code", "value.connection.server.port", "value.name"];
    assert_eq!(found, expected);
}

#[test]
fn a_connection_can_be_tried_without_a_branch() {
    use proto::test_connection_request::Target;
    let try_it = |target, provider: proto::Provider| {
        test_target(proto::TestConnectionRequest { target, provider: provider.into() })
    };
    use proto::Provider::{Postgres, Sqlite, Unspecified};
    assert!(matches!(
        try_it(over(server()).map(Target::Connection), Postgres),
        Ok(TestTarget::Connection(Provider::Postgres, _, None))
    ));
    assert!(matches!(try_it(Some(Target::Branch("BR001".into())), Unspecified), Ok(TestTarget::Branch(_))));
    assert_eq!(fields(try_it(None, Unspecified)), ["target"]);
    assert_eq!(fields(try_it(over(server()).map(Target::Connection), Unspecified)), ["provider"]);
    assert_eq!(fields(try_it(file("").map(Target::Connection), Sqlite)), ["connection.sqlite.path"]);
    assert_eq!(fields(try_it(file("a.db").map(Target::Connection), Postgres)), ["connection"]);
    let no_host = proto::ServerConnection { host: String::new(), ..server() };
    assert_eq!(fields(try_it(over(no_host).map(Target::Connection), Postgres)), ["connection.server.host"]);
}

#[test]
fn a_branch_is_shown_without_a_password() {
    let given = proto::ServerConnection { password_ref: "file:/run/secret".into(), port: 6432, ..server() };
    let new = create(branch(proto::Provider::Postgres, over(given))).unwrap();
    let shown = branch_to_proto(Branch {
        id: BranchId::generate(),
        code: new.code,
        name: new.name,
        provider: new.provider,
        connection: new.connection.unwrap(),
        labels: new.labels,
        is_active: new.is_active,
        environment: new.environment,
        create_time: Time::UNIX_EPOCH,
        update_time: Time::UNIX_EPOCH,
    });
    let Some(proto::connection::Kind::Server(server)) = shown.connection.unwrap().kind else { panic!("not a server") };
    assert_eq!((server.password.as_str(), server.password_ref.as_str(), server.port), ("", "file:/run/secret", 6432));
    assert_eq!(server.ssl_mode, i32::from(proto::SslMode::Prefer));
    assert_eq!(server.has_password, Some(false));
}

use std::fs;
use std::os::unix::fs::symlink;

use tonic::Code;

use super::{FIRST, Snapshot, only_error};
use crate::support::{Station, details, outcome, pb, postgres, refused, server_branch, sqlite_branch, temp_dir};

fn at(code: &str, path: &str) -> pb::Branch {
    let sqlite = pb::SqliteConnection { path: path.to_owned() };
    let connection = pb::Connection { kind: Some(pb::connection::Kind::Sqlite(sqlite)) };
    pb::Branch { connection: Some(connection), ..sqlite_branch(code) }
}

async fn create(station: &Station, branch: pb::Branch) -> Result<pb::CreateBranchResponse, tonic::Status> {
    let request = pb::CreateBranchRequest { branch: Some(branch) };
    station.branches().await.create_branch(request).await.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out_of_the_root() {
    let outside = temp_dir();
    fs::write(outside.path().join("x.db"), "").unwrap();
    let mut station = Station::new();
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    let root = station.data_folder().join("branches");
    fs::create_dir_all(root.join("real")).unwrap();
    symlink(outside.path(), root.join("away")).unwrap();
    symlink(outside.path().join("x.db"), root.join("away.db")).unwrap();
    symlink(outside.path().join("missing.db"), root.join("dangling.db")).unwrap();
    symlink("loop.db", root.join("loop.db")).unwrap();
    let absolute = outside.path().join("x.db").display().to_string();
    let before = Snapshot::of(&station).await;
    for path in [
        "../x.db",
        "real/../../x.db",
        "..",
        "/etc/x.db",
        &absolute,
        "away/x.db",
        "away/new.db",
        "away.db",
        "dangling.db",
        "loop.db",
        "real",
        "real/",
        "x.db-wal",
        "a\0b.db",
    ] {
        let status = refused(create(&station, at("BR001", path)).await, Code::InvalidArgument, "INVALID_REQUEST");
        let found = details(&status).bad_request().unwrap().field_violations.clone();
        assert!(found.iter().all(|each| each.field.starts_with("branch.connection.sqlite")), "{path}: {found:?}");
    }
    assert_eq!(Snapshot::of(&station).await, before);

    // The way out is put there after the branch was registered.
    station.register(at("BR001", "later/x.db")).await;
    symlink(outside.path(), root.join("later")).unwrap();
    let error = only_error(&outcome(&station, "BR001").await);
    assert!(error.message.contains("symbolic link"), "{error:?}");
    assert_eq!(fs::read(outside.path().join("x.db")).unwrap(), b"");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

/// weasel#439: two branches on one database would each think that it is theirs.
#[tokio::test(flavor = "multi_thread")]
async fn two_branches_on_one_file_are_refused_however_it_is_spelt() {
    let mut station = Station::new();
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    assert!(outcome(&station, "BR001").await.success);
    let root = station.data_folder().join("branches");
    symlink(root.join("BR001"), root.join("alias")).unwrap();
    symlink(station.sqlite_file("BR001"), root.join("alias.db")).unwrap();
    let before = Snapshot::of(&station).await;
    for path in ["BR001/Database/BR001.db", "./BR001//Database/./BR001.db", "alias/Database/BR001.db", "alias.db"] {
        let status = refused(create(&station, at("BR002", path)).await, Code::AlreadyExists, "DATABASE_TAKEN");
        assert_eq!(details(&status).error_info().unwrap().metadata["branch"], "BR001", "{path}");
    }
    for code in ["BR001", "br001", "Br001"] {
        refused(create(&station, at(code, "own.db")).await, Code::AlreadyExists, "BRANCH_CODE_TAKEN");
    }
    // Nor may an existing branch move there.
    assert_eq!(Snapshot::of(&station).await, before);
    station.register(at("BR002", "own.db")).await;
    let before = Snapshot::of(&station).await;
    let update = pb::UpdateBranchRequest {
        branch: "BR002".into(),
        value: Some(at("BR002", "alias.db")),
        update_mask: Some(prost_types::FieldMask { paths: vec!["connection".into()] }),
    };
    refused(station.branches().await.update_branch(update).await, Code::AlreadyExists, "DATABASE_TAKEN");
    let update = pb::UpdateBranchRequest {
        branch: "BR002".into(),
        value: Some(sqlite_branch("bR001")),
        update_mask: Some(prost_types::FieldMask { paths: vec!["code".into()] }),
    };
    refused(station.branches().await.update_branch(update).await, Code::AlreadyExists, "BRANCH_CODE_TAKEN");
    assert_eq!(Snapshot::of(&station).await, before);
}

/// weasel#439, on a server.
#[tokio::test(flavor = "multi_thread")]
async fn two_branches_on_one_database_are_refused_however_the_server_is_called() {
    let server = postgres().await;
    let mut station = Station::new();
    station.variable("BRANCH_PASSWORD", &server.password);
    station.start().await;
    let spelt = |code: &str, host: &str, schema: &str, username: &str| {
        let mut branch = server_branch(code, server, "shop", "env:BRANCH_PASSWORD");
        if let Some(pb::connection::Kind::Server(server)) = &mut branch.connection.as_mut().unwrap().kind {
            (server.host, server.schema) = (host.into(), schema.into());
            server.username = username.into();
        }
        branch
    };
    let inactive = |branch| pb::Branch { is_active: Some(false), ..branch };
    station.register(inactive(spelt("BR001", "localhost", "", "postgres"))).await;
    let before = Snapshot::of(&station).await;
    for (host, schema, username) in [
        ("localhost", "public", "postgres"),
        ("LOCALHOST", "", "somebody_else"),
        ("localhost.", "", "postgres"),
        ("127.0.0.1", "", "postgres"),
        ("::1", "public", "postgres"),
    ] {
        let answer = create(&station, spelt("BR002", host, schema, username)).await;
        let status = refused(answer, Code::AlreadyExists, "DATABASE_TAKEN");
        assert!(status.message().contains("BR001"), "{host}: {status:?}");
    }
    assert_eq!(Snapshot::of(&station).await, before);
    station.register(inactive(spelt("BR002", "localhost", "other", "postgres"))).await;
    // What a removed branch used is free again.
    let request = pb::DeleteBranchRequest { branch: "BR001".into() };
    station.branches().await.delete_branch(request).await.unwrap();
    station.register(inactive(spelt("BR003", "127.0.0.1", "", "postgres"))).await;
}

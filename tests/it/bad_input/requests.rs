use std::collections::HashMap;

use tonic::Code;

use super::{FIRST, SECOND, Snapshot, only_error};
use crate::support::{Station, apply, details, ended, outcome, pb, refused, sqlite_branch};

async fn migrated() -> Station {
    let mut station = Station::new();
    station.migration("1_Customers.sql", FIRST);
    station.migration("2_Orders.sql", SECOND);
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    assert!(outcome(&station, "BR001").await.success);
    station
}

fn violated<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) -> Vec<String> {
    let status = refused(answer, Code::InvalidArgument, "INVALID_REQUEST");
    let found = details(&status).bad_request().unwrap().field_violations.clone();
    assert!(found.iter().all(|each| !each.description.is_empty()), "{found:?}");
    found.into_iter().map(|each| each.field).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_branch_is_named() {
    let station = migrated().await;
    let before = Snapshot::of(&station).await;
    let (mut migrations, mut branches) = (station.migrations().await, station.branches().await);
    let unknown = || "BR999".to_owned();
    let id = "00000000-0000-4000-8000-000000000000";
    let none = |status: tonic::Status| {
        let status = refused::<()>(Err(status), Code::NotFound, "BRANCH_NOT_FOUND");
        let info = details(&status);
        assert!(status.message().contains("BR999") || status.message().contains(id), "{status:?}");
        assert!(info.resource_info().is_some_and(|resource| resource.resource_type == "branch"), "{status:?}");
    };
    none(apply(&station, "BR999").await.unwrap_err());
    none(apply(&station, id).await.unwrap_err());
    let selected = pb::ApplyAllRequest { branches: vec!["BR001".into(), unknown()], ..Default::default() };
    none(migrations.apply_all(selected).await.unwrap_err());
    none(migrations.pending(pb::PendingRequest { branch: unknown() }).await.unwrap_err());
    none(migrations.history(pb::HistoryRequest { branch: unknown() }).await.unwrap_err());
    none(migrations.validate(pb::ValidateRequest { branch: unknown() }).await.unwrap_err());
    none(migrations.retry(pb::RetryRequest { branch: unknown() }).await.unwrap_err());
    none(branches.get_branch(pb::GetBranchRequest { branch: unknown() }).await.unwrap_err());
    none(branches.delete_branch(pb::DeleteBranchRequest { branch: unknown() }).await.unwrap_err());
    let target = Some(pb::test_connection_request::Target::Branch(unknown()));
    none(branches.test_connection(pb::TestConnectionRequest { target, provider: 0 }).await.unwrap_err());
    let update = pb::UpdateBranchRequest {
        branch: unknown(),
        value: Some(pb::Branch { name: "x".into(), ..Default::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["name".into()] }),
    };
    none(branches.update_branch(update).await.unwrap_err());
    assert_eq!(Snapshot::of(&station).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_target_is_refused_with_the_nearest_one() {
    let station = migrated().await;
    let before = Snapshot::of(&station).await;
    let mut client = station.migrations().await;
    let one = pb::ApplyRequest { branch: "BR001".into(), target_migration: "2_Order".into(), ..Default::default() };
    let all = pb::ApplyAllRequest { target_migration: "2_Order".into(), ..Default::default() };
    for status in [client.apply(one).await.unwrap_err(), client.apply_all(all).await.unwrap_err()] {
        let status = refused::<()>(Err(status), Code::NotFound, "MIGRATION_NOT_FOUND");
        let details = details(&status);
        assert_eq!(details.error_info().unwrap().metadata["nearest"], "2_Orders");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "target_migration");
    }
    assert_eq!(Snapshot::of(&station).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_behind_the_branch_changes_neither_the_branch_nor_its_state() {
    let station = migrated().await;
    let before = Snapshot::of(&station).await;
    let mut client = station.migrations().await;
    let one = pb::ApplyRequest { branch: "BR001".into(), target_migration: "1".into(), ..Default::default() };
    let error = only_error(&client.apply(one).await.unwrap().into_inner().result.unwrap());
    assert_eq!(error.class(), pb::FailureClass::Catalogue, "{error:?}");
    assert!(error.message.contains("1_Customers") && error.message.contains("2_Orders"), "{error:?}");
    let all = pb::ApplyAllRequest { target_migration: "1".into(), ..Default::default() };
    only_error(&ended(&crate::support::apply_all(&station, all).await));

    let after = Snapshot::of(&station).await;
    assert_eq!((after.branches, after.files), (before.branches, before.files));
    let (now, then) = (&after.states[0], &before.states[0]);
    assert_eq!(now.status(), pb::MigrationStatus::Completed, "{now:?}");
    assert_eq!((now.retry_count, now.is_locked, now.pending_count), (0, false, Some(0)), "{now:?}");
    assert_eq!((&now.last_migration_applied, &now.error), (&then.last_migration_applied, &then.error));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_code_is_refused() {
    let station = migrated().await;
    let before = Snapshot::of(&station).await;
    let mut branches = station.branches().await;
    for code in ["", " ", "a b", "-a", "../x", "a/b", "ä", "a\0b"] {
        let request = pb::CreateBranchRequest { branch: Some(sqlite_branch(code)) };
        assert_eq!(violated(branches.create_branch(request).await), ["branch.code"], "{code:?}");
    }
    assert_eq!(violated(branches.create_branch(pb::CreateBranchRequest { branch: None }).await), ["branch"]);
    let update = pb::UpdateBranchRequest {
        branch: "BR001".into(),
        value: Some(pb::Branch::default()),
        update_mask: Some(prost_types::FieldMask { paths: vec!["code".into()] }),
    };
    assert_eq!(violated(branches.update_branch(update).await), ["value.code"]);
    assert_eq!(violated(apply(&station, "").await), ["branch"]);
    assert_eq!(violated(branches.get_branch(pb::GetBranchRequest::default()).await), ["branch"]);
    assert_eq!(Snapshot::of(&station).await, before);
}

fn server(connection: pb::ServerConnection) -> Option<pb::Connection> {
    Some(pb::Connection { kind: Some(pb::connection::Kind::Server(connection)) })
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_ten_thousand_characters_are_refused_everywhere() {
    let station = migrated().await;
    let before = Snapshot::of(&station).await;
    // Characters that take many bytes in a header, where the status travels.
    let long = || "ß".repeat(10_000);
    let (mut migrations, mut branches) = (station.migrations().await, station.branches().await);
    let request = pb::CreateBranchRequest {
        branch: Some(pb::Branch {
            code: long(),
            name: long(),
            provider: pb::Provider::Postgres.into(),
            environment: long(),
            labels: HashMap::from([(long(), long())]),
            connection: server(pb::ServerConnection {
                host: long(),
                database: long(),
                schema: long(),
                username: long(),
                password_ref: format!("file:{}", long()),
                ssl_ca_file: long(),
                ..Default::default()
            }),
            ..Default::default()
        }),
    };
    let status = refused(branches.create_branch(request).await, Code::InvalidArgument, "INVALID_REQUEST");
    let found = details(&status).bad_request().unwrap().field_violations.clone();
    // The status has to fit into a header: what does not fit is counted.
    let listed: usize = found.iter().map(|each| each.description.split(' ').next().unwrap().parse().unwrap_or(1)).sum();
    assert!(listed >= 10, "{found:?}");
    assert!(status.message().chars().count() <= 1000, "{}", status.message().len());

    let sqlite = pb::Connection { kind: Some(pb::connection::Kind::Sqlite(pb::SqliteConnection { path: long() })) };
    let request = pb::Branch { connection: Some(sqlite), ..sqlite_branch("BR002") };
    let request = pb::CreateBranchRequest { branch: Some(request) };
    assert_eq!(violated(branches.create_branch(request).await), ["branch.connection.sqlite.path"]);
    let request = pb::Branch { name: "x".repeat(10_000), ..sqlite_branch("BR002") };
    let request = pb::CreateBranchRequest { branch: Some(request) };
    assert_eq!(violated(branches.create_branch(request).await), ["branch.name"]);

    assert_eq!(violated(apply(&station, &long()).await), ["branch"]);
    let request = pb::ApplyRequest {
        branch: "BR001".into(),
        target_migration: long(),
        request_id: "x".repeat(10_000),
        ..Default::default()
    };
    assert_eq!(violated(migrations.apply(request).await), ["target_migration", "request_id"]);
    assert_eq!(violated(migrations.get_run(pb::GetRunRequest { run_id: long() }).await), ["run_id"]);
    let request = pb::ListBranchesRequest { page_token: long(), ..Default::default() };
    assert!(branches.list_branches(request).await.is_err_and(|status| status.code() == Code::InvalidArgument));
    assert_eq!(Snapshot::of(&station).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_that_do_not_exist_are_refused() {
    let station = migrated().await;
    let before = Snapshot::of(&station).await;
    let mut branches = station.branches().await;
    for port in [65_536, 70_000, u32::MAX] {
        let connection = server(pb::ServerConnection {
            host: "localhost".into(),
            port,
            database: "shop".into(),
            username: "keeper".into(),
            ..Default::default()
        });
        let branch = pb::Branch {
            code: "BR002".into(),
            provider: pb::Provider::Postgres.into(),
            connection: connection.clone(),
            ..Default::default()
        };
        let request = pb::CreateBranchRequest { branch: Some(branch) };
        assert_eq!(violated(branches.create_branch(request).await), ["branch.connection.server.port"]);
        let target = connection.map(pb::test_connection_request::Target::Connection);
        let request = pb::TestConnectionRequest { target, provider: pb::Provider::Postgres.into() };
        assert_eq!(violated(branches.test_connection(request).await), ["connection.server.port"]);
    }
    assert_eq!(Snapshot::of(&station).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_clear_is_refused_and_not_repeated() {
    let station = migrated().await;
    let before = Snapshot::of(&station).await;
    let mut branches = station.branches().await;
    let secret = "hunter2-in-clear";
    let connection = |password: &str, reference: &str| {
        server(pb::ServerConnection {
            host: "localhost".into(),
            database: "shop".into(),
            username: "keeper".into(),
            password: password.into(),
            password_ref: reference.into(),
            ..Default::default()
        })
    };
    let branch = |connection| pb::Branch {
        code: "BR002".into(),
        provider: pb::Provider::Postgres.into(),
        connection,
        ..Default::default()
    };
    let mut seen = String::new();
    for (password, reference, field) in [(secret, "", "password"), ("", secret, "password_ref")] {
        let given = connection(password, reference);
        let request = pb::CreateBranchRequest { branch: Some(branch(given.clone())) };
        let status = branches.create_branch(request).await.unwrap_err();
        seen.push_str(&format!("{status:?}{}", String::from_utf8_lossy(status.details())));
        assert_eq!(violated::<()>(Err(status)), [format!("branch.connection.server.{field}")]);
        let target = given.map(pb::test_connection_request::Target::Connection);
        let request = pb::TestConnectionRequest { target, provider: pb::Provider::Postgres.into() };
        let status = branches.test_connection(request).await.unwrap_err();
        seen.push_str(&format!("{status:?}{}", String::from_utf8_lossy(status.details())));
        assert_eq!(violated::<()>(Err(status)), [format!("connection.server.{field}")]);
    }
    assert!(!seen.contains(secret), "{seen}");
    assert!(!station.log().contains(secret));
    assert_eq!(Snapshot::of(&station).await, before);
}

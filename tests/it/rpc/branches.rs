//! BranchService.

use tonic::Code;
use tonic_types::StatusExt;

use super::harness::{Served, refused, settings, start, violations};
use crate::support::{pb, sqlite_branch};

async fn create(served: &Served, branch: pb::Branch) -> Result<pb::Branch, tonic::Status> {
    let request = pb::CreateBranchRequest { branch: Some(branch) };
    Ok(served.branches().await.create_branch(request).await?.into_inner().branch.unwrap())
}

async fn show(served: &Served, branch: &str) -> Result<pb::Branch, tonic::Status> {
    let request = pb::GetBranchRequest { branch: branch.to_owned() };
    Ok(served.branches().await.get_branch(request).await?.into_inner().branch.unwrap())
}

async fn update(served: &Served, paths: &[&str], value: pb::Branch) -> Result<pb::Branch, tonic::Status> {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let update_mask = Some(prost_types::FieldMask { paths });
    let request = pb::UpdateBranchRequest { branch: "br001".into(), value: Some(value), update_mask };
    Ok(served.branches().await.update_branch(request).await?.into_inner().branch.unwrap())
}

fn server(password_ref: &str) -> pb::Connection {
    let server = pb::ServerConnection {
        host: "127.0.0.1".into(),
        port: 1,
        database: "shop".into(),
        username: "keeper".into(),
        password_ref: password_ref.into(),
        ..Default::default()
    };
    pb::Connection { kind: Some(pb::connection::Kind::Server(server)) }
}

#[tokio::test]
async fn a_branch_is_registered_shown_changed_and_forgotten() {
    let served = start(settings()).await;
    let labels = [("zone".to_owned(), "north".to_owned())].into();
    let branch = pb::Branch { name: "Harbour".into(), labels, ..sqlite_branch("BR001") };
    let made = create(&served, branch).await.unwrap();
    assert!(!made.id.is_empty() && made.create_time.is_some() && made.is_active());
    assert_eq!(show(&served, "br001").await.unwrap(), made, "codes are found without regard to case");
    assert_eq!(show(&served, &made.id).await.unwrap(), made);

    let value =
        pb::Branch { name: "Pier".into(), is_active: Some(false), environment: "x".into(), ..Default::default() };
    let changed = update(&served, &["name", "is_active"], value).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.is_active(), changed.environment.as_str()), ("Pier", false, ""));
    assert_eq!(changed.labels, made.labels);

    let request = pb::DeleteBranchRequest { branch: "BR001".into() };
    served.branches().await.delete_branch(request.clone()).await.unwrap();
    assert_eq!(refused(show(&served, "BR001").await), (Code::NotFound, "BRANCH_NOT_FOUND".into()));
    let again = served.branches().await.delete_branch(request).await;
    assert_eq!(refused(again), (Code::NotFound, "BRANCH_NOT_FOUND".into()));
    served.stop().await;
}

#[tokio::test]
async fn what_another_branch_has_is_taken() {
    let served = start(settings()).await;
    create(&served, sqlite_branch("BR001")).await.unwrap();
    let same_code = create(&served, sqlite_branch("br001")).await;
    assert_eq!(refused(same_code), (Code::AlreadyExists, "BRANCH_CODE_TAKEN".into()));
    let path = "BR001/Database/BR001.db".to_owned();
    let kind = Some(pb::connection::Kind::Sqlite(pb::SqliteConnection { path }));
    let connection = Some(pb::Connection { kind });
    let same_file = create(&served, pb::Branch { connection, ..sqlite_branch("BR002") }).await.unwrap_err();
    assert_eq!(same_file.get_details_error_info().unwrap().metadata["branch"], "BR001");
    assert_eq!(refused::<()>(Err(same_file)), (Code::AlreadyExists, "DATABASE_TAKEN".into()));
    served.stop().await;
}

#[tokio::test]
async fn bad_branches_change_nothing() {
    let served = start(settings()).await;
    create(&served, sqlite_branch("BR001")).await.unwrap();
    let long = pb::Branch { name: "n".repeat(10_000), ..sqlite_branch("BR002") };
    assert_eq!(violations(create(&served, long).await), ["branch.name"]);
    assert_eq!(violations(create(&served, sqlite_branch("")).await), ["branch.code"]);
    let outside = pb::connection::Kind::Sqlite(pb::SqliteConnection { path: "../x.db".into() });
    let outside = pb::Branch { connection: Some(pb::Connection { kind: Some(outside) }), ..sqlite_branch("BR002") };
    assert_eq!(violations(create(&served, outside).await), ["branch.connection.sqlite.path"]);

    let value = pb::Branch { connection: Some(server("env:X")), ..Default::default() };
    let other_kind = violations(update(&served, &["connection"], value).await);
    assert_eq!(other_kind, ["value.connection"], "a SQLite branch stays one");
    assert_eq!(violations(update(&served, &["provider"], pb::Branch::default()).await), ["update_mask"]);
    let list = served.branches().await.list_branches(pb::ListBranchesRequest::default()).await.unwrap().into_inner();
    assert_eq!(list.branches.len(), 1);
    served.stop().await;
}

#[tokio::test]
async fn a_password_reference_is_shown_and_a_password_never() {
    let served = start(settings()).await;
    let branch = pb::Branch {
        code: "PG001".into(),
        provider: pb::Provider::Postgres.into(),
        connection: Some(server("env:SHOP_PASSWORD")),
        ..Default::default()
    };
    create(&served, branch.clone()).await.unwrap();
    let shown = show(&served, "PG001").await.unwrap();
    let Some(pb::connection::Kind::Server(found)) = shown.connection.unwrap().kind else { panic!("not a server") };
    assert_eq!((found.password_ref.as_str(), found.password.as_str()), ("env:SHOP_PASSWORD", ""));

    let Some(pb::connection::Kind::Server(mut bad)) = server("").kind else { panic!("not a server") };
    bad.password = "hunter2".into();
    let connection = Some(pb::Connection { kind: Some(pb::connection::Kind::Server(bad)) });
    let status = create(&served, pb::Branch { code: "PG002".into(), connection, ..branch }).await.unwrap_err();
    assert!(status.message().contains("password_ref"), "{}", status.message());
    assert!(!format!("{status:?}").contains("hunter2"));
    served.stop().await;
}

#[tokio::test]
async fn branches_are_listed_page_by_page() {
    let served = start(settings()).await;
    for index in 0..5 {
        let labels = [("parity".to_owned(), (index % 2).to_string())].into();
        create(&served, pb::Branch { labels, ..sqlite_branch(&format!("BR{index:03}")) }).await.unwrap();
    }
    let list = async |request: pb::ListBranchesRequest| served.branches().await.list_branches(request).await;
    let mut codes = Vec::new();
    let mut request = pb::ListBranchesRequest { page_size: 2, ..Default::default() };
    loop {
        let page = list(request.clone()).await.unwrap().into_inner();
        codes.extend(page.branches.into_iter().map(|branch| branch.code));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(codes, ["BR000", "BR001", "BR002", "BR003", "BR004"]);

    let odd = pb::ListBranchesRequest { labels: [("parity".into(), "1".into())].into(), ..Default::default() };
    assert_eq!(list(odd).await.unwrap().into_inner().branches.len(), 2);
    let inactive = pb::ListBranchesRequest { is_active: Some(false), ..Default::default() };
    assert!(list(inactive).await.unwrap().into_inner().branches.is_empty());
    let forged = pb::ListBranchesRequest { page_token: "forged".into(), ..Default::default() };
    assert_eq!(refused(list(forged).await), (Code::InvalidArgument, "BAD_PAGE_TOKEN".into()));
    let bad = pb::ListBranchesRequest { page_size: 1001, providers: vec![77], ..Default::default() };
    assert_eq!(violations(list(bad).await), ["page_size", "providers[0]"]);
    served.stop().await;
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_is_an_answer() {
    use pb::test_connection_request::Target;
    let served = start(settings()).await;
    create(&served, sqlite_branch("BR001")).await.unwrap();
    let test = async |target, provider: pb::Provider| {
        let request = pb::TestConnectionRequest { target, provider: provider.into() };
        served.branches().await.test_connection(request).await.map(tonic::Response::into_inner)
    };
    use pb::Provider::{Postgres, Unspecified};
    let fresh = test(Some(Target::Branch("BR001".into())), Unspecified).await.unwrap();
    assert!(fresh.reachable && !fresh.database_exists, "{fresh:?}");
    let closed = test(Some(Target::Connection(server(""))), Postgres).await.unwrap();
    assert!(!closed.reachable && !closed.message.is_empty() && !closed.hint.is_empty(), "{closed:?}");
    let unknown = test(Some(Target::Branch("BR999".into())), Unspecified).await;
    assert_eq!(refused(unknown), (Code::NotFound, "BRANCH_NOT_FOUND".into()));
    assert_eq!(violations(test(None, Unspecified).await), ["target"]);
    served.stop().await;
}

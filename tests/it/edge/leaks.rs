//! Nothing that the service emits has a secret in it.

use branchkeeper::rpc::proto as pb;

use super::kit::{SECRET, admin, cli, closed_station, signed, text, viewer, with};

const PASSWORD: &str = "pass-hunter2-word";

// Several threads: a client whose connection nobody drives would hold the stopping service up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_ever_emitted() {
    let mut station = closed_station();
    let folder = station.migrations_folder().parent().unwrap().to_owned();
    let file = super::kit::write(&folder, "branch.password", PASSWORD);
    let key = "5a".repeat(32);
    let key_file = super::kit::write(&folder, "secrets.key", &key);
    station.set("SECRETS__KEY_REF", &format!("file:{}", key_file.display()));
    station.set("LOG__LEVEL", "trace");
    station.set("MIGRATION__CONNECT_TIMEOUT", "1s");
    station.start().await;
    let url = station.url();
    let (admin, viewer) = (admin(), viewer());
    let bad = signed(&serde_json::json!({ "sub": "eve", "exp": 1 }));
    let made = text(&cli(&url, Some(&admin), "token create ci --role admin").stdout).trim().to_owned();

    let mut emitted = String::new();
    let mut branches = station.branches().await;
    let mut migrations = station.migrations().await;
    // A password in the wrong place, and one that does not help.
    let server = |password: &str, reference: &str| pb::ServerConnection {
        host: "127.0.0.1".into(),
        port: 1,
        database: "d".into(),
        username: "u".into(),
        password: password.into(),
        password_ref: reference.into(),
        ..Default::default()
    };
    let branch = |code: &str, server: pb::ServerConnection| pb::Branch {
        code: code.into(),
        provider: pb::Provider::Postgres.into(),
        connection: Some(pb::Connection { kind: Some(pb::connection::Kind::Server(server)) }),
        ..Default::default()
    };
    let reference = format!("file:{}", file.display());
    let cases = [
        (branch("BR1", server(PASSWORD, PASSWORD)), false),
        (branch("BR2", server("", PASSWORD)), false),
        (branch("BR3", server("", &reference)), true),
        (branch("BR4", pb::ServerConnection { database: "e".into(), ..server(PASSWORD, "") }), true),
    ];
    for (branch, good) in cases {
        let created = branches.create_branch(with(&made, pb::CreateBranchRequest { branch: Some(branch) })).await;
        assert_eq!(created.is_ok(), good, "{created:?}");
        emitted += &format!("{created:?}");
    }
    let applied = migrations.apply(with(&made, pb::ApplyRequest { branch: "BR3".into(), ..Default::default() })).await;
    emitted += &format!("{applied:?}");
    let applied = migrations.apply(with(&made, pb::ApplyRequest { branch: "BR4".into(), ..Default::default() })).await;
    emitted += &format!("{applied:?}{:?}", branches.rekey(with(&made, pb::RekeyRequest {})).await.unwrap());
    let elsewhere = pb::UpdateBranchRequest {
        branch: "BR4".into(),
        value: Some(branch("BR4", pb::ServerConnection { host: "localhost".into(), ..server("", "") })),
        update_mask: Some(prost_types::FieldMask { paths: vec!["connection".into()] }),
    };
    emitted += &format!("{:?}", branches.update_branch(with(&made, elsewhere)).await.unwrap_err());
    let test = pb::TestConnectionRequest {
        target: Some(pb::test_connection_request::Target::Branch("BR3".into())),
        ..Default::default()
    };
    emitted += &format!("{:?}", branches.test_connection(with(&made, test)).await);
    for token in [&bad, &format!("{made}x"), &viewer] {
        let request = pb::DeleteBranchRequest { branch: "BR3".into() };
        emitted += &format!("{:?}", branches.delete_branch(with(token, request)).await.unwrap_err());
    }
    for arguments in [
        "status",
        "branch show BR3",
        "branch show BR4",
        "branch list --output json",
        "runs --output json",
        "audit --output json",
        "token list",
    ] {
        let output = cli(&url, Some(&admin), arguments);
        emitted += &(text(&output.stdout) + &text(&output.stderr));
    }
    let runs = migrations.list_runs(with(&viewer, pb::ListRunsRequest::default())).await.unwrap().into_inner().runs;
    let request = pb::WatchRunRequest { run_id: runs[0].id.clone(), ..Default::default() };
    let mut events = migrations.watch_run(with(&viewer, request)).await.unwrap().into_inner();
    while let Some(event) = events.message().await.unwrap() {
        emitted += &format!("{event:?}");
    }
    assert!(station.stop().success());
    emitted += &station.log();
    let mut files = 0;
    for entry in std::fs::read_dir(station.data_folder()).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        emitted += &text(&std::fs::read(entry.path()).unwrap());
        files += 1;
    }
    assert!(
        files > 0 && emitted.contains("BR3") && emitted.contains("jwt:ann") && emitted.contains("PERMISSION_DENIED")
    );
    for (what, secret) in [
        ("password", PASSWORD),
        ("key of passwords", &key),
        ("JWT secret", SECRET),
        ("admin's JWT", &admin),
        ("viewer's JWT", &viewer),
        ("bad JWT", &bad),
        ("API token", &made),
    ] {
        assert!(!emitted.contains(secret), "the {what} was emitted");
    }
}

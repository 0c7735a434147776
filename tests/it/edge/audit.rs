//! The audit record.

use branchkeeper::rpc::proto as pb;
use pb::audit_service_client::AuditServiceClient;
use sqlx::Connection;

use super::kit::{admin, cli, closed_station, text, viewer, with};
use crate::support::{Station, sqlite_branch};

async fn events(station: &Station, request: pb::ListAuditEventsRequest) -> Vec<pb::AuditEvent> {
    let mut client = AuditServiceClient::new(station.channel().await);
    client.list_audit_events(with(&viewer(), request)).await.unwrap().into_inner().events
}

#[tokio::test]
async fn every_change_and_every_refused_change_leaves_an_entry() {
    let mut station = closed_station();
    station.start().await;
    let mut branches = station.branches().await;
    let mut migrations = station.migrations().await;
    let create = || pb::CreateBranchRequest { branch: Some(sqlite_branch("BR001")) };
    branches.create_branch(with(&admin(), create())).await.unwrap();
    branches.create_branch(with(&admin(), create())).await.unwrap_err();
    branches.create_branch(with(&viewer(), create())).await.unwrap_err();
    branches.create_branch(create()).await.unwrap_err();
    let apply = pb::ApplyRequest { branch: "br001".into(), request_id: "deploy-7".into(), ..Default::default() };
    let run = migrations.apply(with(&admin(), apply)).await.unwrap().into_inner().run_id;
    migrations.retry(with(&admin(), pb::RetryRequest { branch: "nobody".into() })).await.unwrap_err();
    migrations.apply(with(&admin(), pb::ApplyRequest::default())).await.unwrap_err();
    // Looking leaves nothing.
    migrations.pending(with(&viewer(), pb::PendingRequest { branch: "BR001".into() })).await.unwrap();

    let all = events(&station, Default::default()).await;
    let told: Vec<_> = all.iter().rev().map(|e| (e.action.as_str(), e.subject.as_str(), e.outcome.as_str())).collect();
    assert_eq!(
        told,
        [
            ("CreateBranch", "BR001", "ok"),
            ("CreateBranch", "BR001", "BRANCH_CODE_TAKEN"),
            ("CreateBranch", "", "PERMISSION_DENIED"),
            ("Apply", "BR001", "ok"),
            ("Retry", "nobody", "BRANCH_NOT_FOUND"),
            ("Apply", "", "INVALID_REQUEST"),
        ]
    );
    assert!(all.iter().all(|event| event.who == "jwt:ann" && event.peer == "127.0.0.1"));
    let applied = &all[2];
    assert_eq!((applied.run_id.as_str(), applied.request_id.as_str()), (run.as_str(), "deploy-7"));
    assert_eq!(applied.role, "HeadOfficeAdmin");
    assert_eq!(all[3].role, "HeadOfficeViewer");

    let by = |action: &str, subject: &str| pb::ListAuditEventsRequest {
        action: action.into(),
        subject: subject.into(),
        ..Default::default()
    };
    assert_eq!(events(&station, by("CreateBranch", "br001")).await.len(), 2);
    assert_eq!(events(&station, pb::ListAuditEventsRequest { who: "x".into(), ..Default::default() }).await.len(), 0);
    let time = all[2].time;
    let since = pb::ListAuditEventsRequest { since: time, ..Default::default() };
    let until = pb::ListAuditEventsRequest { until: time, ..Default::default() };
    assert_eq!((events(&station, since).await.len(), events(&station, until).await.len()), (3, 3));
    let mut client = AuditServiceClient::new(station.channel().await);
    let mut page = pb::ListAuditEventsRequest { page_size: 4, ..Default::default() };
    let first = client.list_audit_events(with(&viewer(), page.clone())).await.unwrap().into_inner();
    page.page_token = first.next_page_token;
    let second = client.list_audit_events(with(&viewer(), page)).await.unwrap().into_inner();
    let sequences: Vec<_> = first.events.iter().chain(&second.events).map(|event| event.sequence).collect();
    assert_eq!((sequences, second.next_page_token.as_str()), (vec![6, 5, 4, 3, 2, 1], ""));
    let shown = text(&cli(&station.url(), Some(&viewer()), "audit --branch BR001 --since 1h").stdout);
    assert!(shown.contains("BRANCH_CODE_TAKEN") && shown.contains("jwt:ann"), "{shown}");
}

// Several threads: a client whose connection nobody drives would hold the stopping service up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_tampered_with_shows() {
    let mut station = closed_station();
    station.start().await;
    for number in 0..5 {
        let request = pb::CreateBranchRequest { branch: Some(sqlite_branch(&format!("BR{number}"))) };
        station.branches().await.create_branch(with(&admin(), request)).await.unwrap();
    }
    let verify = |station: &Station| cli(&station.url(), Some(&viewer()), "audit verify");
    let whole = verify(&station);
    assert!(whole.status.success() && text(&whole.stdout).contains("whole: 5 entries"), "{}", text(&whole.stdout));
    assert!(station.stop().success());

    let file = std::fs::read_dir(station.data_folder()).unwrap().flatten().map(|entry| entry.path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "db")).unwrap();
    let tamper = async |sql: &'static str| {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    };
    let cases = [
        (
            "UPDATE audit SET who = 'jwt:eve' WHERE sequence = 2",
            "UPDATE audit SET who = 'jwt:ann' WHERE sequence = 2",
            "entry 2",
        ),
        (
            "UPDATE audit SET sequence = 99 WHERE sequence = 3",
            "UPDATE audit SET sequence = 3 WHERE sequence = 99",
            "entry 3",
        ),
        (
            "UPDATE audit SET sequence = 99 WHERE sequence = 5",
            "UPDATE audit SET sequence = 5 WHERE sequence = 99",
            "entry 5",
        ),
        (
            "UPDATE audit_chain SET hash = 'x'",
            "UPDATE audit_chain SET hash = (SELECT hash FROM audit WHERE sequence = 5)",
            "entry 5",
        ),
        // Nothing vouches for what is before the beginning, so an entry that was put there may say anything.
        (
            "UPDATE audit_chain SET anchor_sequence = 2, anchor_hash = (SELECT hash FROM audit WHERE sequence = 2)",
            "UPDATE audit_chain SET anchor_sequence = 0, anchor_hash = ''",
            "entry 1: the entry is outside of the record",
        ),
        (
            "INSERT INTO audit SELECT 6, time, 'jwt:eve', role, peer, action, subject, subject_folded, request_id, run_id, \
             detail, outcome, hash FROM audit WHERE sequence = 5",
            "DELETE FROM audit WHERE sequence = 6",
            "entry 6: the entry is outside of the record",
        ),
        // The newest entries are gone, and the end was moved to fit.
        (
            "UPDATE audit_chain SET sequence = 4",
            "UPDATE audit_chain SET sequence = 5",
            "entry 4: it is not the entry that the record ended with",
        ),
        // Hidden from whoever asks for the branch.
        (
            "UPDATE audit SET subject_folded = 'br9' WHERE sequence = 3",
            "UPDATE audit SET subject_folded = 'br2' WHERE sequence = 3",
            "entry 3",
        ),
        (
            "UPDATE audit SET time = 'soon' WHERE sequence = 4",
            "UPDATE audit SET time = (SELECT time FROM kept) WHERE sequence = 4",
            "entry 4: column time",
        ),
        // Two have changed places.
        (
            "UPDATE audit SET sequence = sequence - 5 WHERE sequence IN (2, 3); UPDATE audit SET sequence = -sequence WHERE \
             sequence < 0",
            "UPDATE audit SET sequence = sequence - 5 WHERE sequence IN (2, 3); UPDATE audit SET sequence = -sequence WHERE \
             sequence < 0",
            "entry 2",
        ),
    ];
    tamper("CREATE TABLE kept AS SELECT time FROM audit WHERE sequence = 4").await;
    for (break_it, mend_it, place) in cases {
        tamper(break_it).await;
        station.start().await;
        let broken = verify(&station);
        assert_eq!(broken.status.code(), Some(1), "{break_it}");
        assert!(text(&broken.stdout).contains(place), "{break_it}: {}", text(&broken.stdout));
        assert!(station.stop().success());
        tamper(mend_it).await;
    }
    station.start().await;
    assert!(verify(&station).status.success());
}

use branchkeeper::store::{AuditEntry, AuditFilter, Page};

use super::fixture::{Fixture, over_both_backends};

over_both_backends!(entries_are_kept_and_pruned, replicas_write_one_chain, a_wrong_clock_tears_no_hole);

fn entry(f: &Fixture, number: i64) -> AuditEntry {
    AuditEntry {
        sequence: 0,
        time: f.now() + chrono::TimeDelta::seconds(number),
        who: "jwt:ann".into(),
        role: "HeadOfficeAdmin".into(),
        peer: "127.0.0.1".into(),
        action: "CreateBranch".into(),
        subject: format!("BR{number:03}"),
        request_id: String::new(),
        run_id: String::new(),
        detail: "{\"host\":\"db\\u0000\"}\0".into(),
        outcome: "ok".into(),
        hash: String::new(),
    }
}

async fn subjects(f: &Fixture, page: &Page) -> (Vec<String>, String) {
    let found = f.office.audit_entries(&AuditFilter::default(), page).await.unwrap();
    (found.items.into_iter().map(|entry| entry.subject).collect(), found.next_token)
}

async fn entries_are_kept_and_pruned(f: Fixture) {
    assert_eq!(f.office.verify_audit().await.unwrap().verified, 0);
    for number in 0..5 {
        f.office.audit(entry(&f, number)).await.unwrap();
    }
    let (first, token) = subjects(&f, &Page { size: 3, token: String::new() }).await;
    assert_eq!(first, ["BR004", "BR003", "BR002"]);
    let (rest, token) = subjects(&f, &Page { size: 3, token }).await;
    assert_eq!((rest, token), (vec!["BR001".to_owned(), "BR000".to_owned()], String::new()));
    let before = entry(&f, 3).time;
    assert_eq!(f.office.prune_audit(before, 2).await.unwrap(), 2);
    assert_eq!(f.office.prune_audit(before, 2).await.unwrap(), 1);
    assert_eq!(f.office.prune_audit(before, 2).await.unwrap(), 0);
    assert_eq!(subjects(&f, &Page::default()).await.0, ["BR004", "BR003"]);
    let report = f.office.verify_audit().await.unwrap();
    assert_eq!((report.verified, report.state.anchor_sequence, report.broken), (2, 3, None));
    // All of it, and on from there.
    assert_eq!(f.office.prune_audit(entry(&f, 100).time, 100).await.unwrap(), 2);
    f.office.audit(entry(&f, 9)).await.unwrap();
    let report = f.office.verify_audit().await.unwrap();
    assert_eq!((report.verified, report.state.sequence, report.broken), (1, 6, None));
    f.tamper("UPDATE audit SET detail = 'x'").await;
    assert_eq!(f.office.verify_audit().await.unwrap().broken.unwrap().0, 6);
}

async fn replicas_write_one_chain(f: Fixture) {
    let other = if f.is_postgres() { f.replica().await } else { f.office.clone() };
    let write = async |office: &branchkeeper::store::HeadOffice| {
        for number in 0..40 {
            office.audit(entry(&f, number)).await.unwrap();
        }
    };
    tokio::join!(write(&f.office), write(&other), write(&f.office), write(&other));
    let report = other.verify_audit().await.unwrap();
    assert_eq!((report.verified, report.state.sequence, report.broken), (160, 160, None));
}

async fn a_wrong_clock_tears_no_hole(f: Fixture) {
    for number in [1, 50, 2, 3] {
        f.office.audit(entry(&f, number)).await.unwrap();
    }
    assert_eq!(f.office.prune_audit(entry(&f, 10).time, 100).await.unwrap(), 1);
    assert_eq!(subjects(&f, &Page::default()).await.0, ["BR003", "BR002", "BR050"]);
    assert_eq!(f.office.verify_audit().await.unwrap().broken, None);
}

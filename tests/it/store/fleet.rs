use std::time::{Duration, Instant};

use branchkeeper::domain::{Checksum, Provider, RunKind, Selector};
use branchkeeper::store::{CreatedRun, Page, Scope};

use super::fixture::{Fixture, ME, TTL, branch, new_run, over_both_backends};

over_both_backends!(ten_thousand_branches_stay_quick);

/// Far above what it takes (tens of milliseconds), far below what a scan per branch would take.
const GENEROUS: Duration = Duration::from_secs(5);

async fn ten_thousand_branches_stay_quick(f: Fixture) {
    let template = f.add("BR00000").await;
    // One statement, because registering them one by one is not what is measured here.
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)";
    let number = if f.is_postgres() { "lpad(i::text, 5, '0')" } else { "printf('%05d', i)" };
    let id = format!("'00000000-0000-7000-8000-0000000' || {number}");
    f.tamper(&format!(
        "INSERT INTO branches {numbers} SELECT {id}, 'BR' || {number}, 'br' || {number}, name, provider, connection, \
         'fingerprint ' || {number}, labels, is_active, environment, create_time, update_time FROM branches, n \
         WHERE code = 'BR00000'"
    ))
    .await;
    f.tamper(&format!(
        "INSERT INTO branch_states (branch_id, status, retry_count, lease_token) \
         SELECT id, 'Pending', 0, 0 FROM branches WHERE id <> '{}'",
        template.id
    ))
    .await;

    let begin = Instant::now();
    let scope = Scope::Selector(Selector::default());
    let run = f.office.create_run(new_run(RunKind::ApplyAll, scope), ME, TTL, |_| None).await.unwrap();
    assert!(matches!(run, CreatedRun::New(run) if run.branches_total == 10_000));
    let digests = [(Provider::Sqlite, Checksum::of_text("x"))];
    let due = f.office.due(&digests, 10_000).await.unwrap();
    assert_eq!(due.len(), 10_000);
    let run =
        f.office.create_run(new_run(RunKind::AutoMigrate, Scope::Branches(due)), ME, TTL, |_| None).await.unwrap();
    assert!(matches!(run, CreatedRun::New(run) if run.branches_total == 10_000));
    let codes = (0..10_000).map(|number| format!("BR{number:05}").parse().unwrap()).collect();
    let scope = Scope::Selector(Selector { branches: codes, ..Selector::default() });
    let run = f.office.create_run(new_run(RunKind::ApplyAll, scope), ME, TTL, |_| None).await.unwrap();
    assert!(matches!(run, CreatedRun::New(run) if run.branches_total == 10_000));
    assert!(begin.elapsed() < 3 * GENEROUS, "creating runs took {:?}", begin.elapsed());

    let begin = Instant::now();
    let mut page = Page { size: 1000, token: String::new() };
    let mut seen = 0;
    loop {
        let part = f.office.statuses(&Default::default(), &page).await.unwrap();
        seen += part.items.len();
        page.token = part.next_token;
        if page.token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, 10_000);
    let totals = f.office.totals(&Default::default()).await.unwrap();
    assert_eq!(totals.values().sum::<u64>(), 10_000);
    assert!(begin.elapsed() < 2 * GENEROUS, "listing took {:?}", begin.elapsed());
    assert!(f.office.create_branch(&branch("br09999"), "x").await.is_err());
}

//! How long it takes to read 2,000 portable migrations and make one provider's statements of them: under 0.3 s; and to
//! plan them against a ledger that has all but the last: under 5 ms. What takes longer fails.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::fs;
use std::time::Instant;

use branchkeeper::domain::{
    LEDGER_FORMAT, Ledger, LedgerRow, Policy, Provider, ProviderCatalogue, RowState, Target, Time, plan_up,
};
use branchkeeper::source::load;

const MIGRATIONS: usize = 2_000;
const LIMIT: f64 = 0.3;
const PLAN_LIMIT: f64 = 0.005;
const TURNS: usize = 5;

fn yaml(number: usize) -> String {
    format!(
        "description: Migration {number}
up:
  - create_table:
      name: Table{number}
      columns:
        Id:        {{ type: uuid, primary_key: true, default: uuid }}
        Parent:    {{ type: uuid, nullable: true, references: Table{number}(Id), on_delete: no_action }}
        Name:      {{ type: string(200), check: length(trim(Name)) > 0 }}
        Total:     {{ type: \"decimal(18,2)\", default: 0 }}
        CreatedAt: {{ type: timestamptz, default: now }}
      indexes:
        - {{ columns: [Parent, CreatedAt desc] }}
  - add_column: {{ table: Table{number}, name: Note, type: string(400), nullable: true }}
  - create_index: {{ table: Table{number}, columns: [Name], unique: true }}
  - insert: {{ table: Table{number}, rows: [{{ Name: One }}, {{ Name: Two }}] }}
down:
  - drop_table: {{ name: Table{number} }}
"
    )
}

/// A ledger that has every migration but the last.
fn ledger(catalogue: &ProviderCatalogue) -> Ledger {
    let row = |migration: &std::sync::Arc<branchkeeper::domain::Migration>| LedgerRow {
        id: migration.id.to_string(),
        checksum: migration.checksum.clone(),
        format: LEDGER_FORMAT,
        state: RowState::Applied,
        applied_time: Time::UNIX_EPOCH,
        duration: std::time::Duration::ZERO,
        product_version: String::new(),
        run_id: None,
    };
    Ledger { rows: catalogue.migrations().iter().take(MIGRATIONS - 1).map(row).collect(), ..Ledger::default() }
}

/// The median time of a plan, in seconds.
fn planning(catalogue: &ProviderCatalogue) -> f64 {
    let (ledger, policy) = (ledger(catalogue), Policy::default());
    let mut times: Vec<f64> = Vec::new();
    for _ in 0..TURNS {
        let begun = Instant::now();
        let plan = plan_up(catalogue, &ledger, &Target::Latest, &policy).unwrap();
        times.push(begun.elapsed().as_secs_f64());
        assert_eq!(plan.migrations().count(), 1);
    }
    times.sort_by(f64::total_cmp);
    times[TURNS / 2]
}

fn main() {
    // `cargo test --benches` calls this too, without the word that `cargo bench` adds; there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut is_slow = false;
    for provider in Provider::ALL {
        let folder = std::env::temp_dir().join(format!("branchkeeper-portable-{}-{provider}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for number in 1..=MIGRATIONS {
            fs::write(folder.join(format!("{number}_M.{provider}.yaml")), yaml(number)).unwrap();
        }
        let mut times: Vec<f64> = Vec::new();
        let mut plan_time = 0.0;
        for _ in 0..TURNS {
            let begun = Instant::now();
            let catalogue = load(&folder).unwrap();
            times.push(begun.elapsed().as_secs_f64());
            assert_eq!(catalogue.of(provider).migrations().len(), MIGRATIONS);
            plan_time = planning(catalogue.of(provider));
        }
        fs::remove_dir_all(&folder).unwrap();
        times.sort_by(f64::total_cmp);
        let median = times[TURNS / 2];
        let verdict = if median < LIMIT { "ok" } else { "TOO SLOW" };
        println!(
            "{provider}: {MIGRATIONS} portable migrations read and made in {median:.3} s (limit {LIMIT} s): {verdict}"
        );
        let verdict = if plan_time < PLAN_LIMIT { "ok" } else { "TOO SLOW" };
        println!(
            "{provider}: planned against {} applied in {:.3} ms (limit {} ms): {verdict}",
            MIGRATIONS - 1,
            plan_time * 1e3,
            PLAN_LIMIT * 1e3
        );
        is_slow |= median >= LIMIT || plan_time >= PLAN_LIMIT;
    }
    assert!(!is_slow, "too slow");
}

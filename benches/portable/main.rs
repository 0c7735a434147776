//! How long it takes to read 2,000 portable migrations and make one provider's statements of them: under 0.3 s.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::fs;
use std::time::Instant;

use branchkeeper::domain::Provider;
use branchkeeper::source::load;

const MIGRATIONS: usize = 2_000;
const LIMIT: f64 = 0.3;
const TURNS: usize = 5;

fn yaml(number: usize) -> String {
    format!(
        "description: Migration {number}
up:
  - create_table:
      name: Table{number}
      columns:
        Id:        {{ type: uuid, primary_key: true, default: uuid }}
        Parent:    {{ type: uuid, nullable: true, references: Table{number}(Id), on_delete: cascade }}
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

fn main() {
    let mut is_slow = false;
    for provider in Provider::ALL.into_iter().filter(|provider| provider.is_supported()) {
        let folder = std::env::temp_dir().join(format!("branchkeeper-portable-{}-{provider}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for number in 1..=MIGRATIONS {
            fs::write(folder.join(format!("{number}_M.{provider}.yaml")), yaml(number)).unwrap();
        }
        let mut times: Vec<f64> = Vec::new();
        for _ in 0..TURNS {
            let begun = Instant::now();
            let catalogue = load(&folder).unwrap();
            times.push(begun.elapsed().as_secs_f64());
            assert_eq!(catalogue.of(provider).migrations().len(), MIGRATIONS);
        }
        fs::remove_dir_all(&folder).unwrap();
        times.sort_by(f64::total_cmp);
        let median = times[TURNS / 2];
        let verdict = if median < LIMIT { "ok" } else { "TOO SLOW" };
        println!(
            "{provider}: {MIGRATIONS} portable migrations read and made in {median:.3} s (limit {LIMIT} s): {verdict}"
        );
        is_slow |= median >= LIMIT;
    }
    assert!(!is_slow, "too slow");
}

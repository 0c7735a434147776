use std::time::Duration;

use crate::support::Product;
use crate::trips::Trips;

/// The limit of resident memory with 10,000 registered branches.
const MEMORY_LIMIT: u64 = 150_000_000;

/// One measure, on both sides.
pub(crate) struct Comparison {
    name: String,
    wanted: f64,
    floor: Vec<Duration>,
    ours: Vec<Duration>,
}

impl Comparison {
    /// A measure whose ratio floor/ours is wanted to be at least `wanted`.
    pub(crate) fn new(name: String, wanted: f64) -> Self {
        Self { name, wanted, floor: Vec::new(), ours: Vec::new() }
    }

    pub(crate) fn add(&mut self, floor: Duration, ours: Duration) {
        self.floor.push(floor);
        self.ours.push(ours);
    }

    fn ratio(&self) -> f64 {
        median(&self.floor) / median(&self.ours)
    }
}

fn median(times: &[Duration]) -> f64 {
    let mut seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Everything that was measured.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) comparisons: Vec<Comparison>,
    /// Round trips, by server.
    pub(crate) trips: Vec<(&'static str, Trips)>,
    pub(crate) memory_bytes: u64,
}

impl Report {
    /// What is worse than it is wanted to be.
    pub(crate) fn misses(&self) -> Vec<String> {
        let slow = self.comparisons.iter().filter(|each| each.ratio() < each.wanted);
        let mut misses: Vec<String> = slow.map(|each| each.name.clone()).collect();
        misses
            .extend(self.trips.iter().filter(|(_, trips)| trips.current > 1).map(|(name, _)| format!("{name}: trips")));
        let postgres = |(name, trips): &&(&str, Trips)| *name == Product::Postgres.name() && trips.migration > 3.0;
        misses.extend(self.trips.iter().filter(postgres).map(|(name, _)| format!("{name}: trips of a migration")));
        if self.memory_bytes > MEMORY_LIMIT {
            misses.push("memory".into());
        }
        misses
    }

    /// Prints the table, then the same as one line of JSON.
    pub(crate) fn print(&self) {
        println!("{:<36} {:>10} {:>12} {:>7} {:>7}", "", "floor", "branchkeeper", "ratio", "wanted");
        for each in &self.comparisons {
            let (floor, ours) = (median(&each.floor), median(&each.ours));
            println!("{:<36} {floor:>9.3}s {ours:>11.3}s {:>7.2} {:>7.2}", each.name, each.ratio(), each.wanted);
        }
        for (server, trips) in &self.trips {
            println!(
                "{server}: {} round trips for an up-to-date branch after connecting, {:.1} per transactional migration \
                 of three statements",
                trips.current, trips.migration
            );
        }
        let memory = self.memory_bytes as f64 / 1e6;
        let limit = MEMORY_LIMIT as f64 / 1e6;
        if self.memory_bytes > 0 {
            println!("{:<36} {:>10} {memory:>10.1}MB {:>7} {limit:>5.0}MB", "10,000 registered branches", "", "");
        }
        let rows: Vec<_> = self
            .comparisons
            .iter()
            .map(|each| {
                serde_json::json!({
                    "name": each.name, "floor_seconds": median(&each.floor), "branchkeeper_seconds": median(&each.ours),
                    "ratio": each.ratio(), "wanted": each.wanted,
                })
            })
            .collect();
        let memory = serde_json::json!({"resident_bytes": self.memory_bytes, "limit_bytes": MEMORY_LIMIT});
        let trips: Vec<_> = self
            .trips
            .iter()
            .map(|(server, trips)| {
                let (current, migration) = (trips.current, trips.migration);
                serde_json::json!({"server": server, "up_to_date_branch": current, "transactional_migration": migration})
            })
            .collect();
        println!("{}", serde_json::json!({"comparisons": rows, "round_trips": trips, "memory": memory}));
    }
}

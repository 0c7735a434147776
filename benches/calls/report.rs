use std::time::Duration;

use crate::load::Measured;

/// One kind of call, made to the service and, where that says something, to the echo.
pub(crate) struct Comparison {
    name: String,
    /// The least share of the echo's calls per second; `None` where none is asked for.
    wanted: Option<f64>,
    echo: Vec<Measured>,
    ours: Vec<Measured>,
}

impl Comparison {
    pub(crate) fn new(name: &str, wanted: Option<f64>) -> Self {
        Self { name: name.to_owned(), wanted, echo: Vec::new(), ours: Vec::new() }
    }

    pub(crate) fn add(&mut self, echo: Measured, ours: Measured) {
        self.echo.push(echo);
        self.ours.push(ours);
    }

    fn ratio(&self) -> f64 {
        median(&self.ours, |each| each.per_second) / median(&self.echo, |each| each.per_second)
    }

    /// Whether it is at least what is wanted.
    pub(crate) fn is_enough(&self) -> bool {
        self.wanted.is_none_or(|wanted| self.ratio() >= wanted)
    }

    fn print(&self) {
        let wanted = self.wanted.map_or_else(String::new, |wanted| format!("{wanted:.2}"));
        println!(
            "{:<44} {:>9.0} {:>9.0} {:>6.2} {wanted:>6} {:>8} {:>8} {:>6} {:>6}",
            self.name,
            median(&self.echo, |each| each.per_second),
            median(&self.ours, |each| each.per_second),
            self.ratio(),
            milliseconds(median(&self.echo, |each| each.p99.as_secs_f64())),
            milliseconds(median(&self.ours, |each| each.p99.as_secs_f64())),
            microseconds(median(&self.echo, |each| each.processor.as_secs_f64())),
            microseconds(median(&self.ours, |each| each.processor.as_secs_f64())),
        );
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "name": self.name, "ratio": self.ratio(), "wanted": self.wanted,
            "echo": json(&self.echo), "branchkeeper": json(&self.ours),
        })
    }
}

/// What one part of a call adds: the same calls with it and without it, in turns.
pub(crate) struct Added {
    name: String,
    without: Vec<Measured>,
    with: Vec<Measured>,
}

impl Added {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), without: Vec::new(), with: Vec::new() }
    }

    pub(crate) fn add(&mut self, without: Measured, with: Measured) {
        self.without.push(without);
        self.with.push(with);
    }

    fn print(&self) {
        let of = |all: &[Measured], pick: fn(&Measured) -> Duration| median(all, |each| pick(each).as_secs_f64());
        let part = |pick: fn(&Measured) -> Duration| {
            let (without, with) = (of(&self.without, pick), of(&self.with, pick));
            format!("{} -> {} ({:+.3})", milliseconds(without), milliseconds(with), (with - without) * 1e3)
        };
        println!("{:<44} {:>28} {:>28}", self.name, part(|each| each.median), part(|each| each.p99));
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({ "name": self.name, "without": json(&self.without), "with": json(&self.with) })
    }
}

/// Prints the tables, then the same as one line of JSON.
pub(crate) fn print(load: &str, callers: usize, comparisons: &[Comparison], added: &[Added]) {
    println!(
        "{callers} callers ({load}); calls per second, their ratio, p99 in ms, processor time of the server per call in us"
    );
    println!(
        "{:<44} {:>9} {:>9} {:>6} {:>6} {:>8} {:>8} {:>6} {:>6}",
        "", "echo", "ours", "ratio", "wanted", "echo p99", "our p99", "echo", "ours"
    );
    comparisons.iter().for_each(Comparison::print);
    println!("\n{:<44} {:>28} {:>28}", "what is added, in ms: without -> with", "median", "p99");
    added.iter().for_each(Added::print);
    let comparisons: Vec<_> = comparisons.iter().map(Comparison::json).collect();
    let added: Vec<_> = added.iter().map(Added::json).collect();
    println!("{}", serde_json::json!({ "load": load, "callers": callers, "comparisons": comparisons, "added": added }));
}

fn json(all: &[Measured]) -> serde_json::Value {
    serde_json::json!({
        "calls_per_second": median(all, |each| each.per_second),
        "mean_seconds": median(all, |each| each.mean.as_secs_f64()),
        "median_seconds": median(all, |each| each.median.as_secs_f64()),
        "p99_seconds": median(all, |each| each.p99.as_secs_f64()),
        "server_processor_seconds": median(all, |each| each.processor.as_secs_f64()),
    })
}

fn median(all: &[Measured], pick: impl Fn(&Measured) -> f64) -> f64 {
    let mut values: Vec<f64> = all.iter().map(pick).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.3}", seconds * 1e3)
}

fn microseconds(seconds: f64) -> String {
    format!("{:.0}", seconds * 1e6)
}

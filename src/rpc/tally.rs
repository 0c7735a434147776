use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tonic::Code;

use super::auth;
use crate::web::{Exposition, Kind};

/// The name of methods that there are not.
const UNKNOWN: &str = "unknown";
/// The number of codes of gRPC.
const CODES: usize = 17;

/// How many calls there were of each method, how they ended, and how long they took.
#[derive(Debug)]
pub(super) struct Tally(Vec<Method>);

#[derive(Debug)]
struct Method {
    name: &'static str,
    /// By the number of the code.
    ended: [AtomicU64; CODES],
    nanoseconds: AtomicU64,
}

impl Tally {
    /// One for every method that there is: whoever invents names makes it no larger.
    pub(super) fn new() -> Self {
        let names = auth::methods().chain([UNKNOWN]);
        let method = |name| Method { name, ended: Default::default(), nanoseconds: AtomicU64::new(0) };
        Self(names.map(method).collect())
    }

    /// A call of the method at `path` was answered.
    pub(super) fn answered(&self, path: &str, code: Code, took: Duration) {
        let name = path.strip_prefix('/').unwrap_or_default();
        let Some(method) = self.0.iter().find(|method| method.name == name).or(self.0.last()) else { return };
        if let Some(ended) = usize::try_from(code as i32).ok().and_then(|code| method.ended.get(code)) {
            ended.fetch_add(1, Ordering::Relaxed);
        }
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        method.nanoseconds.fetch_add(took, Ordering::Relaxed);
    }

    /// Writes the counts of the methods that were called.
    pub(super) fn write(&self, page: &mut Exposition) {
        let help = "Calls by the code that they were answered with. A stream counts as OK once it has begun.";
        let mut calls = page.family("branchkeeper_calls_total", Kind::Counter, help);
        for method in &self.0 {
            for (code, ended) in method.ended.iter().enumerate() {
                let number = ended.load(Ordering::Relaxed);
                if number > 0 {
                    calls.sample(&[("method", method.name), ("code", code_name(code))], number);
                }
            }
        }
        let help = "The time until calls were answered, in all; of streams, until they had begun.";
        let mut seconds = page.family("branchkeeper_call_seconds_total", Kind::Counter, help);
        for method in &self.0 {
            let nanoseconds = method.nanoseconds.load(Ordering::Relaxed);
            if nanoseconds > 0 {
                seconds.sample(&[("method", method.name)], Duration::from_nanos(nanoseconds).as_secs_f64());
            }
        }
    }
}

/// A code as gRPC's specification writes it.
fn code_name(code: usize) -> &'static str {
    const NAMES: [&str; CODES] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    NAMES.get(code).copied().unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_method_and_code_and_names_that_are_none_together() {
        let tally = Tally::new();
        let status = "/branchkeeper.v1.MigrationService/Status";
        for code in [Code::Ok, Code::Ok, Code::Unauthenticated] {
            tally.answered(status, code, Duration::from_millis(500));
        }
        for number in 0..1000 {
            tally.answered(&format!("/nothing/N{number}"), Code::Unimplemented, Duration::ZERO);
        }
        let mut page = Exposition::default();
        tally.write(&mut page);
        let text = page.into_text();
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "branchkeeper_calls_total{method=\"branchkeeper.v1.MigrationService/Status\",code=\"OK\"} 2",
                "branchkeeper_calls_total{method=\"branchkeeper.v1.MigrationService/Status\",code=\"UNAUTHENTICATED\"} 1",
                "branchkeeper_calls_total{method=\"unknown\",code=\"UNIMPLEMENTED\"} 1000",
                "branchkeeper_call_seconds_total{method=\"branchkeeper.v1.MigrationService/Status\"} 1.5",
            ]
        );
    }
}

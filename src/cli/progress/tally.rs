use std::collections::BTreeMap;

use crate::rpc::proto;
use crate::rpc::proto::Direction;
use crate::rpc::proto::run_event::Event;

/// The most branches that are remembered as being worked on; more than any run works on at once.
const MAX_ACTIVE: usize = 2_000;

/// What is known of a run so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// How many branches the run covers.
    pub(super) total: u32,
    /// How many of them are finished.
    pub(super) done: u32,
    /// How many of those that were seen to finish succeeded.
    pub(super) succeeded: u32,
    /// How many of those that were seen to finish did not.
    pub(super) failed: u32,
    /// What is happening to the branches that are being worked on, by code.
    pub(super) active: BTreeMap<String, String>,
}

impl Tally {
    /// Takes an event in.
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::RunStarted(started) => {
                self.total = started.branches_total;
                // Another process may have taken the run up: nothing is being worked on any more.
                self.active.clear();
            }
            Event::BranchStarted(started) => {
                let what = if started.direction == i32::from(Direction::Down) { "undo" } else { "apply" };
                let doing = match started.pending_migrations {
                    1 => format!("1 migration to {what}"),
                    pending => format!("{pending} migrations to {what}"),
                };
                self.doing(&started.branch_code, doing);
            }
            Event::MigrationStarted(started) => {
                let doing = format!("{}/{} {}", started.index, started.total, started.migration_id);
                self.doing(&started.branch_code, doing);
            }
            Event::StatementFinished(finished) => {
                let doing = format!("{} statement {}/{}", finished.migration_id, finished.index, finished.total);
                self.doing(&finished.branch_code, doing);
            }
            Event::MigrationFinished(_) | Event::RunFinished(_) => {}
            Event::BranchFinished(finished) => {
                self.active.remove(&finished.branch_code);
                self.total = self.total.max(finished.branches_total);
                self.done = self.done.max(finished.branches_done);
                if succeeded(finished) { self.succeeded += 1 } else { self.failed += 1 }
            }
        }
    }

    fn doing(&mut self, branch: &str, what: String) {
        if self.active.contains_key(branch) || self.active.len() < MAX_ACTIVE {
            self.active.insert(branch.to_owned(), what);
        }
    }
}

/// Whether nothing went wrong on the branch.
pub(super) fn succeeded(finished: &proto::BranchFinished) -> bool {
    finished.error.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(code: &str, done: u32, error: Option<proto::MigrationError>) -> Event {
        Event::BranchFinished(proto::BranchFinished {
            branch_code: code.into(),
            branches_done: done,
            branches_total: 3,
            error,
            ..Default::default()
        })
    }

    #[test]
    fn counts_follow_the_events() {
        let mut tally = Tally::default();
        tally.take(&Event::RunStarted(proto::RunStarted { branches_total: 3 }));
        let started =
            |code: &str| Event::BranchStarted(proto::BranchStarted { branch_code: code.into(), ..Default::default() });
        tally.take(&started("A"));
        tally.take(&started("B"));
        assert_eq!(tally.active.len(), 2);
        tally.take(&finished("A", 1, None));
        tally.take(&finished("B", 2, Some(proto::MigrationError::default())));
        assert!(tally.active.is_empty());
        assert_eq!((tally.total, tally.done, tally.succeeded, tally.failed), (3, 2, 1, 1));
    }

    #[test]
    fn a_watch_from_the_middle_knows_the_totals() {
        let mut tally = Tally::default();
        tally.take(&finished("C", 3, None));
        assert_eq!((tally.total, tally.done, tally.succeeded), (3, 3, 1));
    }
}

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::super::output::text::one_line;
use super::tally::Tally;

/// How many branches are shown at work; of the others there are only numbers.
const SHOWN: usize = 6;
/// How often the spinners turn, so that a long silence looks alive.
const TICK: Duration = Duration::from_millis(120);

/// Moving bars on standard error: one for the run, and a few of the branches that are being worked on.
pub(super) struct Bars {
    all: MultiProgress,
    overall: ProgressBar,
    branches: BTreeMap<String, ProgressBar>,
}

impl Bars {
    pub(super) fn new() -> Self {
        let all = MultiProgress::new();
        let overall = all.add(ProgressBar::new(0));
        overall.set_style(style("{bar:24} {pos}/{len} {wide_msg} {elapsed}"));
        overall.enable_steady_tick(TICK);
        Self { all, overall, branches: BTreeMap::new() }
    }

    /// Shows what the tally says.
    pub(super) fn update(&mut self, tally: &Tally) {
        self.overall.set_length(tally.total.into());
        self.overall.set_position(tally.done.into());
        let failed = if tally.failed > 0 { format!(", {} failed", tally.failed) } else { String::new() };
        self.overall.set_message(format!("{} ok{failed}, {} at work", tally.succeeded, tally.active.len()));
        self.branches.retain(|code, bar| {
            let stays = tally.active.contains_key(code);
            if !stays {
                bar.finish_and_clear();
            }
            stays
        });
        for (code, doing) in &tally.active {
            if let Some(bar) = self.branches.get(code) {
                bar.set_message(one_line(doing));
            } else if self.branches.len() < SHOWN {
                let bar = self.all.add(ProgressBar::new_spinner());
                bar.set_style(style("{spinner} {prefix} {wide_msg}"));
                bar.set_prefix(one_line(code));
                bar.set_message(one_line(doing));
                bar.enable_steady_tick(TICK);
                self.branches.insert(code.clone(), bar);
            }
        }
    }

    /// Writes lines that stay above the bars.
    pub(super) fn above(&self, lines: &[String]) {
        for line in lines {
            // Standard error is gone; the run matters more.
            let _ = self.all.println(line);
        }
    }

    /// Takes all bars away.
    pub(super) fn close(self) {
        for bar in self.branches.values() {
            bar.finish_and_clear();
        }
        self.overall.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

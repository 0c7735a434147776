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
    /// Lines that branches take turns on: adding and removing bars would redraw everything for each branch.
    slots: Vec<Slot>,
}

struct Slot {
    bar: ProgressBar,
    /// The branch that the line shows; empty for none.
    code: String,
}

impl Bars {
    pub(super) fn new() -> Self {
        let all = MultiProgress::new();
        let overall = all.add(ProgressBar::new(0));
        overall.set_style(style("{bar:24} {pos}/{len} {wide_msg} {elapsed}"));
        overall.enable_steady_tick(TICK);
        Self { all, overall, slots: Vec::new() }
    }

    /// Shows what the tally says.
    pub(super) fn update(&mut self, tally: &Tally) {
        self.overall.set_length(tally.total.into());
        self.overall.set_position(tally.done.into());
        let failed = if tally.failed > 0 { format!(", {} failed", tally.failed) } else { String::new() };
        self.overall.set_message(format!("{} ok{failed}, {} at work", tally.succeeded, tally.active.len()));
        for slot in &mut self.slots {
            match tally.active.get(&slot.code) {
                Some(doing) => slot.bar.set_message(one_line(&format!("{} {doing}", slot.code))),
                None if slot.code.is_empty() => {}
                None => {
                    slot.code.clear();
                    slot.bar.set_message("");
                }
            }
        }
        while self.slots.len() < SHOWN.min(tally.active.len()) {
            let bar = self.all.add(ProgressBar::new_spinner());
            bar.set_style(style("{spinner} {wide_msg}"));
            bar.enable_steady_tick(TICK);
            self.slots.push(Slot { bar, code: String::new() });
        }
        if self.slots.iter().any(|slot| slot.code.is_empty()) {
            self.fill(tally);
        }
    }

    fn fill(&mut self, tally: &Tally) {
        let waiting: Vec<_> =
            tally.active.iter().filter(|(code, _)| self.slots.iter().all(|slot| slot.code != **code)).collect();
        let free = self.slots.iter_mut().filter(|slot| slot.code.is_empty());
        for (slot, (code, doing)) in free.zip(waiting) {
            slot.code.clone_from(code);
            slot.bar.set_message(one_line(&format!("{code} {doing}")));
        }
    }

    /// Writes lines that stay above the bars.
    pub(super) fn above(&self, lines: &[String]) {
        // When standard error is gone, the run still matters.
        let _ = self.all.println(lines.join("\n"));
    }

    /// Takes all bars away.
    pub(super) fn close(self) {
        for slot in &self.slots {
            slot.bar.finish_and_clear();
        }
        self.overall.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

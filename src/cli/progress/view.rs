use std::io::{self, IsTerminal};

use super::super::failure::Failure;
use super::super::output::text::{count, duration, one_line};
use super::super::output::{Json, Printer, Style, error_lines, names, notice, summary};
use super::bars::Bars;
use super::tally::{Tally, succeeded};
use crate::rpc::proto;
use crate::rpc::proto::run_event::Event;

/// The most codes that are named again after the summary.
const MAX_NAMED: usize = 20;

/// Shows a run as it goes: moving bars on a terminal, a line for each branch in a pipe, an object for each event as JSON.
pub(crate) struct View {
    printer: Printer,
    tally: Tally,
    bars: Option<Bars>,
    /// The branches that failed, as far as they are named again at the end.
    failed: Vec<String>,
}

impl View {
    /// A view that fits whoever reads standard output.
    pub(crate) fn new(printer: Printer) -> Self {
        let moving = !printer.is_json() && io::stdout().is_terminal() && io::stderr().is_terminal();
        Self { printer, tally: Tally::default(), bars: moving.then(Bars::new), failed: Vec::new() }
    }

    /// Shows an event.
    pub(crate) fn event(&mut self, event: &proto::RunEvent) -> Result<(), Failure> {
        if self.printer.is_json() {
            return Ok(self.printer.json_line(&Json(event))?);
        }
        let Some(body) = &event.event else { return Ok(()) };
        self.tally.take(body);
        if let Some(bars) = &mut self.bars {
            bars.update(&self.tally);
        }
        match body {
            Event::RunStarted(started) => {
                let branches = count(started.branches_total, "branch", "branches");
                self.say(&[format!("Run {}: {branches}", event.run_id)])
            }
            Event::StatementFinished(finished) => self.statement(finished),
            Event::BranchFinished(finished) => self.branch(finished),
            Event::RunFinished(finished) => self.end(&finished.result.clone().unwrap_or_default()),
            Event::BranchStarted(_) | Event::MigrationStarted(_) | Event::MigrationFinished(_) => Ok(()),
        }
    }

    /// Tells the person something that is not part of the run.
    pub(crate) fn notice(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.above(&[text.to_owned()]),
            None => notice(text),
        }
    }

    /// Takes the bars away.
    pub(crate) fn close(&mut self) {
        if let Some(bars) = self.bars.take() {
            bars.close();
        }
    }

    fn statement(&self, finished: &proto::StatementFinished) -> Result<(), Failure> {
        // On a terminal the bars show it.
        if self.bars.is_some() {
            return Ok(());
        }
        let took = duration(finished.duration.as_ref());
        let place = format!("{} statement {}/{}", finished.migration_id, finished.index, finished.total);
        self.say(&[one_line(&format!("{}  {place}  {took}", finished.branch_code))])
    }

    fn branch(&mut self, finished: &proto::BranchFinished) -> Result<(), Failure> {
        let good = succeeded(finished);
        if !good && self.failed.len() <= MAX_NAMED {
            self.failed.push(finished.branch_code.clone());
        }
        // On a terminal only bad news is worth a line that stays.
        if good && self.bars.is_some() {
            return Ok(());
        }
        self.say(&branch_lines(finished, &self.printer))
    }

    fn end(&mut self, result: &proto::MigrationResult) -> Result<(), Failure> {
        self.close();
        let style = if result.success { Style::Good } else { Style::Bad };
        self.printer.line(&self.printer.paint(&summary(result), style))?;
        if !self.failed.is_empty() {
            let named: Vec<String> = self.failed.iter().take(MAX_NAMED).map(|code| one_line(code)).collect();
            let more = (result.branches_failed as usize).saturating_sub(named.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            self.printer.line(&format!("failed: {}{more}", named.join(", ")))?;
        }
        Ok(())
    }

    fn say(&self, lines: &[String]) -> Result<(), Failure> {
        match &self.bars {
            Some(bars) => bars.above(lines),
            None => self.printer.raw(lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes())?,
        }
        Ok(())
    }
}

/// What came of a branch, in one line and, if it failed, a few more.
fn branch_lines(finished: &proto::BranchFinished, printer: &Printer) -> Vec<String> {
    let undone = finished.rolled_back_migrations.len() as u64;
    let applied = match finished.applied_migrations.len() as u64 {
        _ if undone > 0 => format!("{} undone", count(undone, "migration", "migrations")),
        0 if succeeded(finished) => "up to date".to_owned(),
        applied => format!("{} applied", count(applied, "migration", "migrations")),
    };
    let status = printer.paint(&names::status(finished.status), names::status_style(finished.status));
    let took = duration(finished.duration.as_ref());
    let mut lines = vec![format!("{}  {status}  {applied}  {took}", one_line(&finished.branch_code)).trim_end().into()];
    if let Some(error) = &finished.error {
        lines.extend(error_lines(error).into_iter().map(|line| format!("    {line}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::super::output::Format;
    use super::*;

    #[test]
    fn a_branch_is_told_in_a_line_and_a_failure_in_more() {
        let printer = Printer::new(Format::Table, true);
        let mut finished = proto::BranchFinished {
            branch_code: "BR001".into(),
            status: proto::MigrationStatus::Completed.into(),
            duration: Some(prost_types::Duration { seconds: 0, nanos: 12_000_000 }),
            ..Default::default()
        };
        assert_eq!(branch_lines(&finished, &printer), ["BR001  Completed  up to date  12ms"]);
        finished.applied_migrations = vec!["1_a".into(), "2_b".into()];
        assert_eq!(branch_lines(&finished, &printer), ["BR001  Completed  2 migrations applied  12ms"]);
        finished.status = proto::MigrationStatus::Failed.into();
        finished.error =
            Some(proto::MigrationError { message: "no such table".into(), hint: "look".into(), ..Default::default() });
        let lines = branch_lines(&finished, &printer);
        assert_eq!(lines, ["BR001  Failed  2 migrations applied  12ms", "    no such table", "    hint: look"]);
    }
}

use std::io;

use serde::Serialize;

use super::super::super::output::text::one_line;
use super::super::super::output::{Printer, Style};
use super::plan::Plan;

/// Tells what was done, as it is done; with JSON, in one document at the end.
pub(super) struct Report {
    printer: Printer,
    done: Done,
}

#[derive(Default, Serialize)]
struct Done {
    dry_run: bool,
    created: Vec<String>,
    updated: Vec<Changed>,
    unchanged: Vec<String>,
    removed: Vec<String>,
    failed: Vec<Failed>,
}

#[derive(Serialize)]
struct Changed {
    code: String,
    fields: Vec<&'static str>,
}

#[derive(Serialize)]
struct Failed {
    code: String,
    message: String,
}

impl Report {
    pub(super) fn new(printer: Printer, dry_run: bool) -> Self {
        Self { printer, done: Done { dry_run, ..Done::default() } }
    }

    /// Tells what would be done.
    pub(super) fn would(&mut self, plan: &Plan) -> io::Result<()> {
        for code in &plan.removals {
            self.removed(code, Ok(()))?;
        }
        for branch in &plan.creations {
            self.created(&branch.code, Ok(()))?;
        }
        for update in &plan.updates {
            self.updated(&update.value.code, &update.fields, Ok(()))?;
        }
        Ok(())
    }

    pub(super) fn created(&mut self, code: &str, result: Result<(), String>) -> io::Result<()> {
        if self.passed("create", "created", code, "", result)? {
            self.done.created.push(code.to_owned());
        }
        Ok(())
    }

    pub(super) fn updated(
        &mut self,
        code: &str,
        fields: &[&'static str],
        result: Result<(), String>,
    ) -> io::Result<()> {
        if self.passed("update", "updated", code, &format!(" ({})", fields.join(", ")), result)? {
            self.done.updated.push(Changed { code: code.to_owned(), fields: fields.to_vec() });
        }
        Ok(())
    }

    pub(super) fn removed(&mut self, code: &str, result: Result<(), String>) -> io::Result<()> {
        if self.passed("remove", "removed", code, "", result)? {
            self.done.removed.push(code.to_owned());
        }
        Ok(())
    }

    /// Whether the service refused some of it.
    pub(super) fn is_refused(&self) -> bool {
        !self.done.failed.is_empty()
    }

    /// Ends the report.
    pub(super) fn finish(&mut self, plan: &Plan) -> io::Result<()> {
        self.done.unchanged.clone_from(&plan.unchanged);
        if self.printer.is_json() {
            return self.printer.json(&self.done);
        }
        let numbers = [
            (self.done.created.len(), "created"),
            (self.done.updated.len(), "updated"),
            (self.done.unchanged.len(), "unchanged"),
            (self.done.removed.len(), "removed"),
            (self.done.failed.len(), "refused"),
        ];
        let told = numbers.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}"));
        let prefix = if self.done.dry_run { "Nothing was changed. It would be: " } else { "" };
        self.printer.line(&format!("{prefix}{}", told.collect::<Vec<_>>().join(", ")))
    }

    fn passed(
        &mut self,
        verb: &str,
        participle: &str,
        code: &str,
        detail: &str,
        result: Result<(), String>,
    ) -> io::Result<bool> {
        let shown = one_line(code);
        match result {
            Ok(()) => {
                if !self.printer.is_json() {
                    let word = if self.done.dry_run { format!("would {verb}") } else { participle.to_owned() };
                    self.printer.line(&format!("{word} {shown}{detail}"))?;
                }
                Ok(true)
            }
            Err(message) => {
                if !self.printer.is_json() {
                    let head = self.printer.paint(&format!("cannot {verb} {shown}"), Style::Bad);
                    self.printer.line(&format!("{head}: {}", message.trim_start_matches("error: ")))?;
                }
                self.done.failed.push(Failed { code: code.to_owned(), message });
                Ok(false)
            }
        }
    }
}

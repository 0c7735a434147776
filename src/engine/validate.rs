//! Whether a branch is what the catalogue says: a pure comparison.

use crate::domain::{
    Direction, Finding, FindingKind, LEDGER_FORMAT, Ledger, LedgerRow, MigrationId, ObjectName, ProviderCatalogue,
    RowState, Severity, pending, shorten,
};
use crate::provider::Tables;

/// Compares a branch's ledger and tables with the catalogue and the tables that the configuration demands.
pub(super) fn findings(
    catalogue: &ProviderCatalogue,
    ledger: &Ledger,
    tables: &Tables,
    required: &[String],
) -> Vec<Finding> {
    let mut found = Vec::new();
    if !ledger.exists {
        let text = "the branch has no ledger; it was never migrated";
        found.push(finding(Severity::Error, FindingKind::LedgerMissing, text.into(), "", ""));
    }
    for row in &ledger.rows {
        found.extend(about_row(catalogue, row));
    }
    for migration in pending(catalogue, ledger) {
        let text = format!("{} is not applied", migration.id);
        found.push(finding(Severity::Warning, FindingKind::PendingMigration, text, "", migration.id.as_str()));
    }
    let expected = catalogue.tables(|id| ledger.is_applied(id.as_str()));
    for name in expected.iter().filter(|name| !tables.holds(name)) {
        let text = format!("the table {name} does not exist, though an applied migration creates it");
        found.push(finding(Severity::Error, FindingKind::MissingTable, text, &name.to_string(), ""));
    }
    for name in required {
        let name = parse_name(name);
        if !expected.contains(&name) && !tables.holds(&name) {
            let text = format!("the table {name} does not exist, though validation.required_tables demands it");
            found.push(finding(Severity::Error, FindingKind::MissingTable, text, &name.to_string(), ""));
        }
    }
    found
}

fn about_row(catalogue: &ProviderCatalogue, row: &LedgerRow) -> Option<Finding> {
    let shown = shorten(&row.id, MigrationId::MAX);
    if row.format > LEDGER_FORMAT {
        let text = format!("the ledger's row for {shown} was written by a newer Branchkeeper (format {})", row.format);
        return Some(finding(Severity::Error, FindingKind::NewerLedger, text, "", &shown));
    }
    if let RowState::Partial(progress) = &row.state {
        let text = format!(
            "{shown} stands half {}: {} of {} statements are done{}",
            match progress.direction {
                Direction::Up => "applied",
                Direction::Down => "undone",
            },
            progress.done.len(),
            progress.total,
            if progress.intent.is_some() { ", and the next one was begun" } else { "" }
        );
        return Some(finding(Severity::Error, FindingKind::PartialMigration, text, "", &shown));
    }
    let id = row.id.parse::<MigrationId>().ok();
    match id.as_ref().and_then(|id| catalogue.get(id)) {
        None if id.is_some_and(|id| id.is_repeatable()) => None,
        None => {
            let text = format!("{shown} is applied, but the catalogue does not have it");
            Some(finding(Severity::Error, FindingKind::UnknownMigration, text, "", &shown))
        }
        Some(known) if !known.id.is_repeatable() && known.checksum != row.checksum => {
            let text = format!("{} was changed after it was applied ({shown}); restore the file", known.up.file);
            Some(finding(Severity::Error, FindingKind::ChecksumMismatch, text, &known.up.file, &shown))
        }
        Some(_) => None,
    }
}

fn parse_name(text: &str) -> ObjectName {
    match text.split_once('.') {
        Some((schema, name)) => ObjectName { schema: Some(schema.to_owned()), name: name.to_owned() },
        None => ObjectName::bare(text),
    }
}

fn finding(severity: Severity, kind: FindingKind, message: String, object: &str, migration: &str) -> Finding {
    Finding { severity, kind, message, object: object.to_owned(), migration_id: migration.to_owned() }
}

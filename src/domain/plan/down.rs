use serde::{Deserialize, Serialize};

use super::down_rows::chosen;
use super::units::{check_progress, checksum_changed, into_units, is_half_undone};
use super::{Direction, Plan, Planned, Policy};
use crate::domain::{LEDGER_FORMAT, Ledger, MigrationId, ProviderCatalogue, Refusal, RowState, shorten};

/// What to undo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Undo {
    /// So many of the migrations that were applied last.
    Steps(u32),
    /// Every migration after this one, which stays applied.
    After(MigrationId),
    /// These, as far as they are still applied: what an earlier attempt was about to undo.
    These(Vec<MigrationId>),
}

impl Default for Undo {
    fn default() -> Self {
        Self::Steps(1)
    }
}

/// What the planner of a rollback lets pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DownPolicy {
    /// Whether checksums are validated, and how migrations and transactions go together.
    pub policy: Policy,
    /// Run statements that destroy something for good.
    pub allow_data_loss: bool,
}

/// Plans what to do so that the migrations that `undo` means are no longer applied, those applied last first. Repeatable
/// migrations are not undone; their ledger rows stay.
///
/// Pure: the same input gives the same plan. On refusal, every offender is listed.
pub fn plan_down(
    catalogue: &ProviderCatalogue,
    ledger: &Ledger,
    undo: &Undo,
    policy: &DownPolicy,
) -> Result<Plan, Vec<Refusal>> {
    let mut refusals = Vec::new();
    for row in ledger.rows.iter().filter(|row| row.format > LEDGER_FORMAT) {
        refusals.push(Refusal::NewerLedger { id: row.id.clone(), format: row.format });
    }
    let rows = chosen(ledger, undo, &mut refusals);
    for row in &ledger.rows {
        match &row.state {
            RowState::Partial(progress) if progress.direction == Direction::Up => {
                refusals.push(Refusal::HalfApplied { id: row.id.clone() });
            }
            RowState::Partial(_) if !rows.iter().any(|chosen| chosen.id == row.id) => {
                refusals.push(Refusal::HalfUndoneElsewhere { id: row.id.clone() });
            }
            _ => {}
        }
    }
    let mut planned = Vec::new();
    for row in rows {
        let id = row.id.parse::<MigrationId>().ok();
        let Some(migration) = id.as_ref().and_then(|id| catalogue.get(id)) else {
            refusals.push(Refusal::Unknown { id: row.id.clone() });
            continue;
        };
        // Of a migration that stands half undone, the statements that are done are compared instead.
        if policy.policy.validate_checksums && row.checksum != migration.checksum && !is_half_undone(row) {
            refusals.push(checksum_changed(migration, row));
        }
        if migration.down.is_none() {
            refusals.push(Refusal::Irreversible {
                id: migration.id.clone(),
                file: migration.up.file.clone(),
                reason: migration.irreversible.clone(),
            });
            continue;
        }
        let resume = match &row.state {
            RowState::Partial(progress) => Some(progress.clone()),
            RowState::Applied => None,
        };
        planned.push(Planned { migration: migration.clone(), direction: Direction::Down, resume, replaces: false });
    }
    check_dependents(catalogue, ledger, &planned, &mut refusals);
    check_progress(&planned, &mut refusals);
    if !policy.allow_data_loss {
        planned.iter().for_each(|each| check_loss(each, &mut refusals));
    }
    let units = into_units(planned, policy.policy.transaction_mode, &mut refusals);
    if refusals.is_empty() { Ok(Plan { units }) } else { Err(refusals) }
}

/// What stays applied must not need what goes.
fn check_dependents(catalogue: &ProviderCatalogue, ledger: &Ledger, planned: &[Planned], refusals: &mut Vec<Refusal>) {
    let goes = |id: &MigrationId| planned.iter().any(|each| each.migration.id == *id);
    for stays in catalogue.migrations() {
        if !ledger.is_applied(stays.id.as_str()) || goes(&stays.id) {
            continue;
        }
        for needs in stays.depends_on.iter().filter(|needs| goes(needs)) {
            refusals.push(Refusal::StillNeeded { id: needs.clone(), by: stays.id.clone() });
        }
    }
}

fn check_loss(planned: &Planned, refusals: &mut Vec<Refusal>) {
    let script = planned.script();
    for statement in script.statements.iter().skip(planned.begin()) {
        if let Some(what) = &statement.risk.destroys {
            refusals.push(Refusal::LosesData {
                id: planned.migration.id.clone(),
                file: script.file.clone(),
                line: statement.line,
                what: shorten(what, 120),
            });
        }
    }
}

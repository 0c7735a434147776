use std::sync::Arc;

use super::units::{check_progress, checksum_changed, into_units, is_half_undone};
use super::{Direction, Plan, Planned, Policy, Target};
use crate::domain::{LEDGER_FORMAT, Ledger, Migration, MigrationId, ProviderCatalogue, Refusal, RowState};

/// The migrations that a branch lacks, whether or not they could be applied now.
pub fn pending(catalogue: &ProviderCatalogue, ledger: &Ledger) -> Vec<Arc<Migration>> {
    let lacks = |migration: &&Arc<Migration>| match ledger.get(migration.id.as_str()) {
        Some(row) if row.is_applied() => migration.id.is_repeatable() && row.checksum != migration.checksum,
        _ => true,
    };
    catalogue.migrations().iter().filter(lacks).cloned().collect()
}

/// Plans what to do so that a branch with this `ledger` arrives at `target`.
///
/// Pure: the same input gives the same plan. On refusal, every offender is listed.
pub fn plan_up(
    catalogue: &ProviderCatalogue,
    ledger: &Ledger,
    target: &Target,
    policy: &Policy,
) -> Result<Plan, Vec<Refusal>> {
    let mut refusals = Vec::new();
    check_ledger(catalogue, ledger, policy, &mut refusals);
    let newest = newest_applied(ledger);
    if let (Target::UpTo(target), Some(newest)) = (target, &newest)
        && newest > target
    {
        refusals.push(Refusal::TargetBehind { target: target.clone(), newest: newest.to_string() });
    }

    let mut planned = Vec::new();
    let half_undone = |id: &MigrationId| ledger.get(id.as_str()).is_some_and(is_half_undone);
    for migration in pending(catalogue, ledger).into_iter().filter(|m| target.includes(&m.id)) {
        if half_undone(&migration.id) {
            // Refused above; its journal is of another script.
            continue;
        }
        let resume = match ledger.get(migration.id.as_str()).map(|row| &row.state) {
            Some(RowState::Partial(progress)) => Some(progress.clone()),
            _ => None,
        };
        let replaces = ledger.is_applied(migration.id.as_str());
        planned.push(Planned { migration, direction: Direction::Up, resume, replaces });
    }
    check_order(&planned, newest.as_ref(), policy, &mut refusals);
    check_dependencies(&planned, ledger, &mut refusals);
    check_progress(&planned, &mut refusals);
    let units = into_units(planned, policy.transaction_mode, &mut refusals);
    if refusals.is_empty() { Ok(Plan { units }) } else { Err(refusals) }
}

fn newest_applied(ledger: &Ledger) -> Option<MigrationId> {
    let ids = ledger.rows.iter().filter(|row| row.is_applied()).filter_map(|row| row.id.parse::<MigrationId>().ok());
    ids.filter(|id| !id.is_repeatable()).max()
}

fn check_ledger(catalogue: &ProviderCatalogue, ledger: &Ledger, policy: &Policy, refusals: &mut Vec<Refusal>) {
    for row in &ledger.rows {
        if row.format > LEDGER_FORMAT {
            refusals.push(Refusal::NewerLedger { id: row.id.clone(), format: row.format });
            continue;
        }
        let id = row.id.parse::<MigrationId>().ok();
        let known = id.as_ref().and_then(|id| catalogue.get(id));
        match known {
            // A repeatable migration that was deleted from the folder leaves its last effect behind; that is not drift.
            None if id.is_some_and(|id| id.is_repeatable()) => {}
            None => refusals.push(Refusal::Unknown { id: row.id.clone() }),
            Some(migration) if is_half_undone(row) => {
                refusals.push(Refusal::HalfUndone { id: migration.id.clone() });
            }
            Some(migration) => {
                let changed = row.is_applied() && !migration.id.is_repeatable() && row.checksum != migration.checksum;
                if changed && policy.validate_checksums {
                    refusals.push(checksum_changed(migration, row));
                }
            }
        }
    }
}

fn check_order(planned: &[Planned], newest: Option<&MigrationId>, policy: &Policy, refusals: &mut Vec<Refusal>) {
    let Some(newest) = newest.filter(|_| !policy.out_of_order) else { return };
    let fresh = planned.iter().filter(|each| each.resume.is_none());
    for id in fresh.map(|each| &each.migration.id).filter(|id| *id < newest) {
        refusals.push(Refusal::OutOfOrder { id: id.clone(), newest: newest.to_string() });
    }
}

fn check_dependencies(planned: &[Planned], ledger: &Ledger, refusals: &mut Vec<Refusal>) {
    for (index, each) in planned.iter().enumerate() {
        for needs in &each.migration.depends_on {
            let before = planned[..index].iter().any(|earlier| earlier.migration.id == *needs);
            if !before && !ledger.is_applied(needs.as_str()) {
                refusals.push(Refusal::MissingDependency { id: each.migration.id.clone(), needs: needs.clone() });
            }
        }
    }
}

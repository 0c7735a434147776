use super::{Direction, Undo};
use crate::domain::{Ledger, LedgerRow, MigrationId, Refusal, RowState};

/// The rows of what is to be undone, those applied last first.
pub(super) fn chosen<'l>(ledger: &'l Ledger, undo: &Undo, refusals: &mut Vec<Refusal>) -> Vec<&'l LedgerRow> {
    let candidates: Vec<&LedgerRow> = ledger.rows.iter().rev().filter(|row| can_be_undone(row)).collect();
    match undo {
        Undo::Steps(steps) => {
            let steps = usize::try_from(*steps).unwrap_or(usize::MAX);
            if candidates.is_empty() {
                refusals.push(Refusal::NothingToUndo);
            } else if candidates.len() < steps {
                refusals.push(Refusal::TooManySteps { asked: steps, applied: candidates.len() });
            }
            candidates.into_iter().take(steps).collect()
        }
        Undo::After(target) => {
            if !ledger.is_applied(target.as_str()) {
                refusals.push(Refusal::TargetNotApplied { target: target.clone() });
                return Vec::new();
            }
            let at = candidates.iter().position(|row| row.id == target.as_str()).unwrap_or(candidates.len());
            let is_after = |(place, row): &(usize, &LedgerRow)| match row.id.parse::<MigrationId>() {
                Ok(id) => id > *target,
                // What has no number goes by when it was applied.
                Err(_) => *place < at,
            };
            candidates.iter().copied().enumerate().filter(is_after).map(|(_, row)| row).collect()
        }
        Undo::These(ids) => {
            let named = |row: &LedgerRow| ids.iter().any(|id| id.as_str() == row.id);
            let Some(first) = candidates.iter().rposition(|row| named(row)) else { return Vec::new() };
            let oldest = ids.iter().min();
            // Whatever was applied on top of them since the list was made would lose its ground.
            for row in candidates.iter().take(first).filter(|row| !named(row)) {
                if row.id.parse::<MigrationId>().ok().is_none_or(|id| oldest.is_none_or(|oldest| id > *oldest)) {
                    refusals.push(Refusal::AppliedSince { id: row.id.clone() });
                }
            }
            candidates.into_iter().filter(|row| named(row)).collect()
        }
    }
}

fn can_be_undone(row: &LedgerRow) -> bool {
    let begun = match &row.state {
        RowState::Applied => true,
        RowState::Partial(progress) => progress.direction == Direction::Down,
    };
    begun && !row.id.parse::<MigrationId>().is_ok_and(|id| id.is_repeatable())
}

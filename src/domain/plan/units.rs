use super::{Planned, Segment, Unit};
use crate::domain::{Direction, Intent, LedgerRow, Migration, Refusal, RowState, TransactionMode, shorten};

/// Whether a rollback of the row's migration was interrupted.
pub(super) fn is_half_undone(row: &LedgerRow) -> bool {
    matches!(&row.state, RowState::Partial(progress) if progress.direction == Direction::Down)
}

/// The refusal of a migration whose file is not the one that was applied.
pub(super) fn checksum_changed(migration: &Migration, row: &LedgerRow) -> Refusal {
    Refusal::ChecksumChanged {
        id: migration.id.clone(),
        file: migration.up.file.clone(),
        applied: shorten(row.checksum.short(), 12),
        now: migration.checksum.short().to_owned(),
    }
}

/// A migration of which statements are done has to begin with these still.
pub(super) fn check_progress(planned: &[Planned], refusals: &mut Vec<Refusal>) {
    for each in planned {
        let Some(progress) = &each.resume else { continue };
        let script = each.script();
        // Statements that ran together are a person's to settle, who may have corrected the file before.
        let intent = progress.intent.as_ref().and_then(|intent| match intent {
            Intent::Alone(digest) => Some(digest),
            Intent::Together { .. } => None,
        });
        for (index, digest) in progress.done.iter().chain(intent).enumerate() {
            let now = script.statements.get(index);
            if now.map(|statement| statement.digest()).as_ref() != Some(digest) {
                refusals.push(Refusal::DoneStatementChanged {
                    id: each.migration.id.clone(),
                    file: script.file.clone(),
                    line: now.map_or(0, |statement| statement.line),
                    number: index + 1,
                });
                break;
            }
        }
    }
}

/// Cuts a plan into what commits together.
pub(super) fn into_units(planned: Vec<Planned>, default: TransactionMode, refusals: &mut Vec<Refusal>) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut together = Vec::new();
    for each in planned {
        let mode = match (default, each.migration.transaction_mode) {
            (TransactionMode::AllInOne, Some(TransactionMode::None)) => {
                refusals.push(refuses_transaction(&each, 0, ""));
                continue;
            }
            (TransactionMode::AllInOne, _) => TransactionMode::AllInOne,
            // A file can ask for a transaction or none for itself; it cannot draw other migrations into its own.
            (default, own) => own.unwrap_or(default),
        };
        if mode == TransactionMode::AllInOne && default == TransactionMode::AllInOne {
            let alone = each.script().statements.iter().find(|statement| !statement.is_transactional());
            match alone {
                Some(statement) => refusals.push(refuses_transaction(&each, statement.line, &statement.sql)),
                None if each.resume.is_some() => units.push(stepwise(each, false)),
                None => together.push(each),
            }
        } else if mode != TransactionMode::None && each.resume.is_none() && each.script().is_transactional() {
            units.push(Unit::Atomic(vec![each]));
        } else {
            units.push(stepwise(each, mode == TransactionMode::None));
        }
    }
    if !together.is_empty() {
        units.push(Unit::Atomic(together));
    }
    units
}

fn refuses_transaction(planned: &Planned, line: u32, sql: &str) -> Refusal {
    Refusal::RefusesTransaction {
        id: planned.migration.id.clone(),
        file: planned.script().file.clone(),
        line,
        statement: shorten(sql, 80),
    }
}

/// Cuts a migration into segments from the first statement that is not done. With `each_alone`, every statement is
/// committed by itself; otherwise neighbours that can share a transaction do.
fn stepwise(planned: Planned, each_alone: bool) -> Unit {
    let statements = &planned.script().statements;
    let start = planned.begin();
    let mut segments: Vec<Segment> = Vec::new();
    for (index, statement) in statements.iter().enumerate().skip(start) {
        match segments.last_mut() {
            _ if !statement.is_transactional() => segments.push(Segment::Alone(index)),
            Some(Segment::Transaction(range)) if !each_alone => range.end = index + 1,
            _ => segments.push(Segment::Transaction(index..index + 1)),
        }
    }
    Unit::Stepwise(planned, segments)
}

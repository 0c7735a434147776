//! What came of branches in a run, written for many of them at once.

use std::collections::HashSet;

use super::db::{Tx, portion};
use super::filter::Query;
use super::notices::Turn;
use super::value::{Args, args, json};
use super::{StoreError, codec};
use crate::domain::{BranchId, BranchOutcome, BranchState, RunId, Time};

/// A branch with which a run is through.
#[derive(Debug, Clone)]
pub struct Finished {
    /// What came of it. The first outcome recorded for a branch of a run is the one that counts.
    pub outcome: BranchOutcome,
    /// What becomes of the branch's state.
    pub next: Next,
}

/// What becomes of the state of a branch with which a run is through.
#[derive(Debug, Clone)]
pub enum Next {
    /// It stays as it is.
    Same,
    /// The branch was worked on under the lease with this token, which ends with this.
    Leased {
        /// The lease's fencing token.
        token: i64,
        /// The next state.
        state: Box<BranchState>,
    },
    /// The branch was only looked at. The state is written unless somebody has taken a lease, or changed the branch, since
    /// it was read.
    Seen {
        /// The fencing token of the newest lease at that time.
        token: i64,
        /// When the branch was changed last at that time.
        update_time: Time,
        /// The next state.
        state: Box<BranchState>,
    },
}

/// What became of states that were to be written.
pub(super) struct Told<'a> {
    /// The branches whose state is written.
    pub(super) turns: Vec<Turn<'a>>,
    /// Those whose lease was no longer ours.
    pub(super) lost: Vec<BranchId>,
}

/// Writes down what came of these branches in their run, where nothing stands there yet.
pub(super) async fn record_rows(tx: &mut Tx, run_id: RunId, finished: &[Finished]) -> Result<(), StoreError> {
    let row = |Finished { outcome, .. }: &Finished| {
        Ok(args![
            outcome.branch_id,
            outcome.status.as_str(),
            json(&outcome.applied)?,
            outcome.error.as_ref().map(json).transpose()?,
            i64::try_from(outcome.duration.as_micros()).unwrap_or(i64::MAX),
            (!outcome.notes.is_empty()).then(|| json(&outcome.notes)).transpose()?,
        ])
    };
    let rows = finished.iter().map(row).collect::<Result<Vec<Args>, StoreError>>()?;
    for portion in portions(rows) {
        let mut query = Query::new(
            "UPDATE run_branches SET status = v.column2, applied = v.column3, error = v.column4, \
             duration_us = v.column5, notes = v.column6 FROM ",
            args![run_id],
        );
        query.table(portion).push(" WHERE run_id = $1 AND branch_id = v.column1 AND status IS NULL");
        tx.run(&query.sql, query.args).await?;
    }
    Ok(())
}

/// Writes the next states of these branches and ends their leases.
pub(super) async fn write_states<'a>(tx: &mut Tx, finished: &'a [Finished]) -> Result<Told<'a>, StoreError> {
    let row = |Finished { outcome, next }: &Finished| {
        let (token, update_time, state) = match next {
            Next::Same => return None,
            Next::Leased { token, state } => (*token, None, state),
            Next::Seen { token, update_time, state } => (*token, Some(*update_time), state),
        };
        let state = BranchState { branch_id: outcome.branch_id, ..BranchState::clone(state) };
        let with = |mut values: Args| {
            values.extend(args![token, update_time]);
            (outcome.branch_id, values)
        };
        Some(codec::state_args(&state).map(with))
    };
    let mut rows = finished.iter().filter_map(row).collect::<Result<Vec<_>, StoreError>>()?;
    // The order in which rows are locked everywhere.
    rows.sort_by_key(|(id, _)| *id);
    let mut written: HashSet<BranchId> = HashSet::new();
    for portion in portions(rows.into_iter().map(|(_, values)| values).collect()) {
        let mut query = Query::new(format!("UPDATE branch_states SET {} FROM ", codec::SET_STATES), args![]);
        query.table(portion).push(
            " WHERE branch_id = v.column12 AND lease_token = v.column13 AND \
             CASE WHEN v.column14 IS NULL THEN lease_owner IS NOT NULL ELSE lease_owner IS NULL AND \
             EXISTS (SELECT 1 FROM branches b WHERE b.id = v.column12 AND b.update_time = v.column14) END \
             RETURNING branch_id",
        );
        for row in tx.rows(&query.sql, query.args).await? {
            written.insert(row.of("branch_states", "branch_id").parse("branch_id")?);
        }
    }
    let mut told = Told { turns: Vec::new(), lost: Vec::new() };
    for Finished { outcome, next } in finished {
        let branch = outcome.branch_id;
        match next {
            Next::Leased { state, .. } | Next::Seen { state, .. } if written.contains(&branch) => {
                told.turns.push(Turn { branch, outcome: outcome.status, next: state });
            }
            Next::Leased { .. } => told.lost.push(branch),
            Next::Same | Next::Seen { .. } => {}
        }
    }
    Ok(told)
}

/// The rows, as many together as one statement takes.
fn portions(mut rows: Vec<Args>) -> impl Iterator<Item = Vec<Args>> {
    std::iter::from_fn(move || {
        let count = portion(rows.len());
        (count > 0).then(|| rows.drain(..count).collect())
    })
}

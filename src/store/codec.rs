//! Rows to values of the domain.

use super::StoreError;
use super::value::{Args, Row, args, json};
use crate::domain::{
    Branch, BranchState, Checksum, Event, FailureClass, Lease, MigrationStatus, Run, RunId, RunKind, RunState, Time,
};

/// The columns of a branch, of the table `branches` named `b`.
pub(super) const BRANCH: &str = "b.id, b.code, b.name, b.provider, b.connection, b.labels, b.is_active, b.environment, \
                                 b.create_time, b.update_time";

/// A branch from the columns [`BRANCH`].
pub(super) fn branch(row: &Row) -> Result<Branch, StoreError> {
    let row = row.of("branches", "id");
    Ok(Branch {
        id: row.parse("id")?,
        code: row.parse("code")?,
        name: row.text("name")?,
        provider: row.parse("provider")?,
        connection: row.json("connection")?,
        labels: row.json("labels")?,
        is_active: row.flag("is_active")?,
        environment: row.text("environment")?,
        create_time: row.time("create_time")?,
        update_time: row.time("update_time")?,
    })
}

/// The columns of a state. None of them is also a column of a branch.
pub(super) const STATE: &str = "branch_id, status, status_before, last_migration, last_attempt, retry_count, \
                                next_attempt, error, failure_class, lease_owner, lease_token, lease_expires, \
                                pending_count, verified_digest, hold, held_digest";

/// A state from the columns [`STATE`]. A lease that ran out is no lease any more.
pub(super) fn state(row: &Row, now: Time) -> Result<BranchState, StoreError> {
    let mut state = state_as_stored(row)?;
    if state.lease.as_ref().is_some_and(|lease| lease.expires_time <= now) {
        state.lease = None;
        state.status = status_before(row)?;
    }
    Ok(state)
}

/// The state from before the lease that the row shows.
pub(super) fn state_before(row: &Row) -> Result<BranchState, StoreError> {
    Ok(BranchState { status: status_before(row)?, lease: None, ..state_as_stored(row)? })
}

fn status_before(row: &Row) -> Result<MigrationStatus, StoreError> {
    row.of("branch_states", "branch_id").name("status_before", MigrationStatus::from_name)
}

fn state_as_stored(row: &Row) -> Result<BranchState, StoreError> {
    let row = row.of("branch_states", "branch_id");
    let lease = match row.opt_text("lease_owner")? {
        None => None,
        Some(owner) => Some(Lease { owner, token: row.int("lease_token")?, expires_time: row.time("lease_expires")? }),
    };
    let _: Option<FailureClass> = row.opt_name("failure_class", FailureClass::from_name)?;
    Ok(BranchState {
        branch_id: row.parse("branch_id")?,
        status: row.name("status", MigrationStatus::from_name)?,
        last_migration: row.opt_text("last_migration")?,
        last_attempt_time: row.opt_time("last_attempt")?,
        retry_count: row.count("retry_count")?,
        next_attempt_time: row.opt_time("next_attempt")?,
        error: row.opt_json("error")?,
        lease,
        pending_count: row.opt_count("pending_count")?,
        verified_digest: row.opt_text("verified_digest")?.map(Checksum::from_stored),
        hold: row.opt_json("hold")?,
        held_digest: row.opt_text("held_digest")?.map(Checksum::from_stored),
    })
}

/// Writes a whole state and ends the lease; takes [`state_args`], and the caller adds conditions from `$13` on.
pub(super) const WRITE_STATE: &str = "UPDATE branch_states SET status = $1, last_migration = $2, last_attempt = $3, \
     retry_count = $4, next_attempt = $5, error = $6, failure_class = $7, pending_count = $8, verified_digest = $9, \
     hold = $10, held_digest = $11, status_before = NULL, lease_owner = NULL, lease_expires = NULL WHERE branch_id = $12";

/// What the statement that writes many states at once sets, from a table `v` whose first columns are [`state_args`].
pub(super) const SET_STATES: &str = "status = v.column1, last_migration = v.column2, last_attempt = v.column3, \
     retry_count = v.column4, next_attempt = v.column5, error = v.column6, failure_class = v.column7, \
     pending_count = v.column8, verified_digest = v.column9, hold = v.column10, held_digest = v.column11, \
     status_before = NULL, lease_owner = NULL, lease_expires = NULL";

/// The parameters of [`WRITE_STATE`].
pub(super) fn state_args(state: &BranchState) -> Result<Args, StoreError> {
    // Nobody works on a branch without a lease, and this ends the lease.
    let status = match state.status {
        MigrationStatus::InProgress => MigrationStatus::Pending,
        status => status,
    };
    Ok(args![
        status.as_str(),
        state.last_migration.as_deref(),
        state.last_attempt_time,
        state.retry_count,
        state.next_attempt_time,
        state.error.as_ref().map(json).transpose()?,
        state.error.as_ref().map(|error| error.class.as_str()),
        state.pending_count,
        state.verified_digest.as_ref().map(Checksum::as_str),
        state.hold.as_ref().map(json).transpose()?,
        state.held_digest.as_ref().map(Checksum::as_str),
        state.branch_id,
    ])
}

/// The columns of a run.
pub(super) const RUN: &str = "id, kind, state, requested_by, request_id, request, branches_total, create_time, \
                              start_time, end_time, result, last_sequence";

/// A run from the columns [`RUN`].
pub(super) fn run(row: &Row) -> Result<Run, StoreError> {
    let row = row.of("runs", "id");
    Ok(Run {
        id: row.parse("id")?,
        kind: row.name("kind", RunKind::from_name)?,
        state: row.name("state", RunState::from_name)?,
        requested_by: row.text("requested_by")?,
        request_id: row.opt_parse("request_id")?,
        request: row.json("request")?,
        branches_total: row.count("branches_total")?,
        create_time: row.time("create_time")?,
        start_time: row.opt_time("start_time")?,
        end_time: row.opt_time("end_time")?,
        result: row.opt_json("result")?,
        last_sequence: row.int("last_sequence")?,
    })
}

/// An event of this run from the columns `sequence`, `time` and `body`.
pub(super) fn event(run_id: RunId, row: &Row) -> Result<Event, StoreError> {
    let row = row.of("events", "sequence");
    Ok(Event { run_id, sequence: row.int("sequence")?, time: row.time("time")?, body: row.json("body")? })
}

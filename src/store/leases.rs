use std::time::Duration;

use super::db::Tx;
use super::head_office::later;
use super::value::args;
use super::writer::{Command, Reply};
use super::{HeadOffice, StoreError, codec};
use crate::domain::{Branch, BranchId, BranchState, Lease, MigrationStatus, Time};

/// What came of asking for a branch's lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquire {
    /// It is ours.
    Granted {
        /// The branch as it is registered now.
        branch: Box<Branch>,
        /// Its state with the status from before it became `InProgress`; what [`BranchState::after`] starts from.
        state_before: Box<BranchState>,
        /// The fencing token, higher than every earlier one of this branch.
        token: i64,
    },
    /// Somebody works on the branch.
    Held(Lease),
    /// There is no such branch any more.
    Gone,
}

impl HeadOffice {
    /// Claims a branch for `ttl`. The token is higher than every earlier one and than `floor`, which is the highest one
    /// that was found in the branch database itself; 0 when none was.
    ///
    /// `owner` names the process for people, and differs between any two processes.
    pub async fn acquire(&self, id: BranchId, owner: &str, ttl: Duration, floor: i64) -> Result<Acquire, StoreError> {
        match self.write(Command::Acquire { id, owner: owner.into(), ttl, floor }).await? {
            Reply::Acquired(acquire) => Ok(acquire),
            other => Err(other.unexpected()),
        }
    }

    /// Makes a lease last `ttl` from now. `false` when it is no longer ours; one that ran out but was not taken by
    /// anybody is still ours.
    pub async fn renew(&self, id: BranchId, token: i64, ttl: Duration) -> Result<bool, StoreError> {
        self.write(Command::Renew { id, token, ttl }).await?.done()
    }

    /// Ends a lease and writes the branch's next state. `false`, and nothing is written, when it is no longer ours.
    pub async fn release(&self, id: BranchId, token: i64, state: &BranchState) -> Result<bool, StoreError> {
        self.write(Command::Release { id, token, state: Box::new(state.clone()) }).await?.done()
    }

    /// Ends every lease of owners whose name begins with `owner_prefix`, and lets their unfinished runs be claimed at
    /// once. For the start of a process that knows its predecessors to be dead: an embedded head office, which nobody
    /// else can have open, passes an empty prefix. Branches go back to the status that they had before. Returns how many leases there were.
    pub async fn release_all(&self, owner_prefix: &str) -> Result<u64, StoreError> {
        let mut tx = self.db().begin().await?;
        let leases = "UPDATE branch_states SET status = COALESCE(status_before, $1), status_before = NULL, \
                      lease_owner = NULL, lease_expires = NULL \
                      WHERE lease_owner IS NOT NULL AND SUBSTR(lease_owner, 1, LENGTH($2)) = $2";
        let released = tx.run(leases, args![MigrationStatus::Pending.as_str(), owner_prefix]).await?;
        let runs = "UPDATE runs SET owner = '', owner_expires = 0 \
                    WHERE end_time IS NULL AND SUBSTR(owner, 1, LENGTH($1)) = $1";
        tx.run(runs, args![owner_prefix]).await?;
        tx.commit().await?;
        Ok(released)
    }
}

/// See [`HeadOffice::acquire`].
pub(super) async fn acquire(
    tx: &mut Tx,
    now: Time,
    id: BranchId,
    owner: &str,
    ttl: Duration,
    floor: i64,
) -> Result<Acquire, StoreError> {
    if floor == i64::MAX {
        return Err(StoreError::internal("the branch's fencing token cannot grow any further"));
    }
    let claim = format!(
        "UPDATE branch_states SET \
         status_before = CASE WHEN lease_owner IS NULL THEN status ELSE status_before END, \
         status = $2, lease_owner = $3, lease_expires = $4, \
         lease_token = CASE WHEN lease_token > $5 THEN lease_token ELSE $5 END + 1 \
         WHERE branch_id = $1 AND (lease_owner IS NULL OR lease_expires <= $6) RETURNING {}",
        codec::STATE
    );
    let in_progress = MigrationStatus::InProgress.as_str();
    if let Some(row) = tx.row(&claim, args![id, in_progress, owner, later(now, ttl), floor, now]).await? {
        let token = row.of("branch_states", "branch_id").int("lease_token")?;
        let state_before = Box::new(codec::state_before(&row)?);
        let select = format!("SELECT {} FROM branches b WHERE b.id = $1", codec::BRANCH);
        let branch = tx.row(&select, args![id]).await?.as_ref().map(codec::branch).transpose()?;
        let branch = branch.ok_or_else(|| StoreError::internal(format!("branch {id} has a state and no row")))?;
        return Ok(Acquire::Granted { branch: Box::new(branch), state_before, token });
    }
    let select = format!("SELECT {} FROM branch_states WHERE branch_id = $1", codec::STATE);
    let state = tx.row(&select, args![id]).await?.as_ref().map(|row| codec::state(row, now)).transpose()?;
    Ok(match state.map(|state| state.lease) {
        None => Acquire::Gone,
        Some(Some(lease)) => Acquire::Held(lease),
        // It was given back between the two statements; the next attempt will get it.
        Some(None) => Acquire::Held(Lease { owner: "another replica".into(), token: 0, expires_time: now }),
    })
}

/// See [`HeadOffice::renew`].
pub(super) async fn renew(tx: &mut Tx, now: Time, id: BranchId, token: i64, ttl: Duration) -> Result<bool, StoreError> {
    let sql = "UPDATE branch_states SET lease_expires = $3 \
               WHERE branch_id = $1 AND lease_token = $2 AND lease_owner IS NOT NULL";
    Ok(tx.run(sql, args![id, token, later(now, ttl)]).await? > 0)
}

/// See [`HeadOffice::release`].
pub(super) async fn release(tx: &mut Tx, id: BranchId, token: i64, state: &BranchState) -> Result<bool, StoreError> {
    let state = BranchState { branch_id: id, ..state.clone() };
    let sql = format!("{} AND lease_token = $13 AND lease_owner IS NOT NULL", codec::WRITE_STATE);
    let mut values = codec::state_args(&state)?;
    values.extend(args![token]);
    Ok(tx.run(&sql, values).await? > 0)
}

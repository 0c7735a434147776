use super::value::{args, json};
use super::{HeadOffice, StoreError};
use crate::domain::{BranchId, Checksum, Hold, MigrationId, RunId};

/// What a rollback of one branch is about to undo.
#[derive(Debug, Clone, Copy)]
pub struct FixedUndo<'a> {
    /// The run.
    pub run_id: RunId,
    /// The branch.
    pub branch_id: BranchId,
    /// The lease under which the branch is worked on.
    pub token: i64,
    /// The migrations, in the order in which they are undone.
    pub migrations: &'a [MigrationId],
    /// What is not to be applied again unasked from now on.
    pub hold: &'a Hold,
    /// The digest of the catalogue against which the hold was looked at.
    pub held_digest: &'a Checksum,
}

impl HeadOffice {
    /// What a rollback of a branch was about to undo when it last began; `None` when it never did.
    pub async fn undo_list(&self, run: RunId, branch: BranchId) -> Result<Option<Vec<MigrationId>>, StoreError> {
        let sql = "SELECT run_id, undo FROM run_branches WHERE run_id = $1 AND branch_id = $2";
        let row = self.db().row(sql, args![run, branch]).await?;
        row.map_or(Ok(None), |row| row.of("run_branches", "run_id").opt_json("undo"))
    }

    /// Fixes what a rollback undoes, before anything of it is: whoever takes up the run after a crash undoes the rest of
    /// that, and no more. The branch is held from the same moment on. `false`, and nothing is written, when the lease is
    /// no longer ours.
    pub async fn fix_undo(&self, undo: FixedUndo<'_>) -> Result<bool, StoreError> {
        let mut tx = self.db().begin().await?;
        let hold = "UPDATE branch_states SET hold = $3, held_digest = $4 \
                    WHERE branch_id = $1 AND lease_token = $2 AND lease_owner IS NOT NULL";
        let values = args![undo.branch_id, undo.token, json(undo.hold)?, undo.held_digest.as_str()];
        if tx.run(hold, values).await? == 0 {
            return Ok(false);
        }
        let list = "UPDATE run_branches SET undo = $3 WHERE run_id = $1 AND branch_id = $2";
        tx.run(list, args![undo.run_id, undo.branch_id, json(&undo.migrations)?]).await?;
        tx.commit().await?;
        Ok(true)
    }
}

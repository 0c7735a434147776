//! Branches with stored passwords.

use super::value::{args, json};
use super::{HeadOffice, StoreError};
use crate::domain::{BranchCode, BranchId, Connection, ServerConnection};

/// A branch with a stored password, as it was read.
#[derive(Debug, Clone)]
pub struct SealedBranch {
    /// Its id.
    pub id: BranchId,
    /// Its code.
    pub code: BranchCode,
    /// Its connection.
    pub server: ServerConnection,
    /// The connection to the letter, to find out whether somebody has changed it since.
    stored: String,
}

impl HeadOffice {
    /// Branches with stored passwords in the order of their ids, after `after`, at most `limit` of them.
    pub async fn sealed_branches(&self, after: Option<BranchId>, limit: u32) -> Result<Vec<SealedBranch>, StoreError> {
        let sql = "SELECT id, code, connection FROM branches WHERE id > $1 AND connection LIKE '%\"sealed_password\"%' \
                   ORDER BY id LIMIT $2";
        let after = after.map_or_else(String::new, |id| id.to_string());
        let rows = self.db().rows(sql, args![after, i64::from(limit)]).await?;
        let read = |row: &super::value::Row| {
            let row = row.of("branches", "id");
            let Connection::Server(server) = row.json("connection")? else {
                return Err(StoreError::internal("a branch without a server has a stored password"));
            };
            Ok(SealedBranch { id: row.parse("id")?, code: row.parse("code")?, server, stored: row.text("connection")? })
        };
        rows.iter().map(read).collect()
    }

    /// Replaces the connections of branches, in one transaction. A branch that was changed since it was read, or is gone,
    /// is left alone. Gives how many were replaced. Nothing else about them changes: it is the same password.
    pub async fn reseal_branches(&self, changed: &[(SealedBranch, Connection)]) -> Result<u64, StoreError> {
        if changed.is_empty() {
            return Ok(0);
        }
        let mut tx = self.db().begin().await?;
        let mut replaced = 0;
        for (branch, connection) in changed {
            let update = "UPDATE branches SET connection = $2 WHERE id = $1 AND connection = $3";
            replaced += tx.run(update, args![branch.id, json(connection)?, branch.stored.as_str()]).await?;
        }
        tx.commit().await?;
        Ok(replaced)
    }
}

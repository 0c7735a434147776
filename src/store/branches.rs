use super::db::Tx;
use super::error::is_unique_violation;
use super::filter::Query;
use super::value::{args, json};
use super::{HeadOffice, Page, Paged, StoreError, codec, states};
use crate::domain::{Branch, BranchCode, BranchId, BranchRef, BranchState, Selector};

/// Which branches to list. The default means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BranchFilter {
    /// Those that the selector means.
    pub selector: Selector,
    /// Only active or only inactive ones; `None` means both.
    pub is_active: Option<bool>,
}

impl HeadOffice {
    /// Registers a branch: pending, and due at once. `fingerprint` is the identity of its database, the same for every
    /// way of writing the same connection.
    ///
    /// # Errors
    /// [`StoreError::CodeTaken`], [`StoreError::DatabaseTaken`].
    pub async fn create_branch(&self, branch: &Branch, fingerprint: &str) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        let insert = "INSERT INTO branches (id, code, code_folded, name, provider, connection, fingerprint, labels, \
                      is_active, environment, create_time, update_time) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING";
        let values = args![
            branch.id,
            branch.code.as_str(),
            branch.code.folded(),
            branch.name.as_str(),
            branch.provider.as_str(),
            json(&branch.connection)?,
            fingerprint,
            json(&branch.labels)?,
            branch.is_active,
            branch.environment.as_str(),
            branch.create_time,
            branch.update_time,
        ];
        if tx.run(insert, values).await? == 0 {
            let conflict = conflict(&mut tx, branch, fingerprint).await?;
            return Err(conflict.unwrap_or_else(|| StoreError::internal(format!("branch id {} is taken", branch.id))));
        }
        insert_labels(&mut tx, branch).await?;
        let insert = "INSERT INTO branch_states (branch_id, status, retry_count, lease_token) VALUES ($1, $2, 0, 0)";
        tx.run(insert, args![branch.id, BranchState::new(branch.id).status.as_str()]).await?;
        tx.commit().await
    }

    /// A branch by id or code; `None` when there is none.
    pub async fn branch(&self, which: &BranchRef) -> Result<Option<Branch>, StoreError> {
        let (column, key) = match which {
            BranchRef::Id(id) => ("id", id.to_string()),
            BranchRef::Code(code) => ("code_folded", code.folded()),
        };
        let sql = format!("SELECT {} FROM branches b WHERE b.{column} = $1", codec::BRANCH);
        self.db().row(&sql, args![key]).await?.as_ref().map(codec::branch).transpose()
    }

    /// A part of the list of branches, in the order of their codes without regard to case.
    ///
    /// # Errors
    /// [`StoreError::BadPageToken`].
    pub async fn branches(&self, filter: &BranchFilter, page: &Page) -> Result<Paged<Branch>, StoreError> {
        let list = format!("branches {filter:?}");
        let mut query = Query::new(format!("SELECT {} FROM branches b WHERE 1 = 1", codec::BRANCH), args![]);
        filter.selector.check_size()?;
        query.selector(&filter.selector);
        if let Some(is_active) = filter.is_active {
            query.push(" AND b.is_active = ").arg(is_active);
        }
        query.page_by_code(page, &list)?;
        let rows = self.db().rows(&query.sql, query.args).await?;
        let items = rows.iter().map(codec::branch).collect::<Result<_, _>>()?;
        Ok(Paged::cut(items, page, &list, |branch: &Branch| branch.code.folded()))
    }

    /// Replaces everything about a branch except its id, provider and creation time. When its connection changed, what
    /// was known about its database is forgotten and it is due at once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::CodeTaken`], [`StoreError::DatabaseTaken`]; [`StoreError::Leased`] when
    /// the connection changes while somebody works on the branch.
    pub async fn update_branch(&self, branch: &Branch, fingerprint: &str) -> Result<(), StoreError> {
        let connection = json(&branch.connection)?;
        let mut tx = self.db().begin().await?;
        // The state's row is locked first, as everywhere, so that nobody takes a lease meanwhile.
        let state = self.lock_state(&mut tx, branch.id).await?;
        let state = state.ok_or_else(|| StoreError::NotFound(branch.code.to_string()))?;
        let old = "SELECT id, connection, fingerprint FROM branches WHERE id = $1";
        let old = tx.row(old, args![branch.id]).await?;
        let old = old.ok_or_else(|| StoreError::NotFound(branch.code.to_string()))?;
        let old = old.of("branches", "id");
        let same_database = old.text("fingerprint")? == fingerprint;
        if !same_database || old.text("connection")? != connection {
            if let Some(lease) = state.lease {
                return Err(StoreError::Leased(lease));
            }
            // The retry count and the error spoke about the old connection.
            let mut next = state.retried();
            if !same_database {
                next = BranchState::new(branch.id);
            }
            states::begin_anew(&mut tx, &next).await?;
        }
        if let Some(conflict) = conflict(&mut tx, branch, fingerprint).await? {
            return Err(conflict);
        }
        let update = "UPDATE branches SET code = $2, code_folded = $3, name = $4, connection = $5, fingerprint = $6, \
                      labels = $7, is_active = $8, environment = $9, update_time = $10 WHERE id = $1";
        let values = args![
            branch.id,
            branch.code.as_str(),
            branch.code.folded(),
            branch.name.as_str(),
            connection,
            fingerprint,
            json(&branch.labels)?,
            branch.is_active,
            branch.environment.as_str(),
            branch.update_time,
        ];
        if let Err(error) = tx.try_run(update, values).await {
            drop(tx);
            // Somebody was faster since the check above.
            if is_unique_violation(&error)
                && let Some(conflict) = conflict(&mut self.db().begin().await?, branch, fingerprint).await?
            {
                return Err(conflict);
            }
            return Err(error.into());
        }
        tx.run("DELETE FROM branch_labels WHERE branch_id = $1", args![branch.id]).await?;
        insert_labels(&mut tx, branch).await?;
        tx.commit().await
    }

    /// Forgets a branch and its state; records of its runs stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Leased`] while somebody works on it.
    pub async fn delete_branch(&self, id: BranchId) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        let state = self.lock_state(&mut tx, id).await?;
        let state = state.ok_or_else(|| StoreError::NotFound(id.to_string()))?;
        if let Some(lease) = state.lease {
            return Err(StoreError::Leased(lease));
        }
        tx.run("DELETE FROM branches WHERE id = $1", args![id]).await?;
        tx.commit().await
    }
}

/// Which other branch has this one's code or database.
async fn conflict(tx: &mut Tx, branch: &Branch, fingerprint: &str) -> Result<Option<StoreError>, StoreError> {
    let sql = "SELECT id, code, code_folded FROM branches WHERE (code_folded = $1 OR fingerprint = $2) AND id <> $3";
    let rows = tx.rows(sql, args![branch.code.folded(), fingerprint, branch.id]).await?;
    let others = rows.iter().map(|row| row.of("branches", "id").parse("code"));
    let others: Vec<BranchCode> = others.collect::<Result<_, _>>()?;
    let same_code = others.iter().find(|other| other.folded() == branch.code.folded());
    Ok(match (same_code, others.first()) {
        (Some(code), _) => Some(StoreError::CodeTaken { code: code.clone() }),
        (None, Some(by)) => Some(StoreError::DatabaseTaken { by: by.clone() }),
        (None, None) => None,
    })
}

async fn insert_labels(tx: &mut Tx, branch: &Branch) -> Result<(), StoreError> {
    let labels = branch.labels.iter().map(|(key, value)| args![branch.id, key.as_str(), value.as_str()]);
    tx.insert("INSERT INTO branch_labels (branch_id, key, value)", labels.collect()).await
}

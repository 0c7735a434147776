use super::filter::Query;
use super::value::{args, json};
use super::{HeadOffice, Page, Paged, StoreError};
use crate::domain::Time;

/// One line of the record of who did what.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// When.
    pub time: Time,
    /// Who; empty when authentication is off.
    pub who: String,
    /// What was asked for, such as `CreateBranch`.
    pub action: String,
    /// To what, such as a branch's code or a run's id.
    pub subject: String,
    /// What else is worth keeping. Never a secret.
    pub detail: serde_json::Value,
    /// What came of it, such as `ok` or the error's reason.
    pub outcome: String,
}

impl HeadOffice {
    /// Keeps an audit entry.
    pub async fn audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        let insert = "INSERT INTO audit (id, time, who, action, subject, detail, outcome) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let values = args![
            uuid::Uuid::now_v7().to_string(),
            entry.time,
            entry.who.as_str(),
            entry.action.as_str(),
            entry.subject.as_str(),
            json(&entry.detail)?,
            entry.outcome.as_str(),
        ];
        tx.run(insert, values).await?;
        tx.commit().await
    }

    /// A part of the audit record, the newest entry first.
    ///
    /// # Errors
    /// [`StoreError::BadPageToken`].
    pub async fn audit_entries(&self, page: &Page) -> Result<Paged<AuditEntry>, StoreError> {
        let mut query =
            Query::new("SELECT id, time, who, action, subject, detail, outcome FROM audit WHERE 1 = 1", args![]);
        query.page_by_time("time", page, "audit")?;
        let mut items = Vec::new();
        for row in self.db().rows(&query.sql, query.args).await? {
            let row = row.of("audit", "id");
            let entry = AuditEntry {
                time: row.time("time")?,
                who: row.text("who")?,
                action: row.text("action")?,
                subject: row.text("subject")?,
                detail: row.json("detail")?,
                outcome: row.text("outcome")?,
            };
            items.push((row.text("id")?, entry));
        }
        let key = |(id, entry): &(String, AuditEntry)| super::page::time_key(entry.time, id);
        let Paged { items, next_token } = Paged::cut(items, page, "audit", key);
        Ok(Paged { items: items.into_iter().map(|(_, entry)| entry).collect(), next_token })
    }

    /// Removes up to `limit` of the oldest audit entries from before a moment; returns how many there were.
    pub async fn prune_audit(&self, before: Time, limit: u32) -> Result<u64, StoreError> {
        let mut tx = self.db().begin().await?;
        let sql = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE time < $1 ORDER BY time, id LIMIT $2)";
        let removed = tx.run(sql, args![before, limit]).await?;
        tx.commit().await?;
        Ok(removed)
    }
}

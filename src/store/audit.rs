use super::filter::Query;
use super::value::args;
use super::writer::Command;
use super::{HeadOffice, Page, Paged, StoreError};
use crate::domain::Time;

/// One line of the record of who did what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place in the record, from 1; 0 until it is kept.
    pub sequence: i64,
    /// When.
    pub time: Time,
    /// Who.
    pub who: String,
    /// The role in which it was done; empty when there was none.
    pub role: String,
    /// Where the call came from; empty when the service did it by itself.
    pub peer: String,
    /// What was asked for: the method's name, such as `CreateBranch`.
    pub action: String,
    /// To what, such as a branch's code or a token's name.
    pub subject: String,
    /// The client's own name for the request; may be empty.
    pub request_id: String,
    /// The run that it began or steered; may be empty.
    pub run_id: String,
    /// What else is worth keeping, as JSON. Never a secret.
    pub detail: String,
    /// What came of it: `ok`, or the reason of the refusal.
    pub outcome: String,
    /// The hash over the entry before and this one, in hexadecimal; empty until it is kept.
    pub hash: String,
}

/// Which entries to list. An empty part matches everything; all parts have to match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By this identity.
    pub who: String,
    /// Of this action.
    pub action: String,
    /// About this branch code, token name or the like, without regard to case.
    pub subject: String,
    /// From this moment on.
    pub since: Option<Time>,
    /// Before this moment.
    pub until: Option<Time>,
}

pub(super) const ENTRY: &str =
    "sequence, time, who, role, peer, action, subject, request_id, run_id, detail, outcome, hash";

pub(super) fn entry(row: &super::value::Row) -> Result<AuditEntry, StoreError> {
    let row = row.of("audit", "sequence");
    Ok(AuditEntry {
        sequence: row.int("sequence")?,
        time: row.time("time")?,
        who: row.text("who")?,
        role: row.text("role")?,
        peer: row.text("peer")?,
        action: row.text("action")?,
        subject: row.text("subject")?,
        request_id: row.text("request_id")?,
        run_id: row.text("run_id")?,
        detail: row.text("detail")?,
        outcome: row.text("outcome")?,
        hash: row.text("hash")?,
    })
}

impl AuditEntry {
    /// The entry with its time as exact as head office keeps it.
    pub(super) fn in_micros(self) -> Self {
        Self { time: super::head_office::to_micros(self.time), ..self }
    }
}

impl HeadOffice {
    /// Appends an entry to the record; its sequence and hash are given here.
    pub async fn audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.write(Command::Audit { entry: Box::new(entry.in_micros()) }).await?.done().map(drop)
    }

    /// A part of the record, the newest entry first.
    ///
    /// # Errors
    /// [`StoreError::BadPageToken`].
    pub async fn audit_entries(&self, filter: &AuditFilter, page: &Page) -> Result<Paged<AuditEntry>, StoreError> {
        let list = format!("audit {filter:?}");
        let mut query = Query::new(format!("SELECT {ENTRY} FROM audit WHERE 1 = 1"), args![]);
        for (column, value) in [("who", filter.who.clone()), ("action", filter.action.clone())] {
            if !value.is_empty() {
                query.push(&format!(" AND {column} = ")).arg(value);
            }
        }
        if !filter.subject.is_empty() {
            query.push(" AND subject_folded = ").arg(filter.subject.to_lowercase());
        }
        if let Some(since) = filter.since {
            query.push(" AND time >= ").arg(since);
        }
        if let Some(until) = filter.until {
            query.push(" AND time < ").arg(until);
        }
        if let Some(after) = page.after(&list)? {
            let after: i64 = after.parse().map_err(|_| StoreError::BadPageToken)?;
            query.push(" AND sequence < ").arg(after);
        }
        query.push(" ORDER BY sequence DESC LIMIT ").arg(i64::try_from(page.limit()).unwrap_or(i64::MAX - 1) + 1);
        let rows = self.db().rows(&query.sql, query.args).await?;
        let items = rows.iter().map(entry).collect::<Result<_, _>>()?;
        Ok(Paged::cut(items, page, &list, |entry: &AuditEntry| entry.sequence.to_string()))
    }
}

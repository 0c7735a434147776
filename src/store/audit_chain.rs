//! The record's chain: every entry's hash is over the hash of the one before and the entry itself, so that an entry that
//! was changed, removed or put in between shows.

use super::audit::{AuditEntry, ENTRY, entry};
use super::db::Tx;
use super::value::{Row, args};
use super::{HeadOffice, StoreError};
use crate::domain::{Checksum, Time};

/// How many entries are read at a time.
const PART: usize = 1_000;
/// How often verifying begins anew because entries were cleared away meanwhile.
const MAX_RESTARTS: usize = 5;

/// Where the record begins and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainState {
    /// The newest entry's sequence; 0 when there is none.
    pub sequence: i64,
    /// Its hash; empty when there is none.
    pub hash: String,
    /// The last entry that was cleared away because of its age; 0 when none was.
    pub anchor_sequence: i64,
    /// That entry's hash.
    pub anchor_hash: String,
}

/// What verifying the record showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainReport {
    /// How many entries were verified.
    pub verified: u64,
    /// Where the record began and ended when it was verified.
    pub state: ChainState,
    /// The first place that is wrong: a sequence, and what is wrong there. `None` when nothing is.
    pub broken: Option<(i64, String)>,
}

/// The hash of an entry after one of the hash `before`.
fn hash(before: &str, entry: &AuditEntry) -> Checksum {
    let sequence = entry.sequence.to_string();
    let time = entry.time.timestamp_micros().to_string();
    // None of the texts has a zero byte in it, or PostgreSQL would not keep it; so the parts cannot run together.
    Checksum::of_parts([
        before,
        &sequence,
        &time,
        &entry.who,
        &entry.role,
        &entry.peer,
        &entry.action,
        &entry.subject,
        &entry.request_id,
        &entry.run_id,
        &entry.detail,
        &entry.outcome,
    ])
}

/// Appends an entry. Two that append at once take turns at the chain's row, in whichever replica they are.
pub(super) async fn append(tx: &mut Tx, new: &AuditEntry) -> Result<(), StoreError> {
    let next = "UPDATE audit_chain SET sequence = sequence + 1 WHERE id = 1 RETURNING id, sequence, hash";
    let row = tx.row(next, args![]).await?;
    let row = row.ok_or_else(|| StoreError::internal("the row of audit_chain is missing"))?;
    let row = row.of("audit_chain", "id");
    let plain = |text: &str| text.replace('\0', "\u{fffd}");
    let kept = AuditEntry {
        sequence: row.int("sequence")?,
        time: new.time,
        who: plain(&new.who),
        role: plain(&new.role),
        peer: plain(&new.peer),
        action: plain(&new.action),
        subject: plain(&new.subject),
        request_id: plain(&new.request_id),
        run_id: plain(&new.run_id),
        detail: plain(&new.detail),
        outcome: plain(&new.outcome),
        hash: String::new(),
    };
    let hash = hash(&row.text("hash")?, &kept);
    let insert = "INSERT INTO audit (sequence, time, who, role, peer, action, subject, subject_folded, request_id, \
                  run_id, detail, outcome, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    let folded = kept.subject.to_lowercase();
    let values = args![
        kept.sequence,
        kept.time,
        kept.who,
        kept.role,
        kept.peer,
        kept.action,
        kept.subject,
        folded,
        kept.request_id,
        kept.run_id,
        kept.detail,
        kept.outcome,
        hash.as_str(),
    ];
    tx.run(insert, values).await?;
    tx.run("UPDATE audit_chain SET hash = $1 WHERE id = 1", args![hash.as_str()]).await?;
    Ok(())
}

/// The entry in a row, when it is the one that follows `last`, whose hash is `before`; otherwise what is wrong.
fn link(row: &Row, last: i64, before: &str) -> Result<Result<AuditEntry, (i64, String)>, StoreError> {
    let found = match entry(row) {
        Ok(found) => found,
        // Nothing that the service writes is unreadable.
        Err(StoreError::Corrupt { problem, .. }) => return Ok(Err((last + 1, problem))),
        Err(error) => return Err(error),
    };
    // Lists go by this column, so an entry could be hidden by it.
    let folded = row.of("audit", "sequence").opt_text("subject_folded").ok().flatten();
    Ok(if found.sequence != last + 1 {
        Err((last + 1, "the entry is missing".to_owned()))
    } else if hash(before, &found).as_str() != found.hash || folded != Some(found.subject.to_lowercase()) {
        Err((found.sequence, "the entry is not what was written".to_owned()))
    } else {
        Ok(found)
    })
}

impl HeadOffice {
    /// Where the record begins and ends.
    pub async fn audit_chain(&self) -> Result<ChainState, StoreError> {
        let sql = "SELECT id, sequence, hash, anchor_sequence, anchor_hash FROM audit_chain WHERE id = 1";
        let row = self.db().row(sql, args![]).await?;
        let row = row.ok_or_else(|| StoreError::internal("the row of audit_chain is missing"))?;
        let row = row.of("audit_chain", "id");
        Ok(ChainState {
            sequence: row.int("sequence")?,
            hash: row.text("hash")?,
            anchor_sequence: row.int("anchor_sequence")?,
            anchor_hash: row.text("anchor_hash")?,
        })
    }

    /// Verifies the whole record as it is now. Entries that are written or cleared away meanwhile do no harm.
    pub async fn verify_audit(&self) -> Result<ChainReport, StoreError> {
        let mut state = self.audit_chain().await?;
        for _ in 0..MAX_RESTARTS {
            let report = self.verify_from(state).await?;
            let now = self.audit_chain().await?;
            if report.broken.is_none() || now.anchor_sequence == report.state.anchor_sequence {
                return Ok(report);
            }
            state = now;
        }
        Err(StoreError::Unavailable("old audit entries are being cleared away; verify again afterwards".into()))
    }

    async fn verify_from(&self, state: ChainState) -> Result<ChainReport, StoreError> {
        let (mut last, mut before) = (state.anchor_sequence, state.anchor_hash.clone());
        let mut verified = 0;
        let sql = format!(
            "SELECT {ENTRY}, subject_folded FROM audit WHERE sequence > $1 AND sequence <= $2 ORDER BY sequence LIMIT $3"
        );
        loop {
            let limit = i64::try_from(PART).unwrap_or(i64::MAX);
            let rows = self.db().rows(&sql, args![last, state.sequence, limit]).await?;
            for row in &rows {
                match link(row, last, &before)? {
                    Ok(found) => (last, before) = (found.sequence, found.hash),
                    Err(broken) => return Ok(ChainReport { verified, state, broken: Some(broken) }),
                }
                verified += 1;
            }
            if rows.len() < PART {
                break;
            }
        }
        let broken = if last != state.sequence {
            Some((last + 1, "the entry is missing".to_owned()))
        } else if before != state.hash {
            Some((last, "it is not the entry that the record ended with".to_owned()))
        } else {
            self.stray_entry().await?
        };
        Ok(ChainReport { verified, state, broken })
    }

    /// An entry that stands before the record's beginning or behind its end, where nothing vouches for it: lists show it all
    /// the same. Clearing away moves the beginning in the transaction that removes what is before it, and appending the end.
    async fn stray_entry(&self) -> Result<Option<(i64, String)>, StoreError> {
        let sql = "SELECT sequence FROM audit WHERE sequence <= (SELECT anchor_sequence FROM audit_chain WHERE id = 1) \
                   OR sequence > (SELECT sequence FROM audit_chain WHERE id = 1) ORDER BY sequence LIMIT 1";
        let row = self.db().row(sql, args![]).await?;
        let stray = row.map(|row| row.of("audit", "sequence").int("sequence")).transpose()?;
        Ok(stray.map(|sequence| (sequence, "the entry is outside of the record".to_owned())))
    }

    /// Removes up to `limit` of the oldest entries from before a moment; returns how many there were. The hash of the
    /// last of them stays, so that the rest can still be verified.
    pub async fn prune_audit(&self, before: Time, limit: u32) -> Result<u64, StoreError> {
        let mut tx = self.db().begin().await?;
        // Only from the beginning: an entry with a wrong clock's time must not tear a hole.
        let last = "SELECT sequence, hash FROM audit WHERE sequence < COALESCE((SELECT MIN(sequence) FROM audit \
                    WHERE time >= $1), 9223372036854775807) ORDER BY sequence LIMIT $2";
        let rows = tx.rows(last, args![before, limit]).await?;
        let Some(row) = rows.last() else { return Ok(0) };
        let row = row.of("audit", "sequence");
        let (sequence, hash) = (row.int("sequence")?, row.text("hash")?);
        let anchor =
            "UPDATE audit_chain SET anchor_sequence = $1, anchor_hash = $2 WHERE id = 1 AND anchor_sequence < $1";
        tx.run(anchor, args![sequence, hash]).await?;
        let removed = tx.run("DELETE FROM audit WHERE sequence <= $1", args![sequence]).await?;
        tx.commit().await?;
        Ok(removed)
    }
}

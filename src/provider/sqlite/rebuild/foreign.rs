use std::collections::BTreeMap;

use super::problem::Problem;
use super::steps::Steps;
use super::token::{literal, same};
use crate::provider::connection::Failure;
use crate::provider::error::ProviderError;
use crate::provider::flush::Break;
use crate::provider::session::Session;
use crate::provider::stop::Stop;

/// The most violations of one table that are looked at one by one.
const MAX_ROWS: usize = 10_000;

/// The rows of a table that refer to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Orphans {
    /// How many there are of a key and a row id, the key in words. Without row ids, 0 stands for all.
    Known(BTreeMap<(String, i64), usize>),
    /// Too many to tell apart.
    Many(i64),
    /// The key itself is at fault: its parent has no such key.
    Mismatch(String),
}

impl Session {
    /// The violations in every table that the rebuild can have to do with.
    pub(super) async fn orphans(&mut self, steps: &Steps, stop: &Stop) -> Result<Vec<Orphans>, Break> {
        let mut all = Vec::with_capacity(steps.related.len());
        for table in &steps.related {
            let rows_stay = steps.rowid.is_some() || !same(table, &steps.table);
            let found = match self.orphans_of(table, rows_stay, stop).await {
                Err(failure) if failure.error.message.starts_with("foreign key mismatch") => {
                    Orphans::Mismatch(failure.error.message)
                }
                other => other.map_err(broken)?,
            };
            all.push(found);
        }
        Ok(all)
    }

    async fn orphans_of(&mut self, table: &str, rows_stay: bool, stop: &Stop) -> Result<Orphans, Failure> {
        let name = literal(table);
        let keys = format!(
            "SELECT id, \"table\" || ' (' || group_concat(\"from\", ', ') || ')' FROM \
             (SELECT * FROM pragma_foreign_key_list({name}, 'main') ORDER BY id, seq) GROUP BY id"
        );
        let keys = self.inquire(&keys, stop).await?;
        let keys: BTreeMap<i64, String> =
            keys.iter().map(|row| (row.number(0).unwrap_or_default(), row.text_or_empty(1))).collect();
        let check = format!("FROM pragma_foreign_key_check({name}, 'main')");
        let rows = self.inquire(&format!("SELECT fkid, \"rowid\" {check} LIMIT {}", MAX_ROWS + 1), stop).await?;
        if rows.len() > MAX_ROWS {
            let count = self.inquire(&format!("SELECT count(*) {check}"), stop).await?;
            return Ok(Orphans::Many(count.first().and_then(|row| row.number(0)).unwrap_or_default()));
        }
        let mut known = BTreeMap::new();
        for row in rows {
            let key = row.number(0).and_then(|id| keys.get(&id)).cloned().unwrap_or_default();
            let rowid = row.number(1).filter(|_| rows_stay).unwrap_or_default();
            *known.entry((key, rowid)).or_insert(0) += 1;
        }
        Ok(Orphans::Known(known))
    }
}

/// Refuses violations that were not there before.
pub(super) fn compare(steps: &Steps, before: &[Orphans], after: &[Orphans]) -> Result<(), Problem> {
    for ((table, before), after) in steps.related.iter().zip(before).zip(after) {
        let hint = "correct the rows first, or leave the foreign key out";
        let refuse = |text: String| Err(Problem::new(text).hint(hint).of(&steps.table));
        match (before, after) {
            (Orphans::Known(before), Orphans::Known(after)) => {
                let fresh = |(key, count): &(&(String, i64), &usize)| before.get(*key).is_none_or(|old| old < *count);
                let mut fresh = after.iter().filter(fresh);
                let Some(((key, rowid), _)) = fresh.next() else { continue };
                let others = fresh.count();
                let row = if *rowid == 0 { "a row".into() } else { format!("the row {rowid}") };
                let more = if others == 0 { String::new() } else { format!(", and so would {others} more") };
                return refuse(format!("{row} of '{table}' would refer to a row of {key} that does not exist{more}"));
            }
            (Orphans::Known(_), Orphans::Many(count)) => {
                return refuse(format!("{count} rows of '{table}' would refer to rows that do not exist"));
            }
            (Orphans::Many(old), Orphans::Many(new)) if new > old => {
                return refuse(format!(
                    "{new} rows of '{table}' would refer to rows that do not exist, not {old} as now"
                ));
            }
            (Orphans::Mismatch(_), _) => {}
            (_, Orphans::Mismatch(why)) => {
                let hint = "a foreign key needs a primary key or a unique constraint at its parent";
                let text = format!("a foreign key of '{table}' would be at fault ({why})");
                return Err(Problem::new(text).hint(hint).of(&steps.table));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A question that did not go through.
pub(super) fn broken(failure: Failure) -> Break {
    let answered = failure.ended == crate::provider::connection::Ended::Answered;
    Break { error: failure.error, purpose: None, in_doubt: false, ended: false, answered }
}

/// A refusal of our own.
pub(super) fn refused(error: impl Into<ProviderError>) -> Break {
    Break::before(error.into(), None)
}

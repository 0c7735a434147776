//! The ledger's texts for a migration that is undone.

use crate::domain::Direction;

use super::lock::Fence;
use super::run::Work;
use super::sql::{Entry, Sql};

/// What a journal of a migration that is being undone begins with. No digest reads so.
pub(super) const DOWN: &str = "down";

impl Sql {
    /// Removes the row of a migration that is undone. The first statement fails if the lock is not ours any more.
    pub(super) fn remove(&self, fence: &Fence, work: &Work<'_>) -> [String; 2] {
        let prove =
            format!("UPDATE {} SET fence = {} WHERE migration_id = {}", self.history, self.proof(fence), self.id(work));
        [prove, self.delete(work)]
    }

    /// Writes to the journal of a migration that is being undone. What the row says of how it was applied stays; the word
    /// [`DOWN`] at the journal's beginning tells the direction. `fresh` when the migration stands wholly applied.
    pub(super) fn journal_down(&self, fence: &Fence, work: &Work<'_>, entry: &Entry, fresh: bool) -> String {
        let (digests, intent) = match entry {
            Entry::Intent(digest) => (&[][..], self.literal(digest.as_str())),
            Entry::Done { digests, .. } => (digests.as_slice(), "NULL".into()),
            Entry::Withdrawn => (&[][..], "NULL".into()),
        };
        let added: String = digests.iter().flat_map(|digest| [" ", digest.as_str()]).collect();
        let done = match fresh {
            true => self.literal(&format!("{DOWN}{added}")),
            false => format!("CONCAT(statements_done, {})", self.literal(&added)),
        };
        format!(
            "UPDATE {} SET format = {}, state = 'partial', statements_done = {done}, statements_total = {}, \
             intent = {intent}, fence = {} WHERE migration_id = {}",
            self.history,
            Direction::Down.ledger_format(),
            work.planned.script().statements.len(),
            self.proof(fence),
            self.id(work),
        )
    }

    /// Makes the row again what it was before its migration's undoing began.
    pub(super) fn still_applied(&self, fence: &Fence, work: &Work<'_>) -> String {
        format!(
            "UPDATE {} SET format = {}, state = 'applied', statements_done = '', statements_total = {}, intent = NULL, \
             fence = {} WHERE migration_id = {}",
            self.history,
            Direction::Up.ledger_format(),
            work.planned.migration.up.statements.len(),
            self.proof(fence),
            self.id(work),
        )
    }
}

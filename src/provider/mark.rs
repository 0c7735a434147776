//! What a transaction says of itself while it is open, where a statement can end it: a procedure that commits, say.
//!
//! The lock's row bears the mark of the unit from the transaction's first statement to its last but one, so nobody else
//! ever sees it, unless something has ended the transaction in between. Then what ran before that is committed, and
//! whoever looks next knows it and of which statements, even when the program, its connection or the server was gone
//! before it could be found out. It costs no round trip, and nothing has to be known of the statements.

use std::ops::Range;

use crate::domain::{Direction, Intent};

use super::error::{ErrorKind, ProviderError};
use super::journal::{BOOKKEEPING, Nobody};
use super::lock::Fence;
use super::message::{Message, Purpose};
use super::records::{Entry, Subject};
use super::run::Work;
use super::session::Session;
use super::stop::Stop;

/// Which statements run in a transaction, and what the ledger's row needs to tell of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    direction: Direction,
    /// The index of the first of them.
    begin: usize,
    together: Intent,
    total: usize,
    checksum: String,
    run_id: String,
    migration: String,
}

impl Mark {
    /// These statements of a migration.
    pub(super) fn of(work: &Work<'_>, range: Range<usize>) -> Self {
        let Subject { id, checksum, total, run_id } = work.subject();
        let begin = range.start;
        let together = Intent::together(work.planned.script().statements.get(range).unwrap_or_default());
        let (migration, checksum) = (id.to_owned(), checksum.to_owned());
        Self { direction: work.planned.direction, begin, together, total, checksum, run_id, migration }
    }

    /// The text that the lock's row bears. No part of it has a blank, but for the intent.
    pub(super) fn to_stored(&self) -> String {
        let Self { direction, begin, together, total, checksum, run_id, migration } = self;
        let (direction, together) = (direction.as_str(), together.to_stored());
        format!("{direction} {begin} {total} {checksum} {run_id} {migration} {together}")
    }

    /// A mark as the lock's row bears it; `None` for a text that is none.
    pub(super) fn from_stored(text: &str) -> Option<Self> {
        let mut words = text.splitn(7, ' ');
        let word = words.next()?;
        let direction = [Direction::Up, Direction::Down].into_iter().find(|each| each.as_str() == word)?;
        let (begin, total) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let mut text = || words.next().map(str::to_owned).filter(|word| !word.is_empty());
        let (checksum, run_id, migration) = (text()?, text()?, text()?);
        let together = Intent::from_stored(&text()?);
        let is_together = matches!(together, Intent::Together { .. });
        is_together.then_some(Self { direction, begin, together, total, checksum, run_id, migration })
    }

    fn subject(&self) -> Subject<'_> {
        let Self { migration, checksum, total, run_id, .. } = self;
        Subject { id: migration, checksum, total: *total, run_id: run_id.clone() }
    }
}

impl Session {
    /// Somebody before us, who could not do so any more, has left a mark: the journal has to say what it says.
    pub(super) async fn tell_of(&mut self, fence: &Fence, stored: &str) -> Result<(), ProviderError> {
        let Some(mark) = Mark::from_stored(stored) else {
            let text = "the lock's row says in its column 'unit' what makes no sense";
            let hint = "it was not written by Branchkeeper; set it to NULL when nothing of a migration is half done";
            return Err(ProviderError::new(ErrorKind::Ledger, text).hint(hint));
        };
        let (subject, fresh) = (mark.subject(), mark.begin == 0);
        let entry = Entry::Intent(mark.together.clone());
        let mut message = Message::default();
        message.push(Purpose::Begin, self.sql.dialect.begin);
        self.push_touch(&mut message, fence, None);
        self.push_before_record(&mut message);
        match mark.direction {
            Direction::Up => {
                message.push(Purpose::Record, &self.sql.begin_journal(fence, &subject));
                message.push(Purpose::Record, &self.sql.journal(fence, &subject, &entry, fresh));
            }
            Direction::Down => {
                message.push(Purpose::Record, &self.sql.journal_down(fence, &subject, &entry, fresh));
            }
        }
        message.push(Purpose::Commit, "COMMIT");
        let nothing: &[Work<'_>] = &[];
        let sent = self.flush(&mut message, nothing, &Stop::after(BOOKKEEPING), &mut Nobody).await;
        match sent {
            Ok(()) => {
                tracing::warn!(
                    migration = mark.migration,
                    "an earlier attempt was cut off after its transaction had ended"
                );
                Ok(())
            }
            Err(broken) => {
                self.roll_back().await;
                Err(broken.error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Statement;

    #[test]
    fn a_mark_is_stored_and_recognised() {
        let mark = Mark {
            direction: Direction::Down,
            begin: 3,
            together: Intent::together(&["a", "b"].map(Statement::new)),
            total: 9,
            checksum: "c".repeat(64),
            run_id: "0".repeat(36),
            migration: "1_".to_owned() + &"x".repeat(148),
        };
        let stored = mark.to_stored();
        assert!(stored.len() <= 400, "the column's width: {}", stored.len());
        assert_eq!(Mark::from_stored(&stored), Some(mark));
        let words: Vec<&str> = stored.split(' ').collect();
        for count in 0..words.len() {
            assert_eq!(Mark::from_stored(&words[..count].join(" ")), None, "{count}");
        }
        for (index, word) in [(0, "Sideways"), (1, "-1"), (2, "many"), (3, ""), (6, "alone")] {
            let mut odd = words.clone();
            odd[index] = word;
            assert_eq!(Mark::from_stored(&odd.join(" ")), None, "{odd:?}");
        }
    }
}

use std::time::Duration;

use crate::domain::{Direction, Intent, StatementDigest};

use super::lock::Fence;
use super::run::Work;
use super::sql::Sql;

/// What a journal of a migration that is being undone begins with. No digest reads so.
pub(super) const DOWN: &str = "down";

/// What a row says of its migration, besides how far that has come.
pub(super) struct Subject<'a> {
    pub(super) id: &'a str,
    pub(super) checksum: &'a str,
    /// How many statements its script has, in the direction in which it is run.
    pub(super) total: usize,
    pub(super) run_id: String,
}

impl<'a> Work<'a> {
    pub(super) fn subject(&self) -> Subject<'a> {
        let migration = &self.planned.migration;
        Subject {
            id: migration.id.as_str(),
            checksum: migration.checksum.as_str(),
            total: self.planned.script().statements.len(),
            run_id: self.run_id.to_string(),
        }
    }
}

/// What a write to the journal of a migration says.
pub(super) enum Entry {
    /// This is about to run, or has run with an outcome that nothing tells.
    Intent(Intent),
    /// These statements are done.
    Done {
        digests: Vec<StatementDigest>,
        /// They end the migration.
        last: bool,
        took: Option<Duration>,
        /// The journal has said before that they were about to run.
        announced: bool,
        /// What is about to run next.
        next: Option<Intent>,
    },
    /// The statement that was about to run has not taken effect.
    Withdrawn,
}

/// What an entry says, as the ledger's columns have it.
struct Written<'a> {
    applied: bool,
    /// What the list of statements done grows by.
    added: String,
    intent: Option<&'a Intent>,
    /// How much more time was taken, where the entry says so.
    took: Option<Option<Duration>>,
}

impl Entry {
    fn written(&self) -> Written<'_> {
        let (applied, digests, intent, took) = match self {
            Self::Intent(intent) => (false, &[][..], Some(intent), None),
            Self::Done { digests, last, took, next, .. } => (*last, digests.as_slice(), next.as_ref(), Some(*took)),
            Self::Withdrawn => (false, &[][..], None, None),
        };
        let added = digests.iter().flat_map(|digest| [" ", digest.as_str()]).collect();
        Written { applied, added, intent, took }
    }
}

/// What a new row says besides its subject.
struct Row<'a> {
    state: &'a str,
    done: &'a str,
    intent: Option<&'a Intent>,
    took: String,
}

/// What is written to the ledger. Every text fails, or changes nothing, once the lock is not ours any more.
impl Sql {
    /// The ledger row of a migration that is wholly applied.
    pub(super) fn insert_applied(&self, fence: &Fence, work: &Work<'_>, took: Option<Duration>) -> String {
        let row = Row { state: "applied", done: "", intent: None, took: self.took(took) };
        self.insert(fence, &work.subject(), &row, "")
    }

    /// Removes a migration's row, such as that of an earlier content of a repeatable migration.
    pub(super) fn delete(&self, work: &Work<'_>) -> String {
        format!("DELETE FROM {} WHERE migration_id = {}", self.history, self.id(work))
    }

    /// Begins the journal of a migration where there is none.
    pub(super) fn begin_journal(&self, fence: &Fence, subject: &Subject<'_>) -> String {
        let id = self.literal(subject.id);
        let absent = format!("WHERE NOT EXISTS (SELECT 1 FROM {} WHERE migration_id = {id})", self.history);
        let row = Row { state: "partial", done: "", intent: None, took: "0".into() };
        self.insert(fence, subject, &row, &absent)
    }

    /// Begins the journal of a migration that is known to have no row, with this as its first entry.
    pub(super) fn first_entry(&self, fence: &Fence, subject: &Subject<'_>, entry: &Entry) -> String {
        let Written { applied, added, intent, took } = entry.written();
        let row = Row {
            state: if applied { "applied" } else { "partial" },
            done: if applied { "" } else { &added },
            intent,
            took: took.map_or_else(|| "0".into(), |took| self.took(took)),
        };
        self.insert(fence, subject, &row, "")
    }

    fn insert(&self, fence: &Fence, subject: &Subject<'_>, row: &Row<'_>, condition: &str) -> String {
        let Row { state, done, intent, took } = row;
        format!(
            "INSERT INTO {} (migration_id, checksum, format, state, statements_done, statements_total, intent, applied_at, \
             duration_us, product_version, run_id, sequence, fence) SELECT {}, {}, {}, '{state}', {}, {}, {}, \
             {}, {took}, {}, {}, {}, {}{} {condition}",
            self.history,
            self.literal(subject.id),
            self.literal(subject.checksum),
            Direction::Up.ledger_format(),
            self.literal(done),
            subject.total,
            self.intent(*intent),
            self.now(),
            self.literal(env!("CARGO_PKG_VERSION")),
            self.literal(&subject.run_id),
            self.next_sequence(),
            self.proof(fence),
            self.dialect.dual,
        )
    }

    /// Writes to a migration's journal. `fresh` when nothing that the row says about statements counts any more.
    pub(super) fn journal(&self, fence: &Fence, subject: &Subject<'_>, entry: &Entry, fresh: bool) -> String {
        let Written { applied, added, intent, took } = entry.written();
        let intent = self.intent(intent);
        let done = match () {
            () if applied => "''".into(),
            () if fresh => self.literal(&added),
            () => format!("CONCAT(statements_done, {})", self.literal(&added)),
        };
        let before = if fresh { "0" } else { "duration_us" };
        let duration = took.map_or_else(|| before.into(), |took| format!("{before} + {}", self.took(took)));
        let sequence = if fresh { format!(", sequence = {}", self.next_sequence()) } else { String::new() };
        format!(
            "UPDATE {} SET checksum = {}, format = {}, state = '{}', statements_done = {done}, \
             statements_total = {}, intent = {intent}, applied_at = {}, duration_us = {duration}, product_version = {}, \
             run_id = {}, fence = {}{sequence} WHERE migration_id = {}",
            self.history,
            self.literal(subject.checksum),
            Direction::Up.ledger_format(),
            if applied { "applied" } else { "partial" },
            subject.total,
            self.now(),
            self.literal(env!("CARGO_PKG_VERSION")),
            self.literal(&subject.run_id),
            self.proof(fence),
            self.literal(subject.id),
        )
    }

    /// Removes the row of a migration that is undone. The first statement fails if the lock is not ours any more.
    pub(super) fn remove(&self, fence: &Fence, work: &Work<'_>) -> [String; 2] {
        let prove =
            format!("UPDATE {} SET fence = {} WHERE migration_id = {}", self.history, self.proof(fence), self.id(work));
        [prove, self.delete(work)]
    }

    /// Writes to the journal of a migration that is being undone. What the row says of how it was applied stays; the word
    /// [`DOWN`] at the journal's beginning tells the direction. `fresh` when the migration stands wholly applied.
    pub(super) fn journal_down(&self, fence: &Fence, subject: &Subject<'_>, entry: &Entry, fresh: bool) -> String {
        let Written { added, intent, .. } = entry.written();
        let intent = self.intent(intent);
        let done = match fresh {
            true => self.literal(&format!("{DOWN}{added}")),
            false => format!("CONCAT(statements_done, {})", self.literal(&added)),
        };
        format!(
            "UPDATE {} SET format = {}, state = 'partial', statements_done = {done}, statements_total = {}, \
             intent = {intent}, fence = {} WHERE migration_id = {}",
            self.history,
            Direction::Down.ledger_format(),
            subject.total,
            self.proof(fence),
            self.literal(subject.id),
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

    /// Removes a journal that has nothing to say.
    pub(super) fn drop_empty_journal(&self, work: &Work<'_>) -> String {
        format!(
            "DELETE FROM {} WHERE migration_id = {} AND state = 'partial' AND statements_done = '' AND intent IS NULL",
            self.history,
            self.id(work)
        )
    }

    fn intent(&self, intent: Option<&Intent>) -> String {
        intent.map_or_else(|| "NULL".into(), |intent| self.literal(&intent.to_stored()))
    }

    fn id(&self, work: &Work<'_>) -> String {
        self.literal(work.planned.migration.id.as_str())
    }
}

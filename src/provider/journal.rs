//! Writing the journal of a migration that is run in segments.

use std::ops::Range;
use std::time::Duration;

use crate::domain::{Direction, Intent, MigrationId, Statement};

use super::error::{ErrorKind, ProviderError};
use super::lock::Fence;
use super::message::{Message, Purpose};
use super::records::Entry;
use super::run::{Observer, Opened, Work};
use super::session::Session;
use super::stop::Stop;

/// Bookkeeping after a statement has run is not cut short by the stop that may have ended it.
pub(super) const BOOKKEEPING: Duration = Duration::from_secs(15);

impl Session {
    /// Withdraws the announcement of a statement of this migration that was not begun, if there is one.
    pub async fn take_back(&mut self, fence: &Fence, work: &Work<'_>) -> Result<(), ProviderError> {
        match self.announced.take() {
            Some((id, index)) if id == *work.id() => self.write_journal(fence, work, index, &Entry::Withdrawn).await,
            _ => Ok(()),
        }
    }

    /// Settles the statements whose outcome was in doubt: they are done, or none ever took effect. When the migration's
    /// last is among them, and done, the migration is applied, or undone.
    pub async fn settle(
        &mut self,
        fence: &Fence,
        work: &Work<'_>,
        doubtful: Range<usize>,
        applied: bool,
    ) -> Result<(), ProviderError> {
        let statements = &work.planned.script().statements;
        let begin = doubtful.start;
        let entry = match (applied, statements.get(doubtful.clone())) {
            (false, _) => Entry::Withdrawn,
            (true, Some(settled)) if !settled.is_empty() => {
                let digests = settled.iter().map(Statement::digest).collect();
                let (last, took) = (doubtful.end == statements.len(), Some(Duration::ZERO));
                Entry::Done { digests, last, took, announced: true, next: None }
            }
            _ => {
                return Err(ProviderError::new(ErrorKind::Internal, "the doubtful statement is not in the migration"));
            }
        };
        self.write_journal(fence, work, begin, &entry).await
    }

    /// Writes into the journal that a person has to find out which of these statements took effect.
    pub async fn put_in_doubt(
        &mut self,
        fence: &Fence,
        work: &Work<'_>,
        range: Range<usize>,
    ) -> Result<(), ProviderError> {
        let begin = range.start;
        let statements = work.planned.script().statements.get(range).unwrap_or_default();
        self.write_journal(fence, work, begin, &Entry::Intent(Intent::together(statements))).await
    }

    /// Writes one entry to the journal, in a transaction of its own, after whatever may have happened.
    pub(super) async fn write_journal(
        &mut self,
        fence: &Fence,
        work: &Work<'_>,
        index: usize,
        entry: &Entry,
    ) -> Result<(), ProviderError> {
        self.write_entry(Opened::ToSettle, fence, work, index, entry).await
    }

    pub(super) async fn write_entry(
        &mut self,
        opened: Opened,
        fence: &Fence,
        work: &Work<'_>,
        index: usize,
        entry: &Entry,
    ) -> Result<(), ProviderError> {
        let mut message = Message::default();
        self.open(&mut message, fence, work, opened.clone())?;
        self.push_journal(&mut message, &opened, fence, work, index, entry);
        let stop = Stop::after(BOOKKEEPING);
        match self.flush(&mut message, std::slice::from_ref(work), &stop, &mut Nobody).await {
            Ok(()) => {
                self.hold = self.hold.committed(false);
                Ok(())
            }
            Err(broken) => {
                self.roll_back().await;
                Err(broken.error)
            }
        }
    }

    /// The journal's entry, the row's beginning before it where there may be none, and the commit. `opened` is for what the
    /// transaction was opened; `begin` is the index of the first statement that the entry speaks of.
    pub(super) fn push_journal(
        &self,
        message: &mut Message,
        opened: &Opened,
        fence: &Fence,
        work: &Work<'_>,
        begin: usize,
        entry: &Entry,
    ) {
        let fresh = begin == 0 && work.planned.resume.is_none();
        let withdrawn = begin == 0 && matches!(entry, Entry::Withdrawn);
        if !self.keeps(opened) {
            self.push_before_record(message);
        }
        match (work.planned.direction, entry) {
            (Direction::Down, Entry::Done { last: true, .. }) => self.push_removal(message, fence, work),
            (Direction::Down, _) if withdrawn => message.push(Purpose::Record, &self.sql.still_applied(fence, work)),
            (Direction::Down, _) => {
                message.push(Purpose::Record, &self.sql.journal_down(fence, &work.subject(), entry, fresh))
            }
            (Direction::Up, _) => {
                let is_there = matches!(entry, Entry::Withdrawn | Entry::Done { announced: true, .. });
                let is_new = fresh && !is_there && !work.id().is_repeatable();
                if is_new && *opened != Opened::ToSettle {
                    message.push(Purpose::Record, &self.sql.first_entry(fence, &work.subject(), entry));
                    return self.push_commit(message, fence, entry);
                }
                if begin == 0 && !is_there {
                    message.push(Purpose::Record, &self.sql.begin_journal(fence, &work.subject()));
                }
                message.push(Purpose::Record, &self.sql.journal(fence, &work.subject(), entry, fresh));
                if withdrawn {
                    message.push(Purpose::Record, &self.sql.drop_empty_journal(work));
                }
            }
        }
        self.push_commit(message, fence, entry);
    }

    fn push_commit(&self, message: &mut Message, fence: &Fence, entry: &Entry) {
        if self.sql.dialect.records_afterwards() {
            message.push(Purpose::Fence, &self.sql.touch(fence));
        }
        if matches!(entry, Entry::Done { announced: false, .. }) {
            message.push(Purpose::Record, &self.sql.unmark());
        }
        message.push(Purpose::Commit, "COMMIT");
    }
}

/// Bookkeeping has no audience.
pub(super) struct Nobody;

impl Observer for Nobody {
    fn migration_started(&mut self, _: &MigrationId) {}
    fn statement_finished(&mut self, _: &MigrationId, _: usize, _: usize, _: Duration) {}
    fn migration_finished(&mut self, _: &MigrationId, _: Duration) {}
}

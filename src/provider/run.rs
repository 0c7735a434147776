use std::ops::Range;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{Direction, MigrationId, Planned, RunId, SessionChange};

use super::error::{ErrorKind, ExecutionError, Outcome, ProviderError};
use super::flush::Break;
use super::lock::{Fence, fence_lost};
use super::mark::Mark;
use super::message::{Message, Purpose};
use super::session::{Session, Used};
use super::stop::{Stop, later};

/// One migration to run.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// The migration, as planned.
    pub planned: &'a Planned,
    /// The run that it belongs to, for the ledger.
    pub run_id: RunId,
    /// The migration's time limit.
    pub timeout: Duration,
}

impl Work<'_> {
    pub(super) fn id(&self) -> &MigrationId {
        &self.planned.migration.id
    }

    /// All statements of its script.
    pub(super) fn whole(&self) -> Range<usize> {
        0..self.planned.script().statements.len()
    }

    /// Whether any of its statements changes this of the session.
    pub(super) fn changes(&self, what: SessionChange) -> bool {
        self.planned.script().statements.iter().any(|statement| statement.session == Some(what))
    }
}

/// Is told how work goes on. Called from within the work, so it must not take long.
pub trait Observer: Send {
    /// Whether [`Observer::statement_finished`] is to be called. It costs PostgreSQL a round trip per statement, because
    /// the server keeps its answers back until it has worked through a message.
    fn each_statement(&self) -> bool {
        false
    }

    /// Whether the next statement is to be begun, as far as can be told now.
    fn goes_on(&self) -> bool {
        true
    }

    /// A migration begins.
    fn migration_started(&mut self, id: &MigrationId);

    /// The statement at `index` of `total` ran through. It may still be rolled back.
    fn statement_finished(&mut self, id: &MigrationId, index: usize, total: usize, took: Duration);

    /// The migration is applied, or undone, and committed. Migrations that commit together are finished together.
    fn migration_finished(&mut self, id: &MigrationId, took: Duration);
}

impl Session {
    /// Runs migrations up or down and records that in the ledger, all in one transaction. With `last`, the same transaction gives the
    /// lock back, and [`Session::unlock`] has nothing left to do.
    ///
    /// A lock that [`Session::lock`] has not committed yet is committed along, or is gone if the work fails.
    pub async fn run_atomic(
        &mut self,
        fence: &Fence,
        work: &[Work<'_>],
        last: bool,
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<(), ExecutionError> {
        let Some(first) = work.first() else { return Ok(()) };
        if let Some(error) = work.iter().find_map(|one| self.misread(one)) {
            return Err(error);
        }
        let mut message = Message::default();
        self.open(&mut message, fence, first, Opened::For(first.whole()))
            .map_err(|error| nothing_done(error, first))?;
        let mut times = Vec::with_capacity(work.len());
        for (number, one) in work.iter().enumerate() {
            let started = Instant::now();
            observer.migration_started(one.id());
            let stop = stop.no_later_than(later(started, one.timeout));
            let end = (number + 1 == work.len()).then_some(last);
            if number > 0 {
                self.set_up(&mut message, one);
            }
            if let Err(broken) = self.run_one(&mut message, fence, work, number, end, &stop, observer).await {
                return Err(self.abort(broken, fence, work, number, one.whole()).await);
            }
            times.push(started.elapsed());
        }
        self.hold = self.hold.committed(last);
        for (one, took) in work.iter().zip(times) {
            observer.migration_finished(one.id(), took);
        }
        Ok(())
    }

    /// Why a script must not be run at all: the server would read it otherwise than it was split.
    pub(super) fn misread(&self, work: &Work<'_>) -> Option<ExecutionError> {
        let connection = self.connection.as_ref()?;
        let statements = &work.planned.script().statements;
        let (index, offset, mode) = connection.misread(statements.iter().map(|statement| &*statement.sql))?;
        let text = format!(
            "the server runs with the mode {mode}, in which what stands here means something else than it was read as"
        );
        let error = ProviderError { position: Some(offset), ..ProviderError::new(ErrorKind::Sql, text) }.hint(
            "write names in backticks, strings in single quotes and without backslashes; or begin the file with SET \
             sql_mode = '…'",
        );
        let done = work.planned.begin();
        let outcome = if done == 0 { Outcome::RolledBack } else { Outcome::Partial };
        Some(ExecutionError { error, migration: Some(work.id().clone()), statement: Some(index), done, outcome })
    }

    /// One migration of an atomic unit. `end` when it is the unit's last, and whether the lock is given back then.
    #[expect(clippy::too_many_arguments, reason = "the parts of one call of run_atomic")]
    async fn run_one(
        &mut self,
        message: &mut Message,
        fence: &Fence,
        work: &[Work<'_>],
        number: usize,
        end: Option<bool>,
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<(), Break> {
        let Some(one) = work.get(number) else { return Ok(()) };
        let dialect = self.sql.dialect;
        let afterwards = dialect.records_afterwards();
        if number > 0 && !afterwards {
            // Marks the time from which the server counts this migration's duration.
            self.push_touch(message, fence, Some(&Mark::of(one, one.whole())));
        }
        let started = Instant::now();
        self.push_statements(message, work, number, one.whole(), stop, observer).await?;
        self.push_before_record(message);
        match one.planned.direction {
            Direction::Up => {
                if one.planned.replaces {
                    message.push(Purpose::Record, &self.sql.delete(one));
                }
                let took = afterwards.then(|| started.elapsed());
                message.push(Purpose::Record, &self.sql.insert_applied(fence, one, took));
            }
            Direction::Down => self.push_removal(message, fence, one),
        }
        match end {
            Some(true) => message.push(Purpose::Fence, &self.sql.release(fence)),
            Some(false) if afterwards => message.push(Purpose::Fence, &self.sql.touch(fence)),
            _ => {}
        }
        if let Some(release) = end {
            message.push(Purpose::Record, &self.sql.unmark());
            message.push(Purpose::Commit, "COMMIT");
            if release {
                message.push(Purpose::Unlock, &self.sql.let_go(fence.pid));
            }
        }
        self.flush(message, work, stop, observer).await
    }

    /// Adds a migration's statements to the message, and sends it where that can't wait.
    pub(super) async fn push_statements(
        &mut self,
        message: &mut Message,
        works: &[Work<'_>],
        number: usize,
        range: Range<usize>,
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<(), Break> {
        let Some(work) = works.get(number) else { return Ok(()) };
        let afterwards = self.sql.dialect.records_afterwards();
        let one_by_one = self.sql.dialect.one_by_one;
        let statements = work.planned.script().statements.get(range.clone()).unwrap_or_default();
        for (index, statement) in range.zip(statements) {
            let purpose = Purpose::Statement { work: number, index };
            if statement.sql.contains('\0') {
                // Drivers end the text there, and would run half a statement.
                let error = ProviderError::new(ErrorKind::Sql, "the statement contains a zero byte");
                return Err(Break::before(error, Some(purpose)));
            }
            let enforces = statement.enforces_keys && self.can_enforce_keys();
            if (one_by_one || statement.rebuild.is_some() || enforces) && !message.is_empty() {
                self.flush(message, works, stop, observer).await?;
            }
            if let Some(rebuild) = &statement.rebuild {
                // What is rarely needed does not make everybody's future larger.
                Box::pin(self.rebuild(works, (number, index), rebuild, stop, observer)).await?;
                continue;
            }
            if enforces {
                Box::pin(self.run_enforcing(works, (number, index), &statement.sql, stop, observer)).await?;
                continue;
            }
            message.push(purpose, &statement.sql);
            if one_by_one || (observer.each_statement() && !afterwards) || message.is_long() {
                self.flush(message, works, stop, observer).await?;
            }
        }
        if afterwards && !message.is_empty() {
            self.flush(message, works, stop, observer).await?;
        }
        Ok(())
    }

    /// Begins a unit of work: the transaction, unless the lock's own is still open, and the proof that the lock is ours.
    pub(super) fn open(
        &mut self,
        message: &mut Message,
        fence: &Fence,
        work: &Work<'_>,
        opened: Opened,
    ) -> Result<(), ProviderError> {
        let Some((hold, begin)) = self.hold.begin() else { return Err(fence_lost()) };
        self.hold = hold;
        if begin {
            self.set_up(message, work);
            if work.changes(SessionChange::User) {
                // The lock's row is ours, not that of the user to whom an earlier segment has changed.
                message.push(Purpose::Setting, self.sql.dialect.own_user);
            }
            message.push(Purpose::Begin, self.sql.dialect.begin);
            match opened {
                Opened::For(range) => self.push_touch(message, fence, Some(&Mark::of(work, range))),
                Opened::ForEntry if self.keeps(&opened) => {
                    for text in self.sql.dialect.keep {
                        message.push(Purpose::Fence, &self.sql.fill(text));
                    }
                }
                Opened::ForEntry | Opened::ToSettle => self.push_touch(message, fence, None),
            }
        } else if work.changes(SessionChange::Setting) {
            self.used = Used::By(work.id().clone());
        }
        Ok(())
    }

    /// The migration is undone: its row goes, if the lock is ours.
    pub(super) fn push_removal(&self, message: &mut Message, fence: &Fence, work: &Work<'_>) {
        for text in self.sql.remove(fence, work) {
            message.push(Purpose::Record, &text);
        }
    }

    /// Makes sure in the open transaction that the lock is ours, and says what it is for.
    pub(super) fn push_touch(&self, message: &mut Message, fence: &Fence, unit: Option<&Mark>) {
        for text in self.sql.dialect.before_touch {
            message.push(Purpose::Fence, &self.sql.fill(text));
        }
        message.push(Purpose::Fence, &self.sql.touch_for(fence, unit));
        for text in self.sql.dialect.mark {
            message.push(Purpose::Fence, &self.sql.fill(text));
        }
    }

    /// Whether the lock's row is only kept for what is opened.
    pub(super) fn keeps(&self, opened: &Opened) -> bool {
        *opened == Opened::ForEntry && !self.sql.dialect.keep.is_empty()
    }

    /// What the migration may have done to session and transaction is put right, or found out.
    pub(super) fn push_before_record(&self, message: &mut Message) {
        for text in self.sql.dialect.before_record {
            message.push(Purpose::Record, &self.sql.fill(text));
        }
    }

    /// Gives a migration a session as if it were the first in it. Segments of the same migration keep their settings.
    pub(super) fn set_up(&mut self, message: &mut Message, work: &Work<'_>) {
        if matches!(&self.used, Used::By(id) if id == work.id()) {
            return;
        }
        if self.used != Used::Never {
            for text in self.sql.dialect.reset {
                message.push(Purpose::Setting, &self.sql.fill(text));
            }
        }
        message.push(Purpose::Setting, &self.sql.prepare(work.timeout));
        self.used = match self.sql.dialect.settings_survive_commit || work.changes(SessionChange::Setting) {
            true => Used::By(work.id().clone()),
            false => Used::Never,
        };
    }
}

/// What a transaction is opened for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Opened {
    /// These statements of the migration, and their record.
    For(Range<usize>),
    /// An entry of the journal about a statement outside transactions, before which nothing was left unsaid.
    ForEntry,
    /// An entry of the journal after whatever may have happened.
    ToSettle,
}

pub(super) fn nothing_done(error: ProviderError, work: &Work<'_>) -> ExecutionError {
    let migration = Some(work.id().clone());
    ExecutionError { error, migration, statement: None, done: 0, outcome: Outcome::RolledBack }
}

use std::ops::Range;

use tokio::time::Instant;

use crate::domain::{Effect, Intent, LostValue, Segment, SessionChange, Statement};

use super::error::{ErrorKind, ExecutionError, Outcome, ProviderError};
use super::fate::Fate;
use super::flush::Break;
use super::hold::Hold;
use super::journal::Nobody;
use super::lock::Fence;
use super::message::{Message, Purpose};
use super::records::Entry;
use super::run::{Observer, Opened, Work, nothing_done};
use super::session::{Session, Used};
use super::stop::{Stop, later};
use super::untransacted::Untransacted;

/// What a migration has left after a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    Finished,
    /// Other segments.
    More,
    /// The statement of this index is next, and runs alone.
    Alone(usize),
}

impl From<bool> for Then {
    /// Whether the segment is the last.
    fn from(finished: bool) -> Self {
        if finished { Self::Finished } else { Self::More }
    }
}

impl Session {
    /// Runs one segment of a migration and records it in the migration's journal. With [`Then::Finished`], the journal's
    /// row becomes that of an applied migration, or goes when it is undone.
    ///
    /// A statement that runs alone is announced in the journal before and recorded after. If it fails, the announcement is
    /// withdrawn, unless it left something behind (an invalid index, half of a procedure's work): then it stays, and
    /// [`Session::fate`] says so. With [`Then::Alone`], the write that records it announces the next one too, unless the
    /// work is to stop; whoever does not go on then has to call [`Session::take_back`].
    pub async fn run_segment(
        &mut self,
        fence: &Fence,
        work: &Work<'_>,
        segment: &Segment,
        then: impl Into<Then>,
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<(), ExecutionError> {
        let then = then.into();
        let finishes = then == Then::Finished;
        let range = match segment {
            Segment::Transaction(range) => range.clone(),
            Segment::Alone(index) => *index..*index + 1,
        };
        let statements = &work.planned.script().statements;
        let Some(part) = statements.get(range.clone()) else {
            let error = ProviderError::new(ErrorKind::Internal, "the plan has more statements than the migration");
            return Err(nothing_done(error, work));
        };
        if let Some(error) = self.misread(work) {
            return Err(error);
        }
        let started = match &self.stepwise {
            Some((id, started)) if id == work.id() => *started,
            _ => {
                observer.migration_started(work.id());
                Instant::now()
            }
        };
        self.stepwise = Some((work.id().clone(), started));
        let stop = stop.no_later_than(later(started, work.timeout));
        if let Err(broken) = self.restore(fence, work, range.start, &stop).await {
            self.stepwise = None;
            self.roll_back().await;
            let statement = match broken.purpose {
                Some(Purpose::Statement { index, .. }) => Some(index),
                _ => None,
            };
            return Err(ExecutionError { statement, ..partly_done(broken.error, work, range.start) });
        }
        let result = match (segment, part) {
            (Segment::Alone(index), [statement]) => {
                Box::pin(self.run_alone(fence, work, *index, statement, then, &stop, observer)).await
            }
            _ => Box::pin(self.run_together(fence, work, range, finishes, &stop, observer)).await,
        };
        if finishes || result.is_err() {
            self.stepwise = None;
        }
        if finishes && result.is_ok() {
            observer.migration_finished(work.id(), started.elapsed());
        }
        result
    }

    /// Gives a migration that goes on in another session the settings that its done statements, the first `begin`, have
    /// made: what comes next may rely on them.
    async fn restore(&mut self, fence: &Fence, work: &Work<'_>, begin: usize, stop: &Stop) -> Result<(), Break> {
        if begin == 0 || matches!(&self.used, Used::By(id) if id == work.id()) {
            return Ok(());
        }
        if let Some(lost) = work.planned.script().lost_value(begin) {
            let purpose = Purpose::Statement { work: 0, index: lost.needed };
            return Err(Break::before(gone(&lost, work), Some(purpose)));
        }
        let settings: Vec<&str> = done(work, begin, SessionChange::Setting).collect();
        if settings.is_empty() {
            return Ok(());
        }
        let works = std::slice::from_ref(work);
        let mut message = Message::default();
        if self.hold == Hold::Uncommitted {
            // Some settings can't be changed inside a transaction, and the lock's own is still open.
            message.push(Purpose::Fence, &self.sql.touch(fence));
            message.push(Purpose::Commit, "COMMIT");
            self.flush(&mut message, works, stop, &mut Nobody).await?;
            self.hold = Hold::Committed;
        }
        self.set_up(&mut message, work);
        for setting in settings {
            message.push(Purpose::Setting, setting);
        }
        self.flush(&mut message, works, stop, &mut Nobody).await?;
        self.used = Used::By(work.id().clone());
        Ok(())
    }

    async fn run_together(
        &mut self,
        fence: &Fence,
        work: &Work<'_>,
        range: Range<usize>,
        last: bool,
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<(), ExecutionError> {
        let begin = range.start;
        let works = std::slice::from_ref(work);
        let mut message = Message::default();
        self.open(&mut message, fence, work, Opened::For(range.clone()))
            .map_err(|error| partly_done(error, work, begin))?;
        for user in done(work, begin, SessionChange::User) {
            message.push(Purpose::Setting, user);
        }
        let started = Instant::now();
        let statements = work.planned.script().statements.get(range.clone()).unwrap_or_default();
        let digests = statements.iter().map(Statement::digest).collect();
        let sent = self.push_statements(&mut message, works, 0, range.clone(), stop, observer).await;
        let sent = match sent {
            Ok(()) => {
                let took = self.sql.dialect.records_afterwards().then(|| started.elapsed());
                let entry = Entry::Done { digests, last, took, announced: false, next: None };
                self.push_journal(&mut message, &Opened::For(range.clone()), fence, work, begin, &entry);
                self.flush(&mut message, works, stop, observer).await
            }
            broken => broken,
        };
        match sent {
            Ok(()) => {
                self.hold = self.hold.committed(false);
                Ok(())
            }
            Err(broken) => Err(self.abort(broken, fence, works, 0, range).await),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one call of run_segment")]
    async fn run_alone(
        &mut self,
        fence: &Fence,
        work: &Work<'_>,
        index: usize,
        statement: &Statement,
        then: Then,
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<(), ExecutionError> {
        let works = std::slice::from_ref(work);
        let mut message = Message::default();
        if self.announced.as_ref().is_none_or(|(id, announced)| id != work.id() || *announced != index) {
            self.open(&mut message, fence, work, Opened::ForEntry).map_err(|error| partly_done(error, work, index))?;
            let entry = Entry::Intent(Intent::Alone(statement.digest()));
            self.push_journal(&mut message, &Opened::ForEntry, fence, work, index, &entry);
            if let Err(broken) = self.flush(&mut message, works, stop, observer).await {
                return Err(self.abort(broken, fence, works, 0, index..index).await);
            }
            self.hold = self.hold.committed(false);
        }
        // From here on, what becomes of the announcement depends on the statement.
        self.announced = None;
        if statement.is_transactional()
            && let Some(Untransacted::ByCalls { .. }) = &self.sql.dialect.untransacted
        {
            return self.run_announced(fence, work, index, statement, then == Then::Finished, stop, observer).await;
        }

        self.used = Used::By(work.id().clone());
        for user in done(work, index, SessionChange::User) {
            message.push(Purpose::Setting, user);
        }
        // A message of its own: what runs alone refuses company.
        if !message.is_empty()
            && let Err(broken) = self.flush(&mut message, works, stop, observer).await
        {
            return Err(self.withdraw(fence, work, index, statement, broken).await);
        }
        // Whatever it makes may be another of those tables.
        self.reached = None;
        let started = Instant::now();
        let alone = self.push_alone(&mut message, statement, index);
        let sent = match alone {
            Ok(()) => self.flush(&mut message, works, stop, observer).await,
            Err(broken) => Err(broken),
        };
        let took = Some(started.elapsed());
        if work.changes(SessionChange::User) {
            // What follows is ours, the lock's release included. Where this does not get through, the session is lost.
            let _ = self.query(self.sql.dialect.own_user).await;
        }
        if let Err(broken) = sent {
            return Err(self.withdraw(fence, work, index, statement, broken).await);
        }
        if let Some(leftover) = self.leftover(statement).await {
            // The attempt's announcement stays, so that the next one drops the index and builds it anew.
            let error = ProviderError::new(ErrorKind::Sql, leftover);
            let error = error.hint("the next attempt drops that index and runs the statement again");
            let (statement, outcome) = (Some(index), Outcome::Partial);
            return Err(ExecutionError { outcome, statement, ..partly_done(error, work, index) });
        }
        let next = match then {
            Then::Alone(next) if observer.goes_on() && stop.now().is_none() => Some(next),
            _ => None,
        };
        let next = next.and_then(|next| Some((next, work.planned.script().statements.get(next)?.digest())));
        let entry = Entry::Done {
            digests: vec![statement.digest()],
            last: then == Then::Finished,
            took,
            announced: true,
            next: next.as_ref().map(|(_, digest)| Intent::Alone(digest.clone())),
        };
        match self.write_entry(Opened::ForEntry, fence, work, index, &entry).await {
            Ok(()) => {
                self.announced = next.map(|(next, _)| (work.id().clone(), next));
                Ok(())
            }
            // It took effect and the ledger does not say so: whoever reads the ledger finds the announcement.
            Err(error) => Err(ExecutionError {
                outcome: Outcome::Unknown,
                statement: Some(index),
                ..partly_done(error, work, index)
            }),
        }
    }

    /// What an index that the statement was to make is wanting in, although the server reported success: with `IF NOT
    /// EXISTS`, PostgreSQL is content with an invalid one that an earlier attempt has left.
    async fn leftover(&mut self, statement: &Statement) -> Option<String> {
        let Some(Effect::IndexExists { index, .. }) = &statement.alone else { return None };
        let name = index.name.clone();
        match self.fate(statement).await {
            Ok(Fate::Leftover) => Some(format!("an invalid index '{name}' of an earlier attempt stood in the way")),
            _ => None,
        }
    }

    pub(super) fn push_alone(&self, message: &mut Message, statement: &Statement, index: usize) -> Result<(), Break> {
        let purpose = Purpose::Statement { work: 0, index };
        if statement.sql.contains('\0') {
            let error = ProviderError::new(ErrorKind::Sql, "the statement contains a zero byte");
            return Err(Break::before(error, Some(purpose)));
        }
        message.push(purpose, &statement.sql);
        Ok(())
    }

    /// Whether this server does all of such a statement or nothing.
    async fn is_whole(&mut self, statement: &Statement) -> bool {
        let Some((is_meant, question)) = &self.sql.dialect.probes.whole else { return false };
        is_meant(&statement.sql) && self.query(question).await.is_ok_and(|rows| !rows.is_empty())
    }

    /// A statement outside any transaction has failed: finds out what it left, and puts the journal right.
    async fn withdraw(
        &mut self,
        fence: &Fence,
        work: &Work<'_>,
        index: usize,
        statement: &Statement,
        broken: Break,
    ) -> ExecutionError {
        let mut error = ExecutionError { statement: Some(index), ..partly_done(broken.error, work, index) };
        let code = &*error.error.code;
        let half_done = match (&statement.alone, &self.sql.dialect.untransacted) {
            // It runs alone only because of the tables that it changes.
            (None, Some(Untransacted::ByTables { untouched, .. })) => {
                broken.purpose.is_some() && !untouched.contains(&code)
            }
            _ => {
                (self.sql.dialect.probes.half_done)(&statement.sql, code)
                    && !(broken.answered && self.is_whole(statement).await)
            }
        };
        if !broken.answered || half_done {
            error.outcome = Outcome::Unknown;
            return error;
        }
        if matches!(statement.alone, Some(Effect::IndexExists { .. })) {
            match self.fate(statement).await {
                Ok(Fate::NotStarted | Fate::Applied) => {}
                Ok(Fate::Leftover) => {
                    error.outcome = Outcome::Partial;
                    return error;
                }
                _ => {
                    error.outcome = Outcome::Unknown;
                    return error;
                }
            }
        }
        if self.write_journal(fence, work, index, &Entry::Withdrawn).await.is_err() {
            error.outcome = Outcome::Unknown;
        }
        error
    }
}

/// Those of a migration's first `count` statements that change this of the session.
pub(super) fn done<'a>(work: &Work<'a>, count: usize, what: SessionChange) -> impl Iterator<Item = &'a str> + use<'a> {
    let statements = work.planned.script().statements.iter().take(count);
    statements.filter(move |statement| statement.session == Some(what)).map(|statement| &*statement.sql)
}

/// The migration can't go on: a session that is gone knew a value that is needed now.
fn gone(lost: &LostValue, work: &Work<'_>) -> ProviderError {
    let line = |index: usize| work.planned.script().statements.get(index).map_or(0, |statement| statement.line);
    let LostValue { variable, given, needed } = lost;
    let what = if variable.starts_with("@@") { "the session's settings" } else { variable };
    let text = format!(
        "statement {} (line {}) gave {what} a value that was worked out then and has gone with its session; statement {} \
         (line {}) needs it",
        given + 1,
        line(*given),
        needed + 1,
        line(*needed)
    );
    let hint = "put a SET with the value itself in front of that statement (statements that are not done yet may be \
                changed), and apply again";
    ProviderError::new(ErrorKind::Ambiguous, text).hint(hint)
}

pub(super) fn partly_done(error: ProviderError, work: &Work<'_>, done: usize) -> ExecutionError {
    let outcome = if done == 0 { Outcome::RolledBack } else { Outcome::Partial };
    ExecutionError { done, outcome, ..nothing_done(error, work) }
}

//! A unit that did not go through: undoing it, and finding out what stays all the same.

use std::ops::Range;

use super::dialect::LockMeans;
use super::error::{ErrorKind, ExecutionError, Outcome, ProviderError};
use super::flush::Break;
use super::lock::Fence;
use super::message::Purpose;
use super::run::Work;
use super::session::Session;
use super::untransacted::Reached;
use super::word::has_word;

impl Session {
    /// Undoes the unit, and says what is left. Of the migration at `number`, the unit holds the statements in `range`; those
    /// before had been committed.
    pub(super) async fn abort(
        &mut self,
        broken: Break,
        fence: &Fence,
        work: &[Work<'_>],
        number: usize,
        range: Range<usize>,
    ) -> ExecutionError {
        let (at, statement) = match broken.purpose {
            Some(Purpose::Statement { work, index }) => (Some(work), Some(index)),
            Some(Purpose::Commit) if work.len() > 1 => (None, None),
            _ => (Some(number), None),
        };
        let done = range.start;
        self.roll_back().await;
        let mut kept = self.kept(&broken, fence, work).await;
        let mut outcome = match (broken.in_doubt, done) {
            (true, _) => Outcome::Unknown,
            (false, 0) => Outcome::RolledBack,
            (false, _) => Outcome::Partial,
        };
        let mut error = broken.error;
        if let LockMeans::Session { pooler, .. } = &self.sql.dialect.lock
            && error.kind == ErrorKind::FenceLost
            && self.is_elsewhere(fence).await
        {
            let text = "the transaction ran in another session of the server than the one that took the lock: a \
                        connection pooler hands each transaction to any of its sessions; nothing was committed";
            error = ProviderError::new(ErrorKind::Unsupported, text).hint(*pooler);
        }
        if error.kind == ErrorKind::FenceLost
            && broken.purpose == Some(Purpose::Record)
            && self.renew(fence).await.is_ok()
        {
            // The lock is ours, but the transaction in which that was made sure is over.
            error.message.clear();
            kept = Kept::UntilEnded;
        }
        if kept != Kept::Nothing
            && !range.is_empty()
            && let Some(one) = work.get(number)
        {
            // Boxed, like other calls that are rare or large: what an async call needs is part of its caller's state.
            let doubted = Box::pin(self.doubt(kept, error, fence, one, range.clone())).await;
            let recorded;
            (error, recorded) = doubted;
            outcome = Outcome::InDoubt { end: range.end, recorded };
            let (migration, statement) = (Some(one.id().clone()), statement.or(Some(range.start)));
            return ExecutionError { error, migration, statement, done, outcome };
        }
        let migration = at.and_then(|at| work.get(at)).map(|work| work.id().clone());
        ExecutionError { error, migration, statement, done, outcome }
    }

    /// What of a unit stays although its transaction was just rolled back. Nothing can be asked once the connection is
    /// gone; then the server has rolled back whatever was still open.
    async fn kept(&mut self, broken: &Break, fence: &Fence, work: &[Work<'_>]) -> Kept {
        let dialect = self.sql.dialect;
        if self.connection.is_some() && !dialect.not_rolled_back.is_empty() {
            // Tells of the statement before it, so nothing may come in between.
            let warnings = self.query("SHOW WARNINGS").await.unwrap_or_default();
            let code = |row: &super::connection::Row| row.text_or_empty(1);
            // A temporary table goes with its session. It is to blame where there is no other such table.
            let statements = || work.iter().flat_map(|one| &one.planned.script().statements);
            let is_temporary = self.reached.as_ref().is_some_and(Reached::is_empty)
                && statements().any(|statement| has_word(&statement.sql, "temporary"));
            if !is_temporary && warnings.iter().any(|row| code(row) == dialect.not_rolled_back) {
                return Kept::Untransacted;
            }
        }
        if broken.ended {
            return Kept::UntilEnded;
        }
        if self.connection.is_some() && !dialect.stands.is_empty() {
            // Somebody else who has taken the lock since has touched the row, too.
            let text = format!("{} AND fence = {}", self.sql.fill(dialect.stands), fence.epoch());
            let stands = self.query(&text).await;
            if stands.is_ok_and(|rows| !rows.is_empty()) {
                return Kept::UntilEnded;
            }
        }
        Kept::Nothing
    }

    /// Records that nobody knows which statements of the unit took effect, and gives the error that says so. The second
    /// value says whether it could be recorded.
    async fn doubt(
        &mut self,
        kept: Kept,
        error: ProviderError,
        fence: &Fence,
        work: &Work<'_>,
        range: Range<usize>,
    ) -> (ProviderError, bool) {
        let what = match range.len() {
            1 => format!("statement {}", range.end),
            _ => format!("any of statements {} to {}", range.start + 1, range.end),
        };
        let why = match kept {
            Kept::Untransacted => {
                "rows were changed of a table whose engine knows no transactions (MyISAM, Aria, MEMORY, …), and these stay"
            }
            _ => "a statement of the migration has ended the transaction, and what ran before that was committed",
        };
        let because = match error.message.is_empty() {
            true => String::new(),
            false => format!("{}; ", error.message),
        };
        let text = format!("{because}{why}: {what} may have taken effect");
        let doubt = ProviderError {
            code: error.code,
            position: error.position,
            ..ProviderError::new(ErrorKind::Ambiguous, text)
        };
        match self.put_in_doubt(fence, work, range).await {
            Ok(()) => (doubt, true),
            Err(failed) => {
                let hint = format!(
                    "the branch's ledger could not be told of it ({}): before anything is applied again, look in the \
                     branch's database what took effect",
                    failed.message
                );
                (doubt.hint(hint), false)
            }
        }
    }

    /// Whether this connection is served by another session than the one that took the lock, which only a pooler does.
    async fn is_elsewhere(&mut self, fence: &Fence) -> bool {
        let (Some(pid), LockMeans::Session { held, .. }) = (fence.pid, &self.sql.dialect.lock) else { return false };
        match self.query(&self.sql.fill(held)).await {
            Ok(rows) => rows.first().and_then(|row| row.number(0)).is_some_and(|now| now != pid),
            Err(_) => false,
        }
    }
}

/// What of a unit stays although its transaction was rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Nothing,
    /// What ran until one of its statements ended the transaction, and perhaps what came after.
    UntilEnded,
    /// What was done to tables whose engine knows no transactions.
    Untransacted,
}

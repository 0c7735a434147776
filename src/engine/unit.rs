//! How one unit of a plan is run.

use std::slice;

use super::apply::{Attempt, Broken};
use super::report::{Progress, Report};
use crate::domain::{Planned, Segment, Unit};
use crate::provider::{ExecutionError, Fence, Outcome, Session, Then, Work};

impl Attempt<'_> {
    /// Runs a unit; with `last`, nothing comes after it.
    pub(super) async fn run_unit(
        &self,
        session: &mut Session,
        fence: &Fence,
        unit: &Unit,
        last: bool,
        progress: &mut Progress<'_>,
        report: &mut Report,
    ) -> Result<(), Broken> {
        match unit {
            Unit::Atomic(planned) => {
                let work: Vec<Work<'_>> = planned.iter().map(|planned| self.work(planned)).collect();
                if let (Some(alone), [planned]) = (self.find_alone(session, &work).await?, &planned[..]) {
                    let whole = Segment::Transaction(0..planned.script().statements.len());
                    let segments = whole.apart(&alone);
                    return Box::pin(self.run_segments(session, fence, planned, &segments, progress, report)).await;
                }
                let stop = self.stop();
                let done = Box::pin(session.run_atomic(fence, &work, last, &stop, progress)).await;
                done.map_err(|error| self.broken_execution(&planned.iter().collect::<Vec<_>>(), error))?;
                planned.iter().for_each(|planned| report.applied(planned.migration.id.clone()));
                Ok(())
            }
            Unit::Stepwise(planned, segments) => {
                Box::pin(self.run_segments(session, fence, planned, segments, progress, report)).await
            }
        }
    }

    /// The statements that no transaction can hold, although their text does not show it; `None` when there are none.
    /// Several migrations that are to commit together can't do without one transaction.
    async fn find_alone(&self, session: &mut Session, work: &[Work<'_>]) -> Result<Option<Vec<usize>>, Broken> {
        let together: Vec<&Planned> = work.iter().map(|one| one.planned).collect();
        for (number, one) in work.iter().enumerate() {
            let all = 0..one.planned.script().statements.len();
            let found = session.untransacted(&together, number, all).await;
            let alone = found.map_err(|error| self.broken(error))?;
            let Some(first) = alone.first() else { continue };
            if work.len() == 1 {
                return Ok(Some(alone));
            }
            let mut error = session.refuse_untransacted();
            error.message.push_str("; nothing of them was run");
            let (migration, statement) = (Some(one.planned.migration.id.clone()), Some(*first));
            let error = ExecutionError { error, migration, statement, done: 0, outcome: Outcome::RolledBack };
            return Err(self.broken_execution(&[one.planned], error));
        }
        Ok(None)
    }

    async fn run_segments(
        &self,
        session: &mut Session,
        fence: &Fence,
        planned: &Planned,
        segments: &[Segment],
        progress: &mut Progress<'_>,
        report: &mut Report,
    ) -> Result<(), Broken> {
        // Everything may have been done and only the final mark be missing.
        let end = planned.script().statements.len();
        let only_mark = [Segment::Transaction(end..end)];
        let segments = if segments.is_empty() { &only_mark[..] } else { segments };
        let work = self.work(planned);
        let ended = self.run_each(session, fence, &work, segments, progress).await;
        if ended.is_err()
            && let Err(error) = session.take_back(fence, &work).await
        {
            // The next attempt finds it, and finds out that it was not begun.
            tracing::warn!(%error, "the announcement of a statement that was not begun could not be withdrawn");
        }
        ended?;
        report.applied(planned.migration.id.clone());
        Ok(())
    }

    async fn run_each(
        &self,
        session: &mut Session,
        fence: &Fence,
        work: &Work<'_>,
        segments: &[Segment],
        progress: &mut Progress<'_>,
    ) -> Result<(), Broken> {
        for (index, segment) in segments.iter().enumerate() {
            self.go_on()?;
            // Asked anew for each: what came before may have made such a table or procedure.
            let alone = match segment {
                Segment::Transaction(range) => session.untransacted(&[work.planned], 0, range.clone()).await,
                Segment::Alone(_) => Ok(Vec::new()),
            };
            let alone = alone.map_err(|error| self.broken(error))?;
            let parts = match alone.is_empty() {
                true => slice::from_ref(segment).to_vec(),
                false => segment.clone().apart(&alone),
            };
            for (part, one) in parts.iter().enumerate() {
                self.go_on()?;
                let then = match parts.get(part + 1).or_else(|| segments.get(index + 1)) {
                    None => Then::Finished,
                    Some(Segment::Alone(next)) => Then::Alone(*next),
                    // Whether it is to be taken apart is not known yet.
                    Some(Segment::Transaction(_)) => Then::More,
                };
                let stop = self.stop();
                let done = Box::pin(session.run_segment(fence, work, one, then, &stop, progress)).await;
                done.map_err(|error| self.broken_execution(&[work.planned], error))?;
            }
        }
        Ok(())
    }
}

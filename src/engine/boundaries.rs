//! The transactions that a plan's statements will have, where their text alone does not tell.

use std::collections::BTreeSet;

use crate::domain::{Effect, Plan, Planned, Segment, Statement, Unit};
use crate::provider::{ProviderError, Session};

/// A plan with the transactions that its run will have in a branch as it is now. What an earlier statement of the plan makes
/// is told by its text at most: the run asks again.
///
/// It is for showing. What a plan is known by stays as the planner has made it, so that the question need not be asked
/// where the digest is compared.
#[derive(Debug, Clone, Default)]
pub(super) struct Boundaries {
    pub(super) plan: Plan,
    /// What somebody should know before it is run.
    pub(super) warnings: Vec<String>,
    /// The statements that run outside any transaction although they could run inside: the number of the migration in the
    /// plan, and theirs in it.
    outside: BTreeSet<(usize, usize)>,
}

impl Boundaries {
    /// As the planner sees them.
    pub(super) fn of(plan: &Plan) -> Self {
        Self { plan: plan.clone(), ..Self::default() }
    }

    /// As the branch's own tables and procedures make them.
    pub(super) async fn seen(session: &mut Session, plan: &Plan) -> Result<Self, ProviderError> {
        let all: Vec<&Planned> = plan.migrations().collect();
        let mut found = Self::default();
        let mut first = 0;
        for unit in &plan.units {
            let count = unit.migrations().len();
            found.add(session, &all, first, unit).await?;
            first += count;
        }
        Ok(found)
    }

    /// Adds a unit whose first migration has this number.
    async fn add(
        &mut self,
        session: &mut Session,
        all: &[&Planned],
        first: usize,
        unit: &Unit,
    ) -> Result<(), ProviderError> {
        let (planned, segments) = match unit {
            Unit::Stepwise(planned, segments) => (planned, segments.clone()),
            Unit::Atomic(together) => match &together[..] {
                [planned] => (planned, vec![Segment::Transaction(0..planned.script().statements.len())]),
                several => {
                    for (number, planned) in (first..).zip(several) {
                        let whole = 0..planned.script().statements.len();
                        let alone = session.untransacted(all, number, whole).await?;
                        self.warn(planned, &alone, &session.refuse_untransacted().message);
                    }
                    self.plan.units.push(unit.clone());
                    return Ok(());
                }
            },
        };
        let mut parts = Vec::new();
        let mut apart = false;
        for segment in segments {
            let Segment::Transaction(range) = &segment else {
                parts.push(segment);
                continue;
            };
            let alone = session.untransacted(all, first, range.clone()).await?;
            if session.untransacted_is_outside() {
                self.outside.extend(alone.iter().map(|index| (first, *index)));
            }
            apart |= !alone.is_empty();
            parts.extend(segment.apart(&alone));
        }
        self.plan.units.push(if apart { Unit::Stepwise(planned.clone(), parts) } else { unit.clone() });
        Ok(())
    }

    fn warn(&mut self, planned: &Planned, alone: &[usize], why: &str) {
        let statements = &planned.script().statements;
        let Some(statement) = alone.first().and_then(|index| statements.get(*index)) else { return };
        let (id, file, line) = (&planned.migration.id, &planned.script().file, statement.line);
        self.warnings.push(format!("{id} would be refused at {file}:{line}: {why}"));
    }

    /// A statement of the plan, as it will be run.
    pub(super) fn show(&self, number: usize, index: usize, statement: &Statement) -> Statement {
        let mut shown = statement.clone();
        if self.outside.contains(&(number, index)) {
            shown.alone.get_or_insert(Effect::Unknowable);
        }
        shown
    }

    /// How many of a migration's statements run outside any transaction.
    pub(super) fn count_outside(&self, number: usize, planned: &Planned) -> usize {
        let is_outside =
            |(index, each): &(usize, &Statement)| !each.is_transactional() || self.outside.contains(&(number, *index));
        planned.remaining().filter(is_outside).count()
    }
}

//! What would be done to a branch, without doing it.

use super::boundaries::Boundaries;
use super::error::EngineError;
use super::failure::Failure;
use super::inspect::unavailable;
use super::manager::Manager;
use super::rollback::UndoWish;
use crate::domain::{
    Branch, BranchRef, Checksum, Direction, DownPolicy, Ledger, Plan, Planned, Policy, Refusal, Risk, Statement,
    Target, TransactionMode, plan_digest, plan_down, plan_up, transactions,
};
use crate::provider::{Preview, ProviderError, Session, Settings};

/// A request to show a plan.
#[derive(Debug, Clone)]
pub struct PlanCommand {
    /// The branch.
    pub branch: BranchRef,
    /// What to plan.
    pub extent: PlanExtent,
    /// How migrations and transactions go together; `None` means as configured.
    pub transaction_mode: Option<TransactionMode>,
}

/// What to plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanExtent {
    /// Applying, as far as this migration, by id or number; `None` is everything.
    Up(Option<String>),
    /// Undoing.
    Down(UndoWish),
}

/// A plan as it is shown.
#[derive(Debug, Clone)]
pub struct PlanView {
    /// The branch.
    pub branch: Branch,
    /// Which way.
    pub direction: Direction,
    /// The migrations in order.
    pub migrations: Vec<PlannedView>,
    /// What the plan is known by.
    pub digest: Checksum,
    /// What somebody should know before it is run.
    pub warnings: Vec<String>,
}

/// One migration of a plan.
#[derive(Debug, Clone)]
pub struct PlannedView {
    /// The migration, as planned.
    pub planned: Planned,
    /// The statements that are still to be run, each with the number of its transaction. In place of a table's rebuild,
    /// those that it comes to: all have its place in the file, and the first its risk.
    pub statements: Vec<(Statement, u32)>,
}

impl Manager {
    /// What Apply or Rollback would do to a branch now. Takes no lock, creates nothing, changes nothing.
    pub async fn plan(&self, command: PlanCommand) -> Result<PlanView, EngineError> {
        self.check_can_begin().await?;
        let branch = self.branch(&command.branch).await?;
        let (target, undo) = match &command.extent {
            PlanExtent::Up(target) => (self.target(target.as_deref(), &[branch.provider])?, None),
            PlanExtent::Down(wish) => (None, Some(self.undo(wish, branch.provider)?)),
        };
        // None where the database does not exist yet. Dropping it closes it, should something fail.
        let mut session = self.session(&branch).await.map_err(|error| unavailable(&branch, error))?;
        let ledger = match &mut session {
            Some(session) => session.ledger().await.map_err(|error| unavailable(&branch, error))?,
            None => Ledger::default(),
        };
        let catalogue = self.0.catalogue.current();
        let known = catalogue.of(branch.provider);
        let configured = &self.0.settings.policy;
        let transaction_mode = command.transaction_mode.unwrap_or(configured.transaction_mode);
        let policy = Policy { transaction_mode, ..configured.clone() };
        let planned = match undo {
            None => plan_up(known, &ledger, &target.map_or(Target::Latest, Target::UpTo), &policy),
            // What is destroyed is marked, so that somebody can decide whether to allow it.
            Some(undo) => plan_down(known, &ledger, &undo, &DownPolicy { policy, allow_data_loss: true }),
        };
        let plan = planned.map_err(|refusals| refused(&branch, &refusals))?;
        let direction = match command.extent {
            PlanExtent::Up(_) => Direction::Up,
            PlanExtent::Down(_) => Direction::Down,
        };
        let boundaries = match &mut session {
            Some(session) => Boundaries::seen(session, &plan).await.map_err(|error| unavailable(&branch, error))?,
            None => Boundaries::of(&plan),
        };
        let mut warnings = warnings(direction, &ledger, &boundaries);
        let state = self.0.store.state(branch.id).await?;
        if let (Direction::Up, Some(hold)) = (direction, state.and_then(|state| state.hold))
            && hold.binds(known)
        {
            let since = hold.since.format("%Y-%m-%dT%H:%M:%SZ");
            warnings.push(format!("what is planned brings back what was undone at {since}"));
        }
        let preview = self.preview(session.as_mut(), &plan).await.map_err(|error| unavailable(&branch, error))?;
        if let Some(session) = session {
            session.close().await;
        }
        let digest = plan_digest(branch.id, direction, &ledger, &plan, &preview.sql);
        warnings.extend(preview.stopped.as_ref().map(|error| not_shown(&plan, preview.sql.len(), error)));
        Ok(PlanView { branch, direction, migrations: views(&boundaries, preview.sql), digest, warnings })
    }
}

impl Manager {
    /// What each statement of a plan comes to in a branch as it is now.
    async fn preview(&self, session: Option<&mut Session>, plan: &Plan) -> Result<Preview, ProviderError> {
        if plan.migrations().flat_map(remaining).all(|statement| statement.rebuild.is_none()) {
            return Ok(Preview::default());
        }
        preview_in(session, &self.0.settings.provider, plan).await
    }
}

/// What each statement of a plan comes to in the database of a session, or, without one, in a database to be made.
pub(super) async fn preview_in(
    session: Option<&mut Session>,
    settings: &Settings,
    plan: &Plan,
) -> Result<Preview, ProviderError> {
    let statements: Vec<&Statement> = plan.migrations().flat_map(remaining).collect();
    Preview::make(session, settings, &statements).await
}

fn refused(branch: &Branch, refusals: &[Refusal]) -> EngineError {
    EngineError::PlanRefused(Failure::from_refusals(branch, refusals).error)
}

fn remaining(planned: &Planned) -> impl Iterator<Item = &Statement> {
    planned.remaining().map(|(_, statement)| statement)
}

/// `sql` has what the first statements come to.
fn views(boundaries: &Boundaries, sql: Vec<Vec<String>>) -> Vec<PlannedView> {
    let plan = &boundaries.plan;
    let mut sql = sql.into_iter();
    let view = |(at, (planned, numbers)): (usize, (&Planned, Vec<u32>))| {
        let mut statements = Vec::with_capacity(numbers.len());
        for ((index, statement), number) in planned.remaining().zip(numbers) {
            match sql.next() {
                Some(texts) if statement.rebuild.is_some() => {
                    statements
                        .extend(texts.into_iter().enumerate().map(|(at, sql)| (part(statement, at, sql), number)));
                }
                _ => statements.push((boundaries.show(at, index, statement), number)),
            }
        }
        PlannedView { planned: planned.clone(), statements }
    };
    plan.migrations().zip(transactions(plan)).enumerate().map(view).collect()
}

/// One of the statements that a rebuild comes to.
fn part(rebuild: &Statement, at: usize, sql: String) -> Statement {
    let risk = if at == 0 { rebuild.risk.clone() } else { Risk::default() };
    let (line, column) = (rebuild.line, rebuild.column);
    // Each of them is about all operations that the rebuild is made of.
    let further_lines = rebuild.further_lines.clone();
    Statement { line, column, further_lines, is_generated: true, risk, ..Statement::new(sql) }
}

/// Says why the statement at `index` of all, and with it every rebuild from there on, is shown in words.
fn not_shown(plan: &Plan, index: usize, error: &ProviderError) -> String {
    let places = plan.migrations().flat_map(|each| remaining(each).map(move |statement| (each, statement.line)));
    let place = places
        .into_iter()
        .nth(index)
        .map(|(each, line)| format!("{} ({}:{line})", each.migration.id, each.script().file));
    let hint = if error.hint.is_empty() { String::new() } else { format!("; {}", error.hint) };
    format!("{} would fail as things stand: {}{hint}", place.unwrap_or_default(), error.message)
}

fn warnings(direction: Direction, ledger: &Ledger, boundaries: &Boundaries) -> Vec<String> {
    let plan = &boundaries.plan;
    let mut warnings = boundaries.warnings.clone();
    if direction == Direction::Down && !plan.is_empty() {
        let kept = |id: &str| id.parse::<crate::domain::MigrationId>().is_ok_and(|id| id.is_repeatable());
        let kept: Vec<&str> = ledger.rows.iter().map(|row| row.id.as_str()).filter(|id| kept(id)).collect();
        if !kept.is_empty() {
            warnings.push(format!(
                "repeatable migrations are not undone: {}",
                crate::domain::shorten(&kept.join(", "), 300)
            ));
        }
    }
    for (number, planned) in plan.migrations().enumerate() {
        let (id, script) = (&planned.migration.id, planned.script());
        if let Some(doubtful) = planned.doubtful() {
            let line = script.statements.get(doubtful.start).map_or(0, |statement| statement.line);
            warnings.push(format!(
                "{id} was interrupted at {}:{line}; what became of that statement is found out first",
                script.file
            ));
        }
        let alone = boundaries.count_outside(number, planned);
        if alone > 0 {
            let verb = if alone == 1 { "statement that takes" } else { "statements that take" };
            warnings.push(format!("{id} has {alone} {verb} effect outside any transaction"));
        }
    }
    warnings
}

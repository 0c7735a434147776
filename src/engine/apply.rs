//! The one algorithm that migrates a branch.

use std::ops::Range;
use std::time::Duration;

use tokio::time::Instant;

use super::doubt::Doubt;
use super::failure::Failure;
use super::halt::Halt;
use super::look::Opened;
use super::plan::preview_in;
use super::recorder::Recorder;
use super::report::{Progress, Report};
use super::settings::EngineSettings;
use crate::domain::{
    Branch, Direction, FailureClass, Hold, Intent, Ledger, MigrationError, Plan, Planned, Policy, ProviderCatalogue,
    RunId, RunRequest, Target, Time, plan_digest, plan_up,
};
use crate::provider::{
    self, Claim, Endpoint, ErrorKind, ExecutionError, Fate, Fence, Outcome, ProviderError, Session, Stop, Work,
};
use crate::store::HeadOffice;

/// How often a branch is looked at again after a connection was lost at a moment that leaves an outcome open.
const ROUNDS: usize = 3;
/// How many half-known statements are settled in one attempt; each migration has at most one.
const MAX_DOUBTS: usize = 100;
/// How long a statement that a dead process left running on the server is waited for.
const RUNNING_POLL: Duration = Duration::from_millis(250);
/// What to do about a plan that has changed.
pub(super) const PLAN_AGAIN: &str = "nothing was changed; look at the new plan, and ask again with its digest";
/// A bound far beyond any migration's own time limit.
const FOREVER: Duration = Duration::from_secs(7 * 24 * 3600);

/// One attempt on one branch.
pub(super) struct Attempt<'a> {
    pub(super) settings: &'a EngineSettings,
    pub(super) branch: &'a Branch,
    pub(super) catalogue: &'a ProviderCatalogue,
    pub(super) run_id: RunId,
    pub(super) request: &'a RunRequest,
    /// Whether nobody has asked for it.
    pub(super) unasked: bool,
    pub(super) halt: &'a Halt,
    pub(super) recorder: &'a Recorder,
    pub(super) store: &'a HeadOffice,
}

/// Head office's lease of the branch, without which nothing is changed in it.
pub(super) struct Leased<'a> {
    pub(super) claim: Claim,
    /// What the branch was held for when the lease was had.
    pub(super) held: Option<&'a Hold>,
    /// When the lease was had.
    pub(super) since: Time,
}

/// How an attempt ended early.
#[derive(Debug)]
pub(super) enum Broken {
    /// It failed, or was refused.
    Failed(Failure),
    /// The connection was lost at a moment that leaves the outcome open: the ledger has to be read again.
    Open(Failure),
    /// It failed in a way that a person has to settle, and the branch's journal does not say so yet.
    Unrecorded(Box<Doubt>),
    /// The branch has seen a newer fencing token of this head office than the one in hand.
    Stale(i64, Failure),
}

impl Broken {
    /// The same, told with the failure after which it was found out.
    fn after(self, earlier: Option<Failure>) -> Self {
        match (self, earlier) {
            (Self::Failed(failure), Some(earlier)) => Self::Failed(failure.after(&earlier)),
            (ended, _) => ended,
        }
    }
}

impl Attempt<'_> {
    /// Migrates the branch as far as the run's target, or undoes what the run is to undo. What was applied and seen is in
    /// `report`, also on failure. `opened` is what a look before the lease has come to, if there was one.
    pub(super) async fn migrate(
        &self,
        leased: &Leased<'_>,
        mut opened: Option<Result<Opened, Broken>>,
        report: &mut Report,
    ) -> Result<(), Broken> {
        if self.request.dry_run {
            return self.rehearse(report).await;
        }
        let endpoint = self.endpoint()?;
        self.recall(report).await?;
        // The failure after which the ledger is read again, to find out what became of the work.
        let mut open: Option<Failure> = None;
        for round in 1.. {
            let opened = opened.take();
            // Boxed: a whole attempt is too large for the stack of a worker thread.
            let failure = match Box::pin(self.round(&endpoint, leased, opened, report, open.as_ref())).await {
                Ok(()) => return Ok(()),
                Err(Broken::Open(failure)) => failure,
                Err(Broken::Unrecorded(doubt)) => {
                    return Err(Broken::Failed(Box::pin(self.record(*doubt, &endpoint, leased)).await));
                }
                Err(ended) => return Err(ended.after(open)),
            };
            let is_over = open.as_ref().is_some_and(Failure::ends_attempt);
            if round == ROUNDS || is_over {
                return Err(Broken::Failed(failure));
            }
            tracing::warn!(error = %failure.error, "an outcome is open; reading the ledger again");
            open = Some(failure);
        }
        Ok(())
    }

    /// One connection's work. After a failure that left an outcome `open`, that is settled first; where the migration's time
    /// is over, nothing else is begun.
    async fn round(
        &self,
        endpoint: &Endpoint,
        leased: &Leased<'_>,
        opened: Option<Result<Opened, Broken>>,
        report: &mut Report,
        open: Option<&Failure>,
    ) -> Result<(), Broken> {
        let over = open.filter(|failure| failure.ends_attempt());
        let opened = match opened {
            Some(opened) => opened,
            None => self.open(endpoint).await,
        };
        let Opened { mut session, ledger } = match (opened, over) {
            (Err(_), Some(failure)) => return Err(Broken::Failed(failure.clone())),
            (opened, _) => opened?,
        };
        let ended = self.in_session(&mut session, &ledger, leased, report, open).await;
        session.close().await;
        ended
    }

    pub(super) fn endpoint(&self) -> Result<Endpoint, Broken> {
        Endpoint::of(self.branch, &self.settings.provider).map_err(|error| self.broken(error))
    }

    /// Connects and reads the ledger: one query and no lock tell whether there is anything to do. A database that is
    /// missing is created where that is wanted.
    async fn open(&self, endpoint: &Endpoint) -> Result<Opened, Broken> {
        let settings = &self.settings.provider;
        let session = match Session::connect(endpoint, settings).await {
            Err(error) if error.kind == ErrorKind::DatabaseMissing && self.settings.ensure_created => {
                provider::create(endpoint, settings).await.map_err(|error| self.broken(error))?;
                Session::connect(endpoint, settings).await
            }
            Err(mut error) if error.kind == ErrorKind::DatabaseMissing => {
                "create it, or set migration.ensure_created = true".clone_into(&mut error.hint);
                Err(error)
            }
            opened => opened,
        };
        self.read(session.map_err(|error| self.broken(error))?).await
    }

    async fn in_session(
        &self,
        session: &mut Session,
        ledger: &Ledger,
        leased: &Leased<'_>,
        report: &mut Report,
        open: Option<&Failure>,
    ) -> Result<(), Broken> {
        report.see(self.catalogue, ledger, self.run_id);
        let plan = self.plan(ledger, report)?;
        if open.is_none() {
            self.tell_start(&plan);
        }
        if plan.is_empty() {
            return self.check_digest(session, ledger, &plan, report).await;
        }
        self.go_on()?;
        let stop = self.stop();
        let fence = match session.lock(&leased.claim, self.settings.lock_wait, &stop).await {
            Ok(fence) => fence,
            Err(error) => return Err(self.broken(error)),
        };
        let ended = self.locked(session, &fence, leased, report, open).await;
        if let Err(error) = session.unlock(fence).await {
            // The session is closed next, which releases whatever it holds.
            tracing::warn!(%error, "the session lock could not be released");
        }
        ended
    }

    async fn locked(
        &self,
        session: &mut Session,
        fence: &Fence,
        leased: &Leased<'_>,
        report: &mut Report,
        open: Option<&Failure>,
    ) -> Result<(), Broken> {
        let ended = self.run_plan(session, fence, leased, report, open).await;
        // What was done before the failure is part of what is told of the branch.
        if ended.is_err()
            && let Ok(ledger) = session.ledger().await
        {
            report.see(self.catalogue, &ledger, self.run_id);
        }
        ended
    }

    async fn run_plan(
        &self,
        session: &mut Session,
        fence: &Fence,
        leased: &Leased<'_>,
        report: &mut Report,
        open: Option<&Failure>,
    ) -> Result<(), Broken> {
        let plan = self.settled_plan(session, fence, report).await?;
        if let Some(over) = open.filter(|failure| failure.ends_attempt() && !plan.is_empty()) {
            return Err(Broken::Failed(over.clone()));
        }
        self.fix(&plan, leased, report).await?;
        let mut progress = Progress::new(self, plan.migrations().count());
        for (index, unit) in plan.units.iter().enumerate() {
            self.go_on()?;
            let last = index + 1 == plan.units.len();
            Box::pin(self.run_unit(session, fence, unit, last, &mut progress, report)).await?;
        }
        // Nothing is believed to be applied that the ledger does not show.
        let ledger = session.ledger().await.map_err(|error| match error.kind {
            // All of it may be done: a new connection tells.
            ErrorKind::Lost => Broken::Open(Failure::from_provider(self.branch, error, self.halt)),
            _ => self.broken(error),
        })?;
        report.see(self.catalogue, &ledger, self.run_id);
        let stands = |planned: &&Planned| match planned.direction {
            Direction::Up => !ledger.is_applied(planned.migration.id.as_str()),
            Direction::Down => ledger.get(planned.migration.id.as_str()).is_some(),
        };
        match plan.migrations().find(stands) {
            None => Ok(()),
            Some(planned) => {
                let id = &planned.migration.id;
                let text = format!("{id} was run, but the ledger does not show that afterwards");
                Err(self.broken(ProviderError::new(ErrorKind::Ledger, text)))
            }
        }
    }

    /// The plan for the branch as it stands under the lock, after every statement of unknown outcome was settled.
    async fn settled_plan(&self, session: &mut Session, fence: &Fence, report: &mut Report) -> Result<Plan, Broken> {
        for round in 0..MAX_DOUBTS {
            let ledger = session.ledger().await.map_err(|error| self.broken(error))?;
            report.see(self.catalogue, &ledger, self.run_id);
            let plan = self.plan(&ledger, report)?;
            if round == 0 {
                self.check_digest(session, &ledger, &plan, report).await?;
            }
            let doubt = plan.migrations().find_map(|planned| Some((planned.clone(), planned.doubtful()?)));
            let Some((planned, doubtful)) = doubt else { return Ok(plan) };
            Box::pin(self.settle(session, fence, &planned, doubtful)).await?;
        }
        Err(self.broken(ProviderError::new(ErrorKind::Ledger, "the ledger holds too many half-known statements")))
    }

    async fn settle(
        &self,
        session: &mut Session,
        fence: &Fence,
        planned: &Planned,
        doubtful: Range<usize>,
    ) -> Result<(), Broken> {
        if matches!(planned.intent(), Some(Intent::Together { .. })) {
            return Err(Broken::Failed(Failure::ambiguous(self.branch, planned, &doubtful)));
        }
        let index = doubtful.start;
        let Some(statement) = planned.script().statements.get(index) else {
            return Err(self.broken(ProviderError::new(ErrorKind::Ledger, "the journal points past the file's end")));
        };
        let give_up = Instant::now() + self.settings.lock_wait;
        let applied = loop {
            match session.fate(statement).await.map_err(|error| self.broken(error))? {
                Fate::Applied => break true,
                Fate::NotStarted | Fate::Rerun => break false,
                Fate::Leftover => {
                    // Like the statement itself, it may have to wait for others, and for no longer than that may.
                    let stop = Stop { deadline: Instant::now() + self.work(planned).timeout, ..self.stop() };
                    if let Err(error) = session.clear_leftover(fence, statement, &stop).await {
                        let migration = Some(planned.migration.id.clone());
                        let (statement, outcome) = (Some(index), Outcome::Partial);
                        let error = ExecutionError { error, migration, statement, done: index, outcome };
                        return Err(self.broken_execution(&[planned], error));
                    }
                    break false;
                }
                Fate::Running if Instant::now() < give_up => {
                    self.go_on()?;
                    tokio::time::sleep(RUNNING_POLL).await;
                }
                Fate::Running => {
                    let text = "a statement of an earlier attempt is still running on the server";
                    let holder = "a server session of an earlier attempt".to_owned();
                    return Err(self.broken(ProviderError::new(ErrorKind::Locked { holder, until: None }, text)));
                }
                Fate::Unknown => {
                    return Err(Broken::Failed(Failure::ambiguous(self.branch, planned, &doubtful)));
                }
            }
        };
        tracing::info!(migration = %planned.migration.id, statement = index + 1, applied, "settled an interrupted statement");
        let settled = session.settle(fence, &self.work(planned), doubtful, applied).await;
        settled.map_err(|error| self.broken(error))
    }

    pub(super) fn direction(&self) -> Direction {
        if self.request.rollback.is_some() { Direction::Down } else { Direction::Up }
    }

    /// Refuses where the run was asked for with another plan in mind. What this run has begun itself is no other plan.
    pub(super) async fn check_digest(
        &self,
        session: &mut Session,
        ledger: &Ledger,
        plan: &Plan,
        report: &Report,
    ) -> Result<(), Broken> {
        let begun = report.undo.is_some() || ledger.rows.iter().any(|row| row.run_id == Some(self.run_id));
        let Some(asked) = self.request.plan_digest.as_ref().filter(|_| !begun) else { return Ok(()) };
        let preview = preview_in(Some(session), &self.settings.provider, plan).await;
        let preview = preview.map_err(|error| self.broken(error))?;
        let now = plan_digest(self.branch.id, self.direction(), ledger, plan, &preview.sql);
        if now == *asked {
            return Ok(());
        }
        let text = format!("the plan has changed: its digest was {} and is {} now", asked.short(), now.short());
        let error = MigrationError::new(&self.branch.code, FailureClass::PlanChanged, text);
        Err(Broken::Failed(Failure::refused(error.hint(PLAN_AGAIN))))
    }

    pub(super) fn plan(&self, ledger: &Ledger, report: &Report) -> Result<Plan, Broken> {
        let target = self.request.target.clone().map_or(Target::Latest, Target::UpTo);
        let mode = self.request.transaction_mode.unwrap_or(self.settings.policy.transaction_mode);
        let policy = Policy { transaction_mode: mode, ..self.settings.policy.clone() };
        if let Some(rollback) = &self.request.rollback {
            return self.plan_rollback(rollback, ledger, policy, report);
        }
        plan_up(self.catalogue, ledger, &target, &policy).map_err(|refusals| {
            // Another service, with newer files, has migrated it meanwhile: nothing that anybody has to see to.
            let newest = self.catalogue.newest();
            let ahead = self.unasked && refusals.iter().all(|refusal| refusal.is_ahead(newest));
            let failure = Failure::from_refusals(self.branch, &refusals);
            Broken::Failed(Failure { refused: failure.refused || ahead, ..failure })
        })
    }

    pub(super) fn work<'p>(&self, planned: &'p Planned) -> Work<'p> {
        let timeout = planned.migration.timeout.unwrap_or(self.settings.migration_timeout);
        Work { planned, run_id: self.run_id, timeout }
    }

    pub(super) fn stop(&self) -> Stop {
        Stop { deadline: Instant::now() + FOREVER, cancel: self.halt.hard().clone() }
    }

    pub(super) fn go_on(&self) -> Result<(), Broken> {
        match self.halt.reason() {
            None => Ok(()),
            Some(reason) => Err(Broken::Failed(Failure::halted(self.branch, reason))),
        }
    }

    pub(super) fn broken(&self, error: ProviderError) -> Broken {
        let kind = error.kind.clone();
        let failure = Failure::from_provider(self.branch, error, self.halt);
        match kind {
            ErrorKind::StaleToken { stored } => Broken::Stale(stored, failure),
            _ => Broken::Failed(failure),
        }
    }

    pub(super) fn broken_execution(&self, planned: &[&Planned], error: ExecutionError) -> Broken {
        let open = error.outcome == Outcome::Unknown && self.halt.reason().is_none();
        let unrecorded = match error.outcome {
            Outcome::InDoubt { end, recorded: false } => {
                let found = planned.iter().find(|one| Some(&one.migration.id) == error.migration.as_ref());
                found.map(|one| (Planned::clone(one), error.done..end))
            }
            _ => None,
        };
        let failure = Failure::from_execution(self.branch, planned, error, self.halt);
        match unrecorded {
            Some((planned, statements)) => Broken::Unrecorded(Box::new(Doubt { failure, planned, statements })),
            None if open => Broken::Open(failure),
            None => Broken::Failed(failure),
        }
    }
}

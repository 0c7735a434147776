//! Starting, watching and stopping runs.

use std::time::Duration;

use tokio::sync::watch;

use super::caller::Caller;
use super::error::EngineError;
use super::halt::Halt;
use super::manager::Manager;
use super::news::News;
use super::rollback::UndoWish;
use super::rollout;
use super::shared::ActiveRun;
use crate::domain::{
    Branch, BranchRef, Checksum, Event, FailureClass, MigrationId, MigrationResult, Provider, RequestId, Run, RunId,
    RunKind, RunRequest, RunState, Selector, TransactionMode, Undo,
};
use crate::store::{CreatedRun, NewRun, Page, Paged, RunsFilter, Scope};

/// How long a look for new events waits for one.
const WAIT_FOR_EVENTS: Duration = Duration::from_secs(1);
/// The most events in one look.
const MAX_EVENTS: u32 = 500;

/// A request to migrate one branch.
#[derive(Debug, Clone)]
pub struct ApplyCommand {
    /// The branch.
    pub branch: BranchRef,
    /// Stop after this migration, by id or number.
    pub target: Option<String>,
    /// How migrations and transactions go together; `None` means as configured.
    pub transaction_mode: Option<TransactionMode>,
    /// Take everything back in the end, and record nothing in the branch.
    pub dry_run: bool,
    /// Refuse when the branch's plan has another digest.
    pub plan_digest: Option<Checksum>,
    /// The client's own name for the request.
    pub request_id: Option<RequestId>,
}

/// A request to migrate many branches.
#[derive(Debug, Clone)]
pub struct ApplyAllCommand {
    /// Which.
    pub selector: Selector,
    /// Stop after this migration, by id or number.
    pub target: Option<String>,
    /// How many at once; `None` means as configured.
    pub max_parallel: Option<u32>,
    /// Begin no further branch once one has failed.
    pub stop_on_error: bool,
    /// Record an event for every statement.
    pub include_statements: bool,
    /// The client's own name for the request.
    pub request_id: Option<RequestId>,
}

/// Where a run comes from that this process is to work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was asked for just now.
    New,
    /// Another process, or an earlier life of this one, has had it, and may have begun it. One that somebody wants cancelled
    /// is only brought to its end.
    TakenUp { cancelled: bool },
}

impl Manager {
    /// Migrates one branch; answers when the run is over.
    pub async fn apply(&self, command: ApplyCommand, caller: &Caller) -> Result<Run, EngineError> {
        self.check_can_begin().await?;
        let branch = self.branch(&command.branch).await?;
        caller.about(branch.code.as_str());
        let target = self.target(command.target.as_deref(), &[branch.provider])?;
        self.refuse_if_leased(&branch, command.request_id.is_some()).await?;
        let request = RunRequest {
            target,
            transaction_mode: command.transaction_mode,
            dry_run: command.dry_run,
            plan_digest: command.plan_digest,
            ..RunRequest::default()
        };
        let scope = Scope::Branches(vec![branch.id]);
        let run = self.create(RunKind::Apply, request, scope, command.request_id, caller).await?;
        let run = self.wait_until_over(run.id).await?;
        self.refuse_if_not_tried(&branch, &run).await?;
        Ok(run)
    }

    /// Begins to migrate all branches that the selector matches; answers as soon as the run is persisted.
    pub async fn apply_all(&self, command: ApplyAllCommand, caller: &Caller) -> Result<Run, EngineError> {
        self.check_can_begin().await?;
        let providers = if command.selector.providers.is_empty() {
            Provider::ALL.to_vec()
        } else {
            command.selector.providers.clone()
        };
        let request = RunRequest {
            target: self.target(command.target.as_deref(), &providers)?,
            transaction_mode: None,
            max_parallel: command.max_parallel,
            stop_on_error: command.stop_on_error,
            include_statements: command.include_statements,
            ..RunRequest::default()
        };
        self.create(RunKind::ApplyAll, request, Scope::Selector(command.selector), command.request_id, caller).await
    }

    /// Events of a run after a sequence number. Waits up to a second for the first; may be empty then.
    pub async fn events(&self, id: RunId, after: i64, include_statements: bool) -> Result<Vec<Event>, EngineError> {
        // Listening begins before looking, so that no event slips in between.
        let active = self.0.active.get(id);
        let latest = active.as_ref().and_then(|active| fresh(&active.news, after, include_statements));
        let events = match (latest, &active) {
            (Some(events), _) => events,
            (None, Some(active)) if active.news.borrow().newest() <= after => Vec::new(),
            (None, _) => self.0.store.events(id, after, include_statements, MAX_EVENTS).await?,
        };
        if !events.is_empty() {
            return Ok(events);
        }
        if self.0.soft.is_cancelled() {
            return Err(EngineError::Draining);
        }
        let news = async {
            match active {
                Some(ActiveRun { mut news, .. }) => {
                    let _ = news.wait_for(|news| news.newest() > after).await;
                    fresh(&news, after, include_statements)
                }
                None => std::future::pending().await,
            }
        };
        let latest = tokio::select! {
            latest = news => latest,
            () = tokio::time::sleep(WAIT_FOR_EVENTS) => None,
            () = self.0.soft.cancelled() => None,
        };
        if let Some(events) = latest {
            return Ok(events);
        }
        Ok(self.0.store.events(id, after, include_statements, MAX_EVENTS).await?)
    }

    /// A run.
    pub async fn run(&self, id: RunId) -> Result<Run, EngineError> {
        self.0.store.run(id).await?.ok_or_else(|| EngineError::UnknownRun(id.to_string()))
    }

    /// Runs, newest first, page by page.
    pub async fn runs(&self, states: &[RunState], page: &Page) -> Result<Paged<Run>, EngineError> {
        let filter = RunsFilter { states: states.to_vec(), ..RunsFilter::default() };
        Ok(self.0.store.runs(&filter, page).await?)
    }

    /// Stops a run; statements that are running are stopped on their servers.
    pub async fn cancel_run(&self, id: RunId, caller: &Caller) -> Result<Run, EngineError> {
        let run = self.run(id).await?;
        if run.state.is_over() {
            return Err(EngineError::RunOver { id, state: run.state });
        }
        let run = self.0.store.request_cancel(id).await?.unwrap_or(run);
        if let Some(active) = self.0.active.get(id) {
            active.halt.cancel();
        }
        tracing::info!(run = %id, who = %caller.name, "the run is being cancelled");
        self.audit(caller, "CancelRun", &id.to_string(), serde_json::Value::Null).await;
        Ok(run)
    }

    /// Persists a run and begins it, unless the same request was made before: then that run is the answer.
    pub(super) async fn create(
        &self,
        kind: RunKind,
        request: RunRequest,
        scope: Scope,
        request_id: Option<RequestId>,
        caller: &Caller,
    ) -> Result<Run, EngineError> {
        let new = NewRun { kind, requested_by: caller.name.clone(), request_id, request, scope };
        let shared = &self.0;
        let entry = |run: &Run| (!caller.is_kept()).then(|| self.entry_of_run(caller, run));
        match shared.store.create_run(new, &shared.owner, shared.settings.lease, entry).await? {
            CreatedRun::Existing(run) => Ok(run),
            CreatedRun::New(run) => {
                caller.keep();
                self.begin(run.clone(), Origin::New);
                Ok(run)
            }
        }
    }

    /// Works on a run of which this process is the owner, in a task of its own. False when this process works on it already.
    pub(super) fn begin(&self, run: Run, origin: Origin) -> bool {
        let shared = std::sync::Arc::clone(&self.0);
        let halt = Halt::new(&shared.soft, &shared.hard);
        let (sender, news) = watch::channel(News::at(run.last_sequence));
        let id = run.id;
        if origin == (Origin::TakenUp { cancelled: true }) {
            halt.cancel();
        }
        if !shared.active.insert(id, ActiveRun { halt: halt.clone(), news }) {
            return false;
        }
        self.0.tasks.spawn(async move {
            rollout::execute(std::sync::Arc::clone(&shared), run, origin, halt, sender).await;
            shared.active.remove(id);
            // Branches that failed are due again some time, which the orchestrator does not know yet.
            shared.wake.notify_one();
        });
        true
    }

    /// Waits until a run is over, whichever process works on it.
    pub(super) async fn wait_until_over(&self, id: RunId) -> Result<Run, EngineError> {
        loop {
            let active = self.0.active.get(id);
            let run = self.run(id).await?;
            if run.state.is_over() {
                return Ok(run);
            }
            match active {
                // The sender is dropped when this process is through with the run.
                Some(ActiveRun { mut news, .. }) => while news.changed().await.is_ok() {},
                None if self.0.soft.is_cancelled() => return Err(EngineError::Draining),
                None => tokio::time::sleep(WAIT_FOR_EVENTS).await,
            }
            if self.0.soft.is_cancelled() && !self.run(id).await?.state.is_over() {
                return Err(EngineError::Draining);
            }
        }
    }

    /// Whether new work may begin: not while stopping, and not while the migrations folder is broken. The folder is
    /// looked at now, so that a file put there a moment ago counts.
    pub(super) async fn check_can_begin(&self) -> Result<(), EngineError> {
        if self.0.soft.is_cancelled() {
            return Err(EngineError::Draining);
        }
        self.0.catalogue.refresh().await;
        match self.0.catalogue.problems() {
            None => Ok(()),
            Some(problems) => {
                let problems = problems.0.iter().take(5).map(ToString::to_string).collect();
                Err(EngineError::CatalogueBroken { problems })
            }
        }
    }

    /// The migration that a request names as its target.
    pub(super) fn target(
        &self,
        text: Option<&str>,
        providers: &[Provider],
    ) -> Result<Option<MigrationId>, EngineError> {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        let catalogue = self.0.catalogue.current();
        let mut views = providers.iter().map(|provider| catalogue.of(*provider));
        if let Some(found) = views.clone().find_map(|view| view.find(text)) {
            if found.id.is_repeatable() {
                return Err(EngineError::invalid(
                    "target_migration",
                    "names a repeatable migration; name a numbered one",
                ));
            }
            return Ok(Some(found.id.clone()));
        }
        let wanted = text.to_ascii_lowercase();
        let ids = views.by_ref().flat_map(|view| view.migrations().iter().map(|migration| migration.id.to_string()));
        let nearest = ids.min_by_key(|id| unlike(&id.to_ascii_lowercase(), &wanted));
        Err(EngineError::UnknownMigration { target: crate::domain::shorten(text, MigrationId::MAX), nearest })
    }

    /// Refuses at once while somebody works on the branch; a request with a name may be about that very work.
    pub(super) async fn refuse_if_leased(&self, branch: &Branch, named: bool) -> Result<(), EngineError> {
        match self.0.store.state(branch.id).await?.and_then(|state| state.lease) {
            Some(lease) if lease.expires_time > self.now() && !named => {
                let (branch, until) = (branch.code.clone(), Some(lease.expires_time));
                Err(EngineError::Locked { branch, holder: lease.owner, until })
            }
            _ => Ok(()),
        }
    }

    /// What a request to undo means in the catalogue as it is now.
    pub(super) fn undo(&self, wish: &UndoWish, provider: Provider) -> Result<Undo, EngineError> {
        match wish {
            UndoWish::Steps(steps) => Ok(Undo::Steps(*steps)),
            UndoWish::After(target) => Ok(match self.target(Some(target), &[provider])? {
                Some(id) => Undo::After(id),
                None => Undo::default(),
            }),
        }
    }

    /// A run over one branch that was refused because of a lock, or because the plan has changed, is no result but a
    /// refused request.
    pub(super) async fn refuse_if_not_tried(&self, branch: &Branch, run: &Run) -> Result<(), EngineError> {
        let nothing_done = |result: &&MigrationResult| {
            result.applied_migrations.is_empty() && result.rolled_back_migrations.is_empty()
        };
        let Some(result) = run.result.as_ref().filter(nothing_done) else { return Ok(()) };
        if let Some(error) = result.errors.iter().find(|error| error.class == FailureClass::PlanChanged) {
            return Err(EngineError::PlanChanged(Box::new(error.clone())));
        }
        let Some(error) = result.errors.iter().find(|error| error.class == FailureClass::Locked) else { return Ok(()) };
        let lease = self.0.store.state(branch.id).await?.and_then(|state| state.lease);
        let branch = branch.code.clone();
        Err(match lease {
            Some(lease) => EngineError::Locked { branch, holder: lease.owner, until: Some(lease.expires_time) },
            None => EngineError::Locked { branch, holder: error.message.clone(), until: None },
        })
    }
}

/// The events after number `after` that are in the newest batch; `None` where they have to be read from head office. At most
/// as many as a batch has.
fn fresh(news: &watch::Receiver<News>, after: i64, include_statements: bool) -> Option<Vec<Event>> {
    let news = news.borrow();
    let wanted = |event: &&Event| include_statements || !event.body.is_statement();
    news.since(after).map(|events| events.iter().filter(wanted).cloned().collect())
}

/// How unlike two texts are: what is left of each without their common beginning.
fn unlike(a: &str, b: &str) -> usize {
    let common = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    a.chars().count() + b.chars().count() - 2 * common
}

//! Delivers what head office has to tell. Nothing that is told of ever waits for this.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use rand::Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::error::EngineError;
use super::manager::Manager;
use super::orchestrator::until_stopped;
use crate::domain::{Notification, RetryPolicy, Routes};
use crate::notify::{DeliveryError, Target, deliver};
use crate::store::{Claimed, Message, MessageFilter, Page, Paged, Settlement, StoreError};

/// How often head office is asked what is due, besides whenever this process has written something.
const POLL: Duration = Duration::from_secs(1);
/// How often old messages are given up, and how often settled ones are cleared away.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// The most messages that are cleared away at a time.
const MAX_PRUNE: u32 = 1_000;
/// How much longer than a delivery may take a message is claimed for.
const CLAIM_MARGIN: Duration = Duration::from_secs(20);

/// Who is told what, and how hard it is tried.
#[derive(Debug, Clone)]
pub struct NotifySettings {
    /// The targets.
    pub targets: Vec<Target>,
    /// What is told to which of them.
    pub routes: Routes,
    /// How often a message is tried, and the waits between.
    pub retry: RetryPolicy,
    /// How long a message is tried.
    pub max_age: Duration,
    /// How long settled messages are kept.
    pub retention: Duration,
}

/// What came of trying out a target.
#[derive(Debug, Clone)]
pub struct TargetTest {
    /// The target.
    pub target: String,
    /// Why it was not reached; `None` when it was.
    pub problem: Option<String>,
    /// How long it took.
    pub took: Duration,
}

impl Manager {
    /// Sets who is told what; once, before [`super::orchestrator::start`].
    pub fn notify(&self, settings: NotifySettings) {
        self.0.store.tell(Arc::new(settings.routes.clone()));
        let _ = self.0.notifications.set(settings);
    }

    /// Sends a test message to one target, or to all of them, past everything that waits.
    pub async fn test_targets(&self, name: Option<&str>) -> Result<Vec<TargetTest>, EngineError> {
        let targets = self.0.notifications.get().map(|settings| settings.targets.as_slice()).unwrap_or_default();
        let chosen: Vec<&Target> =
            targets.iter().filter(|target| name.is_none_or(|name| target.name == name)).collect();
        if let (Some(name), true) = (name, chosen.is_empty()) {
            let known: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
            let known = if known.is_empty() { "none is configured".to_owned() } else { known.join(", ") };
            let name = crate::domain::shorten(name, 60);
            return Err(EngineError::invalid("target", format!("there is no target '{name}'; there are: {known}")));
        }
        let test = async |target: &Target| {
            let begun = Instant::now();
            let id = uuid::Uuid::now_v7().to_string();
            let notification = Notification::of_test(self.now());
            let sent = deliver(target, &id, &notification, &*self.0.clock).await;
            let problem = sent.err().map(|error| error.message);
            TargetTest { target: target.name.clone(), problem, took: begun.elapsed() }
        };
        Ok(futures_util::future::join_all(chosen.into_iter().map(test)).await)
    }

    /// Notifications and where they stand, newest first, page by page.
    pub async fn messages(&self, filter: &MessageFilter, page: &Page) -> Result<Paged<Message>, EngineError> {
        Ok(self.0.store.messages(filter, page).await?)
    }
}

/// Starts delivering, when there is anybody to deliver to.
pub(super) async fn start(manager: &Manager) -> Result<(), EngineError> {
    if manager.0.notifications.get().is_none_or(|settings| settings.targets.is_empty()) {
        return Ok(());
    }
    if manager.0.store.is_embedded() {
        manager.0.store.release_claims().await?;
    }
    let tasks = &manager.0.tasks;
    tasks.spawn(until_stopped(manager.clone(), dispatch));
    tasks.spawn(until_stopped(manager.clone(), tidy));
    Ok(())
}

/// Hands each target that has something due to a worker of its own, so that one that hangs keeps no other waiting.
async fn dispatch(manager: Manager) {
    let Some(settings) = manager.0.notifications.get() else { return };
    let targets: HashMap<&str, &Target> =
        settings.targets.iter().map(|target| (target.name.as_str(), target)).collect();
    let mut workers: JoinSet<(String, Option<Duration>)> = JoinSet::new();
    let mut busy: HashSet<String> = HashSet::new();
    // Targets that failed lately, with how often in a row and until when they are left alone.
    let mut resting: HashMap<String, (u32, Instant)> = HashMap::new();
    loop {
        match manager.0.store.due_targets().await {
            Ok(due) => {
                let now = Instant::now();
                for name in due {
                    let rests = resting.get(&name).is_some_and(|(_, until)| *until > now);
                    let Some(target) = targets.get(name.as_str()).filter(|_| !rests) else { continue };
                    if busy.insert(name) {
                        workers.spawn(drain(manager.clone(), (*target).clone()));
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "could not look for notifications; trying again"),
        }
        tokio::select! {
            () = manager.0.store.news().notified() => {}
            () = sleep(POLL) => {}
            Some(ended) = workers.join_next() => match ended {
                Ok((name, wait)) => {
                    busy.remove(&name);
                    rest(&mut resting, &settings.retry, name, wait);
                }
                Err(error) => {
                    // Which target it was is not known; workers never end like this unless there is a fault.
                    tracing::error!(%error, "delivering to a target ended abnormally");
                    busy.clear();
                    workers.abort_all();
                }
            },
        }
    }
}

/// Leaves a target alone for a while after a failure, longer with each one, and not at all after a success.
fn rest(resting: &mut HashMap<String, (u32, Instant)>, policy: &RetryPolicy, name: String, failed: Option<Duration>) {
    match failed {
        None => drop(resting.remove(&name)),
        Some(asked_for) => {
            let failures = resting.get(&name).map_or(0, |(failures, _)| *failures).saturating_add(1);
            let wait = policy.wait(failures, rand::rng().random_range(0.0..=1.0)).max(asked_for);
            resting.insert(name, (failures, Instant::now() + wait));
        }
    }
}

/// Delivers to one target what is due, one message after the other, until nothing is or a delivery fails. Gives the time
/// that the target wants to be left alone for after a failure.
async fn drain(manager: Manager, target: Target) -> (String, Option<Duration>) {
    let shared = &manager.0;
    let lease = target.timeout + CLAIM_MARGIN;
    loop {
        let claimed = match shared.store.claim_message(&target.name, target.max_per_minute, lease).await {
            Ok(Some(claimed)) => claimed,
            Ok(None) => return (target.name, None),
            Err(error) => {
                tracing::warn!(target_name = target.name, %error, "no notification could be claimed; trying again");
                return (target.name, Some(Duration::ZERO));
            }
        };
        let message = &claimed.message;
        let sent = deliver(&target, &message.id, &message.notification, &*shared.clock).await;
        let failed = sent.as_ref().err().map(|error| error.retry_after.unwrap_or_default());
        if let Err(error) = settle(&manager, &claimed, sent).await {
            tracing::warn!(target_name = target.name, %error, "what came of a notification could not be recorded");
        }
        if failed.is_some() {
            return (target.name, failed);
        }
    }
}

async fn settle(manager: &Manager, claimed: &Claimed, sent: Result<(), DeliveryError>) -> Result<(), StoreError> {
    let shared = &manager.0;
    let Some(settings) = shared.notifications.get() else { return Ok(()) };
    let message = &claimed.message;
    let (id, to, kind) = (&message.id, &message.target, message.notification.kind);
    let settlement = match sent {
        Ok(()) => {
            tracing::debug!(id, to, %kind, "notification delivered");
            Settlement::Delivered
        }
        Err(error) => {
            let wait = settings.retry.wait(message.attempts, rand::rng().random_range(0.0..=1.0));
            let wait = wait.max(error.retry_after.unwrap_or_default());
            let again = shared.clock.now() + TimeDelta::from_std(wait).unwrap_or(TimeDelta::zero());
            let last = message.create_time + TimeDelta::from_std(settings.max_age).unwrap_or(TimeDelta::MAX);
            let attempts = message.attempts;
            if attempts >= settings.retry.max_attempts || again > last {
                tracing::error!(id, to, %kind, attempts, %error, "notification given up");
                Settlement::GivenUp(error.message)
            } else {
                tracing::warn!(id, to, %kind, attempts, %error, "notification not delivered; trying again");
                Settlement::Again(again, error.message)
            }
        }
    };
    if !shared.store.settle_message(claimed, &settlement).await? {
        tracing::warn!(id, to, "the claim on a notification ran out before it was settled; it may be sent again");
    }
    Ok(())
}

/// Gives up what is too old, and clears away what was settled long ago.
async fn tidy(manager: Manager) {
    let Some(settings) = manager.0.notifications.get() else { return };
    let shared = &manager.0;
    let ago = |age: Duration| shared.clock.now() - TimeDelta::from_std(age).unwrap_or(TimeDelta::zero());
    loop {
        match shared.store.give_up_messages(ago(settings.max_age)).await {
            Ok(0) => {}
            Ok(count) => tracing::error!(count, "notifications were given up: they could not be delivered in time"),
            Err(error) => tracing::warn!(%error, "could not look for old notifications"),
        }
        // What was told within the window has to be remembered.
        let keep = settings.retention.max(settings.routes.window);
        if let Err(error) = shared.store.prune_messages(ago(keep), MAX_PRUNE).await {
            tracing::warn!(%error, "old notifications could not be cleared away");
        }
        sleep(TIDY_EVERY).await;
    }
}

/// Tells of the migrations folder whenever it differs from what `told` says.
pub(super) async fn tell_of_catalogue(manager: &Manager, told: &mut Option<Vec<String>>) {
    let problems = manager.0.catalogue.problems();
    let problems: Vec<String> = problems.iter().flat_map(|all| &all.0).map(ToString::to_string).collect();
    if told.as_ref() == Some(&problems) {
        return;
    }
    match manager.0.store.tell_of_catalogue(&problems).await {
        Ok(()) => *told = Some(problems),
        Err(error) => tracing::warn!(%error, "what the migrations folder is like could not be told; trying again"),
    }
}

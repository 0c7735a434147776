//! A run's events as a stream that the client pulls, and how many calls may follow runs.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::domain::{Event, RunId};
use crate::engine::Manager;

use super::convert::event_to_proto;
use super::proto;
use super::status::{draining, overloaded, status_of};

/// The least time between two questions that were answered with nothing.
const IDLE_STEP: Duration = Duration::from_millis(100);

/// What the calls share that follow a run, Apply and the event streams: their number is bounded, apart from that of the
/// short calls, so that a fleet of them leaves room for CancelRun; and streams end when the service stops.
#[derive(Debug, Clone)]
pub(super) struct Followers {
    slots: Arc<tokio::sync::Semaphore>,
    limit: usize,
    shutdown: CancellationToken,
}

impl Followers {
    /// At most `limit` at once, until `shutdown`.
    pub(super) fn new(limit: usize, shutdown: CancellationToken) -> Self {
        Self { slots: Arc::new(tokio::sync::Semaphore::new(limit)), limit, shutdown }
    }

    /// A place for one more, to be had before anything is begun for it.
    pub(super) fn slot(&self) -> Result<OwnedSemaphorePermit, Status> {
        if self.shutdown.is_cancelled() {
            return Err(draining());
        }
        let slot = Arc::clone(&self.slots).try_acquire_owned();
        slot.map_err(|_| {
            overloaded("the service", "calls that follow a run", self.limit, "try again when some of them have ended")
        })
    }

    /// The events of `run` after `after`, to the run's end. Nothing is fetched before the client asks for it, so a slow
    /// client costs one batch of memory, and one that went away costs nothing: the run knows of neither.
    pub(super) fn follow(
        &self,
        slot: OwnedSemaphorePermit,
        manager: Manager,
        run: RunId,
        after: i64,
        include_statements: bool,
    ) -> BoxStream<'static, Result<proto::RunEvent, Status>> {
        let shutdown = self.shutdown.clone();
        let follower = Follower {
            manager,
            run,
            after,
            include_statements,
            batch: Vec::new().into_iter(),
            over: false,
            told: 0,
            _slot: slot,
        };
        stream::try_unfold(follower, move |mut follower| {
            let shutdown = shutdown.clone();
            async move {
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => Err(draining()),
                    next = follower.next() => Ok(next?.map(|event| (event_to_proto(event), follower))),
                }
            }
        })
        .boxed()
    }
}

struct Follower {
    manager: Manager,
    run: RunId,
    after: i64,
    include_statements: bool,
    batch: std::vec::IntoIter<Event>,
    over: bool,
    /// How many events were given so far, as far as that matters.
    told: u8,
    _slot: OwnedSemaphorePermit,
}

impl Follower {
    async fn next(&mut self) -> Result<Option<Event>, Status> {
        if self.told == 1 {
            // The first event names the run, so it has a frame of its own: of a large one that is cut off nothing arrives,
            // and the client could only ask again instead of coming back.
            tokio::task::yield_now().await;
        }
        while !self.over {
            if let Some(event) = self.batch.next() {
                self.after = event.sequence;
                self.told = self.told.saturating_add(1);
                self.over = event.body.ends_run();
                return Ok(Some(event));
            }
            let asked = Instant::now();
            let events = self.manager.events(self.run, self.after, self.include_statements).await;
            self.batch = events.map_err(|error| status_of(&error))?.into_iter();
            if self.batch.len() == 0 {
                // A client that has already seen the last event would otherwise wait for ever.
                let run = self.manager.run(self.run).await.map_err(|error| status_of(&error))?;
                self.over = run.state.is_over() && run.last_sequence <= self.after;
                if !self.over {
                    tokio::time::sleep_until(asked + IDLE_STEP).await;
                }
            }
        }
        Ok(None)
    }
}

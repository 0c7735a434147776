use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chrono::{DurationRound, TimeDelta};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::db::Db;
use super::value::args;
use super::writer::{self, Job};
use super::{Location, StoreError, migrate};
use crate::domain::{Clock, Routes, Time};

/// The service's own state. Cheap to clone; all clones are the same head office.
///
/// Every call has a deadline of its own. Times are kept in microseconds.
#[derive(Clone)]
pub struct HeadOffice(Arc<Inner>);

struct Inner {
    id: String,
    db: Db,
    clock: Arc<dyn Clock>,
    writer: Mutex<Option<Writer>>,
    routes: OnceLock<Arc<Routes>>,
    /// Rung when there may be something to deliver.
    news: Notify,
}

/// The task that commits small writes in groups; it ends with its channel.
struct Writer {
    jobs: mpsc::Sender<Job>,
    task: JoinHandle<()>,
}

impl HeadOffice {
    /// Opens head office, and makes or updates its tables.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has the data folder, [`StoreError::Newer`] when a newer Branchkeeper
    /// has used it, [`StoreError::BadLocation`], [`StoreError::Unavailable`].
    pub async fn open(location: &Location, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let now = to_micros(clock.now());
        let db = match location {
            Location::Embedded(folder) => Db::embedded(folder, now).await?,
            Location::Postgres(url) => Db::postgres(url)?,
        };
        let id = migrate::migrate(&db, now).await?;
        let (jobs, queue) = mpsc::channel(writer::QUEUE);
        let task = tokio::spawn(writer::write(db.clone(), Arc::clone(&clock), queue));
        let writer = Mutex::new(Some(Writer { jobs, task }));
        let (routes, news) = (OnceLock::new(), Notify::new());
        Ok(Self(Arc::new(Inner { id, db, clock, writer, routes, news })))
    }

    /// The identity of this head office, made once when its tables were.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Whether it is embedded, and therefore this process's alone.
    pub fn is_embedded(&self) -> bool {
        self.0.db.is_embedded()
    }

    /// The current moment, to the microsecond as it is stored.
    pub fn now(&self) -> Time {
        to_micros(self.0.clock.now())
    }

    /// Whether head office answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.db().row("SELECT value FROM meta WHERE name = 'head_office_id'", args![]).await.map(drop)
    }

    /// Finishes the writes that have been queued, and closes every connection and the data folder. Calls that come
    /// later fail with [`StoreError::Unavailable`].
    pub async fn close(&self) {
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Writer { jobs, task }) = writer {
            drop(jobs);
            let _ = task.await;
        }
        self.db().close().await;
    }

    /// Rung when this process has written something to deliver.
    pub fn news(&self) -> &Notify {
        &self.0.news
    }

    /// Who is told what; `None` when nobody is told anything.
    pub(super) fn routes(&self) -> Option<Arc<Routes>> {
        self.0.routes.get().filter(|routes| !routes.is_empty()).cloned()
    }

    pub(super) fn set_routes(&self, routes: Arc<Routes>) {
        let _ = self.0.routes.set(routes);
    }

    pub(super) fn db(&self) -> &Db {
        &self.0.db
    }

    /// The writer's queue; `None` when head office has been closed.
    pub(super) fn jobs(&self) -> Option<mpsc::Sender<Job>> {
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.as_ref().map(|writer| writer.jobs.clone())
    }
}

impl fmt::Debug for HeadOffice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeadOffice").field("id", &self.0.id).field("embedded", &self.is_embedded()).finish()
    }
}

/// The moment as it is stored.
pub(super) fn to_micros(time: Time) -> Time {
    time.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(time)
}

/// The moment `life` after `now`.
pub(super) fn later(now: Time, life: Duration) -> Time {
    TimeDelta::from_std(life).ok().and_then(|life| now.checked_add_signed(life)).unwrap_or(Time::MAX_UTC)
}

use std::sync::Arc;

use super::db::Tx;
use super::filter::Query;
use super::head_office::to_micros;
use super::outcomes::{self, Finished};
use super::value::{Row, args, json};
use super::writer::{Command, Reply};
use super::{Ending, HeadOffice, StoreError, codec, notices, run_end};
use crate::domain::{BranchId, Event, EventBody, Routes, Run, RunId, RunState, Time};

/// What one replica records of a run in one step: all of it or nothing.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The run.
    pub run_id: RunId,
    /// Who records; has to be the run's owner.
    pub owner: String,
    /// What happened, in order.
    pub events: Vec<(Time, EventBody)>,
    /// The branches that are finished with this.
    pub finished: Vec<Finished>,
    /// Whether with these the run is through with all of its branches, and ends.
    pub ends: bool,
}

/// What was recorded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recorded {
    /// The events with their numbers.
    pub events: Vec<Event>,
    /// Branches whose lease was no longer ours: their outcome is recorded, their state is not.
    pub lost: Vec<BranchId>,
    /// The run, where it is over with this.
    pub ended: Option<Box<Run>>,
}

impl HeadOffice {
    /// Records a batch. Events get the numbers that follow the run's newest one. A run's first batch says that work on it
    /// has begun; one that `ends` it does in the same transaction what [`HeadOffice::end_run`] does, unless there are
    /// branches left whose turn has not come.
    ///
    /// # Errors
    /// [`StoreError::RunLost`] when the run is over or no longer its owner's; then nothing is recorded.
    pub async fn record(&self, batch: Batch) -> Result<Recorded, StoreError> {
        self.record_batch(Arc::new(batch), None).await
    }

    /// As [`HeadOffice::record`], for a run's only recorder, which knows the number of the run's newest event. Such a
    /// batch can be sent again after [`StoreError::Unavailable`], when it is not known whether it was recorded: if it
    /// was, its events are returned and nothing is written.
    ///
    /// # Errors
    /// As [`HeadOffice::record`]; [`StoreError::Internal`] when the run's newest event is another one.
    pub async fn record_after(&self, batch: Arc<Batch>, newest: i64) -> Result<Recorded, StoreError> {
        self.record_batch(batch, Some(newest)).await
    }

    async fn record_batch(&self, batch: Arc<Batch>, after: Option<i64>) -> Result<Recorded, StoreError> {
        let routes = self.routes();
        let finishes = batch.ends || routes.is_some() && !batch.finished.is_empty();
        match self.write(Command::Record { batch, after, routes }).await? {
            Reply::Recorded(recorded) => {
                if finishes {
                    self.news().notify_one();
                }
                Ok(recorded)
            }
            other => Err(other.unexpected()),
        }
    }

    /// A run's events after number `after`, in order, at most `limit`; those of single statements only when asked for.
    pub async fn events(
        &self,
        id: RunId,
        after: i64,
        include_statements: bool,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let select = "SELECT sequence, time, body FROM events WHERE run_id = $1 AND sequence > $2";
        let mut query = Query::new(select, args![id, after]);
        if !include_statements {
            query.push(" AND is_statement = 0");
        }
        query.push(" ORDER BY sequence LIMIT ").arg(limit);
        let rows = self.db().rows(&query.sql, query.args).await?;
        rows.iter().map(|row| codec::event(id, row)).collect()
    }
}

/// See [`HeadOffice::record`] and [`HeadOffice::record_after`]. Refuses before it writes anything.
pub(super) async fn record(
    tx: &mut Tx,
    batch: &Batch,
    after: Option<i64>,
    routes: Option<&Routes>,
    now: Time,
) -> Result<Recorded, StoreError> {
    let bodies: Vec<_> = batch.events.iter().map(|(time, body)| (to_micros(*time), body.clone())).collect();
    let begun = bodies.first().map_or(now, |(time, _)| *time);
    let events = match append(tx, batch.run_id, &batch.owner, after, begun, bodies).await? {
        Some(events) => events,
        None => return recorded_before(tx, batch, after.unwrap_or_default()).await,
    };
    outcomes::record_rows(tx, batch.run_id, &batch.finished).await?;
    let told = outcomes::write_states(tx, &batch.finished).await?;
    if let Some(routes) = routes.filter(|_| !told.turns.is_empty()) {
        notices::tell(tx, routes, &told.turns, Some(batch.run_id), now).await?;
    }
    let ended = match batch.ends && !run_end::is_open(tx, batch.run_id).await? {
        true => Some(run_end::end(tx, batch.run_id, &batch.owner, Ending::Done, routes, now).await?.into()),
        false => None,
    };
    Ok(Recorded { events, lost: told.lost, ended })
}

/// What a batch came to that was recorded already.
///
/// # Errors
/// [`StoreError::RunLost`]; [`StoreError::Internal`] when the run's newest event is not the batch's last.
async fn recorded_before(tx: &mut Tx, batch: &Batch, after: i64) -> Result<Recorded, StoreError> {
    let run_id = batch.run_id;
    let select = format!("SELECT {} FROM runs WHERE id = $1 AND owner = $2", codec::RUN);
    let row = tx.row(&select, args![run_id, batch.owner.as_str()]).await?.ok_or(StoreError::RunLost(run_id))?;
    let run = codec::run(&row)?;
    let is_over = run.end_time.is_some();
    if is_over && !batch.ends {
        return Err(StoreError::RunLost(run_id));
    }
    let count = i64::try_from(batch.events.len()).unwrap_or(i64::MAX);
    // The last event of a run is that of its end.
    if after.checked_add(count).and_then(|sum| sum.checked_add(is_over.into())) != Some(run.last_sequence) {
        let newest = run.last_sequence;
        return Err(StoreError::internal(format!("run {run_id} has {newest} events where {after} were expected")));
    }
    let numbered = |(sequence, (time, body)): (i64, &(Time, EventBody))| Event {
        run_id,
        sequence,
        time: to_micros(*time),
        body: body.clone(),
    };
    let events = (after + 1..).zip(&batch.events).map(numbered).collect();
    Ok(Recorded { events, lost: Vec::new(), ended: is_over.then(|| run.into()) })
}

/// Appends events to a run that is still its owner's, and locks the run's row until the transaction ends. `None`, and
/// nothing is written, where the run's newest event has another number than `after`. Work on a run that had not begun has
/// `begun` with this.
pub(super) async fn append(
    tx: &mut Tx,
    run_id: RunId,
    owner: &str,
    after: Option<i64>,
    begun: Time,
    bodies: Vec<(Time, EventBody)>,
) -> Result<Option<Vec<Event>>, StoreError> {
    let number = "UPDATE runs SET last_sequence = last_sequence + $3, state = $4, start_time = COALESCE(start_time, $5) \
                  WHERE id = $1 AND owner = $2 AND end_time IS NULL AND last_sequence = COALESCE($6, last_sequence) \
                  RETURNING id, last_sequence";
    let values = args![run_id, owner, count(&bodies), RunState::Running.as_str(), begun, after];
    let Some(row) = tx.row(number, values).await? else {
        return if after.is_some() { Ok(None) } else { Err(StoreError::RunLost(run_id)) };
    };
    insert(tx, run_id, &row, bodies).await.map(Some)
}

fn count(bodies: &[(Time, EventBody)]) -> i64 {
    i64::try_from(bodies.len()).unwrap_or(i64::MAX)
}

/// Inserts events, the last of which has the number that the run's row has now.
async fn insert(
    tx: &mut Tx,
    run_id: RunId,
    run: &Row,
    bodies: Vec<(Time, EventBody)>,
) -> Result<Vec<Event>, StoreError> {
    let first = run.of("runs", "id").int("last_sequence")? - count(&bodies) + 1;
    let number = |(sequence, (time, body))| Event { run_id, sequence, time, body };
    let events: Vec<Event> = (first..).zip(bodies).map(number).collect();
    let row =
        |event: &Event| Ok(args![run_id, event.sequence, event.time, json(&event.body)?, event.body.is_statement()]);
    let rows = events.iter().map(row).collect::<Result<_, StoreError>>()?;
    tx.insert("INSERT INTO events (run_id, sequence, time, body, is_statement)", rows).await?;
    Ok(events)
}

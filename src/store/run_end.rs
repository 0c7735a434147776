use super::db::Tx;
use super::value::{Row, args, json};
use super::{HeadOffice, StoreError, codec, events, outbox};
use crate::domain::{
    EventBody, MigrationId, MigrationResult, Notification, OutcomeStatus, Routes, Run, RunId, RunKind, RunState, Time,
};

/// Why a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nothing is left to do, or no further branch is to be begun. Succeeds when every branch did.
    Done,
    /// It was cancelled. Still succeeds when every branch did, because then the wish came too late.
    Cancelled,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunCounts {
    /// Branches that are not finished.
    pub unfinished: u32,
    /// Branches that succeeded.
    pub succeeded: u32,
    /// Branches that failed.
    pub failed: u32,
    /// Branches that were refused.
    pub refused: u32,
    /// Branches whose turn never came.
    pub skipped: u32,
}

impl RunCounts {
    /// Branches that are finished, however they ended.
    pub fn finished(&self) -> u32 {
        self.succeeded + self.failed + self.refused + self.skipped
    }
}

const COUNT: &str = "SELECT status, COUNT(*) AS branches FROM run_branches WHERE run_id = $1 GROUP BY status";

impl HeadOffice {
    /// How far a run is; all zero when there is none.
    pub async fn counts(&self, id: RunId) -> Result<RunCounts, StoreError> {
        counts(&self.db().rows(COUNT, args![id]).await?)
    }

    /// Ends a run: its unfinished branches are skipped, its result is drawn up from the recorded outcomes, and the last
    /// event is appended; all in one transaction.
    ///
    /// # Errors
    /// [`StoreError::RunLost`] when the run is over or not `owner`'s.
    pub async fn end_run(&self, id: RunId, owner: &str, ending: Ending) -> Result<Run, StoreError> {
        let routes = self.routes();
        let mut tx = self.db().begin().await?;
        let run = end(&mut tx, id, owner, ending, routes.as_deref(), self.now()).await?;
        tx.commit().await?;
        self.news().notify_one();
        Ok(run)
    }
}

/// See [`HeadOffice::end_run`].
pub(super) async fn end(
    tx: &mut Tx,
    id: RunId,
    owner: &str,
    ending: Ending,
    routes: Option<&Routes>,
    now: Time,
) -> Result<Run, StoreError> {
    // Locks the run, so that nobody records a further outcome.
    let lock = format!(
        "UPDATE runs SET last_sequence = last_sequence WHERE id = $1 AND owner = $2 AND end_time IS NULL \
         RETURNING {}",
        codec::RUN
    );
    let row = tx.row(&lock, args![id, owner]).await?.ok_or(StoreError::RunLost(id))?;
    let run = codec::run(&row)?;
    let missed = is_open(tx, id).await?;
    let skip = "UPDATE run_branches SET status = $2 WHERE run_id = $1 AND status IS NULL";
    tx.run(skip, args![id, OutcomeStatus::Skipped.as_str()]).await?;
    let result = result(tx, &run, missed, now).await?;
    let state = match ending {
        _ if result.success => RunState::Succeeded,
        Ending::Done => RunState::Failed,
        Ending::Cancelled => RunState::Cancelled,
    };
    let last = EventBody::RunFinished { result: result.clone() };
    events::append(tx, id, owner, None, now, vec![(now, last)]).await?;
    let end = format!("UPDATE runs SET state = $2, result = $3, end_time = $4 WHERE id = $1 RETURNING {}", codec::RUN);
    let row = tx.row(&end, args![id, state.as_str(), json(&result)?, now]).await?;
    let run = codec::run(&row.ok_or(StoreError::RunLost(id))?)?;
    if run.kind.names_one_branch() && refused_only(tx, id).await? {
        // Nothing was tried, so the same request sent again is to be tried, not answered with this.
        tx.run("UPDATE runs SET request_id = NULL WHERE id = $1", args![id]).await?;
    }
    if let Some(routes) = routes.filter(|_| !run.request.dry_run) {
        outbox::enqueue(tx, routes, &[Notification::of_run(&run, now)], now).await?;
    }
    Ok(run)
}

/// Whether there are branches of the run, still registered, whose turn has not come.
pub(super) async fn is_open(tx: &mut Tx, id: RunId) -> Result<bool, StoreError> {
    let open = "SELECT r.branch_id FROM run_branches r JOIN branches b ON b.id = r.branch_id \
                WHERE r.run_id = $1 AND r.status IS NULL LIMIT 1";
    Ok(tx.row(open, args![id]).await?.is_some())
}

async fn refused_only(tx: &mut Tx, id: RunId) -> Result<bool, StoreError> {
    let counts = counts(&tx.rows(COUNT, args![id]).await?)?;
    Ok(counts.succeeded == 0 && counts.failed == 0)
}

fn counts(rows: &[Row]) -> Result<RunCounts, StoreError> {
    let mut counts = RunCounts::default();
    for row in rows {
        let row = row.of("run_branches", "status");
        let number = row.count("branches")?;
        match row.opt_name("status", OutcomeStatus::from_name)? {
            None => counts.unfinished = number,
            Some(OutcomeStatus::Succeeded) => counts.succeeded = number,
            Some(OutcomeStatus::Failed) => counts.failed = number,
            Some(OutcomeStatus::Refused) => counts.refused = number,
            Some(OutcomeStatus::Skipped) => counts.skipped = number,
        }
    }
    Ok(counts)
}

/// Draws up the result; its lists are bounded, whatever the size of the fleet.
async fn result(tx: &mut Tx, run: &Run, missed: bool, now: Time) -> Result<MigrationResult, StoreError> {
    let counts = counts(&tx.rows(COUNT, args![run.id]).await?)?;
    let most = u32::try_from(MigrationResult::MAX_APPLIED).unwrap_or(u32::MAX);
    let sql = "SELECT run_id, branch_code, applied FROM run_branches \
               WHERE run_id = $1 AND applied <> '[]' ORDER BY position LIMIT $2";
    let mut applied_migrations = Vec::new();
    for row in tx.rows(sql, args![run.id, most]).await? {
        let row = row.of("run_branches", "run_id");
        let code = row.text("branch_code")?;
        let applied: Vec<MigrationId> = row.json("applied")?;
        applied_migrations.extend(applied.iter().map(|id| match run.kind {
            RunKind::Apply | RunKind::Rollback => id.to_string(),
            RunKind::ApplyAll | RunKind::AutoMigrate => format!("[{code}] {id}"),
        }));
        if applied_migrations.len() >= MigrationResult::MAX_APPLIED {
            break;
        }
    }
    applied_migrations.truncate(MigrationResult::MAX_APPLIED);
    let mut rolled_back_migrations = Vec::new();
    if run.kind == RunKind::Rollback {
        std::mem::swap(&mut applied_migrations, &mut rolled_back_migrations);
    }
    let most = u32::try_from(MigrationResult::MAX_ERRORS).unwrap_or(u32::MAX);
    let sql = "SELECT run_id, error FROM run_branches \
               WHERE run_id = $1 AND error IS NOT NULL ORDER BY position LIMIT $2";
    let rows = tx.rows(sql, args![run.id, most]).await?;
    let errors = rows.iter().map(|row| row.of("run_branches", "run_id").json("error")).collect::<Result<_, _>>()?;
    let mut not_tried = Vec::new();
    if run.request.dry_run {
        let sql =
            "SELECT run_id, notes FROM run_branches WHERE run_id = $1 AND notes IS NOT NULL ORDER BY position LIMIT $2";
        for row in tx.rows(sql, args![run.id, most]).await? {
            let notes: Option<Vec<String>> = row.of("run_branches", "run_id").opt_json("notes")?;
            not_tried.extend(notes.unwrap_or_default());
        }
        not_tried.truncate(MigrationResult::MAX_ERRORS);
    }
    let began = run.start_time.unwrap_or(run.create_time);
    Ok(MigrationResult {
        // A branch that was removed or made inactive, or that another replica saw to, takes nothing from a run that
        // went through; one whose turn never came does.
        success: counts.failed + counts.refused == 0 && !missed,
        applied_migrations,
        rolled_back_migrations,
        dry_run: run.request.dry_run,
        not_tried,
        errors,
        duration: (now - began).to_std().unwrap_or_default(),
        branches_processed: counts.succeeded + counts.failed + counts.refused,
        branches_succeeded: counts.succeeded,
        branches_failed: counts.failed + counts.refused,
        branches_skipped: counts.skipped,
    })
}

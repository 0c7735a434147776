use std::collections::HashSet;
use std::time::Duration;

use super::db::Tx;
use super::filter::Query;
use super::head_office::later;
use super::value::{args, json};
use super::writer::{Command, Reply};
use super::{AuditEntry, HeadOffice, KnownState, Page, Paged, StoreError, audit_chain, codec, page};
use crate::domain::{
    Branch, BranchId, BranchRef, Checksum, RequestId, Run, RunId, RunKind, RunRequest, RunState, Selector, Time,
};

/// A run that is asked for.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// What it does.
    pub kind: RunKind,
    /// Who asks.
    pub requested_by: String,
    /// The client's own name for the request; the same one again gives the same run.
    pub request_id: Option<RequestId>,
    /// How it treats its branches.
    pub request: RunRequest,
    /// Its branches.
    pub scope: Scope,
}

/// The branches of a new run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// These, active or not, in this order. Those that no longer exist are left out, unless that leaves none.
    Branches(Vec<BranchId>),
    /// The active ones that the selector means, in the order of their codes.
    Selector(Selector),
}

/// What came of asking for a run.
#[derive(Debug, Clone, PartialEq)]
pub enum CreatedRun {
    /// It is new, queued, and its owner's.
    New(Run),
    /// The same request was made before; this is its run.
    Existing(Run),
}

/// An unfinished run that its owner keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptRun {
    /// The run.
    pub id: RunId,
    /// Whether somebody wants it cancelled.
    pub cancel_requested: bool,
}

/// Which runs to list. An empty part matches everything; all parts have to match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunsFilter {
    /// In one of these states.
    pub states: Vec<RunState>,
    /// Of one of these kinds.
    pub kinds: Vec<RunKind>,
    /// That cover this branch.
    pub branch: Option<BranchId>,
}

/// A branch of a run that is not finished: its position, and the branch with its state. One that is stored unreadably is an
/// error by itself, and keeps nobody from the others.
pub type Unfinished = (i64, Result<(Branch, KnownState), StoreError>);

/// How many branches one statement adds to a run.
const CHUNK: usize = 256;

impl HeadOffice {
    /// Persists a run with its branches, and what is to be kept in the record of who did what about it, in one transaction.
    /// It is `owner`'s for `ttl`, and until [`HeadOffice::keep_runs`] fails to say so in time. `owner` differs between any
    /// two processes. Work on it has begun once something of it is recorded.
    ///
    /// # Errors
    /// [`StoreError::RequestIdReused`], [`StoreError::UnknownBranches`] with every code and id that does not exist.
    pub async fn create_run(
        &self,
        run: NewRun,
        owner: &str,
        ttl: Duration,
        entry: impl FnOnce(&Run) -> Option<AuditEntry>,
    ) -> Result<CreatedRun, StoreError> {
        let fingerprint = fingerprint(&run)?;
        let now = self.now();
        let id = RunId::generate();
        let mut tx = self.db().begin().await?;
        let insert = "INSERT INTO runs (id, kind, state, requested_by, request_id, request_fingerprint, request, \
                      branches_total, create_time, last_sequence, owner, owner_expires, cancel_requested) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, 0, $9, $10, 0) ON CONFLICT (request_id) DO NOTHING";
        let values = args![
            id,
            run.kind.as_str(),
            RunState::Queued.as_str(),
            run.requested_by.as_str(),
            run.request_id.as_ref().map(RequestId::as_str),
            fingerprint.as_str(),
            json(&run.request)?,
            now,
            owner,
            later(now, ttl),
        ];
        if tx.run(insert, values).await? == 0 {
            let request_id = run.request_id.ok_or_else(|| StoreError::internal("a run was not inserted"))?;
            return existing(&mut tx, request_id, &fingerprint).await.map(CreatedRun::Existing);
        }
        match &run.scope {
            Scope::Branches(ids) => add_branches(&mut tx, id, ids).await?,
            Scope::Selector(selector) => add_selected(&mut tx, id, selector).await?,
        }
        let count = format!(
            "UPDATE runs SET branches_total = (SELECT COUNT(*) FROM run_branches WHERE run_id = $1) \
             WHERE id = $1 RETURNING {}",
            codec::RUN
        );
        let row = tx.row(&count, args![id]).await?.ok_or_else(|| StoreError::internal("a new run is missing"))?;
        let created = codec::run(&row)?;
        if let Scope::Branches(ids) = &run.scope
            && created.branches_total == 0
            && !ids.is_empty()
        {
            return Err(StoreError::UnknownBranches(ids.iter().map(BranchId::to_string).collect()));
        }
        if let Some(entry) = entry(&created) {
            audit_chain::append(&mut tx, &entry.in_micros()).await?;
        }
        tx.commit().await?;
        Ok(CreatedRun::New(created))
    }

    /// A run; `None` when there is none.
    pub async fn run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        let sql = format!("SELECT {} FROM runs WHERE id = $1", codec::RUN);
        self.db().row(&sql, args![id]).await?.as_ref().map(codec::run).transpose()
    }

    /// A part of the list of runs, the newest first.
    ///
    /// # Errors
    /// [`StoreError::BadPageToken`].
    pub async fn runs(&self, filter: &RunsFilter, page: &Page) -> Result<Paged<Run>, StoreError> {
        let list = format!("runs {filter:?}");
        let mut query = Query::new(format!("SELECT {} FROM runs WHERE 1 = 1", codec::RUN), args![]);
        if !filter.states.is_empty() {
            query.push(" AND state IN ").list(filter.states.iter().map(|state| state.as_str()));
        }
        if !filter.kinds.is_empty() {
            query.push(" AND kind IN ").list(filter.kinds.iter().map(|kind| kind.as_str()));
        }
        if let Some(branch) = filter.branch {
            query.push(" AND EXISTS (SELECT 1 FROM run_branches r WHERE r.run_id = runs.id AND r.branch_id = ");
            query.arg(branch).push(")");
        }
        query.page_by_time("create_time", page, &list)?;
        let rows = self.db().rows(&query.sql, query.args).await?;
        let items = rows.iter().map(codec::run).collect::<Result<_, _>>()?;
        Ok(Paged::cut(items, page, &list, |run: &Run| page::time_key(run.create_time, run.id)))
    }

    /// Asks for a run to be cancelled; its owner learns of it from [`HeadOffice::keep_runs`]. Nothing happens when it is
    /// over. Returns the run; `None` when there is none.
    pub async fn request_cancel(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        let mut tx = self.db().begin().await?;
        tx.run("UPDATE runs SET cancel_requested = 1 WHERE id = $1 AND end_time IS NULL", args![id]).await?;
        let sql = format!("SELECT {} FROM runs WHERE id = $1", codec::RUN);
        let run = tx.row(&sql, args![id]).await?.as_ref().map(codec::run).transpose()?;
        tx.commit().await?;
        Ok(run)
    }

    /// Heartbeat: keeps all of `owner`'s unfinished runs for `ttl` from now, and returns them. Nobody else takes them up
    /// while they are kept, so whoever keeps a run has to work on it.
    pub async fn keep_runs(&self, owner: &str, ttl: Duration) -> Result<Vec<KeptRun>, StoreError> {
        match self.write(Command::KeepRuns { owner: owner.into(), ttl }).await? {
            Reply::Kept(kept) => Ok(kept),
            other => Err(other.unexpected()),
        }
    }

    /// Takes over up to `limit` unfinished runs whose owner has not been heard of in time, the oldest first. No run is
    /// given to two replicas, and none back to the owner who has it.
    pub async fn claim_dead_runs(&self, owner: &str, ttl: Duration, limit: u32) -> Result<Vec<Run>, StoreError> {
        // The condition stands twice: a replica that waited for another's claim looks at it again.
        let sql = format!(
            "UPDATE runs SET owner = $1, owner_expires = $2 \
             WHERE id IN (SELECT id FROM runs WHERE end_time IS NULL AND owner_expires <= $3 AND owner <> $1 \
             ORDER BY create_time, id LIMIT $4) \
             AND end_time IS NULL AND owner_expires <= $3 AND owner <> $1 RETURNING {}",
            codec::RUN
        );
        let now = self.now();
        let mut tx = self.db().begin().await?;
        let rows = tx.rows(&sql, args![owner, later(now, ttl), now, limit]).await?;
        tx.commit().await?;
        let mut runs: Vec<Run> = rows.iter().map(codec::run).collect::<Result<_, _>>()?;
        runs.sort_by_key(|run| (run.create_time, run.id));
        Ok(runs)
    }

    /// The branches of a run that are not finished and still registered, with their positions and states, from after
    /// `after_position` (0 for the beginning) on, at most `limit`.
    pub async fn unfinished(&self, id: RunId, after_position: i64, limit: u32) -> Result<Vec<Unfinished>, StoreError> {
        let sql = format!(
            "SELECT r.position, {}, {} FROM \
             (SELECT position, branch_id AS member FROM run_branches \
             WHERE run_id = $1 AND position > $2 AND status IS NULL) AS r \
             JOIN branches b ON b.id = r.member JOIN branch_states s ON s.branch_id = r.member \
             ORDER BY r.position LIMIT $3",
            codec::BRANCH,
            codec::STATE
        );
        let now = self.now();
        let rows = self.db().rows(&sql, args![id, after_position, limit]).await?;
        let read = |row: &super::value::Row| {
            let position = row.of("run_branches", "position").int("position")?;
            let found = codec::branch(row).and_then(|branch| Ok((branch, KnownState::read(row, now)?)));
            Ok((position, found))
        };
        rows.iter().map(read).collect()
    }

    /// Removes up to `limit` of the runs that ended longest before a moment, with their events; returns how many.
    pub async fn prune(&self, ended_before: Time, limit: u32) -> Result<u64, StoreError> {
        let sql = "DELETE FROM runs WHERE id IN \
                   (SELECT id FROM runs WHERE end_time < $1 ORDER BY end_time, id LIMIT $2)";
        let mut tx = self.db().begin().await?;
        let removed = tx.run(sql, args![ended_before, limit]).await?;
        tx.commit().await?;
        Ok(removed)
    }
}

/// See [`HeadOffice::keep_runs`].
pub(super) async fn keep(tx: &mut Tx, now: Time, owner: &str, ttl: Duration) -> Result<Vec<KeptRun>, StoreError> {
    let sql = "UPDATE runs SET owner_expires = $2 WHERE owner = $1 AND end_time IS NULL \
               RETURNING id, cancel_requested";
    let rows = tx.rows(sql, args![owner, later(now, ttl)]).await?;
    let read = |row: &super::value::Row| {
        let row = row.of("runs", "id");
        Ok(KeptRun { id: row.parse("id")?, cancel_requested: row.flag("cancel_requested")? })
    };
    rows.iter().map(read).collect()
}

/// The run that has this request id, if it was made by the same request.
async fn existing(tx: &mut Tx, request_id: RequestId, fingerprint: &Checksum) -> Result<Run, StoreError> {
    let sql = format!("SELECT {}, request_fingerprint FROM runs WHERE request_id = $1", codec::RUN);
    // It can have been pruned between the two statements.
    let gone = || StoreError::Unavailable("the run of this request was just removed; send the request again".into());
    let row = tx.row(&sql, args![request_id.as_str()]).await?.ok_or_else(gone)?;
    if row.of("runs", "id").text("request_fingerprint")? != fingerprint.as_str() {
        return Err(StoreError::RequestIdReused(request_id));
    }
    codec::run(&row)
}

async fn add_branches(tx: &mut Tx, run: RunId, ids: &[BranchId]) -> Result<(), StoreError> {
    let mut seen = HashSet::new();
    let ids: Vec<_> = (1i64..).zip(ids).filter(|(_, id)| seen.insert(**id)).collect();
    for chunk in ids.chunks(CHUNK) {
        let mut query = Query::new(
            "INSERT INTO run_branches (run_id, position, branch_id, branch_code) \
             SELECT $1, v.column2, b.id, b.code FROM (VALUES ",
            args![run],
        );
        for (index, (position, id)) in chunk.iter().enumerate() {
            query.push(if index == 0 { "(" } else { ", (" });
            query.arg(**id).push(", ").arg(*position).push(")");
        }
        query.push(") AS v JOIN branches b ON b.id = v.column1");
        tx.run(&query.sql, query.args).await?;
    }
    Ok(())
}

async fn add_selected(tx: &mut Tx, run: RunId, selector: &Selector) -> Result<(), StoreError> {
    selector.check_size()?;
    if !selector.branches.is_empty() {
        let mut query = Query::new("SELECT b.id AS id, b.code_folded AS code FROM branches b WHERE 1 = 1", args![]);
        query.references(&selector.branches);
        let mut known = HashSet::new();
        for row in tx.rows(&query.sql, query.args).await? {
            let row = row.of("branches", "id");
            known.insert(row.text("id")?);
            known.insert(row.text("code")?);
        }
        let unknown = |reference: &&BranchRef| match reference {
            BranchRef::Id(id) => !known.contains(&id.to_string()),
            BranchRef::Code(code) => !known.contains(&code.folded()),
        };
        let unknown: Vec<String> = selector.branches.iter().filter(unknown).map(BranchRef::to_string).collect();
        if !unknown.is_empty() {
            return Err(StoreError::UnknownBranches(unknown));
        }
    }
    let mut query = Query::new(
        "INSERT INTO run_branches (run_id, position, branch_id, branch_code) \
         SELECT $1, ROW_NUMBER() OVER (ORDER BY b.code_folded), b.id, b.code FROM branches b WHERE b.is_active = 1",
        args![run],
    );
    query.selector(selector);
    tx.run(&query.sql, query.args).await.map(drop)
}

/// What makes two requests the same: kind, request and scope, however the scope is ordered.
fn fingerprint(run: &NewRun) -> Result<Checksum, StoreError> {
    let mut parts = vec![run.kind.as_str().to_owned(), json(&run.request)?];
    let mut names: Vec<String> = match &run.scope {
        Scope::Branches(ids) => ids.iter().map(BranchId::to_string).collect(),
        Scope::Selector(selector) => {
            let providers: std::collections::BTreeSet<_> = selector.providers.iter().collect();
            parts.extend([json(&selector.labels)?, json(&providers)?]);
            let name = |reference: &BranchRef| match reference {
                BranchRef::Id(id) => id.to_string(),
                BranchRef::Code(code) => code.folded(),
            };
            selector.branches.iter().map(name).collect()
        }
    };
    names.sort();
    names.dedup();
    parts.extend(names);
    Ok(Checksum::of_parts(parts.iter().map(String::as_str)))
}

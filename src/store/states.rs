use std::collections::BTreeMap;

use super::db::Tx;
use super::filter::Query;
use super::notices::{self, Turn};
use super::value::{Row, args};
use super::{HeadOffice, Page, Paged, StoreError, codec};
use crate::domain::{
    Branch, BranchId, BranchState, Checksum, MigrationStatus, Observed, OutcomeStatus, Provider, RunId, Time,
};

/// Which branches a status list covers. An empty part matches everything; all parts have to match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusFilter {
    /// In one of these statuses.
    pub statuses: Vec<MigrationStatus>,
    /// With all of these labels.
    pub labels: BTreeMap<String, String>,
    /// On one of these providers.
    pub providers: Vec<Provider>,
}

/// A branch's state as it was read, and how far its leases had come then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownState {
    /// The state.
    pub state: BranchState,
    /// The fencing token of the newest lease; 0 when there never was one.
    pub token: i64,
    /// Whether nobody has a lease, not even one that ran out.
    pub is_free: bool,
}

impl KnownState {
    /// Reads it from the columns [`codec::STATE`].
    pub(super) fn read(row: &Row, now: Time) -> Result<Self, StoreError> {
        let columns = row.of("branch_states", "branch_id");
        let (token, is_free) = (columns.int("lease_token")?, columns.opt_text("lease_owner")?.is_none());
        Ok(Self { state: codec::state(row, now)?, token, is_free })
    }
}

/// The status of `s` at the moment `$1`: a lease that ran out no longer makes a branch InProgress.
const STATUS: &str = "CASE WHEN s.lease_expires <= $1 THEN s.status_before ELSE s.status END";

impl HeadOffice {
    /// A branch's state; `None` when there is no such branch.
    pub async fn state(&self, id: BranchId) -> Result<Option<BranchState>, StoreError> {
        let sql = format!("SELECT {} FROM branch_states WHERE branch_id = $1", codec::STATE);
        let now = self.now();
        self.db().row(&sql, args![id]).await?.as_ref().map(|row| codec::state(row, now)).transpose()
    }

    /// A branch and its state; `None` when there is no such branch.
    pub async fn branch_and_state(&self, id: BranchId) -> Result<Option<(Branch, KnownState)>, StoreError> {
        let sql = format!(
            "SELECT {}, {} FROM branches b JOIN branch_states s ON s.branch_id = b.id WHERE b.id = $1",
            codec::BRANCH,
            codec::STATE
        );
        let now = self.now();
        let Some(row) = self.db().row(&sql, args![id]).await? else { return Ok(None) };
        Ok(Some((codec::branch(&row)?, KnownState::read(&row, now)?)))
    }

    /// A part of the list of branches with their states, in the order of their codes.
    ///
    /// # Errors
    /// [`StoreError::BadPageToken`].
    pub async fn statuses(
        &self,
        filter: &StatusFilter,
        page: &Page,
    ) -> Result<Paged<(Branch, BranchState)>, StoreError> {
        let list = format!("statuses {filter:?}");
        let now = self.now();
        let select = format!(
            "SELECT {}, {} FROM branches b JOIN branch_states s ON s.branch_id = b.id WHERE 1 = 1",
            codec::BRANCH,
            codec::STATE
        );
        let mut query = Query::new(select, args![]);
        query.statuses(filter, now);
        query.page_by_code(page, &list)?;
        let rows = self.db().rows(&query.sql, query.args).await?;
        let read = |row| Ok::<_, StoreError>((codec::branch(row)?, codec::state(row, now)?));
        let items = rows.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Paged::cut(items, page, &list, |(branch, _): &(Branch, _)| branch.code.folded()))
    }

    /// How many branches of the filter are in each status; every status that the filter allows is there.
    pub async fn totals(&self, filter: &StatusFilter) -> Result<BTreeMap<MigrationStatus, u64>, StoreError> {
        let select = format!(
            "SELECT {STATUS} AS status, COUNT(*) AS branches FROM branches b \
             JOIN branch_states s ON s.branch_id = b.id WHERE 1 = 1"
        );
        let now = self.now();
        let mut query = Query::new(select, args![now]);
        query.statuses(filter, now).push(" GROUP BY 1");
        let allowed = |status: &MigrationStatus| filter.statuses.is_empty() || filter.statuses.contains(status);
        let mut totals: BTreeMap<_, _> = MigrationStatus::ALL.into_iter().filter(allowed).map(|s| (s, 0)).collect();
        for row in self.db().rows(&query.sql, query.args).await? {
            let row = row.of("branch_states", "status");
            let status = row.name("status", MigrationStatus::from_name)?;
            *totals.entry(status).or_default() += u64::from(row.count("branches")?);
        }
        Ok(totals)
    }

    /// Makes a branch due now with a clean count; `None` when there is no such branch.
    ///
    /// # Errors
    /// [`StoreError::Leased`] while somebody works on it.
    pub async fn retry(&self, id: BranchId) -> Result<Option<BranchState>, StoreError> {
        let mut tx = self.db().begin().await?;
        let Some(state) = self.lock_state(&mut tx, id).await? else { return Ok(None) };
        if let Some(lease) = state.lease {
            return Err(StoreError::Leased(lease));
        }
        let next = state.retried();
        begin_anew(&mut tx, &next).await?;
        tx.commit().await?;
        Ok(Some(next))
    }

    /// Records what a look at a branch's ledger showed, without a lease; `None` when there is no such branch. While
    /// somebody works on the branch nothing is recorded, because what was seen may be outdated already.
    ///
    /// A look can find a branch up to date or lacking migrations; it never clears `RequiresManualIntervention`. What is
    /// known already is not written again.
    pub async fn observe(&self, id: BranchId, seen: &Observed) -> Result<Option<BranchState>, StoreError> {
        let Some(state) = self.state(id).await? else { return Ok(None) };
        if state.lease.is_some() || observed(state.clone(), seen) == state {
            return Ok(Some(state));
        }
        let mut tx = self.db().begin().await?;
        let Some(state) = self.lock_state(&mut tx, id).await? else { return Ok(None) };
        if state.lease.is_some() {
            return Ok(Some(state));
        }
        let next = observed(state, seen);
        tx.run(codec::WRITE_STATE, codec::state_args(&next)?).await?;
        if let Some(routes) = self.routes().filter(|_| next.status == MigrationStatus::Completed) {
            let turn = Turn { branch: id, outcome: OutcomeStatus::Succeeded, next: &next };
            notices::tell(&mut tx, &routes, &[turn], None, self.now()).await?;
        }
        tx.commit().await?;
        self.news().notify_one();
        Ok(Some(next))
    }

    /// Keeps a branch from being due before `until`, unless somebody works on it. What is known of it stays.
    pub async fn hold_back(&self, id: BranchId, until: Time) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        let sql = "UPDATE branch_states SET next_attempt = $2 \
                   WHERE branch_id = $1 AND (lease_owner IS NULL OR lease_expires <= $3)";
        tx.run(sql, args![id, until, self.now()]).await?;
        tx.commit().await
    }

    /// Keeps the branches that a run has not finished from being due before `until`, unless somebody works on them.
    pub async fn hold_back_unfinished(&self, run: RunId, until: Time) -> Result<(), StoreError> {
        let mut tx = self.db().begin().await?;
        let sql = "UPDATE branch_states SET next_attempt = $2 \
                   WHERE branch_id IN (SELECT branch_id FROM run_branches WHERE run_id = $1 \
                   AND (status IS NULL OR status IN ($4, $5))) AND (lease_owner IS NULL OR lease_expires <= $3)";
        let (refused, skipped) = (OutcomeStatus::Refused.as_str(), OutcomeStatus::Skipped.as_str());
        tx.run(sql, args![run, until, self.now(), refused, skipped]).await?;
        tx.commit().await
    }

    /// The branches whose turn it is, those that have waited longest first: active, not being worked on, not in need of
    /// a person, past their next attempt, not held as a rollback left them, and not known to be up to date with their provider's catalogue, whose digest
    /// `digests` has. Branches of a provider without a digest are left out.
    pub async fn due(&self, digests: &[(Provider, Checksum)], limit: u32) -> Result<Vec<BranchId>, StoreError> {
        let mut query = Query::new(
            format!(
                "SELECT b.id AS id FROM branches b JOIN branch_states s ON s.branch_id = b.id \
                 WHERE b.is_active = 1 AND (s.lease_owner IS NULL OR s.lease_expires <= $1) \
                 AND (s.next_attempt IS NULL OR s.next_attempt <= $1) AND {STATUS} <> $2 AND (1 = 0"
            ),
            args![self.now(), MigrationStatus::RequiresManualIntervention.as_str()],
        );
        for (provider, digest) in digests {
            query.push(" OR (b.provider = ").arg(provider.as_str());
            query.push(&format!(" AND ({STATUS} <> ")).arg(MigrationStatus::Completed.as_str());
            query.push(" OR s.verified_digest IS NULL OR s.verified_digest <> ").arg(digest.as_str());
            query.push(") AND (s.held_digest IS NULL OR s.held_digest <> ").arg(digest.as_str()).push("))");
        }
        query.push(") ORDER BY s.next_attempt NULLS FIRST, b.id LIMIT ").arg(limit);
        let rows = self.db().rows(&query.sql, query.args).await?;
        rows.iter().map(|row| row.of("branches", "id").parse("id")).collect()
    }

    /// When the next waiting branch becomes due; `None` when none waits for a time.
    pub async fn next_due(&self) -> Result<Option<Time>, StoreError> {
        let sql = format!(
            "SELECT MIN(s.next_attempt) AS next FROM branches b JOIN branch_states s ON s.branch_id = b.id \
             WHERE s.next_attempt > $1 AND b.is_active = 1 AND (s.lease_owner IS NULL OR s.lease_expires <= $1) \
             AND {STATUS} <> $2"
        );
        let needs_a_person = MigrationStatus::RequiresManualIntervention.as_str();
        let row = self.db().row(&sql, args![self.now(), needs_a_person]).await?;
        row.map_or(Ok(None), |row| row.plain().opt_time("next"))
    }

    /// Reads a state and keeps everybody else from changing it until the transaction ends.
    pub(super) async fn lock_state(&self, tx: &mut Tx, id: BranchId) -> Result<Option<BranchState>, StoreError> {
        // An update that changes nothing is the row lock that both backends know.
        let lock = format!(
            "UPDATE branch_states SET lease_token = lease_token WHERE branch_id = $1 RETURNING {}",
            codec::STATE
        );
        let now = self.now();
        tx.row(&lock, args![id]).await?.as_ref().map(|row| codec::state(row, now)).transpose()
    }
}

impl Query {
    /// Appends the conditions of the filter on `b`, a branch, and `s`, its state.
    fn statuses(&mut self, filter: &StatusFilter, now: Time) -> &mut Self {
        self.labels(&filter.labels).providers(&filter.providers);
        if !filter.statuses.is_empty() {
            self.push(" AND CASE WHEN s.lease_expires <= ").arg(now);
            self.push(" THEN s.status_before ELSE s.status END IN ");
            self.list(filter.statuses.iter().map(|status| status.as_str()));
        }
        self
    }
}

/// Writes a state with which everything that was known of the branch is void. The token rises, so that what a look under way
/// has seen is not written: on PostgreSQL, a statement that waited for this row sees it as it is now, but all others as
/// they were when it began.
pub(super) async fn begin_anew(tx: &mut Tx, next: &BranchState) -> Result<(), StoreError> {
    tx.run(codec::WRITE_STATE, codec::state_args(next)?).await?;
    let void = "UPDATE branch_states SET lease_token = lease_token + 1 WHERE branch_id = $1";
    tx.run(void, args![next.branch_id]).await.map(drop)
}

/// The state after a look.
fn observed(state: BranchState, seen: &Observed) -> BranchState {
    let up_to_date = seen.pending == 0 && seen.verified_digest.is_some();
    let mut next = BranchState {
        last_migration: seen.last_migration.clone(),
        pending_count: Some(seen.pending),
        verified_digest: seen.verified_digest.clone(),
        ..state
    };
    match next.status {
        MigrationStatus::RequiresManualIntervention => {}
        _ if up_to_date => {
            next.status = MigrationStatus::Completed;
            next.retry_count = 0;
            next.next_attempt_time = None;
            next.error = None;
            next.hold = None;
            next.held_digest = None;
        }
        MigrationStatus::Completed => next.status = MigrationStatus::Pending,
        MigrationStatus::Pending | MigrationStatus::InProgress | MigrationStatus::Failed => {}
    }
    next
}

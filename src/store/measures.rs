use super::outbox::MessageState;
use super::value::args;
use super::{HeadOffice, StatusFilter, StoreError};
use crate::domain::{MigrationStatus, RunState, Time};

/// How much of everything there is in head office.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measures {
    /// Branches in each status.
    pub branches: Vec<(MigrationStatus, u64)>,
    /// Leases that are held by the replica that asks.
    pub own_leases: u64,
    /// Leases that are held by others.
    pub other_leases: u64,
    /// Runs in each state, as far as they are kept.
    pub runs: Vec<(RunState, u64)>,
    /// Notifications in each state, as far as they are kept.
    pub messages: Vec<(MessageState, u64)>,
    /// When the oldest notification was written that still waits; `None` when none does.
    pub oldest_pending: Option<Time>,
}

impl HeadOffice {
    /// How much of everything there is; `owner` is the replica that asks.
    pub async fn measures(&self, owner: &str) -> Result<Measures, StoreError> {
        let branches = self.totals(&StatusFilter::default()).await?.into_iter().collect();
        let leases = "SELECT COALESCE(SUM(CASE WHEN lease_owner = $1 THEN 1 ELSE 0 END), 0) AS own, COUNT(*) AS leases \
                      FROM branch_states WHERE lease_expires > $2";
        let leases = self.db().row(leases, args![owner, self.now()]).await?;
        let (own_leases, leases) = match &leases {
            Some(row) => (row.plain().int("own")?, row.plain().int("leases")?),
            None => (0, 0),
        };
        let oldest = "SELECT MIN(create_time) AS oldest FROM outbox WHERE state = $1";
        let oldest = self.db().row(oldest, args![MessageState::Pending.as_str()]).await?;
        Ok(Measures {
            branches,
            own_leases: own_leases.unsigned_abs(),
            other_leases: leases.saturating_sub(own_leases).unsigned_abs(),
            runs: self.counted("runs", &RunState::ALL, RunState::from_name).await?,
            messages: self.counted("outbox", &MessageState::ALL, MessageState::from_name).await?,
            oldest_pending: oldest.map(|row| row.plain().opt_time("oldest")).transpose()?.flatten(),
        })
    }

    /// How many rows of `table` are in each state; every state is there.
    async fn counted<T: Copy + PartialEq>(
        &self,
        table: &'static str,
        all: &[T],
        find: fn(&str) -> Option<T>,
    ) -> Result<Vec<(T, u64)>, StoreError> {
        let mut counts: Vec<(T, u64)> = all.iter().map(|state| (*state, 0)).collect();
        let sql = format!("SELECT state, COUNT(*) AS number FROM {table} GROUP BY state");
        for row in self.db().rows(&sql, args![]).await? {
            let row = row.of(table, "state");
            let (state, number) = (row.name("state", find)?, row.count("number")?);
            if let Some(count) = counts.iter_mut().find(|(known, _)| *known == state) {
                count.1 = number.into();
            }
        }
        Ok(counts)
    }
}

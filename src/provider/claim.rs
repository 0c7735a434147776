use std::time::Duration;

use chrono::TimeDelta;

use crate::domain::Time;

use super::connection::Row;
use super::ledger::parse_time;
use super::lock::Claim;

/// The lock's row as it stands in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LockRow {
    pub(super) epoch: i64,
    pub(super) owner: Option<String>,
    pub(super) head_office: String,
    pub(super) token: i64,
    /// `None` for a row that nobody holds, and for a text that is no time.
    pub(super) expires: Option<Time>,
    /// The mark that a unit has left whose transaction something had ended; always `None` where no statement can do that.
    pub(super) unit: Option<String>,
}

impl LockRow {
    pub(super) fn read(row: &Row) -> Self {
        Self {
            epoch: row.number(0).unwrap_or_default(),
            owner: row.text(1).ok().flatten().filter(|owner| !owner.is_empty()),
            head_office: row.text_or_empty(2),
            token: row.number(3).unwrap_or_default(),
            expires: parse_time(&row.text_or_empty(4)),
            unit: row.text(5).ok().flatten(),
        }
    }
}

/// What a claim meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The lock can be taken.
    Take,
    /// This head office has given the branch away since.
    Stale(i64),
    /// Somebody holds the lock.
    Held {
        holder: String,
        until: Time,
        /// The row's own expiry can't be true and is to be brought down to `until`.
        clamp: bool,
    },
}

/// Decides over a lock that is a row.
///
/// An expiry further ahead than two leases comes from a clock that was wrong or a backup of such a time. It is brought
/// down to one lease from now, in the database, so that it does not block for ever; a holder that lives renews it.
pub(super) fn judge(row: Option<&LockRow>, claim: &Claim, now: Time) -> Verdict {
    let Some(row) = row else { return Verdict::Take };
    let same_office = row.head_office == claim.head_office;
    if same_office && row.token > claim.token {
        return Verdict::Stale(row.token);
    }
    let Some(owner) = &row.owner else { return Verdict::Take };
    // Head office has given the branch to us since, or this is what an earlier connection of our own has left.
    if same_office && (row.token < claim.token || *owner == claim.owner) {
        return Verdict::Take;
    }
    let from_now = |time: Duration| now.checked_add_signed(TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX));
    let (lease, limit) = (from_now(claim.lease), from_now(claim.lease.saturating_mul(2)));
    match row.expires {
        Some(expires) if expires <= now => Verdict::Take,
        Some(expires) if limit.is_none_or(|limit| expires <= limit) => {
            Verdict::Held { holder: owner.clone(), until: expires, clamp: false }
        }
        _ => Verdict::Held { holder: owner.clone(), until: lease.unwrap_or(Time::MAX_UTC), clamp: true },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(60);

    fn at(second: i64) -> Time {
        Time::UNIX_EPOCH + TimeDelta::seconds(second)
    }

    fn claim(token: i64) -> Claim {
        Claim { head_office: "ho".into(), token, owner: "me".into(), lease: LEASE }
    }

    fn row(change: impl FnOnce(&mut LockRow)) -> Option<LockRow> {
        let mut row = LockRow {
            epoch: 3,
            owner: Some("other".into()),
            head_office: "elsewhere".into(),
            token: 9,
            expires: Some(at(1030)),
            unit: None,
        };
        change(&mut row);
        Some(row)
    }

    #[test]
    fn who_gets_the_lock() {
        let held = |until, clamp| Verdict::Held { holder: "other".into(), until: at(until), clamp };
        let office = |row: &mut LockRow| row.head_office = "ho".into();
        let cases = [
            (None, Verdict::Take),
            (row(|_| {}), held(1030, false)),
            (row(|r| r.owner = None), Verdict::Take),
            (row(|r| r.expires = Some(at(1000))), Verdict::Take),
            (row(|r| r.expires = Some(at(1120))), held(1120, false)),
            (row(|r| r.expires = Some(at(1121))), held(1060, true)),
            (row(|r| r.expires = None), held(1060, true)),
            (row(|r| (office(r), r.token = 5).0), held(1030, false)),
            (row(|r| (office(r), r.token = 4).0), Verdict::Take),
            (row(|r| (office(r), r.token = 6).0), Verdict::Stale(6)),
            (row(|r| (office(r), r.token = 6, r.owner = None).0), Verdict::Stale(6)),
            (row(|r| (office(r), r.token = 5, r.owner = Some("me".into())).0), Verdict::Take),
        ];
        for (row, expected) in cases {
            assert_eq!(judge(row.as_ref(), &claim(5), at(1000)), expected, "{row:?}");
        }
    }
}

//! Each message is claimed by one replica, for a while; whoever dies with it gives it up.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;

use super::db::Tx;
use super::head_office::later;
use super::outbox::{self, INSERT, MESSAGE, Message, MessageState, message};
use super::value::{args, json};
use super::{HeadOffice, StoreError};
use crate::domain::{Notification, NotificationKind, Time, shorten};

/// The time over which a target's messages are counted.
pub const QUOTA_SPAN: Duration = Duration::from_secs(60);
/// The longest reason that is kept of a failure, in characters.
const MAX_ERROR: usize = 300;

/// A message that is ours to deliver, until its lease runs out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The message; this attempt counts already.
    pub message: Message,
    /// Proves that the claim is ours.
    token: String,
}

/// What came of trying to deliver a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The target took it.
    Delivered,
    /// It did not; it is tried again at this moment. The text says why.
    Again(Time, String),
    /// It is given up. The text says why.
    GivenUp(String),
}

impl HeadOffice {
    /// The targets for which something is to be done now.
    pub async fn due_targets(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT target FROM outbox WHERE next_attempt <= $1 \
                   UNION SELECT h.target FROM held_back h LEFT JOIN quotas q ON q.target = h.target \
                   WHERE COALESCE(q.span_start, 0) <= $2 ORDER BY target";
        let now = self.now();
        let rows = self.db().rows(sql, args![now, now - span()]).await?;
        rows.iter().map(|row| row.of("outbox", "target").text("target")).collect()
    }

    /// Claims the oldest message that is due to `target`, for `lease`. When `quota` messages went to it within
    /// [`QUOTA_SPAN`], further new ones are held back, and the target is told how many when the span is over.
    pub async fn claim_message(
        &self,
        target: &str,
        quota: u32,
        lease: Duration,
    ) -> Result<Option<Claimed>, StoreError> {
        let now = self.now();
        let mut tx = self.db().begin().await?;
        let mut sent = lock_quota(&mut tx, target, now).await?;
        if sent.span_start <= now - span() {
            sent = new_span(&mut tx, target, now).await?;
        }
        if sent.number >= i64::from(quota) {
            hold_back(&mut tx, target, now, sent.span_start + span()).await?;
            tx.commit().await?;
            return Ok(None);
        }
        let token = uuid::Uuid::new_v4().to_string();
        let claim = format!(
            "UPDATE outbox SET claim = $1, attempts = attempts + 1, next_attempt = $2 \
             WHERE id = (SELECT id FROM outbox WHERE target = $3 AND next_attempt <= $4 \
             ORDER BY create_time, id LIMIT 1) AND next_attempt <= $4 RETURNING {MESSAGE}"
        );
        let row = tx.row(&claim, args![token.as_str(), later(now, lease), target, now]).await?;
        if row.is_some() {
            tx.run("UPDATE quotas SET number = number + 1 WHERE target = $1", args![target]).await?;
        }
        tx.commit().await?;
        let claimed = |row| Ok(Claimed { message: message(row)?, token });
        row.as_ref().map(claimed).transpose()
    }

    /// Records what came of a claimed message. False, and nothing is written, when the claim is no longer ours.
    pub async fn settle_message(&self, claimed: &Claimed, settlement: &Settlement) -> Result<bool, StoreError> {
        let now = self.now();
        let (state, next, settled, error) = match settlement {
            Settlement::Delivered => (MessageState::Delivered, None, Some(now), None),
            Settlement::Again(time, why) => (MessageState::Pending, Some(*time), None, Some(why)),
            Settlement::GivenUp(why) => (MessageState::Failed, None, Some(now), Some(why)),
        };
        let sql = "UPDATE outbox SET state = $3, next_attempt = $4, settle_time = $5, error = $6, claim = NULL \
                   WHERE id = $1 AND claim = $2";
        let error = error.map(|why| shorten(why, MAX_ERROR));
        let mut tx = self.db().begin().await?;
        let id = claimed.message.id.as_str();
        let written = tx.run(sql, args![id, claimed.token.as_str(), state.as_str(), next, settled, error]).await?;
        tx.commit().await?;
        Ok(written > 0)
    }

    /// Makes every claimed message due at once. For the start of a process that knows its predecessors to be dead.
    pub async fn release_claims(&self) -> Result<u64, StoreError> {
        let mut tx = self.db().begin().await?;
        let sql = "UPDATE outbox SET claim = NULL, next_attempt = $1 WHERE claim IS NOT NULL";
        let released = tx.run(sql, args![self.now()]).await?;
        tx.commit().await?;
        Ok(released)
    }

    /// Gives up the messages that were written before a moment and still wait; returns how many.
    pub async fn give_up_messages(&self, written_before: Time) -> Result<u64, StoreError> {
        let mut tx = self.db().begin().await?;
        let sql = "UPDATE outbox SET state = $1, next_attempt = NULL, settle_time = $2, claim = NULL, \
                   error = COALESCE(error, $3) WHERE create_time < $4 AND next_attempt <= $2";
        let why = "it was not delivered in time";
        let failed = MessageState::Failed.as_str();
        let given_up = tx.run(sql, args![failed, self.now(), why, written_before]).await?;
        tx.commit().await?;
        Ok(given_up)
    }
}

/// How many messages went to a target since when.
struct Sent {
    span_start: Time,
    number: i64,
}

fn span() -> TimeDelta {
    TimeDelta::from_std(QUOTA_SPAN).unwrap_or(TimeDelta::zero())
}

/// Reads a target's count and keeps other replicas from the target until the transaction ends.
async fn lock_quota(tx: &mut Tx, target: &str, now: Time) -> Result<Sent, StoreError> {
    let new = "INSERT INTO quotas (target, span_start, number) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING";
    // The beginning of time: what was counted before there was a row is told at once.
    tx.run(new, args![target, now - span()]).await?;
    let lock = "UPDATE quotas SET number = number WHERE target = $1 RETURNING target, span_start, number";
    let row = tx.row(lock, args![target]).await?.ok_or_else(|| StoreError::internal("a target's count is missing"))?;
    let row = row.of("quotas", "target");
    Ok(Sent { span_start: row.time("span_start")?, number: row.int("number")? })
}

/// Begins a new span, and tells the target what it was spared in the last one.
async fn new_span(tx: &mut Tx, target: &str, now: Time) -> Result<Sent, StoreError> {
    tx.run("UPDATE quotas SET span_start = $2, number = 0 WHERE target = $1", args![target, now]).await?;
    let rows = tx.rows("DELETE FROM held_back WHERE target = $1 RETURNING target, kind, number", args![target]).await?;
    let mut kinds = BTreeMap::new();
    for row in rows {
        let row = row.of("held_back", "target");
        let kind = row.name("kind", NotificationKind::from_name)?;
        kinds.insert(kind, u64::try_from(row.int("number")?).unwrap_or_default());
    }
    if !kinds.is_empty() {
        let notification = Notification::of_held_back(kinds, now);
        let body = json(&notification)?;
        tx.insert(INSERT, vec![outbox::row(target, &notification, body, now)]).await?;
    }
    Ok(Sent { span_start: now, number: 0 })
}

/// Holds back what is new and due; what was tried before, and the count itself, wait for the next span.
async fn hold_back(tx: &mut Tx, target: &str, now: Time, until: Time) -> Result<(), StoreError> {
    let sql = "UPDATE outbox SET state = $1, next_attempt = NULL, settle_time = $2 \
               WHERE target = $3 AND next_attempt <= $2 AND attempts = 0 AND kind <> $4 RETURNING id, kind";
    let counts = NotificationKind::HeldBack.as_str();
    let mut kinds: BTreeMap<NotificationKind, u64> = BTreeMap::new();
    for row in tx.rows(sql, args![MessageState::HeldBack.as_str(), now, target, counts]).await? {
        *kinds.entry(row.of("outbox", "id").name("kind", NotificationKind::from_name)?).or_default() += 1;
    }
    for (kind, count) in kinds {
        outbox::hold_back(tx, target, kind, count).await?;
    }
    let wait = "UPDATE outbox SET next_attempt = $3 WHERE target = $1 AND next_attempt <= $2";
    tx.run(wait, args![target, now, until]).await.map(drop)
}

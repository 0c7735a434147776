//! What is to be delivered to whom. Rows are written in the transaction of what they tell of, so that none is lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::db::Tx;
use super::filter::Query;
use super::head_office::to_micros;
use super::value::{Row, args, json};
use super::{HeadOffice, Page, Paged, StoreError, page};
use crate::domain::{Notification, NotificationKind, Routes, Time};

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageState {
    /// It waits to be delivered, for the first time or again.
    Pending,
    /// The target has taken it.
    Delivered,
    /// It was given up.
    Failed,
    /// It was not sent because there were too many; the target is told how many.
    HeldBack,
}

impl MessageState {
    /// Every state, in the order of the contract's enum.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Delivered, Self::Failed, Self::HeldBack];

    /// The name used in stored rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Delivered => "Delivered",
            Self::Failed => "Failed",
            Self::HeldBack => "HeldBack",
        }
    }

    /// The state of this name; `None` for a name this build does not know.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// A notification to one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id, the same each time it is sent.
    pub id: String,
    /// The target.
    pub target: String,
    /// What is told.
    pub notification: Notification,
    /// Where it stands.
    pub state: MessageState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was written.
    pub create_time: Time,
    /// When it is tried next, or claimed until; `None` once it is settled.
    pub next_attempt_time: Option<Time>,
    /// When it was settled.
    pub settle_time: Option<Time>,
    /// Why the last try failed; may be empty.
    pub error: String,
}

/// Which messages to list. An empty part matches everything; all parts have to match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// In one of these states.
    pub states: Vec<MessageState>,
    /// To this target.
    pub target: String,
}

/// The columns of a message.
pub(super) const MESSAGE: &str = "id, target, state, body, attempts, create_time, next_attempt, settle_time, error";

/// A message from the columns [`MESSAGE`].
pub(super) fn message(row: &Row) -> Result<Message, StoreError> {
    let row = row.of("outbox", "id");
    Ok(Message {
        id: row.text("id")?,
        target: row.text("target")?,
        notification: row.json("body")?,
        state: row.name("state", MessageState::from_name)?,
        attempts: row.count("attempts")?,
        create_time: row.time("create_time")?,
        next_attempt_time: row.opt_time("next_attempt")?,
        settle_time: row.opt_time("settle_time")?,
        error: row.opt_text("error")?.unwrap_or_default(),
    })
}

impl HeadOffice {
    /// Sets who is told what; only the first call counts. Until then nobody is told anything.
    pub fn tell(&self, routes: Arc<Routes>) {
        self.set_routes(routes);
    }

    /// Tells of the migrations folder as this replica sees it: of each set of problems once, and of their end once, however
    /// many replicas see them.
    pub async fn tell_of_catalogue(&self, problems: &[String]) -> Result<(), StoreError> {
        let Some(routes) = self.routes() else { return Ok(()) };
        let now = self.now();
        let mut tx = self.db().begin().await?;
        if super::notices::catalogue_is_news(&mut tx, problems, now).await? {
            enqueue(&mut tx, &routes, &[Notification::of_catalogue(problems, now)], now).await?;
        }
        tx.commit().await?;
        self.news().notify_one();
        Ok(())
    }

    /// A part of the list of messages, the newest first.
    ///
    /// # Errors
    /// [`StoreError::BadPageToken`].
    pub async fn messages(&self, filter: &MessageFilter, page: &Page) -> Result<Paged<Message>, StoreError> {
        let list = format!("messages {filter:?}");
        let mut query = Query::new(format!("SELECT {MESSAGE} FROM outbox WHERE 1 = 1"), args![]);
        if !filter.states.is_empty() {
            query.push(" AND state IN ").list(filter.states.iter().map(|state| state.as_str()));
        }
        if !filter.target.is_empty() {
            query.push(" AND target = ").arg(filter.target.as_str());
        }
        query.page_by_time("create_time", page, &list)?;
        let rows = self.db().rows(&query.sql, query.args).await?;
        let items = rows.iter().map(message).collect::<Result<_, _>>()?;
        Ok(Paged::cut(items, page, &list, |message: &Message| page::time_key(message.create_time, &message.id)))
    }

    /// Removes up to `limit` of the messages settled longest before a moment; returns how many.
    pub async fn prune_messages(&self, settled_before: Time, limit: u32) -> Result<u64, StoreError> {
        let mut tx = self.db().begin().await?;
        let sql = "DELETE FROM outbox WHERE id IN \
                   (SELECT id FROM outbox WHERE settle_time < $1 ORDER BY settle_time, id LIMIT $2)";
        let removed = tx.run(sql, args![settled_before, limit]).await?;
        super::notices::prune(&mut tx, settled_before).await?;
        tx.commit().await?;
        Ok(removed)
    }
}

/// Writes a row for each notification and each target that wants it. When too many wait already, they are only counted,
/// and the target is told of the count later.
pub(super) async fn enqueue(
    tx: &mut Tx,
    routes: &Routes,
    notifications: &[Notification],
    now: Time,
) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for notification in notifications {
        let mut body = None;
        for target in routes.targets(notification) {
            let body = match &body {
                Some(body) => String::clone(body),
                None => body.insert(json(notification)?).clone(),
            };
            rows.push((target, notification, body));
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let count = "SELECT COUNT(*) AS waiting FROM (SELECT id FROM outbox WHERE next_attempt IS NOT NULL LIMIT $1) AS w";
    let waiting = match tx.row(count, args![routes.max_pending]).await? {
        Some(row) => row.plain().count("waiting")?,
        None => 0,
    };
    let room = usize::try_from(routes.max_pending.saturating_sub(waiting)).unwrap_or(0);
    let spared = rows.split_off(room.min(rows.len()));
    let values = rows.into_iter().map(|(target, notification, body)| row(target, notification, body, now));
    tx.insert(INSERT, values.collect()).await?;
    let mut counts: BTreeMap<(&str, NotificationKind), u64> = BTreeMap::new();
    for (target, notification, _) in spared {
        *counts.entry((target, notification.kind)).or_default() += 1;
    }
    if !counts.is_empty() {
        let count: u64 = counts.values().sum();
        tracing::warn!(count, most = routes.max_pending, "too many notifications wait; further ones are only counted");
    }
    for ((target, kind), count) in counts {
        hold_back(tx, target, kind, count).await?;
    }
    Ok(())
}

/// What [`row`] gives the values for.
pub(super) const INSERT: &str =
    "INSERT INTO outbox (id, target, kind, subject, body, state, attempts, create_time, next_attempt)";

/// The values of a new message.
pub(super) fn row(target: &str, notification: &Notification, body: String, now: Time) -> super::value::Args {
    args![
        uuid::Uuid::now_v7().to_string(),
        target,
        notification.kind.as_str(),
        notification.subject(),
        body,
        MessageState::Pending.as_str(),
        0i64,
        to_micros(now),
        to_micros(now),
    ]
}

/// Counts notifications that a target is spared.
pub(super) async fn hold_back(tx: &mut Tx, target: &str, kind: NotificationKind, count: u64) -> Result<(), StoreError> {
    let sql = "INSERT INTO held_back (target, kind, number) VALUES ($1, $2, $3) \
               ON CONFLICT (target, kind) DO UPDATE SET number = held_back.number + excluded.number";
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    tx.run(sql, args![target, kind.as_str(), count]).await.map(drop)
}

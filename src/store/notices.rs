//! What was told already, so that the same trouble is not told again and again, and its end is told.

use super::db::Tx;
use super::filter::Query;
use super::value::args;
use super::{StoreError, codec, outbox};
use crate::domain::{
    BranchId, BranchState, Checksum, Notification, NotificationKind, OutcomeStatus, Routes, RunId, Time, error_key,
    kind_of_outcome,
};

/// The subject of what is told of the migrations folder.
const CATALOGUE: &str = "catalogue";
/// The kind of the row that says that a subject is in trouble.
const TROUBLE: &str = "trouble";

/// A branch that had its turn, and whose new state has just been written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn<'a> {
    pub(super) branch: BranchId,
    pub(super) outcome: OutcomeStatus,
    pub(super) next: &'a BranchState,
}

/// Tells of what these turns have changed. In the transaction that wrote the states.
pub(super) async fn tell(
    tx: &mut Tx,
    routes: &Routes,
    turns: &[Turn<'_>],
    run: Option<RunId>,
    now: Time,
) -> Result<(), StoreError> {
    let troubled = troubled(tx, turns).await?;
    let mut news = Vec::new();
    for turn in turns {
        let in_trouble = troubled.contains(&turn.branch);
        let Some(kind) = kind_of_outcome(turn.outcome, turn.next, in_trouble) else { continue };
        let subject = turn.branch.to_string();
        if kind == NotificationKind::Recovered {
            forget(tx, &subject).await?;
        } else {
            let known = error_key(turn.next.error.as_ref());
            if !remember(tx, &subject, kind.as_str(), &known, now, Some(routes.window)).await? {
                continue;
            }
            remember(tx, &subject, TROUBLE, "", now, None).await?;
        }
        let select = format!("SELECT {} FROM branches b WHERE b.id = $1", codec::BRANCH);
        let Some(row) = tx.row(&select, args![turn.branch]).await? else { continue };
        let branch = codec::branch(&row)?;
        news.push(Notification::of_branch(kind, now, &branch, turn.next, run, &routes.environment));
    }
    outbox::enqueue(tx, routes, &news, now).await
}

/// Those of the branches whose trouble was told last.
async fn troubled(tx: &mut Tx, turns: &[Turn<'_>]) -> Result<Vec<BranchId>, StoreError> {
    let well = turns.iter().filter(|turn| turn.outcome == OutcomeStatus::Succeeded);
    let well: Vec<String> = well.map(|turn| turn.branch.to_string()).collect();
    if well.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = Query::new("SELECT subject FROM notices WHERE kind = $1 AND subject IN ", args![TROUBLE]);
    query.list(well);
    let rows = tx.rows(&query.sql, query.args).await?;
    rows.iter().map(|row| row.of("notices", "subject").parse("subject")).collect()
}

/// Whether the folder's problems, or their end, have not been told yet. Takes note that they are.
pub(super) async fn catalogue_is_news(tx: &mut Tx, problems: &[String], now: Time) -> Result<bool, StoreError> {
    if problems.is_empty() {
        return Ok(tx.run("DELETE FROM notices WHERE subject = $1", args![CATALOGUE]).await? > 0);
    }
    let known = Checksum::of_parts(problems.iter().map(String::as_str)).as_str().to_owned();
    let kind = NotificationKind::CatalogueBroken.as_str();
    let other = "DELETE FROM notices WHERE subject = $1 AND error_key <> $2";
    tx.run(other, args![CATALOGUE, known.as_str()]).await?;
    remember(tx, CATALOGUE, kind, &known, now, None).await
}

/// Takes note that something is told. False when it was told before, within `window`; `None` means at any time.
async fn remember(
    tx: &mut Tx,
    subject: &str,
    kind: &str,
    key: &str,
    now: Time,
    window: Option<std::time::Duration>,
) -> Result<bool, StoreError> {
    let insert = "INSERT INTO notices (subject, kind, error_key, time) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    if tx.run(insert, args![subject, kind, key, now]).await? > 0 {
        return Ok(true);
    }
    let Some(window) = window else { return Ok(false) };
    let since = now - chrono::TimeDelta::from_std(window).unwrap_or(chrono::TimeDelta::zero());
    let again = "UPDATE notices SET time = $4 WHERE subject = $1 AND kind = $2 AND error_key = $3 AND time <= $5";
    Ok(tx.run(again, args![subject, kind, key, now, since]).await? > 0)
}

/// The trouble is over: the same one, should it come back, is news.
async fn forget(tx: &mut Tx, subject: &str) -> Result<(), StoreError> {
    tx.run("DELETE FROM notices WHERE subject = $1", args![subject]).await.map(drop)
}

/// Removes what nobody needs to remember: what was told before `moment`, unless the trouble lasts, and everything about
/// branches that were removed.
pub(super) async fn prune(tx: &mut Tx, moment: Time) -> Result<(), StoreError> {
    let old = "DELETE FROM notices WHERE time < $1 AND kind <> $2 AND subject <> $3";
    tx.run(old, args![moment, TROUBLE, CATALOGUE]).await?;
    let gone = "DELETE FROM notices WHERE subject <> $1 \
                AND NOT EXISTS (SELECT 1 FROM branches b WHERE b.id = notices.subject)";
    tx.run(gone, args![CATALOGUE]).await.map(drop)
}

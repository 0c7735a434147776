use super::StoreError;
use super::db::{Db, Tx};
use super::schema::VERSIONS;
use super::value::args;
use crate::domain::Time;

/// The first half of the advisory lock's key; the second is the schema, so that two head offices in two schemas of one
/// database do not wait for each other.
const LOCK: i64 = 0x4272_6b70;

/// Brings the tables to this build's version and returns head office's id, which the first replica made.
///
/// Replicas that start together take turns; all but the first find nothing to do.
pub(super) async fn migrate(db: &Db, now: Time) -> Result<String, StoreError> {
    let mut tx = db.begin().await?;
    if let Tx::Postgres(_) = tx {
        let lock = "SELECT pg_advisory_xact_lock($1::bigint::int, hashtext(current_schema()))";
        tx.run(lock, args![LOCK]).await?;
    }
    let create =
        "CREATE TABLE IF NOT EXISTS head_office_version (version BIGINT NOT NULL PRIMARY KEY, time BIGINT NOT NULL)";
    tx.run(create, args![]).await?;
    let found = tx.row("SELECT MAX(version) AS version FROM head_office_version", args![]).await?;
    let found = found.map(|row| row.plain().opt_int("version")).transpose()?.flatten().unwrap_or(0);
    let known = i64::try_from(VERSIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    let key = if db.is_embedded() { "TEXT" } else { "TEXT COLLATE \"C\"" };
    for (version, statements) in (1i64..).zip(VERSIONS).filter(|(version, _)| *version > found) {
        for statement in *statements {
            tx.run(&statement.replace("{key}", key), args![]).await?;
        }
        let note = "INSERT INTO head_office_version (version, time) VALUES ($1, $2)";
        tx.run(note, args![version, now]).await?;
    }
    let fresh = uuid::Uuid::new_v4().to_string();
    let keep = "INSERT INTO meta (name, value) VALUES ('head_office_id', $1) ON CONFLICT DO NOTHING";
    tx.run(keep, args![fresh]).await?;
    let row = tx.row("SELECT name, value FROM meta WHERE name = 'head_office_id'", args![]).await?;
    let row = row.ok_or_else(|| StoreError::internal("the id of head office was not kept"))?;
    let id = row.of("meta", "name").text("value")?;
    tx.commit().await?;
    Ok(id)
}

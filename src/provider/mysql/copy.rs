//! A throw-away copy of a database, without its rows: where changes of tables commit by themselves, migrations are tried
//! in it.

use std::time::Duration;

use super::confined::{self, strip_definer};
use super::dialect::quote;
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::server::ServerPlace;
use crate::provider::session::Session;
use crate::provider::stop::Stop;

/// What the names of all copies begin with, so that people know what they are, and leftovers are found.
const PREFIX: &str = "branchkeeper_dry_run_";
/// The most things of one kind that are copied.
const MAX_COPIED: usize = 20_000;
/// The most rounds in which views, which may need each other, are made.
const MAX_ROUNDS: usize = 50;

/// A copy, and the session on the original that answers for it.
pub(in crate::provider) struct Copy {
    name: String,
    /// Holds a lock of the copy's name: a copy whose lock nobody holds was left by a process that died.
    source: Session,
    /// Names that a statement must not reach with a dot: all databases but this one.
    databases: Vec<String>,
}

impl Copy {
    /// Makes an empty copy beside the original, and removes what dead processes have left.
    pub(in crate::provider) async fn make(
        mut source: Session,
        place: &ServerPlace,
        stop: &Stop,
    ) -> Result<Self, ProviderError> {
        // It says nothing for as long as the migrations run.
        ask(&mut source, "SET @@SESSION.wait_timeout = 604800").await?;
        let databases: Vec<String> = ask(&mut source, "SHOW DATABASES").await?.into_iter().map(first).collect();
        for left in databases.iter().filter(|name| name.starts_with(PREFIX)) {
            clear(&mut source, left).await?;
            go_on(stop)?;
        }
        let name = format!("{PREFIX}{}", uuid::Uuid::new_v4().simple());
        let lock = format!("SELECT GET_LOCK({}, 0)", text(&lock_name(&name)));
        if ask(&mut source, &lock).await?.into_iter().map(first).next().as_deref() != Some("1") {
            return Err(ProviderError::new(ErrorKind::Internal, "the lock of a new copy is taken"));
        }
        let charset = "SELECT CONCAT(DEFAULT_CHARACTER_SET_NAME, ' COLLATE ', DEFAULT_COLLATION_NAME)
  FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE()";
        let charset = ask(&mut source, charset).await?.into_iter().map(first).next().unwrap_or_default();
        let create = format!("CREATE DATABASE {} CHARACTER SET {charset}", quote(&name));
        if let Err(mut error) = ask(&mut source, &create).await {
            error.message = format!("no copy of '{}' could be made for the dry run: {}", place.database, error.message);
            if matches!(&*error.code, "1044" | "1227") {
                let user = &place.username;
                error.hint = format!("allow '{user}' to create databases named {PREFIX}%, or apply without a dry run");
            }
            return Err(error);
        }
        let databases = databases.into_iter().filter(|other| !other.starts_with(PREFIX)).collect();
        Ok(Self { name, source, databases })
    }

    pub(in crate::provider) fn name(&self) -> &str {
        &self.name
    }

    /// Gives the copy the original's tables, views, routines and triggers. On failure the copy is dropped.
    pub(in crate::provider) async fn fill(mut self, target: &mut Session, stop: &Stop) -> Result<Self, ProviderError> {
        match self.copy_all(target, stop).await {
            Ok(()) => Ok(self),
            Err(mut error) => {
                error.message = format!("the database could not be copied for the dry run: {}", error.message);
                self.drop().await;
                Err(error)
            }
        }
    }

    async fn copy_all(&mut self, target: &mut Session, stop: &Stop) -> Result<(), ProviderError> {
        let free = "SET @@SESSION.foreign_key_checks = 0, @@SESSION.sql_mode = ''";
        ask(target, free).await?;
        // Definitions are shown as they read in the session's mode.
        ask(&mut self.source, free).await?;
        let (mut tables, mut views) = (Vec::new(), Vec::new());
        for row in ask(&mut self.source, "SHOW FULL TABLES").await? {
            let [name, kind] = row.try_into().unwrap_or_default();
            match &*kind {
                "VIEW" | "SYSTEM VIEW" => views.push(name),
                _ => tables.push((name, kind)),
            }
        }
        if tables.len() + views.len() > MAX_COPIED {
            let text = format!("it has more than {MAX_COPIED} tables and views");
            return Err(ProviderError::new(ErrorKind::Unsupported, text));
        }
        for (name, kind) in &tables {
            go_on(stop)?;
            let what = if kind == "SEQUENCE" { "SEQUENCE" } else { "TABLE" };
            let made = self.definition(what, name, 1).await?;
            ask(target, &made).await?;
        }
        let routines = "SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES
  WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_TYPE IN ('PROCEDURE', 'FUNCTION')";
        for row in ask(&mut self.source, routines).await? {
            go_on(stop)?;
            let [kind, name] = row.try_into().unwrap_or_default();
            self.copy_code(target, &kind, &name).await?;
        }
        self.copy_views(target, views, stop).await?;
        let triggers = "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()
  ORDER BY EVENT_OBJECT_TABLE, EVENT_MANIPULATION, ACTION_TIMING, ACTION_ORDER";
        for name in ask(&mut self.source, triggers).await?.into_iter().map(first) {
            go_on(stop)?;
            self.copy_code(target, "TRIGGER", &name).await?;
        }
        let usual = "SET @@SESSION.foreign_key_checks = @@GLOBAL.foreign_key_checks,
  @@SESSION.sql_mode = @@GLOBAL.sql_mode";
        ask(target, usual).await.map(drop)
    }

    /// Views may need each other: those that can't be made yet are tried again after the others.
    async fn copy_views(
        &mut self,
        target: &mut Session,
        mut views: Vec<String>,
        stop: &Stop,
    ) -> Result<(), ProviderError> {
        for _ in 0..MAX_ROUNDS {
            let (before, mut left) = (views.len(), Vec::new());
            for name in views {
                go_on(stop)?;
                let made = self.definition("VIEW", &name, 1).await?;
                if ask(target, &strip_definer(&made)).await.is_err() {
                    left.push(name);
                }
            }
            if left.is_empty() {
                return Ok(());
            }
            if left.len() == before {
                // They are broken in the original too, or need another database.
                tracing::warn!(count = before, "views that could not be made are missing in the dry run's copy");
                return Ok(());
            }
            views = left;
        }
        Ok(())
    }

    /// Code that names another database would reach it from the copy too: it is left out, and what needs it fails.
    async fn copy_code(&mut self, target: &mut Session, what: &str, name: &str) -> Result<(), ProviderError> {
        // It was written in a mode of its own.
        let mode = self.definition(what, name, 1).await?;
        let made = self.definition(what, name, 2).await?;
        if made.is_empty() || confined::reaches(&made, &self.databases) {
            tracing::warn!(what, name, "code that names a database is left out of the dry run's copy");
            return Ok(());
        }
        ask(target, &format!("SET @@SESSION.sql_mode = {}", text(&mode))).await?;
        ask(target, &strip_definer(&made)).await?;
        ask(target, "SET @@SESSION.sql_mode = ''").await.map(drop)
    }

    async fn definition(&mut self, what: &str, name: &str, column: usize) -> Result<String, ProviderError> {
        let rows = ask(&mut self.source, &format!("SHOW CREATE {what} {}", quote(name))).await?;
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().nth(column)).unwrap_or_default())
    }

    /// Why a statement can't be tried in the copy; `None` when it can.
    pub(in crate::provider) fn why_not(&self, sql: &str) -> Option<&'static str> {
        if !confined::stays_inside(sql) {
            return Some("may reach beyond the branch's database");
        }
        confined::reaches(sql, &self.databases).then_some("names a database, and would reach it from the copy too")
    }

    /// Drops the copy. What cannot be dropped now is found by the next dry run on the server.
    pub(in crate::provider) async fn drop(mut self) {
        let gone = ask(&mut self.source, &format!("DROP DATABASE IF EXISTS {}", quote(&self.name))).await;
        if let Err(error) = gone {
            tracing::warn!(copy = %self.name, %error, "a dry run's copy could not be dropped; the next dry run does it");
        }
        self.source.close().await;
    }
}

/// Drops a copy whose process has died.
async fn clear(source: &mut Session, name: &str) -> Result<(), ProviderError> {
    let free = format!("SELECT IS_FREE_LOCK({})", text(&lock_name(name)));
    if ask(source, &free).await?.into_iter().map(first).next().as_deref() == Some("1") {
        tracing::info!(copy = %name, "dropping the copy that an interrupted dry run has left");
        if let Err(error) = ask(source, &format!("DROP DATABASE IF EXISTS {}", quote(name))).await {
            tracing::warn!(copy = %name, %error, "it could not be dropped");
        }
    }
    Ok(())
}

/// Locks have names of at most 64 characters.
fn lock_name(copy: &str) -> String {
    format!("bk {}", copy.trim_start_matches(PREFIX))
}

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn first(row: Vec<String>) -> String {
    row.into_iter().next().unwrap_or_default()
}

fn go_on(stop: &Stop) -> Result<(), ProviderError> {
    stop.now().map_or(Ok(()), |reason| Err(reason.error("copying the database")))
}

/// The rows of an answer, each as its columns' texts.
async fn ask(session: &mut Session, text: &str) -> Result<Vec<Vec<String>>, ProviderError> {
    let limit = Duration::from_secs(120);
    let rows = session.query_once(text, limit).await.map_err(|failure| failure.error)?;
    Ok(rows.iter().map(|row| (0..row.columns()).map(|column| row.text_or_empty(column)).collect()).collect())
}

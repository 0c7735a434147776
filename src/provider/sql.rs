use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use chrono::SecondsFormat;

use crate::domain::{Checksum, Clock, Provider, Time, render, render_with};

use super::dialect::{ClockSource, Dialect, LockMeans, SessionLimits};
use super::endpoint::{Endpoint, Place};
use super::lock::{Claim, Fence};
use super::mark::Mark;
use super::settings::Settings;

/// The longest text of a ledger column that is read, in characters; what is longer is refused.
pub(super) const MAX_TEXT: usize = 300;
/// The longest journal that is read, in characters: 200,000 statements.
pub(super) const MAX_JOURNAL: usize = 3_500_000;
/// The most rows of a ledger that are read.
pub(super) const MAX_ROWS: usize = 100_000;

/// Builds every text of our own from a dialect and the names of one branch.
pub(super) struct Sql {
    pub(super) dialect: &'static Dialect,
    pub(super) history: String,
    lock: String,
    schema: Option<String>,
    /// The schema that an unqualified name of a migration is in at first.
    home: String,
    key: i64,
    clock: Arc<dyn Clock>,
    lock_timeout: Option<Duration>,
    wait: Duration,
}

impl Sql {
    pub(super) fn new(dialect: &'static Dialect, endpoint: &Endpoint, settings: &Settings) -> Self {
        let (database, schema) = match &endpoint.place {
            Place::Sqlite(_) => ("", None),
            Place::Postgres(place) | Place::MySql(place) | Place::SqlServer(place) => {
                (&*place.database, place.schema.clone())
            }
        };
        let home = schema.clone().unwrap_or_else(|| dialect.default_schema.unwrap_or(database).to_owned());
        let key = match endpoint.provider() {
            // Names that differ in letter case only may mean the same database, or the same schema of it.
            Provider::MySql => lock_key(&database.to_lowercase(), "", &settings.history_table),
            Provider::SqlServer => {
                let table = settings.history_table.to_lowercase();
                lock_key(&database.to_lowercase(), &home.to_lowercase(), &table)
            }
            _ => lock_key(database, &home, &settings.history_table),
        };
        let table = |name: &str| format!("{}.{}", (dialect.quote)(&home), (dialect.quote)(name));
        Self {
            dialect,
            history: table(&settings.history_table),
            lock: table(&format!("{}Lock", settings.history_table)),
            key,
            schema,
            home,
            clock: Arc::clone(&settings.clock),
            lock_timeout: settings.lock_timeout,
            // Less than we wait ourselves, so that the server's answer, which says more, comes first.
            wait: (settings.connect_timeout * 3 / 4).clamp(Duration::from_millis(1), Duration::from_secs(60)),
        }
    }

    pub(super) fn literal(&self, text: &str) -> String {
        (self.dialect.literal)(text)
    }

    /// A possibly qualified name, quoted. Without a schema it is the branch's own, or the search path's where it has none.
    pub(super) fn qualified(&self, schema: Option<&str>, name: &str) -> String {
        match schema.or(self.schema.as_deref()) {
            Some(schema) => format!("{}.{}", (self.dialect.quote)(schema), (self.dialect.quote)(name)),
            None => (self.dialect.quote)(name),
        }
    }

    /// The schema that a name without one means, or this one.
    pub(super) fn home<'s>(&'s self, schema: Option<&'s str>) -> &'s str {
        schema.unwrap_or(&self.home)
    }

    /// A template of the dialect with everything put in that depends on the branch alone.
    pub(super) fn fill(&self, template: &str) -> String {
        let key = self.key.cast_unsigned();
        let quote = self.dialect.quote;
        let schema = |text: &dyn Fn(&str) -> String| self.schema.as_deref().map_or_else(|| "NULL".into(), text);
        let value = |name: &str| {
            let made = match name {
                "history" => return Some(Cow::Borrowed(&*self.history)),
                "lock" => return Some(Cow::Borrowed(&*self.lock)),
                "history_text" => self.literal(&self.history),
                "lock_text" => self.literal(&self.lock),
                "key" => self.key.to_string(),
                "hex" => format!("{key:016x}"),
                "high" => (key >> 32).to_string(),
                "low" => (key & 0xffff_ffff).to_string(),
                "schema" => schema(&|name| self.literal(name)),
                "schema_quoted" => schema(&|name| self.literal(&quote(name))),
                "home" => quote(&self.home),
                "home_text" => self.literal(&self.home),
                "text" => (MAX_TEXT + 1).to_string(),
                "journal" => (MAX_JOURNAL + 1).to_string(),
                "wait" => self.wait.as_millis().to_string(),
                "rows" => (MAX_ROWS + 1).to_string(),
                _ => return None,
            };
            Some(Cow::Owned(made))
        };
        render_with(template, value)
    }

    /// Lets go of the server's lock, where there is one.
    pub(super) fn let_go(&self, pid: Option<i64>) -> String {
        match &self.dialect.lock {
            LockMeans::Row => String::new(),
            LockMeans::Session { unlock, .. } => {
                let pid = pid.unwrap_or_default().to_string();
                self.fill(&render(unlock, &[("pid", &pid)]))
            }
        }
    }

    pub(super) fn prepare(&self, limit: Duration) -> String {
        (self.dialect.prepare)(&SessionLimits {
            schema: self.schema.as_deref(),
            lock_timeout: self.lock_timeout,
            statement_timeout: limit,
        })
    }

    /// Makes sure that the lock is still ours, in a way that fails if it is not: the epoch becomes what its column does
    /// not take. That comes first, because some servers let later assignments see earlier ones. It also keeps the row for this transaction, moves the expiry, and marks the time.
    pub(super) fn touch(&self, fence: &Fence) -> String {
        self.touch_for(fence, None)
    }

    /// As [`Sql::touch`]; and where transactions have to say what they are for, this is that: a unit's mark, or nothing.
    pub(super) fn touch_for(&self, fence: &Fence, unit: Option<&Mark>) -> String {
        let unit = match (self.dialect.marks_units(), unit) {
            (false, _) => String::new(),
            (true, None) => ", unit = NULL".into(),
            (true, Some(mark)) => format!(", unit = {}", self.literal(&mark.to_stored())),
        };
        format!(
            "UPDATE {} SET fence = {}, renewed_at = {}, expires_at = {}{unit} WHERE id = 1",
            self.lock,
            self.kept(fence),
            self.now(),
            self.after(fence.lease)
        )
    }

    /// The unit's transaction is about to commit by itself, so its mark goes. Empty where there is none.
    pub(super) fn unmark(&self) -> String {
        match self.dialect.marks_units() {
            true => format!("UPDATE {} SET unit = NULL WHERE id = 1", self.lock),
            false => String::new(),
        }
    }

    /// Gives the lock's row back, under the same condition.
    pub(super) fn release(&self, fence: &Fence) -> String {
        format!(
            "UPDATE {} SET fence = {}, renewed_at = {}, expires_at = NULL, owner = NULL WHERE id = 1",
            self.lock,
            self.kept(fence),
            self.now()
        )
    }

    /// Whether the lock's row is still ours, as a question.
    pub(super) fn is_ours(&self, fence: &Fence) -> String {
        format!("SELECT COUNT(*) FROM {} WHERE {}", self.lock, self.ours(fence))
    }

    /// Takes the lock's row unless a newer token of the same head office has had it. The caller holds whatever keeps others
    /// out, and looks at the row afterwards.
    pub(super) fn claim(&self, claim: &Claim) -> [String; 2] {
        let lock = &self.lock;
        let first = format!(
            "INSERT INTO {lock} (id, fence, token) SELECT 1, 0, 0{} WHERE NOT EXISTS (SELECT 1 FROM {lock} WHERE id = 1)",
            self.dialect.dual
        );
        let head_office = self.literal(&claim.head_office);
        let take = format!(
            "UPDATE {lock} SET fence = fence + 1, owner = {}, head_office = {head_office}, token = {}, \
             acquired_at = {}, renewed_at = {}, expires_at = {} \
             WHERE id = 1 AND NOT (COALESCE(head_office, '') = {head_office} AND token > {})",
            self.literal(&claim.owner),
            claim.token,
            self.now(),
            self.now(),
            self.after(claim.lease),
            claim.token
        );
        [first, take]
    }

    /// Brings an expiry that lies too far ahead to be true down to one lease from now.
    pub(super) fn clamp(&self, lease: Duration) -> String {
        format!("UPDATE {} SET expires_at = {} WHERE id = 1", self.lock, self.after(lease))
    }

    pub(super) fn next_sequence(&self) -> String {
        // Wrapped up, because MySQL refuses to read the table that it updates.
        format!("(SELECT n FROM (SELECT COALESCE(MAX(sequence), 0) + 1 AS n FROM {}) AS numbered)", self.history)
    }

    /// The epoch if the lock is ours and was touched in this transaction, otherwise what the ledger does not take.
    pub(super) fn proof(&self, fence: &Fence) -> String {
        format!(
            "(SELECT CASE WHEN COUNT(*) = 1 THEN MAX(fence) ELSE {} END FROM {} WHERE {}{})",
            self.refusal("COUNT(*) * 0"),
            self.lock,
            self.ours(fence),
            self.fill(self.dialect.same_transaction)
        )
    }

    fn refusal(&self, zero: &str) -> String {
        render(self.dialect.refusal, &[("zero", zero)])
    }

    fn ours(&self, fence: &Fence) -> String {
        format!("id = 1 AND {}", self.same_holder(fence))
    }

    fn kept(&self, fence: &Fence) -> String {
        format!("CASE WHEN {} THEN fence ELSE {} END", self.same_holder(fence), self.refusal("fence * 0"))
    }

    fn same_holder(&self, fence: &Fence) -> String {
        let pid = fence.pid.unwrap_or_default().to_string();
        let session = self.fill(&render(self.dialect.same_session, &[("pid", &pid)]));
        format!("fence = {} AND owner = {}{session}", fence.epoch, self.literal(&fence.owner))
    }

    pub(super) fn now(&self) -> String {
        match self.dialect.clock {
            ClockSource::Server { now, .. } => now.into(),
            ClockSource::Client => self.literal(&time_text(self.clock.now())),
        }
    }

    fn after(&self, time: Duration) -> String {
        let us = i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 2);
        match self.dialect.clock {
            ClockSource::Server { after, .. } => render(after, &[("us", &us.to_string())]),
            ClockSource::Client => {
                let time = self.clock.now().checked_add_signed(chrono::TimeDelta::microseconds(us));
                self.literal(&time_text(time.unwrap_or(Time::MAX_UTC)))
            }
        }
    }

    pub(super) fn took(&self, measured: Option<Duration>) -> String {
        match (measured, &self.dialect.clock) {
            (None, ClockSource::Server { took, .. }) => self.fill(took),
            (measured, _) => measured.unwrap_or_default().as_micros().to_string(),
        }
    }
}

/// The number by which a server knows the lock of one ledger.
fn lock_key(database: &str, schema: &str, table: &str) -> i64 {
    let digest = Checksum::of_parts(["branchkeeper session lock", database, schema, table]);
    let number = digest.as_str().get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.unwrap_or_default().cast_signed()
}

/// A moment as SQLite's ledgers store it: UTC, microseconds, sorts as text.
pub(super) fn time_text(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ledger_has_a_lock_of_its_own() {
        let base = lock_key("db", "public", "t");
        assert_eq!(base, lock_key("db", "public", "t"));
        for (database, schema, table) in [("db2", "public", "t"), ("db", "b", "t"), ("db", "public", "t2")] {
            assert_ne!(base, lock_key(database, schema, table));
        }
    }
}

use std::time::Duration;

use crate::domain::Provider;

use super::endpoint::Endpoint;
use super::untransacted::Untransacted;
use super::{mysql, postgres, sqlite, sqlserver};

/// What differs between providers and can be said in SQL text. In the templates, `{history}` and `{lock}` stand for the
/// two tables, and other names in braces for what the builder in [`sql`](super::sql) puts in.
pub(super) struct Dialect {
    /// An identifier, quoted.
    pub(super) quote: fn(&str) -> String,
    /// A text value, quoted.
    pub(super) literal: fn(&str) -> String,
    /// The schema that stands before the ledger's name when the branch names none; `None` when it is the database.
    pub(super) default_schema: Option<&'static str>,
    /// What has to stand where a SELECT of values has a condition and no table.
    pub(super) dual: &'static str,
    /// A number that no statement gets past, whatever the session's settings; `{zero}` is a 0 that only the rows tell.
    pub(super) refusal: &'static str,
    /// Begins a transaction that is going to write.
    pub(super) begin: &'static str,
    /// Undoes the open transaction, if any.
    pub(super) roll_back: &'static str,
    /// Where the ledger's times come from.
    pub(super) clock: ClockSource,
    /// How sessions keep each other out.
    pub(super) lock: LockMeans,
    /// Whether statements that are not known for it may leave settings behind (through functions, say).
    pub(super) settings_survive_commit: bool,
    /// Undoes what an earlier migration has done to the session's settings.
    pub(super) reset: &'static [&'static str],
    /// Sets up the session for a migration; empty where nothing is to be set.
    pub(super) prepare: fn(&SessionLimits<'_>) -> String,
    /// Before the ledger is written, for migrations that changed the user; empty where there is no such thing.
    pub(super) own_user: &'static str,
    /// Whether each statement of a migration travels in a message of its own.
    pub(super) one_by_one: bool,
    /// For a transaction in which nothing runs but an entry of the journal, whose record proves that the lock is ours: keeps
    /// the lock's row without changing it, and does what `before_record` does besides. Empty where the row is touched instead.
    pub(super) keep: &'static [&'static str],
    /// Before the lock's row is touched.
    pub(super) before_touch: &'static [&'static str],
    /// After the lock's row was touched, where `before_record` has to know its transaction again.
    pub(super) mark: &'static [&'static str],
    /// Before the ledger is written: undoes what a migration may have done to the session, and fails when the transaction
    /// is not the one that was marked.
    pub(super) before_record: &'static [&'static str],
    /// A row if the lock's row bears the mark of a unit all the same after that was rolled back, because something had
    /// ended the unit's transaction. Empty where no statement can; elsewhere the lock's table has a column for the mark.
    pub(super) stands: &'static str,
    /// The code of the warning that a roll back has left something, as `SHOW WARNINGS` tells it. Empty where there is no
    /// such thing.
    pub(super) not_rolled_back: &'static str,
    /// Before a transaction that was only a trial is rolled back: brings out what would fail at the commit.
    pub(super) before_take_back: &'static [&'static str],
    /// Creates the two tables where they are missing; before and after it what that needs.
    pub(super) create_tables: &'static [&'static str],
    /// The ledger, in the order of [`ledger`](super::ledger)'s columns.
    pub(super) select_ledger: &'static str,
    /// The lock's row: fence, owner, head office, token, expiry.
    pub(super) select_lock: &'static str,
    /// Further condition on the lock's row: this is the session that took the lock.
    pub(super) same_session: &'static str,
    /// Further condition on the lock's row: it was touched earlier in this very transaction.
    pub(super) same_transaction: &'static str,
    /// How to create a database; `None` where that is no statement.
    pub(super) creation: Option<Creation>,
    /// Whether the branch's schema `{schema}` exists, whether a name without a schema means something in it, and what it
    /// means instead. `{schema_quoted}` is the schema's quoted name as a text value.
    pub(super) find_schema: &'static str,
    /// All user tables: schema, name, whether the name alone means it, whether letter case tells names apart.
    pub(super) select_tables: &'static str,
    /// The server's version.
    pub(super) select_version: &'static str,
    /// How to find the statements that a transaction can't hold although their text does not show it; `None` where there
    /// are none.
    pub(super) untransacted: Option<Untransacted>,
    /// How to see what became of a statement.
    pub(super) probes: Probes,
}

/// How to create a database.
pub(super) struct Creation {
    /// The databases to connect to for that, in the order in which they are tried; empty for a connection to none.
    pub(super) maintenance: &'static [&'static str],
    /// What stands behind the database's name.
    pub(super) options: &'static str,
    /// The code at which the server is to be asked again: somebody uses what it copies. Empty where there is none.
    pub(super) busy: &'static str,
    /// The codes for a privilege that the user lacks.
    pub(super) denied: &'static [&'static str],
}

/// How to see what became of a statement that ran outside any transaction. `None` where there is no such thing.
pub(super) struct Probes {
    /// The part of a text that the server shows to other sessions while it runs it.
    pub(super) shown: fn(&str) -> &str,
    /// Whether a statement of this text that failed with this code may have taken effect in part.
    pub(super) half_done: fn(&str, &str) -> bool,
    /// Which of these take effect as a whole or not at all on some servers, and the question to which those give a row.
    pub(super) whole: Option<Whole>,
    /// A row if another session is running the text `{sql}`, a text value.
    pub(super) running: Option<&'static str>,
    /// A row for an index: whether it is whole, and its schema. `{index_text}` is its name, `{table_text}` its table's
    /// quoted name, and `{schema_text}` and `{table}` the two parts of that, all as text values.
    pub(super) index: &'static str,
    /// A row if an index of the name `{index_text}`, quoted and qualified `{index_name}`, exists; both as text values.
    pub(super) any_index: &'static str,
    /// A row if the database of the name `{database}`, a text value, exists.
    pub(super) database: Option<&'static str>,
    /// For tables and what belongs to them, where statements about these commit by themselves.
    pub(super) objects: Option<Objects>,
    /// Drops the index `{index}` outside any transaction.
    pub(super) drop_index: &'static str,
}

/// Whether a statement of a text is meant, and a question.
pub(super) type Whole = (fn(&str) -> bool, &'static str);

/// A row each if the thing exists: in the schema `{schema_text}`, of or in the table `{table}`, with the name `{name}`, all
/// three text values.
pub(super) struct Objects {
    pub(super) table: &'static str,
    pub(super) view: &'static str,
    pub(super) column: &'static str,
    pub(super) constraint: &'static str,
    pub(super) index: &'static str,
}

/// What a session is set up with.
pub(super) struct SessionLimits<'a> {
    pub(super) schema: Option<&'a str>,
    pub(super) lock_timeout: Option<Duration>,
    pub(super) statement_timeout: Duration,
}

/// Where the ledger's times come from.
pub(super) enum ClockSource {
    /// A migration and its ledger row travel in one message, so only the server knows when it ended.
    Server {
        /// The current moment.
        now: &'static str,
        /// The moment `{us}` microseconds from now.
        after: &'static str,
        /// Microseconds since the lock's row was touched.
        took: &'static str,
    },
    /// The ledger row is written when the statements have come back.
    Client,
}

/// How sessions keep each other out.
pub(super) enum LockMeans {
    /// The lock's row says who holds it and until when.
    Row,
    /// The server's own lock, which ends with the session. `{key}` is its number, `{high}` and `{low}` its halves,
    /// `{hex}` all of it in hexadecimal digits.
    Session {
        /// The session's process, and whether the lock was free. Never waits.
        try_lock: &'static str,
        /// The session's process, and whether it holds the lock.
        held: &'static str,
        /// The session's process, and lets go of the lock if that is `{pid}`.
        unlock: &'static str,
        /// Who holds it.
        holder: &'static str,
        /// Before the lock's row is given back outside any transaction.
        before_release: &'static str,
        /// What to do when the lock is gone as soon as it was taken.
        pooler: &'static str,
    },
}

impl Endpoint {
    /// The dialect of the provider.
    pub(super) fn dialect(&self) -> &'static Dialect {
        match self.provider() {
            Provider::Sqlite => &sqlite::DIALECT,
            Provider::Postgres => &postgres::DIALECT,
            Provider::MySql => &mysql::DIALECT,
            Provider::SqlServer => &sqlserver::DIALECT,
        }
    }
}

impl Dialect {
    /// Whether waiting for another program's lock is our task.
    pub(super) fn waits_itself(&self) -> bool {
        matches!(self.lock, LockMeans::Row)
    }

    /// Whether a transaction says in the lock's row what it is for, because a statement can end it.
    pub(super) fn marks_units(&self) -> bool {
        !self.stands.is_empty()
    }

    /// Whether the ledger row has to wait until the statements have come back.
    pub(super) fn records_afterwards(&self) -> bool {
        matches!(self.clock, ClockSource::Client)
    }
}

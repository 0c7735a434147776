use std::fmt::Write;
use std::time::Duration;

use super::failure::POOLER;
use crate::provider::dialect::{ClockSource, Creation, Dialect, LockMeans, Probes, SessionLimits};

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Means the same whether `standard_conforming_strings` is on or off.
fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// The server stops a statement by itself if we should not be there to do it.
const BELT: Duration = Duration::from_secs(15);

/// Keepalives make a connection outlast the firewalls that drop silent ones, and the check makes the server notice that
/// we are gone while a statement still runs. Servers before 14 and on other systems lack the check.
fn prepare(limits: &SessionLimits<'_>) -> String {
    let belt = limits.statement_timeout.saturating_add(BELT).as_millis().min(i32::MAX as u128);
    let mut text = format!("SELECT set_config('statement_timeout', '{belt}', false)");
    for (name, value) in [("idle", 60), ("interval", 10), ("count", 6)] {
        let _ = write!(text, ", set_config('tcp_keepalives_{name}', '{value}', false)");
    }
    text.push_str(
        ", CASE WHEN current_setting('client_connection_check_interval', true) IS NOT NULL AND version() LIKE '%linux%'
  THEN set_config('client_connection_check_interval', '5s', false) END",
    );
    if let Some(timeout) = limits.lock_timeout {
        let _ =
            write!(text, ", set_config('lock_timeout', '{}', false)", timeout.as_millis().clamp(1, i32::MAX as u128));
    }
    if let Some(schema) = limits.schema {
        let _ = write!(text, ", set_config('search_path', {}, false)", literal(&quote(schema)));
    }
    text
}

pub(in crate::provider) static DIALECT: Dialect = Dialect {
    quote,
    literal,
    default_schema: Some("public"),
    dual: "",
    refusal: "NULL",
    begin: "BEGIN",
    roll_back: "ROLLBACK",
    clock: ClockSource::Server {
        now: "clock_timestamp()",
        after: "clock_timestamp() + {us} * interval '1 microsecond'",
        took: "(SELECT (EXTRACT(EPOCH FROM clock_timestamp() - renewed_at) * 1000000)::bigint FROM {lock} WHERE id = 1)",
    },
    lock: LockMeans::Session {
        // The third is the session's birthmark.
        try_lock: "SELECT pg_backend_pid(), pg_try_advisory_lock({key}), current_setting('branchkeeper.session', true)",
        held: "SELECT pg_backend_pid(), EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory'
  AND pid = pg_backend_pid() AND classid = '{high}' AND objid = '{low}' AND objsubid = 1 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
        unlock: "SELECT pg_backend_pid(), CASE WHEN pg_backend_pid() = {pid} THEN pg_advisory_unlock({key}) END",
        holder: "SELECT a.pid, a.application_name, host(a.client_addr) FROM pg_locks AS l
JOIN pg_stat_activity AS a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.classid = '{high}' AND l.objid = '{low}'
  AND l.objsubid = 1 AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        before_release: "SET LOCAL synchronous_commit = off",
        pooler: POOLER,
    },
    settings_survive_commit: true,
    reset: &["RESET ALL"],
    prepare,
    own_user: "RESET ROLE",
    one_by_one: false,
    keep: &[],
    before_touch: &[],
    mark: &[],
    before_record: &["RESET ROLE"],
    stands: "",
    not_rolled_back: "",
    before_take_back: &["SET CONSTRAINTS ALL IMMEDIATE"],
    create_tables: &[
        "SET LOCAL client_min_messages = warning",
        "SET LOCAL lock_timeout = {wait}",
        // Everything that is committed under this lock comes later in the log, so this needs no flush of its own.
        "SET LOCAL synchronous_commit = off",
        "CREATE TABLE IF NOT EXISTS {history} (
  migration_id text NOT NULL PRIMARY KEY,
  checksum text NOT NULL,
  format integer NOT NULL,
  state text NOT NULL CHECK (state IN ('applied', 'partial')),
  statements_done text NOT NULL,
  statements_total integer NOT NULL,
  intent text,
  applied_at timestamptz NOT NULL,
  duration_us bigint NOT NULL,
  product_version text NOT NULL,
  run_id text NOT NULL,
  sequence bigint NOT NULL,
  fence bigint NOT NULL
)",
        "CREATE TABLE IF NOT EXISTS {lock} (
  id integer NOT NULL PRIMARY KEY CHECK (id = 1),
  fence bigint NOT NULL,
  owner text,
  head_office text,
  token bigint NOT NULL,
  acquired_at timestamptz,
  renewed_at timestamptz,
  expires_at timestamptz
)",
    ],
    // The ledger may be locked by somebody; a statement of the same message bounds the wait for it.
    select_ledger: "SET LOCAL lock_timeout = {wait};
SELECT substr(h.migration_id, 1, {text}), substr(h.checksum, 1, {text}), h.format, substr(h.state, 1, {text}),
  substr(h.statements_done, 1, {journal}), h.statements_total, substr(h.intent, 1, {text}),
  to_char(h.applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), h.duration_us,
  substr(h.product_version, 1, {text}), substr(h.run_id, 1, {text}), h.fence
FROM {history} AS h ORDER BY h.sequence, h.migration_id LIMIT {rows}",
    select_lock: "SELECT l.fence, l.owner, l.head_office, l.token,
  to_char(l.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM {lock} AS l WHERE l.id = 1",
    same_session: " AND pg_backend_pid() = {pid}",
    // The row's version was written by this transaction, so no statement in between has ended it.
    same_transaction: " AND xmin::text::bigint = txid_current() % 4294967296",
    creation: Some(Creation {
        maintenance: &["postgres", "template1"],
        options: "",
        // Somebody is connected to the template.
        busy: "55006",
        denied: &["42501"],
    }),
    find_schema: "SELECT to_regnamespace({schema_quoted}) IS NOT NULL, true",
    select_tables: "SELECT n.nspname, c.relname,
  CASE WHEN {schema} IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = {schema} END, true
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND left(n.nspname, 3) <> 'pg_' AND n.nspname <> 'information_schema'",
    select_version: "SELECT current_setting('server_version')",
    untransacted: None,
    probes: Probes {
        shown: |text| text,
        half_done: |_, _| false,
        whole: None,
        // The server cuts the texts that it shows.
        running: Some(
            "SELECT 1 FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()
  AND state = 'active' AND (query = {sql} OR starts_with({sql}, query)
    AND octet_length(query) > pg_size_bytes(current_setting('track_activity_query_size')) - 5)",
        ),
        index: "SELECT i.indisvalid AND i.indisready, n.nspname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE i.indrelid = to_regclass({table_text}) AND c.relname = {index_text}",
        any_index: "SELECT 1 WHERE to_regclass({index_name}) IS NOT NULL",
        database: Some("SELECT 1 FROM pg_database WHERE datname = {database}"),
        objects: None,
        drop_index: "DROP INDEX CONCURRENTLY {index}",
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_keeps_text_text() {
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("a'b"), "'a''b'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
    }

    #[test]
    fn limits_are_in_milliseconds() {
        let limits = SessionLimits {
            schema: Some("a\"b"),
            lock_timeout: Some(Duration::from_micros(3)),
            statement_timeout: Duration::MAX,
        };
        let text = prepare(&limits);
        assert!(text.contains("'statement_timeout', '2147483647'"), "{text}");
        assert!(text.contains("'lock_timeout', '1'"), "{text}");
        assert!(text.contains("'search_path', '\"a\"\"b\"'"), "{text}");
    }
}

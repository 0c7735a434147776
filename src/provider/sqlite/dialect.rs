use crate::provider::dialect::{ClockSource, Dialect, LockMeans, Probes};

pub(in crate::provider) static DIALECT: Dialect = Dialect {
    quote: |name| format!("\"{}\"", name.replace('"', "\"\"")),
    literal: |text| format!("'{}'", text.replace('\'', "''")),
    default_schema: Some("main"),
    dual: "",
    refusal: "NULL",
    begin: "BEGIN IMMEDIATE",
    roll_back: "ROLLBACK",
    clock: ClockSource::Client,
    lock: LockMeans::Row,
    settings_survive_commit: false,
    reset: &[
        "PRAGMA foreign_keys = OFF",
        "PRAGMA legacy_alter_table = OFF",
        "PRAGMA ignore_check_constraints = OFF",
        "PRAGMA recursive_triggers = OFF",
        "PRAGMA writable_schema = OFF",
    ],
    prepare: |_| String::new(),
    own_user: "",
    one_by_one: false,
    keep: &[],
    before_touch: &[],
    mark: &[],
    before_record: &[],
    stands: "",
    not_rolled_back: "",
    before_take_back: &[],
    create_tables: &[
        "CREATE TABLE IF NOT EXISTS {history} (
  migration_id TEXT NOT NULL PRIMARY KEY,
  checksum TEXT NOT NULL,
  format INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('applied', 'partial')),
  statements_done TEXT NOT NULL,
  statements_total INTEGER NOT NULL,
  intent TEXT,
  applied_at TEXT NOT NULL,
  duration_us INTEGER NOT NULL,
  product_version TEXT NOT NULL,
  run_id TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  fence INTEGER NOT NULL
)",
        "CREATE TABLE IF NOT EXISTS {lock} (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  fence INTEGER NOT NULL,
  owner TEXT,
  head_office TEXT,
  token INTEGER NOT NULL,
  acquired_at TEXT,
  renewed_at TEXT,
  expires_at TEXT
)",
    ],
    select_ledger: "SELECT substr(CAST(h.migration_id AS TEXT), 1, {text}), substr(CAST(h.checksum AS TEXT), 1, {text}),
  CAST(h.format AS TEXT), substr(CAST(h.state AS TEXT), 1, {text}), substr(CAST(h.statements_done AS TEXT), 1, {journal}),
  CAST(h.statements_total AS TEXT), substr(CAST(h.intent AS TEXT), 1, {text}), substr(CAST(h.applied_at AS TEXT), 1, {text}),
  CAST(h.duration_us AS TEXT), substr(CAST(h.product_version AS TEXT), 1, {text}), substr(CAST(h.run_id AS TEXT), 1, {text}),
  CAST(h.fence AS TEXT)
FROM {history} AS h ORDER BY h.sequence, h.migration_id LIMIT {rows}",
    select_lock: "SELECT CAST(l.fence AS TEXT), CAST(l.owner AS TEXT), CAST(l.head_office AS TEXT),
  CAST(l.token AS TEXT), CAST(l.expires_at AS TEXT) FROM {lock} AS l WHERE l.id = 1",
    same_session: "",
    same_transaction: "",
    creation: None,
    find_schema: "",
    select_tables: "SELECT 'main', name, '1', '0' FROM main.sqlite_schema
WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    select_version: "SELECT sqlite_version() FROM (SELECT count(*) FROM main.sqlite_schema)",
    untransacted: None,
    probes: Probes {
        shown: |text| text,
        half_done: |_, _| false,
        whole: None,
        running: None,
        index: "SELECT '1', 'main' FROM main.sqlite_schema WHERE type = 'index' AND name = {index_text} COLLATE NOCASE",
        any_index: "SELECT '1' FROM main.sqlite_schema WHERE type = 'index' AND name = {index_text} COLLATE NOCASE",
        database: None,
        objects: None,
        drop_index: "DROP INDEX {index}",
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_keeps_text_text() {
        assert_eq!((DIALECT.quote)("a\"b"), "\"a\"\"b\"");
        assert_eq!((DIALECT.literal)("a'b\\"), "'a''b\\'");
    }
}

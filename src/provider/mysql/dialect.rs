use std::fmt::Write;
use std::time::Duration;

use crate::provider::dialect::{ClockSource, Creation, Dialect, LockMeans, Objects, Probes, SessionLimits};
use crate::provider::untransacted::Untransacted;

pub(super) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Means the same whether backslashes escape or not.
fn literal(text: &str) -> String {
    if !text.contains('\\') {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut hex = String::from("_utf8mb4 0x");
    for byte in text.bytes() {
        let _ = write!(hex, "{byte:02X}");
    }
    hex
}

/// What of a text is sent: the server cuts blanks and semicolons off its end anyway.
pub(super) fn sent(text: &str) -> &str {
    text.trim_end_matches(|ch: char| ch == ';' || ch.is_ascii_whitespace())
}

/// What the server shows of a text.
fn shown(text: &str) -> &str {
    sent(text).trim_start_matches(|ch: char| ch.is_ascii_whitespace())
}

/// Whether a statement that failed may have done something all the same: what a procedure did before it failed stays, and
/// MariaDB drops the tables, and makes or changes the accounts, that come before the one that it fails at. A syntax error
/// is found before anything is done, unless it is one of a text that a procedure has put together.
fn half_done(text: &str, code: &str) -> bool {
    let mut words = words(text);
    let mut next = || words.next().unwrap_or_default();
    let (first, second) = (next(), next());
    match &*first {
        "CALL" | "EXECUTE" | "BEGIN" | "IF" | "CASE" | "LOOP" | "WHILE" | "REPEAT" | "FOR" => true,
        // Around another statement.
        "SET" if second == "STATEMENT" => code != "1064",
        _ if code == "1064" => false,
        "CREATE" | "ALTER" | "RENAME" if is_account(text) => text.contains(','),
        // Privileges are a list, too; the accounts come last.
        "REVOKE" | "GRANT" => {
            let folded = text.to_ascii_uppercase();
            let blank = |ch: char| if ch.is_ascii_whitespace() { ' ' } else { ch };
            let folded: String = folded.chars().map(blank).collect();
            let accounts = folded.rfind(" FROM ").max(folded.rfind(" TO "));
            accounts.and_then(|at| folded.get(at..)).is_some_and(|accounts| accounts.contains(','))
        }
        "DROP" => text.contains(','),
        _ => false,
    }
}

/// Whether a statement makes, changes or drops accounts, or says what they may do.
fn is_account(text: &str) -> bool {
    let words: Vec<String> = words(text).take(4).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["GRANT" | "REVOKE", ..] => true,
        ["CREATE", "OR", "REPLACE", kind] | ["CREATE" | "ALTER" | "DROP" | "RENAME", kind, ..] => {
            ["USER", "ROLE"].contains(&kind)
        }
        _ => false,
    }
}

/// A statement's words, in upper case; those of a conditional comment if it begins with one.
fn words(text: &str) -> impl Iterator<Item = String> {
    let begin = text
        .strip_prefix("/*")
        .map_or(text, |rest| rest.trim_start_matches(['!', 'M']).trim_start_matches(|ch: char| ch.is_ascii_digit()));
    let words = begin.split(|ch: char| !ch.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_uppercase)
}

/// A time limit as the server takes it: in whole seconds, at least one.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)).clamp(1, 31_536_000)
}

/// MariaDB stops a statement by itself if we should not be there to do it; MySQL can't.
const BELT: Duration = Duration::from_secs(15);

fn prepare(limits: &SessionLimits<'_>) -> String {
    let belt = whole_seconds(limits.statement_timeout.saturating_add(BELT));
    let lock = limits.lock_timeout.map(|timeout| whole_seconds(timeout).to_string());
    let wait = |name: &str| lock.clone().unwrap_or_else(|| format!("@@GLOBAL.{name}"));
    format!(
        "SET @@SESSION.innodb_lock_wait_timeout = {}, @@SESSION.lock_wait_timeout = {}, @@SESSION.wait_timeout = 600
  /*M!100100 , @@SESSION.max_statement_time = {belt} */",
        wait("innodb_lock_wait_timeout"),
        wait("lock_wait_timeout")
    )
}

/// The server's list of sessions: MySQL's own can't be read while any session runs a text with an emoji in it.
macro_rules! sessions {
    () => {
        "/*!80022 performance_schema.processlist */ /*M!100000 information_schema.PROCESSLIST */"
    };
}
pub(super) use sessions;

macro_rules! shown_bytes {
    () => {
        "/*!80022 CAST(p.INFO AS BINARY) */ /*M!100000 p.INFO_BINARY */"
    };
}

macro_rules! same_object {
    ($column:literal, $value:literal) => {
        concat!(
            "CASE WHEN @@lower_case_table_names = 0 THEN CONVERT(",
            $column,
            " USING utf8mb4) COLLATE utf8mb4_bin = ",
            $value,
            " ELSE LOWER(",
            $column,
            ") = LOWER(",
            $value,
            ") END"
        )
    };
}

macro_rules! look_up {
    ($what:literal, $table:literal, $condition:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM information_schema.",
            $table,
            " WHERE TABLE_SCHEMA = {schema_text} AND ",
            same_object!("TABLE_NAME", "{table}"),
            $condition
        )
    };
}

macro_rules! utf8 {
    ($text:literal) => {
        concat!("CAST(CONVERT(", $text, " USING utf8mb4) AS BINARY)")
    };
}

macro_rules! holds {
    () => {
        "@branchkeeper_holds = COALESCE(IS_USED_LOCK('branchkeeper {key}') = CONNECTION_ID(), 0)"
    };
}

// A variable, because replicas that run the statements themselves know its value, but not who holds a lock.
const HOLDS: &str = concat!("SET ", holds!());

pub(in crate::provider) static DIALECT: Dialect = Dialect {
    quote,
    literal,
    default_schema: None,
    dual: " FROM DUAL",
    // NULL would become 0 where the session is not strict; a number out of range is an error in every mode.
    refusal: "{zero} + 9223372036854775807 + 1",
    begin: "START TRANSACTION",
    roll_back: "ROLLBACK",
    clock: ClockSource::Server {
        now: "UTC_TIMESTAMP(6)",
        after: "UTC_TIMESTAMP(6) + INTERVAL {us} MICROSECOND",
        took: "(SELECT TIMESTAMPDIFF(MICROSECOND, renewed_at, UTC_TIMESTAMP(6)) FROM {lock} WHERE id = 1)",
    },
    lock: LockMeans::Session {
        try_lock: "SELECT CONNECTION_ID(), GET_LOCK('branchkeeper {key}', 0)",
        held: "SELECT CONNECTION_ID(), COALESCE(IS_USED_LOCK('branchkeeper {key}') = CONNECTION_ID(), 0)",
        unlock: "SELECT CONNECTION_ID(), CASE WHEN CONNECTION_ID() = {pid} THEN RELEASE_LOCK('branchkeeper {key}') END",
        holder: concat!(
            "SELECT p.ID, p.USER, p.HOST FROM ",
            sessions!(),
            " AS p WHERE p.ID = IS_USED_LOCK('branchkeeper {key}')"
        ),
        before_release: HOLDS,
        pooler: "connect to the server itself: a lock that lasts for a session needs a connection that a proxy does not \
                 share",
    },
    settings_survive_commit: true,
    reset: &[
        "SET NAMES utf8mb4, @@SESSION.sql_mode = @@GLOBAL.sql_mode, @@SESSION.autocommit = 1,
  @@SESSION.foreign_key_checks = @@GLOBAL.foreign_key_checks, @@SESSION.unique_checks = @@GLOBAL.unique_checks,
  @@SESSION.sql_safe_updates = @@GLOBAL.sql_safe_updates, @@SESSION.sql_select_limit = @@GLOBAL.sql_select_limit,
  @@SESSION.time_zone = @@GLOBAL.time_zone, @@SESSION.sql_notes = @@GLOBAL.sql_notes,
  @@SESSION.sql_auto_is_null = @@GLOBAL.sql_auto_is_null, @@SESSION.timestamp = DEFAULT,
  @@SESSION.group_concat_max_len = @@GLOBAL.group_concat_max_len,
  @@SESSION.default_storage_engine = @@GLOBAL.default_storage_engine
  /*!50720 , @@SESSION.transaction_isolation = @@GLOBAL.transaction_isolation,
    @@SESSION.transaction_read_only = @@GLOBAL.transaction_read_only */
  /*M!100100 , @@SESSION.tx_isolation = @@GLOBAL.tx_isolation, @@SESSION.tx_read_only = @@GLOBAL.tx_read_only */",
        "USE {home}",
    ],
    prepare,
    own_user: "",
    // A statement of a message can't be told from the results of a procedure before it.
    one_by_one: true,
    // To open a table for changes, MariaDB waits for those who are creating tables in other databases.
    keep: &[
        concat!("SET @@SESSION.timestamp = DEFAULT, ", holds!()),
        "SELECT l.fence FROM {lock} AS l WHERE l.id = 1 FOR UPDATE",
    ],
    before_touch: &[HOLDS],
    // Whatever ends the transaction, such as a procedure that alters a table, takes the savepoint with it.
    mark: &["SAVEPOINT branchkeeper_unit"],
    before_record: &["RELEASE SAVEPOINT branchkeeper_unit", "SET @@SESSION.timestamp = DEFAULT", HOLDS],
    stands: "SELECT 1 FROM {lock} WHERE id = 1 AND unit IS NOT NULL",
    not_rolled_back: "1196",
    before_take_back: &[],
    create_tables: &[
        "CREATE TABLE IF NOT EXISTS {history} (
  migration_id varchar(400) NOT NULL PRIMARY KEY,
  checksum varchar(400) NOT NULL,
  format integer NOT NULL,
  state varchar(20) NOT NULL CHECK (state IN ('applied', 'partial')),
  statements_done longtext NOT NULL,
  statements_total integer NOT NULL,
  intent varchar(400),
  applied_at datetime(6) NOT NULL,
  duration_us bigint NOT NULL,
  product_version varchar(400) NOT NULL,
  run_id varchar(400) NOT NULL,
  sequence bigint NOT NULL,
  fence bigint NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        "CREATE TABLE IF NOT EXISTS {lock} (
  id integer NOT NULL PRIMARY KEY CHECK (id = 1),
  fence bigint NOT NULL,
  owner varchar(400),
  head_office varchar(400),
  token bigint NOT NULL,
  acquired_at datetime(6),
  renewed_at datetime(6),
  expires_at datetime(6),
  unit varchar(400)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        // Creating a table has ended the transaction.
        "START TRANSACTION",
    ],
    // As bytes: nothing is said yet of the characters in which the session wants its answers.
    select_ledger: concat!(
        "SELECT ",
        utf8!("LEFT(h.migration_id, {text})"),
        ", ",
        utf8!("LEFT(h.checksum, {text})"),
        ", h.format, ",
        utf8!("LEFT(h.state, {text})"),
        ", ",
        utf8!("LEFT(h.statements_done, {journal})"),
        ", h.statements_total, ",
        utf8!("LEFT(h.intent, {text})"),
        ", ",
        utf8!("DATE_FORMAT(h.applied_at, '%Y-%m-%dT%H:%i:%s.%fZ')"),
        ", h.duration_us, ",
        utf8!("LEFT(h.product_version, {text})"),
        ", ",
        utf8!("LEFT(h.run_id, {text})"),
        ", h.fence FROM {history} AS h ORDER BY h.sequence, h.migration_id LIMIT {rows}"
    ),
    select_lock: "SELECT l.fence, l.owner, l.head_office, l.token, DATE_FORMAT(l.expires_at, '%Y-%m-%dT%H:%i:%s.%fZ'),
  l.unit
FROM {lock} AS l WHERE l.id = 1",
    same_session: " AND CONNECTION_ID() = {pid} AND @branchkeeper_holds = 1",
    same_transaction: "",
    creation: Some(Creation {
        maintenance: &[""],
        options: " CHARACTER SET utf8mb4",
        busy: "",
        denied: &["1044", "1227"],
    }),
    find_schema: "",
    select_tables: "SELECT TABLE_SCHEMA, TABLE_NAME, 1, 0 FROM information_schema.TABLES
WHERE TABLE_SCHEMA = {home_text} AND TABLE_TYPE NOT LIKE '%VIEW'",
    select_version: "SELECT IF(VERSION() LIKE '%MariaDB%', CONCAT('MariaDB ', SUBSTRING_INDEX(VERSION(), '-', 1)),
  CONCAT('MySQL ', VERSION()))",
    untransacted: Some(Untransacted::ByTables {
        tables: "SELECT TABLE_NAME FROM information_schema.TABLES
WHERE TABLE_SCHEMA IN (DATABASE(){schemas}) AND TABLE_TYPE NOT LIKE '%VIEW'
  AND ENGINE IN (SELECT ENGINE FROM information_schema.ENGINES WHERE TRANSACTIONS = 'NO') LIMIT 100000",
        code: "SELECT TABLE_NAME, VIEW_DEFINITION, 0 FROM information_schema.VIEWS WHERE TABLE_SCHEMA IN (DATABASE(){schemas})
UNION ALL SELECT EVENT_OBJECT_TABLE, ACTION_STATEMENT, 0 FROM information_schema.TRIGGERS
WHERE TRIGGER_SCHEMA IN (DATABASE(){schemas})
UNION ALL SELECT ROUTINE_NAME, ROUTINE_DEFINITION, 1 FROM information_schema.ROUTINES
WHERE ROUTINE_SCHEMA IN (DATABASE(){schemas})",
        untouched: &["1054", "1064", "1136", "1142", "1143", "1146"],
    }),
    probes: Probes {
        shown,
        half_done,
        // MySQL makes and changes all accounts of a statement or none, since 8.0. MariaDB skips the comment.
        whole: Some((is_account, "SELECT 1 FROM DUAL WHERE 1 = 0 /*!80000 OR 1 = 1 */")),
        // As bytes: other columns lose what is beyond Unicode's first plane. MySQL cuts them after 1,024.
        running: Some(concat!(
            "SELECT 1 FROM ",
            sessions!(),
            " AS p WHERE p.ID <> CONNECTION_ID() AND p.DB = DATABASE() AND (",
            shown_bytes!(),
            " = CAST({sql} AS BINARY) OR LENGTH(",
            shown_bytes!(),
            ") > 1000 AND ",
            shown_bytes!(),
            " = LEFT(CAST({sql} AS BINARY), LENGTH(",
            shown_bytes!(),
            ")))"
        )),
        index: look_up!("1, INDEX_SCHEMA", "STATISTICS", " AND LOWER(INDEX_NAME) = LOWER({index_text}) LIMIT 1"),
        any_index: "SELECT 1 FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = DATABASE() AND LOWER(INDEX_NAME) = LOWER({index_text}) LIMIT 1",
        database: Some(concat!(
            "SELECT 1 FROM information_schema.SCHEMATA WHERE ",
            same_object!("SCHEMA_NAME", "{database}")
        )),
        objects: Some(Objects {
            table: look_up!("1", "TABLES", " AND TABLE_TYPE NOT LIKE '%VIEW'"),
            view: look_up!("1", "TABLES", " AND TABLE_TYPE LIKE '%VIEW'"),
            column: look_up!("1", "COLUMNS", " AND LOWER(COLUMN_NAME) = LOWER({name})"),
            constraint: look_up!("1", "TABLE_CONSTRAINTS", " AND LOWER(CONSTRAINT_NAME) = LOWER({name})"),
            index: look_up!("1", "STATISTICS", " AND LOWER(INDEX_NAME) = LOWER({name}) LIMIT 1"),
        }),
        drop_index: "",
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_keeps_text_text() {
        assert_eq!(quote("a`b"), "`a``b`");
        assert_eq!(literal("a'b"), "'a''b'");
        assert_eq!(literal("\\'"), "_utf8mb4 0x5C27");
    }

    #[test]
    fn what_failed_half_way_is_known() {
        for text in [
            "DROP TABLE a, b",
            "CREATE USER a, b",
            "CREATE OR REPLACE ROLE a, b",
            "REVOKE ALL ON t FROM a, b",
            "GRANT SELECT\nON t\nTO a, b",
            "/*!50003 CREATE USER a, b */",
            "SET STATEMENT max_statement_time = 1 FOR CALL p()",
        ] {
            assert!(half_done(text, "1396") && !half_done(text, "1064"), "{text}");
        }
        for text in ["call p(1)", "/*!50003 CALL p() */", "/*M!100100 BEGIN NOT ATOMIC CALL p(); END */"] {
            assert!(
                half_done(text, "1146") && half_done(text, "1064"),
                "a procedure may execute what is no SQL: {text}"
            );
        }
        for text in ["CREATE USER a", "REVOKE INSERT, UPDATE ON t FROM a", "DROP TABLE a", "ALTER TABLE a"] {
            assert!(!half_done(text, "1396"), "{text}");
        }
    }

    #[test]
    fn accounts_are_told_from_other_things() {
        for text in
            ["create user a", "ALTER USER a", "DROP ROLE a", "RENAME USER a TO b", "GRANT a TO b", "REVOKE a FROM b"]
        {
            assert!(is_account(text), "{text}");
        }
        for text in ["CREATE TABLE user (a INT)", "DROP TABLE a, b", "CALL p()", "ALTER TABLE role ADD a INT"] {
            assert!(!is_account(text), "{text}");
        }
    }

    #[test]
    fn limits_are_in_whole_seconds() {
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_millis(1001)), 2);
        assert_eq!(whole_seconds(Duration::MAX), 31_536_000);
        let limits = SessionLimits { schema: None, lock_timeout: None, statement_timeout: Duration::MAX };
        assert!(prepare(&limits).contains("@@GLOBAL.lock_wait_timeout"));
    }
}

use std::time::Duration;

use super::deeds::deeds;
use crate::provider::dialect::{ClockSource, Creation, Dialect, LockMeans, Objects, Probes, SessionLimits};
use crate::provider::message::END;
use crate::provider::untransacted::Untransacted;

fn quote(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// A backslash at the end of a line would swallow the line's end.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if !quoted.contains("\\\n") && !quoted.contains("\\\r") {
        return format!("N'{quoted}'");
    }
    format!("(N'{}')", quoted.replace("\\\n", "\\' + N'\n").replace("\\\r", "\\' + N'\r"))
}

/// What of a text is sent, and so what the server shows of it.
fn shown(text: &str) -> &str {
    text.strip_suffix(END).unwrap_or(text)
}

/// The words that begin a statement which leaves something behind.
const BEGINNINGS: [&str; 19] = [
    "ALTER",
    "BACKUP",
    "CREATE",
    "DECLARE",
    "DELETE",
    "DENY",
    "DROP",
    "EXEC",
    "EXECUTE",
    "GRANT",
    "INSERT",
    "KILL",
    "MERGE",
    "RECONFIGURE",
    "RESTORE",
    "REVOKE",
    "SELECT",
    "TRUNCATE",
    "UPDATE",
];

/// Whether a batch that failed outside any transaction may have done something all the same: it has another statement
/// before the one that failed, or is one that stops half-way. What can't be parsed has done nothing.
fn half_done(text: &str, code: &str) -> bool {
    if matches!(code, "102" | "105" | "156" | "170" | "319") {
        return false;
    }
    let words = text.split(|ch: char| !ch.is_alphanumeric() && ch != '_' && ch != '@').filter(|word| !word.is_empty());
    let mut words = words.map(str::to_ascii_uppercase).peekable();
    let (first, second) = (words.next().unwrap_or_default(), words.peek().cloned().unwrap_or_default());
    // The parts of one ALTER are called like statements, and so is what IF, WHILE and the like are made of.
    let part = |word: &str| first == "ALTER" && matches!(word, "ALTER" | "DROP");
    let more = words.any(|word| BEGINNINGS.contains(&&*word) && !part(&word));
    match &*first {
        "RESTORE" | "EXEC" | "EXECUTE" | "DECLARE" => true,
        "DROP" if second == "DATABASE" => more || text.contains(','),
        _ => more,
    }
}

/// A time limit as the server takes it: in whole milliseconds.
fn milliseconds(time: Duration) -> u128 {
    time.as_millis().clamp(1, i32::MAX as u128)
}

fn prepare(limits: &SessionLimits<'_>) -> String {
    match limits.lock_timeout {
        Some(timeout) => format!("SET LOCK_TIMEOUT {}", milliseconds(timeout)),
        None => "SET LOCK_TIMEOUT -1".into(),
    }
}

/// What a session begins with: what ODBC and with it the server's own tools set, and that an error ends its batch and
/// undoes its transaction.
macro_rules! settings {
    () => {
        "SET NOEXEC OFF; SET PARSEONLY OFF; SET FMTONLY OFF; SET NOCOUNT OFF; SET ROWCOUNT 0;
SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ANSI_NULL_DFLT_ON, ARITHABORT, CONCAT_NULL_YIELDS_NULL ON;
SET QUOTED_IDENTIFIER, XACT_ABORT ON;
SET NUMERIC_ROUNDABORT, IMPLICIT_TRANSACTIONS, CURSOR_CLOSE_ON_COMMIT OFF;
SET TEXTSIZE 2147483647; SET DEADLOCK_PRIORITY NORMAL; SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
    };
}

pub(super) const SETTINGS: &str = settings!();

macro_rules! session_lock {
    () => {
        "APPLOCK_MODE(N'public', N'branchkeeper {hex}', N'Session') = N'Exclusive'"
    };
}

/// A lock that ends with the transaction marks it.
macro_rules! unit_lock {
    () => {
        "APPLOCK_MODE(N'public', N'branchkeeper unit {hex}', N'Transaction') = N'Shared'"
    };
}

macro_rules! in_schema {
    ($from:literal) => {
        concat!(
            "SELECT 1 FROM ",
            $from,
            " JOIN sys.schemas AS s ON s.schema_id = o.schema_id WHERE s.name = {schema_text} AND o.name = {table}"
        )
    };
}

pub(in crate::provider) static DIALECT: Dialect = Dialect {
    quote,
    literal,
    default_schema: Some("dbo"),
    dual: "",
    refusal: "NULL",
    // A transaction that something has left open would swallow the commit of this one.
    begin: "SET XACT_ABORT ON; SET IMPLICIT_TRANSACTIONS OFF; IF @@TRANCOUNT > 0 ROLLBACK; BEGIN TRANSACTION",
    // After most errors the server has undone it already.
    roll_back: "SET NOEXEC OFF; SET PARSEONLY OFF; SET FMTONLY OFF; IF @@TRANCOUNT > 0 ROLLBACK",
    clock: ClockSource::Server {
        now: "SYSUTCDATETIME()",
        // The functions take whole numbers of 32 bits.
        after: "DATEADD(microsecond, CAST(CAST({us} AS bigint) % 1000000 AS int),
  DATEADD(second, CAST(CAST({us} AS bigint) / 1000000 AS int), SYSUTCDATETIME()))",
        took: "(SELECT DATEDIFF_BIG(microsecond, renewed_at, SYSUTCDATETIME()) FROM {lock} WHERE id = 1)",
    },
    lock: LockMeans::Session {
        // Tested first, because most of those who ask in vain do nothing else.
        try_lock: "DECLARE @branchkeeper int = -1;
IF APPLOCK_TEST(N'public', N'branchkeeper {hex}', N'Exclusive', N'Session') = 1
  EXEC @branchkeeper = sys.sp_getapplock @Resource = N'branchkeeper {hex}', @LockMode = N'Exclusive',
    @LockOwner = N'Session', @LockTimeout = 0;
SELECT @@SPID, CASE WHEN @branchkeeper >= 0 THEN 1 ELSE 0 END",
        held: concat!("SELECT @@SPID, CASE WHEN ", session_lock!(), " THEN 1 ELSE 0 END"),
        // Travels behind a commit, whose success it must not put in doubt.
        unlock: concat!(
            "BEGIN TRY
  IF @@SPID = {pid} AND ",
            session_lock!(),
            "
    EXEC sys.sp_releaseapplock @Resource = N'branchkeeper {hex}', @LockOwner = N'Session';
END TRY BEGIN CATCH END CATCH;
SELECT @@SPID"
        ),
        // The description shows the name's first 32 characters.
        holder: "SELECT s.session_id, s.program_name, s.host_name FROM sys.dm_tran_locks AS l
JOIN sys.dm_exec_sessions AS s ON s.session_id = l.request_session_id
WHERE l.resource_type = N'APPLICATION' AND l.resource_database_id = DB_ID() AND l.request_status = N'GRANT'
  AND l.request_session_id <> @@SPID AND l.resource_description LIKE N'%![branchkeeper {hex}!]%' ESCAPE N'!'",
        before_release: "SET XACT_ABORT ON",
        pooler: "connect to the server itself: a lock that lasts for a session needs a connection that a proxy does not \
                 share",
    },
    settings_survive_commit: true,
    reset: &[
        "REVERT",
        settings!(),
        "DECLARE @branchkeeper_language sysname =
  CAST(LOGINPROPERTY(ORIGINAL_LOGIN(), 'DefaultLanguage') AS nvarchar(128));
IF @branchkeeper_language IS NOT NULL SET LANGUAGE @branchkeeper_language",
    ],
    prepare,
    own_user: "REVERT",
    // A batch is a statement: what stands before it or behind it would become part of it.
    one_by_one: true,
    keep: &[],
    before_touch: &[],
    mark: &["EXEC sys.sp_getapplock @Resource = N'branchkeeper unit {hex}', @LockMode = N'Shared',
  @LockOwner = N'Transaction', @LockTimeout = 0"],
    stands: "SELECT 1 FROM {lock} WITH (NOLOCK) WHERE id = 1 AND unit IS NOT NULL",
    not_rolled_back: "",
    before_take_back: &[],
    before_record: &[
        // Without these, the ledger's statements might not be run, not be undone together, or not be committed.
        "SET NOEXEC OFF",
        "SET PARSEONLY OFF; SET FMTONLY OFF; SET ROWCOUNT 0; SET XACT_ABORT ON; SET IMPLICIT_TRANSACTIONS OFF",
        "REVERT",
        "WHILE @@TRANCOUNT > 1 COMMIT",
    ],
    create_tables: &[
        "SET LOCK_TIMEOUT {wait}",
        "IF OBJECT_ID({history_text}, N'U') IS NULL CREATE TABLE {history} (
  migration_id nvarchar(400) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY,
  checksum nvarchar(400) COLLATE Latin1_General_BIN2 NOT NULL,
  format int NOT NULL,
  state nvarchar(20) COLLATE Latin1_General_BIN2 NOT NULL CHECK (state IN (N'applied', N'partial')),
  statements_done nvarchar(max) COLLATE Latin1_General_BIN2 NOT NULL,
  statements_total int NOT NULL,
  intent nvarchar(400) COLLATE Latin1_General_BIN2 NULL,
  applied_at datetime2(6) NOT NULL,
  duration_us bigint NOT NULL,
  product_version nvarchar(400) COLLATE Latin1_General_BIN2 NOT NULL,
  run_id nvarchar(400) COLLATE Latin1_General_BIN2 NOT NULL,
  sequence bigint NOT NULL,
  fence bigint NOT NULL
)",
        "IF OBJECT_ID({lock_text}, N'U') IS NULL CREATE TABLE {lock} (
  id int NOT NULL PRIMARY KEY CHECK (id = 1),
  fence bigint NOT NULL,
  owner nvarchar(400) COLLATE Latin1_General_BIN2 NULL,
  head_office nvarchar(400) COLLATE Latin1_General_BIN2 NULL,
  token bigint NOT NULL,
  acquired_at datetime2(6) NULL,
  renewed_at datetime2(6) NULL,
  expires_at datetime2(6) NULL,
  unit nvarchar(400) COLLATE Latin1_General_BIN2 NULL
)",
    ],
    // The ledger may be locked by somebody; a statement of the same batch bounds the wait for it.
    select_ledger: "SET LOCK_TIMEOUT {wait};
SELECT TOP ({rows}) LEFT(h.migration_id, {text}), LEFT(h.checksum, {text}), h.format, LEFT(h.state, {text}),
  LEFT(h.statements_done, {journal}), h.statements_total, LEFT(h.intent, {text}),
  CONVERT(nvarchar(40), h.applied_at, 126) + N'Z', h.duration_us,
  LEFT(h.product_version, {text}), LEFT(h.run_id, {text}), h.fence
FROM {history} AS h ORDER BY h.sequence, h.migration_id",
    // The holder keeps the row locked while it works, and what stands there was committed when it took the lock.
    select_lock: "SELECT l.fence, l.owner, l.head_office, l.token, CONVERT(nvarchar(40), l.expires_at, 126) + N'Z', l.unit
FROM {lock} AS l WITH (NOLOCK) WHERE l.id = 1",
    same_session: concat!(" AND @@SPID = {pid} AND ", session_lock!()),
    same_transaction: concat!(" AND ", unit_lock!()),
    creation: Some(Creation {
        maintenance: &["master"],
        options: "",
        // Somebody uses the template.
        busy: "1807",
        denied: &["262", "2760"],
    }),
    find_schema: "SELECT CASE WHEN SCHEMA_ID({schema}) IS NULL THEN 0 ELSE 1 END,
  CASE WHEN SCHEMA_ID() = SCHEMA_ID({schema}) THEN 1 ELSE 0 END, SCHEMA_NAME()",
    // Whether a name alone means the table is the server's to say: it looks into the user's schema and then into dbo.
    select_tables: "SET LOCK_TIMEOUT {wait};
SELECT s.name, t.name, CASE WHEN OBJECT_ID(QUOTENAME(t.name), N'U') = t.object_id THEN 1 ELSE 0 END,
  CASE WHEN N'a' COLLATE DATABASE_DEFAULT = N'A' THEN 0 ELSE 1 END
FROM sys.tables AS t JOIN sys.schemas AS s ON s.schema_id = t.schema_id WHERE t.is_ms_shipped = 0",
    select_version: "SELECT N'SQL Server ' + CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(100)) + N' '
  + CAST(SERVERPROPERTY('Edition') AS nvarchar(100))",
    untransacted: Some(Untransacted::ByCalls {
        // A trigger is reached by its table. A synonym is as good as a procedure that calls what it stands for.
        code: "SELECT CASE WHEN o.type IN (N'TR', N'TA') THEN OBJECT_NAME(o.parent_object_id) ELSE o.name END, m.definition
FROM sys.objects AS o LEFT JOIN sys.sql_modules AS m ON m.object_id = o.object_id
WHERE o.type IN (N'P', N'PC', N'X', N'TR', N'TA', N'V') AND o.is_ms_shipped = 0
UNION ALL SELECT name, N'CREATE PROCEDURE synonym AS EXEC ' + base_object_name FROM sys.synonyms",
        deeds,
    }),
    probes: Probes {
        shown,
        half_done,
        whole: None,
        // Only those who may see other sessions are told. For the others it is still true that the lock, under which this
        // is asked, ends with the session that ran the statement.
        running: Some(
            "DECLARE @branchkeeper nvarchar(max) = {sql};
BEGIN TRY
  EXEC sys.sp_executesql N'SELECT 1 FROM sys.dm_exec_requests AS r CROSS APPLY sys.dm_exec_sql_text(r.sql_handle) AS t
WHERE r.session_id <> @@SPID AND r.database_id = DB_ID() AND t.text = @sql', N'@sql nvarchar(max)', @sql = @branchkeeper
END TRY BEGIN CATCH END CATCH",
        ),
        index: "SELECT 1, s.name FROM sys.indexes AS i JOIN sys.objects AS o ON o.object_id = i.object_id
JOIN sys.schemas AS s ON s.schema_id = o.schema_id WHERE i.object_id = OBJECT_ID({table_text}) AND i.name = {index_text}",
        any_index: "SELECT TOP (1) 1 FROM sys.indexes WHERE name = {index_text}",
        database: Some("SELECT 1 WHERE DB_ID({database}) IS NOT NULL"),
        objects: Some(Objects {
            table: in_schema!("sys.tables AS o"),
            view: in_schema!("sys.views AS o"),
            column: concat!(
                in_schema!("sys.objects AS o JOIN sys.columns AS c ON c.object_id = o.object_id"),
                " AND c.name = {name}"
            ),
            constraint: concat!(
                in_schema!("sys.tables AS o JOIN sys.objects AS c ON c.parent_object_id = o.object_id"),
                " AND c.name = {name}"
            ),
            index: concat!(
                in_schema!("sys.objects AS o JOIN sys.indexes AS i ON i.object_id = o.object_id"),
                " AND i.name = {name}"
            ),
        }),
        drop_index: "",
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_keeps_text_text() {
        assert_eq!(quote("a]b"), "[a]]b]");
        assert_eq!(literal("a'b\\c"), "N'a''b\\c'");
        assert_eq!(literal("a\\\nb"), "(N'a\\' + N'\nb')", "a backslash there joins the lines");
    }

    #[test]
    fn what_is_sent_has_no_end_of_our_own() {
        assert_eq!(shown("MERGE x;\n;\n"), "MERGE x;");
        assert_eq!(shown("SELECT 1"), "SELECT 1");
    }

    #[test]
    fn what_failed_half_way_is_known() {
        for text in ["CREATE DATABASE a; ALTER DATABASE a SET RECOVERY SIMPLE", "DROP DATABASE a, b", "exec p"] {
            assert!(half_done(text, "911") && !half_done(text, "102"), "{text}");
        }
        for text in [
            "CREATE DATABASE a",
            "ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON;",
            "ALTER FULLTEXT INDEX ON t DROP (a)",
            "CREATE FULLTEXT INDEX ON t (a) KEY INDEX pk_t WITH CHANGE_TRACKING AUTO",
            "DROP DATABASE IF EXISTS a",
        ] {
            assert!(!half_done(text, "911"), "{text}");
        }
    }

    #[test]
    fn limits_are_in_milliseconds() {
        let limits = |lock_timeout| SessionLimits { schema: None, lock_timeout, statement_timeout: Duration::MAX };
        assert_eq!(prepare(&limits(Some(Duration::from_micros(1)))), "SET LOCK_TIMEOUT 1");
        assert_eq!(prepare(&limits(Some(Duration::MAX))), "SET LOCK_TIMEOUT 2147483647");
        assert_eq!(prepare(&limits(None)), "SET LOCK_TIMEOUT -1");
    }
}

use super::*;
use crate::domain::{Effect, ObjectName};

fn statement(provider: Provider, text: &str) -> Statement {
    let mut statements = split(provider, "f", text).unwrap();
    assert_eq!(statements.len(), 1, "{text}");
    statements.remove(0)
}

fn named(schema: &str, name: &str) -> ObjectName {
    ObjectName { schema: Some(schema.into()), name: name.into() }
}

fn bare(name: &str) -> ObjectName {
    ObjectName::bare(name)
}

#[test]
fn statements_that_change_only_their_session() {
    use crate::domain::SessionChange::{Setting, User};
    use Provider::{Postgres, Sqlite};
    for (provider, text, expected) in [
        (Postgres, "SET search_path = a, b", Some(Setting)),
        (Postgres, "set session statement_timeout to 0", Some(Setting)),
        (Postgres, "SET TIME ZONE 'UTC'", Some(Setting)),
        (Postgres, "SET ROLE app", Some(User)),
        (Postgres, "SET SESSION ROLE app", Some(User)),
        (Postgres, "SET SESSION AUTHORIZATION app", Some(User)),
        (Postgres, "RESET ROLE", Some(User)),
        (Postgres, "RESET ALL", Some(Setting)),
        (Postgres, "SELECT pg_catalog.set_config('search_path', '', false)", Some(Setting)),
        (Postgres, "SELECT set_config('search_path', '', true)", None),
        (Postgres, "SELECT set_config('a', '', false) FROM t", None),
        (Postgres, "SET LOCAL search_path = a", None),
        (Postgres, "SET CONSTRAINTS ALL DEFERRED", None),
        (Postgres, "SET TRANSACTION READ ONLY", None),
        (Postgres, "UPDATE t SET a = 1", None),
        (Sqlite, "PRAGMA foreign_keys = OFF", Some(Setting)),
        (Sqlite, "pragma main.Foreign_Keys(0)", Some(Setting)),
        (Sqlite, "PRAGMA legacy_alter_table=ON", Some(Setting)),
        (Sqlite, "PRAGMA foreign_keys", None),
        (Sqlite, "PRAGMA foreign_key_check", None),
        (Sqlite, "PRAGMA user_version = 3", None),
        (Sqlite, "PRAGMA journal_mode = WAL", None),
    ] {
        assert_eq!(statement(provider, text).session, expected, "{text}");
    }
}

#[test]
fn postgres_statements_that_refuse_a_transaction() {
    use Effect::*;
    let index = |index: &str, table: ObjectName| IndexExists { index: bare(index), table };
    let long = "a".repeat(70);
    let table = [
        ("CREATE INDEX CONCURRENTLY Ix ON T (a)".to_owned(), index("ix", bare("t"))),
        (
            "create unique index /* x */ concurrently if not exists \"Ix\" on only s.\"T\" (a)".into(),
            index("Ix", named("s", "T")),
        ),
        ("CREATE INDEX CONCURRENTLY \"a\"\"b\" ON t (a)".into(), index("a\"b", bare("t"))),
        (format!("CREATE INDEX CONCURRENTLY {long} ON t (a)"), index(&long[..63], bare("t"))),
        ("CREATE INDEX CONCURRENTLY U&\"ix\" ON t (a)".into(), index("ix", bare("t"))),
        ("CREATE INDEX CONCURRENTLY U&\"\\0069x\" ON t (a)".into(), Unknowable),
        ("CREATE INDEX CONCURRENTLY ON t (a)".into(), Unknowable),
        ("DROP INDEX CONCURRENTLY IF EXISTS S.Ix CASCADE".into(), IndexGone(named("s", "ix"))),
        ("DROP INDEX CONCURRENTLY a, b".into(), Unknowable),
        ("REINDEX INDEX CONCURRENTLY i".into(), Idempotent),
        ("REINDEX (VERBOSE, CONCURRENTLY) TABLE t".into(), Idempotent),
        ("REINDEX (CONCURRENTLY on) TABLE t".into(), Idempotent),
        ("REINDEX DATABASE".into(), Idempotent),
        ("REINDEX (VERBOSE) SYSTEM d".into(), Idempotent),
        ("REINDEX SCHEMA s".into(), Idempotent),
        ("VACUUM".into(), Idempotent),
        ("VACUUM (FULL, ANALYZE) t".into(), Idempotent),
        ("CLUSTER".into(), Idempotent),
        ("CLUSTER (VERBOSE)".into(), Idempotent),
        ("CLUSTER VERBOSE".into(), Idempotent),
        ("CREATE DATABASE Shop OWNER x".into(), DatabaseExists("shop".into())),
        ("DROP DATABASE IF EXISTS \"Shop\" WITH (FORCE)".into(), DatabaseGone("Shop".into())),
        ("CREATE TABLESPACE t LOCATION '/x'".into(), Unknowable),
        ("DROP TABLESPACE t".into(), Unknowable),
        ("ALTER SYSTEM SET work_mem = '1MB'".into(), Idempotent),
        ("ALTER DATABASE d SET TABLESPACE t".into(), Idempotent),
        ("CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p".into(), Unknowable),
        ("DROP SUBSCRIPTION IF EXISTS s".into(), Unknowable),
        ("ALTER SUBSCRIPTION s REFRESH PUBLICATION".into(), Idempotent),
        ("ALTER SUBSCRIPTION s ADD PUBLICATION p".into(), Unknowable),
        ("ALTER TABLE ONLY s.t DETACH PARTITION p CONCURRENTLY".into(), Unknowable),
    ];
    for (text, effect) in table {
        assert_eq!(statement(Provider::Postgres, &text).alone, Some(effect), "{text}");
    }
}

#[test]
fn postgres_statements_that_share_a_transaction() {
    let table = [
        "CREATE INDEX i ON t (a)",
        "CREATE UNIQUE INDEX \"concurrently\" ON t (a)",
        "DROP INDEX i, j",
        "REINDEX TABLE t",
        "REINDEX (CONCURRENTLY FALSE) TABLE t",
        "REINDEX (CONCURRENTLY 'off', VERBOSE) TABLE t",
        "ANALYZE",
        "CLUSTER t USING i",
        "CLUSTER (VERBOSE) t",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
        "ALTER DATABASE d SET work_mem = '1MB'",
        "ALTER SUBSCRIPTION s DISABLE",
        "ALTER TABLE t DETACH PARTITION p",
        "ALTER TABLE t DETACH PARTITION p FINALIZE",
        "ALTER TYPE t ADD VALUE 'x'",
        "CREATE TABLE \"DATABASE\" (a int)",
        "SELECT 'VACUUM'",
        "CALL p()",
    ];
    for text in table {
        assert_eq!(statement(Provider::Postgres, text).alone, None, "{text}");
    }
}

#[test]
fn sqlite_statements_that_refuse_a_transaction() {
    use Effect::*;
    let table = [
        ("VACUUM", Some(Idempotent)),
        ("VACUUM main", Some(Idempotent)),
        ("VACUUM INTO 'x.db'", Some(Unknowable)),
        ("VACUUM main INTO 'x.db'", Some(Unknowable)),
        ("PRAGMA foreign_keys = OFF", Some(Idempotent)),
        ("pragma main.JOURNAL_MODE(wal)", Some(Idempotent)),
        ("PRAGMA synchronous=1", Some(Idempotent)),
        ("PRAGMA temp_store=2", Some(Idempotent)),
        ("PRAGMA wal_checkpoint(TRUNCATE)", Some(Idempotent)),
        ("PRAGMA user_version = 3", None),
        ("PRAGMA defer_foreign_keys = ON", None),
        ("PRAGMA legacy_alter_table = ON", None),
        ("PRAGMA foreign_key_check", None),
        ("CREATE INDEX concurrently ON t (a)", None),
        ("REINDEX", None),
    ];
    for (text, effect) in table {
        assert_eq!(statement(Provider::Sqlite, text).alone, effect, "{text}");
    }
}

#[test]
fn postgres_tables() {
    use TableChange::*;
    let table = [
        ("CREATE TABLE Foo (a int)", vec![Created(bare("foo"))]),
        ("create unlogged table if not exists \"Foo\".\"Bar\" (a int)", vec![Created(named("Foo", "Bar"))]),
        ("CREATE TABLE ŻÓŁW (a int)", vec![Created(bare("ŻÓŁw"))]),
        ("CREATE TABLE a AS SELECT 1", vec![Created(bare("a"))]),
        ("CREATE TABLE a PARTITION OF b DEFAULT", vec![Created(bare("a"))]),
        ("CREATE TABLE d.s.t (a int)", vec![Created(named("s", "t"))]),
        ("CREATE TEMP TABLE a (b int)", vec![]),
        ("CREATE LOCAL TEMPORARY TABLE a (b int)", vec![]),
        ("CREATE TABLE pg_temp.a (b int)", vec![]),
        ("CREATE VIEW a AS SELECT 1", vec![]),
        (
            "DROP TABLE IF EXISTS a, S.B, \"C\" CASCADE",
            vec![Dropped(bare("a")), Dropped(named("s", "b")), Dropped(bare("C"))],
        ),
        ("DROP VIEW a", vec![]),
        ("ALTER TABLE IF EXISTS ONLY s.a * RENAME TO B", vec![Renamed(named("s", "a"), named("s", "b"))]),
        ("ALTER TABLE a RENAME COLUMN b TO c", vec![]),
        ("ALTER TABLE a RENAME b TO c", vec![]),
        ("ALTER TABLE a RENAME CONSTRAINT b TO c", vec![]),
        ("ALTER TABLE a SET SCHEMA s", vec![Renamed(bare("a"), named("s", "a"))]),
        ("INSERT INTO a VALUES ('CREATE TABLE b')", vec![]),
    ];
    for (text, changes) in table {
        assert_eq!(statement(Provider::Postgres, text).tables, changes, "{text}");
    }
}

#[test]
fn sqlite_tables() {
    use TableChange::*;
    let table = [
        ("CREATE TABLE Foo (a)", vec![Created(bare("Foo"))]),
        ("CREATE TABLE IF NOT EXISTS main.[a b] (a)", vec![Created(bare("a b"))]),
        ("CREATE TABLE `a``b` (a)", vec![Created(bare("a`b"))]),
        ("CREATE TABLE 'a' (b)", vec![Created(bare("a"))]),
        ("CREATE VIRTUAL TABLE a USING fts5(b)", vec![Created(bare("a"))]),
        ("CREATE TABLE temp.a (b)", vec![]),
        ("CREATE TEMP TABLE a (b)", vec![]),
        ("DROP TABLE IF EXISTS \"A\"", vec![Dropped(bare("A"))]),
        ("ALTER TABLE Main.a RENAME TO \"B\"", vec![Renamed(bare("a"), bare("B"))]),
        ("ALTER TABLE a RENAME b TO c", vec![]),
    ];
    for (text, changes) in table {
        assert_eq!(statement(Provider::Sqlite, text).tables, changes, "{text}");
    }
}

#[test]
fn sqlite_table_names_get_one_spelling() {
    use TableChange::*;
    let text = "CREATE TABLE Foo(a); CREATE TABLE IF NOT EXISTS FOO(a); ALTER TABLE foo RENAME TO Bar; DROP TABLE BAR;
                DROP TABLE other; CREATE TABLE foo(a)";
    let mut statements = split(Provider::Sqlite, "f", text).unwrap();
    unify_case(statements.iter_mut());
    let changes: Vec<_> = statements.into_iter().flat_map(|each| each.tables).collect();
    let expected = [
        Created(bare("Foo")),
        Created(bare("Foo")),
        Renamed(bare("Foo"), bare("Bar")),
        Dropped(bare("Bar")),
        Dropped(bare("other")),
        Created(bare("foo")),
    ];
    assert_eq!(changes, expected);
}

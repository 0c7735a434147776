use super::super::split;
use crate::domain::{Provider, Risk};
use Provider::{MySql, Postgres, SqlServer, Sqlite};

const ALL: [Provider; 4] = [Sqlite, Postgres, MySql, SqlServer];

fn risk(provider: Provider, text: &str) -> Risk {
    let mut statements = split(provider, "f", text).unwrap();
    assert_eq!(statements.len(), 1, "{text}");
    statements.remove(0).risk
}

fn destroys(provider: Provider, text: &str) -> String {
    risk(provider, text).destroys.unwrap_or_default()
}

fn blocks(provider: Provider, text: &str) -> String {
    risk(provider, text).blocks.unwrap_or_default()
}

#[test]
fn what_every_server_destroys() {
    for provider in ALL {
        for (text, expected) in [
            ("DROP TABLE t", "the table t and its rows"),
            ("/* x */ drop table if exists t", "the table t and its rows"),
            ("ALTER TABLE t DROP COLUMN c", "the column t.c and its values"),
            ("DELETE FROM t", "every row of t"),
            ("DELETE FROM t WHERE a = 1", ""),
            ("UPDATE t SET a = (SELECT b FROM u WHERE u.c = 1)", "the earlier values in every row of t"),
            ("UPDATE t SET a = 1 WHERE b = 2", ""),
            ("DROP VIEW v", ""),
            ("DROP INDEX i", ""),
            ("CREATE TABLE t (a integer)", ""),
            ("INSERT INTO t VALUES ('DROP TABLE u')", ""),
            ("CREATE VIEW v AS SELECT 1 AS a", ""),
        ] {
            assert_eq!(destroys(provider, text), expected, "{provider}: {text}");
        }
    }
}

#[test]
fn what_one_server_destroys() {
    for (provider, text, expected) in [
        (Sqlite, "ALTER TABLE \"T\" DROP c", "the column T.c and its values"),
        (Sqlite, "CREATE TRIGGER g AFTER DELETE ON t BEGIN DELETE FROM u; END", ""),
        (Postgres, "DROP TABLE s.a, B CASCADE", "the tables s.a, b and their rows"),
        (Postgres, "DROP SCHEMA s CASCADE", "the schema s and everything in it"),
        (Postgres, "DROP TYPE mood CASCADE", "whatever depends on mood"),
        (Postgres, "DROP TYPE mood", ""),
        (Postgres, "TRUNCATE ONLY a, b", "every row of a, b"),
        (Postgres, "ALTER TABLE ONLY t ALTER c DROP NOT NULL, DROP CONSTRAINT k", ""),
        (Postgres, "ALTER TABLE t DROP CONSTRAINT k, DROP IF EXISTS c", "the column t.c and its values"),
        (Postgres, "ALTER TABLE t ALTER COLUMN c DROP DEFAULT", ""),
        (Postgres, "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DELETE FROM t'", ""),
        (MySql, "DROP TEMPORARY TABLE t", ""),
        (MySql, "DROP SCHEMA s", "the schema s and everything in it"),
        (MySql, "TRUNCATE `t`", "every row of t"),
        (MySql, "DELETE FROM t ORDER BY a LIMIT 10", ""),
        (MySql, "ALTER TABLE t DROP INDEX i, DROP c", "the column t.c and its values"),
        (MySql, "ALTER TABLE t DROP PRIMARY KEY", ""),
        (MySql, "ALTER TABLE t DROP PARTITION p0", "the rows of a partition of t"),
        (MySql, "ALTER TABLE t TRUNCATE PARTITION p0", "the rows of a partition of t"),
        (SqlServer, "PRINT 'x' DROP TABLE dbo.t", "the table dbo.t and its rows"),
        (SqlServer, "DROP TABLE #t", ""),
        (SqlServer, "DELETE t DELETE u WHERE a = 1", "every row of t"),
        (SqlServer, "DELETE TOP (10) FROM t", ""),
        (SqlServer, "BEGIN UPDATE t SET a = 1 END", "the earlier values in every row of t"),
        (SqlServer, "GRANT DELETE, UPDATE ON t TO r", ""),
        (SqlServer, "CREATE PROCEDURE p AS DELETE FROM t", ""),
        (SqlServer, "ALTER TABLE t DROP CONSTRAINT k", ""),
    ] {
        assert_eq!(destroys(provider, text), expected, "{provider}: {text}");
    }
}

#[test]
fn whom_statements_hold_up() {
    let (built, checked) = ("writes to t wait until the index is built", "writes to t wait while every row is checked");
    let (copied, rewritten) =
        ("writes to t may wait while its rows are copied", "nobody can use t while its rows are rewritten");
    let locked = "others wait for t until it is unlocked";
    for (provider, text, expected) in [
        (Sqlite, "CREATE INDEX i ON t (a)", ""),
        (Sqlite, "VACUUM", "writes wait until the file is rewritten"),
        (Postgres, "CREATE UNIQUE INDEX i ON ONLY t (a)", built),
        (Postgres, "CREATE INDEX ON t (a)", built),
        (Postgres, "CREATE INDEX CONCURRENTLY i ON t (a)", ""),
        (Postgres, "ALTER TABLE t ADD COLUMN a integer, ALTER a TYPE bigint", rewritten),
        (Postgres, "ALTER TABLE t ALTER COLUMN a SET NOT NULL", checked),
        (Postgres, "ALTER TABLE t ALTER COLUMN a SET DEFAULT 1", ""),
        (Postgres, "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0)", checked),
        (Postgres, "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES u (b) NOT VALID", ""),
        (Postgres, "ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX i", ""),
        (Postgres, "ALTER TABLE t ADD PRIMARY KEY (a)", checked),
        (Postgres, "ALTER TABLE t VALIDATE CONSTRAINT k", ""),
        (Postgres, "ALTER TABLE t ADD COLUMN a integer", ""),
        (Postgres, "VACUUM FULL t", rewritten),
        (Postgres, "VACUUM (FULL, VERBOSE) t", rewritten),
        (Postgres, "VACUUM t", ""),
        (Postgres, "LOCK TABLE t IN ACCESS EXCLUSIVE MODE", locked),
        (Postgres, "REFRESH MATERIALIZED VIEW t", "reads of t wait until it is filled"),
        (MySql, "CREATE INDEX i ON t (a)", ""),
        (MySql, "CREATE INDEX i ON t (a) ALGORITHM=COPY", built),
        (MySql, "CREATE FULLTEXT INDEX i ON t (a)", built),
        (MySql, "ALTER TABLE t ADD c INT, ALGORITHM = COPY", copied),
        (MySql, "ALTER TABLE t ADD c INT", ""),
        (MySql, "ALTER TABLE t MODIFY c BIGINT", copied),
        (MySql, "ALTER TABLE t MODIFY c BIGINT, LOCK=NONE", ""),
        (MySql, "ALTER TABLE t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES u (b)", checked),
        (SqlServer, "SET NOCOUNT ON CREATE NONCLUSTERED INDEX i ON t (a)", built),
        (SqlServer, "CREATE INDEX i ON t (a) WITH (ONLINE = ON)", ""),
        (SqlServer, "ALTER INDEX i ON t REBUILD", built),
        (SqlServer, "ALTER TABLE t ALTER COLUMN a bigint NOT NULL", rewritten),
        (SqlServer, "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0)", checked),
        (SqlServer, "ALTER TABLE t WITH NOCHECK ADD CONSTRAINT k CHECK (a > 0)", ""),
        (SqlServer, "ALTER TABLE t ADD a integer NULL", ""),
    ] {
        assert_eq!(blocks(provider, text), expected, "{provider}: {text}");
    }
}

#[test]
fn nobody_waits_for_a_table_that_is_new() {
    let statements = split(Postgres, "f", "CREATE TABLE t (a int); CREATE INDEX i ON t (a); CREATE INDEX j ON u (a);");
    let blocks: Vec<bool> = statements.unwrap().iter().map(|statement| statement.risk.blocks.is_some()).collect();
    assert_eq!(blocks, [false, false, true]);
}

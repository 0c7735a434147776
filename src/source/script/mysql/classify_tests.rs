use super::super::split;
use crate::domain::{Effect, ObjectName, Provider, Script, SessionChange, Statement, TableChange};

fn statement(text: &str) -> Statement {
    let mut statements = split(Provider::MySql, "f", text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
    assert_eq!(statements.len(), 1, "{text}");
    statements.remove(0)
}

fn named(schema: &str, name: &str) -> ObjectName {
    ObjectName { schema: Some(schema.into()), name: name.into() }
}

fn bare(name: &str) -> ObjectName {
    ObjectName::bare(name)
}

fn index(index: &str, table: ObjectName) -> Effect {
    Effect::IndexExists { index: bare(index), table }
}

fn index_gone(index: &str, table: ObjectName) -> Effect {
    Effect::TableIndexGone { index: index.into(), table }
}

fn column(name: &str) -> Effect {
    Effect::ColumnExists { table: bare("t"), column: name.into() }
}

fn column_gone(name: &str) -> Effect {
    Effect::ColumnGone { table: bare("t"), column: name.into() }
}

fn constraint(name: &str) -> Effect {
    Effect::ConstraintExists { table: bare("t"), constraint: name.into() }
}

fn constraint_gone(name: &str) -> Effect {
    Effect::ConstraintGone { table: bare("t"), constraint: name.into() }
}

fn renamed(from: &str, to: &str) -> Effect {
    Effect::TableRenamed { from: bare(from), to: bare(to) }
}

fn swapped(gone: &[&str], come: &[&str]) -> Effect {
    let names = |names: &[&str]| names.iter().map(|name| bare(name)).collect();
    Effect::TablesRenamed { gone: names(gone), come: names(come) }
}

#[test]
fn statements_that_commit_by_themselves() {
    use Effect::*;
    let table = [
        ("CREATE TABLE Foo (a INT)", TableExists(bare("Foo"))),
        ("create table if not exists `d`.`a``b` like c", TableExists(named("d", "a`b"))),
        ("CREATE TABLE 2fa_codes (a INT)", TableExists(bare("2fa_codes"))),
        ("CREATE TABLE d.2fa AS SELECT 1", TableExists(named("d", "2fa"))),
        ("CREATE TABLE `żółw` (a INT)", TableExists(bare("żółw"))),
        ("CREATE OR REPLACE TABLE a (b INT)", Unknowable),
        ("CREATE OR REPLACE SEQUENCE s", Unknowable),
        ("CREATE OR REPLACE TABLE a AS SELECT 1 FROM view", Unknowable),
        ("CREATE OR REPLACE USER u", Unknowable),
        ("/*!50001 CREATE TABLE a (b INT) */", TableExists(bare("a"))),
        ("CREATE /* c */ TABLE /*!32312 IF NOT EXISTS*/ a (b INT)", TableExists(bare("a"))),
        ("DROP TABLE a", TableGone(bare("a"))),
        ("DROP TABLES IF EXISTS `a` CASCADE", TableGone(bare("a"))),
        ("DROP TABLE a, b", Unknowable),
        ("DROP TABLE IF EXISTS a, b", Idempotent),
        ("RENAME TABLE a TO d.b", TableRenamed { from: bare("a"), to: named("d", "b") }),
        ("RENAME TABLE IF EXISTS a WAIT 5 TO b", renamed("a", "b")),
        ("RENAME TABLE a TO b, c TO d", swapped(&["a", "c"], &["b", "d"])),
        ("RENAME TABLE a TO b, c TO a", swapped(&["c"], &["b"])),
        ("RENAME TABLE t TO t_old, t_new TO T", swapped(&["t_new"], &["t_old"])),
        ("RENAME TABLE a TO x, b TO a, x TO b", Unknowable),
        ("RENAME TABLE a TO d.b, c TO a", Unknowable),
        ("RENAME USER a TO b", Unknowable),
        ("TRUNCATE a", Unknowable),
        ("TRUNCATE TABLE a", Unknowable),
        ("RESET MASTER", Unknowable),
        ("CREATE INDEX i ON t (a)", index("i", bare("t"))),
        ("CREATE UNIQUE INDEX IF NOT EXISTS `i` USING BTREE ON d.t (a)", index("i", named("d", "t"))),
        ("CREATE FULLTEXT INDEX i ON t (a)", index("i", bare("t"))),
        ("CREATE OR REPLACE INDEX i ON t (a)", Idempotent),
        ("DROP INDEX i ON t", index_gone("i", bare("t"))),
        ("DROP INDEX IF EXISTS `PRIMARY` ON t ALGORITHM=COPY", index_gone("PRIMARY", bare("t"))),
        ("CREATE VIEW v AS SELECT 1", ViewExists(bare("v"))),
        (
            "CREATE ALGORITHM=MERGE DEFINER=`a`@`b` SQL SECURITY INVOKER VIEW d.v AS SELECT 1",
            ViewExists(named("d", "v")),
        ),
        ("/*!50001 CREATE */ /*!50013 DEFINER=`a`@`b` */ /*!50001 VIEW `v` AS select 1 */", ViewExists(bare("v"))),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", Idempotent),
        ("ALTER ALGORITHM=MERGE VIEW v AS SELECT 1", Idempotent),
        ("DROP VIEW v", ViewGone(bare("v"))),
        ("DROP VIEW v, w", Unknowable),
        ("DROP VIEW IF EXISTS v, w", Idempotent),
        ("CREATE DATABASE IF NOT EXISTS `d` CHARACTER SET utf8mb4", DatabaseExists("d".into())),
        ("DROP SCHEMA d", DatabaseGone("d".into())),
        ("ALTER DATABASE d COLLATE utf8mb4_bin", Idempotent),
        ("CREATE PROCEDURE p() CREATE TABLE a (b INT)", Unknowable),
        ("CREATE FUNCTION f() RETURNS INT RETURN 1", Unknowable),
        ("CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @a = 1", Unknowable),
        ("CREATE TRIGGER IF NOT EXISTS t BEFORE INSERT ON a FOR EACH ROW SET @a = 1", Idempotent),
        ("CREATE OR REPLACE PROCEDURE p() SELECT 1", Idempotent),
        ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1", Unknowable),
        ("ALTER EVENT e RENAME TO f", Unknowable),
        ("ALTER PROCEDURE p COMMENT 'x'", Idempotent),
        ("DROP PROCEDURE IF EXISTS p", Idempotent),
        ("DROP PROCEDURE p", Unknowable),
        ("DROP TRIGGER IF EXISTS t", Idempotent),
        ("DROP EVENT e", Unknowable),
        ("CREATE USER u", Unknowable),
        ("CREATE USER IF NOT EXISTS u", Idempotent),
        ("GRANT SELECT ON a TO b", Idempotent),
        ("REVOKE SELECT ON a FROM b", Unknowable),
        ("SET PASSWORD FOR a = 'x'", Idempotent),
        ("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", Idempotent),
        ("ANALYZE LOCAL TABLE a", Idempotent),
        ("OPTIMIZE TABLE a", Idempotent),
        ("REPAIR TABLE a", Idempotent),
        ("CHECK TABLE a", Idempotent),
        ("FLUSH PRIVILEGES", Idempotent),
        ("CACHE INDEX a IN b", Idempotent),
        ("LOAD INDEX INTO CACHE a", Idempotent),
        ("INSTALL PLUGIN a SONAME 'x'", Unknowable),
        ("CALL p()", Unknowable),
        ("SET STATEMENT max_statement_time = 60 FOR ALTER TABLE t MODIFY a BIGINT", Idempotent),
        ("SET STATEMENT a = (1 FOR 2), b = 'FOR' FOR CREATE TABLE a (b INT)", TableExists(bare("a"))),
        ("set statement x = 1 for TRUNCATE a", Unknowable),
        ("SET STATEMENT x = 1", Unknowable),
        ("SET STATEMENT x = 1 FOR SET STATEMENT y = 1 FOR INSERT INTO a VALUES (1)", Unknowable),
        ("SOMETHING NEW", Unknowable),
        ("KILL 7", Unknowable),
        ("BINLOG 'x'", Unknowable),
        ("INSERT INTO a VALUES (1) /*! ; DROP TABLE a */", Unknowable),
        ("BEGIN NOT ATOMIC INSERT INTO a VALUES (1); INSTALL SONAME 'x'; END", Unknowable),
        ("BEGIN NOT ATOMIC SET PASSWORD = 'x'; END", Unknowable),
        ("BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR 1062, SQLWARNING INSTALL SONAME 'x'; END", Unknowable),
        ("BEGIN NOT ATOMIC IF a THEN SELECT 1; ELSE INSTALL SONAME 'x'; END IF; END", Unknowable),
        ("ALTER USER u IDENTIFIED BY 'x' RETAIN CURRENT PASSWORD", Unknowable),
        ("EXECUTE s", Unknowable),
        ("BEGIN NOT ATOMIC IF a THEN DROP TABLE b; END IF; END", Unknowable),
    ];
    for (text, effect) in table {
        assert_eq!(statement(text).alone, Some(effect), "{text}");
    }
}

#[test]
fn alter_table_is_known_by_its_first_visible_action() {
    use Effect::*;
    let table = [
        ("ADD a INT", column("a")),
        ("ADD COLUMN IF NOT EXISTS `a` INT AFTER b", Idempotent),
        ("ADD COLUMN IF NOT EXISTS a INT, ADD COLUMN IF NOT EXISTS b INT", Idempotent),
        ("ADD COLUMN IF NOT EXISTS a INT, ADD COLUMN b INT", column("b")),
        ("DROP COLUMN IF EXISTS a, ADD b INT", column("b")),
        ("DROP COLUMN IF EXISTS a, ADD COLUMN IF NOT EXISTS a INT", Unknowable),
        ("ADD COLUMN IF NOT EXISTS a INT, ADD CHECK (a > 0)", Unknowable),
        ("ADD INDEX IF NOT EXISTS i (a), MODIFY a BIGINT", Idempotent),
        ("CHANGE COLUMN IF EXISTS a b INT", Idempotent),
        ("CHANGE COLUMN IF EXISTS a b INT, ADD a INT", Unknowable),
        ("ADD COLUMN (a INT, b INT)", column("a")),
        ("ADD COLUMN `INDEX` INT", column("INDEX")),
        ("DROP a", column_gone("a")),
        ("DROP COLUMN IF EXISTS a", Idempotent),
        ("RENAME COLUMN a TO b", column("b")),
        ("CHANGE a b INT", column("b")),
        ("CHANGE COLUMN `a` `A` BIGINT", Idempotent),
        ("MODIFY a BIGINT NOT NULL", Idempotent),
        ("MODIFY COLUMN a DECIMAL(10, 2), MODIFY b INT", Idempotent),
        ("ALTER COLUMN a SET DEFAULT 1", Idempotent),
        ("ALTER a DROP DEFAULT", Idempotent),
        ("ADD INDEX i (a)", index("i", bare("t"))),
        ("ADD UNIQUE KEY i (a)", index("i", bare("t"))),
        ("ADD UNIQUE i (a)", index("i", bare("t"))),
        ("ADD FULLTEXT INDEX i (a)", index("i", bare("t"))),
        ("ADD INDEX (a)", Unknowable),
        ("ADD KEY USING BTREE (a)", Unknowable),
        ("ADD UNIQUE (a)", Unknowable),
        ("ADD PRIMARY KEY (a)", index("PRIMARY", bare("t"))),
        ("ADD CONSTRAINT pk PRIMARY KEY (a)", index("PRIMARY", bare("t"))),
        ("DROP PRIMARY KEY", index_gone("PRIMARY", bare("t"))),
        ("DROP KEY i", index_gone("i", bare("t"))),
        ("RENAME INDEX i TO j", index("j", bare("t"))),
        ("ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES b (c)", constraint("c")),
        ("ADD CONSTRAINT `c` UNIQUE (a)", constraint("c")),
        ("ADD CONSTRAINT c UNIQUE KEY i (a)", index("i", bare("t"))),
        ("ADD CONSTRAINT c UNIQUE i (a)", index("i", bare("t"))),
        ("ADD CONSTRAINT c UNIQUE INDEX USING BTREE (a)", constraint("c")),
        ("ADD CONSTRAINT UNIQUE i (a)", index("i", bare("t"))),
        ("DROP KEY c, ADD CONSTRAINT c UNIQUE (a, b)", Unknowable),
        ("ADD CONSTRAINT c CHECK (a > 0)", constraint("c")),
        ("ADD CONSTRAINT FOREIGN KEY (a) REFERENCES b (c)", Unknowable),
        ("ADD FOREIGN KEY (a) REFERENCES b (c)", Unknowable),
        ("ADD CHECK (a > 0)", Unknowable),
        ("DROP FOREIGN KEY IF EXISTS c", Idempotent),
        ("DROP FOREIGN KEY c", constraint_gone("c")),
        ("DROP CONSTRAINT c", constraint_gone("c")),
        ("DROP CHECK c", constraint_gone("c")),
        ("RENAME u", renamed("t", "u")),
        ("RENAME TO u", renamed("t", "u")),
        ("RENAME AS `u`", renamed("t", "u")),
        ("ADD COLUMN a INT, RENAME TO u", renamed("t", "u")),
        ("MODIFY a ENUM('x,y', 'z'), ADD b INT, ADD c INT", column("b")),
        ("ADD COLUMN a DECIMAL(10, 2) DEFAULT (1), DROP b", column("a")),
        ("DROP COLUMN a, ADD COLUMN a INT", Unknowable),
        ("DROP COLUMN a, ADD COLUMN A INT, ADD b INT", column("b")),
        ("RENAME COLUMN a TO b, RENAME COLUMN b TO a", Unknowable),
        ("RENAME COLUMN a TO b, RENAME COLUMN b TO c", column("c")),
        ("DROP PRIMARY KEY, ADD PRIMARY KEY (a, b)", Unknowable),
        ("DROP INDEX i, ADD INDEX i (a), ADD INDEX j (b)", index("j", bare("t"))),
        ("ENGINE=InnoDB", Idempotent),
        ("CONVERT TO CHARACTER SET utf8mb4", Idempotent),
        ("DEFAULT CHARSET=utf8mb4, ROW_FORMAT=DYNAMIC, COMMENT 'x'", Idempotent),
        ("ALGORITHM=INPLACE, LOCK=NONE, ADD COLUMN a INT", column("a")),
        ("FORCE", Idempotent),
        ("ADD PARTITION (PARTITION p VALUES LESS THAN (1))", Unknowable),
        ("DROP PARTITION p", Unknowable),
        ("TRUNCATE PARTITION p", Unknowable),
        ("REORGANIZE PARTITION p INTO (PARTITION q VALUES LESS THAN (1))", Unknowable),
        ("DISCARD TABLESPACE", Unknowable),
        ("ADD SYSTEM VERSIONING", Unknowable),
    ];
    for (action, effect) in table {
        for head in ["ALTER TABLE t", "alter online ignore table if exists `t` wait 5"] {
            let text = format!("{head} {action}");
            assert_eq!(statement(&text).alone, Some(effect.clone()), "{text}");
        }
    }
    let other = statement("ALTER TABLE d.t ADD a INT").alone;
    assert_eq!(other, Some(ColumnExists { table: named("d", "t"), column: "a".into() }));
}

#[test]
fn statements_that_share_a_transaction() {
    let table = [
        "CREATE TEMPORARY TABLE a (b INT)",
        "CREATE OR REPLACE TEMPORARY TABLE a (b INT)",
        "DROP TEMPORARY TABLE IF EXISTS a",
        "INSERT INTO a VALUES ('CREATE TABLE b')",
        "REPLACE INTO a VALUES (1)",
        "WITH x AS (SELECT 1) SELECT * FROM x",
        "UPDATE a SET b = 1",
        "DELETE FROM a",
        "LOAD DATA INFILE 'x' INTO TABLE a",
        "SET @a = 1",
        "SET sql_mode = ''",
        "PREPARE s FROM 'SELECT 1'",
        "DEALLOCATE PREPARE s",
        "DROP PREPARE s",
        "SHOW CREATE TABLE a",
        "CHECKSUM TABLE a",
        "ANALYZE SELECT 1",
        "DO SLEEP(0)",
        "SET STATEMENT max_statement_time = 60 FOR INSERT INTO a VALUES (1)",
        "(SELECT 1) UNION (SELECT 2)",
        "TABLE a",
        "VALUES ROW(1)",
        "HANDLER a OPEN",
        "BEGIN NOT ATOMIC DECLARE n INT; FOR i IN 1..3 DO SET n = i; END FOR; IF n THEN DELETE FROM a; ELSE x: LOOP LEAVE x; END LOOP; END IF; END",
        "BEGIN NOT ATOMIC INSERT INTO a VALUES (1); UPDATE a SET b = 2; END",
        "BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR NOT FOUND, SQLSTATE '23000' SET @a = 1; SELECT 1; END",
        "/*!40101 SET NAMES utf8mb4 */",
    ];
    for text in table {
        assert_eq!(statement(text).alone, None, "{text}");
    }
}

#[test]
fn however_many_statements_surround_each_other_it_ends() {
    let deep = format!("{}SELECT 1", "SET STATEMENT a = 1 FOR ".repeat(30_000));
    assert_eq!(statement(&deep).alone, Some(Effect::Unknowable));
    let many = format!("SELECT 1 /*! {} */", "; SELECT 1".repeat(40_000));
    assert_eq!(statement(&many).alone, None);
}

#[test]
fn settings_that_can_be_repeated() {
    let steady = [
        "SET @a = 1",
        "SET @a := 'x', @b = @a, sql_mode = ''",
        "SET @OLD_UNIQUE_CHECKS = @@UNIQUE_CHECKS, UNIQUE_CHECKS = 0",
        "SET sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')",
        "SET NAMES utf8mb4",
        "SET @a = (1 + 2) * -3",
        "/*!40101 SET SQL_MODE = @OLD_SQL_MODE */",
    ];
    let fleeting = [
        "SET @n = (SELECT COUNT(*) FROM t)",
        "SET @x = f()",
        "SET @x = `f`(1)",
        "SET @a = 1, @b = NOW()",
        "SET @a = CURRENT_TIMESTAMP",
        "SET @id = LAST_INSERT_ID()",
        "SET @id = @@identity",
        "SET @s = NEXT VALUE FOR s",
        "SET PASSWORD = 'x'",
        "SELECT COUNT(*) INTO @n FROM t",
    ];
    for text in steady {
        assert_eq!(statement(text).session, Some(SessionChange::Setting), "{text}");
    }
    for text in fleeting {
        assert_eq!(statement(text).session, None, "{text}");
    }
}

#[test]
fn variables_that_are_given_and_needed() {
    let table: [(&str, &[&str], &[&str]); 16] = [
        ("SET @N = 1, @b = @n + @c", &["@n", "@b"], &["@c"]),
        ("SET @`a b` = @'x'", &["@a b"], &["@x"]),
        ("SET sql_mode = @old", &[], &["@old"]),
        ("SET SESSION sql_mode = (SELECT @m), @a = 1", &["@@sql_mode", "@a"], &["@m"]),
        ("SET @@session.x = f(), @@global.y = 1", &["@@x"], &[]),
        ("SELECT COUNT(*), 2 INTO @n, @m FROM t WHERE a = @b", &["@n", "@m"], &["@b"]),
        ("SELECT @a := @a + 1, @b := @a", &["@a", "@b"], &["@a"]),
        ("SET @c = @c + 1", &["@c"], &["@c"]),
        ("INSERT INTO t SELECT @a, @a FROM u", &[], &["@a"]),
        ("CALL p(@in, @out)", &["@in", "@out"], &["@in", "@out"]),
        ("EXECUTE s USING @a", &[], &["@a"]),
        ("GET DIAGNOSTICS CONDITION 1 @p1 = RETURNED_SQLSTATE", &["@p1"], &[]),
        ("LOAD DATA INFILE 'x' INTO TABLE t (a, @v) SET b = @v * @w", &["@v"], &["@w"]),
        ("GRANT SELECT ON t TO 'a'@'localhost', b@c", &[], &[]),
        ("CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = @b", &[], &[]),
        ("SELECT '@a', @@version", &[], &[]),
    ];
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (text, sets, reads) in table {
        let found = statement(text).variables;
        assert_eq!((found.sets, found.reads), (owned(sets), owned(reads)), "{text}");
    }
}

#[test]
fn a_value_that_a_new_session_lacks_is_found() {
    let lost = |text: &str, done| {
        let statements = split(Provider::MySql, "f", text).unwrap();
        let found = Script { file: "f".into(), statements }.lost_value(done);
        found.map(|lost| (lost.variable, lost.given, lost.needed))
    };
    let at = |variable: &str, given, needed| Some((variable.to_owned(), given, needed));
    let count = "SET @n = (SELECT COUNT(*) FROM t); ";
    assert_eq!(lost(&format!("{count}ALTER TABLE t ADD a INT; INSERT INTO u VALUES (@n)"), 2), at("@n", 0, 2));
    assert_eq!(lost(&format!("{count}ALTER TABLE t ADD a INT; INSERT INTO u VALUES (1)"), 2), None);
    assert_eq!(lost(&format!("{count}SET @n = 1; INSERT INTO u VALUES (@n)"), 1), None, "it gets another");
    assert_eq!(lost(&format!("{count}SET @n = 1; INSERT INTO u VALUES (@n)"), 2), None, "it has got another");
    assert_eq!(lost(&format!("{count}SET @m = @n; SELECT @m"), 2), at("@@", 1, 2));
    assert_eq!(lost("SELECT MAX(a) INTO @n FROM t; SELECT 1; SET @m = @n + 1", 1), at("@n", 0, 2));
    assert_eq!(lost("SET SESSION sql_mode = f(); SELECT 1", 1), at("@@sql_mode", 0, 1));
    assert_eq!(lost("SET @a = 1; SET @b = @a; SELECT @b", 2), None, "these are made again");
}

#[test]
fn tables() {
    use TableChange::*;
    let table = [
        ("CREATE TABLE Foo (a INT)", vec![Created(bare("Foo"))]),
        ("CREATE OR REPLACE TABLE IF NOT EXISTS `d`.`Foo` (a INT)", vec![Created(named("d", "Foo"))]),
        ("CREATE TABLE \"a\" (b INT)", vec![]),
        ("CREATE TEMPORARY TABLE a (b INT)", vec![]),
        ("CREATE VIEW a AS SELECT 1", vec![]),
        ("DROP TABLE IF EXISTS a, `d`.`b`", vec![Dropped(bare("a")), Dropped(named("d", "b"))]),
        ("DROP TEMPORARY TABLE a", vec![]),
        ("RENAME TABLE a TO b, b NOWAIT TO c", vec![Renamed(bare("a"), bare("b")), Renamed(bare("b"), bare("c"))]),
        ("RENAME USER a TO b", vec![]),
        ("ALTER TABLE a RENAME TO b", vec![Renamed(bare("a"), bare("b"))]),
        ("ALTER TABLE a ADD c INT, RENAME d.b", vec![Renamed(bare("a"), named("d", "b"))]),
        ("ALTER TABLE a RENAME COLUMN b TO c", vec![]),
        ("ALTER TABLE a RENAME KEY b TO c", vec![]),
        ("CREATE PROCEDURE p() DROP TABLE a", vec![]),
        ("/*!50001 CREATE TABLE a (b INT) */", vec![Created(bare("a"))]),
    ];
    for (text, changes) in table {
        assert_eq!(statement(text).tables, changes, "{text}");
    }
}

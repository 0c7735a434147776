use super::super::split;
use crate::domain::Provider;

fn mysql(text: &str) -> Vec<String> {
    match split(Provider::MySql, "f.sql", text) {
        Ok(statements) => statements.into_iter().map(|statement| statement.sql).collect(),
        Err(problems) => panic!("{text}\n{problems:?}"),
    }
}

fn faults(text: &str) -> Vec<String> {
    let problems = split(Provider::MySql, "f.sql", text).expect_err(text);
    problems.into_iter().map(|each| format!("{}:{} {}", each.line, each.column, each.message)).collect()
}

#[test]
fn quotes_and_comments() {
    let table = [
        ("", vec![]),
        (" ;;\n; -- x\n;/* y */ # z", vec![]),
        ("a;b", vec!["a", "b"]),
        (r"'\';';b", vec![r"'\';'", "b"]),
        (r#""\";";b"#, vec![r#""\";""#, "b"]),
        (r"'\\';b", vec![r"'\\'", "b"]),
        (r"'a'';''b';c", vec![r"'a'';''b'", "c"]),
        (r#""a"";""b";c"#, vec![r#""a"";""b""#, "c"]),
        (r#"'a";"';"b';'";c"#, vec![r#"'a";"'"#, r#""b';'""#, "c"]),
        (r"`a\`;`b``;c`;d", vec![r"`a\`", "`b``;c`", "d"]),
        (r"N'\';';_utf8mb4'\';';x'41';b", vec![r"N'\';'", r"_utf8mb4'\';'", "x'41'", "b"]),
        ("a # it's; \n;b", vec!["a", "b"]),
        ("a -- it's; \n;b", vec!["a", "b"]),
        ("a --\n;b", vec!["a", "b"]),
        ("a --\t';\n;b", vec!["a", "b"]),
        ("SELECT 5--3;b", vec!["SELECT 5--3", "b"]),
        ("SELECT 5--'a;b';c", vec!["SELECT 5--'a;b'", "c"]),
        ("--no blank, but at the beginning;\na;b", vec!["a", "b"]),
        ("a -- last", vec!["a"]),
        ("/* it's; */ a /* /* ; */;b", vec!["a", "b"]),
        ("SELECT /*+ MAX_EXECUTION_TIME(1000) */ 1;b", vec!["SELECT /*+ MAX_EXECUTION_TIME(1000) */ 1", "b"]),
        ("(a;b)", vec!["(a", "b)"]),
        (r"SELECT \N;b", vec![r"SELECT \N", "b"]),
        ("$$;$$", vec!["$$", "$$"]),
        ("a'//'; b // c; d", vec!["a'//'", "b // c", "d"]),
        ("zażółć;'gęślą;';x", vec!["zażółć", "'gęślą;'", "x"]),
        ("'\\ż;';x", vec!["'\\ż;'", "x"]),
    ];
    for (text, expected) in table {
        assert_eq!(mysql(text), expected, "{text:?}");
    }
}

#[test]
fn conditional_comments_belong_to_the_statement() {
    let whole = [
        "/*!40101 SET NAMES utf8mb4 */",
        "/*!40101 SET @a='*/;', b=\";\" */",
        "/*!50003 SET a=1; SET b=2; */",
        "CREATE /*!32312 IF NOT EXISTS */ TABLE a (b INT) /*!50100 PARTITION BY HASH (b) */",
        "/*M!100100 SET a=1 */",
        "/*! SET a=1 /* it's; */ */",
        "SELECT 1 /*!99999 it's; */",
        "/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN SET @a=1; END */",
    ];
    for text in whole {
        let text = text.replace(" /*!99999 it's; */", "");
        assert_eq!(mysql(&format!("{text};\nb;")), [text.as_str(), "b"]);
        assert_eq!(mysql(&text), [text.as_str()]);
    }
    assert_eq!(mysql("/*!50000 */; /*!50000;*/; a"), ["a"]);
    assert_eq!(mysql("/*M!999999\\- enable the sandbox mode */ \n-- x\na;b"), ["a", "b"]);
    assert_eq!(mysql("a /*!99999 it's; */ b; c"), ["a /*!99999 it's; */ b", "c"]);
    assert_eq!(mysql("/*M c */ a;"), ["a"]);
    assert_eq!(faults("a;\n/*!50003 b"), ["2:1 the conditional comment that begins here is never closed"]);
    assert_eq!(faults("a /*!50003 'b */"), ["1:12 the string that begins here is never closed"]);
}

#[test]
fn delimiters_as_the_client_has_them() {
    let table = [
        ("DELIMITER //\na; b;//\nc//\nDELIMITER ;\nd;e", vec!["a", "b", "c", "d", "e"]),
        (
            "delimiter $$\nCREATE PROCEDURE p() BEGIN a; b; END$$\nDelimiter ;\nc;",
            vec!["CREATE PROCEDURE p() BEGIN a; b; END", "c"],
        ),
        (
            "DELIMITER $$\nCREATE PROCEDURE p()\nBEGIN\n a;\nEND;\n$$\nDELIMITER ;\nc;",
            vec!["CREATE PROCEDURE p()\nBEGIN\n a;\nEND", "c"],
        ),
        (
            "DELIMITER ;;\n/*!50003 CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN b; END */;;\nDELIMITER ;\nc",
            vec!["/*!50003 CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW BEGIN b; END */", "c"],
        ),
        (
            "DELIMITER ^\nCREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @a = 1; ^\nb^",
            vec!["CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @a = 1", "b"],
        ),
        (
            "  DELIMITER '@@'\na@@b@@\nDELIMITER \"x y\"\nc x y dx y\nDELIMITER `;`\ne;f",
            vec!["a", "b", "c", "d", "e", "f"],
        ),
        ("DELIMITER //   trailing words\na//b", vec!["a", "b"]),
        ("DELIMITER //\t\na//b", vec!["a", "b"]),
        ("DELIMITER go\nCREATE TABLE t (a INT) go\nb\ngo", vec!["CREATE TABLE t (a INT)", "b"]),
        ("DELIMITER //\na '//' `//` \"//\" /* // */ b -- //\n//c", vec!["a '//' `//` \"//\" /* // */ b", "c"]),
        ("DELIMITER $\na$b$", vec!["a", "b"]),
        ("DELIMITER #\na#b", vec!["a", "b"]),
        ("DELIMITER --\na--b", vec!["a", "b"]),
        (
            "DELIMITER //\nDROP PROCEDURE IF EXISTS p; CREATE PROCEDURE p() SELECT 1; //",
            vec!["DROP PROCEDURE IF EXISTS p", "CREATE PROCEDURE p() SELECT 1"],
        ),
        ("DELIMITER //\n-- c\nDELIMITER ;\na;b", vec!["a", "b"]),
        ("DELIMITER D\nDELIMITER ;\na;b", vec!["a", "b"]),
        ("DELIMITER //\n//\n//\na", vec!["a"]),
        ("SELECT a\nDELIMITER, b;c", vec!["SELECT a\nDELIMITER, b", "c"]),
        (
            "DELIMITER //\r\nCREATE PROCEDURE p() BEGIN a; END//\r\nDELIMITER ;\r\nb;",
            vec!["CREATE PROCEDURE p() BEGIN a; END", "b"],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(mysql(text), expected, "{text:?}");
    }
    assert_eq!(
        faults("DELIMITER\nDELIMITER \\\\\nDELIMITER 1234567890123456\nDELIMITER//\na; DELIMITER //\nb"),
        [
            "1:1 DELIMITER names no delimiter",
            "2:1 a delimiter can't have a backslash",
            "3:1 this delimiter has more than 15 bytes",
            "4:1 DELIMITER is not followed by a space",
            "5:4 DELIMITER does not stand at the beginning of its line",
        ]
    );
}

#[test]
fn bodies_stay_whole_without_a_delimiter() {
    let whole = [
        "CREATE PROCEDURE p() BEGIN END",
        "CREATE PROCEDURE p() SELECT 1",
        "CREATE PROCEDURE p() COMMENT 'BEGIN' NOT DETERMINISTIC SQL SECURITY INVOKER BEGIN SELECT 1; END",
        "create definer = `a`@`b` procedure if not exists d.p(in begin int, out `end` int) begin select 1; end",
        "CREATE DEFINER=root@localhost PROCEDURE p() BEGIN SELECT 1; END",
        "CREATE DEFINER = CURRENT_USER() PROCEDURE p() BEGIN SELECT 1; END",
        "CREATE OR REPLACE DEFINER='a'@'%' AGGREGATE FUNCTION f(x INT) RETURNS INT BEGIN DECLARE s INT DEFAULT 0; LOOP FETCH GROUP NEXT ROW; END LOOP; END",
        "CREATE PROCEDURE p() BEGIN IF a THEN b; ELSEIF c THEN d; ELSE BEGIN e; END; END IF; f; END",
        "CREATE PROCEDURE p() BEGIN CASE a WHEN 1 THEN b; WHEN 2 THEN c; ELSE BEGIN END; END CASE; d; END",
        "CREATE PROCEDURE p() BEGIN CASE WHEN CASE a WHEN 1 THEN 2 END = 1 THEN b; END CASE; END",
        "CREATE PROCEDURE p() BEGIN l: LOOP IF x THEN LEAVE l; END IF; END LOOP l; END",
        "CREATE PROCEDURE p() l: BEGIN WHILE a DO b; END WHILE; REPEAT c; UNTIL d > (CASE e WHEN 1 THEN 2 END) END REPEAT; f; END l",
        "CREATE PROCEDURE p() `l`: LOOP a; LEAVE `l`; END LOOP",
        "CREATE PROCEDURE p() IF a THEN b; c; END IF",
        "CREATE PROCEDURE p() WHILE a DO b; c; END WHILE",
        "CREATE PROCEDURE p() REPEAT b; UNTIL c END REPEAT",
        "CREATE PROCEDURE p() CASE a WHEN 1 THEN b; ELSE c; END CASE",
        "CREATE PROCEDURE p() SELECT IF(a, b, c), REPEAT('x', 3), CASE WHEN 1 THEN 2 END",
        "CREATE PROCEDURE p() BEGIN SELECT IF(a, b, c), REPEAT('x', 3); DROP TABLE IF EXISTS t; SET a = CASE WHEN b THEN 1 ELSE 2 END; END",
        "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END; START TRANSACTION; COMMIT; END",
        "CREATE PROCEDURE p() BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND, SQLSTATE VALUE '42S02', 1062, x SET done = 1; a; END",
        "CREATE PROCEDURE p() BEGIN DECLARE UNDO HANDLER FOR SQLSTATE '42S02' IF a THEN b; END IF; c; END",
        "CREATE PROCEDURE p() BEGIN DECLARE c CURSOR FOR SELECT CASE a WHEN 1 THEN 2 END FROM t FOR UPDATE; OPEN c; END",
        "CREATE PROCEDURE p() BEGIN INSERT INTO t (begin, end) VALUES (1, 2); SELECT begin, end FROM t; END",
        "CREATE TRIGGER t BEFORE UPDATE ON a FOR EACH ROW BEGIN SET NEW.d = CASE WHEN NEW.end > NEW.begin THEN NEW.end ELSE @end END; END",
        "CREATE PROCEDURE p() BEGIN FOR i IN 1..10 DO a; END FOR; FOR r IN (SELECT 1 FOR UPDATE) DO b; END FOR; END",
        "CREATE PROCEDURE p() BEGIN -- it's; END\n SELECT 'END;'; # END;\n /* END; */ END",
        "CREATE FUNCTION f(a INT) RETURNS INT RETURN CASE WHEN a THEN 1 ELSE 2 END",
        "CREATE FUNCTION f(a INT) RETURNS CHAR(10) CHARACTER SET utf8mb4 DETERMINISTIC RETURN CONCAT(a, ';')",
        "CREATE FUNCTION IF NOT EXISTS f() RETURNS SET('a','b') READS SQL DATA BEGIN RETURN 'a'; END",
        "CREATE FUNCTION f() RETURNS INT l: BEGIN RETURN 1; END l",
        "CREATE FUNCTION f() RETURNS INT IF a THEN RETURN 1; ELSE RETURN 2; END IF",
        "CREATE FUNCTION f RETURNS STRING SONAME 'x.so'",
        "CREATE FUNCTION f(a INT) RETURNS INT LANGUAGE JAVASCRIPT AS $$ return \"it's;\" + a; $$",
        "CREATE PROCEDURE p() LANGUAGE JAVASCRIPT AS $js$ f('$$;'); $js$",
        "CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW INSERT INTO b VALUES (NEW.c)",
        "CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW FOLLOWS u BEGIN a; END",
        "CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW PRECEDES `u` IF NEW.a THEN SET @b = 1; END IF",
        "CREATE TRIGGER t AFTER DELETE ON a FOR EACH ROW l: BEGIN a; END l",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS NOW() + INTERVAL 1 HOUR DO BEGIN a; b; END",
        "CREATE EVENT IF NOT EXISTS e ON SCHEDULE AT NOW() ON COMPLETION NOT PRESERVE COMMENT 'DO;' DO DELETE FROM t",
        "ALTER EVENT e ON SCHEDULE EVERY 2 DAY DO BEGIN a; b; END",
        "ALTER EVENT e DISABLE",
        "ALTER PROCEDURE p COMMENT 'x'",
        "BEGIN NOT ATOMIC IF a THEN SELECT 1; END IF; END",
        "l: BEGIN NOT ATOMIC BEGIN a; END; END l",
        "IF (SELECT 1) THEN a; b; END IF",
        "FOR i IN 1..3 DO INSERT INTO t VALUES (i); END FOR",
    ];
    for text in whole {
        assert_eq!(mysql(&format!("{text} ;\nb;")), [text, "b"]);
        assert_eq!(mysql(text), [text]);
        assert_eq!(mysql(&format!("DELIMITER //\n{text} //\nb//")), [text, "b"]);
        assert_eq!(mysql(&format!("DELIMITER //\n{text};\n//\nb//")), [text, "b"]);
    }
    let plain = [
        "CREATE TABLE begin (end INT)",
        "CREATE VIEW v AS SELECT CASE WHEN 1 THEN 2 END",
        "CREATE TABLE t (a INT) COMMENT 'PROCEDURE'",
        "DROP PROCEDURE IF EXISTS p",
        "SHOW CREATE PROCEDURE p",
        "SELECT CASE WHEN 1",
        "ALTER TABLE begin ADD end INT",
        "INSERT INTO begin VALUES (1)",
    ];
    for text in plain {
        assert_eq!(mysql(&format!("{text};b")), [text, "b"]);
    }
}

#[test]
fn a_body_without_its_end_is_named() {
    let text = "a;\nCREATE PROCEDURE p()\nBEGIN\n IF a THEN b;\nEND;";
    assert_eq!(faults(text), ["3:1 the body that begins here never ends"]);
}

#[test]
fn commands_of_the_client_are_refused() {
    let commands = [
        "source a.sql",
        "\\. a.sql",
        "use shop",
        "USE `shop`;",
        "SELECT 1\\G",
        "SELECT 1 \\g",
        "\\u shop",
        "status;",
        "system ls",
        "\\! ls",
        "tee x",
        "connect",
        "quit",
        "HELP 'x'",
        "warnings;",
    ];
    for text in commands {
        let found = faults(&format!("a;\n{text}\nb;"));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].contains("is a command of the mysql client"), "{found:?}");
    }
    assert_eq!(mysql("SELECT source, `use` FROM status; b"), ["SELECT source, `use` FROM status", "b"]);
}

#[test]
fn statements_that_are_not_branchkeepers_are_refused() {
    let refused = [
        "BEGIN",
        "BEGIN WORK",
        "START TRANSACTION READ ONLY",
        "COMMIT",
        "COMMIT AND CHAIN",
        "ROLLBACK",
        "ROLLBACK TO a",
        "SAVEPOINT a",
        "RELEASE SAVEPOINT a",
        "XA START 'x'",
        "XA COMMIT 'x'",
        "SET autocommit=0",
        "set @@autocommit = 1",
        "SET SESSION autocommit := 0",
        "SET @@session.autocommit=0",
        "SET a=1, autocommit=0",
        "LOCK TABLES a WRITE",
        "LOCK TABLE a READ",
        "UNLOCK TABLES",
        "FLUSH TABLES WITH READ LOCK",
        "FLUSH LOCAL TABLES a, b FOR EXPORT",
        "LOAD DATA LOCAL INFILE 'x' INTO TABLE a",
        "LOAD DATA LOW_PRIORITY LOCAL INFILE 'x' INTO TABLE a",
        "LOAD XML LOCAL INFILE 'x' INTO TABLE a",
        "SET sql_mode='ANSI_QUOTES'",
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ansi_quotes'",
        "SET sql_mode = ANSI",
        "SET @@sql_mode=CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')",
        "SET GLOBAL sql_mode=4",
        "/*!40101 SET @old=@@sql_mode, sql_mode='ORACLE' */",
        "SET STATEMENT sql_mode='ANSI_QUOTES' FOR SELECT 1",
        "SET STATEMENT max_statement_time=1 FOR COMMIT",
        "SET STATEMENT max_statement_time=1 FOR LOCK TABLES t WRITE",
        "SET NAMES latin1",
        "SET CHARACTER SET gbk",
        "SET @@character_set_client = latin1",
        "SELECT RELEASE_ALL_LOCKS()",
        "/*!50003 COMMIT */",
        "BEGIN NOT ATOMIC INSERT INTO a VALUES (1); COMMIT; END",
        "BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR SQLEXCEPTION ROLLBACK; INSERT INTO a VALUES (1); END",
        "BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR SQLSTATE VALUE '42000', NOT FOUND, 1062 COMMIT; SELECT 1; END",
        "BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR oops START TRANSACTION; SELECT 1; END",
        "IF a THEN ROLLBACK; END IF",
    ];
    for text in refused {
        assert_eq!(faults(&format!("a;\n /* c */ {text};")).len(), 1, "{text}");
    }
    let fine = [
        "SET sql_mode='STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO'",
        "SET @autocommit=1",
        "SET @m='ANSI_QUOTES'",
        "SET SQL_MODE=@OLD_SQL_MODE",
        "SET sql_mode=2",
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
        "SET NAMES 'utf8'",
        "SET character_set_client = @saved",
        "SET character_set_client = utf8mb4",
        "LOAD DATA INFILE 'local' INTO TABLE a",
        "FLUSH TABLES a",
        "SELECT 1 AS commit",
        "`BEGIN`",
        "DO RELEASE_LOCK('x')",
        "SET TRANSACTION READ ONLY",
        "CREATE PROCEDURE p() BEGIN START TRANSACTION; COMMIT; END",
        "SET a=1",
        "BEGIN NOT ATOMIC DECLARE commit INT; SELECT commit; END",
    ];
    for text in fine {
        assert_eq!(mysql(text), [text]);
    }
}

#[test]
fn places_point_at_the_first_character() {
    let text = "# head\nDELIMITER //\n\n  żółw a\n b//c // /* ; */\n\t//\n  /*!50000 d */";
    let statements = split(Provider::MySql, "f", text).unwrap();
    let places: Vec<_> = statements.iter().map(|each| (each.line, each.column)).collect();
    assert_eq!(places, [(4, 3), (5, 5), (7, 3)]);
    assert_eq!(split(Provider::MySql, "f", &text.replace('\n', "\r\n")).unwrap(), statements);
}

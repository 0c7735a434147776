use super::split;
use crate::domain::{Effect, ObjectName, Provider, Statement, TableChange};

fn statements(text: &str) -> Vec<Statement> {
    split(Provider::SqlServer, "f.sql", text).unwrap_or_else(|problems| panic!("{text}\n{problems:?}"))
}

fn batches(text: &str) -> Vec<String> {
    statements(text).into_iter().map(|statement| statement.sql).collect()
}

fn batch(text: &str) -> Statement {
    let mut statements = statements(text);
    assert_eq!(statements.len(), 1, "{text}");
    statements.remove(0)
}

fn faults(text: &str) -> Vec<String> {
    let problems = split(Provider::SqlServer, "f.sql", text).expect_err(text);
    problems.into_iter().map(|each| format!("{}:{} {}", each.line, each.column, each.message)).collect()
}

fn named(schema: &str, name: &str) -> ObjectName {
    ObjectName { schema: Some(schema.into()), name: name.into() }
}

fn bare(name: &str) -> ObjectName {
    ObjectName::bare(name)
}

#[test]
fn batches_end_at_lines_with_go() {
    let table = [
        ("", vec![]),
        ("GO\n;\nGO\n-- c\ngo", vec![]),
        ("a; b\nGO\nc", vec!["a; b", "c"]),
        ("a\ngo\nb\nGo\nc\ngO\n", vec!["a", "b", "c"]),
        ("a\n \t GO \t \nb", vec!["a", "b"]),
        ("a\n\u{b}GO\u{c}\nb", vec!["a", "b"]),
        ("a\r\nGO\r\nb", vec!["a", "b"]),
        ("a\nGO -- c\nb\nGO--c\nc", vec!["a", "b", "c"]),
        ("a\n/*c*/GO--c\nb\n/* c */ GO /* d */\nc", vec!["a", "b", "c"]),
        ("a\n/* c\n */ GO\nb", vec!["a", "b"]),
        ("a\nGO /* c\n GO */\nb", vec!["a", "b"]),
        ("a\nGO 3\nb", vec!["a", "a", "a", "b"]),
        ("a\nGO/**/2--c\nb", vec!["a", "a", "b"]),
        ("GO 3\na", vec!["a"]),
        ("a 'x\nGO\n' b\nGO\nc", vec!["a 'x\nGO\n' b", "c"]),
        ("a 'it''s\nGO\n'\nGO\nc", vec!["a 'it''s\nGO\n'", "c"]),
        ("a '\\'\nGO\nb", vec!["a '\\'", "b"]),
        ("a \"x\nGO\n\"\nGO\nc", vec!["a \"x\nGO\n\"", "c"]),
        ("a [x\nGO\n]]\nGO\n]\nGO\nc", vec!["a [x\nGO\n]]\nGO\n]", "c"]),
        ("a /* it's /*\nGO\n*/\nGO\n*/ b\nGO\nc", vec!["a /* it's /*\nGO\n*/\nGO\n*/ b", "c"]),
        ("/* it's */ a\nGO\nb", vec!["a", "b"]),
        ("a -- it's\nGO\nb", vec!["a", "b"]),
        ("SELECT 1 AS go\nFROM go\nGO\nb", vec!["SELECT 1 AS go\nFROM go", "b"]),
        ("SELECT\ngo.Id,\nGO_1 FROM go\nWHERE\ngo=1", vec!["SELECT\ngo.Id,\nGO_1 FROM go\nWHERE\ngo=1"]),
        ("a\nGOTO x\nGO", vec!["a\nGOTO x"]),
        ("a\n@go\n#go\nGO5", vec!["a\n@go\n#go\nGO5"]),
        (
            "MERGE t USING s ON a = b WHEN MATCHED THEN DELETE;\nGO",
            vec!["MERGE t USING s ON a = b WHEN MATCHED THEN DELETE;"],
        ),
        (
            "CREATE PROCEDURE p AS\nBEGIN TRAN; COMMIT;\nGO\nEXEC p",
            vec!["CREATE PROCEDURE p AS\nBEGIN TRAN; COMMIT;", "EXEC p"],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(batches(text), expected, "{text:?}");
    }
    let places: Vec<_> = statements("-- head\n\n  żółw\nGO 2\n/* c\n*/ b").iter().map(|s| (s.line, s.column)).collect();
    assert_eq!(places, [(3, 3), (3, 3), (6, 4)]);
}

#[test]
fn a_spoilt_go_is_named() {
    let table = [
        ("a\nGO;\nb", "2:1 'GO;' is a command of sqlcmd"),
        ("a\n  GO 0\nb", "2:3 'GO 0' is a command of sqlcmd"),
        ("a\nGO SELECT 1", "2:1 'GO SELECT 1' is a command of sqlcmd"),
        ("a\nGO 5 6", "2:1 'GO 5 6' is a command of sqlcmd"),
        ("a\nGO 99999999999", "2:1 'GO 99999999999' is a command of sqlcmd"),
    ];
    for (text, expected) in table {
        assert_eq!(faults(text), [expected]);
    }
    assert_eq!(faults("a\nGO 300000"), ["1:1 a batch that is repeated 300000 times is too much for one migration"]);
    let long = format!("SELECT '{}'\nGO 1000", "x".repeat(100_000));
    assert_eq!(faults(&long), ["1:1 a batch that is repeated 1000 times is too much for one migration"]);
    assert_eq!(faults("a\nGO 150000\nb\nGO 150000"), ["0:0 has more than 200000 statements"]);
}

#[test]
fn what_is_never_closed_is_named_where_it_begins() {
    let table = [
        ("a\nGO\n b 'c\nGO", "3:4 the string that begins here is never closed"),
        ("a [b]]\nGO", "1:3 the bracketed name that begins here is never closed"),
        ("a \"b\nGO", "1:3 the quoted name that begins here is never closed"),
        ("/* /* */ a\nGO", "1:1 the comment that begins here is never closed"),
    ];
    for (text, expected) in table {
        assert_eq!(faults(text), [expected]);
    }
}

#[test]
fn commands_of_sqlcmd_are_refused() {
    for text in [":r other.sql", "  :setvar x 1", ":on error exit", "!!dir", ":CONNECT x"] {
        assert_eq!(faults(&format!("a\nGO\n{text}\nGO\nb")).len(), 1, "{text}");
    }
    for text in
        ["USE [$(DatabaseName)]", "SELECT $(x)", "SELECT '$(a-b)'", "CREATE TABLE a$(x) (b int)", "PRINT N'x$(y)'"]
    {
        let found = faults(text);
        assert!(found[0].contains("variables are not filled in"), "{found:?}");
    }
    for fine in [
        "SELECT $1.5, $(1+1), $ (x)",
        "SELECT '$(''a'')', '$', '$()', 'a:r'",
        "GRANT SELECT ON SCHEMA::dbo TO x",
        "SELECT a\n::b",
    ] {
        assert_eq!(batches(fine), [fine]);
    }
}

#[test]
fn batches_that_are_not_branchkeepers_are_refused() {
    let refused = [
        "BEGIN TRAN",
        "begin transaction x",
        "BEGIN DISTRIBUTED TRAN",
        "COMMIT",
        "COMMIT TRANSACTION",
        "ROLLBACK",
        "SAVE TRAN x",
        "SET IMPLICIT_TRANSACTIONS ON",
        "USE shop",
        "USE [shop];",
        "IF 1 = 1 BEGIN BEGIN TRAN; UPDATE a SET b = 1; COMMIT END",
        "BEGIN TRY UPDATE a SET b = 1 END TRY BEGIN CATCH ROLLBACK END CATCH",
    ];
    for text in refused {
        assert_eq!(faults(&format!("a\nGO\n/* c */ SELECT 1; {text}\nGO\n")).len(), 1, "{text}");
    }
    let fine = [
        "BEGIN SELECT 1 END",
        "BEGIN TRY SELECT 1 END TRY BEGIN CATCH THROW END CATCH",
        "SELECT [commit], \"rollback\", 'BEGIN TRAN' FROM a -- COMMIT\n WHERE b = 1",
        "SELECT 1 OPTION (USE HINT ('x'), RECOMPILE)",
        "SET IMPLICIT_TRANSACTIONS OFF",
        "CREATE TRIGGER t ON a AFTER INSERT AS ROLLBACK",
        "CREATE OR ALTER PROC p AS BEGIN TRAN COMMIT",
        "ALTER FUNCTION f() RETURNS int AS BEGIN RETURN 1 END",
    ];
    for text in fine {
        assert_eq!(batches(text), [text]);
    }
}

#[test]
fn batches_that_refuse_a_transaction() {
    use Effect::*;
    let table = [
        ("CREATE DATABASE [my shop] COLLATE Latin1_General_CI_AS;", Some(DatabaseExists("my shop".into()))),
        ("DROP DATABASE IF EXISTS [a]]b]", Some(DatabaseGone("a]b".into()))),
        ("DROP DATABASE a, b", Some(Unknowable)),
        ("SELECT 1; CREATE DATABASE a", Some(Unknowable)),
        ("CREATE DATABASE a; SELECT 1", Some(Unknowable)),
        ("IF DB_ID('a') IS NULL CREATE DATABASE a", Some(Unknowable)),
        ("ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON", Some(Idempotent)),
        ("ALTER DATABASE a MODIFY NAME = b", Some(Unknowable)),
        ("BACKUP DATABASE a TO DISK = 'x'", Some(Idempotent)),
        ("RESTORE DATABASE a FROM DISK = 'x'", Some(Unknowable)),
        ("CREATE FULLTEXT CATALOG c", Some(Unknowable)),
        ("ALTER FULLTEXT INDEX ON a ENABLE", Some(Unknowable)),
        ("DROP FULLTEXT INDEX ON a", Some(Unknowable)),
        ("EXEC sp_configure 'x', 1; RECONFIGURE", Some(Unknowable)),
        ("RECONFIGURE WITH OVERRIDE", Some(Idempotent)),
        ("KILL 53", Some(Unknowable)),
        ("CREATE INDEX i ON t (a) WITH (ONLINE = ON, RESUMABLE = ON)", Some(Unknowable)),
        ("CREATE INDEX i ON t (a) WITH (ONLINE = ON, RESUMABLE = OFF)", None),
        ("CREATE TABLE a (b int)", None),
        ("CREATE DATABASE SCOPED CREDENTIAL c WITH IDENTITY = 'x'", None),
        ("CREATE PROCEDURE p AS CREATE DATABASE a", None),
        ("EXEC('CREATE DATABASE a')", None),
        ("GRANT BACKUP DATABASE, CREATE DATABASE TO a WITH GRANT OPTION", None),
        ("DENY BACKUP LOG TO a; KILL 5", Some(Unknowable)),
    ];
    for (text, effect) in table {
        assert_eq!(batch(text).alone, effect, "{text}");
    }
}

#[test]
fn tables() {
    use TableChange::*;
    let table = [
        ("CREATE TABLE Foo (a int)", vec![Created(bare("Foo"))]),
        (
            "CREATE TABLE [dbo].[a]]b] (c int); CREATE TABLE \"d\" (e int)",
            vec![Created(named("dbo", "a]b")), Created(bare("d"))],
        ),
        ("IF OBJECT_ID('a') IS NULL CREATE TABLE shop.dbo.a (b int)", vec![Created(named("dbo", "a"))]),
        ("CREATE TABLE #a (b int); CREATE TABLE ##c (d int); DROP TABLE #a", vec![]),
        ("DECLARE @a TABLE (b int)", vec![]),
        ("DROP TABLE IF EXISTS a, dbo.b", vec![Dropped(bare("a")), Dropped(named("dbo", "b"))]),
        ("EXEC sp_rename 'dbo.a', 'b'", vec![Renamed(named("dbo", "a"), named("dbo", "b"))]),
        (
            "EXECUTE sys.sp_rename @objname = N'[a b]', @newname = N'c', @objtype = 'OBJECT'",
            vec![Renamed(bare("a b"), bare("c"))],
        ),
        ("EXEC sp_rename 'a.b', 'c', 'COLUMN'", vec![]),
        ("EXEC sp_rename 'a', @x", vec![]),
        ("GRANT CREATE TABLE TO a; CREATE TABLE b (c int)", vec![Created(bare("b"))]),
        ("ALTER SCHEMA s TRANSFER dbo.a", vec![Renamed(named("dbo", "a"), named("s", "a"))]),
        ("ALTER SCHEMA s TRANSFER OBJECT::dbo.a", vec![Renamed(named("dbo", "a"), named("s", "a"))]),
        ("ALTER SCHEMA s TRANSFER TYPE::dbo.a", vec![]),
        ("CREATE PROCEDURE p AS CREATE TABLE a (b int)", vec![]),
        ("SELECT 'CREATE TABLE a' -- DROP TABLE a\n", vec![]),
    ];
    for (text, changes) in table {
        assert_eq!(batch(text).tables, changes, "{text}");
    }
}

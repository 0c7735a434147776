use super::deeds::deeds;
use crate::provider::deeds::Deeds;

fn body(text: &str) -> Deeds {
    let mut found = deeds(&format!("CREATE PROCEDURE dbo.p @a int AS\n{text}"));
    assert_eq!((found.makes.len(), &*found.makes[0].0, found.ends), (1, "p", false), "{text}");
    found.makes.remove(0).1
}

#[test]
fn what_ends_a_transaction_is_seen() {
    for text in [
        "COMMIT",
        "BEGIN TRAN; INSERT t VALUES (1); commit transaction",
        "INSERT t VALUES (8) ROLLBACK INSERT t VALUES (9)",
        "IF @@TRANCOUNT > 0 Rollback Tran",
        "SAVE TRAN a ROLLBACK TRAN b",
        "ROLLBACK TRAN a; SAVE TRAN a",
        "EXEC (@sql)",
        "EXEC ('SELECT 1' + @sql)",
        "EXEC ('SELECT ' + QUOTENAME(@a, ''''))",
        "EXEC(N'COMMIT')",
        "EXEC('EXEC(''ROLLBACK'')')",
        "EXEC ('SELECT 1') AT server",
        "EXECUTE sp_executesql @sql",
        "EXEC sys.sp_executesql @stmt = N'SELECT 1; COMMIT', @params = N''",
        "EXEC @procedure",
        "EXEC @result = @procedure",
        "EXEC other.dbo.p",
        "EXEC other..p",
        "EXEC p;2",
        "EXEC master..xp_cmdshell 'x'",
    ] {
        assert!(body(text).ends, "{text}");
    }
    assert!(deeds("SELECT 'never closed").ends);
}

#[test]
fn what_leaves_a_transaction_open_is_left_alone() {
    for text in [
        "BEGIN TRAN",
        "-- COMMIT\nSELECT 1 /* ROLLBACK /* COMMIT */ EXEC(@x) */",
        "SELECT 'COMMIT', N'it''s ROLLBACK', [commit], \"rollback\", [a]]ROLLBACK]",
        "SELECT commits, rollback_at, @commit FROM t",
        "SAVE TRANSACTION A; ROLLBACK TRAN a",
        "SAVE TRAN @s ROLLBACK TRANSACTION @s",
        "GRANT SELECT, EXECUTE ON p TO somebody",
        "GRANT EXECUTE, SELECT ON SCHEMA::dbo TO somebody",
        "EXECUTE AS OWNER",
        "EXEC('SELECT ''COMMIT''')",
        "EXEC(N'ALTER TABLE [t] DROP CONSTRAINT [' + @name + '];')",
        "EXEC('ALTER TABLE t DROP CONSTRAINT ' + QUOTENAME(@name))",
        "EXEC sp_executesql N'SELECT @a', N'@a int', @a = 1",
        "EXEC @result = sp_rename 'a', 'b'",
        "EXEC sys.sp_addextendedproperty N'MS_Description', N'COMMIT'",
    ] {
        let found = body(text);
        assert!(!found.ends && found.calls.is_empty(), "{text}: {found:?}");
    }
}

#[test]
fn calls_are_found() {
    for (text, calls) in [
        ("EXEC dbo.[Q] 1", &["q"][..]),
        ("EXECUTE @r = q @a = 1", &["q"]),
        ("INSERT t EXEC ..q", &["q"]),
        ("EXEC('q 1')", &["q"]),
        ("EXEC a; EXEC b", &["a", "b"]),
        ("EXEC dbo.sp_mine", &["sp_mine"]),
        ("EXEC shop.sp_rename", &["sp_rename"]),
    ] {
        let found = body(text);
        assert!(!found.ends && found.calls == calls, "{text}: {found:?}");
    }
    for (text, calls) in [
        ("q 1", &["q"][..]),
        ("[dbo].[q]", &["q"]),
        ("sp_rename 'a', 'b'", &[]),
        ("SELECT 1", &[]),
        (";WITH a AS (SELECT 1 AS b) SELECT * FROM a", &[]),
        ("(SELECT 1)", &[]),
        ("again: SELECT 1", &[]),
    ] {
        let found = deeds(text);
        assert!(!found.ends && found.calls == calls, "{text}: {found:?}");
    }
    assert!(body("INSERT dbo.[Sales] VALUES (1)").names.contains("sales"));
}

#[test]
fn what_is_made_is_known() {
    for (text, name) in [
        ("/* c */ create or alter proc [dbo].[P] as COMMIT", "p"),
        ("ALTER PROCEDURE p AS ROLLBACK", "p"),
        ("CREATE TRIGGER tr ON dbo.Sales AFTER INSERT AS ROLLBACK", "sales"),
    ] {
        let found = deeds(text);
        assert_eq!((found.ends, &*found.makes[0].0, found.makes[0].1.ends), (false, name, true), "{text}");
    }
    let found = deeds("IF OBJECT_ID('p') IS NULL EXEC('CREATE PROCEDURE p AS COMMIT'); EXEC p");
    assert!(!found.ends && found.makes[0].1.ends && found.calls == ["p"]);
    assert!(deeds("ALTER TABLE t ADD a int").makes.is_empty());
}

use super::*;

fn sqls(provider: Provider, text: &str) -> Vec<String> {
    match split(provider, "f.sql", text) {
        Ok(statements) => statements.into_iter().map(|statement| statement.sql).collect(),
        Err(problems) => panic!("{text}\n{problems:?}"),
    }
}

fn postgres(text: &str) -> Vec<String> {
    sqls(Provider::Postgres, text)
}

fn sqlite(text: &str) -> Vec<String> {
    sqls(Provider::Sqlite, text)
}

/// The problems as `line:column message`.
fn faults(provider: Provider, text: &str) -> Vec<String> {
    let problems = split(provider, "f.sql", text).unwrap_err();
    problems.into_iter().map(|each| format!("{}:{} {}", each.line, each.column, each.message)).collect()
}

const BOTH: [Provider; 2] = [Provider::Sqlite, Provider::Postgres];

#[test]
fn statements_end_at_semicolons_outside_quotes_and_comments() {
    let table = [
        ("", vec![]),
        (" ;;\n; -- x\n;/* y */", vec![]),
        ("a;b", vec!["a", "b"]),
        ("a;;b;", vec!["a", "b"]),
        ("-- head; x\n a ; -- tail;\nb", vec!["a", "b"]),
        ("a -- inside;\n b;", vec!["a -- inside;\n b"]),
        ("a /* ; */ b /* tail */ ; c", vec!["a /* ; */ b", "c"]),
        ("a -- last", vec!["a"]),
        ("a'x;y';b", vec!["a'x;y'", "b"]),
        ("a'it''s;';b", vec!["a'it''s;'", "b"]),
        ("a\"x;\"\"y\";b", vec!["a\"x;\"\"y\"", "b"]),
        ("'\\';b", vec!["'\\'", "b"]),
        ("a '--';b '/*';c", vec!["a '--'", "b '/*'", "c"]),
        ("a --'\n;b", vec!["a", "b"]),
        ("a - -1;b", vec!["a - -1", "b"]),
        ("a'GO\n'; /* GO */ b -- GO\n", vec!["a'GO\n'", "b"]),
        ("a'//'; b // c; d", vec!["a'//'", "b // c", "d"]),
        ("zażółć;'gęślą;';x", vec!["zażółć", "'gęślą;'", "x"]),
        ("a\r\nb;\r\nc", vec!["a\nb", "c"]),
        ("\u{feff}a;b", vec!["a", "b"]),
    ];
    for (text, expected) in table {
        for provider in BOTH {
            assert_eq!(sqls(provider, text), expected, "{provider} {text:?}");
        }
    }
}

#[test]
fn postgres_quotes() {
    let table = [
        ("E'\\';';b", vec!["E'\\';'", "b"]),
        ("e'\\\\';b", vec!["e'\\\\'", "b"]),
        ("x E'a' -- c\n '\\';';b", vec!["x E'a' -- c\n '\\';'", "b"]),
        ("E'a' '\\';b", vec!["E'a' '\\'", "b"]),
        ("type'\\';b", vec!["type'\\'", "b"]),
        ("U&'\\';b;U&\"d;\\0061\";c", vec!["U&'\\'", "b", "U&\"d;\\0061\"", "c"]),
        ("N'a;';B'1';X'ff';c", vec!["N'a;'", "B'1'", "X'ff'", "c"]),
        ("$$a;'b$$;c", vec!["$$a;'b$$", "c"]),
        ("$x$a;$$;$y$;$x$;c", vec!["$x$a;$$;$y$;$x$", "c"]),
        ("$żółw$;$żółw$;c", vec!["$żółw$;$żółw$", "c"]),
        ("$A$;$a$;$A$;c", vec!["$A$;$a$;$A$", "c"]),
        ("a$b$;c$b$", vec!["a$b$", "c$b$"]),
        ("$1;$2$$;$$;c", vec!["$1", "$2$$;$$", "c"]),
        ("$1a$;b", vec!["$1a$", "b"]),
        ("a $ b;c", vec!["a $ b", "c"]),
        ("/* /* ; */ ; */ a;b", vec!["a", "b"]),
        ("a /*/* x */; */;b", vec!["a", "b"]),
        ("a -/*;*/- b;c", vec!["a -/*;*/- b", "c"]),
        ("a[1:2];b", vec!["a[1:2]", "b"]),
        ("`a;b", vec!["`a", "b"]),
        ("x::text;y:='a;'", vec!["x::text", "y:='a;'"]),
    ];
    for (text, expected) in table {
        assert_eq!(postgres(text), expected, "{text:?}");
    }
}

#[test]
fn sqlite_quotes_and_comments() {
    let table = [
        ("[a;b\"'];c", vec!["[a;b\"']", "c"]),
        ("`a;``b`;c", vec!["`a;``b`", "c"]),
        ("/* /* */ a;b", vec!["a", "b"]),
        ("a; /* open ; to the end", vec!["a"]),
        ("a /* open ; to the end", vec!["a"]),
        ("a /*/ ; */ b;c", vec!["a /*/ ; */ b", "c"]),
        ("$$;$$", vec!["$$", "$$"]),
        ("E'\\';b", vec!["E'\\'", "b"]),
        ("x'ab';b", vec!["x'ab'", "b"]),
        ("(a;b)", vec!["(a", "b)"]),
        ("SELECT .5;b", vec!["SELECT .5", "b"]),
    ];
    for (text, expected) in table {
        assert_eq!(sqlite(text), expected, "{text:?}");
    }
}

#[test]
fn postgres_bodies_and_rules_stay_whole() {
    let whole = [
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END",
        "create or replace procedure p() begin atomic insert into t values (1); end",
        "CREATE FUNCTION f(a int) RETURNS int BEGIN ATOMIC SELECT CASE WHEN a>1 THEN 2 ELSE CASE WHEN a>0 THEN 1 END END; END",
        "CREATE FUNCTION f(a int) RETURNS int BEGIN ATOMIC SELECT (CASE WHEN a>1 THEN 2 END); SELECT 'END;'; END",
        "CREATE FUNCTION f() RETURNS int BEGIN /* c */ ATOMIC SELECT 1; END",
        "CREATE FUNCTION f() RETURNS int AS $$ BEGIN; RETURN 1; END; $$ LANGUAGE plpgsql",
        "CREATE FUNCTION begin() RETURNS int RETURN CASE WHEN true THEN 1 END",
        "CREATE FUNCTION f(\"begin\" int, begin int) RETURNS int RETURN 1",
        "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM u; DELETE FROM v)",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM u WHERE (a = 1); DELETE FROM v;)",
        "CREATE TRIGGER t BEFORE INSERT ON a EXECUTE FUNCTION f()",
        "DO $do$ BEGIN PERFORM 1; EXECUTE $$SELECT 1;$$; END $do$",
        "CREATE TABLE a (b text DEFAULT ';', c int CHECK (c > (1)))",
    ];
    for text in whole {
        assert_eq!(postgres(&format!("{text};\nb;")), [text, "b"]);
        assert_eq!(postgres(text), [text]);
    }
    assert_eq!(postgres("CREATE VIEW v AS SELECT 1 AS begin; b"), ["CREATE VIEW v AS SELECT 1 AS begin", "b"]);
    assert_eq!(postgres("SELECT a); b"), ["SELECT a)", "b"]);
}

#[test]
fn sqlite_triggers_stay_whole() {
    let whole = [
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END",
        "create temp trigger t after insert on a begin select 1; end",
        "CREATE TEMPORARY TRIGGER IF NOT EXISTS t AFTER INSERT ON a BEGIN SELECT 1 ; /* c */ END",
        "CREATE /* x */ TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN 2 END; END",
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN 2 END; SELECT 'END;'; ; END",
        "EXPLAIN QUERY PLAN CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END",
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; -- ; END;\nEND",
    ];
    for text in whole {
        assert_eq!(sqlite(&format!("{text} ;\nb;")), [text, "b"]);
        assert_eq!(sqlite(text), [text]);
    }
    assert_eq!(sqlite("CREATE TABLE trigger(a); b"), ["CREATE TABLE trigger(a)", "b"]);
    assert_eq!(sqlite("CREATE TEMP TABLE a(b); b"), ["CREATE TEMP TABLE a(b)", "b"]);
}

#[test]
fn places_point_at_the_first_character() {
    let text = "-- head\n\n  żółw a\n b;/* ; */ c;\n\t;\n  d";
    for provider in BOTH {
        let places: Vec<_> =
            split(provider, "f", text).unwrap().into_iter().map(|each| (each.line, each.column)).collect();
        assert_eq!(places, [(3, 3), (4, 12), (6, 3)], "{provider}");
        let windows = split(provider, "f", &text.replace('\n', "\r\n")).unwrap();
        assert_eq!(windows, split(provider, "f", text).unwrap(), "{provider}");
    }
}

#[test]
fn what_is_never_closed_is_named_where_it_begins() {
    let table = [
        (Provider::Postgres, "a;\n b 'c", "2:4 the string that begins here is never closed"),
        (Provider::Postgres, "E'a\\'", "1:2 the string that begins here is never closed"),
        (Provider::Postgres, "E'\\", "1:2 the string that begins here is never closed"),
        (Provider::Postgres, "a \"b", "1:3 the quoted name that begins here is never closed"),
        (Provider::Postgres, "a;\n/* /* */ b", "2:1 the comment that begins here is never closed"),
        (Provider::Postgres, "a;$x$ b $y$", "1:3 the dollar-quoted string that begins here is never closed"),
        (Provider::Postgres, "CREATE TABLE a (\nb (c;\nd;", "1:16 this parenthesis is never closed"),
        (Provider::Postgres, "CREATE FUNCTION f()\nBEGIN ATOMIC a; b;", "2:1 the body that begins here never ends"),
        (Provider::Sqlite, "a;\n b 'c", "2:4 the string that begins here is never closed"),
        (Provider::Sqlite, "a [b;", "1:3 the bracketed name that begins here is never closed"),
        (Provider::Sqlite, "a `b;", "1:3 the quoted name that begins here is never closed"),
        (Provider::Sqlite, "CREATE TRIGGER t BEGIN a; b;", "1:8 the body of this trigger never ends"),
    ];
    for (provider, text, expected) in table {
        assert_eq!(faults(provider, text), [expected], "{provider} {text:?}");
    }
}

#[test]
fn commands_of_the_tools_are_refused() {
    assert_eq!(
        faults(Provider::Postgres, "\\connect x\na;\n\\d\n  SELECT 1 \\gexec\nb;"),
        [
            "1:1 '\\connect x' is a command of psql",
            "3:1 '\\d' is a command of psql",
            "4:12 '\\gexec' is a command of psql"
        ]
    );
    assert_eq!(
        faults(Provider::Sqlite, ".mode csv\na;\n.quit"),
        ["1:1 '.mode csv' is a command of the sqlite3 shell", "3:1 '.quit' is a command of the sqlite3 shell"]
    );
    assert_eq!(faults(Provider::Sqlite, "# x\na;").len(), 1);
}

#[test]
fn copy_streams_are_refused_and_their_data_is_no_sql() {
    let text = "COPY t (a, b) FROM stdin;\n1\t'x;\n\\.\nBEGIN;\nCOPY (SELECT 1 FROM stdin) TO '/tmp/x';";
    assert_eq!(
        faults(Provider::Postgres, text),
        [
            "1:1 COPY … FROM stdin is refused: there is no client to stream data to or from",
            "4:1 BEGIN is refused: Branchkeeper controls the transaction"
        ]
    );
    assert_eq!(
        faults(Provider::Postgres, "copy (select ';') to stdout with (format csv)"),
        ["1:1 COPY … TO stdout is refused: there is no client to stream data to or from"]
    );
    assert_eq!(faults(Provider::Postgres, "COPY t FROM STDIN;\r\nit's\r\n\\.\r\n").len(), 1);
    for fine in
        ["COPY t FROM '/x'", "COPY t TO PROGRAM 'stdout'", "COPY \"stdin\" FROM 'stdin'", "copy t from \"stdin\""]
    {
        assert_eq!(postgres(fine), [fine]);
    }
}

#[test]
fn transaction_control_is_refused() {
    let both = ["BEGIN", "begin transaction", "COMMIT", "END", "ROLLBACK", "ROLLBACK TO a", "SAVEPOINT a", "RELEASE a"];
    let postgres_only = [
        "START TRANSACTION READ ONLY",
        "ABORT",
        "PREPARE TRANSACTION 'x'",
        "COMMIT PREPARED 'x'",
        "END TRANSACTION",
        "DISCARD ALL",
    ];
    for text in both.into_iter().chain(postgres_only) {
        assert_eq!(faults(Provider::Postgres, &format!("a;\n /* c */ {text};")).len(), 1, "{text}");
    }
    for text in both.into_iter().chain(["ATTACH 'x' AS y", "DETACH DATABASE y", "BEGIN IMMEDIATE", "END TRANSACTION"]) {
        assert_eq!(faults(Provider::Sqlite, &format!("a;\n -- c\n {text};")).len(), 1, "{text}");
    }
    for fine in
        ["PREPARE p AS SELECT 1", "SELECT 1 AS commit", "\"BEGIN\"", "DISCARD PLANS", "SET TRANSACTION READ ONLY"]
    {
        assert_eq!(postgres(fine), [fine]);
    }
}

#[test]
fn every_problem_is_reported_and_their_number_is_bounded() {
    assert_eq!(faults(Provider::Postgres, "BEGIN; a; COMMIT; \\q\n b 'c").len(), 4);
    assert_eq!(faults(Provider::Sqlite, &"BEGIN;".repeat(1_000)).len(), MAX_PROBLEMS);
}

#[test]
fn the_number_of_statements_is_bounded() {
    let problems = split(Provider::Sqlite, "f", &"a;".repeat(MAX_STATEMENTS + 1)).unwrap_err();
    assert_eq!(problems[0].message, "has more than 200000 statements");
    assert_eq!(sqlite(&"a;".repeat(1_000)).len(), 1_000);
}

#[test]
fn a_statement_of_very_many_tokens_stays_whole() {
    let values = format!("INSERT INTO a VALUES {}(0)", "(1),".repeat(MAX_TOKENS));
    for provider in BOTH {
        assert_eq!(sqls(provider, &format!("{values} ; b")), [values.as_str(), "b"]);
    }
}

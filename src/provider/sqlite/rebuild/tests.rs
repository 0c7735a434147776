use super::definition::{ConstraintKind, Definition};
use super::edit::apply;
use super::parse::parse;
use super::token::tokens;
use crate::domain::TableEdit;

/// Texts that SQLite accepts; the unit test in `tests/it` makes sure of that for its own.
const TABLES: [&str; 14] = [
    "CREATE TABLE t(a)",
    "CREATE TABLE \"a b\"(a, b)",
    "CREATE TABLE t(\n  id INTEGER PRIMARY KEY AUTOINCREMENT, -- the key\n  b VARCHAR(10, 2) NOT NULL /* , */ DEFAULT 'x,y'\n)",
    "CREATE TABLE [t](a UNSIGNED BIG INT DEFAULT -1.5e3, b DOUBLE PRECISION DEFAULT (1 + (2)), c 'odd type' DEFAULT +5)",
    "CREATE TABLE t(a INT CONSTRAINT k CHECK (a > (1) AND b IN (')', \")\")) ON CONFLICT IGNORE, b)",
    "CREATE TABLE t(a INT GENERATED ALWAYS AS (b * 2) STORED, b, c AS (a || ')') VIRTUAL NOT NULL, d AS (1))",
    "CREATE TABLE t(a REFERENCES p, b REFERENCES p(x) ON DELETE CASCADE ON UPDATE SET NULL MATCH FULL NOT DEFERRABLE \
     INITIALLY DEFERRED, c REFERENCES [p] (y) ON DELETE NO ACTION DEFERRABLE)",
    "CREATE TABLE t(a, b, PRIMARY KEY (a COLLATE nocase DESC, b), UNIQUE (b) ON CONFLICT REPLACE) WITHOUT ROWID, STRICT",
    "CREATE TABLE t(a, b, CHECK (a > 0) CONSTRAINT c CHECK (b > 0), FOREIGN KEY (a, b) REFERENCES p (x, y) ON DELETE SET DEFAULT)",
    "CREATE TABLE t(a TEXT COLLATE NOCASE CONSTRAINT n NOT NULL ON CONFLICT FAIL CONSTRAINT u UNIQUE, b DEFAULT CURRENT_TIMESTAMP)",
    "CREATE TABLE t(a PRIMARY KEY DESC ON CONFLICT ABORT, b NULL, c DEFAULT NULL, d DEFAULT x'00', e DEFAULT true)",
    "CREATE TABLE t(a CONSTRAINT lonely, b CONSTRAINT x CONSTRAINT y NOT NULL, CONSTRAINT alone)",
    "CREATE TABLE żółw(`ą` tekst, 'single' INT, \"quo\"\"te\" INT) -- tail",
    "CREATE TABLE IF NOT EXISTS main.t (a int primary key, key int, replace text)STRICT",
];

/// Every character of the text belongs to a token or to what lies between, and every part lies where it says.
fn assert_whole(text: &str, definition: &Definition) {
    let mut end = 0;
    for span in
        definition.columns.iter().map(|column| &column.span).chain(definition.constraints.iter().map(|each| &each.span))
    {
        assert!(span.start >= end && span.end > span.start, "{text}");
        let between = &text[end..span.start];
        if end > 0 {
            assert!(tokens(between).iter().all(|token| token.text(between) == ","), "'{between}' in {text}");
        }
        end = span.end;
    }
    let tail = &text[end..];
    assert_eq!(tokens(tail).first().map(|token| token.text(tail)), Some(")"), "{text}");
    for column in &definition.columns {
        let mut at = column.sql_type.as_ref().map_or(column.name_end, |span| span.end);
        for constraint in &column.constraints {
            assert!(tokens(&text[at..constraint.span.start]).is_empty(), "{text}");
            at = constraint.span.end;
        }
        assert_eq!(at, column.span.end, "{text}");
    }
}

#[test]
fn definitions_are_understood_whole() {
    for text in TABLES {
        let definition = parse(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
        assert_whole(text, &definition);
    }
}

#[test]
fn what_is_no_table_is_refused() {
    for text in [
        "",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE t",
        "CREATE TABLE t(",
        "CREATE TABLE t()",
        "CREATE TABLE t(a b (1)",
        "CREATE TABLE t AS SELECT 1",
        "CREATE TABLE t(a, CHECK a > 1)",
        "CREATE TABLE t(a) WHATEVER",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn keys_and_row_ids() {
    let alias = |text: &str| parse(text).unwrap().rowid_alias(text).map(str::to_owned);
    assert_eq!(alias("CREATE TABLE t(a integer primary key)").as_deref(), Some("a"));
    assert_eq!(alias("CREATE TABLE t(a integer, primary key (\"A\" desc))").as_deref(), Some("a"));
    assert_eq!(alias("CREATE TABLE t(a integer primary key desc)"), None);
    assert_eq!(alias("CREATE TABLE t(a int primary key)"), None);
    assert_eq!(alias("CREATE TABLE t(a integer primary key) WITHOUT ROWID"), None);
    assert!(parse("CREATE TABLE t(a integer, primary key (a autoincrement))").unwrap().autoincrement());
    let text = "CREATE TABLE t(a, b, FOREIGN KEY (a, [b]) REFERENCES P (x, 'y'))";
    let definition = parse(text).unwrap();
    let (_, key) = definition.foreign_keys().next().unwrap();
    assert_eq!((&*key.columns.join(" "), &*key.parent, &*key.parent_columns.join(" ")), ("a b", "P", "x y"));
    let generated = parse(TABLES[5]).unwrap();
    let kinds = generated.columns[2].constraints.iter().map(|each| matches!(each.kind, ConstraintKind::Generated(_)));
    assert_eq!(kinds.collect::<Vec<_>>(), [true, false]);
}

fn edited(text: &str, edits: &[TableEdit]) -> String {
    edits.iter().fold(text.to_owned(), |text, edit| match apply(&text, edit) {
        Ok(text) => text,
        Err(problem) => panic!("{text}: {problem:?}"),
    })
}

fn nullable(column: &str, nullable: bool) -> TableEdit {
    TableEdit::SetNullable { column: column.into(), nullable }
}

fn default(column: &str, expression: Option<&str>) -> TableEdit {
    TableEdit::SetDefault { column: column.into(), expression: expression.map(Into::into) }
}

fn drop_column(name: &str) -> TableEdit {
    TableEdit::DropColumn { name: name.into() }
}

fn add(name: &str, definition: &str) -> TableEdit {
    TableEdit::AddColumn { name: name.into(), definition: definition.into() }
}

fn sql_type(column: &str, sql_type: &str) -> TableEdit {
    TableEdit::SetType { column: column.into(), sql_type: sql_type.into() }
}

fn type_check(column: &str, check: Option<&str>) -> TableEdit {
    let gone = vec![format!("CHECK (\"{column}\" IN (0, 1))")];
    TableEdit::SetTypeCheck { column: column.into(), gone, check: check.map(Into::into) }
}

fn drop_constraint(name: &str) -> TableEdit {
    TableEdit::DropConstraint { name: name.into() }
}

#[test]
fn edits_change_nothing_else() {
    let key = |columns: &[&str]| TableEdit::AddPrimaryKey {
        name: Some("pk".into()),
        columns: columns.iter().map(|each| (*each).to_owned()).collect(),
    };
    let check = TableEdit::AddConstraint { name: "c".into(), definition: "CHECK (a > 0)".into() };
    let lines = "CREATE TABLE t (\n  a int, -- one\n  b text NOT NULL, -- two\n  c int -- three\n)";
    for (text, edit, expected) in [
        ("CREATE TABLE t(a)", add("b c", "int DEFAULT 1"), "CREATE TABLE t(a, \"b c\" int DEFAULT 1)"),
        ("CREATE TABLE t(a, CHECK (a>0))", add("b", ""), "CREATE TABLE t(a, \"b\", CHECK (a>0))"),
        (
            lines,
            add("d", "int"),
            "CREATE TABLE t (\n  a int, -- one\n  b text NOT NULL, -- two\n  c int, -- three\n  \"d\" int\n)",
        ),
        (lines, drop_column("B"), "CREATE TABLE t (\n  a int, -- one\n  c int -- three\n)"),
        (lines, drop_column("c"), "CREATE TABLE t (\n  a int, -- one\n  b text NOT NULL -- two\n)"),
        (lines, nullable("b", true), "CREATE TABLE t (\n  a int, -- one\n  b text, -- two\n  c int -- three\n)"),
        ("CREATE TABLE t(a, b)", drop_column("a"), "CREATE TABLE t(b)"),
        ("CREATE TABLE t(a, b)", drop_column("b"), "CREATE TABLE t(a)"),
        ("CREATE TABLE t(a, b, UNIQUE (b))", drop_column("b"), "CREATE TABLE t(a)"),
        ("CREATE TABLE t(a int NULL DEFAULT 1)", nullable("a", false), "CREATE TABLE t(a int NOT NULL DEFAULT 1)"),
        ("CREATE TABLE t(a)", nullable("a", false), "CREATE TABLE t(a NOT NULL)"),
        ("CREATE TABLE t(a CONSTRAINT n NOT NULL ON CONFLICT FAIL, b)", nullable("a", true), "CREATE TABLE t(a, b)"),
        ("CREATE TABLE t(a VARCHAR (3) UNIQUE)", sql_type("a", "TEXT"), "CREATE TABLE t(a TEXT UNIQUE)"),
        ("CREATE TABLE t(a UNIQUE)", sql_type("a", "TEXT"), "CREATE TABLE t(a TEXT UNIQUE)"),
        ("CREATE TABLE t(a int NOT NULL)", default("a", Some("1")), "CREATE TABLE t(a int NOT NULL DEFAULT 1)"),
        (
            "CREATE TABLE t(a DEFAULT 'x' UNIQUE)",
            default("a", Some("a(1) + (2)")),
            "CREATE TABLE t(a DEFAULT (a(1) + (2)) UNIQUE)",
        ),
        ("CREATE TABLE t(a DEFAULT 1)", default("a", Some("(1) + (2)")), "CREATE TABLE t(a DEFAULT ((1) + (2)))"),
        ("CREATE TABLE t(a DEFAULT 1)", default("a", Some("(now())")), "CREATE TABLE t(a DEFAULT (now()))"),
        ("CREATE TABLE t(a DEFAULT 1)", default("a", Some("-5")), "CREATE TABLE t(a DEFAULT -5)"),
        ("CREATE TABLE t(a int DEFAULT (1) UNIQUE)", default("a", None), "CREATE TABLE t(a int UNIQUE)"),
        ("CREATE TABLE t(a)", check.clone(), "CREATE TABLE t(a, CONSTRAINT \"c\" CHECK (a > 0))"),
        ("CREATE TABLE t(a CONSTRAINT [C] CHECK (a > 0))", drop_constraint("c"), "CREATE TABLE t(a)"),
        (
            "CREATE TABLE t(a, CONSTRAINT x CHECK (1) CONSTRAINT y CHECK (2))",
            drop_constraint("y"),
            "CREATE TABLE t(a, CONSTRAINT x CHECK (1))",
        ),
        (
            "CREATE TABLE t(a, CONSTRAINT x CHECK (1) CONSTRAINT y CHECK (2))",
            drop_constraint("x"),
            "CREATE TABLE t(a, CONSTRAINT y CHECK (2))",
        ),
        (
            "CREATE TABLE t(a, b)",
            key(&["a", "b"]),
            "CREATE TABLE t(a, b, CONSTRAINT \"pk\" PRIMARY KEY (\"a\", \"b\"))",
        ),
        ("CREATE TABLE t(a integer CONSTRAINT k PRIMARY KEY)", TableEdit::DropPrimaryKey, "CREATE TABLE t(a integer)"),
        (
            "CREATE TABLE t(a int CHECK (A in (0,1)) UNIQUE, b)",
            type_check("a", Some("CHECK (json_valid(\"a\"))")),
            "CREATE TABLE t(a int UNIQUE CHECK (json_valid(\"a\")), b)",
        ),
        (
            "CREATE TABLE t(a int CONSTRAINT c CHECK (a IN (0, 1)) CHECK (a IN (0, 2)))",
            type_check("a", None),
            "CREATE TABLE t(a int CONSTRAINT c CHECK (a IN (0, 1)) CHECK (a IN (0, 2)))",
        ),
        (
            "CREATE TABLE t(a, b, CONSTRAINT c CHECK (length(b) > 0), CONSTRAINT d CHECK (a > 0))",
            drop_column("b"),
            "CREATE TABLE t(a, CONSTRAINT d CHECK (a > 0))",
        ),
        ("CREATE TABLE t(a, PRIMARY KEY (a), UNIQUE (a))", TableEdit::DropPrimaryKey, "CREATE TABLE t(a, UNIQUE (a))"),
    ] {
        let after = edited(text, std::slice::from_ref(&edit));
        assert_eq!(after, expected, "{text} {edit:?}");
        assert_whole(&after, &parse(&after).unwrap());
    }
}

#[test]
fn comments_stay_with_what_they_are_about() {
    let made = "CREATE TABLE t ( /* all */\n  a int /* a, it's */,\n  b int /* b */,\n  c int /* c */\n)";
    let older = "CREATE TABLE t (\n  a int, /* a */\n  b int, /* b */\n  UNIQUE (a)\n)";
    let leading = "CREATE TABLE t (\n  a int -- a\n, b int -- b\n, UNIQUE (a))";
    let tight = "CREATE TABLE t(a /* a */, b /* b */, /* c */ c)";
    let lines = "CREATE TABLE t (\n  -- first\n  a int,\n  -- second\n  b int, -- b\n  c int)";
    for (text, edit, expected) in [
        (made, drop_column("a"), "CREATE TABLE t ( /* all */\n  b int /* b */,\n  c int /* c */\n)"),
        (made, drop_column("b"), "CREATE TABLE t ( /* all */\n  a int /* a, it's */,\n  c int /* c */\n)"),
        (made, drop_column("c"), "CREATE TABLE t ( /* all */\n  a int /* a, it's */,\n  b int /* b */\n)"),
        (
            "CREATE TABLE t (\n  a int /* a */,\n  b int /* b */\n)",
            add("d", "int /* d */"),
            "CREATE TABLE t (\n  a int /* a */,\n  b int /* b */,\n  \"d\" int /* d */\n)",
        ),
        (
            older,
            add("c", "int /* c */"),
            "CREATE TABLE t (\n  a int, /* a */\n  b int, /* b */\n  \"c\" int /* c */,\n  UNIQUE (a)\n)",
        ),
        (older, drop_column("b"), "CREATE TABLE t (\n  a int, /* a */\n  UNIQUE (a)\n)"),
        (leading, add("c", "int"), "CREATE TABLE t (\n  a int -- a\n, b int -- b\n, \"c\" int\n, UNIQUE (a))"),
        (leading, drop_column("b"), "CREATE TABLE t (\n  a int -- a\n, UNIQUE (a))"),
        (tight, drop_column("a"), "CREATE TABLE t(b /* b */, /* c */ c)"),
        (tight, drop_column("b"), "CREATE TABLE t(a /* a */, /* c */ c)"),
        (tight, add("d", "int"), "CREATE TABLE t(a /* a */, b /* b */, /* c */ c, \"d\" int)"),
        (lines, drop_column("c"), "CREATE TABLE t (\n  -- first\n  a int,\n  -- second\n  b int -- b\n)"),
        (lines, drop_column("b"), "CREATE TABLE t (\n  -- first\n  a int,\n  -- second\n  c int)"),
        ("CREATE TABLE t(a int -- a\n NOT NULL, b)", nullable("a", true), "CREATE TABLE t(a int -- a\n, b)"),
        ("CREATE TABLE t(a, b -- b\n)", drop_column("b"), "CREATE TABLE t(a\n)"),
    ] {
        let after = edited(text, std::slice::from_ref(&edit));
        assert_eq!(after, expected, "{text} {edit:?}");
        assert_whole(&after, &parse(&after).unwrap());
    }
}

#[test]
fn what_can_t_be_done_is_said() {
    for (text, edit, said) in [
        ("CREATE TABLE t(a)", drop_column("a"), "only column"),
        ("CREATE TABLE t(a)", drop_column("b"), "no column 'b'"),
        ("CREATE TABLE t(a, b, PRIMARY KEY (a, b))", drop_column("b"), "primary key"),
        ("CREATE TABLE t(a, b AS (a + 1))", drop_column("a"), "generated column 'b'"),
        ("CREATE TABLE t(a, b CHECK (b > \"A\"))", drop_column("a"), "check of the column 'b'"),
        ("CREATE TABLE t(a, b, CONSTRAINT k UNIQUE (b))", drop_column("b"), "constraint 'k'"),
        ("CREATE TABLE t(a, b, UNIQUE (a, b))", drop_column("b"), "UNIQUE (a, b)"),
        ("CREATE TABLE t(a, b, CONSTRAINT k CHECK (a > b))", drop_column("b"), "constraint 'k'"),
        ("CREATE TABLE t(a integer PRIMARY KEY AUTOINCREMENT)", TableEdit::DropPrimaryKey, "not be numbered"),
        ("CREATE TABLE t(a PRIMARY KEY) WITHOUT ROWID", TableEdit::DropPrimaryKey, "has to keep"),
        ("CREATE TABLE t(a PRIMARY KEY) WITHOUT ROWID", nullable("a", true), "without row ids"),
        ("CREATE TABLE t(a, b AS (a))", default("b", Some("1")), "generated"),
        ("CREATE TABLE t(a CONSTRAINT x NOT NULL, b CONSTRAINT x NOT NULL)", drop_constraint("x"), "2 constraints"),
        ("CREATE TABLE t(a)", add("A", "int"), "already"),
    ] {
        let problem = format!("{:?}", apply(text, &edit).unwrap_err());
        assert!(problem.contains(said), "{text}: {problem}");
    }
}

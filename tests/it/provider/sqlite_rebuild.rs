//! Rebuilding SQLite tables: what is asked for changes, and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use branchkeeper::domain::{ObjectName, Segment, Statement, TableEdit, TableRebuild};
use branchkeeper::provider::{ErrorKind, ExecutionError, Outcome, Preview, Work};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use super::fixture::{Fixture, Notes, planned, soon, sql, work};

pub(super) async fn open(fixture: &Fixture) -> SqliteConnection {
    SqliteConnectOptions::new().filename(fixture.path()).foreign_keys(false).connect().await.unwrap()
}

async fn script(fixture: &Fixture, text: &str) {
    fixture.create().await;
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut open(fixture).await).await.unwrap();
}

pub(super) async fn rows(connection: &mut SqliteConnection, text: &str) -> Vec<Vec<String>> {
    let rows = sqlx::raw_sql(AssertSqlSafe(text.to_owned())).fetch_all(connection).await;
    let rows = rows.unwrap_or_else(|error| panic!("{text}: {error}"));
    let cell = |row: &sqlx::sqlite::SqliteRow, at| row.try_get_unchecked::<Option<String>, _>(at).unwrap();
    rows.iter().map(|row| (0..row.len()).map(|at| cell(row, at).unwrap_or("NULL".into())).collect()).collect()
}

/// Every row of every table but the ledger's: row id, and each column's type and value to the byte.
async fn contents(fixture: &Fixture) -> BTreeMap<String, Vec<Vec<String>>> {
    let connection = &mut open(fixture).await;
    let tables = "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
        AND name NOT LIKE '\\_\\_Migr%' ESCAPE '\\' AND name <> 'sqlite_schema'";
    let mut found = BTreeMap::new();
    for table in rows(connection, tables).await {
        let name = &table[0];
        let columns = rows(connection, &format!("SELECT name FROM pragma_table_xinfo('{name}') ORDER BY name")).await;
        let mut values: Vec<String> =
            columns.iter().map(|column| format!("'{0}=' || typeof(\"{0}\") || quote(\"{0}\")", column[0])).collect();
        if table[1] == "0" {
            values.insert(0, "rowid".into());
        }
        let text = format!("SELECT {} FROM \"{name}\"", values.join(", "));
        let mut lines = rows(connection, &text).await;
        if name == "sqlite_sequence" {
            lines.iter_mut().for_each(|line| drop(line.remove(0)));
            lines.sort();
        }
        found.insert(name.clone(), lines);
    }
    found
}

/// The texts of everything but the ledger's tables.
pub(super) async fn schema(fixture: &Fixture) -> BTreeMap<String, String> {
    let text = "SELECT type || ' ' || name, ifnull(sql, '') FROM sqlite_schema WHERE tbl_name NOT LIKE '\\_\\_Migr%' ESCAPE '\\'";
    let connection = &mut open(fixture).await;
    rows(connection, text).await.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
}

pub(super) fn rebuild(table: &str, edits: impl Into<Vec<TableEdit>>) -> Statement {
    let rebuild = TableRebuild { table: ObjectName::bare(table), edits: edits.into() };
    Statement { line: 7, rebuild: Some(rebuild), ..sql(&format!("rebuild table {table}")) }
}

pub(super) async fn run(fixture: &Fixture, id: &str, statements: Vec<Statement>) -> Result<(), ExecutionError> {
    let (mut session, fence) = fixture.locked().await;
    let one = planned(id, statements);
    let done = session.run_atomic(&fence, &[work(&one)], true, &soon(), &mut Notes::default()).await;
    if done.is_err() {
        let _ = session.unlock(fence).await;
    }
    session.close().await;
    done
}

/// The rebuild fails, says this, and leaves everything as it was.
async fn refused(fixture: &Fixture, table: &str, edits: impl Into<Vec<TableEdit>>, says: &[&str]) {
    let before = (schema(fixture).await, contents(fixture).await);
    let before_it = sql("CREATE TABLE before_it (a)");
    let error = run(fixture, "9_refused", vec![before_it, rebuild(table, edits)]).await.unwrap_err();
    assert_eq!((error.statement, error.outcome), (Some(1), Outcome::RolledBack), "{error:?}");
    assert_eq!(error.error.position, None, "{error:?}");
    for each in says {
        assert!(error.error.message.contains(each), "'{each}' is not in {error:?}");
    }
    assert_eq!((schema(fixture).await, contents(fixture).await), before);
}

pub(super) fn default(column: &str, expression: &str) -> TableEdit {
    TableEdit::SetDefault { column: column.into(), expression: Some(expression.into()) }
}

fn not_null(column: &str) -> TableEdit {
    TableEdit::SetNullable { column: column.into(), nullable: false }
}

fn drop_column(name: &str) -> TableEdit {
    TableEdit::DropColumn { name: name.into() }
}

pub(super) fn constraint(name: &str, definition: &str) -> TableEdit {
    TableEdit::AddConstraint { name: name.into(), definition: definition.into() }
}

const SHOP: &str = "
CREATE TABLE item (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- the key
  parent REFERENCES item (id) ON DELETE CASCADE,
  [odd name] TEXT COLLATE NOCASE DEFAULT 'x, (y',
  price NUMERIC(10, 2) CHECK (price IS NULL OR price > (0)),
  twice AS (price * 2) STORED, thrice INT GENERATED ALWAYS AS (price * 3) VIRTUAL,
  UNIQUE ([odd name], price) ON CONFLICT REPLACE
);
CREATE TABLE line (item INTEGER REFERENCES item (id) ON DELETE CASCADE, n);
CREATE TABLE plain (a, b INT DEFAULT 'text', c BLOB);
CREATE TABLE keyed (k TEXT COLLATE RTRIM, v REAL, PRIMARY KEY (k, v)) WITHOUT ROWID;
CREATE TABLE strict (i INT, r REAL, t TEXT, b BLOB, a ANY) STRICT;
CREATE TABLE copied AS SELECT 1 AS \"a b\", 'x' AS c, 1.5 AS d;
CREATE TABLE log (what);
CREATE TABLE hidden (rowid TEXT, oid, a);
CREATE TABLE stranger (x REFERENCES nowhere (y));
CREATE INDEX item_price ON item (price DESC) WHERE price > 1;
CREATE UNIQUE INDEX plain_expr ON plain (abs(b), \"a\" COLLATE NOCASE);
CREATE VIEW items AS SELECT i.id, i.price, p.a FROM item i LEFT JOIN plain p ON p.b = i.price;
CREATE VIEW broken AS SELECT nil FROM nowhere;
CREATE TRIGGER item_insert AFTER INSERT ON item BEGIN INSERT INTO log VALUES (\"inserted\" || new.id); END;
CREATE TRIGGER item_delete AFTER DELETE ON item BEGIN INSERT INTO log VALUES ('deleted'); END;
CREATE TRIGGER line_insert AFTER INSERT ON line BEGIN UPDATE item SET price = price WHERE id = new.item; END;
CREATE TRIGGER items_insert INSTEAD OF INSERT ON items BEGIN INSERT INTO item (price) VALUES (new.price); END;
INSERT INTO item (id, parent, \"odd name\", price) VALUES (5, NULL, 'A', 1), (9, 5, 'b', 2.50), (7, 7, x'00ff', '12'), (900, 5, NULL, NULL);
DELETE FROM item WHERE id = 900;
INSERT INTO line VALUES (5, 'x'), (9, 2), (9, NULL), (12345, 'orphan');
INSERT INTO plain (rowid, a, b, c) VALUES (-3, 1, 'one', x''), (44, 1.0, 2, 'text'), (45, '1', 3.5, 9e99), (100, NULL, NULL, NULL);
INSERT INTO keyed VALUES ('z  ', 1), ('a', 2.5), ('a', 2);
INSERT INTO strict VALUES (1, 2, 'x', x'01', 1), (NULL, 1e300, '2', NULL, '1'), (3, 3, 'y', x'', 2.0);
INSERT INTO hidden VALUES ('one', 1, 2), ('two', 2, 3);
INSERT INTO stranger VALUES (1), (2);
ANALYZE;
";

async fn shop() -> Fixture {
    let fixture = Fixture::sqlite();
    script(&fixture, SHOP).await;
    fixture
}

#[tokio::test]
async fn nothing_is_lost() {
    let fixture = shop().await;
    let (texts, before) = (schema(&fixture).await, contents(&fixture).await);
    for (index, (table, column)) in [
        ("ITEM", "price"),
        ("plain", "A"),
        ("keyed", "v"),
        ("strict", "a"),
        ("copied", "a b"),
        ("hidden", "oid"),
        ("line", "n"),
        ("stranger", "x"),
    ]
    .into_iter()
    .enumerate()
    {
        run(&fixture, &format!("{index}_m"), vec![rebuild(table, [default(column, "1")])]).await.unwrap();
        assert_eq!(contents(&fixture).await, before, "{table}");
        let name = table.to_lowercase();
        let mut now = schema(&fixture).await;
        let text = now.insert(format!("table {name}"), texts[&format!("table {name}")].clone()).unwrap();
        if index == 0 {
            assert_eq!(now, texts, "only the table's own text has changed");
            let expected =
                texts["table item"].replace("price NUMERIC(10, 2) CHECK", "price NUMERIC(10, 2) DEFAULT 1 CHECK");
            assert_eq!(text, expected);
        }
        assert!(text.contains("DEFAULT 1"), "{text}");
    }
    let connection = &mut open(&fixture).await;
    assert_eq!(rows(connection, "PRAGMA integrity_check").await, [["ok"]]);
    assert_eq!(rows(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'item'").await, [["900"]]);
    assert_eq!(
        rows(
            connection,
            "SELECT name FROM sqlite_schema WHERE name LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE '\\_\\_M%' ESCAPE '\\'"
        )
        .await
        .len(),
        0
    );
    sqlx::raw_sql("INSERT INTO items (price) VALUES (77)").execute(&mut *connection).await.unwrap();
    assert_eq!(rows(connection, "SELECT what FROM log ORDER BY rowid DESC LIMIT 1").await, [["inserted901"]]);
}

#[tokio::test]
async fn several_edits_are_one_rebuild() {
    let fixture = shop().await;
    let before = contents(&fixture).await;
    let edits = [
        TableEdit::AddColumn { name: "made".into(), definition: "TEXT NOT NULL DEFAULT (upper('now'))".into() },
        TableEdit::SetType { column: "c".into(), sql_type: "TEXT".into() },
        TableEdit::AddColumn { name: "sum".into(), definition: "AS (b + 1)".into() },
        constraint("sane", "CHECK (b IS NOT 99)"),
        TableEdit::AddPrimaryKey { name: None, columns: vec!["made".into(), "a".into()] },
        TableEdit::DropPrimaryKey,
    ];
    run(&fixture, "1_m", vec![rebuild("plain", edits)]).await.unwrap();
    let after = contents(&fixture).await;
    assert_eq!(after["plain"][0], ["-3", "a=integer1", "b=text'one'", "c=blobX''", "made=text'NOW'", "sum=integer1"]);
    assert_eq!(after["plain"][2][3], "c=text'9.0e+99'", "affinity converts numbers");
    let others = |all: &BTreeMap<_, _>| {
        all.iter()
            .filter(|(name, _)| *name != "plain")
            .map(|(_, rows)| rows)
            .cloned()
            .collect::<Vec<Vec<Vec<String>>>>()
    };
    assert_eq!(others(&after), others(&before));
}

#[tokio::test]
async fn a_table_that_says_its_own_name_is_rebuilt() {
    let fixture = Fixture::sqlite();
    let make = "CREATE TABLE \"a b\" (id INTEGER PRIMARY KEY AUTOINCREMENT, n CHECK (\"A b\".n > 0), up REFERENCES \"a b\");
        CREATE INDEX i ON \"a b\" (n) WHERE \"a b\".n > 5; CREATE VIEW v AS SELECT n FROM \"a b\";
        CREATE TABLE kid (x REFERENCES \"a b\" ON DELETE CASCADE); INSERT INTO \"a b\" VALUES (3, 8, 3), (50, 1, 3); INSERT INTO kid VALUES (3);
        DELETE FROM \"a b\" WHERE id = 50";
    script(&fixture, make).await;
    let (texts, before) = (schema(&fixture).await, contents(&fixture).await);
    run(&fixture, "1_m", vec![rebuild("a b", [default("n", "4")])]).await.unwrap();
    assert_eq!(contents(&fixture).await, before);
    let mut now = schema(&fixture).await;
    let text = now.insert("table a b".into(), texts["table a b"].clone()).unwrap();
    assert_eq!(now, texts);
    assert_eq!(
        text,
        "CREATE TABLE \"a b\" (id INTEGER PRIMARY KEY AUTOINCREMENT, n DEFAULT 4 CHECK (n > 0), up REFERENCES \"a b\")"
    );
}

#[tokio::test]
async fn what_stands_in_the_way_is_named() {
    let fixture = shop().await;
    refused(&fixture, "plain", [not_null("b")], &["'plain'", "'b'", "NULL in 1 row"]).await;
    let key = TableEdit::AddPrimaryKey { name: None, columns: vec!["a".into()] };
    refused(&fixture, "plain", [key], &["'a'", "NULL in 1 row"]).await;
    refused(&fixture, "plain", [constraint("c", "CHECK (b IS NOT 3.5)")], &["CHECK", "row 45"]).await;
    refused(&fixture, "plain", [constraint("u", "UNIQUE (a, c)"), constraint("d", "CHECK (a < 1)")], &["and 2 more"])
        .await;
    refused(&fixture, "plain", [drop_column("b")], &["'plain_expr'"]).await;
    refused(&fixture, "plain", [drop_column("a")], &["'plain_expr'"]).await;
    refused(&fixture, "item", [drop_column("price")], &["'price'", "'item_price'"]).await;
    refused(&fixture, "item", [drop_column("id")], &["'id'", "foreign key of the table 'line'"]).await;
    refused(&fixture, "plain", [constraint("bad", "CHECK (nope > 1)")], &["'plain'", "no such column: nope"]).await;
    let fk = constraint("f", "FOREIGN KEY (b) REFERENCES item (id)");
    refused(&fixture, "plain", [fk], &["of 'plain'", "item (b)"]).await;
    refused(&fixture, "item", [TableEdit::DropPrimaryKey], &["'item'", "not be numbered"]).await;
    refused(&fixture, "nope", [not_null("a")], &["no such table"]).await;
    refused(&fixture, "items", [not_null("a")], &["not a table"]).await;
    refused(&fixture, "item_price", [not_null("a")], &["not a table"]).await;
    refused(&fixture, "sqlite_sequence", [not_null("a")], &["SQLite's own"]).await;
    refused(&fixture, "__migrationshistory", [not_null("a")], &["Branchkeeper's own"]).await;
    script(&fixture, "CREATE VIRTUAL TABLE search USING fts5(a)").await;
    refused(&fixture, "search", [not_null("a")], &["virtual table"]).await;
    refused(&fixture, "search_content", [not_null("c0")], &["virtual table"]).await;
}

#[tokio::test]
async fn a_key_that_another_table_refers_to_stays() {
    let fixture = Fixture::sqlite();
    script(&fixture, "CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (p REFERENCES parent (id))")
        .await;
    refused(&fixture, "parent", [TableEdit::DropPrimaryKey], &["'parent'", "foreign key"]).await;
}

#[tokio::test]
async fn views_and_triggers_that_would_break_are_named() {
    let fixture = Fixture::sqlite();
    let make = "CREATE TABLE t (a, b, c, d); CREATE TABLE other (x); CREATE VIEW v AS SELECT b FROM t;
        CREATE VIEW w AS SELECT * FROM v; CREATE VIEW quoted AS SELECT \"c\", \"text\" FROM t; CREATE VIEW broken AS SELECT a FROM nowhere;
        CREATE TRIGGER own AFTER INSERT ON t BEGIN SELECT new.c; END;
        CREATE TRIGGER far AFTER INSERT ON other BEGIN INSERT INTO t (b) VALUES (1); END;
        CREATE TRIGGER [set] AFTER DELETE ON other BEGIN UPDATE t SET a = 1, \"b\" = 2; END;
        CREATE TRIGGER late UPDATE OF d ON t BEGIN SELECT 1; END; INSERT INTO t VALUES (1, 2, 3, 4)";
    script(&fixture, make).await;
    refused(&fixture, "t", [drop_column("b")], &["trigger 'far'", "trigger 'set'"]).await;
    script(&fixture, "DROP TRIGGER far; DROP TRIGGER [set]").await;
    refused(&fixture, "t", [drop_column("b")], &["view 'v'", "view 'w'"]).await;
    refused(&fixture, "t", [drop_column("c")], &["view 'quoted'", "trigger 'own'"]).await;
    refused(&fixture, "t", [drop_column("d")], &["trigger 'late'"]).await;
    run(&fixture, "1_m", vec![rebuild("t", [drop_column("a")])]).await.unwrap();
    assert_eq!(schema(&fixture).await["view quoted"], "CREATE VIEW quoted AS SELECT \"c\", \"text\" FROM t");
}

#[tokio::test]
async fn foreign_keys_that_are_on_are_refused() {
    let fixture = shop().await;
    let (mut session, fence) = fixture.locked().await;
    let on = super::fixture::setting(
        "PRAGMA foreign_keys = ON",
        branchkeeper::domain::SessionChange::Setting,
        Some(branchkeeper::domain::Effect::Idempotent),
    );
    let one = planned("1_m", [on, rebuild("item", [default("price", "1")])]);
    session.run_segment(&fence, &work(&one), &Segment::Alone(0), false, &soon(), &mut Notes::default()).await.unwrap();
    let before = contents(&fixture).await;
    let failed = session
        .run_segment(&fence, &work(&one), &Segment::Transaction(1..2), true, &soon(), &mut Notes::default())
        .await;
    assert!(failed.unwrap_err().error.message.contains("foreign keys on"));
    assert_eq!(contents(&fixture).await, before);
}

#[tokio::test]
async fn a_rebuild_is_one_statement_of_the_journal() {
    let fixture = shop().await;
    let before = contents(&fixture).await;
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_m", [rebuild("item", [default("price", "1")]), rebuild("item", [default("price", "2")])]);
    let mut notes = Notes { each: true, ..Notes::default() };
    for (index, last) in [(0, false), (1, true)] {
        let segment = Segment::Transaction(index..index + 1);
        session.run_segment(&fence, &work(&one), &segment, last, &soon(), &mut notes).await.unwrap();
    }
    assert_eq!(notes.lines, ["start 1_m", "1_m 0/2", "1_m 1/2", "end 1_m"]);
    assert!(fixture.ledger().await.is_applied("1_m"));
    assert_eq!(contents(&fixture).await, before);
    session.unlock(fence).await.unwrap();
}

#[tokio::test]
async fn a_preview_is_what_runs() {
    let fixture = shop().await;
    let statements = [
        sql("CREATE TABLE fresh (a, b)"),
        rebuild("fresh", [not_null("a")]),
        rebuild("item", [default("price", "1"), TableEdit::AddColumn { name: "z".into(), definition: "INT".into() }]),
        rebuild("item", [drop_column("z")]),
        sql("VACUUM INTO 'nowhere'"),
    ];
    let (before, texts) = (contents(&fixture).await, schema(&fixture).await);
    let mut session = fixture.session().await;
    let all: Vec<_> = statements.iter().collect();
    let made = Preview::make(Some(&mut session), &fixture.settings, &all).await.unwrap();
    let Preview { sql: preview, stopped: None } = made else { panic!("{made:?}") };
    session.close().await;
    assert_eq!((contents(&fixture).await, schema(&fixture).await), (before, texts));
    assert_eq!((preview[0].len(), preview[4].clone()), (1, vec!["VACUUM INTO 'nowhere'".to_owned()]));
    assert!(preview[1].iter().any(|sql| sql == "CREATE TABLE fresh (a NOT NULL, b)"), "{preview:?}");
    let other = shop().await;
    run(&fixture, "1_m", statements[..4].to_vec()).await.unwrap();
    script(&other, &format!("BEGIN; {}; COMMIT", preview[..4].concat().join(";\n"))).await;
    assert_eq!((contents(&other).await, schema(&other).await), (contents(&fixture).await, schema(&fixture).await));
    let mut session = fixture.session().await;
    let wrong = [sql("SELECT 1"), rebuild("nope", [not_null("a")]), sql("SELECT 2")];
    let all: Vec<_> = wrong.iter().collect();
    let Preview { sql, stopped } = Preview::make(Some(&mut session), &fixture.settings, &all).await.unwrap();
    assert_eq!(sql, [["SELECT 1"]]);
    assert!(stopped.as_ref().is_some_and(|error| error.message.contains("'nope'")), "{stopped:?}");
    let statements = &statements[..2];
    let empty = Preview::make(None, &fixture.settings, &statements.iter().collect::<Vec<_>>()).await.unwrap();
    assert_eq!((empty.sql.concat(), empty.stopped), (preview[..2].concat(), None));
}

async fn many(rows: u32) -> Fixture {
    let fixture = Fixture::sqlite();
    let make = format!(
        "CREATE TABLE t (a, b TEXT, c REAL); CREATE INDEX i ON t (b); INSERT INTO t \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) SELECT i, 'text ' || i, i / 3.0 FROM n; \
         DELETE FROM t WHERE a % 7 = 0"
    );
    script(&fixture, &make).await;
    fixture
}

const SUM: &str =
    "SELECT count(*) || ' ' || sum(rowid) || ' ' || sum(rowid = a) || ' ' || sum(length(b)) || ' ' || total(c) FROM t";

#[tokio::test]
async fn many_rows_are_copied() {
    let fixture = many(200_000).await;
    let before = fixture.value(SUM).await;
    run(&fixture, "1_m", vec![rebuild("t", [not_null("a")])]).await.unwrap();
    assert_eq!(fixture.value(SUM).await, before);
    assert_eq!(fixture.value("PRAGMA integrity_check").await.as_deref(), Some("ok"));
}

#[tokio::test]
async fn a_rebuild_is_stopped_in_time() {
    let fixture = many(200_000).await;
    let before = (fixture.value(SUM).await, schema(&fixture).await);
    let (mut session, fence) = fixture.locked().await;
    let one = planned("1_m", [rebuild("t", [default("a", "1")])]);
    let hurried = Work { timeout: Duration::from_millis(25), ..work(&one) };
    let error = session.run_atomic(&fence, &[hurried], true, &soon(), &mut Notes::default()).await.unwrap_err();
    assert_eq!((error.error.kind, error.statement, error.outcome), (ErrorKind::Timeout, Some(0), Outcome::RolledBack));
    session.close().await;
    assert_eq!((fixture.value(SUM).await, schema(&fixture).await), before);
}

/// Columns of random definitions, with the values that they may hold.
fn random_table(random: &mut StdRng) -> (String, Vec<String>) {
    let types = ["", "INT", "INTEGER", "TEXT", "VARCHAR(10)", "NUMERIC(4,2)", "REAL", "BLOB", "UNSIGNED BIG INT"];
    let rest = [
        "",
        " DEFAULT 'a,b'",
        " DEFAULT (1 + (2))",
        " COLLATE NOCASE",
        " NULL",
        " CHECK (1)",
        " CONSTRAINT q DEFAULT -1",
        " /* c */",
    ];
    let quotes = [("", ""), ("\"", "\""), ("[", "]"), ("`", "`")];
    let mut columns = Vec::new();
    let mut parts = Vec::new();
    for index in 0..random.random_range(2..7) {
        let name = format!("c{index}");
        let (open, close) = quotes.choose(random).unwrap();
        parts.push(format!("{open}{name}{close} {}{}", types.choose(random).unwrap(), rest.choose(random).unwrap()));
        columns.push(name);
    }
    let mut end = String::new();
    if random.random_bool(0.3) {
        parts.push("CONSTRAINT pk PRIMARY KEY (c0)".into());
        end = if random.random_bool(0.3) { " WITHOUT ROWID".into() } else { String::new() };
    } else if random.random_bool(0.3) {
        parts.push("UNIQUE (c0) CHECK (c0 IS c0)".into());
    }
    let between = [",", ", ", ",\n  ", ", -- x\n  "].choose(random).unwrap();
    (format!("CREATE TABLE t ({}){end}", parts.join(between)), columns)
}

#[tokio::test]
async fn random_tables_become_what_sqlite_makes_of_them() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let random = &mut StdRng::seed_from_u64(seed);
    for _ in 0..25 {
        let (table, columns) = random_table(random);
        let values = ["1", "2.5", "'3'", "'text'", "x'00'", "1.0", "'1e3'", "9223372036854775807"];
        let mut make = format!("{table}\n;\n");
        for row in 0..random.random_range(0..8) {
            let cells: Vec<String> =
                (0..columns.len())
                    .map(|at| {
                        if at == 0 { format!("{}", row * 3 + 1) } else { (*values.choose(random).unwrap()).to_owned() }
                    })
                    .collect();
            make += &format!("INSERT INTO t VALUES ({});\n", cells.join(", "));
        }
        let dropped = columns[1..].choose(random).unwrap();
        let (ours, theirs) = (Fixture::sqlite(), Fixture::sqlite());
        script(&ours, &make).await;
        script(&theirs, &make).await;
        let edits = [
            TableEdit::AddColumn { name: "new".into(), definition: "INT NOT NULL DEFAULT 5".into() },
            drop_column(dropped),
        ];
        run(&ours, "1_m", vec![rebuild("T", edits)]).await.unwrap_or_else(|error| panic!("{make}: {error:?}"));
        let alter =
            format!("ALTER TABLE t ADD COLUMN \"new\" INT NOT NULL DEFAULT 5; ALTER TABLE t DROP COLUMN {dropped}");
        script(&theirs, &alter).await;
        assert_eq!(contents(&ours).await, contents(&theirs).await, "{make}");
        let shape = "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo('t')";
        let shapes = (rows(&mut open(&ours).await, shape).await, rows(&mut open(&theirs).await, shape).await);
        assert_eq!(shapes.0, shapes.1, "{make}");
    }
}

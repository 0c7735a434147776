//! A million rows are the same after a rebuild, one by one.

use std::time::Instant;

use branchkeeper::domain::TableEdit;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::fixture::Fixture;
use super::sqlite_rebuild::{constraint, default, open, rebuild, rows, run, schema};

const ROWS: i64 = 1_000_000;
const TABLES: &str = "
CREATE TABLE item (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  parent INTEGER REFERENCES item (id) ON DELETE CASCADE,
  name TEXT COLLATE NOCASE NOT NULL,
  price NUMERIC(10, 2) CHECK (price IS NULL OR price >= 0),
  note,
  gross AS (price * 2) STORED,
  label TEXT GENERATED ALWAYS AS (name || '!') VIRTUAL
);
CREATE TABLE line (id INTEGER PRIMARY KEY, item INTEGER NOT NULL REFERENCES item (id) ON DELETE CASCADE);
CREATE TABLE log (what);
";
const TRIGGERS: &str = "
CREATE INDEX item_some ON item (price DESC, name) WHERE id % 1000 = 0;
CREATE TRIGGER item_insert AFTER INSERT ON item BEGIN INSERT INTO log VALUES ('insert'); END;
CREATE TRIGGER item_update AFTER UPDATE ON item BEGIN INSERT INTO log VALUES ('update'); END;
CREATE TRIGGER item_delete AFTER DELETE ON item BEGIN INSERT INTO log VALUES ('delete ' || old.name); END;
CREATE TRIGGER line_delete AFTER DELETE ON line BEGIN INSERT INTO log VALUES ('line'); END;
";

async fn execute(connection: &mut SqliteConnection, text: &str) {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(connection).await.unwrap_or_else(|e| panic!("{e}: {text}"));
}

/// Values of every kind, gaps between the row ids, and lines of which three refer to nothing.
async fn fill(connection: &mut SqliteConnection) {
    let fill = format!(
        "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; BEGIN;
         INSERT INTO item (id, parent, name, price, note)
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         SELECT i * 3, CASE WHEN i > 1 THEN (i / 2) * 3 END, 'Name ' || i,
             CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN i / 7.0 WHEN 2 THEN i || '.50' WHEN 3 THEN 'odd ' || i ELSE i END,
             CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN zeroblob(i % 9) WHEN 2 THEN 'text' || char(0) || i ELSE -i END FROM n;
         INSERT INTO line SELECT id, id FROM item WHERE id % 15 = 0;
         INSERT INTO line VALUES (1, -1), (2, -2), (4, -4);
         COMMIT; {TRIGGERS}"
    );
    execute(connection, TABLES).await;
    execute(connection, &fill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_rows_are_the_same_one_by_one() {
    let begun = Instant::now();
    let fixture = Fixture::sqlite();
    fixture.create().await;
    let mut connection = open(&fixture).await;
    fill(&mut connection).await;
    connection.close().await.unwrap();
    let copy = fixture.folder.path().join("before.db");
    std::fs::copy(fixture.path(), &copy).unwrap();
    let texts = schema(&fixture).await;
    let filled = begun.elapsed();

    let edits = [
        default("price", "1"),
        TableEdit::SetType { column: "name".into(), sql_type: "VARCHAR(40)".into() },
        TableEdit::AddColumn { name: "made".into(), definition: "TEXT NOT NULL DEFAULT 'x'".into() },
        constraint("sane", "CHECK (id > 0)"),
    ];
    run(&fixture, "1_m", vec![rebuild("item", edits)]).await.unwrap();
    let rebuilt = begun.elapsed() - filled;

    let mut now = schema(&fixture).await;
    let table = now.insert("table item".into(), texts["table item"].clone()).unwrap();
    assert_eq!(now, texts, "only the table's own text has changed");
    assert!(table.contains("name VARCHAR(40) COLLATE NOCASE NOT NULL") && table.contains("\"made\""), "{table}");
    let connection = &mut open(&fixture).await;
    execute(connection, &format!("ATTACH '{}' AS old", copy.display())).await;
    let same = "n.parent IS o.parent AND n.name COLLATE BINARY = o.name AND n.price IS o.price
        AND typeof(n.price) = typeof(o.price) AND n.note IS o.note AND typeof(n.note) = typeof(o.note)
        AND n.gross IS o.gross AND n.label COLLATE BINARY = o.label AND n.made = 'x'";
    let count = |sql: &str| format!("SELECT count(*) FROM {sql}");
    let all = ROWS.to_string();
    for (sql, expected) in [
        (count(&format!("main.item n JOIN old.item o ON o.id = n.id WHERE {same}")), &*all),
        (count("main.item"), &all),
        (count("old.item"), &all),
        (count("main.line n JOIN old.line o ON o.id = n.id AND o.item = n.item"), "200003"),
        (count("main.line"), "200003"),
        (count("log"), "0"),
        ("SELECT group_concat(seq) FROM sqlite_sequence WHERE name = 'item'".to_owned(), "3000000"),
        (count("main.item INDEXED BY item_some WHERE id % 1000 = 0"), "1000"),
    ] {
        assert_eq!(rows(connection, &sql).await, [[expected]], "{sql}");
    }
    // Triggers fire and keys cascade as before: the last row has no children and one line.
    execute(connection, "PRAGMA foreign_keys = ON; DELETE FROM item WHERE id = 3000000").await;
    let log = rows(connection, "SELECT what FROM log ORDER BY what").await;
    assert_eq!(log, [["delete Name 1000000"], ["line"]]);
    println!("filled in {filled:?}, rebuilt in {rebuilt:?}, all in {:?}", begun.elapsed());
}

fn rename(name: &str, to: &str) -> TableEdit {
    TableEdit::RenameIndex { name: name.into(), to: to.into() }
}

async fn indexed() -> Fixture {
    let fixture = Fixture::sqlite();
    fixture.create().await;
    let make = "CREATE TABLE t (a UNIQUE, b TEXT, c);
        CREATE UNIQUE INDEX [one x] ON t (b COLLATE NOCASE DESC, abs(c)) WHERE c > 1;
        CREATE INDEX two ON t (c); CREATE INDEX three ON t (b, c); CREATE TABLE other (a);
        CREATE VIEW v AS SELECT c FROM t INDEXED BY three; CREATE TRIGGER g AFTER DELETE ON t BEGIN DELETE FROM other; END;
        INSERT INTO t VALUES (1, 'x', 2), (2, 'y', 3), (3, 'y', 1); ANALYZE";
    execute(&mut open(&fixture).await, make).await;
    fixture
}

#[tokio::test]
async fn indexes_are_renamed_with_their_texts_and_statistics() {
    let fixture = indexed().await;
    let statistics =
        "SELECT idx, stat FROM sqlite_stat1 WHERE tbl = 't' AND idx NOT LIKE 'sqlite_%' ORDER BY stat, idx";
    let before = (schema(&fixture).await, rows(&mut open(&fixture).await, statistics).await);
    assert_eq!(before.1.len(), 3);
    let steps = [
        vec![rename("ONE X", "new \"one\""), rename("two", "TWO")],
        // Exchanged, and in a rebuild.
        vec![rename("new \"one\"", "x"), rename("TWO", "new \"one\""), rename("x", "two")],
        vec![rename("two", "one x"), default("c", "5"), rename("new \"one\"", "two")],
    ];
    let mut names = Vec::new();
    for (index, edits) in steps.into_iter().enumerate() {
        run(&fixture, &format!("{index}_m"), vec![rebuild("T", edits)]).await.unwrap();
        let connection = &mut open(&fixture).await;
        let unique = "SELECT name FROM pragma_index_list('t') WHERE \"unique\" AND partial";
        names.push(rows(connection, unique).await.remove(0).remove(0));
        assert_eq!(rows(connection, "PRAGMA integrity_check").await, [["ok"]]);
    }
    assert_eq!(names, ["new \"one\"", "two", "one x"]);
    let mut after = schema(&fixture).await;
    let text = |quoted: &str| before.0["index one x"].replace("[one x]", quoted);
    assert_eq!(after.remove("index one x").unwrap(), text("\"one x\""));
    assert_eq!(after["index three"], before.0["index three"]);
    assert_eq!(after["view v"], before.0["view v"]);
    // Names that were exchanged have none until the next ANALYZE.
    assert_eq!(rows(&mut open(&fixture).await, statistics).await.len(), 1);
    let fixture = indexed().await;
    run(&fixture, "1_m", vec![rebuild("t", [rename("one x", "1"), rename("two", "2")])]).await.unwrap();
    let now: Vec<_> = rows(&mut open(&fixture).await, statistics).await.into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(now, before.1.iter().map(|row| row[1].clone()).collect::<Vec<_>>());
}

#[tokio::test]
async fn indexes_that_can_t_be_renamed_are_named() {
    let fixture = indexed().await;
    let before = schema(&fixture).await;
    for (edit, says) in [
        (rename("sqlite_autoindex_t_1", "x"), "belongs to a constraint"),
        (rename("nope", "x"), "none of its indexes"),
        (rename("two", "Three"), "'Three' is taken"),
        (rename("two", "other"), "'other' is taken"),
        (rename("three", "four"), "the view 'v'"),
        (rename("two", "sqlite_two"), "reserved"),
    ] {
        let error = run(&fixture, "9_refused", vec![rebuild("t", [edit])]).await.unwrap_err();
        assert!(error.error.message.contains(says), "{says}: {error:?}");
        assert_eq!(schema(&fixture).await, before);
    }
}

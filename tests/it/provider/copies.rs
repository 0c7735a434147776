use branchkeeper::domain::{Effect, ObjectName};

use super::fixture::{Fixture, Notes, alone, planned, sql};
use super::rehearsing::rehearse;

on_mysql!(
    a_copy_has_the_structure_and_nothing_else,
    leftovers_are_dropped_unless_somebody_uses_them,
    what_would_leave_the_copy_is_not_tried,
);

async fn a_copy_has_the_structure_and_nothing_else(fixture: Fixture) {
    for statement in [
        "CREATE TABLE parents (id INT PRIMARY KEY, kind ENUM('a', 'b') NOT NULL DEFAULT 'b', note TEXT)",
        "CREATE TABLE children (id INT PRIMARY KEY, parent INT, CONSTRAINT fk FOREIGN KEY (parent) REFERENCES parents (id))",
        "INSERT INTO parents VALUES (1, 'a', 'x')",
        "CREATE VIEW a_second AS SELECT 1 AS x",
        "CREATE OR REPLACE VIEW a_first AS SELECT id FROM parents",
        "CREATE OR REPLACE VIEW a_second AS SELECT id FROM a_first",
        "CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2",
        "CREATE TRIGGER stamp BEFORE INSERT ON parents FOR EACH ROW SET NEW.note = CONCAT('seen ', twice(NEW.id))",
    ] {
        fixture.value(statement).await;
    }
    let one = planned(
        "1_one",
        [
            sql("INSERT INTO parents (id) VALUES (7)"),
            sql("INSERT INTO children VALUES (1, 7)"),
            // Fails unless the trigger and the function it calls are there, and the rows are not.
            alone("ALTER TABLE parents ADD CONSTRAINT ck CHECK (note = 'seen 14')", Effect::Unknowable),
            alone("CREATE TABLE made AS SELECT * FROM a_second", Effect::TableExists(ObjectName::bare("made"))),
        ],
    );
    assert_eq!(rehearse(&fixture, &[&one], &mut Notes::default()).await.unwrap(), []);
    let broken = planned("2_two", [sql("INSERT INTO children VALUES (1, 9)")]);
    let error = rehearse(&fixture, &[&broken], &mut Notes::default()).await.unwrap_err();
    assert_eq!(error.error.code, "1452", "foreign keys are checked in the copy: {error:?}");
    let rows = "SELECT CAST(COUNT(*) AS CHAR) FROM parents";
    assert_eq!(fixture.value(rows).await.as_deref(), Some("1"));
    assert!(!fixture.has_table("made").await);
}

async fn leftovers_are_dropped_unless_somebody_uses_them(fixture: Fixture) {
    fixture.create().await;
    let left = format!("branchkeeper_dry_run_left{}", uuid::Uuid::new_v4().simple());
    // Of a process that lives: somebody holds the lock of the copy's name, as always from before it is made. Dry runs of other
    // tests look for leftovers, too.
    let mut holder = fixture.database().server.mysql_connect_to(&fixture.database().name).await;
    let lock = format!("SELECT GET_LOCK('bk {}', 0)", left.trim_start_matches("branchkeeper_dry_run_"));
    sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut holder).await.unwrap();
    fixture.value(&format!("CREATE DATABASE `{left}`")).await;
    let one = planned("1_one", [sql("SELECT 1")]);
    let find = format!("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{left}'");
    rehearse(&fixture, &[&one], &mut Notes::default()).await.unwrap();
    assert!(fixture.value(&find).await.is_some());
    sqlx::Connection::close(holder).await.unwrap();
    // The server may take a moment to see that it is gone.
    for _ in 0..100 {
        rehearse(&fixture, &[&one], &mut Notes::default()).await.unwrap();
        if fixture.value(&find).await.is_none() {
            return;
        }
    }
    panic!("{left} is still there");
}

async fn what_would_leave_the_copy_is_not_tried(fixture: Fixture) {
    fixture.create().await;
    fixture.value("CREATE TABLE a (x integer)").await;
    let name = &fixture.database().name;
    let one = planned(
        "1_one",
        [
            sql(&format!("INSERT INTO `{name}`.a VALUES (1)")),
            alone("CREATE DATABASE branchkeeper_never", Effect::Unknowable),
            sql("INSERT INTO a VALUES (2)"),
        ],
    );
    let not_tried = rehearse(&fixture, &[&one], &mut Notes::default()).await.unwrap();
    assert_eq!(not_tried.iter().map(|each| each.index).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(fixture.value("SELECT CAST(COUNT(*) AS CHAR) FROM a").await.as_deref(), Some("0"));
    let made = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'branchkeeper_never'";
    assert_eq!(fixture.value(made).await, None);
}

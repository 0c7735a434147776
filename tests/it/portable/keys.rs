//! Operations on rows keep foreign keys on every server: SQLite, which does not while tables change, included.

use super::catalog::{Place, catalogue};
use crate::provider::fixture::Fixture;

const TABLES: &str = "up:
  - create_table:
      name: Parents
      columns:
        Id:   { type: int, primary_key: true }
        Name: { type: string(40), nullable: true }
  - create_table:
      name: Children
      columns:
        Id:     { type: int, primary_key: true }
        Parent: { type: int, references: Parents(Id), on_delete: cascade, on_update: cascade }
  - create_table:
      name: Links
      columns:
        Id:     { type: int, primary_key: true }
        Parent: { type: int, nullable: true, references: Parents(Id), on_delete: set_null, on_update: cascade }
  - create_table:
      name: Notes
      columns:
        Id:     { type: int, primary_key: true }
        Parent: { type: int, nullable: true, references: Parents(Id) }
  - insert: { table: Parents, rows: [{ Id: 1 }, { Id: 2 }, { Id: 3 }] }
  - insert: { table: Children, rows: [{ Id: 10, Parent: 1 }, { Id: 11, Parent: 2 }, { Id: 12, Parent: 3 }] }
  - insert: { table: Links, rows: [{ Id: 30, Parent: 1 }, { Id: 31, Parent: 2 }] }
  - insert: { table: Notes, rows: [{ Id: 20, Parent: 3 }] }
";
/// Between changes of tables, so that the one thing must not be taken for the other.
const CASCADES: &str = "up:
  - alter_column: { table: Parents, name: Name, type: string(80), nullable: true, default: null }
  - delete: { table: Parents, where: '\"Id\" = 1' }
  - add_check: { table: Parents, name: CK_Parents, check: '\"Id\" > 0' }
  - update: { table: Children, set: { Id: 13 }, where: '\"Id\" = 12' }
  - add_column: { table: Parents, name: Note, type: text, nullable: true }
";
const ROWS: [(&str, &[&str]); 4] = [
    ("SELECT CONCAT(\"Id\", '') FROM \"Parents\" ORDER BY \"Id\"", &["2", "3"]),
    ("SELECT CONCAT(\"Id\", ':', \"Parent\") FROM \"Children\" ORDER BY \"Id\"", &["11:2", "13:3"]),
    ("SELECT CONCAT(\"Id\", ':', COALESCE(\"Parent\", 0)) FROM \"Links\" ORDER BY \"Id\"", &["30:0", "31:2"]),
    ("SELECT CONCAT(\"Id\", ':', \"Parent\") FROM \"Notes\"", &["20:3"]),
];

async fn rows(place: &mut Place, sql: &str) -> Vec<String> {
    let sql = match place {
        Place::MySql(..) => sql.replace('"', "`"),
        _ => sql.to_owned(),
    };
    place.lines(&sql).await
}

#[tokio::test]
async fn rows_that_refer_to_others_go_with_them_or_keep_them() {
    let made = catalogue(&[
        ("1_Tables.yaml", TABLES),
        ("2_Cascades.yaml", CASCADES),
        ("3_Orphan.yaml", "up:\n  - insert: { table: Notes, rows: [{ Id: 21, Parent: 99 }] }\n"),
        ("4_Restricted.yaml", "up:\n  - delete: { table: Parents, where: '\"Id\" = 3' }\n"),
    ])
    .unwrap();
    for mut place in Place::all().await {
        let [tables, cascades, refused @ ..] = made.of(place.provider()).migrations() else { panic!() };
        place.run(&tables.up).await;
        place.run(&cascades.up).await;
        for one in refused {
            let error = place.try_run(&one.up).await.expect_err(&one.up.file);
            assert!(error.contains(&one.up.file), "{error}");
        }
        for (sql, expected) in ROWS {
            assert_eq!(rows(&mut place, sql).await, expected, "{}", place.name());
        }
    }
}

#[tokio::test]
async fn keys_follow_an_update_on_sqlite() {
    let mut place = Place::sqlite().await;
    let made = catalogue(&[
        ("1_Tables.yaml", TABLES),
        ("2_Free.yaml", "up:\n  - update: { table: Parents, set: { Id: 7 }, where: '\"Id\" = 2' }\n"),
    ])
    .unwrap();
    for migration in made.of(place.provider()).migrations() {
        place.run(&migration.up).await;
    }
    assert_eq!(rows(&mut place, ROWS[1].0).await, ["10:1", "11:7", "12:3"]);
}

/// Statements in SQLite's own words are run as SQLite's own shell runs them, without keys, before and after operations on
/// rows.
#[tokio::test]
async fn sqlite_s_own_words_are_left_to_themselves() {
    let mut place = Place::sqlite().await;
    let own = "up:
  - delete: { table: Parents, where: '\"Id\" = 1' }
  - sql: INSERT INTO \"Notes\" VALUES (21, 99)
  - insert: { table: Notes, rows: [{ Id: 22, Parent: 2 }] }
  - sql: DELETE FROM \"Parents\" WHERE \"Id\" = 3
";
    let made = catalogue(&[("1_Tables.yaml", TABLES), ("2_Own.yaml", own)]).unwrap();
    for migration in made.of(place.provider()).migrations() {
        place.run(&migration.up).await;
    }
    assert_eq!(rows(&mut place, "SELECT Id || ':' || Parent FROM Notes ORDER BY 1").await, ["20:3", "21:99", "22:2"]);
    assert_eq!(rows(&mut place, ROWS[1].0).await, ["11:2", "12:3"]);
}

/// A dry run meets the same refusals, and what failed leaves the session fit for more work.
#[tokio::test]
async fn a_violation_leaves_the_session_as_it_was() {
    use crate::provider::fixture::{Notes, planned, soon, sql, work};
    let fixture = Fixture::sqlite();
    let (mut session, fence) = fixture.locked().await;
    let make = ["CREATE TABLE p (id INTEGER PRIMARY KEY)", "CREATE TABLE c (p REFERENCES p ON DELETE CASCADE)"];
    let rows = ["INSERT INTO p VALUES (1)", "INSERT INTO c VALUES (1)"];
    let first = planned("1_m", make.into_iter().chain(rows).map(sql));
    let notes = &mut Notes::default();
    session.run_atomic(&fence, &[work(&first)], false, &soon(), notes).await.unwrap();
    let enforced = |text: &str| branchkeeper::domain::Statement { enforces_keys: true, ..sql(text) };
    let wrong = planned("2_m", [sql("CREATE TABLE t (a)"), enforced("INSERT INTO c VALUES (2)")]);
    let failed = session.run_atomic(&fence, &[work(&wrong)], false, &soon(), notes).await.unwrap_err();
    assert_eq!(failed.statement, Some(1), "{failed:?}");
    assert!(failed.error.message.contains("FOREIGN KEY") && failed.error.hint.contains("refer"), "{failed:?}");
    assert!(!fixture.has_table("t").await);
    // By hand nothing cascades, as before.
    let after = planned("3_m", [sql("DELETE FROM p")]);
    session.run_atomic(&fence, &[work(&after)], true, &soon(), notes).await.unwrap();
    session.close().await;
    assert_eq!(fixture.value("SELECT CAST(count(*) AS TEXT) FROM c").await.as_deref(), Some("1"));
}

//! What portable migrations make of SQLite's stored texts.

use branchkeeper::domain::{Provider, Statement, TableEdit};

use super::catalog::{Place, catalogue};

const COMMENTED: &str = "up:
  - create_table:
      name: T
      comment: all of it
      columns:
        Id: { type: int, primary_key: true, comment: about Id }
        A:  { type: int, nullable: true, comment: 'about A, which is odd' }
        B:  { type: int, nullable: true, comment: about B }
      checks: { CK_T: '\"Id\" > 0' }
";
const ADDED: &str = "up:
  - add_column: { table: T, name: Plain, type: text, nullable: true, comment: about Plain }
  - add_column: { table: T, name: Made, type: timestamptz, default: now, comment: about Made }
  - add_column: { table: T, name: Last, type: int, nullable: true }
";
const DROPPED: &str = "up:
  - drop_column: { table: T, name: B }
down:
  - add_column: { table: T, name: B, type: int, nullable: true, comment: about B }
";

async fn table(place: &mut Place) -> String {
    place.lines("SELECT sql FROM sqlite_schema WHERE name = 'T'").await.remove(0)
}

/// The name of the column that each comment stands behind, in the same item of the list, and the name that it says.
fn commented(sql: &str) -> Vec<(String, String)> {
    let mut at = sql.find('(').unwrap() + 1;
    let (mut found, mut depth, mut begin) = (Vec::new(), 0, at);
    while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(comment) = rest.strip_prefix("/* ") {
            let text = comment.split_once(" */").unwrap().0;
            let name = sql[begin..at].split('"').nth(1);
            if let (Some(name), Some(about)) = (name, text.strip_prefix("about ")) {
                found.push((name.to_owned(), about.split(',').next().unwrap().to_owned()));
            }
            at += text.len() + "/*  */".len();
            continue;
        }
        match rest.as_bytes()[0] {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b',' if depth == 0 => begin = at,
            _ => {}
        }
        at += 1;
    }
    found
}

#[tokio::test]
async fn comments_stay_with_their_columns() {
    let mut place = Place::sqlite().await;
    let made = catalogue(&[("1_T.yaml", COMMENTED), ("2_Added.yaml", ADDED), ("3_Dropped.yaml", DROPPED)]).unwrap();
    let [first, added, dropped] = made.of(Provider::Sqlite).migrations() else { panic!() };
    let own = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect::<Vec<_>>();
    place.run(&first.up).await;
    assert_eq!(commented(&table(&mut place).await), own(&["Id", "A", "B"]));
    place.run(&added.up).await;
    let all = table(&mut place).await;
    assert_eq!(commented(&all), own(&["Id", "A", "B", "Plain", "Made"]), "{all}");
    place.run(&dropped.up).await;
    let less = table(&mut place).await;
    assert_eq!(commented(&less), own(&["Id", "A", "Plain", "Made"]), "{less}");
    assert!(less.contains("/* all of it */"), "{less}");
    place.run(dropped.down.as_ref().unwrap()).await;
    let again = table(&mut place).await;
    assert_eq!(commented(&again), own(&["Id", "A", "Plain", "Made", "B"]), "{again}");
}

#[tokio::test]
async fn changes_of_one_table_are_one_rebuild() {
    let table = "up:
  - create_table: { name: T, columns: { Id: { type: int, primary_key: true }, A: { type: int, nullable: true } } }
  - insert: { table: T, rows: [{ Id: 1, A: 2 }] }
";
    let changes = "up:
  - alter_column: { table: T, name: A, type: bigint, nullable: false, default: 0, was: { type: int, nullable: true, default: null } }
  - add_column: { table: T, name: B, type: string(40), nullable: true }
  - create_index: { table: T, columns: [B desc] }
  - create_index: { table: T, columns: [A], unique: true }
  - add_check: { table: T, name: CK_T, check: '\"A\" >= 0' }
";
    let key = "up:
  - alter_column: { table: T, name: A, type: bigint, nullable: false, default: 1, was: { type: bigint, nullable: false, default: 0 } }
  - drop_index: { table: T, name: UX_T_A }
  - add_column: { table: T, name: C, type: bigint, default: 2 }
  - create_index: { table: T, name: UX_T_C, columns: [C], unique: true }
  - add_foreign_key: { table: T, columns: [A], references: T(C) }
down:
";
    let made = catalogue(&[("1_T.yaml", table), ("2_Changes.yaml", changes), ("3_Key.yaml", key)]).unwrap();
    let [first, changed, keyed] = made.of(Provider::Sqlite).migrations() else { panic!() };
    let rebuilds = |statements: &[Statement]| statements.iter().filter(|each| each.rebuild.is_some()).count();
    let down = changed.down.as_ref().unwrap();
    assert_eq!((rebuilds(&changed.up.statements), changed.up.statements.len()), (1, 3), "{:#?}", changed.up);
    assert_eq!(changed.up.statements[1].line, 4, "an index keeps its own line");
    assert_eq!(rebuilds(&down.statements), 2, "{down:#?}");
    // The unique index that the key needs is there before the key.
    let kinds: Vec<bool> = keyed.up.statements.iter().map(|each| each.rebuild.is_some()).collect();
    assert_eq!(kinds, [true, false, false, false, true], "{:#?}", keyed.up);
    let mut place = Place::sqlite().await;
    place.run(&first.up).await;
    let before = place.catalog().await;
    place.run(&changed.up).await;
    let after = place.catalog().await;
    place.run(down).await;
    assert_eq!(place.catalog().await, before);
    place.run(&changed.up).await;
    assert_eq!(place.catalog().await, after);
    place.run(&keyed.up).await;
    assert_eq!(place.lines("SELECT A || ' ' || C FROM T").await, ["2 2"]);
}

#[tokio::test]
async fn an_index_gets_another_name_and_nothing_else() {
    let table = "up:
  - create_table:
      name: T
      columns: { Id: { type: int, primary_key: true }, A: { type: int, nullable: true }, B: { type: text, nullable: true } }
  - create_index: { table: T, name: One, columns: [A desc, { sql: lower(\"B\") }], unique: true, where: '\"A\" > 0', providers: [sqlite] }
";
    let renamed = "up:
  - rename_index: { table: T, name: One, to: 'The \"second\"', providers: [sqlite] }
";
    let made = catalogue(&[("1_T.yaml", table), ("2_Renamed.yaml", renamed)]).unwrap();
    let [first, second] = made.of(Provider::Sqlite).migrations() else { panic!() };
    let [statement] = &second.up.statements[..] else { panic!("{:?}", second.up) };
    let edits = &statement.rebuild.as_ref().unwrap().edits;
    assert!(matches!(&edits[..], [TableEdit::RenameIndex { .. }]), "{edits:?}");
    assert_eq!(statement.sql, "rename index One to The \"second\" on table T");
    let mut place = Place::sqlite().await;
    place.run(&first.up).await;
    let index = "SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
    let index = format!("{index} AND tbl_name = 'T'");
    let before = (place.catalog().await, place.lines(&index).await);
    place.run(&second.up).await;
    let now = place.lines(&index).await;
    assert_eq!(now, [before.1[0].replace("\"One\"", "\"The \"\"second\"\"\"")]);
    place.run(second.down.as_ref().unwrap()).await;
    assert_eq!((place.catalog().await, place.lines(&index).await), before);
}

#[tokio::test]
async fn comments_are_changed_and_taken_away() {
    let changed = "up:
  - alter_column: { table: T, name: A, comment: 'about A */ now', was: { comment: 'about A, which is odd' } }
  - alter_column: { table: T, name: B, comment: null, was: { comment: about B } }
  - add_column: { table: T, name: C, type: int, nullable: true }
  - alter_column: { table: T, name: C, comment: about C, was: { comment: null } }
";
    let mut place = Place::sqlite().await;
    let made = catalogue(&[("1_T.yaml", COMMENTED), ("2_Changed.sqlite.yaml", changed)]).unwrap();
    let [first, changed] = made.of(Provider::Sqlite).migrations() else { panic!() };
    place.run(&first.up).await;
    let before = table(&mut place).await;
    place.run(&changed.up).await;
    let now = table(&mut place).await;
    let own = |name: &str, about: &str| (name.to_owned(), about.to_owned());
    let wanted = [own("Id", "Id"), own("A", "A * / now"), own("C", "C")];
    assert_eq!(commented(&now), wanted, "{now}");
    place.run(changed.down.as_ref().unwrap()).await;
    assert_eq!(table(&mut place).await, before);
}

/// SQLite tells of a lost lock by a NULL that a column does not take; a NULL in a table that is built anew is none.
#[tokio::test]
async fn a_null_that_a_rebuild_does_not_take_is_told_as_such() {
    let mut place = Place::sqlite().await;
    let added = "up:\n  - add_column: { table: T, name: C, type: int }\n";
    let made = catalogue(&[
        ("1_T.sqlite.up.sql", "CREATE TABLE T (Id INTEGER PRIMARY KEY); INSERT INTO T VALUES (7)"),
        ("2_Added.yaml", added),
    ]);
    let made = made.unwrap();
    let [first, added] = made.of(Provider::Sqlite).migrations() else { panic!() };
    place.run(&first.up).await;
    let error = place.try_run(&added.up).await.unwrap_err();
    assert!(error.contains("NOT NULL constraint failed: T.C: the row 7"), "{error}");
}

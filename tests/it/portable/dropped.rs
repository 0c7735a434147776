//! What others refer to is not dropped: by what migrations have said, when the folder is read; on SQLite, which keeps no
//! keys while tables change, also by what the database itself says.

use branchkeeper::domain::Provider;

use super::catalog::{Place, catalogue};

const TABLES: &str = "up:
  - create_table: { name: Parents, columns: { Id: { type: int, primary_key: true }, Code: { type: int, unique: true }, Up: { type: int, nullable: true, references: Parents(Id) } } }
  - create_table: { name: Children, columns: { Id: { type: int, primary_key: true }, Parent: { type: int, references: Parents(Id) }, Code: { type: int, references: Parents(Code) } } }
  - insert: { table: Parents, rows: [{ Id: 1, Code: 2 }] }
  - insert: { table: Children, rows: [{ Id: 3, Parent: 1, Code: 2 }] }
";
/// As above, but nobody knows of the tables any more: a statement in the server's own words has named them.
const FORGOTTEN: &str = "up:\n  - sql: SELECT count(*) FROM Parents, Children\n";

fn refusal(change: &str) -> String {
    let text = format!("up:\n{change}");
    catalogue(&[("1_T.yaml", TABLES), ("2_Change.sqlite.yaml", &text)]).err().unwrap_or_default().to_string()
}

#[test]
fn what_is_known_to_refer_is_named_when_the_folder_is_read() {
    for (change, wanted) in [
        (
            "  - drop_table: { name: Parents }\n",
            ["drop_table on sqlite", "Children by FK_Children_Parent", "drop_foreign_key"],
        ),
        (
            "  - drop_column: { table: Parents, name: Code }\n",
            ["drop_column on sqlite", "FK_Children_Code of Children", "first"],
        ),
        (
            "  - drop_primary_key: { table: Parents }\n",
            ["drop_primary_key on sqlite", "FK_Children_Parent of Children", "first"],
        ),
        (
            "  - drop_unique: { table: Parents, name: UQ_Parents_Code }\n",
            ["drop_unique on sqlite", "FK_Children_Code of Children", "first"],
        ),
        (
            "  - rename_table: { name: Parents, to: Elders }\n  - drop_table: { name: Elders }\n",
            ["drop_table on sqlite", "Children by FK_Children_Parent", "drop Children"],
        ),
        (
            "  - rename_column: { table: Parents, name: Code, to: Key }\n  - drop_column: { table: Parents, name: Key }\n",
            ["drop_column on sqlite", "FK_Children_Code of Children", "first"],
        ),
    ] {
        let said = refusal(change);
        assert!(wanted.iter().all(|part| said.contains(part)), "{change}: {said}");
    }
    for change in [
        "  - drop_table: { name: Children }\n  - drop_table: { name: Parents }\n",
        "  - drop_table: { name: Parents }\n  - drop_table: { name: Children }\n",
        "  - drop_foreign_key: { table: Children, name: FK_Children_Parent }\n  - drop_foreign_key: { table: Children, name: FK_Children_Code }\n  - drop_table: { name: Parents }\n",
    ] {
        assert_eq!(refusal(change), "", "{change}");
    }
}

async fn forgotten(change: &str) -> (Result<(), String>, Vec<String>) {
    let text = format!("up:\n{change}");
    let files = [("1_T.yaml", TABLES), ("2_Forgotten.yaml", FORGOTTEN), ("3_Change.sqlite.yaml", &text)];
    let made = catalogue(&files).unwrap_or_else(|problems| panic!("{problems}"));
    let mut place = Place::sqlite().await;
    let [tables, _, change] = made.of(Provider::Sqlite).migrations() else { panic!() };
    place.run(&tables.up).await;
    let done = place.try_run(&change.up).await;
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '__Migr%' ORDER BY name";
    let left = place.lines(tables).await;
    assert_eq!(place.lines("SELECT CAST(count(*) AS TEXT) FROM pragma_foreign_key_check").await, ["0"]);
    (done, left)
}

#[tokio::test]
async fn sqlite_itself_is_asked_before_a_table_goes() {
    let note = "  - create_table: { name: Notes, columns: { Id: int } }\n";
    let (done, left) = forgotten(&format!("{note}  - drop_table: {{ name: Parents }}\n")).await;
    let said = done.unwrap_err();
    assert!(said.contains("'Parents' can't be dropped: 'Children' refers to it") && said.contains(".yaml:3"), "{said}");
    assert_eq!(left, ["Children", "Parents"]);
    for change in [
        "  - drop_table: { name: parents }\n",
        "  - drop_column: { table: Parents, name: Code }\n",
        "  - drop_primary_key: { table: Parents }\n",
    ] {
        let (done, left) = forgotten(change).await;
        assert!(done.is_err(), "{change}");
        assert_eq!(left, ["Children", "Parents"], "{change}");
    }
    for change in [
        "  - drop_table: { name: Parents }\n  - drop_table: { name: Children }\n",
        "  - drop_table: { name: Children }\n  - drop_table: { name: Parents }\n",
    ] {
        let (done, left) = forgotten(change).await;
        assert_eq!((done, left), (Ok(()), Vec::<String>::new()), "{change}");
    }
    let keyless = "  - drop_foreign_key: { table: Children, name: FK_Children_Parent }\n  - drop_foreign_key: { table: Children, name: FK_Children_Code }\n  - drop_table: { name: Parents }\n";
    assert_eq!(forgotten(keyless).await, (Ok(()), vec!["Children".to_owned()]));
}

#[tokio::test]
async fn keys_follow_what_is_renamed_on_sqlite() {
    let (done, left) = forgotten("  - rename_table: { name: Parents, to: Elders }\n  - rename_column: { table: Elders, name: Code, to: Key }\n  - insert: { table: Children, rows: [{ Id: 4, Parent: 1, Code: 2 }] }\n").await;
    assert_eq!((done, left), (Ok(()), vec!["Children".to_owned(), "Elders".to_owned()]));
    let (done, _) =
        forgotten("  - rename_table: { name: Parents, to: Elders }\n  - drop_table: { name: Elders }\n").await;
    assert!(done.unwrap_err().contains("'Children' refers to it"));
}

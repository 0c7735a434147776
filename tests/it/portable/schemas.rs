//! Names with a schema, on the server that has schemas and is at hand; the others say so when the folder is read.

use branchkeeper::domain::Provider;

use super::catalog::{Place, catalogue};

const SCHEMAS: &str = "up:
  - sql: { postgres: 'CREATE SCHEMA shop; CREATE SCHEMA \"Back Office\"' }
down:
  - sql: { postgres: 'DROP SCHEMA shop; DROP SCHEMA \"Back Office\"' }
";
const TABLES: &str = "up:
  - create_table:
      name: shop.Lines
      comment: What was sold
      columns:
        Id:   { type: int, identity: true, primary_key: true }
        Sale: { type: int, references: Back Office.Sales(Id), comment: whose }
        Note: { type: string(40), nullable: true, unique: true }
      indexes: [{ columns: [Sale desc] }]
  - create_table: { name: Back Office.Sales, columns: { Id: { type: int, primary_key: true } } }
";
const CHANGES: &str = "up:
  - add_column: { table: shop.Lines, name: Count, type: int, default: 1, comment: how many }
  - rename_column: { table: shop.Lines, name: Note, to: Text }
  - alter_column: { table: shop.Lines, name: Text, type: string(80), nullable: true, default: null, comment: said, was: { type: string(40), nullable: true, default: null, comment: null } }
  - create_index: { table: shop.Lines, name: IX_Count, columns: [Count], where: '\"Count\" > 0', online: true }
  - rename_index: { table: shop.Lines, name: IX_Count, to: IX_HowMany }
  - add_check: { table: shop.Lines, name: CK_Count, check: Count > 0, online: true }
  - create_view: { name: shop.Sold, query: 'SELECT \"Id\" FROM shop.\"Lines\"' }
  - rename_table: { name: Back Office.Sales, to: Sold }
";
const ROWS: &str = "up:
  - insert: { table: Back Office.Sold, rows: [{ Id: 7 }] }
  - insert: { table: shop.Lines, rows: [{ Id: 41, Sale: 7 }, { Id: 42, Sale: 7 }] }
  - insert: { table: shop.Lines, rows: [{ Sale: 7, Text: it's }] }
  - update: { table: shop.Lines, set: { Count: 3 }, where: Id = 42 }
  - delete: { table: shop.Lines, where: Id = 41 }
down:
  - delete: { table: shop.Lines, all: true }
  - delete: { table: Back Office.Sold, all: true }
";

#[tokio::test]
async fn every_operation_goes_into_the_schema_that_it_names() {
    let files = ["1_Schemas", "2_Tables", "3_Changes", "4_Rows"].map(|name| format!("{name}.postgres.yaml"));
    let texts = [SCHEMAS, TABLES, CHANGES, ROWS];
    let named: Vec<(&str, &str)> = files.iter().map(String::as_str).zip(texts).collect();
    let made = catalogue(&named).unwrap_or_else(|problems| panic!("{problems}"));
    for mut place in Place::all().await {
        if place.provider() != Provider::Postgres {
            continue;
        }
        let migrations = made.of(Provider::Postgres).migrations();
        let all =
            "SELECT format('%s.%s', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname IN ('shop', 'Back Office', 'public') AND c.relkind IN ('r', 'v', 'i') ORDER BY 1";
        for _ in 0..2 {
            for migration in migrations {
                place.run(&migration.up).await;
            }
            let wanted = [
                "Back Office.PK_Sales",
                "Back Office.Sold",
                "shop.IX_HowMany",
                "shop.IX_Lines_Sale",
                "shop.Lines",
                "shop.PK_Lines",
                "shop.Sold",
                "shop.UQ_Lines_Note",
            ];
            assert_eq!(place.lines(all).await, wanted);
            let rows =
                "SELECT concat_ws(' ', \"Id\", \"Sale\", \"Text\", \"Count\") FROM shop.\"Lines\" ORDER BY \"Id\"";
            assert_eq!(place.lines(rows).await, ["42 7 3", "43 7 it's 1"]);
            let comments =
                "SELECT description FROM pg_description WHERE objoid = 'shop.\"Lines\"'::regclass ORDER BY 1";
            assert_eq!(place.lines(comments).await, ["What was sold", "how many", "said", "whose"]);
            for migration in migrations.iter().rev() {
                place.run(migration.down.as_ref().unwrap()).await;
            }
            assert_eq!(place.lines(all).await, Vec::<String>::new());
        }
    }
}

#[test]
fn servers_without_schemas_say_so() {
    for operation in [
        "create_table: { name: shop.T, columns: { Id: int } }",
        "drop_table: { name: shop.T }",
        "rename_table: { name: shop.T, to: U }",
        "add_column: { table: shop.T, name: A, type: int, nullable: true }",
        "drop_column: { table: shop.T, name: A }",
        "rename_column: { table: shop.T, name: A, to: B }",
        "alter_column: { table: shop.T, name: A, type: int, nullable: true, default: null, identity: false, comment: null }",
        "create_index: { table: shop.T, columns: [A] }",
        "drop_index: { table: shop.T, name: I }",
        "rename_index: { table: shop.T, name: I, to: J }",
        "add_primary_key: { table: shop.T, columns: [A] }",
        "drop_primary_key: { table: shop.T }",
        "add_foreign_key: { table: shop.T, columns: [A], references: T(Id) }",
        "add_foreign_key: { table: T, columns: [A], references: shop.T(Id) }",
        "drop_foreign_key: { table: shop.T, name: F }",
        "add_unique: { table: shop.T, columns: [A] }",
        "drop_unique: { table: shop.T, name: F }",
        "add_check: { table: shop.T, name: C, check: A > 0 }",
        "drop_check: { table: shop.T, name: C }",
        "create_view: { name: shop.V, query: SELECT 1 }",
        "drop_view: { name: shop.V }",
        "insert: { table: shop.T, rows: [{ A: 1 }] }",
        "update: { table: shop.T, set: { A: 1 }, all: true }",
        "delete: { table: shop.T, all: true }",
    ] {
        let word = operation.split(':').next().unwrap();
        for provider in ["sqlite", "mysql"] {
            let text = format!("up:\n  - {operation}\ndown:\n");
            let said = catalogue(&[(&format!("1_A.{provider}.yaml"), &text)]).err().unwrap_or_default().to_string();
            let wanted = format!("{word} on {provider}: the name shop.");
            assert!(said.contains(&wanted) && said.contains("has a schema"), "{operation}: {said}");
        }
        for provider in ["postgres", "sqlserver"] {
            let text = format!("up:\n  - {operation}\ndown:\n");
            let said = catalogue(&[(&format!("1_A.{provider}.yaml"), &text)]).err().unwrap_or_default().to_string();
            assert!(!said.contains("schema"), "{operation}: {said}");
        }
    }
}

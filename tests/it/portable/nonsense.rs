//! Names and values that nobody should choose: they are what they say on every server, or refused when the folder is read.

use std::fmt::Write;

use branchkeeper::domain::Provider;

use super::catalog::{Place, catalogue};

const CIRCLE: &str = r#"up:
  - create_table:
      name: 'select "from" `x` [y]'''
      columns:
        'Order': { type: int, primary_key: true }
        'group "by" `z` ]': { type: int, nullable: true, references: { table: 'Größe ŁÓDŹ 表', columns: ['TABLE'] } }
  - create_table:
      name: 'Größe ŁÓDŹ 表'
      columns:
        'TABLE': { type: int, primary_key: true }
        'null': { type: int, nullable: true, references: { table: 'key', columns: ['primary'] } }
  - create_table:
      name: 'key'
      columns:
        'primary': { type: int, primary_key: true }
        'default': { type: int, nullable: true, references: { table: 'select "from" `x` [y]''', columns: ['Order'] } }
      indexes: [{ columns: ['default desc', 'primary'], unique: true }]
"#;

#[tokio::test]
async fn three_tables_in_a_circle_with_names_of_the_worst_kind() {
    let made = catalogue(&[("1_Circle.yaml", CIRCLE)]).unwrap_or_else(|problems| panic!("{problems}"));
    for mut place in Place::all().await {
        let [circle] = made.of(place.provider()).migrations() else { panic!() };
        let before = place.catalog().await;
        place.run(&circle.up).await;
        let there = place.catalog().await;
        assert_ne!(there, before, "{}", place.name());
        place.run(circle.down.as_ref().unwrap()).await;
        assert_eq!(place.catalog().await, before, "{}", place.name());
        place.run(&circle.up).await;
        assert_eq!(place.catalog().await, there, "{}", place.name());
    }
}

#[tokio::test]
async fn two_hundred_operations_are_one_migration() {
    let mut text = "up:\n  - create_table: { name: T, columns: { Id: { type: int, primary_key: true } } }\n".to_owned();
    for number in 0..50 {
        let _ = write!(
            text,
            "  - add_column: {{ table: T, name: C{number}, type: string(20), nullable: true, default: x }}
  - alter_column: {{ table: T, name: C{number}, type: string(40), nullable: true, default: null, was: {{ type: string(20), nullable: true, default: x }} }}
  - rename_column: {{ table: T, name: C{number}, to: D{number} }}
  - insert: {{ table: T, rows: [{{ Id: {number}, D{number}: now it is {number} }}] }}
"
        );
    }
    let made = catalogue(&[("1_Many.yaml", &text)]).unwrap_or_else(|problems| panic!("{problems}"));
    for mut place in Place::all().await {
        place.up(&made).await;
        let (quote, kind) = if place.provider() == Provider::MySql { ('`', "char") } else { ('"', "varchar(40)") };
        let sql = format!("SELECT CAST({quote}D49{quote} AS {kind}) FROM {quote}T{quote} WHERE {quote}Id{quote} = 49");
        assert_eq!(place.lines(&sql).await, ["now it is 49"], "{}", place.name());
    }
}

/// A type, a value as it is written, and what it is.
const VALUES: [(&str, &str, &str); 18] = [
    ("string(40)", "'it''s \"a\" \\ `b` $(c) ]'", "it's \"a\" \\ `b` $(c) ]"),
    ("string(40)", "'\\'", "\\"),
    ("string(40)", "'\\''; DROP TABLE T; --'", "\\'; DROP TABLE T; --"),
    ("string(40)", "😀 żółć 表", "😀 żółć 表"),
    ("text", "\"two\\nlines\\t\\\\n /* no */ -- no\"", "two\nlines\t\\n /* no */ -- no"),
    ("text", "'%s ? $1 :name {0} @x $$ $a$'", "%s ? $1 :name {0} @x $$ $a$"),
    ("text", "'null'", "null"),
    ("string(9)", "007", "007"),
    ("string(9)", "1e3", "1e3"),
    ("int", "-2147483648", "-2147483648"),
    ("bigint", "-9223372036854775808", "-9223372036854775808"),
    ("'decimal(38,0)'", "-99999999999999999999999999999999999999", "-99999999999999999999999999999999999999"),
    ("'decimal(38,30)'", "-12345678.123456789012345678901234567890", "-12345678.123456789012345678901234567890"),
    ("date", "1899-12-31", "1899-12-31"),
    ("date", "0001-01-01", "0001-01-01"),
    ("date", "9999-12-31", "9999-12-31"),
    ("uuid", "0E6A3C5E-8D1F-4B52-9D0A-2F6F0A1B7C3D", "0e6a3c5e-8d1f-4b52-9d0a-2f6f0a1b7c3d"),
    ("'enum(''it''''s'', ''a,b'')'", "\"it's\"", "it's"),
];

#[tokio::test]
async fn values_are_what_they_say_in_rows_and_as_defaults() {
    let mut text =
        "up:\n  - create_table:\n      name: T\n      columns:\n        Id: { type: int, primary_key: true }\n"
            .to_owned();
    let mut row = "Id: 2".to_owned();
    for (number, (kind, value, _)) in VALUES.iter().enumerate() {
        let _ = writeln!(text, "        R{number}: {{ type: {kind}, nullable: true }}");
        // A default of a text is written as a text.
        let _ = writeln!(text, "        D{number}: {{ type: {kind}, nullable: true, default: {value} }}");
        let _ = write!(row, ", R{number}: {value}");
    }
    let _ = writeln!(text, "  - insert: {{ table: T, rows: [{{ {row} }}] }}");
    let made = catalogue(&[("1_Values.yaml", &text)]).unwrap_or_else(|problems| panic!("{problems}"));
    for mut place in Place::all().await {
        place.up(&made).await;
        let is_sqlite = place.provider() == Provider::Sqlite;
        let (quote, to) = if place.provider() == Provider::MySql { ('`', "char") } else { ('"', "varchar(99)") };
        for (number, (kind, value, wanted)) in VALUES.iter().enumerate() {
            // SQLite is exact to 15 digits.
            if is_sqlite && kind.contains("decimal") {
                continue;
            }
            for column in ['R', 'D'] {
                let sql = format!("SELECT CAST({quote}{column}{number}{quote} AS {to}) FROM {quote}T{quote}");
                assert_eq!(place.lines(&sql).await, [*wanted], "{}: {column} {kind} {value}", place.name());
            }
        }
    }
}

#[test]
fn names_that_are_too_long_and_texts_with_nul_are_refused() {
    let name = "n".repeat(300);
    for (operation, place) in [
        (format!("create_table: {{ name: {name}, columns: {{ Id: int }} }}"), "2:27"),
        (format!("create_table: {{ name: T, columns: {{ {name}: int }} }}"), "2:41"),
        (format!("rename_table: {{ name: T, to: {name} }}"), "2:34"),
        (format!("add_column: {{ table: T, name: {name}, type: int, nullable: true }}"), "2:35"),
        (format!("create_index: {{ table: T, name: {name}, columns: [Id] }}"), "2:37"),
        (format!("add_check: {{ table: T, name: {name}, check: Id > 0 }}"), "2:34"),
    ] {
        let said = catalogue(&[("1_A.yaml", &format!("up:\n  - {operation}\n"))]).unwrap_err().to_string();
        assert!(said.starts_with(&format!("1_A.yaml:{place}: ")) && said.contains("128 characters"), "{place}: {said}");
        assert!(said.len() < 700, "{said}");
    }
    let nul = "up:\n  - insert: { table: T, rows: [{ A: \"a\\0b\" }] }\n";
    let said = catalogue(&[("1_A.yaml", nul)]).unwrap_err().to_string();
    assert!(said.starts_with("1_A.yaml:2:") && said.contains("NUL"), "{said}");
}

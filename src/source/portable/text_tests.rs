use super::dialect::of;
use crate::domain::Provider;

#[test]
fn texts_mean_themselves_on_sql_server() {
    let text = |text: &str| of(Provider::SqlServer).text(text);
    assert_eq!(text("it's"), "N'it''s'");
    assert_eq!(text("$(a)"), "(N'$' + N'(a)')", "it is no variable of sqlcmd");
    assert_eq!(text("a\\\nb"), "(N'a\\' + N'\nb')", "a backslash there joins the lines");
}

fn on(provider: Provider, operations: &str) -> Vec<crate::domain::Statement> {
    let document = super::read("1_A.yaml", &format!("up:\n{operations}")).unwrap();
    super::scripts(provider, "1_A.yaml", &document, &mut super::Known::default()).unwrap().up.statements
}

#[test]
fn clauses_that_move_what_others_read_are_kept_apart() {
    let count = |operations: &str| on(Provider::MySql, operations).len();
    let index = "  - create_index: { table: T, name: I, columns: [A] }\n";
    let unique = "  - add_unique: { table: T, name: U, columns: [A] }\n";
    let check = "  - add_check: { table: T, name: C, check: 'length(\"A\") > 0' }\n";
    let computed = "  - add_column: { table: T, name: S, type: int, generated: '\"A\" + 1' }\n";
    let rename = "  - rename_column: { table: T, name: A, to: B }\n";
    let drop = "  - drop_column: { table: T, name: A }\n";
    for first in [index, unique, check, computed] {
        for second in [rename, drop] {
            assert_eq!(count(&format!("{first}{second}")), 2, "{first}{second}");
        }
    }
    let add = "  - add_column: { table: T, name: A, type: int, nullable: true }\n";
    assert_eq!(count(&format!("{add}{index}{unique}{check}")), 1, "a column is made with what is over it");
    let change =
        "  - alter_column: { table: T, name: A, type: string(9), nullable: true, default: null, comment: null }\n";
    assert_eq!(count(&format!("{index}{change}{unique}")), 1);
    let drop_key = "  - drop_primary_key: { table: T }\n";
    let add_key = "  - add_primary_key: { table: T, columns: [A] }\n";
    assert_eq!(count(&format!("{drop_key}{change}{add_key}")), 1, "a key is exchanged at once");
    assert_eq!(count(&format!("{add_key}{drop_key}")), 2);
}

#[test]
fn a_statement_knows_all_its_lines() {
    let operations = "  - add_column: { table: T, name: A, type: int, nullable: true }\n  \
                      - add_column: { table: T, name: B, type: int, nullable: true, unique: true }\n  \
                      - create_index: { table: T, columns: [A] }\n";
    let merged = on(Provider::MySql, operations);
    assert_eq!((merged.len(), merged[0].line, merged[0].further_lines.as_slice()), (1, 2, [3, 4].as_slice()));
    assert_eq!(merged[0].lines_in_words().as_deref(), Some("does what lines 2, 3 and 4 say"));
    assert!(on(Provider::Postgres, operations).iter().all(|each| each.further_lines.is_empty()));
}

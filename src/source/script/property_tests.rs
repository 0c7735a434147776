//! Whatever the text, splitting ends, panics never, and cuts out pieces of exactly that text.

use proptest::prelude::*;
use sqlparser::dialect::{Dialect as OtherDialect, MySqlDialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::tokenizer::{Token as OtherToken, Tokenizer};

use super::*;

/// Pieces that begin, end or disguise something in any dialect.
pub(super) const SOUP: [&str; 96] = [
    ";",
    ";",
    ";",
    " ",
    " ",
    "\n",
    "\r\n",
    "\t",
    "(",
    ")",
    "'",
    "''",
    "\"",
    "`",
    "[",
    "]",
    "--",
    "-- c\n",
    "/*",
    "*/",
    "/* c */",
    "$",
    "$$",
    "$a$",
    "$1",
    "E'",
    "U&\"",
    "\\",
    "\\'",
    "\\.",
    ".",
    ".x",
    "#",
    ",",
    "=",
    "BEGIN",
    "ATOMIC",
    "END",
    "CASE",
    "CREATE",
    "TRIGGER",
    "TEMP",
    "FUNCTION",
    "OR",
    "REPLACE",
    "TABLE",
    "INDEX",
    "CONCURRENTLY",
    "ON",
    "ALTER",
    "RENAME",
    "TO",
    "COPY",
    "FROM",
    "stdin",
    "VACUUM",
    "PRAGMA",
    "/*!50003 ",
    "/*!",
    "/*M!100100",
    "/*!999999",
    "\nDELIMITER //\n",
    "\nDELIMITER $$\n",
    "\ndelimiter ;\n",
    "DELIMITER",
    "//",
    "--x",
    "\nGO\n",
    "\nGO 3 -- c\n",
    "GO",
    "]]",
    ":",
    "$(",
    "@",
    "PROCEDURE",
    "FOR EACH ROW",
    "RETURNS INT",
    "NOT ATOMIC",
    "IF",
    "THEN",
    "ELSE",
    "LOOP",
    "WHILE",
    "DO",
    "REPEAT",
    "UNTIL",
    "DECLARE",
    "HANDLER FOR NOT FOUND",
    "EVENT",
    "SET sql_mode=",
    "DROP",
    "x",
    "żółw",
    "0",
    "\u{a0}",
    "-- branchkeeper: timeout=1s\n",
];

fn soup() -> impl Strategy<Value = String> {
    let piece = (prop::sample::select(&SOUP[..]), prop::bool::weighted(0.4));
    prop::collection::vec(piece, 0..60).prop_map(|pieces| {
        pieces.into_iter().map(|(piece, gap)| format!("{piece}{}", if gap { " " } else { "" })).collect()
    })
}

/// A token that is whole in both dialects and means the same there.
fn simple_token() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-df-tv-z][a-z0-9_]{0,6}",
        "[0-9]{1,4}",
        "'([a-z;\" -]|''){0,8}'",
        "\"[a-z;' -]{1,8}\"",
        "-- [a-z;'\"]{0,8}\n",
        "/\\* [a-z;'\"]{0,8} \\*/",
        prop::sample::select(vec!["(", ")", ",", "=", "+", "<", "."]).prop_map(str::to_owned),
        Just(";".to_owned()),
    ]
}

/// The statements by another tokenizer: runs of tokens between semicolons that are not in parentheses.
fn by_oracle(dialect: &dyn OtherDialect, counts_parens: bool, text: &str) -> Option<Vec<String>> {
    let mut statements = vec![String::new()];
    let mut depth = 0usize;
    for token in Tokenizer::new(dialect, text).with_unescape(false).tokenize().ok()? {
        match token {
            OtherToken::Whitespace(_) => continue,
            OtherToken::SemiColon if depth == 0 => {
                statements.push(String::new());
                continue;
            }
            OtherToken::LParen if counts_parens => depth += 1,
            OtherToken::RParen if counts_parens => depth = depth.saturating_sub(1),
            _ => {}
        }
        statements.last_mut()?.push_str(&token.to_string());
    }
    statements.retain(|statement| !statement.is_empty());
    (depth == 0).then_some(statements)
}

fn without_blanks(provider: Provider, sql: &str) -> String {
    let mut scanner = Scanner::new(sql, dialect::rules(provider));
    let mut out = String::new();
    while let Ok(Some(token)) = scanner.next() {
        out.push_str(&sql[token.start..token.end]);
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_statements_are_pieces_of_the_text(text in prop_oneof![soup(), any::<String>()]) {
        let normal = normal(text.strip_prefix('\u{feff}').unwrap_or(&text)).into_owned();
        for provider in Provider::ALL {
            let reading = read(provider, "f", &normal);
            let mut from = 0;
            let mut statements = reading.statements.clone();
            // GO 3 runs a batch three times.
            statements.dedup_by_key(|each| (each.line, each.column));
            for statement in &statements {
                let found = normal[from..].find(&statement.sql).map(|index| from + index);
                prop_assert!(found.is_some(), "{provider}: {:?} in order", statement.sql);
                let start = place_to_offset(&normal, statement.line, statement.column);
                prop_assert!(start >= from, "{provider}: {:?}", statement.sql);
                prop_assert!(normal[start..].starts_with(&statement.sql), "{provider}: {:?}", statement.sql);
                prop_assert!(!statement.sql.trim_matches([' ', '\n', '\t', ';']).is_empty());
                from = start + statement.sql.len();
            }
            for problem in &reading.problems {
                let offset = place_to_offset(&normal, problem.line, problem.column);
                prop_assert!(offset <= normal.len());
            }
            prop_assert_eq!(split(provider, "f", &text).is_ok(), reading.problems.is_empty());
            let again = read(provider, "f", &normal.replace('\n', "\r\n").replace("\r\n", "\n"));
            prop_assert_eq!(again.statements, reading.statements);
        }
    }

    #[test]
    fn a_statement_by_itself_splits_into_itself(text in soup()) {
        for provider in Provider::ALL {
            if provider == Provider::MySql && text.to_lowercase().contains("delimiter") {
                continue;
            }
            let end = if provider == Provider::SqlServer { "\nGO" } else { ";" };
            for statement in split(provider, "f", &text).unwrap_or_default() {
                // Text that ran to the end without a terminator may lack what closes it; what ended may not.
                let alone = split(provider, "f", &format!("\n  {}{end}", statement.sql)).unwrap();
                prop_assert_eq!(alone.len(), 1, "{}: {:?}", provider, statement.sql);
                prop_assert_eq!(&alone[0].sql, &statement.sql);
                prop_assert_eq!(&alone[0].alone, &statement.alone);
                prop_assert_eq!((alone[0].line, alone[0].column), (2, 3));
            }
        }
    }

    #[test]
    fn simple_scripts_split_as_another_tokenizer_has_it(tokens in prop::collection::vec(simple_token(), 0..40)) {
        let text = tokens.join(" ");
        let dialects: [(Provider, &dyn OtherDialect, bool); 3] = [
            (Provider::Sqlite, &SQLiteDialect {}, false),
            (Provider::Postgres, &PostgreSqlDialect {}, true),
            (Provider::MySql, &MySqlDialect {}, false),
        ];
        for (provider, dialect, counts_parens) in dialects {
            let Some(expected) = by_oracle(dialect, counts_parens, &text) else { continue };
            let Ok(statements) = split(provider, "f", &text) else { continue };
            let found: Vec<_> = statements.iter().map(|each| without_blanks(provider, &each.sql)).collect();
            prop_assert_eq!(found, expected, "{}: {:?}", provider, text);
        }
    }
}

pub(super) fn place_to_offset(text: &str, line: u32, column: u32) -> usize {
    let start: usize = text.split_inclusive('\n').take(line as usize - 1).map(str::len).sum();
    let rest = &text[start..];
    start + rest.char_indices().nth(column as usize - 1).map_or(rest.len(), |(index, _)| index)
}

use std::ops::Range;

/// What a token of SQLite's language is, as far as definitions need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or an unquoted name.
    Word,
    /// A name in double quotes, backquotes or brackets.
    Quoted,
    /// Text in single quotes, which SQLite takes for a name where only a name can stand.
    Text,
    /// A number or a blob.
    Literal,
    /// Anything else, one character each.
    Symbol(char),
}

/// A token and the bytes that it takes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Token {
    pub(super) fn text<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether it is this keyword.
    pub(super) fn is(&self, text: &str, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text(text).eq_ignore_ascii_case(keyword)
    }

    /// The name that it stands for, without its quotes; `None` when it can't be a name.
    pub(super) fn name(&self, text: &str) -> Option<String> {
        let raw = self.text(text);
        let inner = || raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
        match (self.kind, raw.chars().next()) {
            (Kind::Word, _) => Some(raw.to_owned()),
            (Kind::Quoted, Some('[')) => Some(inner().to_owned()),
            (Kind::Quoted | Kind::Text, Some(quote)) => {
                Some(inner().replace(&format!("{quote}{quote}"), &quote.to_string()))
            }
            _ => None,
        }
    }
}

/// The tokens of a text, by the rules of SQLite's own tokenizer. White space and comments are what lies between them.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let skipped = trivia(rest);
        if skipped > 0 {
            at += skipped;
            continue;
        }
        let (kind, length) = token(rest);
        found.push(Token { kind, start: at, end: at + length });
        at += length;
    }
    found
}

/// How many bytes of white space or of one comment `rest` begins with.
pub(super) fn trivia(rest: &str) -> usize {
    if rest.starts_with("--") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if let Some(inside) = rest.strip_prefix("/*") {
        // As in SQLite, the end of the text ends a comment.
        return inside.find("*/").map_or(rest.len(), |end| end + 4);
    }
    rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']).len()
}

fn token(rest: &str) -> (Kind, usize) {
    let mut chars = rest.chars();
    let Some(first) = chars.next() else { return (Kind::Symbol(' '), 0) };
    let second = chars.next().unwrap_or(' ');
    match first {
        '\'' => (Kind::Text, quoted(rest, '\'')),
        '"' | '`' => (Kind::Quoted, quoted(rest, first)),
        '[' => (Kind::Quoted, rest.find(']').map_or(rest.len(), |end| end + 1)),
        'x' | 'X' if second == '\'' => (Kind::Literal, 1 + rest.get(1..).map_or(0, |text| quoted(text, '\''))),
        '0'..='9' => (Kind::Literal, number(rest)),
        '.' if second.is_ascii_digit() => (Kind::Literal, number(rest)),
        _ if is_name(first) => (Kind::Word, rest.find(|ch| !is_name(ch)).unwrap_or(rest.len())),
        _ => (Kind::Symbol(first), first.len_utf8()),
    }
}

fn is_name(ch: char) -> bool {
    ch.is_ascii_alphanumeric() || ch == '_' || ch == '$' || !ch.is_ascii()
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, ch)) = chars.next() {
        if ch != quote {
            continue;
        }
        match chars.peek() {
            Some((_, next)) if *next == quote => drop(chars.next()),
            _ => return at + ch.len_utf8(),
        }
    }
    rest.len()
}

fn number(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let hex = rest.starts_with("0x") || rest.starts_with("0X");
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let sign = matches!(byte, b'+' | b'-') && !hex && matches!(bytes.get(at.wrapping_sub(1)), Some(b'e' | b'E'));
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || sign) {
            break;
        }
        at += 1;
    }
    at
}

/// Whether an expression or definition names a column. Names of functions, collations and types do not count.
pub(super) fn mentions(text: &str, range: Range<usize>, column: &str) -> bool {
    let inside = text.get(range).unwrap_or_default();
    let tokens = tokens(inside);
    tokens.iter().enumerate().any(|(index, token)| {
        let named = token.kind != Kind::Text && token.name(inside).is_some_and(|name| same(&name, column));
        let before = index.checked_sub(1).and_then(|before| tokens.get(before));
        let other = before.is_some_and(|word| word.is(inside, "COLLATE") || word.is(inside, "AS"));
        let called = tokens.get(index + 1).is_some_and(|next| next.kind == Kind::Symbol('('));
        named && !other && !(called && token.kind == Kind::Word)
    })
}

/// Whether two names are the same to SQLite, which folds ASCII letters only.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// A name in double quotes.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text value.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text).iter().map(|token| token.text(text)).collect()
    }

    #[test]
    fn tokens_are_those_of_sqlite() {
        let text = "a/*x*/\"b\"\"c\"[d e]`f``g`'it''s'x'00' 1.5e-3+.5 0x1F-1 -- end\n,ż$_1 /* open";
        let expected = [
            "a",
            "\"b\"\"c\"",
            "[d e]",
            "`f``g`",
            "'it''s'",
            "x'00'",
            "1.5e-3",
            "+",
            ".5",
            "0x1F",
            "-",
            "1",
            ",",
            "ż$_1",
        ];
        assert_eq!(words(text), expected);
        let names: Vec<_> = tokens(text).iter().filter_map(|token| token.name(text)).collect();
        assert_eq!(names, ["a", "b\"c", "d e", "f`g", "it's", "ż$_1"]);
    }

    #[test]
    fn odd_ends_end() {
        for text in ["'", "\"", "[", "`", "x'", "/*", "--", "1e", ".", "\"\"\"", "é"] {
            let covered = tokens(text).last().map_or(0, |token| token.end);
            assert!(covered <= text.len());
        }
    }

    #[test]
    fn a_column_is_told_from_functions_types_and_texts() {
        let said = |text: &str, column: &str| mentions(text, 0..text.len(), column);
        assert!(said("x.A > 1", "a") && said("length(\"a\") > 1", "A") && said("[a] IS NULL", "a"));
        assert!(!said("length(b)", "length") && !said("b COLLATE nocase", "nocase"));
        assert!(!said("CAST(b AS text)", "text") && !said("b = 'a' -- a", "a") && !said("ab + ba", "a"));
    }
}

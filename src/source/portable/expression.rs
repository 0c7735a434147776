//! SQL that is meant for every server: names stand in double quotes, or are columns that are known, and get the server's
//! own quotes; texts get its own literals, and `length` counts characters.

use super::dialect::Dialect;

/// The general SQL `text` for one server; the error says what is wrong with it.
pub(super) fn translate(dialect: &Dialect, text: &str, columns: &[&str]) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + 16);
    let mut depth = 0usize;
    let mut rest = text;
    while let Some(ch) = rest.chars().next() {
        match ch {
            '\'' | '"' => {
                let (inner, after) = quoted(rest, ch).ok_or_else(|| format!("a {ch} is never closed"))?;
                out.push_str(&if ch == '"' { dialect.quote(&inner) } else { dialect.text(&inner) });
                rest = after;
                continue;
            }
            ';' => return Err("it holds a ';'".to_owned()),
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1).ok_or("a ')' closes nothing")?,
            _ if rest.starts_with("--") || rest.starts_with("/*") => return Err("it holds a comment".to_owned()),
            _ if ch.is_alphabetic() || ch == '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                let is_call = after.trim_start().starts_with('(');
                if columns.contains(&word) && !is_call {
                    out.push_str(&dialect.quote(word));
                } else if is_call && word.eq_ignore_ascii_case("length") {
                    out.push_str(dialect.length_function);
                } else {
                    out.push_str(word);
                }
                rest = after;
                continue;
            }
            _ if ch.is_ascii_digit() => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '.' && c != '_').unwrap_or(rest.len());
                let (number, after) = rest.split_at(end);
                out.push_str(number);
                rest = after;
                continue;
            }
            _ => {}
        }
        out.push(ch);
        rest = rest.get(ch.len_utf8()..).unwrap_or_default();
    }
    if depth > 0 { Err("a '(' is never closed".to_owned()) } else { Ok(out) }
}

/// What stands between the quotes that `text` begins with, and what follows them.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut inner = String::new();
    let mut rest = text.strip_prefix(quote)?;
    loop {
        let (before, after) = rest.split_once(quote)?;
        inner.push_str(before);
        match after.strip_prefix(quote) {
            Some(more) => {
                inner.push(quote);
                rest = more;
            }
            None => return Some((inner, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialect::of;
    use super::translate;
    use crate::domain::Provider;

    #[test]
    fn names_and_texts_become_the_servers_own() {
        let text = r#"length("First Name") > 0 AND Status <> 'it''s \' AND status(1.5e3)"#;
        let on = |provider| translate(of(provider), text, &["Status", "status", "e3"]).unwrap();
        assert_eq!(on(Provider::Postgres), r#"length("First Name") > 0 AND "Status" <> 'it''s \' AND status(1.5e3)"#);
        assert_eq!(
            on(Provider::MySql),
            r#"CHAR_LENGTH(`First Name`) > 0 AND `Status` <> 'it''s \\' AND status(1.5e3)"#
        );
        assert_eq!(on(Provider::SqlServer), r#"LEN([First Name]) > 0 AND [Status] <> N'it''s \' AND status(1.5e3)"#);
    }

    #[test]
    fn what_would_end_the_statement_is_refused() {
        for bad in ["a; DROP TABLE b", "(a", "a)", "'a", "\"a", "a -- b", "a /* b */"] {
            assert!(translate(of(Provider::Postgres), bad, &[]).is_err(), "{bad}");
        }
    }
}

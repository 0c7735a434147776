//! SQL that is meant for every server: names stand in double quotes, or are columns that are known, and get the server's
//! own quotes; texts get its own literals, `length` counts characters, and what would silently mean something else is
//! refused.

use super::dialect::Dialect;
use crate::domain::Provider;

/// The general SQL `text` for one server, with names as `written` writes them; the error says what is wrong with it.
pub(super) fn translate(
    dialect: &Dialect,
    text: &str,
    columns: &[&str],
    written: impl Fn(&str) -> String,
) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + 16);
    let mut depth = 0usize;
    let mut rest = text;
    let mut before = "";
    while let Some(ch) = rest.chars().next() {
        match ch {
            '\'' | '"' => {
                let (inner, after) = quoted(rest, ch).ok_or_else(|| format!("a {ch} is never closed"))?;
                out.push_str(&if ch == '"' { written(&inner) } else { dialect.text(&inner) });
                (rest, before) = (after, "");
                continue;
            }
            ';' => return Err("it holds a ';'".to_owned()),
            '|' if rest.starts_with("||") => joining(dialect.provider)?,
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1).ok_or("a ')' closes nothing")?,
            _ if rest.starts_with("--") || rest.starts_with("/*") => return Err("it holds a comment".to_owned()),
            _ if ch.is_alphabetic() || ch == '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                let is_call = after.trim_start().starts_with('(');
                if columns.contains(&word) && !is_call {
                    out.push_str(&written(word));
                } else if let (Some(flag), Provider::SqlServer) = (flag(word), dialect.provider) {
                    if ["is", "not", "and", "or", "where", "on", "when"]
                        .iter()
                        .any(|each| before.eq_ignore_ascii_case(each))
                    {
                        return Err(format!("on sqlserver '{word}' is the number {flag} and no condition"));
                    }
                    out.push_str(flag);
                } else if is_call && word.eq_ignore_ascii_case("length") {
                    out.push_str(dialect.length_function);
                } else {
                    out.push_str(word);
                }
                before = word;
                rest = after;
                continue;
            }
            _ if ch.is_ascii_digit() => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '.' && c != '_').unwrap_or(rest.len());
                let (number, after) = rest.split_at(end);
                out.push_str(number);
                (rest, before) = (after, "");
                continue;
            }
            _ => {}
        }
        if !ch.is_whitespace() {
            before = "";
        }
        out.push(ch);
        rest = rest.get(ch.len_utf8()..).unwrap_or_default();
    }
    if depth > 0 { Err("a '(' is never closed".to_owned()) } else { Ok(out) }
}

/// `||` joins texts on SQLite and PostgreSQL only.
fn joining(provider: Provider) -> Result<(), String> {
    let instead = match provider {
        Provider::Sqlite | Provider::Postgres => return Ok(()),
        Provider::MySql => "on mysql '||' means OR; texts are joined there by 'mysql: CONCAT(a, b)'",
        Provider::SqlServer => "on sqlserver there is no '||'; texts are joined there by 'sqlserver: a + b'",
    };
    Err(instead.to_owned())
}

/// How SQL Server, which has no words for them, writes false and true.
fn flag(word: &str) -> Option<&'static str> {
    match word {
        _ if word.eq_ignore_ascii_case("true") => Some("1"),
        _ if word.eq_ignore_ascii_case("false") => Some("0"),
        _ => None,
    }
}

/// Whether the text is a condition rather than a value, as far as it shows outside of `CASE` and of calls. SQL Server tells the
/// two apart: <https://learn.microsoft.com/sql/t-sql/language-elements/search-condition-transact-sql>.
pub(super) fn is_condition(text: &str) -> bool {
    let (mut cases, mut calls, mut word) = (0usize, Vec::new(), "");
    let mut rest = text;
    while let Some(ch) = rest.chars().next() {
        if ch == '\'' || ch == '"' {
            (rest, word) = (quoted(rest, ch).map_or("", |(_, after)| after), "");
            continue;
        }
        let length = match ch {
            _ if ch.is_alphabetic() || ch == '_' => {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len())
            }
            _ => ch.len_utf8(),
        };
        let (this, after) = rest.split_at(length);
        let is = |words: &[&str]| words.iter().any(|each| this.eq_ignore_ascii_case(each));
        match ch {
            '(' => calls.push(!word.is_empty()),
            ')' => drop(calls.pop()),
            _ if is(&["case"]) => cases += 1,
            _ if is(&["end"]) => cases = cases.saturating_sub(1),
            _ if cases > 0 || calls.contains(&true) => {}
            _ if is(&["=", "<", ">", "is", "like", "in", "between", "and", "or", "not", "exists"]) => return true,
            _ => {}
        }
        if !ch.is_whitespace() {
            word = if ch.is_alphabetic() || ch == '_' { this } else { "" };
        }
        rest = after;
    }
    false
}

/// The names that stand in an SQL text: words and what is between double quotes or backticks, in lower case. Keywords are
/// among them, which does no harm where names are only compared.
pub(super) fn names_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(ch) = rest.chars().next() {
        let (name, after) = match ch {
            '\'' => (None, quoted(rest, ch).map_or("", |(_, after)| after)),
            '"' | '`' => quoted(rest, ch).map_or((None, ""), |(inner, after)| (Some(inner), after)),
            _ if ch.is_alphabetic() || ch == '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                (Some(word.to_owned()), after)
            }
            _ => (None, rest.get(ch.len_utf8()..).unwrap_or_default()),
        };
        found.extend(name.map(|name| name.to_lowercase()));
        rest = after;
    }
    found
}

/// What stands between the quotes that `text` begins with, and what follows them.
pub(super) fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
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
    use super::super::dialect::{Dialect, of};
    use super::{is_condition, names_in};
    use crate::domain::Provider;

    fn translate(dialect: &Dialect, text: &str, columns: &[&str]) -> Result<String, String> {
        super::translate(dialect, text, columns, |name| dialect.quote(name))
    }

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
    fn what_would_mean_something_else_is_refused() {
        let on = |provider, text| translate(of(provider), text, &["First"]);
        assert_eq!(on(Provider::Postgres, "First || 'a||b'").unwrap(), "\"First\" || 'a||b'");
        assert!(on(Provider::MySql, "First || 'b'").unwrap_err().contains("means OR"));
        assert!(on(Provider::SqlServer, "First || 'b'").is_err());
        assert_eq!(on(Provider::MySql, "First = 'a||b'").unwrap(), "`First` = 'a||b'");
        assert_eq!(on(Provider::SqlServer, "a = TRUE AND b IN (false)").unwrap(), "a = 1 AND b IN (0)");
        assert_eq!(on(Provider::MySql, "a = true").unwrap(), "a = true");
        assert!(on(Provider::SqlServer, "a IS NOT TRUE").is_err());
        assert!(on(Provider::SqlServer, "a = 1 OR true").is_err());
    }

    #[test]
    fn conditions_are_told_from_values() {
        for text in ["a > 1", "(a = b)", "\"c\" IS NULL", "NOT a", "a AND b", "length(a) <> 0", "a in (1)"] {
            assert!(is_condition(text), "{text}");
        }
        for text in
            ["a", "a + 1", "'a > 1'", "\"a=b\"", "CASE WHEN a > 1 THEN 1 ELSE 0 END", "iif(a > 1, 1, 0)", "(a) * 2"]
        {
            assert!(!is_condition(text), "{text}");
        }
    }

    #[test]
    fn names_are_found_in_texts() {
        assert_eq!(names_in(r#"length("First Name") > 0 AND Ab <> 'it''s C'"#), ["length", "first name", "and", "ab"]);
    }

    #[test]
    fn what_would_end_the_statement_is_refused() {
        for bad in ["a; DROP TABLE b", "(a", "a)", "'a", "\"a", "a -- b", "a /* b */"] {
            assert!(translate(of(Provider::Postgres), bad, &[]).is_err(), "{bad}");
        }
    }
}

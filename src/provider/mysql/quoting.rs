//! Whether a server reads a script as it was split: its modes can change what quotes and backslashes mean.

/// What differs from the usual reading in a session whose settings nobody has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::provider) struct Quoting {
    /// `"` quotes names.
    ansi_quotes: bool,
    /// A backslash is a character like any other.
    no_backslash_escapes: bool,
    /// MariaDB reads the bodies of routines as Oracle does.
    oracle: bool,
}

impl Quoting {
    /// What these modes, as `@@sql_mode` lists them, change.
    pub(in crate::provider) fn of(modes: &str) -> Self {
        let has = |mode: &str| modes.split(',').any(|each| each.eq_ignore_ascii_case(mode));
        Self {
            ansi_quotes: has("ANSI_QUOTES"),
            no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
            oracle: has("ORACLE"),
        }
    }

    /// The first place in these statements of one script that is read otherwise than it was split: the statement's index,
    /// the offset in characters, the mode. A statement that sets the mode itself to a plain text brings the usual reading.
    pub(in crate::provider) fn misread<'s>(
        self,
        statements: impl Iterator<Item = &'s str>,
    ) -> Option<(usize, usize, &'static str)> {
        if self == Self::default() {
            return None;
        }
        let mut usual = false;
        for (index, sql) in statements.enumerate() {
            if let (false, Some((offset, mode))) = (usual, self.find(sql)) {
                return Some((index, offset, mode));
            }
            usual = sets_mode(sql).unwrap_or(usual);
        }
        None
    }

    fn find(self, sql: &str) -> Option<(usize, &'static str)> {
        if self.oracle && makes_body(sql) {
            return Some((0, "ORACLE"));
        }
        let mut quote = None;
        let chars: Vec<char> = sql.chars().collect();
        let next_is = |at: usize, ch: char| chars.get(at + 1) == Some(&ch);
        let mut at = 0;
        while let Some(&ch) = chars.get(at) {
            match (quote, ch) {
                (None, '"') | (Some('"'), _) if self.ansi_quotes => return Some((at, "ANSI_QUOTES")),
                (Some('\'' | '"'), '\\') if self.no_backslash_escapes => return Some((at, "NO_BACKSLASH_ESCAPES")),
                (Some('\'' | '"'), '\\') => at += 1,
                (Some(open), _) if open == ch => quote = None,
                (None, '\'' | '"' | '`') => quote = Some(ch),
                (None, '#') => at = line_end(&chars, at),
                (None, '-') if next_is(at, '-') && chars.get(at + 2).is_none_or(|ch| ch.is_whitespace()) => {
                    at = line_end(&chars, at);
                }
                (None, '/') if next_is(at, '*') && !next_is(at + 1, '!') && !next_is(at + 1, 'M') => {
                    let rest = chars.get(at + 2..).unwrap_or_default();
                    let end = rest.windows(2).position(|pair| pair == ['*', '/']);
                    at += end.map_or(rest.len() + 1, |end| end + 3);
                }
                _ => {}
            }
            at += 1;
        }
        None
    }
}

fn line_end(chars: &[char], from: usize) -> usize {
    chars.iter().skip(from).position(|ch| *ch == '\n').map_or(chars.len(), |length| from + length)
}

fn makes_body(sql: &str) -> bool {
    let mut words = sql.split(|ch: char| !ch.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default().to_ascii_uppercase();
    let code = ["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE"];
    first == "BEGIN" || first == "CREATE" && words.any(|word| code.iter().any(|kind| word.eq_ignore_ascii_case(kind)))
}

/// Whether the statement brings the usual reading (`SET sql_mode = 'TRADITIONAL'`; modes that change it are refused) or one
/// that is not known (`SET sql_mode = @old`); `None` when it does not set the mode.
fn sets_mode(sql: &str) -> Option<bool> {
    let folded = sql.trim_start_matches(|ch: char| !ch.is_ascii_alphabetic()).to_ascii_lowercase();
    if !folded.starts_with("set") {
        return None;
    }
    let mut found = None;
    for (at, name) in folded.match_indices("sql_mode") {
        let rest = folded.get(at + name.len()..).unwrap_or_default().trim_start();
        let value = rest.strip_prefix(":=").or_else(|| rest.strip_prefix('='));
        if let Some(value) = value {
            found = Some(value.trim_start().starts_with('\''));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_mode_changes_is_found() {
        let ansi = Quoting::of("STRICT_TRANS_TABLES,ANSI_QUOTES");
        let plain = Quoting::of("NO_BACKSLASH_ESCAPES");
        let oracle = Quoting::of("PIPES_AS_CONCAT,ORACLE");
        let find = |quoting: Quoting, sql: &str| quoting.misread([sql].into_iter()).map(|(_, at, _)| at);
        for (quoting, sql, at) in [
            (ansi, "SELECT \"a\"", Some(7)),
            (ansi, "SELECT '\"', `\"` /* \" */ # \"\n, 1 -- \"", None),
            (ansi, "SELECT '\\'' , \"x\"", Some(14)),
            (ansi, "SELECT 'a\\b'", None),
            (plain, "SELECT 'C:\\'", Some(10)),
            (plain, "SELECT \"ż\\\"", Some(9)),
            (plain, "SELECT 1 /* \\ */, `\\`, \"x\"", None),
            (oracle, "CREATE OR REPLACE PROCEDURE p AS BEGIN NULL; END", Some(0)),
            (oracle, "CREATE TABLE t (a INT)", None),
            (Quoting::of("TRADITIONAL"), "SELECT \"\\\"\"", None),
        ] {
            assert_eq!(find(quoting, sql), at, "{sql}");
        }
    }

    #[test]
    fn a_script_may_set_the_mode_itself() {
        let ansi = Quoting::of("ANSI_QUOTES");
        let misread = |script: &[&str]| ansi.misread(script.iter().copied()).map(|(index, _, _)| index);
        assert_eq!(misread(&["SELECT 1", "SELECT \"a\""]), Some(1));
        let dump = ["/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */", "SELECT \"a\""];
        assert_eq!(misread(&dump), None);
        assert_eq!(misread(&[dump[0], "SET SQL_MODE = @OLD_SQL_MODE", "SELECT \"a\""]), Some(2));
        assert_eq!(misread(&["SET sql_mode = CONCAT(@@sql_mode, ',x')", "SELECT \"a\""]), Some(1));
    }
}

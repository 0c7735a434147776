//! Where in a text an error lies. The server does not say it in numbers: a syntax error quotes what it met and the line,
//! and other errors name the thing that they mean.

use sqlx::mysql::MySqlDatabaseError;

use crate::provider::word::only_word;

const SYNTAX: u16 = 1064;
/// How many characters a syntax error quotes at most.
const QUOTED: usize = 80;

/// The place in `text` that the error means, in characters from the first.
pub(super) fn find(text: &str, error: &sqlx::Error) -> Option<usize> {
    let sqlx::Error::Database(database) = error else { return None };
    let database = database.try_downcast_ref::<MySqlDatabaseError>()?;
    let byte = match database.number() {
        SYNTAX => near(text, database.message()),
        // Unknown column 'a.b' in …; Table 'db.t' doesn't exist
        1054 | 1146 => database.message().split('\'').nth(1).and_then(|name| {
            let last = name.rsplit('.').next().unwrap_or(name);
            only_word(text, name).or_else(|| only_word(text, last))
        }),
        _ => None,
    }?;
    Some(text.get(..byte)?.chars().count())
}

/// A syntax error's message without the line, which counts from the statement's first and not from the file's.
pub(super) fn without_line(number: u16, message: &str) -> &str {
    match message.rsplit_once(" at line ") {
        Some((before, line)) if number == SYNTAX && line.bytes().all(|byte| byte.is_ascii_digit()) => before,
        _ => message,
    }
}

fn near(text: &str, message: &str) -> Option<usize> {
    let (_, quoted) = message.split_once("near '")?;
    let (quoted, line) = quoted.rsplit_once("' at line ")?;
    if quoted.chars().count() < QUOTED {
        // Everything that is left.
        return text.ends_with(quoted).then(|| text.len() - quoted.len());
    }
    let line: usize = line.parse().ok()?;
    let begin = match line {
        0 | 1 => 0,
        _ => text.match_indices('\n').nth(line - 2)?.0 + 1,
    };
    text.get(begin..)?.find(quoted).map(|at| begin + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_error_is_where_its_quotation_begins() {
        let text = "SELECT 'żółć';\nSELEC 1 'at line 3";
        let said = "You have an error; near 'SELEC 1 'at line 3' at line 2";
        assert_eq!(near(text, said).map(|at| &text[at..]), Some("SELEC 1 'at line 3"));
        let long = format!("a\nx {}\nx {}", "y".repeat(100), "y".repeat(100));
        let said = format!("near 'x {}' at line 3", "y".repeat(78));
        assert_eq!(near(&long, &said), Some(105));
        assert_eq!(near("SELECT 1 +", "near '' at line 1"), Some(10));
        assert_eq!(without_line(1064, "near 'x' at line 12"), "near 'x'");
        assert_eq!(without_line(1, "near 'x' at line 12"), "near 'x' at line 12");
    }
}

//! The words of a T-SQL text, without its comments.

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// A keyword, a name, a number or a variable, as it is written.
    Bare(String),
    /// A name in brackets or double quotes, without these.
    Quoted(String),
    /// A string, without its quotes.
    Text(String),
    /// Any other character.
    Sign(char),
}

/// A text's words; `None` when a quote or a comment is never closed. Double quotes surround names, as they do in every session of ours.
pub(super) fn words(text: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let part_of_word = |ch: char| ch.is_alphanumeric() || matches!(ch, '_' | '@' | '#' | '$');
        if rest.starts_with("--") {
            rest = rest.find('\n').and_then(|end| rest.get(end..)).unwrap_or_default();
        } else if rest.starts_with("/*") {
            rest = behind_comment(rest)?;
        } else if let Some((quoted, behind)) = quoted(rest) {
            let (word, behind) = (quoted, behind?);
            // N'…' is a string.
            if matches!(word, Word::Text(_))
                && matches!(words.last(), Some(Word::Bare(n)) if n.eq_ignore_ascii_case("N"))
            {
                words.pop();
            }
            words.push(word);
            rest = behind;
        } else if part_of_word(first) {
            let end = rest.find(|ch| !part_of_word(ch)).unwrap_or(rest.len());
            words.push(Word::Bare(rest.get(..end)?.to_owned()));
            rest = rest.get(end..)?;
        } else {
            if !first.is_whitespace() {
                words.push(Word::Sign(first));
            }
            rest = rest.get(first.len_utf8()..)?;
        }
    }
    Some(words)
}

/// What stands behind a comment, in which others may stand.
fn behind_comment(text: &str) -> Option<&str> {
    let (mut rest, mut depth) = (text.get(2..)?, 1);
    while depth > 0 {
        let at = rest.find("/*").into_iter().chain(rest.find("*/")).min()?;
        depth = if rest.get(at..)?.starts_with("/*") { depth + 1 } else { depth - 1 };
        rest = rest.get(at + 2..)?;
    }
    Some(rest)
}

/// What is quoted here, if something is, and what stands behind it, if it is closed.
fn quoted(text: &str) -> Option<(Word, Option<&str>)> {
    let close = match text.chars().next()? {
        '\'' => '\'',
        '"' => '"',
        '[' => ']',
        _ => return None,
    };
    let mut inside = String::new();
    let mut rest = text.get(1..)?;
    let behind = loop {
        let Some((part, behind)) = rest.split_once(close) else { break None };
        inside.push_str(part);
        match behind.strip_prefix(close) {
            Some(more) => {
                inside.push(close);
                rest = more;
            }
            None => break Some(behind),
        }
    };
    Some((if close == '\'' { Word::Text(inside) } else { Word::Quoted(inside) }, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_quotes_are_told_from_words() {
        let bare = |text: &str| Word::Bare(text.to_owned());
        let text = "SELECT N'it''s',[a]]b]/* /* x */ y */+\"c\"\"d\" --e\n@f.#g";
        let expected = [
            bare("SELECT"),
            Word::Text("it's".into()),
            Word::Sign(','),
            Word::Quoted("a]b".into()),
            Word::Sign('+'),
            Word::Quoted("c\"d".into()),
            bare("@f"),
            Word::Sign('.'),
            bare("#g"),
        ];
        assert_eq!(words(text).as_deref(), Some(&expected[..]));
        for open in ["'a", "\"a''", "[a]]", "/* /* */"] {
            assert_eq!(words(open), None, "{open}");
        }
    }
}

//! Where in a batch an error lies. The server gives a line, and quotes the thing that it means.

use super::failure::Said;
use crate::provider::word::only_word;

/// Syntax errors lie in their line; for others it is the line in which the statement begins.
const SYNTAX: [u32; 4] = [102, 105, 156, 319];

/// The place in `text` that the error means, in characters from the first. `None` where it means a line of something else:
/// of a procedure or trigger that the batch has called.
pub(super) fn find(text: &str, said: &Said) -> Option<usize> {
    let line = usize::try_from(said.line).ok()?.checked_sub(1)?;
    if !said.procedure.is_empty() && !defines(text, &said.procedure) {
        return None;
    }
    let begin = if line == 0 { 0 } else { text.match_indices('\n').nth(line - 1)?.0 + 1 };
    let rest = text.get(begin..)?;
    let this_line = rest.lines().next().unwrap_or_default();
    let margin = this_line.len() - this_line.trim_start().len();
    let quoted = quoted(&said.message).and_then(|name| {
        let last = name.rsplit('.').next().unwrap_or(name);
        let in_line = only_word(this_line, name).or_else(|| only_word(this_line, last));
        match SYNTAX.contains(&said.code) {
            true => in_line,
            false => in_line.or_else(|| only_word(rest, name)).or_else(|| only_word(rest, last)),
        }
    });
    let byte = begin + quoted.unwrap_or(margin);
    Some(text.get(..byte)?.chars().count())
}

/// Whether the batch makes the thing, so that the error's line is one of its text.
fn defines(text: &str, name: &str) -> bool {
    let mut words = text.split_ascii_whitespace().map(str::to_ascii_uppercase);
    let mut next = || words.next().unwrap_or_default();
    let mut word = match next().as_str() {
        "CREATE" | "ALTER" => next(),
        _ => return false,
    };
    if word == "OR" {
        next();
        word = next();
    }
    let name = name.rsplit('.').next().unwrap_or(name).trim_matches(['[', ']']);
    matches!(&*word, "PROC" | "PROCEDURE" | "FUNCTION" | "TRIGGER" | "VIEW") && text.contains(name)
}

/// The first thing that a message quotes, in single or double quotes.
fn quoted(message: &str) -> Option<&str> {
    let start = message.find(['\'', '"'])?;
    let quote = if message.get(start..)?.starts_with('"') { '"' } else { '\'' };
    let inside = message.get(start + 1..)?.split(quote).next()?;
    Some(inside).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: u32, line: u32, message: &str, procedure: &str) -> Said {
        Said { code, line, message: message.into(), procedure: procedure.into(), ..Said::default() }
    }

    #[test]
    fn a_line_and_a_quoted_name_make_a_place() {
        let text = "SELECT 'żółć',\n  nonsense\nFROM a; SELECT 1\n\n  SELEC 1 -- nonsense";
        let at = |said: &Said| find(text, said).map(|at| text.chars().skip(at).collect::<String>());
        let begins = |said: &Said, with: &str| assert!(at(said).unwrap().starts_with(with), "{:?}", at(said));
        begins(&said(207, 2, "Invalid column name 'nonsense'.", ""), "nonsense\nFROM");
        begins(&said(128, 2, "The name \"nonsense\" is not permitted in this context.", ""), "nonsense\nFROM");
        // The statement's first line, and the name twice behind it.
        begins(&said(207, 1, "Invalid column name 'nonsense'.", ""), "SELECT 'żółć'");
        begins(&said(208, 1, "Invalid object name 'dbo.a'.", ""), "a; SELECT");
        begins(&said(102, 5, "Incorrect syntax near '1'.", ""), "1 --");
        begins(&said(8134, 5, "Divide by zero error encountered.", ""), "SELEC 1");
        assert_eq!(find(text, &said(207, 0, "", "")), None);
        assert_eq!(find(text, &said(207, 9, "", "")), None);
    }

    #[test]
    fn a_line_of_a_procedure_is_no_line_of_the_batch_that_calls_it() {
        let error = said(50000, 3, "no", "dbo.fails");
        assert_eq!(find("EXEC fails\n\n\n", &error), None);
        let definition = "create  or alter\nproc [dbo].[fails] as\nSELEC 1";
        assert_eq!(find(definition, &error), Some(definition.find("SELEC").unwrap()));
        assert_eq!(find("CREATE TABLE fails (a int)\n\n", &error), None);
    }
}

//! What holds for every script.

use std::time::{Duration, Instant};

use super::super::property_tests::place_to_offset;
use super::super::{Reader, Reading, normal, read, split};
use crate::domain::{Provider, Statement};

/// The longest that a script of some thousand bytes may take, also on a machine that does much else.
const LIMIT: Duration = Duration::from_secs(5);

/// The promise that the splitter breaks for this text, if any.
pub(super) fn broken(provider: Provider, text: &str) -> Option<String> {
    let begun = Instant::now();
    let reading = read(provider, "f", &normal(text));
    if begun.elapsed() > LIMIT {
        return Some(format!("it takes {:?}", begun.elapsed()));
    }
    let normal = normal(text);
    pieces(&normal, &reading)
        .and_then(|places| gaps(provider, &normal, &reading, &places))
        .and_then(|places| prefixes(provider, &normal, &reading, &places))
        .and_then(|()| newlines(provider, &normal, &reading))
        .and_then(|()| alone(provider, &normal, &reading))
        .err()
}

/// Where each statement begins and ends. `GO 3` runs the same place three times, which is one place here.
fn pieces(text: &str, reading: &Reading) -> Result<Vec<(usize, usize)>, String> {
    let mut places: Vec<(usize, usize)> = Vec::new();
    for Statement { sql, line, column, .. } in &reading.statements {
        let start = place_to_offset(text, *line, *column);
        let place = (start, start + sql.len());
        if text.get(place.0..place.1) != Some(sql) {
            return Err(format!("line {line}, column {column} is not where {sql:?} stands"));
        }
        if sql.trim_matches([' ', '\n', '\t']) != sql || sql.is_empty() {
            return Err(format!("{sql:?} has blanks around it"));
        }
        match places.last() {
            Some(last) if *last == place => continue,
            Some((_, end)) if *end > place.0 => return Err(format!("{sql:?} overlaps the statement before it")),
            _ => places.push(place),
        }
    }
    for problem in &reading.problems {
        if (problem.line, problem.column) != (0, 0) {
            let at = place_to_offset(text, problem.line, problem.column);
            let before = text.get(..at).ok_or_else(|| format!("a problem is inside a character: {problem}"))?;
            let newlines = before.matches('\n').count();
            if newlines + 1 != problem.line as usize {
                return Err(format!("a problem is not in its line: {problem}"));
            }
        }
    }
    Ok(places)
}

/// Between the statements stands nothing that would have to be run.
fn gaps(
    provider: Provider,
    text: &str,
    reading: &Reading,
    places: &[(usize, usize)],
) -> Result<Vec<(usize, usize)>, String> {
    let mut from = 0;
    for (start, end) in places.iter().copied().chain([(text.len(), text.len())]) {
        let gap = &text[from..start];
        // A gap's own words mean something else without what stands before it: data of COPY, the inside of a conditional
        // comment, other quotes.
        if reading.problems.is_empty() && !mentions(text, &["copy", "/*!", "/*m!", "sql_mode"]) {
            let rest =
                read(provider, "f", &format!("{}{gap}", delimiter_line(&delimiter_after(provider, &text[..from]))));
            if let Some(lost) = rest.statements.first() {
                return Err(format!("{:?} stands between the statements", lost.sql));
            }
        }
        from = end;
    }
    Ok(places.to_vec())
}

fn mentions(text: &str, words: &[&str]) -> bool {
    let lower = text.to_ascii_lowercase();
    words.iter().any(|word| lower.contains(word))
}

/// The delimiter of its own that is in force at the end of this text; empty when there is none.
fn delimiter_after(provider: Provider, before: &str) -> String {
    let mut reader = Reader::new(provider, "f", before);
    reader.read_on();
    reader.scanner.delimiter
}

/// The line that sets this delimiter; empty when there is none.
fn delimiter_line(delimiter: &str) -> String {
    let quotes = ['"', '\'', '`'];
    let quote = match delimiter.contains(char::is_whitespace) || delimiter.starts_with(quotes) {
        true => quotes.iter().find(|quote| !delimiter.contains(**quote)).map(char::to_string).unwrap_or_default(),
        false => String::new(),
    };
    if delimiter.is_empty() { String::new() } else { format!("DELIMITER {quote}{delimiter}{quote}\n") }
}

/// What comes later changes nothing about what stands before it.
fn prefixes(provider: Provider, text: &str, reading: &Reading, places: &[(usize, usize)]) -> Result<(), String> {
    if !reading.problems.is_empty() {
        return Ok(());
    }
    for (start, _) in places.iter().skip(1).rev().take(3) {
        // A delimiter may end within or behind the word: what is left of the line is then the client's command.
        let line = text[..*start].lines().next_back().unwrap_or_default();
        if line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case("delimiter")) {
            continue;
        }
        let expected = reading.statements.iter().filter(|each| place_to_offset(text, each.line, each.column) < *start);
        let found = read(provider, "f", &text[..*start]);
        if !found.problems.is_empty() {
            return Err(format!("{:?} is a problem before byte {start} and none in the whole", found.problems));
        }
        if !found.statements.iter().eq(expected) {
            return Err(format!("the text before byte {start} splits into {:?}", found.statements));
        }
    }
    Ok(())
}

/// Other newlines and a byte order mark change nothing.
fn newlines(provider: Provider, text: &str, reading: &Reading) -> Result<(), String> {
    let expected = reading.problems.is_empty().then_some(&reading.statements);
    for (what, other) in [
        ("CRLF", text.replace('\n', "\r\n")),
        ("CR", text.replace('\n', "\r")),
        ("a byte order mark", format!("\u{feff}{text}")),
    ] {
        // A text that has such a mark already keeps the second.
        if text.starts_with('\u{feff}') {
            continue;
        }
        let found = split(provider, "f", &other);
        if found.as_ref().ok() != expected {
            return Err(format!("with {what} it splits into {found:?}"));
        }
    }
    Ok(())
}

/// A statement by itself is the same statement.
fn alone(provider: Provider, text: &str, reading: &Reading) -> Result<(), String> {
    // What stands in a conditional comment needs that around it.
    if mentions(text, &["/*!", "/*m!", "sql_mode"]) || !reading.problems.is_empty() {
        return Ok(());
    }
    for statement in reading.statements.iter().rev().take(4) {
        // With a blank behind them, the word is the client's command, and the dashes begin a comment.
        if mentions(statement.sql.lines().next().unwrap_or_default(), &["delimiter"]) || statement.sql.ends_with("--") {
            continue;
        }
        let start = place_to_offset(text, statement.line, statement.column);
        let delimiter = delimiter_after(provider, &text[..start]);
        let (before, end) = match (provider, &*delimiter) {
            (Provider::SqlServer, "") => ("\n".into(), "\nGO\n".into()),
            (_, "") => ("\n".into(), ";\n".into()),
            (_, delimiter) => (delimiter_line(delimiter), format!("\n{delimiter}\n")),
        };
        let found = split(provider, "f", &format!("{before}  {}{end}", statement.sql));
        let moved = Statement { line: 2, column: 3, ..statement.clone() };
        if found.as_deref() != Ok(&[moved]) {
            return Err(format!("{:?} by itself splits into {found:?}", statement.sql));
        }
    }
    Ok(())
}

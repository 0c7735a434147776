//! What holds for every script.

use std::time::{Duration, Instant};

use super::super::property_tests::place_to_offset;
use super::super::{Reading, normal, read, split};
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

/// Between the statements stands nothing that would have to be run, and together they are the text.
fn gaps(
    provider: Provider,
    text: &str,
    reading: &Reading,
    places: &[(usize, usize)],
) -> Result<Vec<(usize, usize)>, String> {
    let mut from = 0;
    let mut whole = String::new();
    for (start, end) in places.iter().copied().chain([(text.len(), text.len())]) {
        let gap = &text[from..start];
        whole.push_str(gap);
        whole.push_str(&text[start..end]);
        from = end;
        // A gap's own words mean something else without what stands before it: data of COPY, a changed delimiter, the
        // inside of a conditional comment.
        let lower = text.to_ascii_lowercase();
        let depends = ["copy", "delimiter", "/*!", "/*m!", "sql_mode"].iter().any(|word| lower.contains(word));
        if !depends && reading.problems.is_empty() {
            let rest = read(provider, "f", gap);
            if let Some(lost) = rest.statements.first() {
                return Err(format!("{:?} stands between the statements", lost.sql));
            }
        }
    }
    if whole != text {
        return Err("the pieces are not the text".into());
    }
    Ok(places.to_vec())
}

/// What comes later changes nothing about what stands before it.
fn prefixes(provider: Provider, text: &str, reading: &Reading, places: &[(usize, usize)]) -> Result<(), String> {
    if !reading.problems.is_empty() {
        return Ok(());
    }
    for (start, _) in places.iter().skip(1).rev().take(3) {
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
    let lower = text.to_ascii_lowercase();
    // What stands in a conditional comment or under a delimiter of its own needs that around it.
    let depends = ["delimiter", "/*!", "/*m!", "sql_mode"].iter().any(|word| lower.contains(word));
    if depends || !reading.problems.is_empty() {
        return Ok(());
    }
    let end = if provider == Provider::SqlServer { "\nGO\n" } else { ";\n" };
    for statement in reading.statements.iter().rev().take(4) {
        let found = split(provider, "f", &format!("\n  {}{end}", statement.sql));
        let moved = Statement { line: 2, column: 3, ..statement.clone() };
        if found.as_deref() != Ok(&[moved]) {
            return Err(format!("{:?} by itself splits into {found:?}", statement.sql));
        }
    }
    Ok(())
}

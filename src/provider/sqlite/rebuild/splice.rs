use std::ops::Range;

use super::definition::Definition;
use super::token::{tokens, trivia};

/// A part of a table's definition between two commas, or where a comma could be.
struct Item {
    span: Range<usize>,
    comma: Option<usize>,
}

fn items(definition: &Definition) -> Vec<Item> {
    let columns = definition.columns.iter().map(|column| Item { span: column.span.clone(), comma: column.comma });
    let constraints = definition.constraints.iter().map(|each| Item { span: each.span.clone(), comma: each.comma });
    columns.chain(constraints).collect()
}

/// `text` with other text in the place of `range`.
pub(super) fn replace(text: &str, range: Range<usize>, with: &str) -> String {
    let before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    join(&join(before, with), after)
}

/// Two texts one after the other; a comment at the end of the first swallows nothing of the second.
fn join(before: &str, after: &str) -> String {
    let is_swallowed = !after.is_empty() && !after.starts_with('\n') && ends_in_comment(before);
    let between = if is_swallowed { "\n" } else { "" };
    format!("{before}{between}{after}")
}

/// Puts a new item behind the one at `index`, columns and constraints counted together, and behind the comments of that
/// one. It gets a line of its own if that one has.
pub(super) fn insert_after(text: &str, definition: &Definition, index: usize, item: &str) -> String {
    let items = items(definition);
    let Some(last) = items.get(index) else { return text.to_owned() };
    let before = text.get(..last.span.start).unwrap_or_default();
    let indent = before.rfind('\n').and_then(|line| before.get(line..)).filter(|indent| indent.trim().is_empty());
    let (gap, line) = (indent.unwrap_or(" "), indent.unwrap_or("\n"));
    let end = remarks(text, last.span.end);
    match items.get(index + 1).map(|next| next.comma) {
        // The comma has to stand before a comment that the line's end ends.
        None if ends_in_comment(text.get(..end).unwrap_or_default()) => {
            let text = replace(text, end..end, &format!("{line}{item}"));
            replace(&text, last.span.end..last.span.end, ",")
        }
        None => replace(text, end..end, &format!(",{gap}{item}")),
        Some(None) => replace(text, end..end, &format!(",{gap}{item},")),
        Some(Some(comma)) => match remarks_behind(text, end, comma) {
            Some(end) => replace(text, end..end, &format!("{line}{item},")),
            None => replace(text, end..end, &format!(",{gap}{item}")),
        },
    }
}

/// Removes an item with its comma and its comments: those that follow it in its line before the comma, and if it begins
/// that line, those after the comma as well. Comments in lines of their own stay.
pub(super) fn remove_item(text: &str, definition: &Definition, index: usize) -> String {
    let items = items(definition);
    let Some(item) = items.get(index) else { return text.to_owned() };
    let before = text.get(..item.span.start).unwrap_or_default();
    let begins_line = before.rsplit('\n').next().is_some_and(|line| line.trim().is_empty()) && before.contains('\n');
    let own = remarks(text, item.span.end);
    match items.get(index + 1) {
        Some(next) => {
            let behind = next.comma.filter(|_| begins_line).and_then(|comma| remarks_behind(text, own, comma));
            let mut end = behind.unwrap_or(next.comma.map_or(own, |comma| comma + 1));
            let rest = text.get(end..).unwrap_or_default();
            end += rest.len() - rest.trim_start().len();
            let kept = next.comma.map(|comma| text.get(own..comma).unwrap_or_default().trim().to_owned());
            let kept = kept.filter(|kept| !kept.is_empty()).map_or(String::new(), |kept| format!("{kept}\n"));
            replace(text, item.span.start..end, &kept)
        }
        None => {
            let start = before.trim_end().len();
            let text = replace(text, start..own, "");
            match item.comma {
                Some(comma) if comma < start => replace(&text, comma..comma + 1, ""),
                _ => text,
            }
        }
    }
}

/// Removes a part of a column with the white space before it.
pub(super) fn remove_part(text: &str, range: Range<usize>) -> String {
    let before = text.get(..range.start).unwrap_or_default();
    replace(text, before.trim_end().len()..range.end, "")
}

/// Where the comments end that follow in the same line; `from` where there are none.
fn remarks(text: &str, from: usize) -> usize {
    let mut end = from;
    loop {
        let rest = text.get(end..).unwrap_or_default();
        let inner = rest.trim_start_matches([' ', '\t']);
        if !inner.starts_with("--") && !inner.starts_with("/*") {
            return end;
        }
        end += rest.len() - inner.len() + trivia(inner);
    }
}

/// Where the comments behind an item's comma end, if the rest of the line is nothing else: then they are about the item,
/// and otherwise about the next one. `end` is the item's own end.
fn remarks_behind(text: &str, end: usize, comma: usize) -> Option<usize> {
    let is_one_line = !text.get(end..comma)?.contains('\n');
    let behind = remarks(text, comma + 1);
    let ends_line = text.get(behind..)?.trim_start_matches([' ', '\t', '\r']).starts_with('\n');
    (is_one_line && behind > comma + 1 && ends_line).then_some(behind)
}

/// Whether a text ends inside of a comment that only the line's end ends.
fn ends_in_comment(text: &str) -> bool {
    let mut at = tokens(text).last().map_or(0, |token| token.end);
    let mut last = "";
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = trivia(rest).max(1);
        last = rest.get(..length).unwrap_or(rest);
        at += length;
    }
    last.starts_with("--")
}

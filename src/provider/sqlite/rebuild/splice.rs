use std::ops::Range;

use super::definition::Definition;
use super::token::trivia;

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
    format!("{before}{with}{after}")
}

/// Puts a new item behind the one at `index`, columns and constraints counted together. It gets a line of its own if that
/// one has.
pub(super) fn insert_after(text: &str, definition: &Definition, index: usize, item: &str) -> String {
    let items = items(definition);
    let Some(last) = items.get(index) else { return text.to_owned() };
    let end = last.span.end;
    let after_comment = end + line_comment(text, end);
    let follows = items.get(index + 1).is_some();
    let next_comma = items.get(index + 1).and_then(|next| next.comma);
    let before = text.get(..last.span.start).unwrap_or_default();
    let indent = before.rfind('\n').and_then(|line| before.get(line..)).filter(|indent| indent.trim().is_empty());
    let comma = if follows && next_comma.is_none() { "," } else { "" };
    match indent {
        // The comment at the line's end stays where it is.
        Some(indent) if !follows && after_comment > end => {
            let text = replace(text, after_comment..after_comment, &format!("{indent}{item}"));
            replace(&text, end..end, ",")
        }
        Some(indent) => replace(text, end..end, &format!(",{indent}{item}{comma}")),
        None => replace(text, end..end, &format!(", {item}{comma}")),
    }
}

/// Removes an item with its comma, and with the comment at the end of its line if it begins that line.
pub(super) fn remove_item(text: &str, definition: &Definition, index: usize) -> String {
    let items = items(definition);
    let Some(item) = items.get(index) else { return text.to_owned() };
    let before = text.get(..item.span.start).unwrap_or_default();
    let begins_line = before.rsplit('\n').next().is_some_and(|line| line.trim().is_empty()) && before.contains('\n');
    let comment = |from: usize| if begins_line { from + line_comment(text, from) } else { from };
    match items.get(index + 1) {
        Some(next) => {
            let mut end = comment(next.comma.map_or(item.span.end, |comma| comma + 1));
            let rest = text.get(end..).unwrap_or_default();
            end += rest.len() - rest.trim_start().len();
            // What stands between the item and its comma is somebody's comment.
            let kept = next.comma.map(|comma| text.get(item.span.end..comma).unwrap_or_default().trim().to_owned());
            let kept = kept.filter(|kept| !kept.is_empty()).map_or(String::new(), |kept| format!("{kept}\n"));
            replace(text, item.span.start..end, &kept)
        }
        None => {
            let start = before.trim_end().len();
            let text = replace(text, start..comment(item.span.end), "");
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

/// The length of the blanks and the `--` comment that follow in the same line; 0 without such a comment.
fn line_comment(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let inner = rest.trim_start_matches([' ', '\t']);
    if inner.starts_with("--") { rest.len() - inner.len() + trivia(inner) } else { 0 }
}

//! What somebody should know of a statement before it runs: what it destroys, whom it holds up.
//!
//! Told by what the statement says. What a procedure, an anonymous block or a query's own `WITH` does is not looked into.

mod blocks;
mod destroys;

#[cfg(test)]
mod tests;

use super::cursor::Cursor;
use super::scanner::Kind;
use super::{mysql, sqlserver};
use crate::domain::{ObjectName, Provider, Risk};

/// What a statement, or a batch of several, destroys and whom it holds up. A table that `is_new` was made by the same
/// script just before: nobody waits for it.
pub(super) fn of(provider: Provider, at: Cursor<'_>, is_new: impl Fn(&ObjectName) -> bool) -> Risk {
    let mut risk = Risk::default();
    let mut look = |at: Cursor<'_>| {
        risk.destroys = risk.destroys.take().or_else(|| destroys::of(provider, at));
        let blocks = || blocks::of(provider, at).filter(|found| !is_new(&found.table)).map(|found| found.text);
        risk.blocks = risk.blocks.take().or_else(blocks);
    };
    if provider != Provider::SqlServer {
        look(if provider == Provider::MySql { mysql::inner(at) } else { at });
        return risk;
    }
    if sqlserver::is_definition(at) {
        return risk;
    }
    // A batch holds many statements, and nothing has to stand between them.
    let (mut at, mut begins) = (at, true);
    while let Some(token) = at.peek() {
        let begun_anywhere = ["DROP", "TRUNCATE", "ALTER", "CREATE"].iter().any(|verb| at.is(verb));
        if begun_anywhere || (begins && (at.is("DELETE") || at.is("UPDATE"))) {
            look(at);
        }
        begins = token.kind == Kind::Symbol(';') || at.is("BEGIN") || at.is("ELSE");
        at.bump();
    }
    risk
}

/// Steps over `IF EXISTS` or `IF NOT EXISTS`.
fn take_if(at: &mut Cursor<'_>) {
    if !at.take_all(&["IF", "EXISTS"]) {
        at.take_all(&["IF", "NOT", "EXISTS"]);
    }
}

/// Steps behind the `,` that ends the part of a list here; false when the statement ends.
fn next_part(at: &mut Cursor<'_>) -> bool {
    let mut depth = 0usize;
    while let Some(token) = at.peek() {
        match token.kind {
            Kind::Symbol('(') => depth += 1,
            Kind::Symbol(')') => depth = depth.saturating_sub(1),
            Kind::Symbol(';') if depth == 0 => return false,
            _ => {}
        }
        at.bump();
        if token.kind == Kind::Symbol(',') && depth == 0 {
            return true;
        }
    }
    false
}

/// Whether this keyword stands in what follows, outside parentheses and before the next part of the list.
fn part_has(mut at: Cursor<'_>, keywords: &[&str]) -> bool {
    let mut depth = 0usize;
    while let Some(token) = at.peek() {
        match token.kind {
            Kind::Symbol('(') => depth += 1,
            Kind::Symbol(')') => depth = depth.saturating_sub(1),
            Kind::Symbol(',' | ';') if depth == 0 => return false,
            _ if depth == 0 && { at }.take_all(keywords) => return true,
            _ => {}
        }
        at.bump();
    }
    false
}

/// Whether these keywords stand anywhere in what follows, parentheses and values of options included.
fn has(mut at: Cursor<'_>, keywords: &[&str]) -> bool {
    while at.peek().is_some_and(|token| token.kind != Kind::Symbol(';')) {
        if { at }.take_all(keywords) {
            return true;
        }
        at.bump();
    }
    false
}

/// Whether an option has one of these values, `=` or not.
fn has_option(mut at: Cursor<'_>, option: &str, values: &[&str]) -> bool {
    while !at.at_end() {
        if at.take(option) {
            at.symbol('=');
            if at.take_any(values) {
                return true;
            }
        } else {
            at.bump();
        }
    }
    false
}

/// Steps over `ALTER TABLE` and the table's name.
fn alter_table(at: &mut Cursor<'_>) -> Option<ObjectName> {
    if !at.take("ALTER") {
        return None;
    }
    at.take_any(&["ONLINE", "OFFLINE"]);
    at.take("IGNORE");
    if !at.take("TABLE") {
        return None;
    }
    take_if(at);
    at.take("ONLY");
    let table = at.name()?;
    at.symbol('*');
    Some(table)
}

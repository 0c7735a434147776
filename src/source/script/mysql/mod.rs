//! MySQL and MariaDB.

mod alone;
mod alter;
mod altered;
mod ender;
mod refused;
mod tables;
mod variables;

#[cfg(test)]
mod classify_tests;
#[cfg(test)]
mod split_tests;

use super::scanner::{Kind, Quotes, Rules};
use super::{Cursor, Refused, Unfinished};

pub(super) use self::alone::alone;
pub(super) use self::ender::Ender;
pub(super) use self::refused::{refused, tool_command};
pub(super) use self::tables::tables;
pub(super) use self::variables::{session, variables};

pub(super) const RULES: Rules = Rules { nested_comments: false, comment_may_stay_open: false, quotes: Quotes::MySql };

/// The statement itself: what stands behind MariaDB's `SET STATEMENT variable = value, … FOR`, which only surrounds it.
pub(super) fn inner(at: Cursor<'_>) -> Cursor<'_> {
    let mut rest = at;
    match rest.take_all(&["SET", "STATEMENT"]) {
        true => alone::behind_for(rest).unwrap_or(at),
        false => at,
    }
}

/// Steps behind the `,` that ends the part of a list here; false when the list ends.
fn next_part(at: &mut Cursor<'_>) -> bool {
    let mut depth = 0usize;
    while let Some(token) = at.peek() {
        at.bump();
        match token.kind {
            Kind::Symbol('(') => depth += 1,
            Kind::Symbol(')') => depth = depth.saturating_sub(1),
            Kind::Symbol(',') if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

/// What a handler does, from behind `DECLARE … HANDLER`: the statement behind its conditions.
fn behind_conditions(mut at: Cursor<'_>) -> Option<Cursor<'_>> {
    if !at.take("FOR") {
        return None;
    }
    loop {
        let is_state = at.take("SQLSTATE");
        if is_state {
            at.take("VALUE");
        }
        // NOT FOUND is two words, any other condition one.
        at.take("NOT");
        at.bump();
        if !at.symbol(',') {
            return Some(at);
        }
    }
}

/// Steps over `IF EXISTS` or `IF NOT EXISTS`.
fn take_if(at: &mut Cursor<'_>) -> bool {
    at.take_all(&["IF", "EXISTS"]) || at.take_all(&["IF", "NOT", "EXISTS"])
}

/// Steps over MariaDB's `WAIT n` or `NOWAIT`.
fn take_wait(at: &mut Cursor<'_>) {
    if at.take("WAIT") {
        at.bump();
    } else {
        at.take("NOWAIT");
    }
}

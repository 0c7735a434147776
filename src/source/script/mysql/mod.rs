//! MySQL and MariaDB.

mod alone;
mod alter;
mod ender;
mod refused;
mod tables;

#[cfg(test)]
mod classify_tests;
#[cfg(test)]
mod split_tests;

use super::scanner::{Kind, Quotes, Rules};
use super::{Cursor, Refused, Unfinished};
use crate::domain::SessionChange;

pub(super) use self::alone::alone;
pub(super) use self::ender::Ender;
pub(super) use self::refused::{refused, tool_command};
pub(super) use self::tables::tables;

pub(super) const RULES: Rules = Rules { nested_comments: false, comment_may_stay_open: false, quotes: Quotes::MySql };

/// What a statement changes of its session, when it changes nothing else. Passwords, global values and the next
/// transaction's level are not the session's, and an account's default roles are not either.
pub(super) fn session(mut at: Cursor<'_>) -> Option<SessionChange> {
    if !at.take("SET") {
        return None;
    }
    let elsewhere =
        ["GLOBAL", "PERSIST", "PERSIST_ONLY", "TRANSACTION", "PASSWORD", "DEFAULT", "RESOURCE", "STATEMENT"];
    (!elsewhere.iter().any(|word| at.is(word))).then_some(SessionChange::Setting)
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

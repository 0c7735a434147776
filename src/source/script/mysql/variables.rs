//! The session's variables: which values a statement leaves in them, and which it needs.

use super::super::scanner::{Kind, Token};
use super::alone::makes_code;
use super::{Cursor, next_part};
use crate::domain::{SessionChange, Variables};

/// Functions that give the same result whenever they are called with the same values.
const STEADY: [&str; 30] = [
    "CAST",
    "CHAR",
    "COALESCE",
    "CONCAT",
    "CONCAT_WS",
    "CONVERT",
    "CURRENT_USER",
    "DATABASE",
    "GREATEST",
    "HEX",
    "IF",
    "IFNULL",
    "LCASE",
    "LEAST",
    "LEFT",
    "LOWER",
    "LTRIM",
    "NULLIF",
    "REGEXP_REPLACE",
    "REPLACE",
    "RIGHT",
    "RTRIM",
    "SCHEMA",
    "SUBSTR",
    "SUBSTRING",
    "TRIM",
    "UCASE",
    "UNHEX",
    "UPPER",
    "VERSION",
];

/// Words and system variables whose value depends on what was done, or on the time.
const FLEETING: [&str; 22] = [
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "ERROR_COUNT",
    "EXISTS",
    "IDENTITY",
    "INSERT_ID",
    "LAST_GTID",
    "LAST_INSERT_ID",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "NEXT",
    "PREVIOUS",
    "PSEUDO_THREAD_ID",
    "RAND_SEED1",
    "SELECT",
    "TABLE",
    "TIMESTAMP",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
    "WARNING_COUNT",
];

/// What a statement changes of its session, when it changes nothing else and changes it to the same however often it is
/// run: a value that is read from a table, or that a function makes up, is another the next time. Passwords, global values
/// and the next transaction's level are not the session's, and an account's default roles are not either.
pub(in super::super) fn session(mut at: Cursor<'_>) -> Option<SessionChange> {
    if !at.take("SET") {
        return None;
    }
    let elsewhere =
        ["GLOBAL", "PERSIST", "PERSIST_ONLY", "TRANSACTION", "PASSWORD", "DEFAULT", "RESOURCE", "STATEMENT"];
    (!elsewhere.iter().any(|word| at.is(word)) && is_steady(at)).then_some(SessionChange::Setting)
}

/// Whether the assignments behind a `SET` give the same values whenever they are made.
fn is_steady(mut at: Cursor<'_>) -> bool {
    loop {
        // NAMES and ROLE have values without a '='.
        let mut value = at;
        while !value.at_end() && !value.symbol('=') {
            if next_is_comma(value) {
                break;
            }
            value.bump();
        }
        if !is_steady_value(value) {
            return false;
        }
        if !next_part(&mut at) {
            return true;
        }
    }
}

fn next_is_comma(at: Cursor<'_>) -> bool {
    at.peek().is_some_and(|token| token.kind == Kind::Symbol(','))
}

fn is_steady_value(mut at: Cursor<'_>) -> bool {
    let mut depth = 0usize;
    while let Some(token) = at.peek() {
        let word = at.word().to_ascii_uppercase();
        let is_quoted = token.kind == Kind::QuotedName;
        at.bump();
        let is_call = at.peek().is_some_and(|next| next.kind == Kind::Symbol('('));
        match token.kind {
            Kind::Symbol('(') => depth += 1,
            Kind::Symbol(')') => depth = depth.saturating_sub(1),
            Kind::Symbol(',') if depth == 0 => return true,
            _ if FLEETING.contains(&&*word) => return false,
            _ if is_call && (is_quoted || !word.is_empty() && !STEADY.contains(&&*word) && !is_operator(&word)) => {
                return false;
            }
            _ => {}
        }
    }
    true
}

/// Words behind which a parenthesis is no list of arguments.
fn is_operator(word: &str) -> bool {
    ["AND", "OR", "XOR", "NOT", "DIV", "MOD", "IN", "BETWEEN", "CASE", "WHEN", "THEN", "ELSE", "LIKE"].contains(&word)
}

/// The variables that a statement gives values, and those whose values it needs. Inside a body, which runs later, none.
pub(in super::super) fn variables(at: Cursor<'_>) -> Variables {
    let mut found = Variables::default();
    if makes_code(at) || at.is("ALTER") {
        return found;
    }
    let (is_call, is_get, is_load) = (at.is("CALL"), at.is("GET"), at.is("LOAD"));
    let mut is_set = at.is("SET");
    let (mut rest, mut before, mut into, mut depth) = (at, None::<Token>, false, 0usize);
    let mut earlier = Vec::new();
    if is_set && session(at).is_none() {
        found.sets.extend(settings(at));
    }
    while let Some(token) = rest.peek() {
        match token.kind {
            Kind::Symbol('(') => depth += 1,
            Kind::Symbol(')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(token.kind, Kind::Symbol(',' | ')')) {
            // What stands behind an assignment is worked out before it is made.
            earlier.clone_from(&found.sets);
        }
        let begins_part =
            before.is_none_or(|before| before.kind == Kind::Symbol(',')) || depth == 0 && is_first(at, before);
        if rest.is("INTO") {
            into = true;
        } else if !matches!(token.kind, Kind::Symbol(',' | '@')) {
            into = false;
        }
        // The rest of MariaDB's SET STATEMENT is another statement.
        is_set &= !(depth == 0 && rest.is("FOR"));
        rest.bump();
        let is_variable = token.kind == Kind::Symbol('@');
        if let Some(name) = is_variable.then(|| user_variable(token, before, &mut rest)).flatten() {
            let assigned = is_assigned(rest);
            let sets = assigned == Some(":=")
                || (assigned == Some("=") && (is_get || (is_set && depth == 0 && begins_part)))
                || (into && depth == 0)
                || is_call
                || (is_load && depth > 0);
            let reads = !sets || is_call;
            if reads && !earlier.contains(&name) && !found.reads.contains(&name) {
                found.reads.push(name.clone());
            }
            if sets && !found.sets.contains(&name) {
                found.sets.push(name);
            }
        }
        before = Some(token);
    }
    found
}

/// Whether the token before is the statement's first word.
fn is_first(at: Cursor<'_>, before: Option<Token>) -> bool {
    at.peek() == before
}

/// The name of a user's variable behind an `@`; `None` for a system variable and for the host of an account.
fn user_variable(sign: Token, before: Option<Token>, rest: &mut Cursor<'_>) -> Option<String> {
    let of_account = before.is_some_and(|before| {
        before.end == sign.start && matches!(before.kind, Kind::Word | Kind::QuotedName | Kind::Text)
    });
    if rest.symbol('@') {
        rest.bump();
        return None;
    }
    if of_account {
        return None;
    }
    let raw = rest.raw();
    let name = rest.part().or_else(|| {
        rest.bump();
        raw.strip_prefix(['\'', '"']).and_then(|raw| raw.strip_suffix(['\'', '"'])).map(str::to_owned)
    })?;
    Some(format!("@{}", name.to_lowercase()))
}

fn is_assigned(mut rest: Cursor<'_>) -> Option<&'static str> {
    if rest.symbol(':') {
        return rest.symbol('=').then_some(":=");
    }
    rest.symbol('=').then_some("=")
}

/// The session's settings that a `SET` changes, `@@` before their names.
fn settings(mut at: Cursor<'_>) -> Vec<String> {
    let mut names = Vec::new();
    at.take("SET");
    let elsewhere =
        ["GLOBAL", "PERSIST", "PERSIST_ONLY", "TRANSACTION", "PASSWORD", "DEFAULT", "RESOURCE", "STATEMENT"];
    if elsewhere.iter().any(|word| at.is(word)) {
        return names;
    }
    loop {
        let mut part = at;
        let is_user = part.symbol('@') && !part.symbol('@');
        let is_elsewhere = part.take_any(&["GLOBAL", "PERSIST", "PERSIST_ONLY"]);
        part.take_any(&["SESSION", "LOCAL"]);
        part.symbol('.');
        if !is_user
            && !is_elsewhere
            && let Some(name) = part.part()
        {
            names.push(format!("@@{}", name.to_lowercase()));
        }
        if !next_part(&mut at) {
            return names;
        }
    }
}

//! SQL Server, whose unit is the batch between two lines `GO`. A batch holds any number of statements, which nothing but
//! their words separates; those that matter here begin with reserved words.

use super::Refused;
use super::cursor::Cursor;
use super::dialect::ToolCommand;
use super::scanner::{Kind, Quotes, Rules, Token};
use crate::domain::{Effect, ObjectName, TableChange};

pub(super) const RULES: Rules =
    Rules { nested_comments: true, comment_may_stay_open: false, quotes: Quotes::SqlServer };

/// A command of `sqlcmd`.
pub(super) fn tool_command(token: Token, text: &str, is_first: bool) -> Option<ToolCommand> {
    let raw = text.get(token.start..token.end).unwrap_or_default();
    let after = text.get(token.end..).unwrap_or_default();
    let begins_line = || {
        let before = text.get(..token.start).unwrap_or_default().trim_end_matches([' ', '\t']);
        is_first || before.ends_with('\n')
    };
    let tool = "sqlcmd";
    match token.kind {
        Kind::Symbol(':') if after.starts_with(|next: char| next.is_ascii_alphabetic()) && begins_line() => {
            Some(ToolCommand { tool, hint: "write it in SQL; there is no sqlcmd to obey it" })
        }
        Kind::Symbol('!') if after.starts_with('!') && begins_line() => {
            Some(ToolCommand { tool, hint: "remove it; there is no sqlcmd to obey it" })
        }
        Kind::SpoiltGo => {
            Some(ToolCommand { tool, hint: "write GO alone on its line, at most with a count from 1 up" })
        }
        Kind::Symbol('$') | Kind::Word if raw.ends_with('$') && begins_variable(after) => Some(VARIABLE),
        Kind::Text | Kind::QuotedName if raw.match_indices('$').any(|(at, _)| begins_variable(&raw[at + 1..])) => {
            Some(VARIABLE)
        }
        _ => None,
    }
}

const VARIABLE: ToolCommand = ToolCommand {
    tool: "sqlcmd, whose variables are not filled in",
    hint: "write the value itself; to mean the text, write it as '$' + '(…)'",
};

/// Whether `(name)` stands here.
fn begins_variable(text: &str) -> bool {
    let Some((name, _)) = text.strip_prefix('(').and_then(|rest| rest.split_once(')')) else { return false };
    !name.is_empty() && name.chars().all(|ch| ch.is_alphanumeric() || matches!(ch, '_' | '-'))
}

/// Whether the batch makes something whose text is kept: what stands in it does not happen now.
pub(super) fn is_definition(mut at: Cursor<'_>) -> bool {
    (at.take_all(&["CREATE", "OR", "ALTER"]) || at.take_any(&["CREATE", "ALTER"]))
        && at.take_any(&["PROCEDURE", "PROC", "FUNCTION", "TRIGGER", "VIEW"])
}

/// Batches that Branchkeeper must not pass on.
pub(super) fn refused(mut at: Cursor<'_>) -> Option<Refused> {
    if is_definition(at) {
        return None;
    }
    while !at.at_end() {
        let word = at.word().to_ascii_uppercase();
        let mut rest = at;
        rest.bump();
        match word.as_str() {
            "COMMIT" | "ROLLBACK" => return Some(Refused::transaction(&word)),
            "BEGIN" => {
                rest.take("DISTRIBUTED");
                if rest.take_any(&["TRAN", "TRANSACTION"]) {
                    return Some(Refused::transaction("BEGIN TRANSACTION"));
                }
            }
            "SAVE" if rest.take_any(&["TRAN", "TRANSACTION"]) => {
                return Some(Refused::transaction("SAVE TRANSACTION"));
            }
            "SET" if rest.take_all(&["IMPLICIT_TRANSACTIONS", "ON"]) => {
                return Some(Refused::transaction("SET IMPLICIT_TRANSACTIONS ON"));
            }
            "USE" if rest.part().is_some() && !at_hint(at) => {
                return Some(Refused {
                    message: "USE is refused: a branch is one database, and Branchkeeper is connected to it".to_owned(),
                    hint: "remove it",
                });
            }
            _ => {}
        }
        at.bump();
    }
    None
}

/// `USE HINT (…)` and `USE PLAN` in a query's `OPTION`.
fn at_hint(mut at: Cursor<'_>) -> bool {
    at.take("USE") && at.take_any(&["HINT", "PLAN"])
}

/// Which effect a batch has that refuses a transaction, as far as the text alone tells.
pub(super) fn alone(at: Cursor<'_>) -> Option<Effect> {
    if is_definition(at) {
        return None;
    }
    let mut ahead = at;
    let mut effect = None;
    while !ahead.at_end() {
        skip_permissions(&mut ahead);
        if let Some(found) = refuses_transaction(ahead) {
            effect = Some(found);
            break;
        }
        ahead.bump();
    }
    // With something else before it, one effect does not tell for the whole batch. What follows can't be told from the
    // statement's own clauses except by a second one.
    let is_whole = ahead.peek() == at.peek() && is_single(at);
    effect.map(|effect| if is_whole { effect } else { Effect::Unknowable })
}

/// Steps over the permissions of a `GRANT`, `DENY` or `REVOKE`, which are called like statements.
fn skip_permissions(at: &mut Cursor<'_>) {
    let mut ahead = *at;
    if ahead.take_any(&["GRANT", "DENY", "REVOKE"]) && !ahead.is("OPTION") {
        while !ahead.at_end() && !ahead.take_any(&["TO", "FROM"]) {
            ahead.bump();
        }
        *at = ahead;
    }
}

/// Whether nothing stands behind the first `;`.
fn is_single(mut at: Cursor<'_>) -> bool {
    while !at.at_end() && !at.symbol(';') {
        at.bump();
    }
    while at.symbol(';') {}
    at.at_end()
}

fn refuses_transaction(mut at: Cursor<'_>) -> Option<Effect> {
    let word = at.word().to_ascii_uppercase();
    at.bump();
    match word.as_str() {
        "CREATE" if at.take("DATABASE") => {
            // DATABASE AUDIT SPECIFICATION and DATABASE SCOPED CREDENTIAL are no databases.
            let other = at.is("AUDIT") || at.is("SCOPED") || at.is("ENCRYPTION");
            (!other).then(|| at.part().map_or(Effect::Unknowable, Effect::DatabaseExists))
        }
        "DROP" if at.take("DATABASE") => {
            let other = at.is("AUDIT") || at.is("SCOPED") || at.is("ENCRYPTION");
            at.take_all(&["IF", "EXISTS"]);
            let name = at.part();
            let effect = if at.symbol(',') { None } else { name.map(Effect::DatabaseGone) };
            (!other).then_some(effect.unwrap_or(Effect::Unknowable))
        }
        "ALTER" if at.take("DATABASE") => {
            if at.is("AUDIT") || at.is("ENCRYPTION") || at.take_all(&["SCOPED", "CREDENTIAL"]) {
                return None;
            }
            at.bump();
            Some(if at.take("SET") || at.take("COLLATE") { Effect::Idempotent } else { Effect::Unknowable })
        }
        "CREATE" | "ALTER" | "DROP" if at.is("FULLTEXT") => Some(Effect::Unknowable),
        "BACKUP" if at.take_any(&["DATABASE", "LOG"]) => Some(Effect::Idempotent),
        "RESTORE" if at.take_any(&["DATABASE", "LOG"]) => Some(Effect::Unknowable),
        "RECONFIGURE" => Some(Effect::Idempotent),
        "KILL" => Some(Effect::Unknowable),
        // WITH (RESUMABLE = ON) of an index.
        "RESUMABLE" => (at.symbol('=') && at.is("ON")).then_some(Effect::Unknowable),
        _ => None,
    }
}

/// Which tables a batch makes, drops or renames. Temporary ones do not count.
pub(super) fn tables(mut at: Cursor<'_>) -> Vec<TableChange> {
    let mut changes = Vec::new();
    if is_definition(at) {
        return changes;
    }
    while !at.at_end() {
        skip_permissions(&mut at);
        if at.take_all(&["CREATE", "TABLE"]) {
            changes.extend(at.name().map(TableChange::Created));
        } else if at.take_all(&["DROP", "TABLE"]) {
            at.take_all(&["IF", "EXISTS"]);
            while let Some(name) = at.name() {
                changes.push(TableChange::Dropped(name));
                if !at.symbol(',') {
                    break;
                }
            }
        } else if at.take_all(&["ALTER", "SCHEMA"]) {
            changes.extend(transferred(at));
        } else if at.take_any(&["EXEC", "EXECUTE"]) {
            changes.extend(renamed(at));
        } else {
            at.bump();
        }
    }
    let lasts = |name: &ObjectName| !name.name.starts_with('#');
    changes.retain(|change| match change {
        TableChange::Created(name) | TableChange::Dropped(name) => lasts(name),
        TableChange::Renamed(from, to) => lasts(from) && lasts(to),
    });
    changes
}

/// `ALTER SCHEMA to TRANSFER [OBJECT::]from.name`.
fn transferred(mut at: Cursor<'_>) -> Option<TableChange> {
    let schema = at.part()?;
    if !at.take("TRANSFER") {
        return None;
    }
    let mut ahead = at;
    ahead.bump();
    if ahead.symbol(':') {
        if !at.is("OBJECT") || !ahead.symbol(':') {
            return None;
        }
        at = ahead;
    }
    let from = at.name()?;
    let to = ObjectName { schema: Some(schema), name: from.name.clone() };
    Some(TableChange::Renamed(from, to))
}

/// `EXEC sp_rename 'schema.old', 'new' [, 'OBJECT']`.
fn renamed(mut at: Cursor<'_>) -> Option<TableChange> {
    let procedure = at.name()?;
    if !procedure.name.eq_ignore_ascii_case("sp_rename") {
        return None;
    }
    let from = argument(&mut at)?;
    at.symbol(',').then_some(())?;
    let to = argument(&mut at)?;
    if at.symbol(',') && !argument(&mut at)?.eq_ignore_ascii_case("object") {
        return None;
    }
    let from = object_name(&from)?;
    let to = ObjectName { schema: from.schema.clone(), name: to };
    Some(TableChange::Renamed(from, to))
}

/// A string, perhaps with the parameter's name before it.
fn argument(at: &mut Cursor<'_>) -> Option<String> {
    if at.word().starts_with('@') {
        at.bump();
        at.symbol('=').then_some(())?;
    }
    at.take("N");
    let raw = at.raw();
    let text = raw.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'");
    at.bump();
    Some(text)
}

/// The name in a string like `dbo.Sales` or `[dbo].[Sales]`.
fn object_name(text: &str) -> Option<ObjectName> {
    let mut scanner = super::Scanner::new(text, RULES);
    let mut tokens = Vec::new();
    while let Some(token) = scanner.next().ok()? {
        tokens.push(token);
    }
    Cursor::new(crate::domain::Provider::SqlServer, text, &tokens).name()
}

use super::alter::{self, Action, What};
use super::tables::{names, renamed};
use super::{Cursor, take_if, take_wait};
use crate::domain::{Effect, ObjectName};

/// Which effect a statement has that commits by itself. These are the statements of
/// <https://dev.mysql.com/doc/refman/en/implicit-commit.html> and
/// <https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/>, as far as the text alone tells.
pub(in super::super) fn alone(at: Cursor<'_>) -> Option<Effect> {
    let word = at.word().to_ascii_uppercase();
    let mut rest = at;
    rest.bump();
    match word.as_str() {
        "CREATE" => created(rest),
        "DROP" => dropped(rest),
        "ALTER" => Some(altered(at)),
        "RENAME" => Some(match renamed(rest).as_slice() {
            [(from, to)] => Effect::TableRenamed { from: from.clone(), to: to.clone() },
            // All of it happens at once, in MariaDB since 10.6.
            [(from, to), ..] if is_chain_free(&renamed(rest)) => {
                Effect::TableRenamed { from: from.clone(), to: to.clone() }
            }
            _ => Effect::Unknowable,
        }),
        "TRUNCATE" | "GRANT" | "OPTIMIZE" | "REPAIR" | "FLUSH" | "RESET" => Some(Effect::Idempotent),
        "ANALYZE" => {
            rest.take_any(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
            rest.take_any(&["TABLE", "TABLES"]).then_some(Effect::Idempotent)
        }
        "CHECK" => rest.take_any(&["TABLE", "TABLES", "VIEW"]).then_some(Effect::Idempotent),
        "CACHE" => rest.take("INDEX").then_some(Effect::Idempotent),
        "LOAD" => rest.take("INDEX").then_some(Effect::Idempotent),
        "SET" => set(rest),
        "REVOKE" | "INSTALL" | "UNINSTALL" | "IMPORT" | "CHANGE" | "START" | "STOP" | "SHUTDOWN" | "RESTART"
        | "CLONE" | "BACKUP" => Some(Effect::Unknowable),
        // What these run stands elsewhere.
        "CALL" | "EXECUTE" => Some(Effect::Unknowable),
        "BEGIN" | "IF" | "CASE" | "LOOP" | "WHILE" | "REPEAT" | "FOR" => compound(rest),
        _ => None,
    }
}

/// Whether no name stands twice in the renames: only then is the first of them visible afterwards.
fn is_chain_free(pairs: &[(ObjectName, ObjectName)]) -> bool {
    pairs.first().is_some_and(|(from, to)| {
        pairs
            .iter()
            .skip(1)
            .all(|(other_from, other_to)| ![from, to].iter().any(|name| [other_from, other_to].contains(name)))
    })
}

fn set(mut at: Cursor<'_>) -> Option<Effect> {
    let password = at.take("PASSWORD") || at.take_all(&["DEFAULT", "ROLE"]);
    // Inside a transaction it is an error: it is meant for the next one.
    let transaction = at.take("TRANSACTION");
    (password || transaction).then_some(Effect::Idempotent)
}

fn compound(mut at: Cursor<'_>) -> Option<Effect> {
    const COMMITS: [&str; 14] = [
        "ALTER", "ANALYZE", "CALL", "CREATE", "DROP", "EXECUTE", "FLUSH", "GRANT", "LOCK", "OPTIMIZE", "RENAME",
        "REPAIR", "REVOKE", "TRUNCATE",
    ];
    while !at.at_end() {
        if COMMITS.iter().any(|word| at.is(word)) {
            return Some(Effect::Unknowable);
        }
        at.bump();
    }
    None
}

fn created(mut at: Cursor<'_>) -> Option<Effect> {
    let or_replace = at.take_all(&["OR", "REPLACE"]);
    if at.take("TEMPORARY") {
        return None;
    }
    if or_replace {
        return Some(Effect::Idempotent);
    }
    Some(made(at).unwrap_or(Effect::Unknowable))
}

fn made(mut at: Cursor<'_>) -> Option<Effect> {
    if at.take("TABLE") {
        take_if(&mut at);
        return at.name().map(Effect::TableExists);
    }
    if at.take_any(&["DATABASE", "SCHEMA"]) {
        take_if(&mut at);
        return at.part().map(Effect::DatabaseExists);
    }
    at.take_any(&["ONLINE", "OFFLINE"]);
    at.take_any(&["UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR"]);
    if at.take("INDEX") {
        take_if(&mut at);
        let index = ObjectName::bare(at.part()?);
        let table = indexed_table(at)?;
        return Some(Effect::IndexExists { index, table });
    }
    // CREATE [ALGORITHM = …] [DEFINER = …] [SQL SECURITY …] VIEW; everything else makes something that nothing here
    // knows how to find, which is harmless to make again when it may be there already.
    while !at.at_end() && !at.is("AS") {
        if at.take("VIEW") {
            take_if(&mut at);
            return at.name().map(Effect::ViewExists);
        }
        let is_kind = at.take_any(&["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "USER", "ROLE", "SERVER", "SEQUENCE"]);
        if is_kind {
            return take_if(&mut at).then_some(Effect::Idempotent);
        }
        at.bump();
    }
    None
}

/// The table behind `[USING …] ON`.
fn indexed_table(mut at: Cursor<'_>) -> Option<ObjectName> {
    if at.take_any(&["USING", "TYPE"]) {
        at.bump();
    }
    if !at.take("ON") {
        return None;
    }
    at.name()
}

fn dropped(mut at: Cursor<'_>) -> Option<Effect> {
    // DROP PREPARE forgets a prepared statement.
    if at.is("TEMPORARY") || at.is("PREPARE") {
        return None;
    }
    if at.take_any(&["DATABASE", "SCHEMA"]) {
        take_if(&mut at);
        return Some(at.part().map_or(Effect::Unknowable, Effect::DatabaseGone));
    }
    if at.take("INDEX") {
        take_if(&mut at);
        let gone = at.part().zip(indexed_table(at));
        return Some(gone.map_or(Effect::Unknowable, |(index, table)| Effect::TableIndexGone { index, table }));
    }
    let is_table = at.take_any(&["TABLE", "TABLES"]);
    let is_view = !is_table && at.take("VIEW");
    if !is_table && !is_view {
        at.bump();
    }
    let is_careful = take_if(&mut at);
    take_wait(&mut at);
    let mut names = if is_table || is_view { names(at) } else { Vec::new() };
    Some(match (names.pop(), names.is_empty()) {
        (Some(name), true) if is_table => Effect::TableGone(name),
        (Some(name), true) => Effect::ViewGone(name),
        _ if is_careful => Effect::Idempotent,
        _ => Effect::Unknowable,
    })
}

fn altered(at: Cursor<'_>) -> Effect {
    if let Some((table, actions)) = alter::table(at) {
        return table_altered(table, &actions);
    }
    let mut at = at;
    at.bump();
    if at.take_any(&["DATABASE", "SCHEMA"]) {
        return Effect::Idempotent;
    }
    while !at.at_end() && !at.is("AS") {
        if at.take("VIEW") {
            return Effect::Idempotent;
        }
        if at.take_any(&["PROCEDURE", "FUNCTION", "SERVER", "USER"]) {
            return Effect::Idempotent;
        }
        if at.take_any(&["EVENT", "SEQUENCE", "TABLESPACE", "INSTANCE"]) {
            break;
        }
        at.bump();
    }
    Effect::Unknowable
}

/// All actions of an `ALTER TABLE` happen at once, so the first one whose result can be seen tells for all.
fn table_altered(table: ObjectName, actions: &[Action]) -> Effect {
    let renames = actions.iter().rev().find_map(|action| match action {
        Action::Rename(to) => Some(to.clone()),
        _ => None,
    });
    if let Some(to) = renames {
        return Effect::TableRenamed { from: table, to };
    }
    for action in actions {
        let (what, name, exists) = match action {
            Action::Adds(what, name) | Action::Renames(what, _, name) => (*what, name, true),
            Action::Drops(what, name) => (*what, name, false),
            _ => continue,
        };
        if mentions(actions, what, name) == 1 {
            return effect(table, what, name.clone(), exists);
        }
    }
    let is_idempotent = actions.iter().all(|action| *action == Action::SameAgain);
    if is_idempotent { Effect::Idempotent } else { Effect::Unknowable }
}

/// How many names in the actions are this one. A name that goes and comes back looks the same before and after.
fn mentions(actions: &[Action], what: What, name: &str) -> usize {
    let is_same = |other: &str| other.to_lowercase() == name.to_lowercase();
    let count = |action: &Action| match action {
        Action::Adds(kind, other) | Action::Drops(kind, other) if *kind == what => usize::from(is_same(other)),
        Action::Renames(kind, from, to) if *kind == what => usize::from(is_same(from)) + usize::from(is_same(to)),
        _ => 0,
    };
    actions.iter().map(count).sum()
}

fn effect(table: ObjectName, what: What, name: String, exists: bool) -> Effect {
    match (what, exists) {
        (What::Column, true) => Effect::ColumnExists { table, column: name },
        (What::Column, false) => Effect::ColumnGone { table, column: name },
        (What::Index, true) => Effect::IndexExists { index: ObjectName::bare(name), table },
        (What::Index, false) => Effect::TableIndexGone { index: name, table },
        (What::Constraint, true) => Effect::ConstraintExists { table, constraint: name },
        (What::Constraint, false) => Effect::ConstraintGone { table, constraint: name },
    }
}

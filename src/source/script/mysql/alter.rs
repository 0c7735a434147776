use super::super::scanner::Kind;
use super::{Cursor, next_part, take_if, take_wait};
use crate::domain::ObjectName;

/// What one action of an `ALTER TABLE` does, as far as the catalog shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// The table gets a new name.
    Rename(ObjectName),
    /// Something gets this name.
    Adds(What, String),
    /// Something of this name goes.
    Drops(What, String),
    /// The first name goes, the second one comes.
    Renames(What, String, String),
    /// Things of these names come or go, unless that is so already (`IF [NOT] EXISTS`): done again, it does nothing.
    Careful(What, Vec<String>),
    /// Doing it again gives the same result.
    SameAgain,
    /// Nothing that can be read back tells.
    Unclear,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Column,
    Index,
    Constraint,
}

/// The table that an `ALTER TABLE` changes, and its actions.
pub(super) fn table(mut at: Cursor<'_>) -> Option<(ObjectName, Vec<Action>)> {
    if !at.take("ALTER") {
        return None;
    }
    at.take("ONLINE");
    at.take("IGNORE");
    if !at.take("TABLE") {
        return None;
    }
    take_if(&mut at);
    let table = at.name()?;
    take_wait(&mut at);
    let mut actions = vec![action(at)];
    while next_part(&mut at) {
        actions.push(action(at));
    }
    Some((table, actions))
}

fn action(mut at: Cursor<'_>) -> Action {
    if at.take("ADD") {
        added(at).unwrap_or(Action::Unclear)
    } else if at.take("DROP") {
        dropped(at).unwrap_or(Action::Unclear)
    } else if at.take("CHANGE") {
        at.take("COLUMN");
        let is_careful = take_if(&mut at);
        match (at.part(), at.part()) {
            (Some(from), Some(to)) if from.to_lowercase() == to.to_lowercase() => Action::SameAgain,
            (Some(from), Some(to)) => renames(What::Column, from, to, is_careful),
            _ => Action::Unclear,
        }
    } else if at.take("RENAME") {
        renamed(at).unwrap_or(Action::Unclear)
    } else if at.take_any(&["MODIFY", "ALTER", "ENGINE", "CONVERT", "FORCE", "ORDER", "ENABLE", "DISABLE"]) {
        Action::SameAgain
    } else if at.take_any(&["ANALYZE", "CHECK", "OPTIMIZE", "REBUILD", "REPAIR"]) {
        if at.is("PARTITION") { Action::SameAgain } else { Action::Unclear }
    } else if at.take_all(&["PARTITION", "BY"]) || is_option(at) {
        Action::SameAgain
    } else {
        Action::Unclear
    }
}

/// A table option, like `COMMENT = 'x'`, `ROW_FORMAT DYNAMIC` or `DEFAULT CHARSET utf8mb4`, or `ALGORITHM` and `LOCK`.
fn is_option(mut at: Cursor<'_>) -> bool {
    const OPTIONS: [&str; 30] = [
        "ALGORITHM",
        "LOCK",
        "AUTO_INCREMENT",
        "AUTOEXTEND_SIZE",
        "AVG_ROW_LENGTH",
        "CHARACTER",
        "CHARSET",
        "CHECKSUM",
        "COLLATE",
        "COMMENT",
        "COMPRESSION",
        "DEFAULT",
        "DELAY_KEY_WRITE",
        "ENCRYPTION",
        "ENCRYPTED",
        "INSERT_METHOD",
        "KEY_BLOCK_SIZE",
        "MAX_ROWS",
        "MIN_ROWS",
        "NOWAIT",
        "PACK_KEYS",
        "PAGE_CHECKSUM",
        "PAGE_COMPRESSED",
        "ROW_FORMAT",
        "STATS_AUTO_RECALC",
        "STATS_PERSISTENT",
        "STATS_SAMPLE_PAGES",
        "TABLESPACE",
        "WITH",
        "WITHOUT",
    ];
    at.take_any(&OPTIONS)
}

/// Something comes. With `IF NOT EXISTS` it may have been there before.
fn adds(what: What, name: String, is_careful: bool) -> Action {
    if is_careful { Action::Careful(what, vec![name]) } else { Action::Adds(what, name) }
}

fn renames(what: What, from: String, to: String, is_careful: bool) -> Action {
    if is_careful { Action::Careful(what, vec![from, to]) } else { Action::Renames(what, from, to) }
}

fn added(mut at: Cursor<'_>) -> Option<Action> {
    if at.take("CONSTRAINT") {
        let is_careful = take_if(&mut at);
        let name = if is_constraint(at) { None } else { Some(at.part()?) };
        if at.take_all(&["PRIMARY", "KEY"]) {
            return primary_added();
        }
        if at.take("UNIQUE") {
            at.take_any(&["INDEX", "KEY"]);
            let is_careful = take_if(&mut at) || is_careful;
            // Where the index has a name of its own, the constraint gets that one, too.
            return match index_name(at) {
                Some(index) => Some(adds(What::Index, index, is_careful)),
                None => name.map(|name| adds(What::Constraint, name, is_careful)),
            };
        }
        return name.map(|name| adds(What::Constraint, name, is_careful));
    }
    if at.take_all(&["PRIMARY", "KEY"]) {
        return primary_added();
    }
    let is_special = at.take_any(&["UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR"]);
    if at.take_any(&["INDEX", "KEY"]) || is_special {
        let is_careful = take_if(&mut at);
        return index_name(at).map(|name| adds(What::Index, name, is_careful));
    }
    if at.take_any(&["FOREIGN", "CHECK", "PARTITION"])
        || at.take_all(&["PERIOD", "FOR"])
        || at.take_all(&["SYSTEM", "VERSIONING"])
    {
        return None;
    }
    at.take("COLUMN");
    let is_careful = take_if(&mut at);
    at.symbol('(');
    at.part().map(|name| adds(What::Column, name, is_careful))
}

/// The name of an index before its `USING` or its columns.
fn index_name(mut at: Cursor<'_>) -> Option<String> {
    if at.is("USING") { None } else { at.part() }
}

fn primary_added() -> Option<Action> {
    Some(Action::Adds(What::Index, PRIMARY.to_owned()))
}

/// How both servers call the index of every primary key.
const PRIMARY: &str = "PRIMARY";

fn is_constraint(mut at: Cursor<'_>) -> bool {
    at.take_any(&["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"])
}

fn dropped(mut at: Cursor<'_>) -> Option<Action> {
    let what = if at.take_all(&["PRIMARY", "KEY"]) {
        return Some(Action::Drops(What::Index, PRIMARY.to_owned()));
    } else if at.take_any(&["INDEX", "KEY"]) {
        What::Index
    } else if at.take_all(&["FOREIGN", "KEY"]) || at.take_any(&["CONSTRAINT", "CHECK"]) {
        What::Constraint
    } else if at.take_all(&["PARTITION", "IF", "EXISTS"]) {
        return Some(Action::SameAgain);
    } else if at.take("PARTITION") || at.take_all(&["PERIOD", "FOR"]) || at.take_all(&["SYSTEM", "VERSIONING"]) {
        return None;
    } else {
        at.take("COLUMN");
        What::Column
    };
    let is_careful = take_if(&mut at);
    at.part().map(|name| if is_careful { Action::Careful(what, vec![name]) } else { Action::Drops(what, name) })
}

fn renamed(mut at: Cursor<'_>) -> Option<Action> {
    let what = if at.take("COLUMN") {
        What::Column
    } else if at.take_any(&["INDEX", "KEY"]) {
        What::Index
    } else {
        if !at.take_any(&["TO", "AS"]) && at.peek()?.kind == Kind::Symbol('=') {
            at.bump();
        }
        return at.name().map(Action::Rename);
    };
    let is_careful = take_if(&mut at);
    let from = at.part()?;
    if !at.take("TO") {
        return None;
    }
    Some(renames(what, from, at.part()?, is_careful))
}

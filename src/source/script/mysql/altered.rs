use super::Cursor;
use super::alter::{self, Action, What};
use crate::domain::{Effect, ObjectName};

/// Which effect an `ALTER` has.
pub(super) fn altered(at: Cursor<'_>) -> Effect {
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
        if at.take("USER") {
            return if keeps_passwords(at) { Effect::Unknowable } else { Effect::Idempotent };
        }
        if at.take_any(&["PROCEDURE", "FUNCTION", "SERVER"]) {
            return Effect::Idempotent;
        }
        if at.take_any(&["EVENT", "SEQUENCE", "TABLESPACE", "INSTANCE"]) {
            break;
        }
        at.bump();
    }
    Effect::Unknowable
}

/// Whether a password is made up, or the present one becomes the second: done again, the one before is lost.
pub(super) fn keeps_passwords(mut at: Cursor<'_>) -> bool {
    while !at.at_end() {
        if at.take("RETAIN") || at.take("RANDOM") {
            return true;
        }
        at.bump();
    }
    false
}

/// All actions of an `ALTER TABLE` happen at once, so the first one whose result can be seen tells for all; but for one with
/// `IF [NOT] EXISTS`, whose result may have been there before.
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
    let is_idempotent = |action: &Action| match action {
        Action::SameAgain => true,
        // Where it is done already, nothing happens; unless another action of the list undoes it.
        Action::Careful(what, names) => names.iter().all(|name| mentions(actions, *what, name) == 1),
        _ => false,
    };
    if actions.iter().all(is_idempotent) { Effect::Idempotent } else { Effect::Unknowable }
}

/// How many names in the actions are this one. A name that goes and comes back looks the same before and after. The names of
/// constraints are names of indexes, too.
fn mentions(actions: &[Action], what: What, name: &str) -> usize {
    let is_same = |other: &String| usize::from(other.to_lowercase() == name.to_lowercase());
    let is_kind = |kind: What| (kind == What::Column) == (what == What::Column);
    let count = |action: &Action| match action {
        Action::Adds(kind, other) | Action::Drops(kind, other) if is_kind(*kind) => is_same(other),
        Action::Careful(kind, names) if is_kind(*kind) => names.iter().map(is_same).sum(),
        Action::Renames(kind, from, to) if is_kind(*kind) => is_same(from) + is_same(to),
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

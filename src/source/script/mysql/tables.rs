use super::super::scanner::Kind;
use super::alter::{self, Action};
use super::{Cursor, next_part, take_if, take_wait};
use crate::domain::{ObjectName, TableChange};

/// Which tables a statement makes, drops or renames. Temporary tables do not count.
pub(in super::super) fn tables(mut at: Cursor<'_>) -> Vec<TableChange> {
    if at.take("CREATE") {
        at.take_all(&["OR", "REPLACE"]);
        if !at.take("TABLE") {
            return Vec::new();
        }
        take_if(&mut at);
        at.name().map(TableChange::Created).into_iter().collect()
    } else if at.take("DROP") {
        if !at.take_any(&["TABLE", "TABLES"]) {
            return Vec::new();
        }
        take_if(&mut at);
        names(at).into_iter().map(TableChange::Dropped).collect()
    } else if at.take("RENAME") {
        renamed(at).into_iter().map(|(from, to)| TableChange::Renamed(from, to)).collect()
    } else if let Some((table, actions)) = alter::table(at) {
        let last = actions.into_iter().rev().find_map(|action| match action {
            Action::Rename(to) => Some(to),
            _ => None,
        });
        last.map(|to| TableChange::Renamed(table, to)).into_iter().collect()
    } else {
        Vec::new()
    }
}

/// A list of names.
pub(super) fn names(mut at: Cursor<'_>) -> Vec<ObjectName> {
    let mut names = Vec::new();
    while let Some(name) = at.name() {
        names.push(name);
        if !at.symbol(',') {
            break;
        }
    }
    names
}

/// What `RENAME TABLE` renames, from behind the `RENAME`.
pub(super) fn renamed(mut at: Cursor<'_>) -> Vec<(ObjectName, ObjectName)> {
    let mut pairs = Vec::new();
    if !at.take_any(&["TABLE", "TABLES"]) {
        return pairs;
    }
    take_if(&mut at);
    loop {
        let Some(from) = at.name() else { return pairs };
        take_wait(&mut at);
        if !at.take("TO") {
            return pairs;
        }
        let Some(to) = at.name() else { return pairs };
        pairs.push((from, to));
        if at.peek().is_none_or(|token| token.kind != Kind::Symbol(',')) || !next_part(&mut at) {
            return pairs;
        }
    }
}

//! What foreign keys refer to, and what they need on their own side, stays.

use super::super::super::model::{ConstraintKind, IndexWhat, Rule, Table};
use super::super::super::yaml::At;
use super::super::Generator;
use super::foreign::is_key;
use crate::domain::{ObjectName, Provider};

impl Generator<'_, '_> {
    pub(super) fn check_dropped_table(&mut self, at: At, table: &ObjectName) {
        // Nobody refers to nothing on SQLite when the other table goes as well.
        let later: Vec<&ObjectName> = match self.provider() {
            Provider::Sqlite => self.dropped_later().collect(),
            _ => Vec::new(),
        };
        let stays = |of: &Table| of.name != *table && !later.contains(&&of.name);
        let found = self.known.referring(table).into_iter().filter(|(of, ..)| stays(of));
        let names: Vec<String> = found
            .map(|(of, constraint, _)| format!("{} by {}", of.name, constraint.name.as_deref().unwrap_or_default()))
            .collect();
        if let Some(first) = names.first() {
            let child = first.split(" by ").next().unwrap_or_default().to_owned();
            let message = format!("{table} is referred to from {}", names.join(", "));
            self.unable(at, message, format!("drop {child}, or its key with drop_foreign_key, before"));
        }
    }

    /// The foreign keys that refer to a column, in words.
    pub(super) fn keys_to(&self, table: &ObjectName, column: &str) -> Vec<String> {
        let found = self.known.referring(table).into_iter();
        let found = found.filter(|(of, _, key)| {
            let goes_too = of.name == *table && key.columns.iter().any(|name| name == column);
            key.target.iter().any(|name| name == column) && !goes_too
        });
        found
            .map(|(of, constraint, _)| {
                format!("the foreign key {} of {}", constraint.name.as_deref().unwrap_or_default(), of.name)
            })
            .collect()
    }

    /// Says that foreign keys would refer to columns that are no key any more.
    pub(super) fn check_unreferred(&mut self, at: At, before: &Table, after: &Table) {
        let provider = self.provider();
        let lost = self
            .known
            .referring(&before.name)
            .into_iter()
            .filter(|(.., key)| is_key(provider, before, &key.target) && !is_key(provider, after, &key.target));
        let names: Vec<String> = lost
            .map(|(of, constraint, _)| format!("{} of {}", constraint.name.as_deref().unwrap_or_default(), of.name))
            .collect();
        if !names.is_empty() {
            let message = format!("the foreign key {} refers to it", names.join(", "));
            self.unable(at, message, "drop that key first with drop_foreign_key");
        }
    }

    pub(super) fn check_dropped_constraint(
        &mut self,
        at: At,
        table: &ObjectName,
        name: Option<&str>,
        kind: ConstraintKind,
    ) {
        let Some(before) = self.known.table(table).cloned() else { return };
        let mut after = before.clone();
        after.constraints.retain(|each| {
            each.rule.kind() != kind || (kind != ConstraintKind::Primary && each.name.as_deref() != name)
        });
        self.check_unreferred(at, &before, &after);
        if kind == ConstraintKind::Unique {
            self.check_needed(at, &before, &after);
        }
    }

    pub(super) fn check_dropped_index(&mut self, at: At, table: &ObjectName, name: &str) {
        let Some(before) = self.known.table(table).cloned() else { return };
        let mut after = before.clone();
        after.indexes.retain(|each| each.name.as_deref() != Some(name));
        self.check_unreferred(at, &before, &after);
        self.check_needed(at, &before, &after);
    }

    /// InnoDB keeps an index that begins with the columns of a foreign key.
    pub(super) fn check_needed(&mut self, at: At, before: &Table, after: &Table) {
        if self.provider() != Provider::MySql {
            return;
        }
        let needed = before.constraints.iter().find(|each| match &each.rule {
            Rule::Foreign(key) => serves(before, &key.columns) && !serves(after, &key.columns),
            _ => false,
        });
        if let Some(constraint) = needed {
            let name = constraint.name.as_deref().unwrap_or_default();
            let message = format!("the foreign key {name} needs it, for nothing else there begins with its columns");
            self.unable(at, message, "drop the key first, or make another index that begins with its columns");
        }
    }
}

/// Whether an index or key of the table begins with these columns.
fn serves(table: &Table, columns: &[String]) -> bool {
    let begins =
        |names: &mut dyn Iterator<Item = Option<&String>>| columns.iter().all(|each| names.next() == Some(Some(each)));
    let by_key = table.constraints.iter().any(|each| match &each.rule {
        Rule::Primary(names) | Rule::Unique(names) => begins(&mut names.iter().map(Some)),
        _ => false,
    });
    by_key
        || table.indexes.iter().any(|index| {
            begins(&mut index.parts.iter().map(|part| match &part.what {
                IndexWhat::Column(name) => Some(name),
                IndexWhat::Expression(_) => None,
            }))
        })
}

//! What a foreign key needs of the columns on both its sides.

use super::super::super::conversion::can_refer;
use super::super::super::known::says;
use super::super::super::model::{Action, Column, Constraint, ForeignKey, IndexWhat, Rule, Table};
use super::super::super::yaml::At;
use super::super::Generator;
use crate::domain::Provider;

/// Whether the action writes the columns of the key.
fn writes(action: Option<Action>, goes_with_the_row: bool) -> bool {
    match action {
        Some(Action::SetNull | Action::SetDefault) => true,
        Some(Action::Cascade) => goes_with_the_row,
        _ => false,
    }
}

impl Generator<'_, '_> {
    pub(super) fn check_foreign(&mut self, table: &Table, constraint: &Constraint, key: &ForeignKey) {
        self.check_actions(table, constraint, key);
        self.check_written(constraint.at, table, key);
        let parent = if key.table == table.name { Some(table.clone()) } else { self.known.table(&key.table).cloned() };
        if let Some(parent) = parent {
            self.check_referred(constraint.at, table, &parent, key);
        }
    }

    /// The columns that are referred to have to be there, be a key, and be of the types of those that refer.
    fn check_referred(&mut self, at: At, table: &Table, parent: &Table, key: &ForeignKey) {
        let are_there = key.target.iter().map(|name| self.has_column(at, parent, name)).filter(|is_there| !is_there);
        if are_there.count() > 0 {
            return;
        }
        if !is_key(self.provider(), parent, &key.target) {
            let columns = key.target.join(", ");
            let message = format!("{}({columns}) is neither a primary key nor unique", parent.name);
            let hint = "a foreign key refers to such columns, in their order: add add_unique for them before, or refer to others";
            self.unable(at, message, hint);
        }
        let find = |of: &Table, name: &String| of.columns.iter().find(|each| each.name == *name).cloned();
        let provider = self.provider();
        for (from, to) in key.columns.iter().zip(&key.target) {
            let (Some(from), Some(to)) = (find(table, from), find(parent, to)) else { continue };
            let is_own = |column: &Column| column.native.contains_key(&provider);
            if !is_own(&from) && !is_own(&to) && !can_refer(provider, &from.kind, &to.kind) {
                let (one, other) = (from.kind.sql(provider), to.kind.sql(provider));
                let message = format!(
                    "'{}' is {one} and can't refer to '{}' of {}, which is {other}",
                    from.name, to.name, parent.name
                );
                self.unable(at, message, "give both the same type");
            }
        }
    }

    /// What an action would write has to be a column that can be written, and on MySQL one that nothing is computed from.
    fn check_written(&mut self, at: At, table: &Table, key: &ForeignKey) {
        let is_written = writes(key.on_delete, false) || writes(key.on_update, true);
        let is_mysql = self.provider() == Provider::MySql;
        for column in table.columns.iter().filter(|each| key.columns.contains(&each.name)) {
            let name = &column.name;
            let is_virtual = column.generated.as_ref().is_some_and(|generated| !generated.is_stored);
            if is_virtual && matches!(self.provider(), Provider::MySql | Provider::SqlServer) {
                let message = format!("the generated column '{name}' is not stored, so no foreign key can be over it");
                self.unable(at, message, "add 'stored: true' to it");
            } else if column.generated.is_some() && is_written {
                let message = format!("'{name}' is a generated column, which the key's action can't change");
                self.unable(at, message, "choose no_action, restrict, or on_delete: cascade");
            }
            let feeds = |other: &&Column| {
                let generated = other.generated.as_ref().filter(|generated| generated.is_stored);
                generated.is_some_and(|generated| says(&generated.expression, Some(Provider::MySql), name))
            };
            let has_action = is_written || key.on_delete == Some(Action::Cascade);
            if let Some(other) = table.columns.iter().find(feeds).filter(|_| is_mysql && has_action) {
                let message = format!(
                    "the stored generated column '{}' is computed from '{name}', which a key's action may then not change",
                    other.name
                );
                self.unable(at, message, "leave the action out, or 'stored: true'");
            }
            let about = |other: &&Constraint| matches!(&other.rule, Rule::Check { expression, .. } if says(expression, Some(Provider::MySql), name));
            if let Some(check) = table.constraints.iter().find(about).filter(|_| is_mysql && is_written) {
                let check = check.name.as_deref().unwrap_or_default();
                let message = format!("the check {check} is about '{name}', which a key's action may then not change");
                self.unable(at, message, "choose on_delete: cascade or restrict, or leave the check out");
            }
        }
    }

    /// What a new check or generated column means for the keys that are there.
    pub(super) fn check_keys_of(&mut self, at: At, table: &Table) {
        if self.provider() != Provider::MySql {
            return;
        }
        for constraint in &table.constraints {
            if let Rule::Foreign(key) = &constraint.rule {
                self.check_written(at, table, key);
            }
        }
    }
}

/// Whether a server takes these columns for what rows are told apart by.
pub(super) fn is_key(provider: Provider, table: &Table, columns: &[String]) -> bool {
    let is_it = |names: &[&str]| match provider {
        // InnoDB looks for an index that begins with them, in this order.
        Provider::MySql => names.iter().eq(columns.iter()),
        _ => names.len() == columns.len() && columns.iter().all(|each| names.contains(&each.as_str())),
    };
    let mut constraints = table.constraints.iter().filter_map(|each| match &each.rule {
        Rule::Primary(names) | Rule::Unique(names) => Some(names.iter().map(String::as_str).collect::<Vec<_>>()),
        _ => None,
    });
    let mut indexes = table.indexes.iter().filter(|each| each.is_unique && each.filter.is_none()).filter_map(|each| {
        each.parts
            .iter()
            .map(|part| match &part.what {
                IndexWhat::Column(name) => Some(name.as_str()),
                IndexWhat::Expression(_) => None,
            })
            .collect::<Option<Vec<_>>>()
    });
    constraints.any(|names| is_it(&names)) || indexes.any(|names| is_it(&names))
}

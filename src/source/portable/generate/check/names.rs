//! Names that are taken.

use super::super::super::known::Named;
use super::super::super::model::{Constraint, ConstraintKind, Table};
use super::super::super::yaml::At;
use super::super::Generator;
use crate::domain::{ObjectName, Provider};

/// Whether two things of these kinds, on different tables, can't have the same name. `None` is an index.
fn share(provider: Provider, kind: Option<ConstraintKind>) -> bool {
    use ConstraintKind::{Check, Foreign, Primary, Unique};
    match provider {
        Provider::Sqlite => kind.is_none(),
        // A key has an index of its own name.
        Provider::Postgres => matches!(kind, None | Some(Primary | Unique)),
        // MariaDB's checks have names by table, but those of MySQL don't.
        Provider::MySql => matches!(kind, Some(Foreign | Check)),
        Provider::SqlServer => kind.is_some(),
    }
}

impl Generator<'_, '_> {
    pub(super) fn check_table_name(&mut self, at: At, name: &ObjectName, itself: Option<&ObjectName>) {
        let folds = self.is_folding();
        let found = self.known.folded(&name.name);
        let is_same = |other: &&&Table| {
            Some(&other.name) != itself && other.name.schema == name.schema && (other.name.name == name.name || folds)
        };
        let taken = found.iter().find(is_same).map(|other| other.name.clone());
        if let Some(other) = taken {
            let message = if other == *name {
                format!("there is a table {name} already")
            } else {
                format!("the tables {other} and {name} have the same name where case does not count")
            };
            self.unable(at, message, "choose another name");
        }
    }

    pub(super) fn check_rule_name(&mut self, table: &Table, constraint: &Constraint) {
        self.check_name(constraint.at, &table.name, constraint.name.as_deref(), Some(constraint.rule.kind()));
    }

    /// Says that another index or constraint has the name.
    pub(super) fn check_name(&mut self, at: At, table: &ObjectName, name: Option<&str>, kind: Option<ConstraintKind>) {
        let (Some(name), provider) = (name, self.provider()) else { return };
        let taken = self.known.named(name).into_iter().find(|found| match found {
            Named { table: other, .. } if other == table => true,
            Named { table: other, kind: other_kind } => {
                other.schema == table.schema && share(provider, kind) && share(provider, *other_kind)
            }
        });
        if let Some(Named { table: other, .. }) = taken {
            let message = format!("the name '{name}' is taken by something of the table {other}");
            self.unable(at, message, "choose another name");
        }
    }
}

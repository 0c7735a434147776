//! What follows when rows that others refer to are deleted or changed.

use std::collections::{HashMap, HashSet};

use super::super::super::model::{Action, Constraint, ForeignKey, Rule, Table};
use super::super::super::yaml::At;
use super::super::Generator;
use crate::domain::{ObjectName, Provider};

type Event = fn(&ForeignKey) -> Option<Action>;
const EVENTS: [Event; 2] = [|key| key.on_delete, |key| key.on_update];

fn goes_on(action: Option<Action>) -> bool {
    matches!(action, Some(Action::Cascade | Action::SetNull | Action::SetDefault))
}

impl Generator<'_, '_> {
    pub(super) fn check_actions(&mut self, table: &Table, constraint: &Constraint, key: &ForeignKey) {
        let at = constraint.at;
        if [key.on_delete, key.on_update].contains(&Some(Action::SetNull)) {
            let full = table.columns.iter().find(|each| key.columns.contains(&each.name) && !each.is_nullable);
            if let Some(column) = full {
                let message = format!("set_null can't be: the column '{}' takes no NULL", column.name);
                self.unable(at, message, "add 'nullable: true' to it, or choose another action");
            }
        }
        if self.provider() == Provider::SqlServer {
            for event in EVENTS.into_iter().filter(|event| goes_on(event(key))) {
                self.check_paths(at, table, key, event);
            }
        }
    }

    /// SQL Server lets no table be reached twice by what one deletion or change sets off.
    fn check_paths(&mut self, at: At, table: &Table, key: &ForeignKey, event: Event) {
        let going_on =
            table.constraints.iter().filter(|each| matches!(&each.rule, Rule::Foreign(other) if goes_on(event(other))));
        // The usual case: nothing refers to a new table, so one way leads there.
        if self.known.table(&table.name).is_none() && key.table != table.name && going_on.count() == 1 {
            return;
        }
        let mut children: HashMap<ObjectName, Vec<ObjectName>> = HashMap::new();
        let mut parents: HashMap<ObjectName, Vec<ObjectName>> = HashMap::new();
        let mut add = |child: &ObjectName, parent: &ObjectName| {
            children.entry(parent.clone()).or_default().push(child.clone());
            parents.entry(child.clone()).or_default().push(parent.clone());
        };
        let known = self.known.tables();
        let others = known.into_iter().filter(|each| each.name != table.name);
        for each in others.chain([table]) {
            for constraint in &each.constraints {
                if let Rule::Foreign(other) = &constraint.rule
                    && goes_on(event(other))
                {
                    add(&each.name, &other.table);
                }
            }
        }
        let is_there =
            table.constraints.iter().any(|each| matches!(&each.rule, Rule::Foreign(other) if std::ptr::eq(other, key)));
        if !is_there {
            add(&table.name, &key.table);
        }
        let roots = reached(&parents, &key.table).0;
        let twice = roots.iter().chain([&key.table]).any(|root| reached(&children, root).1);
        if twice {
            let message = format!("by {}, what is set off would reach a table twice or go in circles", key.table);
            self.unable(at, message, "leave the action out, or write no_action, and do it in the program or a trigger");
        }
    }
}

/// Everything that is reached from here, and whether something is on two ways, the beginning included.
fn reached(next: &HashMap<ObjectName, Vec<ObjectName>>, from: &ObjectName) -> (HashSet<ObjectName>, bool) {
    let (mut seen, mut twice) = (HashSet::from([from.clone()]), false);
    let mut open = vec![from.clone()];
    while let Some(one) = open.pop() {
        for other in next.get(&one).into_iter().flatten() {
            if seen.insert(other.clone()) {
                open.push(other.clone());
            } else {
                twice = true;
            }
        }
    }
    (seen, twice)
}

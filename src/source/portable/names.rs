//! Names that are not written, and names that are too long.

use std::collections::HashSet;

use super::dialect::Dialect;
use super::model::{Constraint, Document, Index, IndexWhat, Operation, Rule, What};
use crate::domain::{ObjectName, StatementDigest};

/// Gives every constraint and index the name that follows from its table and columns, unless it has one.
pub(super) fn complete(document: &mut Document) {
    for operation in document.up.iter_mut().chain(document.down.iter_mut().flatten()) {
        complete_operation(operation);
    }
}

fn complete_operation(operation: &mut Operation) {
    match &mut operation.what {
        What::CreateTable(table) => {
            let mut taken = HashSet::new();
            name_all(&table.name, &mut table.constraints, &mut taken);
            for index in &mut table.indexes {
                name_index(&table.name, index, &mut taken);
            }
        }
        What::AddColumn { table, constraints, .. } => name_all(table, constraints, &mut HashSet::new()),
        What::CreateIndex { table, index } => name_index(table, index, &mut HashSet::new()),
        What::AddConstraint { table, constraint } => name_constraint(table, constraint, &mut HashSet::new()),
        What::DropConstraint { table, name, .. } => {
            name.get_or_insert_with(|| format!("PK_{}", table.name));
        }
        _ => {}
    }
}

fn name_all(table: &ObjectName, constraints: &mut [Constraint], taken: &mut HashSet<String>) {
    taken.extend(constraints.iter().filter_map(|each| each.name.clone()));
    for constraint in constraints {
        name_constraint(table, constraint, taken);
    }
}

fn name_constraint(table: &ObjectName, constraint: &mut Constraint, taken: &mut HashSet<String>) {
    let table = &table.name;
    constraint.name.get_or_insert_with(|| {
        let wanted = match &constraint.rule {
            Rule::Primary(_) => format!("PK_{table}"),
            Rule::Unique(columns) => format!("UQ_{table}_{}", columns.join("_")),
            Rule::Foreign(key) => format!("FK_{table}_{}", key.columns.join("_")),
            Rule::Check { column: Some(column), .. } => format!("CK_{table}_{column}"),
            Rule::Check { column: None, .. } => format!("CK_{table}"),
        };
        free(wanted, taken)
    });
}

fn name_index(table: &ObjectName, index: &mut Index, taken: &mut HashSet<String>) {
    let columns = index.parts.iter().filter_map(|part| match &part.what {
        IndexWhat::Column(name) => Some(name.as_str()),
        IndexWhat::Expression(_) => None,
    });
    let columns = columns.collect::<Vec<_>>().join("_");
    let prefix = if index.is_unique { "UX" } else { "IX" };
    index.name.get_or_insert_with(|| free(format!("{prefix}_{}_{columns}", table.name), taken));
}

/// The name, or the name with the first free number from 2.
fn free(wanted: String, taken: &mut HashSet<String>) -> String {
    let mut name = wanted.clone();
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{wanted}_{number}");
        number += 1;
    }
    name
}

impl Dialect {
    /// How long a name is as the server counts.
    pub(super) fn length(&self, name: &str) -> usize {
        if self.counts_bytes { name.len() } else { name.chars().count() }
    }

    /// A name that fits: a longer one is cut, and ends in a digest of the whole so that it stays unique.
    pub(super) fn bounded(&self, name: &str) -> String {
        if self.length(name) <= self.longest_name {
            return name.to_owned();
        }
        let digest = StatementDigest::of(name);
        let end = format!("_{}", digest.as_str().get(..8).unwrap_or_default());
        let mut cut = String::new();
        for ch in name.chars() {
            let size = if self.counts_bytes { ch.len_utf8() } else { 1 };
            if self.length(&cut) + size + end.len() > self.longest_name {
                break;
            }
            cut.push(ch);
        }
        cut + &end
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialect::of;
    use crate::domain::Provider;

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        for provider in Provider::ALL {
            let dialect = of(provider);
            let (one, two) = (format!("IX_{}a", "ż".repeat(200)), format!("IX_{}b", "ż".repeat(200)));
            let (one, two) = (dialect.bounded(&one), dialect.bounded(&two));
            assert_ne!(one, two);
            assert!(dialect.length(&one) <= dialect.longest_name && dialect.length(&one) + 2 > dialect.longest_name);
            assert_eq!(dialect.bounded("IX_a"), "IX_a");
        }
    }
}

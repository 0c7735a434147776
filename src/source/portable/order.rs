//! The order in which tables have to be made so that foreign keys find what they refer to.

use std::collections::{BTreeMap, HashSet};

use super::model::{Constraint, Operation, Rule, What};
use crate::domain::{ObjectName, Provider};

/// Puts tables that are made next to each other in an order in which references resolve, and adds the keys of cycles
/// afterwards. SQLite resolves names only when rows are written, so nothing moves there.
pub(super) fn resolve(provider: Provider, operations: &[Operation]) -> Vec<Operation> {
    let operations: Vec<Operation> = operations.iter().filter(|each| each.only.is_for(provider)).cloned().collect();
    if provider == Provider::Sqlite {
        return operations;
    }
    let mut unmade: HashSet<ObjectName> = operations.iter().filter_map(made).cloned().collect();
    let mut late = Late::default();
    let mut out = Vec::with_capacity(operations.len());
    let mut run: Vec<Operation> = Vec::new();
    for operation in operations {
        if made(&operation).is_some() {
            run.push(operation);
        } else {
            flush(&mut run, &mut unmade, &mut late, &mut out);
            out.push(operation);
        }
    }
    flush(&mut run, &mut unmade, &mut late, &mut out);
    out
}

fn made(operation: &Operation) -> Option<&ObjectName> {
    match &operation.what {
        What::CreateTable(table) => Some(&table.name),
        _ => None,
    }
}

/// Keys that wait for the table they refer to.
#[derive(Default)]
struct Late(BTreeMap<ObjectName, Vec<Operation>>);

fn flush(run: &mut Vec<Operation>, unmade: &mut HashSet<ObjectName>, late: &mut Late, out: &mut Vec<Operation>) {
    while !run.is_empty() {
        let is_ready = |operation: &Operation| targets(operation).all(|target| !unmade.contains(target));
        let next = run.iter().position(is_ready).unwrap_or_default();
        let mut operation = run.remove(next);
        defer(&mut operation, unmade, late);
        let table = made(&operation).cloned();
        out.push(operation);
        if let Some(table) = table {
            unmade.remove(&table);
            out.extend(late.0.remove(&table).unwrap_or_default());
        }
    }
}

/// The other tables that a table refers to.
fn targets(operation: &Operation) -> impl Iterator<Item = &ObjectName> {
    let table = match &operation.what {
        What::CreateTable(table) => Some(table),
        _ => None,
    };
    table.into_iter().flat_map(|table| {
        table.constraints.iter().filter_map(|each| match &each.rule {
            Rule::Foreign(key) if key.table != table.name => Some(&key.table),
            _ => None,
        })
    })
}

/// Takes out the keys whose tables are still to be made.
fn defer(operation: &mut Operation, unmade: &HashSet<ObjectName>, late: &mut Late) {
    let template = operation.clone();
    let What::CreateTable(table) = &mut operation.what else { return };
    let name = table.name.clone();
    let waits = |constraint: &Constraint| matches!(&constraint.rule, Rule::Foreign(key) if key.table != name && unmade.contains(&key.table));
    let (waiting, staying): (Vec<_>, Vec<_>) = std::mem::take(&mut table.constraints).into_iter().partition(waits);
    table.constraints = staying;
    for constraint in waiting {
        let Rule::Foreign(key) = &constraint.rule else { continue };
        let target = key.table.clone();
        let only = constraint.only.clone();
        let what = What::AddConstraint { table: name.clone(), constraint };
        late.0.entry(target).or_default().push(Operation { what, only, is_online: false, ..template.clone() });
    }
}

//! What undoes an operation.

use super::model::{Constraint, ConstraintKind, Operation, What};
use crate::domain::{Irreversible, ObjectName, Provider};

/// The operations that undo these, last first; the error names the first that cannot be undone.
pub(super) fn invert(provider: Provider, operations: &[Operation]) -> Result<Vec<Operation>, Irreversible> {
    let mut undone = Vec::new();
    for operation in operations.iter().rev() {
        match undo(operation) {
            Some(what) => {
                undone.extend(what.into_iter().map(|(word, what)| Operation { word, what, ..operation.clone() }))
            }
            // Without a statement for this provider there is nothing to undo.
            None if matches!(&operation.what, What::Sql(raw) if raw.of(provider).is_none()) => {}
            None => {
                let hint = match operation.what {
                    What::AlterColumn { .. } => "say what the column was like under 'was', or write 'down:'",
                    _ => "write 'down:'",
                };
                let reason = format!("{} can't be undone by itself; {hint}", operation.word);
                return Err(Irreversible { line: operation.at.0, reason });
            }
        }
    }
    Ok(undone)
}

fn undo(operation: &Operation) -> Option<Vec<(&'static str, What)>> {
    let one = |word, what| Some(vec![(word, what)]);
    match &operation.what {
        What::CreateTable(table) => one("drop_table", What::DropTable { table: table.name.clone() }),
        What::RenameTable { table, to } => {
            let now = ObjectName { schema: table.schema.clone(), name: to.clone() };
            one("rename_table", What::RenameTable { table: now, to: table.name.clone() })
        }
        What::AddColumn { table, column, constraints } => {
            // They stand in the way of the column.
            let mut undone: Vec<_> = constraints.iter().rev().map(|each| drop_constraint(table, each)).collect();
            let is_plain = constraints.is_empty();
            undone.push((
                "drop_column",
                What::DropColumn { table: table.clone(), column: column.name.clone(), is_plain },
            ));
            Some(undone)
        }
        What::RenameColumn { table, column, to } => {
            one("rename_column", What::RenameColumn { table: table.clone(), column: to.clone(), to: column.clone() })
        }
        What::AlterColumn { table, column, to, was } => {
            let was = was.clone()?;
            // Everything that was changed has to be known as it was.
            let knows = (to.kind.is_none() || was.kind.is_some())
                && (to.is_nullable.is_none() || was.is_nullable.is_some())
                && (to.default.is_none() || was.default.is_some())
                && (to.comment.is_none() || was.comment.is_some());
            let what =
                What::AlterColumn { table: table.clone(), column: column.clone(), to: was, was: Some(to.clone()) };
            if knows { one("alter_column", what) } else { None }
        }
        What::CreateIndex { table, index } => {
            one("drop_index", What::DropIndex { table: table.clone(), name: index.name.clone()? })
        }
        What::RenameIndex { table, name, to } => {
            one("rename_index", What::RenameIndex { table: table.clone(), name: to.clone(), to: name.clone() })
        }
        What::AddConstraint { table, constraint } => Some(vec![drop_constraint(table, constraint)]),
        What::CreateView { view, replaces: false, .. } => one("drop_view", What::DropView { view: view.clone() }),
        _ => None,
    }
}

fn drop_constraint(table: &ObjectName, constraint: &Constraint) -> (&'static str, What) {
    let kind = constraint.rule.kind();
    let word = match kind {
        ConstraintKind::Primary => "drop_primary_key",
        ConstraintKind::Unique => "drop_unique",
        ConstraintKind::Check => "drop_check",
        ConstraintKind::Foreign => "drop_foreign_key",
    };
    (word, What::DropConstraint { table: table.clone(), name: constraint.name.clone(), kind })
}

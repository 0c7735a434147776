//! What somebody should know before a statement runs.

use super::super::dialect::{Altering, Dialect};
use super::super::model::ConstraintKind;
use crate::domain::{ObjectName, Risk, TableEdit};

pub(super) fn destroys(what: String) -> Risk {
    Risk { destroys: Some(what), blocks: None }
}

pub(super) fn blocks(what: String) -> Risk {
    Risk { destroys: None, blocks: Some(what) }
}

pub(super) fn drop_column(table: &ObjectName, column: &str) -> Risk {
    destroys(format!("the column {column} of {table} and what it holds"))
}

/// Of an index that is built while the table is in use.
pub(super) fn index(dialect: &Dialect, table: &ObjectName, is_fresh: bool, is_online: bool) -> Risk {
    let has_online = dialect.indexes.online.word.len() + dialect.indexes.online.end.len() > 0;
    if is_fresh || !dialect.indexes.blocks_writers || (is_online && has_online) {
        return Risk::default();
    }
    blocks(format!("writes to {table} wait until the index is built"))
}

/// Of a constraint that every row is checked for.
pub(super) fn constraint(
    dialect: &Dialect,
    table: &ObjectName,
    kind: ConstraintKind,
    is_fresh: bool,
    later: bool,
) -> Risk {
    if is_fresh || later {
        return Risk::default();
    }
    match (dialect.altering, kind) {
        (Altering::Rebuild, _) => Risk::default(),
        (_, ConstraintKind::Primary | ConstraintKind::Unique) => {
            blocks(format!("writes to {table} wait until its index is built"))
        }
        _ => blocks(format!("writes to {table} wait until every row is checked")),
    }
}

/// Of a change of type, for which the table is written anew or read through.
pub(super) fn retype(table: &ObjectName, is_fresh: bool) -> Risk {
    if is_fresh {
        return Risk::default();
    }
    blocks(format!("reads and writes of {table} may wait until the table is written anew"))
}

pub(super) fn scan(table: &ObjectName, is_fresh: bool) -> Risk {
    if is_fresh {
        Risk::default()
    } else {
        blocks(format!("reads and writes of {table} wait until every row is checked"))
    }
}

pub(super) fn rebuild(edit: &TableEdit, table: &ObjectName, is_fresh: bool) -> Risk {
    let destroys = match edit {
        TableEdit::DropColumn { name } => drop_column(table, name).destroys,
        _ => None,
    };
    let blocks = (!is_fresh).then(|| format!("writes to the database wait until {table} is built anew"));
    Risk { destroys, blocks }
}

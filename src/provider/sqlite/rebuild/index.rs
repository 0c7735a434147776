use super::problem::Problem;
use super::schema::Schema;
use super::splice::replace;
use super::token::{literal, quote, same, tokens};

/// An index of the table that has a text, and what it will be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Index {
    /// Its name now.
    pub(super) was: String,
    pub(super) name: String,
    /// The text under its new name.
    pub(super) sql: String,
}

impl Index {
    pub(super) fn is_renamed(&self) -> bool {
        self.was != self.name
    }
}

/// The table's indexes as they are.
pub(super) fn of_table(schema: &Schema, table: &str) -> Vec<Index> {
    let indexes = schema.of("index", table);
    indexes
        .map(|(index, sql)| Index { was: index.name.clone(), name: index.name.clone(), sql: sql.to_owned() })
        .collect()
}

/// Gives one of a table's indexes another name.
pub(super) fn rename(schema: &Schema, indexes: &mut [Index], name: &str, to: &str) -> Result<(), Problem> {
    let Some(at) = indexes.iter().position(|index| same(&index.name, name)) else {
        let is_automatic = schema.find(name).is_some_and(|object| object.kind == "index" && object.sql.is_none());
        let (text, hint) = match is_automatic {
            true => ("belongs to a constraint", "SQLite names it itself; rename nothing"),
            false => ("is none of its indexes", "correct the name, or name the table that it is on"),
        };
        return Err(Problem::new(format!("'{name}' {text}")).hint(hint));
    };
    // A name that is about to be given up is free.
    let given_up = |other: &str| indexes.iter().any(|index| same(&index.was, other) && !same(&index.name, other));
    let taken = indexes.iter().enumerate().any(|(other, index)| other != at && same(&index.name, to))
        || schema.find(to).is_some_and(|object| !given_up(&object.name) && !same(to, name));
    if taken {
        return Err(Problem::new(format!("the name '{to}' is taken")).hint("choose another name"));
    }
    let Some(index) = indexes.get_mut(at) else { return Ok(()) };
    to.clone_into(&mut index.name);
    index.sql = renamed(&index.sql, to)?;
    Ok(())
}

/// An index's text with another name. SQLite stores `CREATE INDEX` or `CREATE UNIQUE INDEX` with the bare name behind it.
fn renamed(sql: &str, to: &str) -> Result<String, Problem> {
    let tokens = tokens(sql);
    let word = tokens.iter().take(3).position(|token| token.is(sql, "INDEX"));
    match word.and_then(|at| tokens.get(at + 1)) {
        Some(name) if name.name(sql).is_some() => Ok(replace(sql, name.start..name.end, &quote(to))),
        _ => Err(Problem::new("an index's definition can't be read").hint("drop it and create it under the new name")),
    }
}

/// Statements that make renamed indexes from what there is, without touching the table.
pub(super) fn make_anew(schema: &Schema, table: &str, indexes: &[Index]) -> Vec<String> {
    let renamed: Vec<&Index> = indexes.iter().filter(|index| index.is_renamed()).collect();
    // Dropping an index forgets the statistics of its name.
    let kept: Vec<&Index> =
        renamed.iter().copied().filter(|index| !renamed.iter().any(|other| same(&other.was, &index.name))).collect();
    let mut sql = keep_statistics(schema, table, &kept);
    sql.extend(renamed.iter().map(|index| format!("DROP INDEX main.{}", quote(&index.was))));
    sql.extend(renamed.iter().map(|index| index.sql.clone()));
    sql
}

/// Statements that give the statistics of indexes to their new names.
pub(super) fn keep_statistics(schema: &Schema, table: &str, indexes: &[&Index]) -> Vec<String> {
    let renamed: Vec<&&Index> = indexes.iter().filter(|index| index.is_renamed()).collect();
    if renamed.is_empty() {
        return Vec::new();
    }
    let cases = renamed.iter().map(|index| format!(" WHEN {} THEN {}", literal(&index.was), literal(&index.name)));
    let cases: String = cases.collect();
    let names: Vec<String> = renamed.iter().map(|index| literal(&index.was)).collect();
    let (table, names) = (literal(table), names.join(", "));
    let update = |name| {
        format!(
            "UPDATE main.{name} SET idx = CASE idx{cases} END WHERE tbl = {table} COLLATE NOCASE AND idx IN ({names})"
        )
    };
    schema.statistics().map(update).collect()
}

use super::definition::{ConstraintKind, Definition};
use super::edit;
use super::index::{self, Index};
use super::parse::parse;
use super::problem::Problem;
use super::schema::Schema;
use super::splice::replace;
use super::token::{literal, quote, same};
use super::uses;
use crate::domain::{TableEdit, TableRebuild};

/// What a rebuild comes to in one database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::provider) struct Steps {
    /// The table's name as the database has it.
    pub(in crate::provider) table: String,
    /// The statements, in order.
    pub(in crate::provider) sql: Vec<String>,
    /// Which of them copies the rows, if they move.
    pub(in crate::provider) copy: Option<usize>,
    /// Where the rows are while they are copied, and where they go.
    pub(in crate::provider) from: String,
    pub(in crate::provider) to: String,
    /// The expression that is the row id on both sides, if there is one and it is kept.
    pub(in crate::provider) rowid: Option<String>,
    /// Columns of the table that must not hold NULL any more, and why.
    pub(in crate::provider) filled: Vec<(String, &'static str)>,
    /// The tables whose foreign keys the rebuild can break.
    pub(in crate::provider) related: Vec<String>,
}

/// Works out the rebuild: <https://sqlite.org/lang_altertable.html#otheralter>, with the old table renamed instead of the
/// new one, so that the new definition is stored to the letter. `own` are the names of Branchkeeper's own tables.
pub(in crate::provider) fn steps(schema: &Schema, rebuild: &TableRebuild, own: &[&str]) -> Result<Steps, Problem> {
    let name = &rebuild.table.name;
    match rebuild.dropped_with() {
        Some(with) => dropped(schema, name, with, own).map_err(|problem| problem.of_dropped(name)),
        None => plan(schema, rebuild, own).map_err(|problem| problem.of(name)),
    }
}

/// Keys are off while tables change, so SQLite itself would leave rows that refer to nothing.
fn dropped(schema: &Schema, name: &str, with: &[String], own: &[&str]) -> Result<Steps, Problem> {
    if own.iter().any(|other| same(other, name)) {
        return Err(Problem::new("it is Branchkeeper's own").hint("leave this table to Branchkeeper"));
    }
    let stays = |child: &String| !same(child, name) && !with.iter().any(|other| same(other, child));
    let children: Vec<String> =
        uses::children(schema, name).into_iter().filter(stays).map(|child| format!("'{child}'")).collect();
    if !children.is_empty() {
        let verb = if children.len() == 1 { "refers" } else { "refer" };
        let problem = Problem::new(format!("{} {verb} to it", children.join(", ")));
        return Err(problem.hint("drop what refers to it, or its key with drop_foreign_key, before"));
    }
    let sql = vec![format!("DROP TABLE {}", quote(name))];
    Ok(Steps { table: name.to_owned(), sql, ..Steps::default() })
}

fn plan(schema: &Schema, rebuild: &TableRebuild, own: &[&str]) -> Result<Steps, Problem> {
    let (table, old) = rebuildable(schema, rebuild, own)?;
    let mut indexes = index::of_table(schema, table);
    for edit in &rebuild.edits {
        if let TableEdit::RenameIndex { name, to } = edit {
            index::rename(schema, &mut indexes, name, to)?;
        }
    }
    if rebuild.is_of_indexes() {
        let sql = index::make_anew(schema, table, &indexes);
        return Ok(Steps { table: table.to_owned(), sql, ..Steps::default() });
    }
    let before = parse(old)?;
    let mut text = old.to_owned();
    let mut filled = Vec::new();
    for edit in &rebuild.edits {
        match edit {
            TableEdit::DropColumn { name } => uses::check(schema, table, name)?,
            TableEdit::SetNullable { column, nullable: false } => filled.push((column, "forbids NULL")),
            TableEdit::AddPrimaryKey { columns, .. } => {
                filled.extend(columns.iter().map(|column| (column, "becomes part of the primary key")));
            }
            _ => {}
        }
        text = edit::apply(&text, edit)?;
    }
    let after = parse(&text)?;
    let key = after.primary_key().map(|(_, _, columns)| columns).unwrap_or_default();
    let stored = |name: &str| {
        let column = after.column(name)?;
        let not_null = column.constraints.iter().any(|each| each.kind == ConstraintKind::NotNull);
        let needed = not_null || key.iter().any(|each| same(each, name));
        before.column(name).filter(|_| needed).map(|column| column.name.clone())
    };
    let filled = filled.into_iter().filter_map(|(column, why)| Some((stored(column)?, why))).collect();

    let body = before.name.end;
    let own_name = uses::says_own_name(old, body, table)
        || uses::says_own_name(&text, after.name.end, table)
        || indexes.iter().any(|index| uses::index_says_own_name(&index.sql, table));
    let work = Work { schema, table, before: &before, after: &after, old, text: &text };
    let mut sql = Vec::new();
    let copying = if own_name { work.new_first(&mut sql) } else { work.old_first(&mut sql) };
    sql.extend(indexes.iter().map(|index| index.sql.clone()));
    sql.extend(schema.of("trigger", table).map(|(_, sql)| sql.to_owned()));
    sql.extend(index::keep_statistics(schema, table, &indexes.iter().collect::<Vec<_>>()));
    sql.extend(work.forget_statistics(&rebuild.edits, &indexes));
    if !schema.legacy {
        sql.push("PRAGMA legacy_alter_table = OFF".into());
    }
    let mut related = uses::children(schema, table);
    let refers = after.foreign_keys().next().is_some() || before.foreign_keys().next().is_some();
    if refers && !related.iter().any(|other| same(other, table)) {
        related.push(table.to_owned());
    }
    let Copying { at: copy, from, to, rowid } = copying;
    Ok(Steps { table: table.to_owned(), sql, copy: Some(copy), from, to, rowid, filled, related })
}

/// The table's stored name and text, if it is one that can be rebuilt.
fn rebuildable<'a>(schema: &'a Schema, rebuild: &TableRebuild, own: &[&str]) -> Result<(&'a str, &'a str), Problem> {
    let name = &rebuild.table.name;
    if rebuild.table.schema.as_ref().is_some_and(|place| !same(place, "main")) {
        let hint = "name the table without a schema";
        return Err(Problem::new(format!("'{}' is not in the branch's own file", rebuild.table)).hint(hint));
    }
    if rebuild.edits.is_empty() {
        return Err(Problem::new("nothing is to be changed"));
    }
    let refuse = |what: &str, hint: &str| Err(Problem::new(what).hint(hint));
    if name.get(..7).is_some_and(|start| same(start, "sqlite_")) {
        return refuse("it is one of SQLite's own", "name a table of your own");
    }
    if own.iter().any(|other| same(other, name)) {
        return refuse("it is Branchkeeper's own", "leave this table to Branchkeeper");
    }
    if schema.temporary.iter().any(|other| same(other, name)) {
        return refuse("a temporary table or trigger uses its name", "drop the temporary one first");
    }
    let Some(object) = schema.find(name) else {
        return refuse("there is no such table", "make the table first, or correct its name");
    };
    if schema.shadows.iter().any(|other| same(other, name)) {
        return refuse("it holds the data of a virtual table", "change the virtual table instead");
    }
    let Some(sql) = object.sql.as_deref().filter(|_| object.kind == "table") else {
        return refuse(&format!("it is not a table but the name of a kind of {}", object.kind), "name a table");
    };
    let is_virtual = super::token::tokens(sql).get(1).is_some_and(|word| word.is(sql, "VIRTUAL"));
    if is_virtual {
        return refuse("it is a virtual table", "drop it and create it anew");
    }
    Ok((&object.name, sql))
}

struct Work<'a> {
    schema: &'a Schema,
    /// The table's stored name.
    table: &'a str,
    before: &'a Definition,
    after: &'a Definition,
    old: &'a str,
    text: &'a str,
}

struct Copying {
    at: usize,
    from: String,
    to: String,
    rowid: Option<String>,
}

impl Work<'_> {
    /// The old table makes room: the new one has its name, and its text, from the beginning.
    fn old_first(&self, sql: &mut Vec<String>) -> Copying {
        let side = self.schema.free_name(&format!("_old_{}", self.table));
        let (table, old) = (main(self.table), main(&side));
        sql.push("PRAGMA legacy_alter_table = ON".into());
        sql.push(format!("ALTER TABLE {table} RENAME TO {}", quote(&side)));
        sql.push(self.text.to_owned());
        let copying = self.copy(sql, old, table);
        if self.before.autoincrement() && self.after.autoincrement() {
            let (name, side) = (literal(self.table), literal(&side));
            sql.push(format!("DELETE FROM main.sqlite_sequence WHERE name = {name}"));
            sql.push(format!("UPDATE main.sqlite_sequence SET name = {name} WHERE name = {side}"));
        }
        sql.push(format!("DROP TABLE {}", copying.from));
        copying
    }

    /// The new table takes the name last. SQLite does not rename a table that says its own name in an expression, so the
    /// new one does not say it any more.
    fn new_first(&self, sql: &mut Vec<String>) -> Copying {
        let side = self.schema.free_name(&format!("_new_{}", self.table));
        let (table, new) = (main(self.table), main(&side));
        let name = self.after.name;
        let text = uses::without_own_name(self.text, name.end, self.table);
        sql.push("PRAGMA legacy_alter_table = ON".into());
        sql.push(replace(&text, name.start..name.end, &quote(&side)));
        let copying = self.copy(sql, table, new);
        if self.before.autoincrement() && self.after.autoincrement() {
            let (name, side) = (literal(self.table), literal(&side));
            sql.push(format!("DELETE FROM main.sqlite_sequence WHERE name = {side}"));
            sql.push(format!(
                "INSERT INTO main.sqlite_sequence (name, seq) SELECT {side}, seq FROM main.sqlite_sequence WHERE name = {name}"
            ));
        }
        sql.push(format!("DROP TABLE {}", copying.from));
        sql.push(format!("ALTER TABLE {} RENAME TO {}", copying.to, quote(self.table)));
        copying
    }

    fn copy(&self, sql: &mut Vec<String>, from: String, to: String) -> Copying {
        let kept = self.after.columns.iter().filter(|column| !column.generated());
        let mut pairs: Vec<(String, String)> = kept
            .filter_map(|column| {
                let old = self.before.column(&column.name)?;
                Some((quote(&column.name), quote(&old.name)))
            })
            .collect();
        let rowid = self.rowid();
        if let (Some(rowid), None) = (&rowid, self.after.rowid_alias(self.text)) {
            pairs.insert(0, (rowid.clone(), rowid.clone()));
        }
        let (into, values): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        // OR ABORT, because a constraint's own way of dealing with conflicts could drop rows without a word. NOT INDEXED,
        // because rows are fastest to write in the order in which they lie.
        let at = sql.len();
        sql.push(format!(
            "INSERT OR ABORT INTO {to} ({}) SELECT {} FROM {from} NOT INDEXED",
            into.join(", "),
            values.join(", ")
        ));
        Copying { at, from, to, rowid }
    }

    /// The name under which both tables know the row id, if both have one and it stays.
    fn rowid(&self) -> Option<String> {
        if self.before.without_rowid || self.after.without_rowid {
            return None;
        }
        let hidden = |name: &str| self.before.column(name).is_some() || self.after.column(name).is_some();
        let free = ["rowid", "_rowid_", "oid"].into_iter().find(|name| !hidden(name)).map(str::to_owned);
        match (self.before.rowid_alias(self.old), self.after.rowid_alias(self.text)) {
            (Some(old), Some(new)) => same(old, new).then(|| quote(old)),
            // The values of the new key become the row ids.
            (None, Some(_)) => None,
            (_, None) => free,
        }
    }

    /// Statistics of indexes that SQLite makes for keys are those of other indexes when the keys have changed.
    fn forget_statistics(&self, edits: &[TableEdit], indexes: &[Index]) -> Vec<String> {
        let same_keys = |edit: &TableEdit| {
            matches!(
                edit,
                TableEdit::SetType { .. }
                    | TableEdit::SetTypeCheck { .. }
                    | TableEdit::SetNullable { .. }
                    | TableEdit::SetDefault { .. }
                    | TableEdit::SetComment { .. }
                    | TableEdit::RenameIndex { .. }
            )
        };
        if edits.iter().all(same_keys) {
            return Vec::new();
        }
        let names: Vec<String> = indexes.iter().map(|index| literal(&index.name)).collect();
        let table = literal(self.table);
        self.schema
            .statistics()
            .map(|name| {
                let names = names.join(", ");
                format!("DELETE FROM main.{name} WHERE tbl = {table} COLLATE NOCASE AND idx NOT IN ({names})")
            })
            .collect()
    }
}

fn main(name: &str) -> String {
    format!("main.{}", quote(name))
}

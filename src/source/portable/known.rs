//! What the migrations before have said of the tables, for one provider. Statements in the servers' own words are not
//! understood: a table that they name is not known any more. So what is known here only ever makes a migration be refused
//! that has to say more, tells how a value is to be written, and leaves out what would change nothing.

use std::collections::{HashMap, HashSet};

use super::expression::names_in;
use super::model::{
    Column, Constraint, ConstraintKind, ForeignKey, IndexWhat, Operation, Rule, SqlText, Table, Traits, What,
};
use crate::domain::{ObjectName, Provider};

/// Something that has a name: on which table, and of what kind, where an index is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) table: ObjectName,
    pub(super) kind: Option<ConstraintKind>,
}

/// Tables by name, over those that were known before.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Known<'b> {
    base: Option<&'b Known<'b>>,
    /// `None`: gone, or not known any more.
    own: HashMap<ObjectName, Option<Table>>,
    /// Names by what they are in lower case and without schema.
    folded: HashMap<String, Vec<ObjectName>>,
    /// Names that are not one word.
    odd: Vec<ObjectName>,
    /// The tables that have, or had, an index or constraint of this name.
    parts: HashMap<String, Vec<ObjectName>>,
    /// The tables that have, or had, a foreign key to this one.
    referring: HashMap<ObjectName, Vec<ObjectName>>,
}

impl<'b> Known<'b> {
    /// The same, and what is learnt from now on; `base` stays as it is.
    pub(super) fn over(base: &'b Known<'b>) -> Self {
        Self { base: Some(base), ..Self::default() }
    }

    pub(super) fn table(&self, name: &ObjectName) -> Option<&Table> {
        match self.own.get(name) {
            Some(found) => found.as_ref(),
            None => self.base.and_then(|base| base.table(name)),
        }
    }

    pub(super) fn column(&self, table: &ObjectName, column: &str) -> Option<&Column> {
        self.table(table)?.columns.iter().find(|each| each.name == column)
    }

    /// The known tables whose names, without their schemas, are the same without regard to case.
    pub(super) fn folded(&self, name: &str) -> Vec<&Table> {
        let mut all = self.base.map(|base| base.folded(name)).unwrap_or_default();
        all.retain(|table| !self.own.contains_key(&table.name));
        let own = self.folded.get(&name.to_lowercase());
        all.extend(own.into_iter().flatten().filter_map(|name| self.own.get(name)?.as_ref()));
        all
    }

    /// All tables that are known.
    pub(super) fn tables(&self) -> Vec<&Table> {
        let mut all: Vec<&Table> = self.own.values().flatten().collect();
        let base = self.base.map(Known::tables).unwrap_or_default();
        all.extend(base.into_iter().filter(|table| !self.own.contains_key(&table.name)));
        all
    }

    fn put(&mut self, table: Table) {
        self.note_parts(&table);
        let names = self.folded.entry(table.name.name.to_lowercase()).or_default();
        if !names.contains(&table.name) {
            names.push(table.name.clone());
        }
        if !table.name.name.chars().all(is_of_word) {
            self.odd.push(table.name.clone());
        }
        self.own.insert(table.name.clone(), Some(table));
    }

    /// The indexes and constraints of this name.
    pub(super) fn named(&self, name: &str) -> Vec<Named> {
        let mut tables = self.tables_with(name);
        tables.sort();
        tables.dedup();
        let mut all = Vec::new();
        for table in tables.into_iter().filter_map(|table| self.table(table)) {
            let is_it = |other: &Option<String>| other.as_deref().is_some_and(|other| other == name);
            let kinds = table.constraints.iter().filter(|each| is_it(&each.name)).map(|each| Some(each.rule.kind()));
            let indexes = table.indexes.iter().filter(|each| is_it(&each.name)).map(|_| None);
            all.extend(kinds.chain(indexes).map(|kind| Named { table: table.name.clone(), kind }));
        }
        all
    }

    fn tables_with(&self, name: &str) -> Vec<&ObjectName> {
        let mut all = self.base.map(|base| base.tables_with(name)).unwrap_or_default();
        all.extend(self.parts.get(name).into_iter().flatten());
        all
    }

    fn note_parts(&mut self, table: &Table) {
        for constraint in &table.constraints {
            if let Rule::Foreign(key) = &constraint.rule {
                let tables = self.referring.entry(key.table.clone()).or_default();
                if !tables.contains(&table.name) {
                    tables.push(table.name.clone());
                }
            }
        }
        let names = table.constraints.iter().map(|each| &each.name).chain(table.indexes.iter().map(|each| &each.name));
        for name in names.flatten() {
            let tables = self.parts.entry(name.clone()).or_default();
            if !tables.contains(&table.name) {
                tables.push(table.name.clone());
            }
        }
    }

    fn odd_names(&self) -> Vec<&ObjectName> {
        let mut all = self.base.map(Known::odd_names).unwrap_or_default();
        all.extend(&self.odd);
        all
    }

    fn take(&mut self, name: &ObjectName) -> Option<Table> {
        let found = self.table(name).cloned();
        self.own.insert(name.clone(), None);
        found
    }

    fn change(&mut self, name: &ObjectName, change: impl FnOnce(&mut Table)) {
        if let Some(mut table) = self.table(name).cloned() {
            change(&mut table);
            self.note_parts(&table);
            self.own.insert(name.clone(), Some(table));
        }
    }

    /// Changes the foreign keys that refer to a table.
    fn redirect(&mut self, to: &ObjectName, change: impl Fn(&mut ForeignKey)) {
        let names: Vec<ObjectName> = self.tables_referring(to).into_iter().cloned().collect();
        for name in names {
            self.change(&name, |table| {
                for constraint in &mut table.constraints {
                    if let Rule::Foreign(key) = &mut constraint.rule
                        && key.table == *to
                    {
                        change(key);
                    }
                }
            });
        }
    }

    /// The foreign keys that refer to a table, each with the table that it is of.
    pub(super) fn referring(&self, to: &ObjectName) -> Vec<(&Table, &Constraint, &ForeignKey)> {
        let keys = |table| {
            let table: &Table = table;
            table.constraints.iter().filter_map(move |each| match &each.rule {
                Rule::Foreign(key) if key.table == *to => Some((table, each, key)),
                _ => None,
            })
        };
        self.tables_referring(to).into_iter().filter_map(|name| self.table(name)).flat_map(keys).collect()
    }

    fn tables_referring(&self, to: &ObjectName) -> Vec<&ObjectName> {
        let mut all = self.base.map(|base| base.tables_referring(to)).unwrap_or_default();
        all.extend(self.referring.get(to).into_iter().flatten());
        all.sort();
        all.dedup();
        all
    }

    /// Forgets every table that a text in a server's own words names.
    pub(in super::super) fn forget(&mut self, text: &str) {
        let text = text.to_lowercase();
        if text.split(';').all(changes_rows_only) {
            return;
        }
        // Texts and comments are looked into, too: a procedure may run them.
        let words: HashSet<&str> = text.split(|ch: char| !is_of_word(ch)).collect();
        let named = words.into_iter().flat_map(|word| self.folded(word)).map(|table| table.name.clone());
        let odd = self.odd_names().into_iter().filter(|name| text.contains(&name.name.to_lowercase())).cloned();
        let gone: Vec<ObjectName> = named.chain(odd).collect();
        for name in gone {
            self.own.insert(name, None);
        }
    }

    /// Learns what an operation, which is for this provider, has done.
    pub(super) fn learn(&mut self, provider: Provider, operation: &Operation) {
        match &operation.what {
            What::CreateTable(table) => self.put(for_one(provider, table)),
            What::DropTable { table } => drop(self.take(table)),
            What::RenameTable { table, to } => {
                if let Some(mut moved) = self.take(table) {
                    moved.name.name.clone_from(to);
                    let new = moved.name.clone();
                    self.put(moved);
                    self.redirect(table, |key| key.table.clone_from(&new));
                }
            }
            What::AddColumn { table, column, constraints } => self.change(table, |table| {
                table.columns.push(column.clone());
                table.constraints.extend(constraints.iter().cloned());
            }),
            What::DropColumn { table, column, .. } => self.change(table, |table| drop_column(table, column)),
            What::RenameColumn { table, column, to } => {
                self.change(table, |table| rename_column(table, column, to));
                self.redirect(table, |key| {
                    key.target.iter_mut().filter(|name| *name == column).for_each(|name| name.clone_from(to));
                });
            }
            What::AlterColumn { table, column, to, .. } => self.change(table, |table| {
                table.columns.iter_mut().filter(|each| each.name == *column).for_each(|each| alter(each, to));
            }),
            What::CreateIndex { table, index } => self.change(table, |table| table.indexes.push(index.clone())),
            What::DropIndex { table, name } => {
                self.change(table, |table| table.indexes.retain(|each| each.name.as_ref() != Some(name)));
            }
            What::RenameIndex { table, name, to } => self.change(table, |table| {
                let found = table.indexes.iter_mut().filter(|each| each.name.as_ref() == Some(name));
                found.for_each(|each| each.name = Some(to.clone()));
            }),
            What::AddConstraint { table, constraint } => self.change(table, |table| add(table, constraint)),
            What::DropConstraint { table, name, kind } => self.change(table, |table| {
                let is_it = |each: &Constraint| {
                    each.rule.kind() == *kind && (*kind == ConstraintKind::Primary || each.name == *name)
                };
                table.constraints.retain(|each| !is_it(each));
            }),
            What::Sql(raw) => {
                if let Some(text) = raw.of(provider) {
                    self.forget(&text.text);
                }
            }
            What::Insert { table, .. } => self.change(table, |table| table.holds_rows = true),
            What::Delete { table, .. } => self.change(table, |table| table.holds_rows = false),
            What::CreateView { .. } | What::DropView { .. } | What::Update { .. } => {}
        }
    }
}

/// Whether a piece of a text is a statement that no table's definition can be changed by. What a `SELECT` calls may do so.
fn changes_rows_only(statement: &str) -> bool {
    let statement = statement.trim_start();
    statement.is_empty() || ["insert", "update", "delete"].iter().any(|word| statement.starts_with(word))
}

fn is_of_word(ch: char) -> bool {
    ch.is_alphanumeric() || ch == '_'
}

/// A table as it is on one server.
pub(super) fn for_one(provider: Provider, table: &Table) -> Table {
    let mut table = table.clone();
    table.columns.retain(|each| each.only.is_for(provider));
    table.constraints.retain(|each| each.only.is_for(provider));
    table.indexes.retain(|each| each.only.is_for(provider));
    table
}

fn add(table: &mut Table, constraint: &Constraint) {
    if let Rule::Primary(columns) = &constraint.rule {
        let mut keys = table.columns.iter_mut().filter(|each| columns.contains(&each.name));
        keys.by_ref().for_each(|each| each.is_nullable = false);
    }
    table.constraints.push(constraint.clone());
}

fn alter(column: &mut Column, to: &Traits) {
    if let Some(kind) = &to.kind {
        column.kind = kind.clone();
        column.native.clear();
    }
    column.native.extend(to.native.clone());
    column.is_nullable = to.is_nullable.unwrap_or(column.is_nullable);
    if let Some(default) = &to.default {
        column.default.clone_from(default);
    }
    if let Some(comment) = &to.comment {
        column.comment.clone_from(comment);
    }
}

/// The columns that a constraint names, apart from those in expressions.
pub(super) fn columns_of(rule: &Rule) -> &[String] {
    match rule {
        Rule::Primary(columns) | Rule::Unique(columns) => columns,
        Rule::Foreign(key) => &key.columns,
        Rule::Check { .. } => &[],
    }
}

fn columns_mut(rule: &mut Rule) -> &mut [String] {
    match rule {
        Rule::Primary(columns) | Rule::Unique(columns) => columns,
        Rule::Foreign(key) => &mut key.columns,
        Rule::Check { .. } => &mut [],
    }
}

/// Whether an expression may be about a column.
pub(super) fn says(text: &SqlText, provider: Option<Provider>, column: &str) -> bool {
    let column = column.to_lowercase();
    let named = |text: &str| names_in(text).contains(&column);
    match provider {
        Some(provider) => text.of(provider).is_some_and(|(text, _)| named(text)),
        None => text.general.iter().chain(text.own.values()).any(|text| named(text)),
    }
}

fn drop_column(table: &mut Table, column: &str) {
    table.columns.retain(|each| each.name != column);
    // A server that does not take these with the column refuses to drop it.
    table.constraints.retain(|each| match &each.rule {
        Rule::Check { expression, .. } => !says(expression, None, column),
        rule => !columns_of(rule).iter().any(|name| name == column),
    });
    for index in &mut table.indexes {
        index.parts.retain(|part| !matches!(&part.what, IndexWhat::Column(name) if name == column));
    }
    table.indexes.retain(|each| !each.parts.is_empty());
}

fn rename_column(table: &mut Table, column: &str, to: &str) {
    let rename = |name: &mut String| {
        if name == column {
            to.clone_into(name);
        }
    };
    table.columns.iter_mut().for_each(|each| rename(&mut each.name));
    // What they say now is not known.
    table
        .constraints
        .retain(|each| !matches!(&each.rule, Rule::Check { expression, .. } if says(expression, None, column)));
    table.constraints.iter_mut().flat_map(|each| columns_mut(&mut each.rule)).for_each(rename);
    for index in &mut table.indexes {
        index.include.iter_mut().for_each(rename);
        for part in &mut index.parts {
            if let IndexWhat::Column(name) = &mut part.what {
                rename(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(yaml: &str) -> Known<'static> {
        let document = super::super::read("1_A.yaml", yaml).unwrap();
        let mut known = Known::default();
        document.up.iter().for_each(|operation| known.learn(Provider::MySql, operation));
        known
    }

    const TABLE: &str = "up:
  - create_table:
      name: Sales
      columns: { Id: { type: int, identity: true, primary_key: true }, A: { type: int, providers: [sqlite] }, B: int }
      indexes: [{ columns: [B] }]
";

    #[test]
    fn what_was_said_is_known() {
        let known = known(&format!(
            "{TABLE}  - rename_column: {{ table: Sales, name: B, to: C }}\n  - rename_table: {{ name: Sales, to: Sold }}\n"
        ));
        let table = known.table(&ObjectName::bare("Sold")).unwrap();
        assert_eq!(table.columns.iter().map(|each| each.name.as_str()).collect::<Vec<_>>(), ["Id", "C"]);
        assert!(matches!(&table.indexes[0].parts[0].what, IndexWhat::Column(name) if name == "C"));
        assert!(known.table(&ObjectName::bare("Sales")).is_none());
        assert!(known.folded("SOLD").len() == 1);
    }

    #[test]
    fn what_a_statement_names_is_forgotten() {
        let base = known(TABLE);
        for (text, is_known) in [
            ("DROP TABLE sales", false),
            ("ALTER TABLE [Sales] ADD x", false),
            ("EXEC('DROP TABLE Sales')", false),
            ("SELECT 1 FROM SalesMen", true),
            ("INSERT INTO Sales VALUES (1);", true),
            ("INSERT INTO Sales VALUES (1); ALTER TABLE Sales ADD x int", false),
        ] {
            let mut over = Known::over(&base);
            over.forget(text);
            assert_eq!(over.table(&ObjectName::bare("Sales")).is_some(), is_known, "{text}");
            assert!(base.table(&ObjectName::bare("Sales")).is_some());
        }
    }
}

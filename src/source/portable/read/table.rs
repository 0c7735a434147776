//! Tables, columns, constraints and indexes.

use super::super::super::problem::shown;
use super::super::fields::{Fields, Reader};
use super::super::keys::{CHECK, COLUMN, FOREIGN, INDEX, KEY_OF_COLUMNS, REFERENCES};
use super::super::model::{
    Action, Column, Constraint, ForeignKey, Index, IndexPart, IndexWhat, Only, Rule, SqlText, Table,
};
use super::super::types::LogicalType;
use super::super::yaml::{At, Kind, Node};
use super::column::{one_of, plain_column};
use crate::domain::{ObjectName, Provider};

/// The most columns of a table: SQL Server's limit, the lowest of all but MySQL's 1017.
const MOST_COLUMNS: usize = 1000;

impl Reader<'_> {
    pub(super) fn table(&mut self, fields: &Fields<'_>) -> Option<Table> {
        let name = self.object(fields, "name");
        let (mut columns, mut constraints) = (Vec::new(), Vec::new());
        if let Some(node) = fields.get("columns") {
            let entries = self.entries(node, "columns")?;
            if entries.is_empty() || entries.len() > MOST_COLUMNS {
                let message = format!("the table has {} columns", entries.len());
                self.problem(node.at, message, format!("a table has from 1 to {MOST_COLUMNS}"));
            }
            for (key, value) in entries {
                let Some((column, rules)) = self.named_column(key, value) else { continue };
                if columns.iter().any(|one: &Column| one.name == column.name) {
                    self.problem(key.at, format!("the column '{}' is written twice", shown(&column.name)), "keep one");
                }
                columns.push(column);
                constraints.extend(rules);
            }
        }
        self.keys(fields, &mut constraints);
        self.other_constraints(fields, &mut constraints);
        let mut indexes = Vec::new();
        if let Some(items) = fields.get("indexes").and_then(|node| self.list(node, "indexes")) {
            for item in items {
                if let Some(inner) = self.fields(item, &INDEX) {
                    indexes.extend(self.index(&inner));
                }
            }
        }
        let comment = self.text(fields, "comment").map(str::to_owned);
        let table = Table { name: name?, columns, constraints, indexes, comment, holds_rows: false };
        self.check_table(fields.at, &table);
        Some(table)
    }

    fn keys(&mut self, fields: &Fields<'_>, constraints: &mut Vec<Constraint>) {
        if let Some(node) = fields.get("primary_key") {
            constraints.extend(self.key(node, Rule::Primary));
        }
        if let Some(items) = fields.get("unique").and_then(|node| self.list(node, "unique")) {
            for item in items {
                constraints.extend(self.key(item, Rule::Unique));
            }
        }
    }

    fn key(&mut self, node: &Node, rule: fn(Vec<String>) -> Rule) -> Option<Constraint> {
        if matches!(node.kind, Kind::Map(_)) {
            let fields = self.fields(node, &KEY_OF_COLUMNS)?;
            let (name, only) = (self.name(&fields, "name"), self.only(&fields));
            return Some(Constraint { at: node.at, name, rule: rule(self.names(&fields, "columns")?), only });
        }
        let columns = self.names_of(node, "the key")?;
        Some(Constraint { at: node.at, name: None, rule: rule(columns), only: Only(None) })
    }

    fn other_constraints(&mut self, fields: &Fields<'_>, constraints: &mut Vec<Constraint>) {
        if let Some(items) = fields.get("foreign_keys").and_then(|node| self.list(node, "foreign_keys")) {
            for item in items {
                if let Some(inner) = self.fields(item, &FOREIGN) {
                    constraints.extend(self.foreign(&inner));
                }
            }
        }
        match fields.get("checks").map(|node| (&node.kind, node)) {
            Some((Kind::Map(entries), _)) => {
                for (key, value) in entries {
                    let name = self.name_of(key, "a check's name");
                    if let Some(check) = self.check(value) {
                        constraints.push(Constraint { name: name.or(check.name.clone()), ..check });
                    }
                }
            }
            Some((_, node)) => {
                for item in self.list(node, "checks").unwrap_or_default() {
                    constraints.extend(self.check(item));
                }
            }
            None => {}
        }
    }

    fn check(&mut self, node: &Node) -> Option<Constraint> {
        let check = |expression: SqlText| Rule::Check { expression, column: None };
        if matches!(node.kind, Kind::Map(_)) {
            let fields = self.fields(node, &CHECK)?;
            let (name, only) = (self.name(&fields, "name"), self.only(&fields));
            return Some(Constraint { at: node.at, name, rule: check(self.sql_in(&fields)?), only });
        }
        let expression = self.sql_of(node, "a check")?;
        Some(Constraint { at: node.at, name: None, rule: check(expression), only: Only(None) })
    }

    /// A foreign key with keys `columns`, `references`, `on_delete` and `on_update`.
    pub(super) fn foreign(&mut self, fields: &Fields<'_>) -> Option<Constraint> {
        let (name, only) = (self.name(fields, "name"), self.only(fields));
        let columns = self.names(fields, "columns")?;
        let key = self.reference(fields, columns)?;
        Some(Constraint { at: fields.at, name: name.or(key.0), rule: Rule::Foreign(key.1), only })
    }

    /// What `references` says: the constraint's name, if one, and the key.
    pub(super) fn reference(
        &mut self,
        fields: &Fields<'_>,
        columns: Vec<String>,
    ) -> Option<(Option<String>, ForeignKey)> {
        let node = fields.get("references")?;
        let (mut on_delete, mut on_update) = (self.action(fields, "on_delete"), self.action(fields, "on_update"));
        let (name, table, target) = if matches!(node.kind, Kind::Map(_)) {
            let inner = self.fields(node, &REFERENCES)?;
            on_delete = self.action(&inner, "on_delete").or(on_delete);
            on_update = self.action(&inner, "on_update").or(on_update);
            (self.name(&inner, "name"), self.object(&inner, "table")?, self.names(&inner, "columns"))
        } else {
            let (table, target) = self.short_reference(node)?;
            (None, table, target)
        };
        let target = target.unwrap_or_else(|| columns.clone());
        if target.len() != columns.len() {
            let message = format!("{} columns refer to {}", columns.len(), target.len());
            self.problem(node.at, message, "name as many columns on both sides");
            return None;
        }
        Some((name, ForeignKey { columns, table, target, on_delete, on_update }))
    }

    /// `Sales(Id)` or `sales.Lines(SaleId, Number)`.
    fn short_reference(&mut self, node: &Node) -> Option<(ObjectName, Option<Vec<String>>)> {
        let text = self.text_of(node, "references")?;
        let Some((table, rest)) = text.split_once('(') else {
            return Some((self.object_of(node.at, text.trim())?, None));
        };
        let Some(columns) = rest.trim_end().strip_suffix(')') else {
            self.problem(node.at, format!("'{}' lacks its ')'", shown(text)), "write Table(Column)");
            return None;
        };
        let table = self.object_of(node.at, table.trim())?;
        let columns: Option<Vec<_>> = columns.split(',').map(|name| self.reference_column(node.at, name)).collect();
        Some((table, Some(columns?)))
    }

    fn reference_column(&mut self, at: At, name: &str) -> Option<String> {
        if name.trim().is_empty() {
            self.problem(at, "references names no column", "write Table(Column)");
            return None;
        }
        self.checked_name(at, name.trim())
    }

    fn action(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<Action> {
        self.word(fields, key, &Action::WORDS).and_then(Action::of)
    }

    fn named_column(&mut self, key: &Node, value: &Node) -> Option<(Column, Vec<Constraint>)> {
        let name = self.name_of(key, "a column's name");
        // 'Id: uuid' is short for 'Id: { type: uuid }'.
        if matches!(value.kind, Kind::Scalar(_)) {
            let (kind, name) = (self.kind(value)?, name?);
            let check = match &kind {
                LogicalType::Enum(values) => Some(one_of(key.at, &name, values)),
                _ => None,
            };
            let rule = check.map(|expression| Rule::Check { expression, column: Some(name.clone()) });
            let constraint = rule.map(|rule| Constraint { at: key.at, name: None, rule, only: Only(None) });
            return Some((plain_column(key.at, name, kind), constraint.into_iter().collect()));
        }
        let fields = self.fields(value, &COLUMN)?;
        let (column, constraints) = self.column(&fields, key.at, name?)?;
        Some((column, constraints))
    }

    pub(super) fn index(&mut self, fields: &Fields<'_>) -> Option<Index> {
        let name = self.name(fields, "name");
        let filter = self.sql(fields, "where");
        let include = self.names(fields, "include").unwrap_or_default();
        let is_unique = self.flag(fields, "unique").unwrap_or_default();
        let only = self.only(fields);
        let node = fields.get("columns")?;
        let parts: Vec<IndexPart> = match &node.kind {
            Kind::List(items) => items.iter().filter_map(|item| self.index_part(item)).collect(),
            _ => self.index_part(node).into_iter().collect(),
        };
        if parts.is_empty() || parts.len() > 32 {
            self.problem(node.at, format!("the index has {} columns", parts.len()), "name from 1 to 32");
            return None;
        }
        let has_expression = parts.iter().any(|part| matches!(part.what, IndexWhat::Expression(_)));
        if has_expression && name.is_none() {
            self.problem(fields.at, "an index over an expression needs a name", "add 'name: …'");
        }
        Some(Index { at: fields.at, name, parts, is_unique, filter, include, only })
    }

    fn index_part(&mut self, node: &Node) -> Option<IndexPart> {
        if matches!(node.kind, Kind::Map(_)) {
            let what = IndexWhat::Expression(self.sql_of(node, "an index's expression")?);
            return Some(IndexPart { what, is_descending: false });
        }
        let text = self.text_of(node, "a column")?;
        let (name, is_descending) = match text.rsplit_once(' ') {
            Some((name, "desc")) => (name.trim_end(), true),
            Some((name, "asc")) => (name.trim_end(), false),
            _ => (text, false),
        };
        let what = IndexWhat::Column(self.checked_name(node.at, name)?);
        Some(IndexPart { what, is_descending })
    }

    /// On one server, no two constraints or indexes of a table may have the same name.
    fn check_names(&mut self, table: &Table) {
        let constraints = table.constraints.iter().map(|each| (each.at, each.name.as_deref(), &each.only));
        let indexes = table.indexes.iter().map(|each| (each.at, each.name.as_deref(), &each.only));
        let mut seen: Vec<(&str, &Only)> = Vec::new();
        let mut twice = Vec::new();
        for (at, name, only) in constraints.chain(indexes) {
            let Some(name) = name else { continue };
            let meets = |other: &Only| Provider::ALL.iter().any(|each| only.is_for(*each) && other.is_for(*each));
            if seen.iter().any(|(known, other)| *known == name && meets(other)) {
                twice.push((at, name.to_owned()));
            }
            seen.push((name, only));
        }
        for (at, name) in twice {
            self.problem(at, format!("another constraint or index is named '{}' too", shown(&name)), "rename one");
        }
    }

    /// What can be told wrong of a table by itself.
    fn check_table(&mut self, at: At, table: &Table) {
        let primary: Vec<_> = table.constraints.iter().filter(|each| matches!(each.rule, Rule::Primary(_))).collect();
        if let [_, second, ..] = primary.as_slice() {
            self.problem(
                second.at,
                "the table has two primary keys",
                "write a key of several columns as 'primary_key: [a, b]'",
            );
        }
        if table.columns.iter().filter(|column| column.identity.is_some()).count() > 1 {
            self.problem(at, "the table has two identity columns", "keep one");
        }
        self.check_names(table);
        let known = |name: &str| table.columns.iter().any(|column| column.name == name);
        let mut unknown: Vec<(At, String)> = Vec::new();
        for constraint in &table.constraints {
            let columns = match &constraint.rule {
                Rule::Primary(columns) | Rule::Unique(columns) => columns.as_slice(),
                Rule::Foreign(key) => key.columns.as_slice(),
                Rule::Check { .. } => &[],
            };
            unknown.extend(columns.iter().filter(|name| !known(name)).map(|name| (constraint.at, name.clone())));
        }
        for index in &table.indexes {
            let parts = index.parts.iter().filter_map(|part| match &part.what {
                IndexWhat::Column(name) => Some(name),
                IndexWhat::Expression(_) => None,
            });
            let columns = parts.chain(&index.include);
            unknown.extend(columns.filter(|name| !known(name)).map(|name| (index.at, name.clone())));
        }
        for (at, name) in unknown {
            let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
            let hint = super::super::fields::instead(&name, names.iter().copied());
            self.problem(at, format!("the table has no column '{}'", shown(&name)), hint);
        }
    }
}

//! What can be told before anything runs: operations that a server would refuse or, worse, understand in its own way.

mod altered;
mod cascade;
mod foreign;
mod keys;
mod names;
mod referred;

pub(super) use self::keys::{changes_definition, changes_type};

use std::collections::BTreeMap;

use super::super::expression::is_condition;
use super::super::fields::instead;
use super::super::known::{columns_of, for_one, says};
use super::super::literal;
use super::super::model::{
    Column, Constraint, ConstraintKind, Index, IndexWhat, Operation, Rule, SqlText, Table, Value, What,
};
use super::super::types::LogicalType;
use super::super::yaml::At;
use super::Generator;
use crate::domain::{ObjectName, Provider};

impl Generator<'_, '_> {
    pub(super) fn check(&mut self, operation: &Operation) {
        let at = operation.at;
        self.check_unkeyed(Some(&operation.what));
        match &operation.what {
            What::CreateTable(table) => self.check_new_table(at, &for_one(self.provider(), table)),
            What::AddColumn { table, column, constraints } => self.check_new_column(table, column, constraints),
            What::CreateIndex { table, index } => {
                if let Some(table) = self.known.table(table).cloned() {
                    self.check_index(&table, index);
                    self.check_name(index.at, &table.name, index.name.as_deref(), None);
                }
            }
            What::AddConstraint { table, constraint } => {
                if let Some(mut table) = self.known.table(table).cloned() {
                    self.check_constraint(&table, constraint);
                    self.check_rule_name(&table, constraint);
                    if matches!(constraint.rule, Rule::Check { .. }) {
                        table.constraints.push(constraint.clone());
                        self.check_keys_of(constraint.at, &table);
                    }
                }
            }
            What::DropColumn { table, column, .. } => self.check_dropped(at, table, column),
            What::RenameColumn { table, column, to } => self.check_renamed(at, table, column, to),
            What::AlterColumn { table, column, to, was } => self.check_altered(at, table, column, to, was.as_ref()),
            What::RenameTable { table, to } => {
                let new = ObjectName { schema: table.schema.clone(), name: to.clone() };
                self.check_table_name(at, &new, Some(table));
            }
            What::DropTable { table } => self.check_dropped_table(at, table),
            What::DropIndex { table, name } => self.check_dropped_index(at, table, name),
            What::DropConstraint { table, name, kind } => {
                if *kind == ConstraintKind::Primary {
                    self.check_dropped_key(at, table);
                }
                self.check_dropped_constraint(at, table, name.as_deref(), *kind);
            }
            What::Insert { table, rows } => rows.iter().for_each(|row| self.check_values(at, table, row)),
            What::Update { table, set, .. } => self.check_values(at, table, set),
            _ => {}
        }
    }

    fn is_folding(&self) -> bool {
        // PostgreSQL alone tells quoted names that differ in nothing but case apart wherever it runs.
        self.provider() != Provider::Postgres
    }

    fn check_new_table(&mut self, at: At, table: &Table) {
        self.check_table_name(at, &table.name, None);
        for (index, column) in table.columns.iter().enumerate() {
            self.check_column_name(column.at, table.columns.get(..index).unwrap_or_default(), &column.name);
            self.check_column(table, column);
        }
        for constraint in &table.constraints {
            self.check_constraint(table, constraint);
            self.check_rule_name(table, constraint);
        }
        for index in &table.indexes {
            self.check_index(table, index);
            self.check_name(index.at, &table.name, index.name.as_deref(), None);
        }
        self.check_identity(table);
        self.check_size(at, table);
    }

    fn check_new_column(&mut self, table: &ObjectName, column: &Column, constraints: &[Constraint]) {
        let Some(mut table) = self.known.table(table).cloned() else { return };
        self.check_column_name(column.at, &table.columns, &column.name);
        self.check_column(&table, column);
        if table.holds_rows && !column.is_nullable && column.default.is_none() && column.identity.is_none() {
            let message =
                format!("the rows that migrations have put into {} have no value for '{}'", table.name, column.name);
            self.unable(column.at, message, "add a default, or 'nullable: true' and an update");
        }
        table.columns.push(column.clone());
        for constraint in constraints {
            self.check_constraint(&table, constraint);
            self.check_rule_name(&table, constraint);
        }
        if column.generated.is_some() || constraints.iter().any(|each| matches!(each.rule, Rule::Check { .. })) {
            let mut whole = table.clone();
            whole.constraints.extend(constraints.iter().cloned());
            self.check_keys_of(column.at, &whole);
        }
        self.check_size(column.at, &table);
    }

    fn check_column(&mut self, table: &Table, column: &Column) {
        if let Some(default) = &column.default {
            self.check_value(column.at, "default", &column.kind, &column.native, default);
        }
        if let Some(generated) = &column.generated {
            self.check_padded(table, &generated.expression);
            self.check_is_value(&generated.expression);
        }
    }

    /// SQL Server computes no value from a condition. What is in its own words is not looked into.
    fn check_is_value(&mut self, expression: &SqlText) {
        let Some((text, true)) = expression.of(self.provider()) else { return };
        if self.provider() == Provider::SqlServer && is_condition(text) {
            let hint = "give it words of its own: 'sqlserver: CASE WHEN … THEN 1 ELSE 0 END'";
            self.unable(expression.at, "a condition is no value there", hint);
        }
    }

    /// MariaDB computes nothing that it keeps from a `char` column, whose trailing spaces a setting decides about.
    fn check_padded(&mut self, table: &Table, expression: &SqlText) {
        let Some(own) = expression.own.get(&Provider::MySql).filter(|_| self.provider() == Provider::MySql) else {
            return;
        };
        let read = table.padded().find(|name| says(expression, Some(Provider::MySql), name));
        if let Some(name) = read.filter(|_| !own.to_lowercase().contains("rtrim")) {
            let message = format!("MariaDB computes nothing from '{name}', which is char(36), as it stands");
            self.unable(expression.at, message, format!("write RTRIM({})", self.dialect.quote(name)));
        }
    }

    fn check_column_name(&mut self, at: At, before: &[Column], name: &str) {
        let folds = self.is_folding();
        let is_same =
            |other: &&Column| other.name == name || (folds && other.name.to_lowercase() == name.to_lowercase());
        if let Some(other) = before.iter().find(is_same) {
            let message = format!("the columns '{}' and '{name}' have the same name there", other.name);
            self.unable(at, message, "rename one");
        }
    }

    /// A column that a known table has; false when it lacks it.
    fn has_column(&mut self, at: At, table: &Table, name: &str) -> bool {
        if table.columns.iter().any(|column| column.name == name) {
            return true;
        }
        let hint = instead(name, table.columns.iter().map(|column| column.name.as_str()));
        self.unable(at, format!("the table {} has no column '{name}'", table.name), hint);
        false
    }

    fn check_index(&mut self, table: &Table, index: &Index) {
        let mut bytes = 0;
        for part in &index.parts {
            if let IndexWhat::Column(name) = &part.what
                && self.has_column(index.at, table, name)
            {
                bytes += self.check_indexed(index.at, table, name);
            }
        }
        for name in &index.include {
            self.has_column(index.at, table, name);
        }
        self.check_index_size(index.at, bytes);
    }

    fn check_dropped(&mut self, at: At, table: &ObjectName, column: &str) {
        let Some(table) = self.known.table(table).cloned() else { return };
        if !self.has_column(at, &table, column) {
            return;
        }
        let provider = self.provider();
        let mut used = Vec::new();
        for constraint in &table.constraints {
            let name = constraint.name.as_deref().unwrap_or("without a name");
            match &constraint.rule {
                Rule::Check { expression, .. } => {
                    let others = table.columns.iter().filter(|each| each.name != column);
                    let is_shared = others.into_iter().any(|each| says(expression, Some(provider), &each.name));
                    // A check of the column alone goes with it everywhere.
                    if says(expression, Some(provider), column) && is_shared {
                        used.push(format!("the check {name}"));
                    }
                }
                rule if columns_of(rule).iter().any(|each| each == column) => {
                    let goes = match provider {
                        Provider::Postgres => columns_of(rule).len() == 1,
                        Provider::MySql => columns_of(rule).len() == 1 && !matches!(rule, Rule::Foreign(_)),
                        Provider::Sqlite | Provider::SqlServer => false,
                    };
                    if !goes {
                        used.push(format!("the constraint {name}"));
                    }
                }
                _ => {}
            }
        }
        for index in &table.indexes {
            let is_it = |part: &&super::super::model::IndexPart| match &part.what {
                IndexWhat::Column(name) => name == column,
                IndexWhat::Expression(text) => says(text, Some(provider), column),
            };
            let goes = matches!(provider, Provider::Postgres | Provider::MySql) && index.parts.len() == 1;
            let is_included = index.include.iter().any(|each| each == column);
            if (index.parts.iter().any(|part| is_it(&part)) && !goes) || is_included {
                used.push(format!("the index {}", index.name.as_deref().unwrap_or_default()));
            }
        }
        used.extend(self.computed_from(&table, column));
        used.extend(self.keys_to(&table.name, column));
        if !used.is_empty() {
            let message = format!("the column '{column}' is used by {}", used.join(", "));
            self.unable(at, message, "drop what uses the column first");
        }
    }

    /// The generated columns that read this one, in words.
    fn computed_from(&self, table: &Table, column: &str) -> Vec<String> {
        let provider = self.provider();
        let reads = |each: &&Column| {
            each.name != column
                && each.generated.as_ref().is_some_and(|one| says(&one.expression, Some(provider), column))
        };
        table.columns.iter().filter(reads).map(|each| format!("the generated column '{}'", each.name)).collect()
    }

    fn check_renamed(&mut self, at: At, table: &ObjectName, column: &str, to: &str) {
        let Some(table) = self.known.table(table).cloned() else { return };
        if !self.has_column(at, &table, column) {
            return;
        }
        let others: Vec<Column> = table.columns.iter().filter(|each| each.name != column).cloned().collect();
        self.check_column_name(at, &others, to);
        let provider = self.provider();
        if !matches!(provider, Provider::MySql | Provider::SqlServer) {
            return;
        }
        let mut used: Vec<String> = Vec::new();
        for constraint in &table.constraints {
            if let Rule::Check { expression, .. } = &constraint.rule
                && says(expression, Some(provider), column)
            {
                used.push(format!("the check {}", constraint.name.as_deref().unwrap_or_default()));
            }
        }
        used.extend(self.computed_from(&table, column));
        if !used.is_empty() {
            let message = format!("the column '{column}' can't be renamed while {} is about it", used.join(", "));
            self.unable(at, message, "drop that first, and make it again afterwards");
        }
    }

    fn check_values(&mut self, at: At, table: &ObjectName, values: &[(String, Value)]) {
        let Some(table) = self.known.table(table).cloned() else { return };
        for (name, value) in values {
            if !self.has_column(at, &table, name) {
                continue;
            }
            let Some(column) = table.columns.iter().find(|each| each.name == *name) else { continue };
            if column.generated.is_some() {
                self.unable(at, format!("'{name}' is a generated column, whose value is computed"), "leave it out");
                continue;
            }
            self.check_value(at, &format!("value of '{name}'"), &column.kind, &column.native, value);
        }
    }

    /// Says what keeps a value from standing in a column of this type.
    fn check_value(
        &mut self,
        at: At,
        what: &str,
        kind: &LogicalType,
        native: &BTreeMap<Provider, String>,
        value: &Value,
    ) {
        let provider = self.provider();
        if native.contains_key(&provider) {
            return;
        }
        if let Some(wrong) = literal::wrong(kind, value).or_else(|| literal::wrong_on(provider, kind, value)) {
            self.unable(at, format!("the {what} does not fit the type: {wrong}"), "mend the value");
        }
    }
}

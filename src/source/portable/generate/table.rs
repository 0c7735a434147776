//! Tables, their columns and constraints.

use super::super::dialect::{Comments, Dialect};
use super::super::literal;
use super::super::model::{Action, Column, Constraint, ConstraintKind, Generated, Identity, Rule, Table, Value};
use super::super::types::LogicalType;
use super::Generator;
use super::comment::remark;
use super::touch::Touch;
use crate::domain::{ObjectName, Provider, TableEdit, render};

/// Where a column's definition stands, which decides what it may hold.
struct Surroundings<'t> {
    table: &'t ObjectName,
    /// The names of the table's columns, as far as they are known.
    columns: Vec<&'t str>,
    /// Those of them that are `char` on MySQL and MariaDB.
    padded: Vec<String>,
    /// The primary key's name when the column is all of it and has to say so itself.
    primary: Option<String>,
    /// Whether the column is added to a table, whose rows have to get its default.
    is_added: bool,
}

impl Generator<'_, '_> {
    pub(super) fn create_table(&mut self, table: &Table) {
        let provider = self.provider();
        let name = self.object(&table.name);
        let columns: Vec<&Column> = table.columns.iter().filter(|each| each.only.is_for(provider)).collect();
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let mut constraints: Vec<&Constraint> =
            table.constraints.iter().filter(|each| each.only.is_for(provider)).collect();
        let mut lines = Vec::new();
        for column in &columns {
            let primary = self.takes_primary(column, &mut constraints);
            let padded = self.padded(table);
            let around = Surroundings { table: &table.name, columns: names.clone(), padded, primary, is_added: false };
            lines.push(self.column_line(column, &around));
        }
        for constraint in constraints {
            lines.push((self.constraint(constraint, &names), None));
        }
        let indexes: Vec<_> = table.indexes.iter().filter(|each| each.only.is_for(provider)).collect();
        if self.dialect.indexes.belongs_to_table {
            for index in &indexes {
                lines.push((self.index_clause(index, &names), None));
            }
        }
        let mut sql = format!("CREATE TABLE {name} (");
        if let (Some(comment), Comments::Remark) = (&table.comment, self.dialect.comments) {
            sql.push_str(&remark(comment));
        }
        let last = lines.len().saturating_sub(1);
        for (index, (line, remark)) in lines.into_iter().enumerate() {
            sql.push_str("\n    ");
            sql.push_str(&line);
            // Before the comma, so that SQLite's own ALTER TABLE leaves it with its column.
            sql.push_str(&remark.unwrap_or_default());
            sql.push_str(if index == last { "" } else { "," });
        }
        sql.push_str("\n)");
        sql.push_str(self.dialect.table_end);
        if let (Some(comment), Comments::Clause) = (&table.comment, self.dialect.comments) {
            sql.push_str(&format!(" COMMENT={}", self.dialect.text(comment)));
        }
        self.whole(sql);
        self.fresh.insert(table.name.clone());
        self.comment_on(&table.name, None, table.comment.as_deref());
        for column in columns {
            self.comment_on(&table.name, Some(&column.name), column.comment.as_deref());
        }
        if !self.dialect.indexes.belongs_to_table {
            for index in indexes {
                self.index_statement(&table.name, index, &names, false);
            }
        }
    }

    /// SQLite numbers rows only in a column that is declared to be the primary key by itself.
    fn takes_primary(&mut self, column: &Column, constraints: &mut Vec<&Constraint>) -> Option<String> {
        if self.provider() != Provider::Sqlite || column.identity.is_none() {
            return None;
        }
        let own = constraints
            .iter()
            .position(|each| matches!(&each.rule, Rule::Primary(names) if *names == [column.name.clone()]));
        match own {
            Some(index) => constraints.remove(index).name.clone(),
            None => {
                let hint = "make it the primary key, or leave identity out for SQLite with 'providers'";
                self.unable(column.at, "an identity column has to be the primary key", hint);
                None
            }
        }
    }

    fn padded(&self, table: &Table) -> Vec<String> {
        let is_needed = self.provider() == Provider::MySql;
        table.padded().filter(|_| is_needed).map(str::to_owned).collect()
    }

    fn column_line(&mut self, column: &Column, around: &Surroundings<'_>) -> (String, Option<String>) {
        let definition = self.definition(column, around);
        let name = self.column_name(column.at, &column.name);
        let remark = match (&column.comment, self.dialect.comments) {
            (Some(comment), Comments::Remark) => Some(remark(comment)),
            _ => None,
        };
        (format!("{name} {definition}"), remark)
    }

    pub(super) fn sql_type(&self, column: &Column) -> String {
        column.native.get(&self.provider()).cloned().unwrap_or_else(|| column.kind.sql(self.provider()))
    }

    /// Everything behind a column's name.
    fn definition(&mut self, column: &Column, around: &Surroundings<'_>) -> String {
        let mut sql = self.sql_type(column);
        if let Some(generated) = &column.generated {
            return self.generated(&sql, generated, around);
        }
        let provider = self.provider();
        if let Some(identity) = column.identity {
            match (provider, identity) {
                (Provider::SqlServer, _) => sql.push_str(" IDENTITY(1,1)"),
                (Provider::Postgres, Identity::ByDefault) => sql.push_str(" GENERATED BY DEFAULT AS IDENTITY"),
                (Provider::Postgres, Identity::Always) => sql.push_str(" GENERATED ALWAYS AS IDENTITY"),
                _ => {}
            }
        }
        sql.push_str(if column.is_nullable { self.dialect.null_word } else { " NOT NULL" });
        if let Some(default) = &column.default {
            let expression = self.default(default, Some(&column.kind));
            if provider == Provider::SqlServer {
                sql.push_str(&format!(" CONSTRAINT {}", self.bounded(&default_name(around.table, &column.name))));
            }
            sql.push_str(&format!(" DEFAULT {expression}"));
            if provider == Provider::SqlServer && around.is_added && column.is_nullable {
                // The rows that exist would get NULL.
                sql.push_str(" WITH VALUES");
            }
        }
        match provider {
            Provider::Sqlite if column.identity.is_some() => {
                let name = around.primary.as_deref().map(|name| format!(" CONSTRAINT {}", self.bounded(name)));
                sql.push_str(&format!("{} PRIMARY KEY AUTOINCREMENT", name.unwrap_or_default()));
            }
            Provider::MySql if column.identity.is_some() => sql.push_str(" AUTO_INCREMENT"),
            _ => {}
        }
        if !column.native.contains_key(&provider) {
            let check = type_check(self.dialect, &around.table.name, &column.name, &column.kind);
            sql.push_str(&check.unwrap_or_default());
        }
        if let (Some(comment), Comments::Clause) = (&column.comment, self.dialect.comments) {
            sql.push_str(&format!(" COMMENT {}", self.dialect.text(comment)));
        }
        sql
    }

    fn generated(&mut self, sql_type: &str, generated: &Generated, around: &Surroundings<'_>) -> String {
        // MariaDB computes nothing that it keeps from a char column as it stands.
        let (dialect, padded) = (self.dialect, around.padded.clone());
        let expression = self.sql_with(&generated.expression, &around.columns, |name| {
            let quoted = dialect.quote(name);
            if padded.iter().any(|each| each == name) { format!("RTRIM({quoted})") } else { quoted }
        });
        match self.provider() {
            Provider::SqlServer => {
                format!("AS ({expression}){}", if generated.is_stored { " PERSISTED" } else { "" })
            }
            Provider::Postgres => format!("{sql_type} GENERATED ALWAYS AS ({expression}) STORED"),
            Provider::Sqlite | Provider::MySql => {
                let kept = if generated.is_stored { "STORED" } else { "VIRTUAL" };
                format!("{sql_type} GENERATED ALWAYS AS ({expression}) {kept}")
            }
        }
    }

    /// A default's SQL.
    pub(super) fn default(&mut self, value: &Value, kind: Option<&LogicalType>) -> String {
        if let Value::Sql(text) = value {
            let expression = self.sql(text, &[]);
            // A general text is an expression; the server's own words stand as they are.
            let is_general = text.of(self.provider()).is_some_and(|(_, is_general)| is_general);
            return if is_general && !expression.starts_with('(') { format!("({expression})") } else { expression };
        }
        let literal = self.literal(value, kind);
        let is_large = matches!(kind, Some(LogicalType::Text | LogicalType::Json | LogicalType::Bytes));
        // MySQL takes only expressions as defaults of its large types.
        if self.provider() == Provider::MySql && is_large { format!("({literal})") } else { literal }
    }

    /// A value as the server has to be told it in a column of this type; SQL is none.
    pub(super) fn literal(&self, value: &Value, kind: Option<&LogicalType>) -> String {
        let fitted = kind.map_or_else(|| value.clone(), |kind| literal::fitted(self.provider(), kind, value));
        self.dialect.value(&fitted, kind).unwrap_or_default()
    }

    /// A constraint with its name.
    fn constraint(&mut self, constraint: &Constraint, columns: &[&str]) -> String {
        let name = self.bounded(constraint.name.as_deref().unwrap_or_default());
        format!("CONSTRAINT {name} {}", self.rule(constraint, columns))
    }

    /// Everything behind a constraint's name.
    fn rule(&mut self, constraint: &Constraint, columns: &[&str]) -> String {
        match &constraint.rule {
            Rule::Primary(names) => format!("PRIMARY KEY ({})", self.dialect.list(names)),
            Rule::Unique(names) => format!("UNIQUE ({})", self.dialect.list(names)),
            Rule::Check { expression, column } => {
                let mut columns = columns.to_vec();
                columns.extend(column.as_deref());
                format!("CHECK ({})", self.sql(expression, &columns))
            }
            Rule::Foreign(key) => {
                let table = self.object(&key.table);
                let (from, to) = (self.dialect.list(&key.columns), self.dialect.list(&key.target));
                let mut sql = format!("FOREIGN KEY ({from}) REFERENCES {table} ({to})");
                for (event, action) in [("DELETE", key.on_delete), ("UPDATE", key.on_update)] {
                    if let Some(action) = action {
                        let wanted = self.action(action, constraint);
                        sql.push_str(&format!(" ON {event} {wanted}"));
                    }
                }
                sql
            }
        }
    }

    fn action(&mut self, action: Action, constraint: &Constraint) -> &'static str {
        if action == Action::SetDefault && self.provider() == Provider::MySql {
            self.unable(constraint.at, "InnoDB refuses SET DEFAULT", "choose set_null, cascade or restrict");
        }
        // Without deferred checks there is no difference.
        if action == Action::Restrict && !self.dialect.has_restrict { Action::Nothing.sql() } else { action.sql() }
    }

    pub(super) fn add_column(&mut self, table: &ObjectName, column: &Column, constraints: &[Constraint]) {
        let known = self.columns_of(table);
        let columns = known.iter().map(String::as_str).chain([column.name.as_str()]).collect();
        let padded = self.known.table(table).map(|table| self.padded(table)).unwrap_or_default();
        let around = Surroundings { table, columns, padded, primary: None, is_added: true };
        if column.identity.is_some() && matches!(self.provider(), Provider::Sqlite | Provider::MySql) {
            self.unable(column.at, "an identity column can't be added to a table", "make a new table with it");
            return;
        }
        if self.provider() == Provider::MySql && matches!(column.default, Some(Value::Uuid)) {
            return self.add_with_uuids(table, column, &around, constraints);
        }
        let (line, remark) = self.column_line(column, &around);
        let needs_rebuild = self.provider() == Provider::Sqlite && !fits_plain_add(column, constraints);
        if needs_rebuild {
            let (edit, words) = self.added(column, &around);
            self.edit(table, edit, words);
        } else {
            let line = line + &remark.unwrap_or_default();
            let clause = render(self.dialect.add_column, &[("definition", &line)]);
            // Checks that the server has no schemas.
            self.object(table);
            let mut touches = vec![Touch::adds(&column.name)];
            if let Some(generated) = &column.generated {
                touches.extend(Touch::read_by(&generated.expression, self.provider()));
            }
            let edit = (self.provider() == Provider::Sqlite).then(|| self.added(column, &around));
            self.clause_or(table, clause, touches, edit);
        }
        self.comment_on(table, Some(&column.name), column.comment.as_deref());
        self.added_constraints(table, column, constraints);
    }

    fn added_constraints(&mut self, table: &ObjectName, column: &Column, constraints: &[Constraint]) {
        for constraint in constraints {
            self.constraint_of(table, constraint, self.operation.is_some_and(|each| each.is_online), &[&column.name]);
        }
    }

    /// MySQL with a binary log adds no column whose default is another in every row: the rows get theirs in between.
    fn add_with_uuids(
        &mut self,
        table: &ObjectName,
        column: &Column,
        around: &Surroundings<'_>,
        constraints: &[Constraint],
    ) {
        let empty = Column { default: None, is_nullable: true, ..column.clone() };
        let (line, _) = self.column_line(&empty, around);
        let add = render(self.dialect.add_column, &[("definition", &line)]);
        self.clause(table, add, vec![Touch::adds(&column.name)]);
        let (name, quoted) = (self.object(table), self.dialect.quote(&column.name));
        self.rows(format!("UPDATE {name} SET {quoted} = UUID()"));
        let (line, _) = self.column_line(column, around);
        self.clause(table, format!("MODIFY COLUMN {line}"), vec![Touch::alters(&column.name)]);
        self.added_constraints(table, column, constraints);
    }

    /// A column that is added by a rebuild, and what that is in words.
    fn added(&mut self, column: &Column, around: &Surroundings<'_>) -> (TableEdit, String) {
        let mut definition = self.definition(column, around);
        let words = format!("add column {} {definition}", column.name);
        definition.push_str(&column.comment.as_deref().map(remark).unwrap_or_default());
        (TableEdit::AddColumn { name: column.name.clone(), definition }, words)
    }

    pub(super) fn add_constraint(&mut self, table: &ObjectName, constraint: &Constraint, is_online: bool) {
        let known = self.columns_of(table);
        let columns: Vec<&str> = known.iter().map(String::as_str).collect();
        self.constraint_of(table, constraint, is_online, &columns);
    }

    fn constraint_of(&mut self, table: &ObjectName, constraint: &Constraint, is_online: bool, columns: &[&str]) {
        let name = self.dialect.bounded(constraint.name.as_deref().unwrap_or_default());
        let kind = constraint.rule.kind();
        if self.provider() == Provider::Sqlite {
            let rule = self.rule(constraint, columns);
            let words = format!("add {name} {rule}");
            let edit = match &constraint.rule {
                Rule::Primary(columns) => TableEdit::AddPrimaryKey { name: Some(name), columns: columns.clone() },
                _ => TableEdit::AddConstraint { name, definition: rule },
            };
            return self.edit(table, edit, words);
        }
        let mut definition = self.constraint(constraint, columns);
        let can_wait = matches!(kind, ConstraintKind::Foreign | ConstraintKind::Check);
        let later = self.dialect.unchecked.filter(|_| is_online && can_wait);
        if let Some((word, _)) = later {
            definition.push_str(word);
        }
        let touches = Touch::of_constraint(&name, constraint, self.provider());
        self.change(self.dialect.add_constraint, table, &[("definition", &definition)], touches);
        if let Some((_, validate)) = later {
            // In the transaction of the first statement its locks would still be held.
            let (name, table) = (self.dialect.quote(&name), self.dialect.object(table));
            let sql = render(validate, &[("table", &table), ("name", &name)]);
            self.add(super::Piece::Alone(sql), false);
        }
    }

    pub(super) fn drop_constraint(&mut self, table: &ObjectName, name: Option<&str>, kind: ConstraintKind) {
        let bounded = self.dialect.bounded(name.unwrap_or_default());
        let quoted = self.dialect.quote(&bounded);
        let how = self.dialect.how_to_drop(kind);
        let touch = if kind == ConstraintKind::Primary { Touch::drops_key() } else { Touch::part(&bounded) };
        if !self.change(how, table, &[("name", &quoted)], vec![touch]) {
            let (edit, words) = match kind {
                ConstraintKind::Primary => (TableEdit::DropPrimaryKey, "drop the primary key".to_owned()),
                _ => (TableEdit::DropConstraint { name: bounded.clone() }, format!("drop {bounded}")),
            };
            self.edit(table, edit, words);
        }
    }
}

/// The check that stands in for a type that the server does not have, as it is written behind a column.
pub(super) fn type_check(dialect: &Dialect, table: &str, column: &str, kind: &LogicalType) -> Option<String> {
    let name = dialect.quote(column);
    match (dialect.provider, kind) {
        (Provider::Sqlite, LogicalType::Bool) => Some(format!(" CHECK ({name} IN (0, 1))")),
        (Provider::Sqlite, LogicalType::Json) => Some(format!(" CHECK (json_valid({name}))")),
        (Provider::SqlServer, LogicalType::Json) => {
            let constraint = dialect.quote(&dialect.bounded(&format!("CK_{table}_{column}_Json")));
            Some(format!(" CONSTRAINT {constraint} CHECK (ISJSON({name}) = 1)"))
        }
        _ => None,
    }
}

/// The name of a default on SQL Server.
pub(super) fn default_name(table: &ObjectName, column: &str) -> String {
    format!("DF_{}_{column}", table.name)
}

/// Whether SQLite's `ADD COLUMN` takes the column.
fn fits_plain_add(column: &Column, constraints: &[Constraint]) -> bool {
    let is_constant = match &column.default {
        Some(Value::Now | Value::Uuid | Value::Sql(_)) => false,
        None => column.is_nullable,
        Some(_) => true,
    };
    let is_stored = column.generated.as_ref().is_some_and(|generated| generated.is_stored);
    is_constant && constraints.is_empty() && !is_stored
}

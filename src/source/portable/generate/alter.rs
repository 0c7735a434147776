//! Changes of columns that exist.

use super::super::dialect::Altering;
use super::super::model::{Traits, Value};
use super::super::types::LogicalType;
use super::Generator;
use super::table::default_name;
use crate::domain::{ObjectName, Provider, TableEdit};

impl Generator<'_> {
    pub(super) fn drop_column(&mut self, table: &ObjectName, column: &str, is_plain: bool) {
        let at = self.at();
        let quoted = self.column_name(at, column);
        let name = self.dialect.object(table);
        let (literal, table_text) = (self.dialect.text(column), self.dialect.text(&name));
        let in_text = name.replace('\'', "''");
        let values = [
            ("column", quoted.as_str()),
            ("column_text", literal.as_str()),
            ("table_text", table_text.as_str()),
            ("table_in_text", in_text.as_str()),
        ];
        let edit = (TableEdit::DropColumn { name: column.to_owned() }, format!("drop column {column}"));
        if is_plain && self.provider() == Provider::Sqlite {
            // Nothing can stand in the way of a column that this same migration added without constraints.
            return self.clause_or(table, format!("DROP COLUMN {quoted}"), &[column], Some(edit));
        }
        if !self.change(self.dialect.drop_column, table, &values, &[column]) {
            self.edit(table, edit.0, edit.1);
        }
    }

    pub(super) fn rename_column(&mut self, table: &ObjectName, column: &str, to: &str) {
        let at = self.at();
        let (from, quoted) = (self.column_name(at, column), self.column_name(at, to));
        let path = self.dialect.text(&format!("{}.{from}", self.dialect.object(table)));
        let literal = self.dialect.text(to);
        let values = [("column", from.as_str()), ("to", &quoted), ("path_text", &path), ("to_text", &literal)];
        self.change(self.dialect.rename_column, table, &values, &[column, to]);
    }

    pub(super) fn alter_column(&mut self, table: &ObjectName, column: &str, to: &Traits, was: Option<&Traits>) {
        // Checks the names.
        let (at, name) = (self.at(), self.object(table));
        let quoted = self.column_name(at, column);
        match self.dialect.altering {
            Altering::ByTrait => self.alter_by_trait(table, column, to, was),
            Altering::Whole => self.alter_whole(table, column, to, was),
            Altering::SqlServer => self.alter_sql_server(table, &name, column, &quoted, to, was),
            Altering::Rebuild => self.alter_by_rebuild(table, column, to, was),
        }
    }

    /// The type's SQL, if one is said.
    fn type_of(&self, traits: &Traits) -> Option<String> {
        let own = traits.native.get(&self.provider()).cloned();
        own.or_else(|| traits.kind.as_ref().map(|kind| kind.sql(self.provider())))
    }

    /// The default's SQL, where one is said.
    #[allow(clippy::option_option, reason = "not said is not the same as none")]
    fn default_of(&mut self, to: &Traits, was: Option<&Traits>) -> Option<Option<String>> {
        let kind = to.kind.clone().or_else(|| was.and_then(|was| was.kind.clone())).unwrap_or(LogicalType::String(1));
        let default: &Option<Value> = to.default.as_ref()?;
        Some(default.as_ref().map(|value| self.default(value, &kind)))
    }

    fn alter_by_trait(&mut self, table: &ObjectName, column: &str, to: &Traits, was: Option<&Traits>) {
        let quoted = self.dialect.quote(column);
        let mut clauses = Vec::new();
        let default = self.default_of(to, was);
        if let Some(sql_type) = self.type_of(to) {
            // The old default may not go over into the new type.
            if to.default.is_some() {
                clauses.push(format!("ALTER COLUMN {quoted} DROP DEFAULT"));
            }
            clauses.push(format!("ALTER COLUMN {quoted} TYPE {sql_type} USING {quoted}::{sql_type}"));
        }
        if let Some(is_nullable) = to.is_nullable {
            let word = if is_nullable { "DROP" } else { "SET" };
            clauses.push(format!("ALTER COLUMN {quoted} {word} NOT NULL"));
        }
        match default {
            Some(Some(expression)) => clauses.push(format!("ALTER COLUMN {quoted} SET DEFAULT {expression}")),
            Some(None) if self.type_of(to).is_none() => clauses.push(format!("ALTER COLUMN {quoted} DROP DEFAULT")),
            _ => {}
        }
        let separator = if clauses.len() > 1 { ",\n    " } else { ", " };
        self.clause(table, clauses.join(separator), &[column]);
    }

    /// What has to be known besides what changes, for servers that take a column's whole definition.
    fn known<T: Clone>(&mut self, to: Option<&T>, was: Option<&T>, key: &str) -> Option<T> {
        let known = to.or(was).cloned();
        if known.is_none() {
            let at = self.at();
            let message = format!("the column's definition is replaced as a whole, and its '{key}' is not said");
            self.unable(at, message, format!("write '{key}: …', or what it was before under 'was'"));
        }
        known
    }

    fn alter_whole(&mut self, table: &ObjectName, column: &str, to: &Traits, was: Option<&Traits>) {
        let quoted = self.dialect.quote(column);
        if self.type_of(to).is_none() && to.is_nullable.is_none() {
            let clause = match self.default_of(to, was) {
                Some(Some(expression)) => format!("ALTER COLUMN {quoted} SET DEFAULT {expression}"),
                _ => format!("ALTER COLUMN {quoted} DROP DEFAULT"),
            };
            return self.clause(table, clause, &[column]);
        }
        let before = was.and_then(|was| self.type_of(was));
        let sql_type = self.known(self.type_of(to).as_ref(), before.as_ref(), "type");
        let is_nullable = self.known(to.is_nullable.as_ref(), was.and_then(|was| was.is_nullable.as_ref()), "nullable");
        let default = self.known(to.default.as_ref(), was.and_then(|was| was.default.as_ref()), "default");
        let (Some(sql_type), Some(is_nullable), Some(default)) = (sql_type, is_nullable, default) else { return };
        let whole = Traits { default: Some(default), ..to.clone() };
        let mut clause = format!("MODIFY COLUMN {quoted} {sql_type}");
        clause.push_str(if is_nullable { " NULL" } else { " NOT NULL" });
        if let Some(Some(expression)) = self.default_of(&whole, was) {
            clause.push_str(&format!(" DEFAULT {expression}"));
        }
        self.clause(table, clause, &[column]);
    }

    fn alter_sql_server(
        &mut self,
        table: &ObjectName,
        name: &str,
        column: &str,
        quoted: &str,
        to: &Traits,
        was: Option<&Traits>,
    ) {
        let default = self.default_of(to, was);
        let mut definition = String::new();
        if self.type_of(to).is_some() || to.is_nullable.is_some() {
            let before = was.and_then(|was| self.type_of(was));
            let sql_type = self.known(self.type_of(to).as_ref(), before.as_ref(), "type");
            let is_nullable =
                self.known(to.is_nullable.as_ref(), was.and_then(|was| was.is_nullable.as_ref()), "nullable");
            let (Some(sql_type), Some(is_nullable)) = (sql_type, is_nullable) else { return };
            definition = format!("{sql_type} {}", if is_nullable { "NULL" } else { "NOT NULL" });
        }
        let (table_text, column_text) = (self.dialect.text(name), self.dialect.text(column));
        let in_text = name.replace('\'', "''");
        // The default is a constraint of its own, in whose presence a column cannot be changed.
        let mut sql = format!(
            "DECLARE @name sysname, @default nvarchar(max), @sql nvarchar(max);\n\
             SELECT @name = d.name, @default = d.definition\n\
             FROM sys.default_constraints d\n\
             JOIN sys.columns c ON c.object_id = d.parent_object_id AND c.column_id = d.parent_column_id\n\
             WHERE d.parent_object_id = OBJECT_ID({table_text}) AND c.name = {column_text};\n\
             SET @sql = N'ALTER TABLE {in_text} DROP CONSTRAINT ' + QUOTENAME(@name);\n\
             IF @name IS NOT NULL EXEC sp_executesql @sql"
        );
        if !definition.is_empty() {
            sql.push_str(&format!(";\nALTER TABLE {name} ALTER COLUMN {quoted} {definition}"));
        }
        match default {
            Some(Some(expression)) => {
                let constraint = self.bounded(&default_name(table, column));
                sql.push_str(&format!(
                    ";\nALTER TABLE {name} ADD CONSTRAINT {constraint} DEFAULT {expression} FOR {quoted}"
                ));
            }
            Some(None) => {}
            None => {
                let quoted_in_text = quoted.replace('\'', "''");
                sql.push_str(&format!(
                    ";\nSET @sql = N'ALTER TABLE {in_text} ADD CONSTRAINT ' + QUOTENAME(@name) + N' DEFAULT ' + @default + N' FOR {quoted_in_text}';\n\
                     IF @name IS NOT NULL EXEC sp_executesql @sql"
                ));
            }
        }
        self.whole_on(table, sql);
    }

    fn alter_by_rebuild(&mut self, table: &ObjectName, column: &str, to: &Traits, was: Option<&Traits>) {
        let name = column.to_owned();
        if let Some(sql_type) = self.type_of(to) {
            let words = format!("alter column {column} to {}", sql_type.to_lowercase());
            self.edit(table, TableEdit::SetType { column: name.clone(), sql_type }, words);
        }
        if let Some(nullable) = to.is_nullable {
            let words = format!("{} NULL in column {column}", if nullable { "allow" } else { "forbid" });
            self.edit(table, TableEdit::SetNullable { column: name.clone(), nullable }, words);
        }
        if let Some(expression) = self.default_of(to, was) {
            let words = match &expression {
                Some(expression) => format!("set the default of column {column} to {expression}"),
                None => format!("drop the default of column {column}"),
            };
            self.edit(table, TableEdit::SetDefault { column: name, expression }, words);
        }
    }
}

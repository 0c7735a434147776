//! Changes of columns that exist.

use super::super::conversion;
use super::super::dialect::Altering;
use super::super::known::says;
use super::super::model::{Constraint, ConstraintKind, Identity, Rule, Traits, Value};
use super::super::types::LogicalType;
use super::Generator;
use super::check::{changes_definition, changes_type};
use super::table::{default_name, type_check};
use super::touch::Touch;
use crate::domain::{ObjectName, Provider, TableEdit};

impl Generator<'_, '_> {
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
        self.drop_checks_of_generated(table, column);
        let touches = vec![Touch::moves(column)];
        if is_plain && self.provider() == Provider::Sqlite {
            // Nothing can stand in the way of a column that this same migration added without constraints.
            return self.clause_or(table, format!("DROP COLUMN {quoted}"), touches, Some(edit));
        }
        if !self.change(self.dialect.drop_column, table, &values, touches) {
            self.edit(table, edit.0, edit.1);
        }
    }

    /// MariaDB drops the checks of a column with it, but not those of a generated one.
    fn drop_checks_of_generated(&mut self, table: &ObjectName, column: &str) {
        if self.provider() != Provider::MySql {
            return;
        }
        let Some(known) = self.known.table(table) else { return };
        if !known.columns.iter().any(|each| each.name == column && each.generated.is_some()) {
            return;
        }
        let is_about = |each: &&Constraint| matches!(&each.rule, Rule::Check { expression, .. } if says(expression, Some(Provider::MySql), column));
        let names: Vec<_> = known.constraints.iter().filter(is_about).filter_map(|each| each.name.clone()).collect();
        for name in names {
            self.drop_constraint(table, Some(&name), ConstraintKind::Check);
        }
    }

    pub(super) fn rename_column(&mut self, table: &ObjectName, column: &str, to: &str) {
        let at = self.at();
        let (from, quoted) = (self.column_name(at, column), self.column_name(at, to));
        let path = self.dialect.text(&format!("{}.{from}", self.dialect.object(table)));
        let literal = self.dialect.text(to);
        let values = [("column", from.as_str()), ("to", &quoted), ("path_text", &path), ("to_text", &literal)];
        self.change(self.dialect.rename_column, table, &values, vec![Touch::moves(column), Touch::moves(to)]);
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
    fn default_of(
        &mut self,
        table: &ObjectName,
        column: &str,
        to: &Traits,
        was: Option<&Traits>,
    ) -> Option<Option<String>> {
        let default: &Option<Value> = to.default.as_ref()?;
        let said = to.kind.clone().or_else(|| was.and_then(|was| was.kind.clone()));
        let kind = said.or_else(|| self.known.column(table, column).map(|known| known.kind.clone()));
        Some(default.as_ref().map(|value| self.default(value, kind.as_ref())))
    }

    /// Whether the server gives the column its numbers, as far as that is said here or before.
    #[allow(clippy::option_option, reason = "not said is not the same as none")]
    fn identity_of(
        &self,
        table: &ObjectName,
        column: &str,
        to: &Traits,
        was: Option<&Traits>,
    ) -> Option<Option<Identity>> {
        let said = to.identity.or_else(|| was.and_then(|was| was.identity));
        said.or_else(|| {
            self.known.column(table, column).filter(|known| known.identity.is_some()).map(|known| known.identity)
        })
    }

    fn alter_by_trait(&mut self, table: &ObjectName, column: &str, to: &Traits, was: Option<&Traits>) {
        let quoted = self.dialect.quote(column);
        let mut clauses = Vec::new();
        // An identity's numbers are no default.
        let has_default = !matches!(self.identity_of(table, column, to, was), Some(Some(_)));
        let default = self.default_of(table, column, to, was).filter(|_| has_default);
        let stays = self.known.column(table, column).is_some_and(|known| !changes_type(self.provider(), known, to));
        let new_type = self.type_of(to).filter(|_| !stays);
        let is_new = new_type.is_some();
        if let Some(sql_type) = new_type {
            // The old default may not go over into the new type.
            if default.is_some() {
                clauses.push(format!("ALTER COLUMN {quoted} DROP DEFAULT"));
            }
            let using = self.using(table, column, to, was, &sql_type);
            let using = using.map(|using| format!(" USING {using}")).unwrap_or_default();
            clauses.push(format!("ALTER COLUMN {quoted} TYPE {sql_type}{using}"));
        }
        if let Some(is_nullable) = to.is_nullable {
            let word = if is_nullable { "DROP" } else { "SET" };
            clauses.push(format!("ALTER COLUMN {quoted} {word} NOT NULL"));
        }
        match default {
            Some(Some(expression)) => clauses.push(format!("ALTER COLUMN {quoted} SET DEFAULT {expression}")),
            Some(None) if !is_new => clauses.push(format!("ALTER COLUMN {quoted} DROP DEFAULT")),
            _ => {}
        }
        if !clauses.is_empty() {
            let separator = if clauses.len() > 1 { ",\n    " } else { ", " };
            self.clause(table, clauses.join(separator), vec![Touch::alters(column)]);
        }
        self.change_comment(table, column, to);
    }

    /// How PostgreSQL gets the values of the new type.
    fn using(
        &self,
        table: &ObjectName,
        column: &str,
        to: &Traits,
        was: Option<&Traits>,
        sql_type: &str,
    ) -> Option<String> {
        let (provider, quoted) = (self.provider(), self.dialect.quote(column));
        let kind = to.kind.as_ref().filter(|_| !to.native.contains_key(&provider));
        let Some(kind) = kind else { return Some(format!("{quoted}::{sql_type}")) };
        let known = match self.known.column(table, column) {
            Some(known) => Some(&known.kind).filter(|_| !known.native.contains_key(&provider)),
            None => was.filter(|was| !was.native.contains_key(&provider)).and_then(|was| was.kind.as_ref()),
        };
        conversion::using(known, kind, &quoted, sql_type)
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
        if self.type_of(to).is_none() && to.is_nullable.is_none() && to.comment.is_none() {
            let clause = match self.default_of(table, column, to, was) {
                // MySQL takes a literal for no expression there, even between parentheses.
                Some(Some(expression)) if expression.starts_with("('") || expression.starts_with("(X'") => {
                    format!("ALTER COLUMN {quoted} SET DEFAULT (CONCAT{expression})")
                }
                Some(Some(expression)) => format!("ALTER COLUMN {quoted} SET DEFAULT {expression}"),
                _ => format!("ALTER COLUMN {quoted} DROP DEFAULT"),
            };
            return self.clause(table, clause, vec![Touch::alters(column)]);
        }
        let before = was.and_then(|was| self.type_of(was));
        let sql_type = self.known(self.type_of(to).as_ref(), before.as_ref(), "type");
        let is_nullable = self.known(to.is_nullable.as_ref(), was.and_then(|was| was.is_nullable.as_ref()), "nullable");
        let identity = self.whole_identity(table, column, to, was);
        let default = match identity {
            Some(Some(_)) => Some(None),
            _ => self.known(to.default.as_ref(), was.and_then(|was| was.default.as_ref()), "default"),
        };
        let comment = self.whole_comment(table, column, to, was);
        let (Some(sql_type), Some(is_nullable), Some(default)) = (sql_type, is_nullable, default) else { return };
        let whole = Traits { default: Some(default), ..to.clone() };
        let mut clause = format!("MODIFY COLUMN {quoted} {sql_type}");
        clause.push_str(if is_nullable { " NULL" } else { " NOT NULL" });
        if let Some(Some(expression)) = self.default_of(table, column, &whole, was) {
            clause.push_str(&format!(" DEFAULT {expression}"));
        }
        if let Some(Some(_)) = identity {
            clause.push_str(" AUTO_INCREMENT");
        }
        if let Some(Some(comment)) = comment {
            clause.push_str(&format!(" COMMENT {}", self.dialect.text(&comment)));
        }
        self.clause(table, clause, vec![Touch::alters(column)]);
    }

    /// What would end if it were not said again. A table that is not known may have what nobody here has heard of.
    #[allow(clippy::option_option, reason = "not said is not the same as none")]
    fn whole_identity(
        &mut self,
        table: &ObjectName,
        column: &str,
        to: &Traits,
        was: Option<&Traits>,
    ) -> Option<Option<Identity>> {
        let said = to.identity.as_ref();
        let before = was.and_then(|was| was.identity.as_ref());
        let kind = to.kind.as_ref().or_else(|| was.and_then(|was| was.kind.as_ref()));
        match self.known.column(table, column) {
            Some(known) if known.identity.is_none() => Some(None),
            // A server numbers nothing but whole numbers.
            None if said.is_none() && kind.is_some_and(|kind| !kind.is_whole()) => Some(None),
            _ => self.known(said, before, "identity"),
        }
    }

    #[allow(clippy::option_option, reason = "not said is not the same as none")]
    fn whole_comment(
        &mut self,
        table: &ObjectName,
        column: &str,
        to: &Traits,
        was: Option<&Traits>,
    ) -> Option<Option<String>> {
        let (said, before) = (to.comment.as_ref(), was.and_then(|was| was.comment.as_ref()));
        match self.known.column(table, column) {
            Some(known) if known.comment.is_none() && said.is_none() => Some(None),
            _ => self.known(said, before, "comment"),
        }
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
        let default = self.default_of(table, column, to, was);
        let mut definition = String::new();
        let stays =
            self.known.column(table, column).is_some_and(|known| !changes_definition(self.provider(), known, to));
        if !stays && (self.type_of(to).is_some() || to.is_nullable.is_some()) {
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
        let checks = self.changed_check(table, column, to);
        let has_checks = checks.is_some();
        if checks.as_ref().is_some_and(|(is_old, _)| *is_old) {
            sql.push_str(&self.drop_json_check(name, column));
        }
        if !definition.is_empty() {
            sql.push_str(&format!(";\nALTER TABLE {name} ALTER COLUMN {quoted} {definition}"));
        }
        if let Some((_, Some(check))) = checks {
            sql.push_str(&format!(";\nALTER TABLE {name} ADD{check}"));
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
        if definition.is_empty() && to.default.is_none() && !has_checks {
            return self.change_comment(table, column, to);
        }
        self.whole_on(table, sql);
        self.change_comment(table, column, to);
    }

    /// Whether a check that stands in for the old type may be there, and the one for the new type. `None` when the type
    /// stays.
    fn changed_check(&self, table: &ObjectName, column: &str, to: &Traits) -> Option<(bool, Option<String>)> {
        let provider = self.provider();
        let kind = to.kind.as_ref()?;
        let (mut old, own) = match self.known.column(table, column) {
            Some(known) => (
                type_check(self.dialect, &table.name, column, &known.kind).is_some(),
                known.native.contains_key(&provider),
            ),
            None => (true, false),
        };
        old &= !own;
        let new =
            if to.native.contains_key(&provider) { None } else { type_check(self.dialect, &table.name, column, kind) };
        (old || new.is_some()).then_some((old, new))
    }

    /// Its name says how table and column were called when it was made, so it is found by what it says.
    fn drop_json_check(&self, name: &str, column: &str) -> String {
        let bare = |text: &str| text.to_lowercase().replace([' ', '(', ')'], "");
        let wanted = self.dialect.text(&bare(&format!("isjson({})=1", self.dialect.quote(column))));
        let (table_text, in_text) = (self.dialect.text(name), name.replace('\'', "''"));
        format!(
            ";\nSET @sql = NULL;\n\
             SELECT @sql = N'ALTER TABLE {in_text} DROP CONSTRAINT ' + QUOTENAME(name) FROM sys.check_constraints\n\
             WHERE parent_object_id = OBJECT_ID({table_text})\n\
             \x20   AND REPLACE(REPLACE(REPLACE(LOWER(definition), N' ', N''), N'(', N''), N')', N'') = {wanted};\n\
             IF @sql IS NOT NULL EXEC sp_executesql @sql"
        )
    }

    fn alter_by_rebuild(&mut self, table: &ObjectName, column: &str, to: &Traits, was: Option<&Traits>) {
        let name = column.to_owned();
        let known = self.known.column(table, column);
        let is_new_type = known.is_none_or(|known| {
            let type_alone = Traits { is_nullable: None, ..to.clone() };
            changes_definition(self.provider(), known, &type_alone)
        });
        let was_nullable = known.map(|known| known.is_nullable);
        if let Some(sql_type) = self.type_of(to).filter(|_| is_new_type) {
            let words = format!("alter column {column} to {}", sql_type.to_lowercase());
            self.edit(table, TableEdit::SetType { column: name.clone(), sql_type }, words);
        }
        if let Some((is_old, check)) = self.changed_check(table, column, to) {
            let words = match &check {
                Some(check) => format!("with{check} on column {column}"),
                None => format!("without the check of another type on column {column}"),
            };
            let kinds = [LogicalType::Bool, LogicalType::Json].iter().filter(|_| is_old);
            let gone = kinds.filter_map(|kind| type_check(self.dialect, "", column, kind)).collect();
            self.edit(table, TableEdit::SetTypeCheck { column: name.clone(), gone, check }, words);
        }
        if let Some(nullable) = to.is_nullable.filter(|nullable| was_nullable != Some(*nullable)) {
            let words = format!("{} NULL in column {column}", if nullable { "allow" } else { "forbid" });
            self.edit(table, TableEdit::SetNullable { column: name.clone(), nullable }, words);
        }
        if let Some(expression) = self.default_of(table, column, to, was) {
            let words = match &expression {
                Some(expression) => format!("set the default of column {column} to {expression}"),
                None => format!("drop the default of column {column}"),
            };
            self.edit(table, TableEdit::SetDefault { column: name, expression }, words);
        }
        self.change_comment(table, column, to);
    }
}

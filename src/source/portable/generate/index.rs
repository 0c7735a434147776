//! Indexes.

use super::super::model::{Index, IndexWhat};
use super::touch::Touch;
use super::{Generator, Piece};
use crate::domain::{ObjectName, TableEdit, render};

impl Generator<'_, '_> {
    pub(super) fn create_index(&mut self, table: &ObjectName, index: &Index, is_online: bool) {
        let known = self.columns_of(table);
        let parts = index.parts.iter().filter_map(|part| match &part.what {
            IndexWhat::Column(name) => Some(name.as_str()),
            IndexWhat::Expression(_) => None,
        });
        let columns: Vec<&str> = parts.chain(known.iter().map(String::as_str)).collect();
        if !self.dialect.indexes.belongs_to_table {
            return self.index_statement(table, index, &columns, is_online);
        }
        // Checks that the server has no schemas.
        self.object(table);
        let name = self.dialect.bounded(index.name.as_deref().unwrap_or_default());
        let mut clause = format!("ADD {}", self.index_clause(index, &columns));
        let has_options = self
            .operation
            .is_some_and(|operation| operation.mysql.algorithm.is_some() || operation.mysql.lock.is_some());
        if is_online && !has_options {
            clause.push_str(self.dialect.indexes.online.end);
            // A name that every clause touches keeps it from being merged with others.
            let sql = format!("ALTER TABLE {} {clause}", self.dialect.object(table));
            return self.whole_on(table, sql);
        }
        let touches = Touch::of_index(&name, index, self.provider());
        self.clause(table, clause, touches);
    }

    /// An index inside `CREATE TABLE`, or behind `ADD`.
    pub(super) fn index_clause(&mut self, index: &Index, columns: &[&str]) -> String {
        let parts = self.parts(index, columns);
        let name = self.bounded(index.name.as_deref().unwrap_or_default());
        let unique = if index.is_unique { "UNIQUE " } else { "" };
        format!("{unique}INDEX {name} ({parts})")
    }

    pub(super) fn index_statement(&mut self, table: &ObjectName, index: &Index, columns: &[&str], is_online: bool) {
        let parts = self.parts(index, columns);
        let (name, on) = (self.bounded(index.name.as_deref().unwrap_or_default()), self.object(table));
        let unique = if index.is_unique { "UNIQUE " } else { "" };
        let online = if is_online { self.dialect.indexes.online } else { super::super::dialect::Online::default() };
        let mut sql = format!("CREATE {unique}INDEX{} {name} ON {on} ({parts})", online.word);
        if !index.include.is_empty() && self.dialect.indexes.included {
            sql.push_str(&format!(" INCLUDE ({})", self.dialect.list(&index.include)));
        }
        if let Some(filter) = index.filter.as_ref().filter(|_| self.dialect.indexes.partial) {
            sql.push_str(&format!(" WHERE {}", self.sql(filter, columns)));
        }
        if online.asked.is_empty() {
            sql.push_str(online.end);
        } else {
            let (sql_text, end_text) = (self.dialect.text(&sql), self.dialect.text(online.end));
            sql = render(online.asked, &[("sql_text", &sql_text), ("end_text", &end_text)]);
        }
        let (table, is_fresh) = (table.clone(), self.fresh.contains(table));
        self.add(Piece::Index { table, sql, is_unique: index.is_unique }, is_fresh);
    }

    /// What stands between the parentheses; says what the server cannot do.
    fn parts(&mut self, index: &Index, columns: &[&str]) -> String {
        let features = self.dialect.indexes;
        let elsewhere = "say with 'providers' where the index is for, and write another one for this server";
        if index.filter.is_some() && !features.partial {
            let hint =
                format!("{elsewhere}, such as one over a generated column that is NULL outside of the condition");
            self.unable(index.at, "an index can't cover part of the rows ('where')", hint);
        }
        if !index.include.is_empty() && !features.included {
            self.unable(index.at, "an index can't carry further columns ('include')", elsewhere);
        }
        let mut parts = Vec::new();
        for part in &index.parts {
            let mut sql = match &part.what {
                IndexWhat::Column(name) => self.column_name(index.at, name),
                IndexWhat::Expression(text) => {
                    if !features.expressions {
                        let hint = format!("{elsewhere}, such as one over a generated column");
                        self.unable(index.at, "an index can't be over an expression", hint);
                    }
                    format!("({})", self.sql(text, columns))
                }
            };
            if part.is_descending {
                sql.push_str(" DESC");
            }
            parts.push(sql);
        }
        parts.join(", ")
    }

    pub(super) fn drop_index(&mut self, table: &ObjectName, name: &str) {
        let is_online = self.operation.is_some_and(|operation| operation.is_online);
        let online = if is_online { self.dialect.indexes.drop_online } else { "" };
        let bounded = self.dialect.bounded(name);
        let quoted = self.dialect.quote(&bounded);
        let index = self.dialect.object(&ObjectName { schema: table.schema.clone(), name: bounded.clone() });
        let values = [("name", quoted.as_str()), ("index", index.as_str()), ("online", online)];
        self.change(self.dialect.drop_index, table, &values, vec![Touch::part(&bounded)]);
    }

    pub(super) fn rename_index(&mut self, table: &ObjectName, name: &str, to: &str) {
        let (from, target) = (self.dialect.bounded(name), self.dialect.bounded(to));
        let index = self.dialect.object(&ObjectName { schema: table.schema.clone(), name: from.clone() });
        let (quoted, quoted_to) = (self.dialect.quote(&from), self.dialect.quote(&target));
        let path = self.dialect.text(&format!("{}.{quoted}", self.dialect.object(table)));
        let literal = self.dialect.text(&target);
        let values = [
            ("name", quoted.as_str()),
            ("index", index.as_str()),
            ("to", quoted_to.as_str()),
            ("path_text", path.as_str()),
            ("to_text", literal.as_str()),
        ];
        let touches = vec![Touch::part(&from), Touch::part(&target)];
        if !self.change(self.dialect.rename_index, table, &values, touches) {
            let words = format!("rename index {from} to {target}");
            self.edit(table, TableEdit::RenameIndex { name: from, to: target }, words);
        }
    }
}

//! Views and rows.

use super::super::model::{SqlText, Value};
use super::Generator;
use crate::domain::{ObjectName, Provider, render};

impl Generator<'_, '_> {
    pub(super) fn create_view(&mut self, view: &ObjectName, query: &SqlText, replaces: bool) {
        let name = self.object(view);
        let query = self.sql(query, &[]);
        let (first, word) = if replaces { self.dialect.replace_view } else { (None, "CREATE VIEW") };
        if let Some(first) = first {
            self.whole(render(first, &[("table", &name)]));
        }
        self.whole(format!("{word} {name} AS\n{query}"));
    }

    fn value(&mut self, table: &ObjectName, column: &str, value: &Value) -> String {
        match value {
            Value::Sql(text) => {
                let columns = self.columns_of(table);
                let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                let expression = self.sql(text, &columns);
                format!("({expression})")
            }
            other => {
                let provider = self.provider();
                let known = self.known.column(table, column).filter(|known| !known.native.contains_key(&provider));
                let kind = known.map(|known| known.kind.clone());
                self.literal(other, kind.as_ref())
            }
        }
    }

    pub(super) fn insert(&mut self, table: &ObjectName, rows: &[Vec<(String, Value)>]) {
        let name = self.object(table);
        let columns = |row: &[(String, Value)]| row.iter().map(|(column, _)| column.clone()).collect::<Vec<_>>();
        let numbered = self.numbered(table, rows);
        let mut rest = rows;
        while let Some(first) = rest.first() {
            let named = columns(first);
            let same = rest.iter().take(self.dialect.rows).take_while(|row| columns(row) == named).count().max(1);
            let (now, later) = rest.split_at(same);
            let lines = self.lines(table, now);
            let separator = if lines.len() > 1 { "\n    " } else { " " };
            let list = self.dialect.list(&named);
            let is_numbered = numbered.iter().any(|(column, _)| named.contains(column));
            let overriding = if is_numbered && self.provider() == Provider::Postgres {
                // It does nothing where the server would not give the number itself, or only where there is none.
                " OVERRIDING SYSTEM VALUE"
            } else {
                ""
            };
            let sql = format!("INSERT INTO {name} ({list}){overriding} VALUES{separator}{}", lines.join(",\n    "));
            let texts: Vec<_> = named.iter().map(|column| self.dialect.text(column)).collect();
            let (table_text, columns) = (self.dialect.text(&name), texts.join(", "));
            let values = [("sql", sql.as_str()), ("table", &name), ("table_text", &table_text), ("columns", &columns)];
            let [certain, uncertain] = self.dialect.insert;
            let is_known = self.known.table(table).is_some();
            self.rows(match (is_known, is_numbered) {
                (true, false) => sql,
                (true, true) => render(certain, &values),
                (false, _) => render(uncertain, &values),
            });
            rest = later;
        }
        if self.provider() == Provider::Postgres {
            numbered.iter().for_each(|(column, is_certain)| self.go_on_counting(&name, column, *is_certain));
        }
    }

    /// The rows' values, each row in parentheses.
    fn lines(&mut self, table: &ObjectName, rows: &[Vec<(String, Value)>]) -> Vec<String> {
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            let mut values = Vec::with_capacity(row.len());
            for (index, (column, value)) in row.iter().enumerate() {
                // SQL Server takes all values of a column for numbers when one is.
                let is_mixed = self.provider() == Provider::SqlServer
                    && matches!(value, Value::Number(_))
                    && rows.iter().any(|row| matches!(row.get(index), Some((_, Value::Text(_)))));
                values.push(match value {
                    Value::Number(text) if is_mixed => self.dialect.text(text),
                    value => self.value(table, column, value),
                });
            }
            lines.push(format!("({})", values.join(", ")));
        }
        lines
    }

    /// The columns with numbers that the server would give itself, and whether that is certain.
    fn numbered(&self, table: &ObjectName, rows: &[Vec<(String, Value)>]) -> Vec<(String, bool)> {
        if let Some(known) = self.known.table(table) {
            let is_given = |name: &String| rows.iter().flatten().any(|(column, _)| column == name);
            let own = known.columns.iter().filter(|each| each.identity.is_some() && is_given(&each.name));
            return own.map(|each| (each.name.clone(), true)).collect();
        }
        let mut found: Vec<(String, bool)> = Vec::new();
        for (column, value) in rows.iter().flatten() {
            let is_whole = matches!(value, Value::Number(text) if text.bytes().all(|byte| byte.is_ascii_digit()));
            if is_whole && !found.iter().any(|(known, _)| known == column) {
                found.push((column.clone(), false));
            }
        }
        found
    }

    /// PostgreSQL does not notice numbers that it has not given, and would give them again.
    fn go_on_counting(&mut self, table: &str, column: &str, is_certain: bool) {
        let (table_text, column_text) = (self.dialect.text(table), self.dialect.text(column));
        let quoted = self.dialect.quote(column);
        // What is not asked for is not computed, so a column of any type may be looked at like this.
        let number = if is_certain { quoted } else { format!("{quoted}::text::bigint") };
        self.whole(format!(
            "SELECT setval(own::regclass, GREATEST(nextval(own::regclass), (SELECT max({number}) FROM {table})))\n\
             FROM pg_get_serial_sequence({table_text}, {column_text}) AS own WHERE own IS NOT NULL"
        ));
    }

    pub(super) fn update(&mut self, table: &ObjectName, set: &[(String, Value)], filter: Option<&SqlText>) {
        let name = self.object(table);
        let mut parts = Vec::new();
        for (column, value) in set {
            let value = self.value(table, column, value);
            parts.push(format!("{} = {value}", self.dialect.quote(column)));
        }
        let filter = self.filter(table, filter);
        self.rows(format!("UPDATE {name} SET {}{filter}", parts.join(", ")));
    }

    pub(super) fn delete(&mut self, table: &ObjectName, filter: Option<&SqlText>) {
        let name = self.object(table);
        let filter = self.filter(table, filter);
        self.rows(format!("DELETE FROM {name}{filter}"));
    }

    fn filter(&mut self, table: &ObjectName, filter: Option<&SqlText>) -> String {
        let columns = self.columns_of(table);
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        filter.map(|text| format!(" WHERE {}", self.sql(text, &columns))).unwrap_or_default()
    }
}

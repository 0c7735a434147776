//! Views and rows.

use super::super::model::{SqlText, Value};
use super::Generator;
use crate::domain::{ObjectName, render};

impl Generator<'_> {
    pub(super) fn create_view(&mut self, view: &ObjectName, query: &SqlText, replaces: bool) {
        let name = self.object(view);
        let query = self.sql(query, &[]);
        if replaces {
            let sql = render(self.dialect.replace_view, &[("table", &name)]);
            self.whole(sql);
        }
        self.whole(format!("CREATE VIEW {name} AS\n{query}"));
    }

    fn value(&mut self, value: &Value) -> String {
        match value {
            Value::Sql(text) => {
                let expression = self.sql(text, &[]);
                format!("({expression})")
            }
            other => self.dialect.value(other, None).unwrap_or_default(),
        }
    }

    pub(super) fn insert(&mut self, table: &ObjectName, rows: &[Vec<(String, Value)>]) {
        let name = self.object(table);
        let columns = |row: &[(String, Value)]| row.iter().map(|(column, _)| column.clone()).collect::<Vec<_>>();
        let mut rest = rows;
        while let Some(first) = rest.first() {
            let named = columns(first);
            let same = rest.iter().take(self.dialect.rows).take_while(|row| columns(row) == named).count().max(1);
            let (now, later) = rest.split_at(same);
            let mut lines = Vec::with_capacity(now.len());
            for row in now {
                let values: Vec<_> = row.iter().map(|(_, value)| self.value(value)).collect();
                lines.push(format!("({})", values.join(", ")));
            }
            let separator = if lines.len() > 1 { "\n    " } else { " " };
            let list = self.dialect.list(&named);
            let sql = format!("INSERT INTO {name} ({list}) VALUES{separator}{}", lines.join(",\n    "));
            let texts: Vec<_> = named.iter().map(|column| self.dialect.text(column)).collect();
            let (table_text, columns) = (self.dialect.text(&name), texts.join(", "));
            let values = [("sql", sql.as_str()), ("table", &name), ("table_text", &table_text), ("columns", &columns)];
            self.rows(render(self.dialect.insert, &values));
            rest = later;
        }
    }

    pub(super) fn update(&mut self, table: &ObjectName, set: &[(String, Value)], filter: Option<&SqlText>) {
        let name = self.object(table);
        let mut parts = Vec::new();
        for (column, value) in set {
            let value = self.value(value);
            parts.push(format!("{} = {value}", self.dialect.quote(column)));
        }
        let filter = self.filter(filter);
        self.rows(format!("UPDATE {name} SET {}{filter}", parts.join(", ")));
    }

    pub(super) fn delete(&mut self, table: &ObjectName, filter: Option<&SqlText>) {
        let name = self.object(table);
        let filter = self.filter(filter);
        self.rows(format!("DELETE FROM {name}{filter}"));
    }

    fn filter(&mut self, filter: Option<&SqlText>) -> String {
        filter.map(|text| format!(" WHERE {}", self.sql(text, &[]))).unwrap_or_default()
    }
}

use std::collections::BTreeMap;

use super::StoreError;
use super::value::{Args, Value};
use crate::domain::{BranchRef, Provider, Selector};

/// The most branches that a selector may name: each is a parameter, and SQLite takes 32,766 of them in a statement.
const MAX_NAMED: usize = 20_000;

impl Selector {
    /// Refuses a selector that names more branches than a statement can hold. Requests are bounded far below that.
    pub(super) fn check_size(&self) -> Result<(), StoreError> {
        if self.branches.len() > MAX_NAMED {
            let count = self.branches.len();
            return Err(StoreError::internal(format!("a selector names {count} branches; at most {MAX_NAMED} work")));
        }
        Ok(())
    }
}

/// A query that is put together from fixed text and parameters.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) args: Args,
}

impl Query {
    /// Begins with this text, which has the placeholders of `args`.
    pub(super) fn new(sql: impl Into<String>, args: Args) -> Self {
        Self { sql: sql.into(), args }
    }

    /// Appends fixed text.
    pub(super) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Appends a parameter.
    pub(super) fn arg(&mut self, value: impl Into<Value>) -> &mut Self {
        self.args.push(value.into());
        self.sql.push_str(&format!("${}", self.args.len()));
        self
    }

    /// Appends `(…, …)` of parameters; for an empty list, one that matches nothing.
    pub(super) fn list<V: Into<Value>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Self {
        self.push("(");
        let mut first = true;
        for value in values {
            if !std::mem::take(&mut first) {
                self.push(", ");
            }
            self.arg(value);
        }
        if first {
            self.push("NULL");
        }
        self.push(")")
    }

    /// Appends `(VALUES …) AS v`: a table of parameters, whose columns are `v.column1` and so on. Each says its type, which
    /// PostgreSQL would not find out.
    pub(super) fn table(&mut self, rows: impl IntoIterator<Item = Args>) -> &mut Self {
        self.push("(VALUES ");
        for (number, row) in rows.into_iter().enumerate() {
            self.push(if number == 0 { "(" } else { ", (" });
            for (column, value) in row.into_iter().enumerate() {
                let kind = match value {
                    Value::Text(_) => " AS TEXT)",
                    Value::Int(_) => " AS BIGINT)",
                };
                self.push(if column == 0 { "CAST(" } else { ", CAST(" }).arg(value).push(kind);
            }
            self.push(")");
        }
        self.push(") AS v")
    }

    /// Appends a condition on `b`, a row of `branches`: it has all of these labels.
    pub(super) fn labels(&mut self, labels: &BTreeMap<String, String>) -> &mut Self {
        for (key, value) in labels {
            self.push(" AND EXISTS (SELECT 1 FROM branch_labels l WHERE l.branch_id = b.id AND l.key = ");
            self.arg(key.as_str()).push(" AND l.value = ").arg(value.as_str()).push(")");
        }
        self
    }

    /// Appends a condition on `b`: it is on one of these providers, or there are none.
    pub(super) fn providers(&mut self, providers: &[Provider]) -> &mut Self {
        if !providers.is_empty() {
            self.push(" AND b.provider IN ").list(providers.iter().map(|provider| provider.as_str()));
        }
        self
    }

    /// Appends a condition on `b`: the selector means it.
    pub(super) fn selector(&mut self, selector: &Selector) -> &mut Self {
        self.references(&selector.branches).labels(&selector.labels).providers(&selector.providers)
    }

    /// Appends a condition on `b`: it is one of these, or there are none.
    pub(super) fn references(&mut self, references: &[BranchRef]) -> &mut Self {
        if references.is_empty() {
            return self;
        }
        let ids = references.iter().filter_map(|reference| match reference {
            BranchRef::Id(id) => Some(*id),
            BranchRef::Code(_) => None,
        });
        let codes = references.iter().filter_map(|reference| match reference {
            BranchRef::Id(_) => None,
            BranchRef::Code(code) => Some(code.folded()),
        });
        self.push(" AND (b.id IN ").list(ids).push(" OR b.code_folded IN ").list(codes).push(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_count_on() {
        let mut query = Query::new("SELECT 1 WHERE a = $1", vec![Value::from(1i64)]);
        query.push(" AND b IN ").list(["x", "y"]).push(" AND c IN ").list(Vec::<i64>::new());
        assert_eq!(query.sql, "SELECT 1 WHERE a = $1 AND b IN ($2, $3) AND c IN (NULL)");
        assert_eq!(query.args.len(), 3);
        let mut query = Query::new("SELECT * FROM ", Vec::new());
        query.table([crate::store::value::args!["a", 1i64], crate::store::value::args!["b", 2i64]]);
        let rows = "(CAST($1 AS TEXT), CAST($2 AS BIGINT)), (CAST($3 AS TEXT), CAST($4 AS BIGINT))";
        assert_eq!(query.sql, format!("SELECT * FROM (VALUES {rows}) AS v"));
    }
}

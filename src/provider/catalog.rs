use std::collections::BTreeSet;

use crate::domain::ObjectName;

use super::error::ProviderError;
use super::session::Session;

/// The tables of a branch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tables {
    /// Their names. A table that a name without a schema means is there under that name and under its qualified one,
    /// because a migration may have used either.
    pub names: BTreeSet<ObjectName>,
    /// Whether letter case tells names apart.
    pub exact: bool,
}

impl Tables {
    /// Whether there is a table of this name, as the database compares names.
    pub fn holds(&self, name: &ObjectName) -> bool {
        let folded = |name: &ObjectName| (name.schema.as_deref().map(str::to_lowercase), name.name.to_lowercase());
        self.names.contains(name) || !self.exact && self.names.iter().any(|table| folded(table) == folded(name))
    }
}

impl Session {
    /// The tables that exist, but for the system's and our own.
    pub async fn tables(&mut self) -> Result<Tables, ProviderError> {
        let text = self.sql.fill(self.sql.dialect.select_tables);
        let rows = self.query(&text).await.map_err(|failure| failure.error)?;
        let mut tables = Tables::default();
        for row in rows {
            let (schema, name) = (row.text_or_empty(0), row.text_or_empty(1));
            tables.exact = row.is_true(3);
            let own = ["", "Lock"].iter().any(|end| name == format!("{}{end}", self.settings.history_table));
            if own {
                continue;
            }
            if row.is_true(2) {
                tables.names.insert(ObjectName::bare(name.clone()));
            }
            tables.names.insert(ObjectName { schema: Some(schema), name });
        }
        Ok(tables)
    }
}

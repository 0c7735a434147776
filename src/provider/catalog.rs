use std::collections::BTreeSet;

use crate::domain::ObjectName;

use super::error::ProviderError;
use super::session::Session;

impl Session {
    /// The tables that exist, but for the system's. A table of the branch's own schema is there under its bare name and
    /// under its qualified one, because a migration may have used either.
    pub async fn tables(&mut self) -> Result<BTreeSet<ObjectName>, ProviderError> {
        let text = self.sql.fill(self.sql.dialect.select_tables);
        let rows = self.query(&text).await.map_err(|failure| failure.error)?;
        let mut tables = BTreeSet::new();
        for row in rows {
            let (schema, name) = (row.text_or_empty(0), row.text_or_empty(1));
            let own = ["", "Lock"].iter().any(|end| name == format!("{}{end}", self.settings.history_table));
            if own {
                continue;
            }
            if row.is_true(2) {
                tables.insert(ObjectName::bare(name.clone()));
            }
            tables.insert(ObjectName { schema: Some(schema), name });
        }
        Ok(tables)
    }
}

use crate::domain::{Effect, ObjectName};

use super::dialect::Objects;
use super::error::ProviderError;
use super::fate::Fate;
use super::session::Session;

impl Session {
    /// Reads from the catalog whether a statement about a table, or about what belongs to one, has taken effect. What can
    /// be gone from a table is gone only if the table is there: without it the statement would have failed.
    pub(super) async fn object_fate(&mut self, objects: &Objects, effect: &Effect) -> Result<Fate, ProviderError> {
        let (table, name, template, wanted) = match effect {
            Effect::TableExists(table) => (table, "", objects.table, true),
            Effect::TableGone(table) => (table, "", objects.table, false),
            Effect::ViewExists(view) => (view, "", objects.view, true),
            Effect::ViewGone(view) => (view, "", objects.view, false),
            Effect::ColumnExists { table, column } => (table, &**column, objects.column, true),
            Effect::ColumnGone { table, column } => (table, &**column, objects.column, false),
            Effect::ConstraintExists { table, constraint } => (table, &**constraint, objects.constraint, true),
            Effect::ConstraintGone { table, constraint } => (table, &**constraint, objects.constraint, false),
            Effect::TableIndexGone { index, table } => (table, &**index, objects.index, false),
            Effect::TableRenamed { from, to } => {
                let old = self.is_there(objects.table, from, "").await?;
                let new = self.is_there(objects.table, to, "").await?;
                return Ok(match (old, new) {
                    (true, false) => Fate::NotStarted,
                    (false, true) => Fate::Applied,
                    _ => Fate::Unknown,
                });
            }
            Effect::TablesRenamed { gone, come } => {
                let (mut before, mut after) = (true, true);
                for (names, was) in [(gone, true), (come, false)] {
                    for name in names {
                        let is = self.is_there(objects.table, name, "").await?;
                        before &= is == was;
                        after &= is != was;
                    }
                }
                return Ok(match (before, after) {
                    (true, false) => Fate::NotStarted,
                    (false, true) => Fate::Applied,
                    _ => Fate::Unknown,
                });
            }
            _ => return Ok(Fate::Unknown),
        };
        let there = self.is_there(template, table, name).await?;
        if there != wanted {
            return Ok(Fate::NotStarted);
        }
        if !wanted && !name.is_empty() && !self.is_there(objects.table, table, "").await? {
            return Ok(Fate::NotStarted);
        }
        Ok(Fate::Applied)
    }

    async fn is_there(&mut self, template: &str, table: &ObjectName, name: &str) -> Result<bool, ProviderError> {
        let schema = self.sql.literal(self.sql.home(table.schema.as_deref()));
        let (table, name) = (self.sql.literal(&table.name), self.sql.literal(name));
        let values = [("schema_text", &*schema), ("table", &*table), ("name", &*name)];
        Ok(!self.probe(template, &values).await?.is_empty())
    }
}

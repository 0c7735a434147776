//! Tables that exist, as a whole.

use super::{Generator, Piece};
use crate::domain::{ObjectName, Provider};

impl Generator<'_, '_> {
    pub(super) fn drop_table(&mut self, table: &ObjectName) {
        let name = self.object(table);
        let sql = format!("DROP TABLE {name}");
        if self.provider() != Provider::Sqlite {
            return self.whole(sql);
        }
        let with = self.dropped_later().map(|name| name.name.clone()).collect();
        self.add(Piece::Drop { table: table.clone(), sql, with }, self.fresh.contains(table));
    }

    pub(super) fn rename_table(&mut self, table: &ObjectName, to: &str) {
        let at = self.at();
        let (quoted, literal) = (self.column_name(at, to), self.dialect.text(to));
        let name = self.dialect.object(table);
        let table_text = self.dialect.text(&name);
        let values = [("to", quoted.as_str()), ("to_text", literal.as_str()), ("table_text", table_text.as_str())];
        self.change(self.dialect.rename_table, table, &values, Vec::new());
        if self.fresh.remove(table) {
            self.fresh.insert(ObjectName { schema: table.schema.clone(), name: to.to_owned() });
        }
    }
}

//! Comments of tables and columns.

use super::super::dialect::Comments;
use super::super::model::Traits;
use super::Generator;
use crate::domain::{ObjectName, TableEdit};

impl Generator<'_, '_> {
    /// Writes a comment on something that has none.
    pub(super) fn comment_on(&mut self, table: &ObjectName, column: Option<&str>, comment: Option<&str>) {
        let Some(comment) = comment else { return };
        match self.dialect.comments {
            Comments::Statement => self.comment_statement(table, column, Some(comment)),
            Comments::Property => self.comment_property(table, column, Some(comment), false),
            Comments::Clause | Comments::Remark => {}
        }
    }

    /// Writes a column's new comment, unless it is known to have that one.
    pub(super) fn change_comment(&mut self, table: &ObjectName, column: &str, to: &Traits) {
        let Some(comment) = &to.comment else { return };
        if self.known.column(table, column).is_some_and(|known| known.comment == *comment) {
            return;
        }
        match self.dialect.comments {
            Comments::Statement => self.comment_statement(table, Some(column), comment.as_deref()),
            Comments::Property => self.comment_property(table, Some(column), comment.as_deref(), true),
            // It is part of the column's definition.
            Comments::Clause => {}
            Comments::Remark => {
                let words = match comment {
                    Some(_) => format!("comment on column {column}"),
                    None => format!("no comment on column {column}"),
                };
                let remark = comment.as_deref().map(|comment| remark(comment).trim_start().to_owned());
                self.edit(table, TableEdit::SetComment { column: column.to_owned(), remark }, words);
            }
        }
    }

    fn comment_statement(&mut self, table: &ObjectName, column: Option<&str>, comment: Option<&str>) {
        let literal = comment.map_or("NULL".to_owned(), |comment| self.dialect.text(comment));
        let name = self.dialect.object(table);
        self.whole(match column {
            Some(column) => format!("COMMENT ON COLUMN {name}.{} IS {literal}", self.dialect.quote(column)),
            None => format!("COMMENT ON TABLE {name} IS {literal}"),
        });
    }

    fn comment_property(&mut self, table: &ObjectName, column: Option<&str>, comment: Option<&str>, replaces: bool) {
        let schema = table.schema.as_ref().map_or("SCHEMA_NAME()".to_owned(), |schema| self.dialect.text(schema));
        let mut place = format!("N'SCHEMA', @schema, N'TABLE', {}", self.dialect.text(&table.name));
        if let Some(column) = column {
            place.push_str(&format!(", N'COLUMN', {}", self.dialect.text(column)));
        }
        let text = comment.map(|comment| format!(", @text nvarchar(4000) = {}", self.dialect.text(comment)));
        let mut sql = format!("DECLARE @schema sysname = {schema}{}", text.unwrap_or_default());
        if replaces {
            sql.push_str(&format!(
                ";\nIF EXISTS (SELECT 1 FROM sys.fn_listextendedproperty(N'MS_Description', {place}))\n\
                 \x20   EXEC sp_dropextendedproperty N'MS_Description', {place}"
            ));
        }
        if comment.is_some() {
            sql.push_str(&format!(";\nEXEC sp_addextendedproperty N'MS_Description', @text, {place}"));
        }
        self.whole(sql);
    }
}

/// A comment inside of a table's definition.
pub(super) fn remark(comment: &str) -> String {
    format!(" /* {} */", comment.replace("*/", "* /").replace('\n', " "))
}

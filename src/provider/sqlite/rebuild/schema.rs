use super::problem::Problem;
use super::token::same;
use crate::provider::connection::Row;

/// What the schema table of a database says, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::provider) struct Schema {
    pub(in crate::provider) objects: Vec<Object>,
    /// The names of temporary tables and views, and of tables that have temporary triggers.
    pub(in crate::provider) temporary: Vec<String>,
    /// The names of tables in which virtual tables keep their data.
    pub(in crate::provider) shadows: Vec<String>,
    /// Whether the connection's `legacy_alter_table` is on.
    pub(in crate::provider) legacy: bool,
}

/// A table, index, view or trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::provider) struct Object {
    pub(in crate::provider) kind: String,
    pub(in crate::provider) name: String,
    /// The table that it belongs to.
    pub(in crate::provider) table: String,
    /// `None` for the indexes that SQLite makes by itself.
    pub(in crate::provider) sql: Option<String>,
}

impl Schema {
    /// The object of this name, which no two have.
    pub(super) fn find(&self, name: &str) -> Option<&Object> {
        self.objects.iter().find(|object| same(&object.name, name))
    }

    /// The objects of a kind that belong to a table and have a text.
    pub(super) fn of<'a>(&'a self, kind: &'a str, table: &'a str) -> impl Iterator<Item = (&'a Object, &'a str)> {
        let mine = self.objects.iter().filter(move |object| object.kind == kind && same(&object.table, table));
        mine.filter_map(|object| Some((object, object.sql.as_deref()?)))
    }

    /// The tables with their texts.
    pub(super) fn tables(&self) -> impl Iterator<Item = (&Object, &str)> {
        let tables = self.objects.iter().filter(|object| object.kind == "table");
        tables.filter_map(|object| Some((object, object.sql.as_deref()?)))
    }

    /// The tables of statistics that there are.
    pub(super) fn statistics(&self) -> impl Iterator<Item = &'static str> {
        ["sqlite_stat1", "sqlite_stat4"].into_iter().filter(|name| self.find(name).is_some())
    }

    /// A name that begins like this and that nothing has.
    pub(super) fn free_name(&self, start: &str) -> String {
        let mut name = start.to_owned();
        let mut number = 2;
        while self.find(&name).is_some() || self.temporary.iter().any(|other| same(other, &name)) {
            name = format!("{start}_{number}");
            number += 1;
        }
        name
    }
}

/// The most tables, indexes, views and triggers that are read.
const MAX_OBJECTS: usize = 100_000;

/// What has to be asked, in this order, to know a [`Schema`].
pub(super) const QUESTIONS: [&str; 4] = [
    "SELECT type, name, tbl_name, sql FROM main.sqlite_schema ORDER BY rowid LIMIT 100001",
    "SELECT name FROM temp.sqlite_schema UNION SELECT tbl_name FROM temp.sqlite_schema",
    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'",
    "PRAGMA legacy_alter_table",
];

impl Schema {
    /// Reads the answers to [`QUESTIONS`].
    pub(super) fn read(answers: [Vec<Row>; 4]) -> Result<Self, Problem> {
        let [objects, temporary, shadows, legacy] = answers;
        if objects.len() > MAX_OBJECTS {
            return Err(Problem::new(format!("the database has more than {MAX_OBJECTS} tables, indexes and the like")));
        }
        let object = |row: &Row| Object {
            kind: row.text_or_empty(0),
            name: row.text_or_empty(1),
            table: row.text_or_empty(2),
            sql: row.text(3).ok().flatten(),
        };
        let names = |rows: &[Row]| rows.iter().map(|row| row.text_or_empty(0)).collect();
        Ok(Self {
            objects: objects.iter().map(object).collect(),
            temporary: names(&temporary),
            shadows: names(&shadows),
            legacy: legacy.first().is_some_and(|row| row.is_true(0)),
        })
    }
}

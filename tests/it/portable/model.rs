//! Random tables and changes of them, as portable migrations.

use std::fmt::Write;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// A type, the type that it can be widened to, and its defaults.
const TYPES: [(&str, Option<&str>, &[&str]); 15] = [
    ("uuid", None, &["uuid"]),
    ("string(40)", Some("string(80)"), &["x", "\"it''s\"", "\"\""]),
    ("text", None, &[]),
    ("smallint", Some("int"), &["1"]),
    ("int", Some("bigint"), &["0", "-7"]),
    ("bigint", None, &["9000000000"]),
    ("\"decimal(12,2)\"", Some("\"decimal(18,4)\""), &["0", "1.5"]),
    ("double", None, &["0.5"]),
    ("bool", None, &["true", "false"]),
    ("date", None, &["now"]),
    ("timestamp", None, &["now"]),
    ("timestamptz", None, &["now"]),
    ("bytes", None, &[]),
    ("json", None, &[]),
    ("\"enum(red, green)\"", None, &["red"]),
];
const SMALLINT: usize = 3;
const INT: usize = 4;
/// Words that servers keep for themselves, mixed case, spaces and letters of other languages.
const WORDS: [&str; 10] = ["Order", "select", "user name", "Größe", "a", "Key", "group", "x-y", "Value", "desc"];

#[derive(Clone)]
struct Column {
    name: String,
    kind: usize,
    nullable: bool,
    default: Option<&'static str>,
    /// MySQL forgets it when the column is altered without it.
    comment: bool,
    used: Use,
}

/// What is about a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Nothing,
    /// A key or index of the migration of this number: it can be renamed by another one.
    Key(usize),
    /// A check, view or expression, for which some server leaves it alone.
    Fixed,
}

#[derive(Clone)]
struct Table {
    name: String,
    columns: Vec<Column>,
    /// The columns of its primary key.
    key: Vec<&'static str>,
    /// Constraints and indexes by the operation that drops them, their names, and the operation that makes them again.
    parts: Vec<(&'static str, String, String)>,
    /// Whether a view reads it or a key refers to it.
    is_used: bool,
}

struct Model {
    random: StdRng,
    tables: Vec<Table>,
    number: usize,
    /// Which migration is being written.
    migration: usize,
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

impl Model {
    fn name(&mut self) -> String {
        self.number += 1;
        format!("{} {}", WORDS.choose(&mut self.random).unwrap(), self.number)
    }

    fn column(&mut self) -> Column {
        let kind = self.random.random_range(0..TYPES.len());
        let default = if self.random.random_bool(0.5) { TYPES[kind].2.choose(&mut self.random).copied() } else { None };
        // MySQL renames no column that a check is about, and that is what keeps an enum to its words.
        let used = if TYPES[kind].0.contains("enum") { Use::Fixed } else { Use::Nothing };
        let comment = self.random.random_bool(0.2);
        Column { name: self.name(), kind, nullable: self.random.random_bool(0.5), default, comment, used }
    }

    /// A column whose values can be compared and stand in an index on every server.
    fn free(&mut self, table: usize) -> Option<usize> {
        let is_free =
            |column: &Column| column.used == Use::Nothing && !matches!(TYPES[column.kind].0, "text" | "bytes" | "json");
        let columns = self.tables[table].columns.iter().enumerate();
        let free: Vec<usize> = columns.filter(|(_, column)| is_free(column)).map(|(at, _)| at).collect();
        free.choose(&mut self.random).copied()
    }

    fn traits(column: &Column) -> String {
        let default = column.default.map(|value| format!(", default: {value}")).unwrap_or_default();
        let comment = if column.comment { ", comment: \"what 'it' is; or\\\\not\"" } else { "" };
        format!("type: {}, nullable: {}{default}{comment}", TYPES[column.kind].0, column.nullable)
    }

    fn create_table(&mut self) -> (String, Option<String>) {
        let name = self.name();
        let columns: Vec<Column> = (0..self.random.random_range(1..6)).map(|_| self.column()).collect();
        let mut text = format!("create_table:\n      name: {}\n      columns:\n", quoted(&name));
        let mut key = vec!["Id"];
        match self.random.random_range(0..3) {
            0 => text.push_str("        Id: { type: int, primary_key: true, identity: true }\n"),
            1 => text.push_str("        Id: { type: int, primary_key: true }\n"),
            _ => {
                key = vec!["No", "Id"];
                text.push_str("        Id: { type: int }\n        No: { type: smallint }\n");
            }
        }
        if self.random.random_bool(0.3) {
            let stored = self.random.random_bool(0.5);
            let _ = writeln!(text, "        Base: {{ type: int, default: 3 }}");
            let _ = writeln!(text, "        Twice: {{ type: bigint, generated: '\"Base\" * 2', stored: {stored} }}");
        }
        for column in &columns {
            let _ = writeln!(text, "        {}: {{ {} }}", quoted(&column.name), Self::traits(column));
        }
        if key.len() > 1 {
            let _ = writeln!(text, "      primary_key: [{}]", key.join(", "));
        }
        if self.random.random_bool(0.3) {
            text.push_str("      comment: \"Some 'thing'\"\n");
        }
        self.tables.push(Table { name, columns, key, parts: Vec::new(), is_used: false });
        (text, None)
    }

    /// One change, and what undoes it where that does not follow.
    fn change(&mut self) -> Option<(String, Option<String>)> {
        let at = self.random.random_range(0..self.tables.len());
        let table = quoted(&self.tables[at].name);
        match self.random.random_range(0..13) {
            0 => Some(self.create_table()),
            1 => {
                let mut column = self.column();
                // MySQL with a binary log adds no column whose default is another in every row.
                column.default = column.default.filter(|value| *value != "uuid");
                // Tables may hold rows, which need a value.
                column.nullable |= column.default.is_none();
                let text = format!(
                    "add_column: {{ table: {table}, name: {}, {} }}",
                    quoted(&column.name),
                    Self::traits(&column)
                );
                self.tables[at].columns.push(column);
                Some((text, None))
            }
            2 => {
                let to = self.name();
                let columns = self.tables[at].columns.iter().enumerate();
                // MySQL and MariaDB merge what one migration does to a table.
                let known = |column: &Column| !matches!(column.used, Use::Key(number) if number == self.migration);
                let can = columns.filter(|(_, column)| column.used != Use::Fixed && known(column));
                let can: Vec<usize> = can.map(|(at, _)| at).collect();
                let column = *can.choose(&mut self.random)?;
                let table_of = &mut self.tables[at];
                let column = &mut table_of.columns[column];
                if column.used != Use::Nothing {
                    // What makes them again names the column as it was.
                    table_of.parts.clear();
                }
                let text =
                    format!("rename_column: {{ table: {table}, name: {}, to: {} }}", quoted(&column.name), quoted(&to));
                column.name = to;
                Some((text, None))
            }
            3 if !self.tables[at].is_used => {
                let to = self.name();
                let text = format!("rename_table: {{ name: {table}, to: {} }}", quoted(&to));
                self.tables[at].name = to;
                // What makes them again names the table that they were on.
                self.tables[at].parts.clear();
                Some((text, None))
            }
            4 => {
                let (free, name) = (self.free(at)?, self.name());
                let unique = self.random.random_bool(0.3);
                let order = if self.random.random_bool(0.5) { " desc" } else { "" };
                let column = self.used(at, free);
                let second = self.free(at).map(|second| format!(", \"{}\"", self.used(at, second))).unwrap_or_default();
                let text = format!(
                    "create_index: {{ table: {table}, name: {}, columns: [\"{column}{order}\"{second}], unique: {unique} }}",
                    quoted(&name)
                );
                self.tables[at].parts.push(("drop_index", name, text.clone()));
                Some((text, None))
            }
            5 => {
                let (free, name) = (self.free(at)?, self.name());
                let column = self.used(at, free);
                let text =
                    format!("add_unique: {{ table: {table}, name: {}, columns: [\"{column}\"] }}", quoted(&name));
                self.tables[at].parts.push(("drop_unique", name, text.clone()));
                Some((text, None))
            }
            6 => {
                let (free, name) = (self.free(at)?, self.name());
                let column = self.fixed(at, free);
                let text = format!(
                    "add_check: {{ table: {table}, name: {}, check: '\"{column}\" IS NOT NULL OR 1 > 0' }}",
                    quoted(&name)
                );
                self.tables[at].parts.push(("drop_check", name, text.clone()));
                Some((text, None))
            }
            7 => {
                let to = self.random.random_range(0..self.tables.len());
                let (other, key) = (self.tables[to].name.clone(), self.tables[to].key.clone());
                self.tables[to].is_used = true;
                let action = *["cascade", "restrict", "set_null"].choose(&mut self.random).unwrap();
                let used = Use::Key(self.migration);
                let mut names = Vec::new();
                let mut text = String::new();
                for part in &key {
                    let kind = if *part == "No" { SMALLINT } else { INT };
                    let name = self.name();
                    let typed = format!("name: {}, type: {}, nullable: true", quoted(&name), TYPES[kind].0);
                    let refers = match key.len() {
                        1 => format!(", references: '{other}(Id)', on_delete: {action}"),
                        _ => String::new(),
                    };
                    let _ = writeln!(text, "  - add_column: {{ table: {table}, {typed}{refers} }}");
                    names.push(quoted(&name));
                    let column = Column { name, kind, nullable: true, default: None, comment: false, used };
                    self.tables[at].columns.push(column);
                }
                if key.len() > 1 {
                    let (name, columns) = (self.name(), names.join(", "));
                    let references = format!("references: '{other}({})', on_delete: {action}", key.join(", "));
                    let _ = writeln!(
                        text,
                        "  - add_foreign_key: {{ table: {table}, name: {}, columns: [{columns}], {references} }}",
                        quoted(&format!("FK_{name}")),
                    );
                }
                Some((text.trim_start_matches("  - ").to_owned(), None))
            }
            8 => self.alter(at),
            9 => {
                let parts = self.tables[at].parts.len();
                if parts == 0 {
                    return None;
                }
                let part = self.random.random_range(0..parts);
                let (word, name, again) = self.tables[at].parts.remove(part);
                Some((format!("{word}: {{ table: {table}, name: {} }}", quoted(&name)), Some(again)))
            }
            10 => {
                // Any other would come back as the last.
                let last = self.tables[at].columns.last().filter(|column| column.used == Use::Nothing)?.clone();
                if self.tables[at].columns.len() < 2 {
                    return None;
                }
                self.tables[at].columns.pop();
                let name = quoted(&last.name);
                let again = format!("add_column: {{ table: {table}, name: {name}, {} }}", Self::traits(&last));
                // A table may hold rows, so what comes back needs a value for them.
                if last.default == Some("uuid") || (!last.nullable && last.default.is_none()) {
                    self.tables[at].columns.push(last);
                    return None;
                }
                Some((format!("drop_column: {{ table: {table}, name: {name} }}"), Some(again)))
            }
            11 => {
                let (free, name) = (self.free(at)?, self.name());
                let column = self.fixed(at, free);
                self.tables[at].is_used = true;
                // A view may stand in the way of changes of its table.
                self.tables[at].columns.iter_mut().for_each(|column| column.used = Use::Fixed);
                let plain = self.tables[at].name.clone();
                self.tables[at].parts.clear();
                Some((
                    format!(
                        "create_view:\n      name: {}\n      query: 'SELECT \"Id\", \"{column}\" FROM \"{plain}\"'",
                        quoted(&name)
                    ),
                    None,
                ))
            }
            12 => {
                let (free, name) = (self.free(at)?, self.name());
                let column = self.fixed(at, free);
                // MariaDB keeps nothing that is computed from a CHAR, which is what its UUIDs are.
                let stored = TYPES[self.tables[at].columns[free].kind].0 != "uuid" && self.random.random_bool(0.5);
                let added = Column {
                    name: name.clone(),
                    kind: INT,
                    nullable: true,
                    default: None,
                    comment: false,
                    used: Use::Fixed,
                };
                self.tables[at].columns.push(added);
                let made = format!("CASE WHEN \"{column}\" IS NULL THEN 1 ELSE 2 END");
                Some((
                    format!(
                        "add_column: {{ table: {table}, name: {}, type: int, nullable: true, generated: '{made}', stored: {stored} }}",
                        quoted(&name)
                    ),
                    None,
                ))
            }
            _ => None,
        }
    }

    fn used(&mut self, table: usize, column: usize) -> String {
        let used = Use::Key(self.migration);
        let column = &mut self.tables[table].columns[column];
        column.used = used;
        column.name.clone()
    }

    fn fixed(&mut self, table: usize, column: usize) -> String {
        let column = &mut self.tables[table].columns[column];
        column.used = Use::Fixed;
        column.name.clone()
    }

    fn alter(&mut self, at: usize) -> Option<(String, Option<String>)> {
        let free = self.free(at)?;
        let was = self.tables[at].columns[free].clone();
        if was.comment {
            return None;
        }
        let mut column = was.clone();
        let wider = TYPES[was.kind].1.and_then(|wider| TYPES.iter().position(|each| each.0 == wider));
        let kind = match (TYPES[was.kind].1, wider) {
            (Some(_), Some(kind)) if self.random.random_bool(0.5) => {
                column.kind = kind;
                TYPES[kind].0
            }
            (Some(wider), None) if self.random.random_bool(0.5) => {
                // There is no way on from here.
                column.used = Use::Fixed;
                wider
            }
            _ => TYPES[was.kind].0,
        };
        column.nullable = self.random.random();
        column.default = TYPES[was.kind].2.choose(&mut self.random).copied().filter(|_| self.random.random());
        let default = |column: &Column| column.default.unwrap_or("null");
        let text = format!(
            "alter_column: {{ table: {}, name: {}, type: {kind}, nullable: {}, default: {}, was: {{ type: {}, nullable: {}, default: {} }} }}",
            quoted(&self.tables[at].name),
            quoted(&column.name),
            column.nullable,
            default(&column),
            TYPES[was.kind].0,
            was.nullable,
            default(&was),
        );
        self.tables[at].columns[free] = column;
        Some((text, None))
    }

    /// A migration of so many changes; those that do not undo themselves stand alone.
    fn migration(&mut self, changes: usize) -> String {
        self.migration += 1;
        let mut text = "up:\n".to_owned();
        let mut written = 0;
        for _ in 0..changes * 20 {
            let before = self.tables.clone();
            let Some((up, down)) = self.change() else { continue };
            if down.is_some() && written > 0 {
                self.tables = before;
                continue;
            }
            let _ = writeln!(text, "  - {}", up.trim_end());
            if let Some(down) = down {
                let _ = write!(text, "down:\n  - {}\n", down.trim_end());
                return text;
            }
            written += 1;
            if written == changes {
                break;
            }
        }
        text
    }
}

/// The files of a schema and its changes.
pub(super) fn schema(seed: u64) -> Vec<(String, String)> {
    let mut model = Model { random: StdRng::seed_from_u64(seed), tables: Vec::new(), number: 0, migration: 0 };
    let mut first = "up:\n".to_owned();
    for _ in 0..model.random.random_range(1..4) {
        let _ = writeln!(first, "  - {}", model.create_table().0.trim_end());
    }
    let mut files = vec![("1_First.yaml".to_owned(), first)];
    for number in 2..=model.random.random_range(2..5) {
        let changes = model.random.random_range(1..4);
        files.push((format!("{number}_Change.yaml"), model.migration(changes)));
    }
    files
}

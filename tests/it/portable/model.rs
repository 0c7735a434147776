//! Schemas made at random, and what happens to them.

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
/// Words that servers keep for themselves, mixed case, spaces and letters of other languages.
const WORDS: [&str; 10] = ["Order", "select", "user name", "Größe", "a", "Key", "group", "x-y", "Value", "desc"];

#[derive(Clone)]
struct Column {
    name: String,
    kind: usize,
    nullable: bool,
    default: Option<&'static str>,
    comment: Option<&'static str>,
    /// Whether nothing but an index or unique constraint is about it.
    is_indexed: bool,
    /// Whether a key, check, index or view is about it, so that it is left alone.
    is_used: bool,
}

#[derive(Clone)]
struct Table {
    name: String,
    columns: Vec<Column>,
    /// Constraints and indexes by the operation that drops them, their names with what else that says, and the operation that makes them again.
    parts: Vec<(&'static str, String, String)>,
    /// Whether a view reads it or a key refers to it.
    is_used: bool,
    /// Whether its key is the column Id alone, and Id's type where the server numbers the rows.
    is_simple: bool,
    identity: Option<&'static str>,
    /// Whether a deletion goes on from it or to it, which SQL Server allows on one way only.
    is_cascading: bool,
}

struct Model {
    random: StdRng,
    tables: Vec<Table>,
    number: usize,
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
        let is_used = TYPES[kind].0.contains("enum");
        let comment = self.random.random_bool(0.3).then_some("About 'it'");
        Column {
            name: self.name(),
            kind,
            nullable: self.random.random_bool(0.5),
            default,
            comment,
            is_indexed: false,
            is_used,
        }
    }

    /// A column whose values can be compared and stand in an index on every server.
    fn free(&mut self, table: usize) -> Option<usize> {
        let is_free = |column: &Column| !column.is_used && !matches!(TYPES[column.kind].0, "text" | "bytes" | "json");
        let columns = self.tables[table].columns.iter().enumerate();
        let free: Vec<usize> = columns.filter(|(_, column)| is_free(column)).map(|(at, _)| at).collect();
        free.choose(&mut self.random).copied()
    }

    fn traits(column: &Column) -> String {
        let default = column.default.map(|value| format!(", default: {value}")).unwrap_or_default();
        let comment = column.comment.map(|text| format!(", comment: \"{text}\"")).unwrap_or_default();
        format!("type: {}, nullable: {}{default}{comment}", TYPES[column.kind].0, column.nullable)
    }

    fn create_table(&mut self) -> (String, Option<String>) {
        let name = self.name();
        let columns: Vec<Column> = (0..self.random.random_range(1..6)).map(|_| self.column()).collect();
        let identity = self.random.random_bool(0.5).then_some("int");
        let is_simple = identity.is_some() || self.random.random_bool(0.6);
        let more = match (identity, is_simple) {
            (Some(_), _) => ", identity: true, primary_key: true",
            (None, true) => ", primary_key: true",
            (None, false) => "",
        };
        let mut text = format!("create_table:\n      name: {}\n      columns:\n", quoted(&name));
        let _ = writeln!(text, "        Id: {{ type: int{more} }}");
        if !is_simple {
            text.push_str("        Id2: { type: string(20) }\n");
            text.push_str("        Next: { type: int, generated: Id + 1, stored: true }\n");
        }
        if self.random.random_bool(0.4) {
            let stored = if self.random.random() { ", stored: true" } else { "" };
            text.push_str("        Base: { type: uuid, nullable: true }\n");
            let expression = "{ sql: '\"Base\" IS NOT NULL', sqlserver: 'CASE WHEN [Base] IS NULL THEN 0 ELSE 1 END' }";
            let _ = writeln!(text, "        Is set: {{ type: bool, generated: {expression}{stored} }}");
        }
        for column in &columns {
            let _ = writeln!(text, "        {}: {{ {} }}", quoted(&column.name), Self::traits(column));
        }
        if !is_simple {
            text.push_str("      primary_key: [Id2, Id]\n");
        }
        if self.random.random_bool(0.3) {
            text.push_str("      comment: \"Some 'thing'\"\n");
        }
        self.tables.push(Table {
            name,
            columns,
            parts: Vec::new(),
            is_used: false,
            is_simple,
            identity,
            is_cascading: false,
        });
        (text, None)
    }

    /// One change, and what undoes it where that does not follow.
    fn change(&mut self) -> Option<(String, Option<String>)> {
        let at = self.random.random_range(0..self.tables.len());
        let table = quoted(&self.tables[at].name);
        match self.random.random_range(0..14) {
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
                let free = self.free(at)?;
                let to = self.name();
                let column = &mut self.tables[at].columns[free];
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
                let column = self.indexed(at, free);
                let second = if self.random.random_bool(0.3) { ", Id desc" } else { "" };
                let (filter, only) = match self.random.random_range(0..4) {
                    // A column that is renamed later on would be named in the condition.
                    0 => (", where: '\"Id\" > 0'", ", providers: [sqlite, postgres, sqlserver]"),
                    1 => (", include: [Id]", ", providers: [postgres, sqlserver]"),
                    _ => ("", ""),
                };
                let second = if filter.contains("include") { "" } else { second };
                let text = format!(
                    "create_index: {{ table: {table}, name: {}, columns: [\"{column}{order}\"{second}], unique: {unique}{filter}{only} }}",
                    quoted(&name)
                );
                self.tables[at].parts.push(("drop_index", quoted(&name) + only, text.clone()));
                Some((text, None))
            }
            5 => {
                let (free, name) = (self.free(at)?, self.name());
                let column = self.indexed(at, free);
                let text =
                    format!("add_unique: {{ table: {table}, name: {}, columns: [\"{column}\"] }}", quoted(&name));
                self.tables[at].parts.push(("drop_unique", quoted(&name), text.clone()));
                Some((text, None))
            }
            6 => {
                let (free, name) = (self.free(at)?, self.name());
                let column = self.used(at, free);
                let text = format!(
                    "add_check: {{ table: {table}, name: {}, check: '\"{column}\" IS NOT NULL OR 1 > 0' }}",
                    quoted(&name)
                );
                self.tables[at].parts.push(("drop_check", quoted(&name), text.clone()));
                Some((text, None))
            }
            7 => {
                let to = self.random.random_range(0..self.tables.len());
                if !self.tables[to].is_simple {
                    return None;
                }
                let other = self.tables[to].name.clone();
                self.tables[to].is_used = true;
                let mut column = self.column();
                (column.kind, column.nullable, column.default, column.is_used) = (4, true, None, true);
                column.comment = None;
                let may_cascade = to != at && !self.tables[to].is_cascading && !self.tables[at].is_cascading;
                let actions: &[&str] = if may_cascade { &["cascade", "set_null", "restrict"] } else { &["restrict"] };
                let action = *actions.choose(&mut self.random).unwrap();
                if action != "restrict" {
                    (self.tables[to].is_cascading, self.tables[at].is_cascading) = (true, true);
                }
                let text = format!(
                    "add_column: {{ table: {table}, name: {}, type: int, nullable: true, references: '{other}(Id)', on_delete: {action} }}",
                    quoted(&column.name)
                );
                self.tables[at].columns.push(column);
                Some((text, None))
            }
            8 => self.alter(at),
            9 => {
                let parts = self.tables[at].parts.len();
                if parts == 0 {
                    return None;
                }
                let part = self.random.random_range(0..parts);
                let (word, name, again) = self.tables[at].parts.remove(part);
                Some((format!("{word}: {{ table: {table}, name: {name} }}"), Some(again)))
            }
            10 => {
                // Any other would come back as the last.
                let last = self.tables[at].columns.last().filter(|column| !column.is_used)?.clone();
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
                let column = self.used(at, free);
                self.tables[at].is_used = true;
                // A view may stand in the way of changes of its table.
                self.tables[at]
                    .columns
                    .iter_mut()
                    .for_each(|column| (column.is_used, column.is_indexed) = (true, false));
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
                // SQL Server changes no column that a key is over.
                if self.tables[at].is_used || self.tables[at].identity != Some("int") {
                    return None;
                }
                self.tables[at].identity = Some("bigint");
                // What refers to it later has the wider type on every server.
                self.tables[at].is_simple = false;
                Some((
                    format!(
                        "alter_column: {{ table: {table}, name: Id, type: bigint, nullable: false, identity: true, \
                         was: {{ type: int, nullable: false }}, providers: [sqlite, postgres, mysql] }}"
                    ),
                    None,
                ))
            }
            13 => {
                let indexed = self.tables[at].columns.iter().position(|column| column.is_indexed)?;
                let to = self.name();
                let column = &mut self.tables[at].columns[indexed];
                let text =
                    format!("rename_column: {{ table: {table}, name: {}, to: {} }}", quoted(&column.name), quoted(&to));
                column.name = to;
                // What makes them again names the column as it was.
                self.tables[at].parts.clear();
                Some((text, None))
            }
            _ => None,
        }
    }

    fn indexed(&mut self, table: usize, column: usize) -> String {
        self.tables[table].columns[column].is_indexed = true;
        self.used(table, column)
    }

    fn used(&mut self, table: usize, column: usize) -> String {
        let column = &mut self.tables[table].columns[column];
        column.is_used = true;
        column.name.clone()
    }

    fn alter(&mut self, at: usize) -> Option<(String, Option<String>)> {
        let free = self.free(at)?;
        let was = self.tables[at].columns[free].clone();
        let mut column = was.clone();
        let wider = TYPES[was.kind].1.and_then(|wider| TYPES.iter().position(|each| each.0 == wider));
        let kind = match (TYPES[was.kind].1, wider) {
            (Some(_), Some(kind)) if self.random.random_bool(0.5) => {
                column.kind = kind;
                TYPES[kind].0
            }
            (Some(wider), None) if self.random.random_bool(0.5) => {
                // There is no way on from here.
                column.is_used = true;
                wider
            }
            _ => TYPES[was.kind].0,
        };
        column.nullable = self.random.random();
        column.default = TYPES[was.kind].2.choose(&mut self.random).copied().filter(|_| self.random.random());
        let default = |column: &Column| column.default.unwrap_or("null");
        let comment = was.comment.map(|text| format!(", comment: \"{text}\"")).unwrap_or_default();
        let text = format!(
            "alter_column: {{ table: {}, name: {}, type: {kind}, nullable: {}, default: {}{comment}, was: {{ type: {}, nullable: {}, default: {}{comment} }} }}",
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

/// The files of a schema, each with its name.
pub(super) fn schema(seed: u64) -> Vec<(String, String)> {
    let mut model = Model { random: StdRng::seed_from_u64(seed), tables: Vec::new(), number: 0 };
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

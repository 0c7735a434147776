//! From a YAML file to the model.

mod column;
mod table;
mod value;

use std::time::Duration;

use super::super::Problem;
use super::super::directive::{MAX_DEPENDENCIES, MAX_DESCRIPTION, parse_timeout};
use super::super::problem::shown;
use super::fields::{Fields, Reader, instead};
use super::keys::{DOCUMENT, OPERATIONS};
use super::model::{Constraint, ConstraintKind, Document, Only, Operation, RawSql, Rule, SqlText, Text, Value, What};
use super::yaml::{self, At, Kind, Node};
use crate::domain::{MigrationId, Provider, TransactionMode};

/// The largest portable migration, in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The most operations of a list.
const MAX_OPERATIONS: usize = 5_000;
/// The most rows of an insert.
const MAX_ROWS: usize = 50_000;

/// Reads a file whose newlines are `\n`, or says everything that is wrong with it.
pub(super) fn read(file: &str, text: &str) -> Result<Document, Vec<Problem>> {
    if text.len() > MAX_BYTES {
        let message = format!("is larger than {} MiB", MAX_BYTES >> 20);
        return Err(vec![Problem::of_file(file, message, "spread it over several migrations; load data otherwise")]);
    }
    let root = match yaml::parse(file, text) {
        Ok(Some(root)) => root,
        Ok(None) => return Err(vec![Problem::of_file(file, "holds nothing", "write 'up:' and operations under it")]),
        Err(problem) => return Err(vec![problem]),
    };
    let mut reader = Reader { file, problems: Vec::new() };
    let document = reader.fields(&root, &DOCUMENT).map(|fields| reader.document(&fields));
    match document {
        Some(document) if reader.problems.is_empty() => Ok(document),
        _ => Err(reader.problems),
    }
}

impl Reader<'_> {
    fn document(&mut self, fields: &Fields<'_>) -> Document {
        let description = self.text(fields, "description").unwrap_or_default().trim().to_owned();
        if description.chars().count() > MAX_DESCRIPTION {
            let at = fields.get("description").map_or(fields.at, |node| node.at);
            self.problem(at, format!("the description has more than {MAX_DESCRIPTION} characters"), "shorten it");
        }
        let mode = self.word(fields, "transaction_mode", &["PerMigration", "AllInOne", "None"]);
        let up = fields.get("up").map(|node| self.operations(node, "up")).unwrap_or_default();
        if let Some(node) = fields.get("up").filter(|_| up.is_empty() && self.problems.is_empty()) {
            self.problem(node.at, "up has no operation", "write at least one");
        }
        Document {
            description,
            transaction_mode: mode.and_then(|mode| mode.parse::<TransactionMode>().ok()),
            timeout: self.timeout(fields),
            depends_on: self.depends_on(fields),
            up,
            down: fields.get("down").map(|node| self.operations(node, "down")),
        }
    }

    fn timeout(&mut self, fields: &Fields<'_>) -> Option<Duration> {
        let text = self.text(fields, "timeout")?;
        match parse_timeout(text) {
            Ok(timeout) => Some(timeout),
            Err(message) => {
                let at = fields.get("timeout").map_or(fields.at, |node| node.at);
                self.problem(at, message, "write it like 300s, 10m or 1h");
                None
            }
        }
    }

    fn depends_on(&mut self, fields: &Fields<'_>) -> Vec<(MigrationId, At)> {
        let Some(node) = fields.get("depends_on") else { return Vec::new() };
        let single = std::slice::from_ref(node);
        let items = if let Kind::List(items) = &node.kind { items.as_slice() } else { single };
        if items.len() > MAX_DEPENDENCIES {
            let message = format!("depends_on names more than {MAX_DEPENDENCIES} migrations");
            self.problem(node.at, message, "name only the direct ones");
            return Vec::new();
        }
        let mut found: Vec<(MigrationId, At)> = Vec::new();
        for item in items {
            let Some(text) = self.text_of(item, "depends_on") else { continue };
            match text.parse::<MigrationId>() {
                Ok(id) if found.iter().any(|(known, _)| *known == id) => {
                    self.problem(item.at, format!("depends_on names {id} twice"), "remove one of the two");
                }
                Ok(id) => found.push((id, item.at)),
                Err(_) => {
                    let message = format!("'{}' is not a migration's id", shown(text));
                    self.problem(item.at, message, "write depends_on: [<number>_<Name>]");
                }
            }
        }
        found
    }

    fn operations(&mut self, node: &Node, what: &str) -> Vec<Operation> {
        // 'down:' with nothing behind it: there is nothing to undo.
        if node.is_null() {
            return Vec::new();
        }
        let Some(items) = self.list(node, what) else { return Vec::new() };
        if items.len() > MAX_OPERATIONS {
            let message = format!("{what} has more than {MAX_OPERATIONS} operations");
            self.problem(node.at, message, "spread them over several migrations");
            return Vec::new();
        }
        items.iter().filter_map(|item| self.operation(item)).collect()
    }

    fn operation(&mut self, node: &Node) -> Option<Operation> {
        let entries = self.entries(node, "an operation")?;
        let [(key, value)] = entries else {
            let hint = "begin each operation with '- ' and its word: '- add_column: { table: …, name: … }'";
            self.problem(node.at, format!("an operation has one key, not {}", entries.len()), hint);
            return None;
        };
        let word = self.text_of(key, "an operation")?;
        let Some(object) = OPERATIONS.iter().find(|object| object.name == word) else {
            let hint = instead(word, OPERATIONS.iter().map(|object| object.name));
            self.problem(key.at, format!("'{}' is no operation", shown(word)), hint);
            return None;
        };
        if object.name == "sql" && matches!(value.kind, Kind::Scalar(_)) {
            let text = self.raw_text(value)?;
            let raw = RawSql { general: Some(text), ..RawSql::default() };
            return Some(operation(key.at, "sql", What::Sql(raw)));
        }
        let fields = self.fields(value, object)?;
        let only = self.only(&fields);
        let is_online = self.flag(&fields, "online").unwrap_or_default();
        let mysql = self.mysql_of(&fields, object.name);
        let what = self.what(object.name, &fields, key.at)?;
        Some(Operation { only, is_online, mysql, ..operation(key.at, object.name, what) })
    }

    fn mysql_of(&mut self, fields: &Fields<'_>, word: &str) -> super::model::MySqlOptions {
        // There it is a text for MySQL.
        if word == "sql" { super::model::MySqlOptions::default() } else { self.mysql(fields) }
    }

    fn what(&mut self, word: &str, fields: &Fields<'_>, at: At) -> Option<What> {
        let name = |reader: &mut Self| reader.name(fields, "name");
        if word == "create_table" {
            return self.table(fields).map(What::CreateTable);
        }
        if matches!(word, "drop_table" | "rename_table" | "create_view" | "drop_view") {
            let object = self.object(fields, "name")?;
            return Some(match word {
                "drop_table" => What::DropTable { table: object },
                "rename_table" => What::RenameTable { table: object, to: self.name(fields, "to")? },
                "drop_view" => What::DropView { view: object },
                _ => What::CreateView {
                    view: object,
                    query: self.sql(fields, "query")?,
                    replaces: self.flag(fields, "replace").unwrap_or_default(),
                },
            });
        }
        if word == "sql" {
            return self.raw_sql(fields).map(What::Sql);
        }
        let table = self.object(fields, "table");
        let what = match word {
            "add_column" => {
                let name = name(self)?;
                let (column, constraints) = self.column(fields, at, name)?;
                if let Some(primary) = constraints.iter().find(|each| matches!(each.rule, Rule::Primary(_))) {
                    self.problem(primary.at, "add_column can't make a primary key", "write add_primary_key");
                }
                What::AddColumn { table: table?, column, constraints }
            }
            "drop_column" => What::DropColumn { table: table?, column: name(self)?, is_plain: false },
            "rename_column" => What::RenameColumn { table: table?, column: name(self)?, to: self.name(fields, "to")? },
            "alter_column" => {
                let (to, was) = (self.traits(fields), self.was(fields));
                if to.kind.is_none()
                    && to.native.is_empty()
                    && to.is_nullable.is_none()
                    && to.default.is_none()
                    && to.comment.is_none()
                {
                    self.problem(at, "alter_column changes nothing", "write type, nullable, default or comment");
                }
                What::AlterColumn { table: table?, column: name(self)?, to, was }
            }
            "create_index" => What::CreateIndex { table: table?, index: self.index(fields)? },
            "drop_index" => What::DropIndex { table: table?, name: name(self)? },
            "rename_index" => What::RenameIndex { table: table?, name: name(self)?, to: self.name(fields, "to")? },
            "insert" => What::Insert { table: table?, rows: self.rows(fields)? },
            "update" => {
                let set = fields.get("set").and_then(|node| self.row(node))?;
                What::Update { table: table?, set, filter: self.filter(fields)? }
            }
            "delete" => What::Delete { table: table?, filter: self.filter(fields)? },
            _ => return self.constraint(word, fields, at, table?),
        };
        Some(what)
    }

    fn constraint(
        &mut self,
        word: &str,
        fields: &Fields<'_>,
        at: At,
        table: crate::domain::ObjectName,
    ) -> Option<What> {
        let name = self.name(fields, "name");
        let drop = |kind| Some(What::DropConstraint { table: table.clone(), name: name.clone(), kind });
        let rule = match word {
            "drop_primary_key" => return drop(ConstraintKind::Primary),
            "drop_foreign_key" => return drop(ConstraintKind::Foreign),
            "drop_unique" => return drop(ConstraintKind::Unique),
            "drop_check" => return drop(ConstraintKind::Check),
            "add_primary_key" => Rule::Primary(self.names(fields, "columns")?),
            "add_unique" => Rule::Unique(self.names(fields, "columns")?),
            "add_check" => {
                let expression = self.sql(fields, "check")?;
                if fields.get("name").is_none() {
                    self.problem(
                        at,
                        "a check that is added needs a name",
                        "add 'name: CK_…', by which it can be dropped",
                    );
                }
                Rule::Check { expression, column: None }
            }
            _ => {
                let constraint = self.foreign(fields)?;
                return Some(What::AddConstraint { table, constraint: Constraint { only: Only(None), ..constraint } });
            }
        };
        Some(What::AddConstraint { table, constraint: Constraint { at, name, rule, only: Only(None) } })
    }

    fn rows(&mut self, fields: &Fields<'_>) -> Option<Vec<Vec<(String, Value)>>> {
        let node = fields.get("rows")?;
        let items = self.list(node, "rows")?;
        if items.is_empty() || items.len() > MAX_ROWS {
            self.problem(node.at, format!("there are {} rows", items.len()), format!("insert from 1 to {MAX_ROWS}"));
            return None;
        }
        items.iter().map(|item| self.row(item)).collect()
    }

    fn row(&mut self, node: &Node) -> Option<Vec<(String, Value)>> {
        let entries = self.entries(node, "a row")?;
        let mut row: Vec<(String, Value)> = Vec::new();
        for (key, value) in entries {
            let (Some(name), Some(value)) = (self.name_of(key, "a column"), self.value(value)) else { continue };
            if row.iter().any(|(known, _)| *known == name) {
                self.problem(key.at, format!("the column '{}' is written twice", shown(&name)), "keep one");
            }
            row.push((name, value));
        }
        if row.is_empty() {
            self.problem(node.at, "the row has no column", "write 'Column: value'");
            return None;
        }
        Some(row)
    }

    /// `where`, or the word that every row is meant.
    #[allow(clippy::option_option, reason = "no condition is not the same as no answer")]
    fn filter(&mut self, fields: &Fields<'_>) -> Option<Option<SqlText>> {
        let (filter, all) = (self.sql(fields, "where"), self.flag(fields, "all"));
        match (filter, all) {
            (Some(filter), None | Some(false)) => Some(Some(filter)),
            (None, Some(true)) => Some(None),
            (Some(_), _) => {
                self.problem(fields.at, format!("{} has both 'where' and 'all'", fields.name), "keep one of the two");
                None
            }
            (None, _) => {
                let hint = "add 'where: …', or 'all: true' to mean every row";
                self.problem(fields.at, format!("{} does not say which rows", fields.name), hint);
                None
            }
        }
    }

    fn raw_sql(&mut self, fields: &Fields<'_>) -> Option<RawSql> {
        let mut raw = RawSql { general: fields.get("sql").and_then(|node| self.raw_text(node)), ..RawSql::default() };
        for provider in Provider::ALL {
            if let Some(text) = fields.get(provider.as_str()).and_then(|node| self.raw_text(node)) {
                raw.own.insert(provider, text);
            }
        }
        if raw.general.is_none() && raw.own.is_empty() {
            self.problem(fields.at, "there is no SQL", "write it behind 'sql:', or under a provider's name");
            return None;
        }
        Some(raw)
    }

    fn raw_text(&mut self, node: &Node) -> Option<Text> {
        let text = self.text_of(node, "sql")?.to_owned();
        let Kind::Scalar(scalar) = &node.kind else { return None };
        let keeps_lines = scalar.body.is_some() || (scalar.is_plain && !text.contains('\n'));
        Some(Text { text, at: scalar.body.unwrap_or(node.at), keeps_lines })
    }
}

fn operation(at: At, word: &'static str, what: What) -> Operation {
    Operation { at, word, only: Only(None), is_online: false, mysql: super::model::MySqlOptions::default(), what }
}

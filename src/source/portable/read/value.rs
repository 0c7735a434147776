//! The small things: names, SQL texts, values, types.

use std::collections::BTreeMap;

use super::super::super::problem::shown;
use super::super::fields::{Fields, Reader, instead};
use super::super::keys::{MYSQL_OPTIONS, NATIVE, SQL_TEXT};
use super::super::literal::is_number;
use super::super::model::{MySqlOptions, Only, SqlText, Value};
use super::super::types::LogicalType;
use super::super::yaml::{At, Kind, Node};
use crate::domain::{ObjectName, Provider};

/// The longest name of anything: SQL Server's, the longest of all servers.
const LONGEST_NAME: usize = 128;

impl Reader<'_> {
    /// A name of a column, index or constraint.
    pub(super) fn name(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<String> {
        let node = fields.get(key)?;
        self.name_of(node, key)
    }

    pub(super) fn name_of(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.text_of(node, what)?;
        self.checked_name(node.at, text)
    }

    pub(super) fn checked_name(&mut self, at: At, text: &str) -> Option<String> {
        let wrong = if text.chars().count() > LONGEST_NAME {
            Some(format!("has more than {LONGEST_NAME} characters"))
        } else if text.chars().any(char::is_control) {
            Some("has a control character".to_owned())
        } else if text.trim() != text {
            Some("begins or ends with a space".to_owned())
        } else {
            None
        };
        match wrong {
            Some(wrong) => {
                self.problem(at, format!("the name '{}' {wrong}", shown(text)), "choose another name");
                None
            }
            None => Some(text.to_owned()),
        }
    }

    /// A table or view: `name` or `schema.name`.
    pub(super) fn object(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<ObjectName> {
        let node = fields.get(key)?;
        let text = self.text_of(node, key)?;
        self.object_of(node.at, text)
    }

    pub(super) fn object_of(&mut self, at: At, text: &str) -> Option<ObjectName> {
        let (schema, name) = match text.split_once('.') {
            Some((schema, name)) => (Some(schema), name),
            None => (None, text),
        };
        if name.is_empty() || schema.is_some_and(str::is_empty) || name.contains('.') {
            self.problem(at, format!("'{}' is not a table's name", shown(text)), "write name or schema.name");
            return None;
        }
        let schema = match schema {
            Some(schema) => Some(self.checked_name(at, schema)?),
            None => None,
        };
        Some(ObjectName { schema, name: self.checked_name(at, name)? })
    }

    /// Names of columns: one, or a list.
    pub(super) fn names(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<Vec<String>> {
        let node = fields.get(key)?;
        self.names_of(node, key)
    }

    pub(super) fn names_of(&mut self, node: &Node, what: &str) -> Option<Vec<String>> {
        // Beyond any server's limit for an index or a key.
        const MOST: usize = 32;
        let names: Vec<String> = match &node.kind {
            Kind::List(items) => items.iter().filter_map(|item| self.name_of(item, what)).collect(),
            _ => vec![self.name_of(node, what)?],
        };
        if names.is_empty() || names.len() > MOST {
            self.problem(node.at, format!("{what} names {} columns", names.len()), format!("name from 1 to {MOST}"));
            return None;
        }
        if let Some(twice) =
            names.iter().enumerate().find(|(index, name)| names.iter().take(*index).any(|one| one == *name))
        {
            self.problem(node.at, format!("{what} names '{}' twice", shown(twice.1)), "remove one of the two");
        }
        Some(names)
    }

    pub(super) fn only(&mut self, fields: &Fields<'_>) -> Only {
        const WORDS: [&str; 4] = [
            Provider::Sqlite.as_str(),
            Provider::SqlServer.as_str(),
            Provider::Postgres.as_str(),
            Provider::MySql.as_str(),
        ];
        let Some(node) = fields.get("providers") else { return Only(None) };
        let Some(items) = self.list(node, "providers") else { return Only(None) };
        if items.is_empty() {
            self.problem(node.at, "providers is empty", "name those that it is for, or remove the key");
        }
        let words = items.iter().filter_map(|item| self.word_of(item, "provider", &WORDS));
        Only(Some(words.filter_map(|word| word.parse().ok()).collect()))
    }

    pub(super) fn kind(&mut self, node: &Node) -> Option<LogicalType> {
        let text = self.text_of(node, "type")?;
        match LogicalType::parse(text) {
            Ok(kind) => Some(kind),
            Err(Some(wrong)) => {
                self.problem(
                    node.at,
                    format!("the type '{}' {wrong}", shown(text)).replace("' a string", "': a string"),
                    "see the table of types",
                );
                None
            }
            Err(None) => {
                let word = text.split('(').next().unwrap_or(text);
                let words: Vec<_> = LogicalType::words().collect();
                let hint = match LogicalType::elsewhere(text) {
                    Some(meant) => format!("did you mean '{meant}'?"),
                    None => instead(word, words.iter().copied()),
                };
                self.problem(node.at, format!("'{}' is no type", shown(text)), hint);
                None
            }
        }
    }

    pub(super) fn native(&mut self, fields: &Fields<'_>) -> BTreeMap<Provider, String> {
        let Some(inner) = fields.get("native").and_then(|node| self.fields(node, &NATIVE)) else {
            return BTreeMap::new();
        };
        self.by_provider(&inner)
    }

    fn by_provider(&mut self, fields: &Fields<'_>) -> BTreeMap<Provider, String> {
        let mut own = BTreeMap::new();
        for provider in Provider::ALL {
            if let Some(text) = self.text(fields, provider.as_str()) {
                own.insert(provider, text.trim().to_owned());
            }
        }
        own
    }

    /// SQL for all providers, or for some.
    pub(super) fn sql(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<SqlText> {
        let node = fields.get(key)?;
        self.sql_of(node, key)
    }

    pub(super) fn sql_of(&mut self, node: &Node, what: &str) -> Option<SqlText> {
        if matches!(node.kind, Kind::Map(_)) {
            let fields = self.fields(node, &SQL_TEXT)?;
            return self.sql_in(&fields);
        }
        let text = self.text_of(node, what)?.trim().to_owned();
        Some(SqlText { at: node.at, general: Some(text), own: BTreeMap::new() })
    }

    /// The keys `sql` and the providers' names among others.
    pub(super) fn sql_in(&mut self, fields: &Fields<'_>) -> Option<SqlText> {
        let general = self.text(fields, "sql").map(|text| text.trim().to_owned());
        let own = self.by_provider(fields);
        if general.is_none() && own.is_empty() {
            self.problem(fields.at, "there is no SQL", "write it under sql, or under a provider's name");
            return None;
        }
        Some(SqlText { at: fields.at, general, own })
    }

    /// A literal, `now`, `uuid`, null, or SQL.
    pub(super) fn value(&mut self, node: &Node) -> Option<Value> {
        match &node.kind {
            Kind::Map(_) => self.sql_of(node, "value").map(Value::Sql),
            Kind::List(_) => {
                self.problem(node.at, "a list is no value", "write one value; JSON goes between quotes");
                None
            }
            Kind::Scalar(scalar) if scalar.is_null() => Some(Value::Null),
            Kind::Scalar(scalar) if !scalar.is_plain => Some(Value::Text(scalar.text.clone())),
            Kind::Scalar(scalar) => Some(match scalar.text.as_str() {
                "true" => Value::Flag(true),
                "false" => Value::Flag(false),
                "now" => Value::Now,
                "uuid" => Value::Uuid,
                text if is_number(text) => Value::Number(text.to_owned()),
                text => Value::Text(text.to_owned()),
            }),
        }
    }

    pub(super) fn mysql(&mut self, fields: &Fields<'_>) -> MySqlOptions {
        let Some(inner) = fields.get("mysql").and_then(|node| self.fields(node, &MYSQL_OPTIONS)) else {
            return MySqlOptions::default();
        };
        MySqlOptions {
            algorithm: self.word(&inner, "algorithm", &["DEFAULT", "INSTANT", "INPLACE", "COPY"]),
            lock: self.word(&inner, "lock", &["DEFAULT", "NONE", "SHARED", "EXCLUSIVE"]),
        }
    }
}

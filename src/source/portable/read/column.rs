//! Columns: their types, defaults and what is written with them.

use std::collections::BTreeMap;

use super::super::fields::{Fields, Reader};
use super::super::keys::TRAITS;
use super::super::literal;
use super::super::model::{Column, Constraint, Generated, Identity, Only, Rule, SqlText, Traits, Value};
use super::super::types::LogicalType;
use super::super::yaml::At;

impl Reader<'_> {
    /// A column and the constraints that are written with it.
    pub(super) fn column(&mut self, fields: &Fields<'_>, at: At, name: String) -> Option<(Column, Vec<Constraint>)> {
        let only = self.only(fields);
        let mut constraints = Vec::new();
        let mut add = |name: Option<String>, at: At, rule: Rule| {
            constraints.push(Constraint { at, name, rule, only: only.clone() });
        };
        if self.flag(fields, "primary_key") == Some(true) {
            add(None, at, Rule::Primary(vec![name.clone()]));
        }
        if self.flag(fields, "unique") == Some(true) {
            add(None, at, Rule::Unique(vec![name.clone()]));
        }
        if fields.get("references").is_some() {
            if let Some((key_name, key)) = self.reference(fields, vec![name.clone()]) {
                add(key_name, at, Rule::Foreign(key));
            }
        } else if let Some(node) = fields.get("on_delete").or_else(|| fields.get("on_update")) {
            self.problem(node.at, "there is no reference for this to belong to", "add 'references: Table(Column)'");
        }
        if let Some(expression) = self.sql(fields, "check") {
            add(None, expression.at, Rule::Check { expression, column: Some(name.clone()) });
        }
        let kind = fields.get("type").and_then(|node| self.kind(node));
        if let Some(LogicalType::Enum(values)) = &kind {
            add(None, at, Rule::Check { expression: one_of(at, &name, values), column: Some(name.clone()) });
        }
        let is_nullable = self.flag(fields, "nullable").unwrap_or_default();
        let native = self.native(fields);
        let default = fields.get("default").and_then(|node| self.value(node).map(|value| (node.at, value)));
        let identity = self.identity(fields);
        let is_stored = self.flag(fields, "stored").unwrap_or_default();
        let generated = self.sql(fields, "generated").map(|expression| Generated { expression, is_stored });
        let comment = self.text(fields, "comment").map(str::to_owned);
        let kind = kind?;
        let default = default.and_then(|(at, value)| self.fitting(at, &kind, value));
        if identity.is_some() && (!kind.is_whole() || default.is_some() || generated.is_some()) {
            self.problem(
                at,
                "identity goes with int or bigint, without a default",
                "remove the default, or choose bigint",
            );
        }
        if generated.is_some() && default.is_some() {
            self.problem(at, "a generated column has no default", "remove one of the two");
        }
        // An expression may give NULL, and MySQL knows no NOT NULL there.
        let is_nullable = is_nullable || generated.is_some();
        let column = Column { at, name, kind, native, is_nullable, default, identity, generated, comment, only };
        Some((column, constraints))
    }

    fn identity(&mut self, fields: &Fields<'_>) -> Option<Identity> {
        match self.word(fields, "identity", &["true", "false", "always"])? {
            "true" => Some(Identity::ByDefault),
            "always" => Some(Identity::Always),
            _ => None,
        }
    }

    /// The default of a column of this type, when it fits; null is none.
    pub(super) fn fitting(&mut self, at: At, kind: &LogicalType, value: Value) -> Option<Value> {
        let wrong = match (&value, kind) {
            (Value::Null, _) => return None,
            (Value::Number(_), LogicalType::Bool) => Some("a bool is true or false"),
            (Value::Text(_), kind) if kind.is_number() => Some("this type takes a number"),
            _ => literal::wrong(kind, &value),
        };
        if let Some(wrong) = wrong {
            self.problem(
                at,
                format!("the default does not fit the type: {wrong}"),
                "quote a text; write { sql: … } for an expression",
            );
            return None;
        }
        // A text's default is text, however it is written.
        Some(match value {
            Value::Number(text) if !kind.is_number() => Value::Text(text),
            Value::Flag(flag) if *kind != LogicalType::Bool => Value::Text(flag.to_string()),
            other => other,
        })
    }

    pub(super) fn traits(&mut self, fields: &Fields<'_>) -> Traits {
        let kind = fields.get("type").and_then(|node| self.kind(node));
        if let (Some(LogicalType::Enum(_)), Some(node)) = (&kind, fields.get("type")) {
            let hint = "write string(n), and change the check with drop_check and add_check";
            self.problem(node.at, "alter_column can't make an enum", hint);
        }
        let default = fields.get("default").and_then(|node| Some((node.at, self.value(node)?)));
        let default = default.map(|(at, value)| match &kind {
            Some(kind) => self.fitting(at, kind, value),
            None => Some(value).filter(|value| !matches!(value, Value::Null)),
        });
        let is_said = fields.get("identity").is_some();
        let identity = self.identity(fields);
        let comment = match fields.get("comment") {
            Some(node) if node.is_null() => Some(None),
            Some(node) => self.text_of(node, "comment").map(|text| Some(text.to_owned())),
            None => None,
        };
        let native = self.native(fields);
        let is_nullable = self.flag(fields, "nullable");
        Traits { kind, native, is_nullable, default, identity: is_said.then_some(identity), comment }
    }

    pub(super) fn was(&mut self, fields: &Fields<'_>) -> Option<Traits> {
        let inner = fields.get("was").and_then(|node| self.fields(node, &TRAITS))?;
        Some(self.traits(&inner))
    }
}

/// The check that a column holds one of these texts.
pub(super) fn one_of(at: At, column: &str, values: &[String]) -> SqlText {
    let values: Vec<_> = values.iter().map(|value| format!("'{}'", value.replace('\'', "''"))).collect();
    let general = format!("\"{}\" IN ({})", column.replace('"', "\"\""), values.join(", "));
    SqlText { at, general: Some(general), own: BTreeMap::new() }
}

pub(super) fn plain_column(at: At, name: String, kind: LogicalType) -> Column {
    Column {
        at,
        name,
        kind,
        native: BTreeMap::new(),
        is_nullable: false,
        default: None,
        identity: None,
        generated: None,
        comment: None,
        only: Only(None),
    }
}

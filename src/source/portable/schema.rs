//! The JSON Schema by which editors complete and check portable migrations.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::keys::{DOCUMENT, Form, OPERATIONS, Object, SQL_TEXT};
use super::types::{MAPPINGS, Mapping};

/// The file beside the migrations that holds the schema.
pub const SCHEMA_FILE: &str = "migration.schema.json";

/// The schema's text, with a newline at the end.
pub fn json_schema() -> String {
    let mut definitions = Definitions::default();
    let mut schema = definitions.object(&DOCUMENT);
    let operations: Map<String, Value> =
        OPERATIONS.iter().map(|object| (object.name.to_owned(), definitions.operation(object))).collect();
    let operation = json!({
        "description": "One operation",
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": false,
        "properties": operations,
    });
    let mut all: Map<String, Value> = definitions.made.into_iter().collect();
    all.insert("operation".to_owned(), operation);
    if let Value::Object(fields) = &mut schema {
        fields.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        fields.insert("title".to_owned(), json!("Branchkeeper's portable migration"));
        fields.insert("definitions".to_owned(), Value::Object(all));
    }
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text + "\n"
}

#[derive(Default)]
struct Definitions {
    made: BTreeMap<String, Value>,
}

impl Definitions {
    fn operation(&mut self, object: &'static Object) -> Value {
        let schema = self.object(object);
        if object.name == "sql" { json!({ "anyOf": [{ "type": "string" }, schema] }) } else { schema }
    }

    fn object(&mut self, object: &'static Object) -> Value {
        let mut properties = Map::new();
        for key in object.keys() {
            let mut schema = self.form(&key.form);
            if let Value::Object(fields) = &mut schema {
                // Beside a reference, draft 7 reads nothing else.
                if fields.contains_key("$ref") {
                    schema = json!({ "allOf": [schema], "description": key.doc });
                } else {
                    fields.insert("description".to_owned(), json!(key.doc));
                }
            }
            properties.insert(key.name.to_owned(), schema);
        }
        let required: Vec<_> = object.keys().filter(|key| key.is_required).map(|key| key.name).collect();
        json!({
            "description": object.doc,
            "type": "object",
            "additionalProperties": false,
            "properties": properties,
            "required": required,
        })
    }

    fn form(&mut self, form: &Form) -> Value {
        match form {
            Form::Text => json!({ "type": ["string", "number", "boolean"] }),
            Form::Flag => json!({ "type": "boolean" }),
            Form::Null => json!({ "type": "null" }),
            Form::Word(words) => json!({ "enum": words }),
            Form::Type => {
                let pattern = format!("^({})$", MAPPINGS.iter().map(type_pattern).collect::<Vec<_>>().join("|"));
                json!({ "type": "string", "pattern": pattern })
            }
            Form::Value => {
                let text = self.reference(&SQL_TEXT);
                json!({ "anyOf": [{ "type": ["string", "number", "boolean", "null"] }, text] })
            }
            Form::Object(object) => self.reference(object),
            Form::List(of) => json!({ "type": "array", "items": self.form(of) }),
            Form::Some(of) => json!({ "type": "array", "items": self.form(of), "minItems": 1 }),
            Form::Named(of) => json!({ "type": "object", "additionalProperties": self.form(of), "minProperties": 1 }),
            Form::Either(forms) => {
                let forms: Vec<_> = forms.iter().map(|form| self.form(form)).collect();
                json!({ "anyOf": forms })
            }
            Form::Operations => {
                json!({ "type": "array", "items": { "$ref": "#/definitions/operation" }, "minItems": 1 })
            }
            Form::Undoing => {
                json!({ "type": ["array", "null"], "items": { "$ref": "#/definitions/operation" } })
            }
        }
    }

    fn reference(&mut self, object: &'static Object) -> Value {
        let name = object.name.rsplit_once("a ").map_or(object.name, |(_, name)| name);
        let name = name.trim_start_matches("an ").replace(' ', "_");
        if !self.made.contains_key(&name) {
            // Against going in circles.
            self.made.insert(name.clone(), Value::Null);
            let schema = self.object(object);
            self.made.insert(name.clone(), schema);
        }
        json!({ "$ref": format!("#/definitions/{name}") })
    }
}

/// What a type may look like, as a regular expression of JavaScript.
fn type_pattern(mapping: &Mapping) -> String {
    let word = mapping.word.split('(').next().unwrap_or_default();
    match word {
        "string" => format!("{word} *\\( *[0-9]{{1,4}} *\\)"),
        "decimal" => format!("{word} *\\( *[0-9]{{1,2}} *, *[0-9]{{1,2}} *\\)"),
        "enum" => format!("{word} *\\(.+\\)"),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::yaml::{Kind, Node, parse};
    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    /// A YAML node as an editor understands it.
    fn plain(node: &Node) -> Value {
        match &node.kind {
            Kind::List(items) => items.iter().map(plain).collect(),
            Kind::Map(entries) => {
                let key = |node: &Node| plain(node).as_str().map_or_else(|| plain(node).to_string(), str::to_owned);
                Value::Object(entries.iter().map(|(name, value)| (key(name), plain(value))).collect())
            }
            Kind::Scalar(scalar) if scalar.is_null() => Value::Null,
            Kind::Scalar(scalar) if scalar.is_plain => match scalar.text.as_str() {
                "true" => json!(true),
                "false" => json!(false),
                text => text.parse::<f64>().map_or_else(|_| json!(text), |number| json!(number)),
            },
            Kind::Scalar(scalar) => json!(scalar.text),
        }
    }

    /// As much of regular expressions as the schema uses: `^(a|b)$` of letters, `\\(`, `.`, `[0-9]`, ` *`, `+` and `{a,b}`.
    fn matches_pattern(pattern: &str, text: &str) -> bool {
        let inner = pattern.strip_prefix("^(").and_then(|rest| rest.strip_suffix(")$")).expect("the form of a pattern");
        inner.split('|').any(|one| matches_one(one, text))
    }

    fn matches_one(pattern: &str, text: &str) -> bool {
        let Some(first) = pattern.chars().next() else { return text.is_empty() };
        let length = match first {
            '\\' => 2,
            '[' => pattern.find(']').unwrap() + 1,
            _ => 1,
        };
        let (atom, rest) = pattern.split_at(length);
        let (least, most, rest) = match rest.chars().next() {
            Some('*') => (0, usize::MAX, &rest[1..]),
            Some('+') => (1, usize::MAX, &rest[1..]),
            Some('{') => {
                let (count, rest) = rest[1..].split_once('}').unwrap();
                let (least, most) = count.split_once(',').unwrap();
                (least.parse().unwrap(), most.parse().unwrap(), rest)
            }
            _ => (1, 1, rest),
        };
        let takes = |ch: char| match atom {
            "." => true,
            "[0-9]" => ch.is_ascii_digit(),
            atom => atom.ends_with(ch),
        };
        let run = text.chars().take_while(|ch| takes(*ch)).count().min(most);
        (least..=run).any(|count| {
            let end = text.char_indices().nth(count).map_or(text.len(), |(at, _)| at);
            matches_one(rest, &text[end..])
        })
    }

    /// As much of JSON Schema as the schema uses.
    fn fits(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.trim_start_matches("#/definitions/");
            let target = &root["definitions"][name];
            assert!(target.is_object(), "{reference} leads nowhere");
            return fits(root, target, value);
        }
        if let Some(all) = schema["allOf"].as_array() {
            return all.iter().try_for_each(|each| fits(root, each, value));
        }
        if let Some(any) = schema["anyOf"].as_array() {
            let found: Vec<_> = any.iter().filter_map(|each| fits(root, each, value).err()).collect();
            return if found.len() < any.len() { Ok(()) } else { Err(found.join(" / ")) };
        }
        if let Some(words) = schema["enum"].as_array() {
            return if words.contains(value) { Ok(()) } else { Err(format!("{value} is none of {words:?}")) };
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
            other => panic!("the schema has the type {other}"),
        };
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        if !types.contains(&kind) {
            return Err(format!("{value} is {kind}, not {types:?}"));
        }
        if let (Some(text), Some(pattern)) = (value.as_str(), schema["pattern"].as_str())
            && !matches_pattern(pattern, text)
        {
            return Err(format!("{text} does not look like {pattern}"));
        }
        if let Some(items) = value.as_array() {
            let least = schema["minItems"].as_u64().unwrap_or_default();
            if u64::try_from(items.len()).unwrap() < least {
                return Err(format!("{} items where {least} are needed", items.len()));
            }
            return items.iter().try_for_each(|item| fits(root, &schema["items"], item));
        }
        let Some(fields) = value.as_object() else { return Ok(()) };
        for (key, value) in fields {
            match (&schema["properties"][key], &schema["additionalProperties"]) {
                (Value::Null, Value::Bool(false)) => return Err(format!("no key {key}")),
                (Value::Null, more) => fits(root, more, value)?,
                (known, _) => fits(root, known, value)?,
            }
        }
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        match required.iter().filter_map(Value::as_str).find(|key| !fields.contains_key(*key)) {
            Some(missing) => Err(format!("{missing} is missing")),
            None => Ok(()),
        }
    }

    fn check(yaml: &str) -> Result<(), String> {
        let schema: Value = serde_json::from_str(&json_schema()).unwrap();
        fits(&schema, &schema, &plain(&parse("f", yaml).unwrap().unwrap()))
    }

    #[test]
    fn the_file_in_the_folder_is_up_to_date() {
        let path = root().join("branch_migrations").join(SCHEMA_FILE);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, json_schema()).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == json_schema(), "{} is not up to date; run with UPDATE_GOLDEN=1", path.display());
    }

    #[test]
    fn every_example_fits_it() {
        let mut count = 0;
        for entry in fs::read_dir(root().join("docs/migrations")).unwrap() {
            let page = fs::read_to_string(entry.unwrap().path()).unwrap();
            for block in page.split("```yaml").skip(1) {
                let yaml = block.split_once('\n').unwrap().1.split_once("```\n").unwrap().0;
                check(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
                count += 1;
            }
        }
        for entry in fs::read_dir(root().join("branch_migrations")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "yaml") {
                check(&fs::read_to_string(&path).unwrap())
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            }
        }
        assert!(count > 40, "only {count} examples");
    }

    #[test]
    fn what_is_wrong_does_not_fit_it() {
        for wrong in [
            "up:\n  - add_colum: { table: T }\n",
            "up:\n  - drop_table: { nam: T }\n",
            "up:\n  - drop_table: {}\n",
            "up:\n  - create_index: { table: T, columns: [a], unique: maybe }\n",
            "down: []\n",
            "up: []\n",
            "up: null\n",
            "up:\n  - drop_table: { name: T, providers: [] }\n",
            "up:\n  - insert: { table: T, rows: [] }\n",
            "up:\n  - add_unique: { table: T, columns: [] }\n",
            "up:\n  - add_column: { table: T, name: a, type: int(4) }\n",
            "up:\n  - add_column: { table: T, name: a, type: string }\n",
            "up:\n  - add_column: { table: T, name: a, type: 'decimal(4)' }\n",
            "up:\n  - create_table: { name: T, columns: { a: integer } }\n",
        ] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}

use std::collections::HashMap;

use super::super::Problem;
use super::super::problem::shown;
use super::super::script::MAX_PROBLEMS;
use super::super::suggest::nearest;
use super::keys::Object;
use super::yaml::{At, Kind, Node, Scalar};

/// Reads nodes and keeps what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
    pub(super) problems: Vec<Problem>,
}

/// A mapping whose keys are all known.
pub(super) struct Fields<'n> {
    pub(super) at: At,
    /// What the mapping is, for messages.
    pub(super) name: &'static str,
    values: HashMap<&'static str, &'n Node>,
}

impl<'n> Fields<'n> {
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.values.get(key).copied()
    }
}

/// What other tools call it, and what it is called here.
const MEANT: [(&str, &str); 40] = [
    ("column", "name"),
    ("column_name", "name"),
    ("field", "name"),
    ("table_name", "table"),
    ("new_name", "to"),
    ("rename_to", "to"),
    ("new_type", "type"),
    ("null", "nullable"),
    ("not_null", "nullable"),
    ("required", "nullable"),
    ("optional", "nullable"),
    ("pk", "primary_key"),
    ("primary", "primary_key"),
    ("key", "primary_key"),
    ("auto_increment", "identity"),
    ("autoincrement", "identity"),
    ("serial", "identity"),
    ("default_value", "default"),
    ("expression", "sql"),
    ("query", "sql"),
    ("condition", "where"),
    ("filter", "where"),
    ("values", "rows"),
    ("concurrently", "online"),
    ("foreign_key", "references"),
    ("description", "comment"),
    ("computed", "generated"),
    ("persisted", "stored"),
    ("only", "providers"),
    ("depends", "depends_on"),
    ("add_table", "create_table"),
    ("delete_table", "drop_table"),
    ("remove_column", "drop_column"),
    ("delete_column", "drop_column"),
    ("modify_column", "alter_column"),
    ("change_column", "alter_column"),
    ("add_index", "create_index"),
    ("remove_index", "drop_index"),
    ("add_view", "create_view"),
    ("execute", "sql"),
];

/// What to write instead of a word that is not known.
pub(super) fn instead<'w>(word: &str, words: impl Iterator<Item = &'w str> + Clone) -> String {
    let folded = word.to_lowercase();
    let synonyms = MEANT.iter().filter(|(other, _)| *other == folded);
    let meant = synonyms.map(|(_, meant)| *meant).find(|meant| words.clone().any(|word| word == *meant));
    match meant.or_else(|| nearest(word, words.clone())) {
        Some(meant) => format!("did you mean '{meant}'?"),
        None => format!("use {}", words.collect::<Vec<_>>().join(", ")),
    }
}

impl Reader<'_> {
    pub(super) fn problem(&mut self, at: At, message: impl Into<String>, hint: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem::at(self.file, at, message, hint));
        }
    }

    /// A mapping with the keys of `object`, and no other.
    pub(super) fn fields<'n>(&mut self, node: &'n Node, object: &'static Object) -> Option<Fields<'n>> {
        let Kind::Map(entries) = &node.kind else {
            let keys: Vec<_> = object.keys().filter(|key| key.is_required).map(|key| key.name).collect();
            let hint = match keys.as_slice() {
                [] => format!("write {}", example(object)),
                _ => format!("write its keys: {}", keys.join(", ")),
            };
            self.problem(node.at, format!("{} is {}, not a mapping", object.name, node.noun()), hint);
            return None;
        };
        let mut values = HashMap::new();
        for (key, value) in entries {
            let Some(word) = self.scalar(key, "a key").map(|scalar| scalar.text.as_str()) else { continue };
            let Some(known) = object.keys().find(|known| known.name == word) else {
                let hint = instead(word, object.keys().map(|known| known.name));
                self.problem(key.at, format!("'{}' is not a key of {}", shown(word), object.name), hint);
                continue;
            };
            if values.insert(known.name, value).is_some() {
                self.problem(key.at, format!("{word} is written twice in {}", object.name), "keep one of the two");
            }
        }
        let missing: Vec<_> = object.keys().filter(|key| key.is_required && !values.contains_key(key.name)).collect();
        for key in &missing {
            self.problem(
                node.at,
                format!("{} lacks '{}'", object.name, key.name),
                format!("add '{}: …': {}", key.name, lower_first(key.doc)),
            );
        }
        missing.is_empty().then_some(Fields { at: node.at, name: object.name, values })
    }

    pub(super) fn scalar<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n Scalar> {
        match &node.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => {
                self.problem(
                    node.at,
                    format!("{what} is {}, not a single value", node.noun()),
                    "write one value; quote it when it holds ': ' or '#'",
                );
                None
            }
        }
    }

    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        match &node.kind {
            Kind::List(items) => Some(items),
            _ => {
                self.problem(
                    node.at,
                    format!("{what} is {}, not a list", node.noun()),
                    "write each entry on a line of its own behind '- ', or all between [ and ]",
                );
                None
            }
        }
    }

    pub(super) fn entries<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [(Node, Node)]> {
        match &node.kind {
            Kind::Map(entries) => Some(entries),
            _ => {
                self.problem(
                    node.at,
                    format!("{what} is {}, not a mapping", node.noun()),
                    "write 'name: …' for each entry",
                );
                None
            }
        }
    }

    /// A text that is not empty.
    pub(super) fn text<'n>(&mut self, fields: &Fields<'n>, key: &'static str) -> Option<&'n str> {
        let node = fields.get(key)?;
        self.text_of(node, key)
    }

    pub(super) fn text_of<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let scalar = self.scalar(node, what)?;
        if scalar.is_null() || scalar.text.trim().is_empty() {
            self.problem(node.at, format!("{what} is empty"), "write its value, or remove the key");
            return None;
        }
        Some(&scalar.text)
    }

    pub(super) fn flag(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<bool> {
        let node = fields.get(key)?;
        match self.scalar(node, key)?.text.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                let message = format!("'{}' is neither true nor false, as {key} has to be", shown(other));
                self.problem(node.at, message, "write true or false");
                None
            }
        }
    }

    /// One of `words`, as it stands in the list.
    pub(super) fn word(
        &mut self,
        fields: &Fields<'_>,
        key: &'static str,
        words: &'static [&'static str],
    ) -> Option<&'static str> {
        let node = fields.get(key)?;
        self.word_of(node, key, words)
    }

    pub(super) fn word_of(&mut self, node: &Node, what: &str, words: &'static [&'static str]) -> Option<&'static str> {
        let text = self.text_of(node, what)?;
        let found = words.iter().copied().find(|word| *word == text);
        if found.is_none() {
            self.problem(node.at, format!("'{}' is no {what}", shown(text)), instead(text, words.iter().copied()));
        }
        found
    }
}

fn example(object: &Object) -> String {
    let keys: Vec<_> = object.keys().map(|key| key.name).take(4).collect();
    format!("a mapping with {}", keys.join(", "))
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

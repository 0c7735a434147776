//! Portable migrations: one YAML file becomes what each server needs. `read` makes the model of a file, `order` and
//! `inverse` work on it, `generate` writes statements with the texts of a `Dialect`.

mod conversion;
mod dialect;
mod expression;
mod fields;
mod generate;
mod inverse;
mod keys;
mod known;
mod literal;
mod model;
mod names;
mod order;
mod read;
mod schema;
mod types;
mod yaml;

#[cfg(test)]
mod error_tests;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod text_tests;

use super::Problem;
use crate::domain::{Irreversible, Provider, Script, Statement};

pub(super) use self::known::Known;
pub(super) use self::model::Document;
pub use self::schema::{SCHEMA_FILE, json_schema};

/// Reads a portable migration whose newlines are `\n`, or says everything that is wrong with it.
pub(super) fn read(file: &str, text: &str) -> Result<Document, Vec<Problem>> {
    let mut document = read::read(file, text)?;
    names::complete(&mut document);
    Ok(document)
}

impl Document {
    /// Whether it says itself what undoes it.
    pub(super) fn has_down(&self) -> bool {
        self.down.is_some()
    }
}

/// What a document becomes on one server.
#[derive(Debug, Clone)]
pub(super) struct Scripts {
    pub(super) up: Script,
    pub(super) down: Option<Script>,
    /// Why there is no `down`.
    pub(super) irreversible: Option<Irreversible>,
}

/// Writes a document's statements for one provider, or says everything that the server cannot do. `known` is what the
/// migrations before have said, and learns what this one says.
pub(super) fn scripts(
    provider: Provider,
    file: &str,
    document: &Document,
    known: &mut Known<'_>,
) -> Result<Scripts, Vec<Problem>> {
    let script = |statements: Vec<Statement>| Script { file: file.to_owned(), statements };
    let up = order::resolve(provider, &document.up);
    let mut problems = Vec::new();
    let mut make = |operations: &[model::Operation], known: &mut Known<'_>| {
        generate::generate(provider, file, operations, known).unwrap_or_else(|found| {
            problems.extend(found);
            Vec::new()
        })
    };
    let up_statements = make(&up, known);
    let mut undone = Known::over(known);
    let (down, irreversible) = match &document.down {
        Some(down) => (Some(make(&order::resolve(provider, down), &mut undone)), None),
        None => match inverse::invert(provider, &up) {
            Ok(operations) => (Some(make(&operations, &mut undone)), None),
            Err(reason) => (None, Some(reason)),
        },
    };
    if problems.is_empty() {
        Ok(Scripts { up: script(up_statements), down: down.map(script), irreversible })
    } else {
        // What a server cannot do up it cannot do down, and says so once.
        problems.sort();
        problems.dedup();
        Err(problems)
    }
}

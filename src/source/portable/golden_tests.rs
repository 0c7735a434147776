//! The pages under `docs/migrations/` show what every operation becomes. What they show is made here and compared;
//! `UPDATE_GOLDEN=1` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::keys::{Form, OPERATIONS, Object};
use super::types::MAPPINGS;
use super::{Document, Known};
use crate::domain::{Provider, Script};

const TITLES: [(Provider, &str); 4] = [
    (Provider::Sqlite, "SQLite"),
    (Provider::Postgres, "PostgreSQL"),
    (Provider::MySql, "MySQL and MariaDB"),
    (Provider::SqlServer, "SQL Server"),
];

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/migrations")
}

/// What stands between two marks is made; the rest is written by hand.
fn replaced(page: &str, mark: &str, content: &str, from: usize) -> (String, usize) {
    let (open, close) = (format!("<!-- {mark} -->\n"), format!("<!-- end of {mark} -->\n"));
    let rest = &page[from..];
    let start = from + rest.find(&open).unwrap_or_else(|| panic!("the page lacks {open}")) + open.len();
    let end = start + page[start..].find(&close).unwrap_or_else(|| panic!("the page lacks {close}"));
    let page = format!("{}{content}{}", &page[..start], &page[end..]);
    (page, start + content.len() + close.len())
}

fn script(out: &mut String, provider: Provider, script: &Script) {
    if script.statements.is_empty() {
        out.push_str("-- nothing\n");
    }
    for statement in &script.statements {
        if let Some(destroys) = &statement.risk.destroys {
            let _ = writeln!(out, "-- destroys {destroys}");
        }
        if let Some(blocks) = &statement.risk.blocks {
            let _ = writeln!(out, "-- {blocks}");
        }
        if statement.alone.is_some() && provider != Provider::MySql {
            out.push_str("-- outside of a transaction\n");
        }
        if statement.rebuild.as_ref().is_some_and(|rebuild| rebuild.dropped_with().is_none()) {
            let _ = writeln!(out, "-- {}", statement.sql);
        } else {
            let _ = writeln!(out, "{};", statement.sql);
        }
        if provider == Provider::SqlServer {
            out.push_str("GO\n");
        }
    }
}

fn document(yaml: &str) -> Document {
    super::read("page.yaml", yaml).unwrap_or_else(|problems| panic!("{problems:#?}\n{yaml}"))
}

fn becomes(before: &Document, yaml: &str) -> String {
    let document = document(yaml);
    let mut out = String::new();
    for (provider, title) in TITLES {
        let _ = writeln!(out, "\n{title}:\n");
        let mut known = Known::default();
        super::scripts(provider, "page.yaml", before, &mut known).unwrap_or_else(|problems| panic!("{problems:#?}"));
        match super::scripts(provider, "page.yaml", &document, &mut known) {
            Ok(scripts) => {
                out.push_str("```sql\n");
                script(&mut out, provider, &scripts.up);
                match (&scripts.down, &scripts.irreversible) {
                    (Some(down), _) if down.statements.is_empty() => {}
                    (Some(down), _) => {
                        out.push_str("-- down:\n");
                        script(&mut out, provider, down);
                    }
                    (None, None) => out.push_str("-- no down\n"),
                    (None, Some(why)) => {
                        let _ = writeln!(out, "-- no down: line {}: {}", why.line, why.reason);
                    }
                }
                out.push_str("```\n");
            }
            Err(problems) => {
                out.push_str("```\n");
                for problem in problems {
                    let _ = writeln!(out, "{problem}");
                }
                out.push_str("```\n");
            }
        }
    }
    out.push('\n');
    out
}

fn form(form: &Form) -> String {
    match form {
        Form::Text => "text".into(),
        Form::Flag => "`true` or `false`".into(),
        Form::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Form::Type => "a type".into(),
        Form::Null => "`null`".into(),
        Form::Value => "a value".into(),
        Form::Object(object) => object.name.to_owned(),
        Form::List(of) | Form::Some(of) => format!("list of {}", self::form(of)),
        Form::Named(of) => format!("by name: {}", self::form(of)),
        Form::Either(forms) => forms.iter().map(self::form).collect::<Vec<_>>().join(", or "),
        Form::Operations | Form::Undoing => "list of operations".into(),
    }
}

fn keys(object: &Object) -> String {
    let mut out = String::from("\n| key | value | meaning |\n| --- | --- | --- |\n");
    for key in object.keys() {
        let needed = if key.is_required { " (needed)" } else { "" };
        let _ = writeln!(out, "| `{}`{needed} | {} | {} |", key.name, form(&key.form), key.doc);
    }
    out.push('\n');
    out
}

fn mapping() -> String {
    let mut out = String::from(
        "\n| type | SQLite | SQL Server | PostgreSQL | MySQL, MariaDB | |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for each in &MAPPINGS {
        let cells: Vec<String> =
            each.sql.iter().map(|sql| format!("`{}`", sql.replace("{n}", "n").replace("{s}", "s"))).collect();
        let _ = writeln!(out, "| `{}` | {} | {} |", each.word, cells.join(" | "), each.note);
    }
    out.push('\n');
    out
}

/// Every example of a page with what it becomes.
fn examples(mut page: String) -> String {
    let before = page.split_once("```yaml before\n").and_then(|(_, rest)| rest.split_once("```\n"));
    let before = before.map(|(yaml, _)| document(yaml)).unwrap_or_default();
    let mut from = 0;
    while let Some(at) = page[from..].find("```yaml\n") {
        let start = from + at + "```yaml\n".len();
        let end = start + page[start..].find("```\n").expect("the block is closed");
        let made = becomes(&before, &page[start..end]);
        (page, from) = replaced(&page, "sql", &made, end);
    }
    page
}

fn check(path: &Path, made: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, made).unwrap();
        return;
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    if found == made {
        return;
    }
    let (line, (found, made)) = found
        .lines()
        .chain(std::iter::repeat(""))
        .zip(made.lines())
        .enumerate()
        .find(|(_, (found, made))| found != made)
        .unwrap_or((0, ("", "")));
    panic!("{}:{}: not up to date; run with UPDATE_GOLDEN=1\n  is: {found}\nnow: {made}", path.display(), line + 1);
}

#[test]
fn every_operation_has_a_page_that_is_up_to_date() {
    let mut missing: BTreeSet<&str> = OPERATIONS.iter().map(|object| object.name).collect();
    for object in &OPERATIONS {
        let path = pages().join(format!("{}.md", object.name));
        let Ok(page) = fs::read_to_string(&path) else { continue };
        missing.remove(object.name);
        let page = examples(page);
        check(&path, &replaced(&page, "keys", &keys(object), 0).0);
    }
    assert!(missing.is_empty(), "no page for {missing:?}");
}

#[test]
fn the_page_of_types_is_up_to_date() {
    let path = pages().join("types.md");
    let page = examples(fs::read_to_string(&path).unwrap());
    check(&path, &replaced(&page, "mapping", &mapping(), 0).0);
}

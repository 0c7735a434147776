use std::ops::Range;

use super::definition::{Column, Constraint, ConstraintKind, Definition};
use super::parse::parse;
use super::problem::Problem;
use super::splice::{insert_after, remove_item, remove_part, replace};
use super::token::{Kind, Token, mentions, quote, same, tokens, trivia};
use crate::domain::TableEdit;

/// The table's definition after one edit. What the edit does not mention is kept to the letter.
pub(super) fn apply(text: &str, edit: &TableEdit) -> Result<String, Problem> {
    let definition = parse(text)?;
    match edit {
        TableEdit::AddColumn { name, definition: rest } => {
            if definition.column(name).is_some() {
                return Err(Problem::new(format!("it has a column '{name}' already")));
            }
            let item = format!("{} {rest}", quote(name));
            Ok(insert_after(text, &definition, definition.columns.len() - 1, item.trim_end()))
        }
        TableEdit::DropColumn { name } => drop_column(text, &definition, name),
        TableEdit::SetType { column, sql_type } => {
            let column = find(&definition, column)?;
            Ok(match (&column.sql_type, sql_type.is_empty()) {
                (Some(span), true) => remove_part(text, span.clone()),
                (Some(span), false) => replace(text, span.clone(), sql_type),
                (None, true) => text.to_owned(),
                (None, false) => replace(text, column.name_end..column.name_end, &format!(" {sql_type}")),
            })
        }
        TableEdit::SetTypeCheck { column, gone, check } => {
            set_type_check(text, find(&definition, column)?, gone, check.as_deref())
        }
        TableEdit::SetNullable { column, nullable } => {
            set_nullable(text, &definition, find(&definition, column)?, *nullable)
        }
        TableEdit::SetDefault { column, expression } => {
            set_default(text, find(&definition, column)?, expression.as_deref())
        }
        TableEdit::AddConstraint { name, definition: rest } => {
            if named(&definition, name).next().is_some() {
                return Err(Problem::new(format!("it has a constraint '{name}' already")));
            }
            Ok(append(text, &definition, &format!("CONSTRAINT {} {rest}", quote(name))))
        }
        TableEdit::DropConstraint { name } => drop_constraint(text, &definition, name),
        TableEdit::AddPrimaryKey { name, columns } => add_primary_key(text, &definition, name.as_deref(), columns),
        TableEdit::DropPrimaryKey => drop_primary_key(text, &definition),
        TableEdit::SetComment { column, remark } => {
            Ok(set_comment(text, find(&definition, column)?, remark.as_deref()))
        }
        // An index's name stands in its own text only, and what is dropped has no text.
        TableEdit::RenameIndex { .. } | TableEdit::DropTable { .. } => Ok(text.to_owned()),
    }
}

fn find<'a>(definition: &'a Definition, name: &str) -> Result<&'a Column, Problem> {
    definition.column(name).ok_or_else(|| Problem::new(format!("it has no column '{name}'")))
}

fn named<'a, 'n>(
    definition: &'a Definition,
    name: &'n str,
) -> impl Iterator<Item = (Option<&'a Column>, &'a Constraint)> + use<'a, 'n> {
    definition.all().filter(move |(_, each)| each.name.as_deref().is_some_and(|other| same(other, name)))
}

/// The comment is the first between `/*` and `*/` that follows the column in its line; comments behind `--` stay.
fn set_comment(text: &str, column: &Column, remark: Option<&str>) -> String {
    let end = column.span.end;
    let rest = text.get(end..).unwrap_or_default();
    let inner = rest.trim_start_matches([' ', '\t']);
    let old = match inner.starts_with("/*") {
        true => end..end + rest.len() - inner.len() + trivia(inner),
        false => end..end,
    };
    let new = remark.map(|remark| format!(" {remark}")).unwrap_or_default();
    replace(text, old, &new)
}

fn append(text: &str, definition: &Definition, item: &str) -> String {
    insert_after(text, definition, definition.columns.len() + definition.constraints.len() - 1, item)
}

fn drop_column(text: &str, definition: &Definition, name: &str) -> Result<String, Problem> {
    let column = find(definition, name)?;
    if definition.columns.len() == 1 {
        let hint = "drop the table instead";
        return Err(Problem::new(format!("'{name}' is its only column")).hint(hint));
    }
    if definition.primary_key().is_some_and(|(_, _, columns)| columns.iter().any(|each| same(each, name))) {
        let problem = Problem::new(format!("the column '{name}' is part of its primary key"));
        return Err(problem.hint("drop the primary key first"));
    }
    let goes = |each: &Constraint| matches!(&each.kind, ConstraintKind::Check(body) if is_about_only(text, definition, body, column));
    let rest = definition.all().filter(|(of, each)| of.is_some() || !goes(each));
    let used: Vec<String> = rest.filter_map(|(of, each)| use_of(text, of, each, column)).collect();
    if !used.is_empty() {
        let problem = Problem::new(format!("the column '{name}' is used by {}", used.join(", ")));
        return Err(problem.hint("drop or change what uses the column first"));
    }
    let alone = |each: &Constraint| match &each.kind {
        ConstraintKind::Check(body) => is_about_only(text, definition, body, column),
        _ => columns_of(each).is_some_and(|columns| columns.iter().all(|each| same(each, name))),
    };
    let mut out = text.to_owned();
    // From the last to the first, so that the places before stay true.
    for (index, _) in definition.constraints.iter().enumerate().rev().filter(|(_, each)| alone(each)) {
        out = remove_item(&out, &parse(&out)?, definition.columns.len() + index);
    }
    let rest = parse(&out)?;
    let index = rest.columns.iter().position(|each| same(&each.name, name)).unwrap_or_default();
    Ok(remove_item(&out, &rest, index))
}

/// Whether a condition names this column and no other of the table.
fn is_about_only(text: &str, definition: &Definition, body: &Range<usize>, column: &Column) -> bool {
    definition.columns.iter().all(|each| mentions(text, body.clone(), &each.name) == (each.name == column.name))
}

/// The columns of a constraint on nothing but columns.
fn columns_of(constraint: &Constraint) -> Option<&[String]> {
    match &constraint.kind {
        ConstraintKind::Unique { columns } if !columns.is_empty() => Some(columns),
        ConstraintKind::Foreign(key) if !key.columns.is_empty() => Some(&key.columns),
        _ => None,
    }
}

/// What uses a column and does not go with it, in words. A constraint without a name over nothing but the column does go,
/// because there is no other way to be rid of it.
fn use_of(text: &str, of: Option<&Column>, constraint: &Constraint, column: &Column) -> Option<String> {
    if of.is_some_and(|of| same(&of.name, &column.name)) {
        return None;
    }
    let name = &column.name;
    let says = |range: &Range<usize>| mentions(text, range.clone(), name);
    let used = match (&constraint.kind, columns_of(constraint)) {
        (ConstraintKind::Check(body) | ConstraintKind::Generated(body), _) => says(body),
        (_, Some(columns)) => {
            let alone = constraint.name.is_none() && columns.iter().all(|each| same(each, name));
            columns.iter().any(|each| same(each, name)) && !alone
        }
        _ => false,
    };
    used.then(|| match (&constraint.kind, of, &constraint.name) {
        (ConstraintKind::Generated(_), Some(of), _) => format!("the generated column '{}'", of.name),
        (_, _, Some(name)) => format!("the constraint '{name}'"),
        (_, Some(of), _) => format!("a check of the column '{}'", of.name),
        _ => {
            let shown = text.get(constraint.span.clone()).unwrap_or_default();
            format!("the constraint {}", crate::domain::shorten(shown, 80))
        }
    })
}

fn set_nullable(text: &str, definition: &Definition, column: &Column, nullable: bool) -> Result<String, Problem> {
    if nullable {
        let key = definition.primary_key().map(|(_, _, columns)| columns).unwrap_or_default();
        if definition.without_rowid && key.iter().any(|each| same(each, &column.name)) {
            let text = format!("the column '{}' is part of the primary key of a table without row ids", column.name);
            return Err(Problem::new(text).hint("such a column is never NULL"));
        }
        return Ok(remove_kind(text, column, |kind| *kind == ConstraintKind::NotNull));
    }
    if column.constraints.iter().any(|each| each.kind == ConstraintKind::NotNull) {
        return Ok(text.to_owned());
    }
    // After it in the text, so that its place stays true.
    let out = remove_kind(text, column, |kind| *kind == ConstraintKind::Null);
    let at = after_type(column);
    Ok(replace(&out, at..at, " NOT NULL"))
}

fn after_type(column: &Column) -> usize {
    column.sql_type.as_ref().map_or(column.name_end, |span| span.end)
}

fn remove_kind(text: &str, column: &Column, which: impl Fn(&ConstraintKind) -> bool) -> String {
    let spans = column.constraints.iter().rev().filter(|each| which(&each.kind)).map(|each| each.span.clone());
    spans.fold(text.to_owned(), |text, span| remove_part(&text, span))
}

fn set_type_check(text: &str, column: &Column, gone: &[String], check: Option<&str>) -> Result<String, Problem> {
    let is_gone = |each: &&Constraint| {
        let body = text.get(each.span.clone()).unwrap_or_default();
        each.name.is_none() && matches!(each.kind, ConstraintKind::Check(_)) && gone.iter().any(|one| alike(body, one))
    };
    let spans = column.constraints.iter().rev().filter(is_gone).map(|each| each.span.clone());
    let out = spans.fold(text.to_owned(), |text, span| remove_part(&text, span));
    let Some(check) = check else { return Ok(out) };
    let definition = parse(&out)?;
    let end = find(&definition, &column.name)?.span.end;
    Ok(replace(&out, end..end, &format!(" {}", check.trim())))
}

/// Whether two texts say the same in other spacing, case and quotes.
fn alike(one: &str, other: &str) -> bool {
    let (these, those) = (tokens(one), tokens(other));
    these.len() == those.len()
        && these.iter().zip(&those).all(|(this, that)| match (this.name(one), that.name(other)) {
            (Some(this), Some(that)) => same(&this, &that),
            _ => this.kind == that.kind && one.get(this.start..this.end) == other.get(that.start..that.end),
        })
}

fn set_default(text: &str, column: &Column, expression: Option<&str>) -> Result<String, Problem> {
    if column.generated() {
        return Err(Problem::new(format!("the column '{}' is generated and has no default", column.name)));
    }
    let is_default = |kind: &ConstraintKind| matches!(kind, ConstraintKind::Default(_));
    let Some(expression) = expression else { return Ok(remove_kind(text, column, is_default)) };
    let value = default_value(expression);
    let body = column.constraints.iter().rev().find_map(|each| match &each.kind {
        ConstraintKind::Default(body) => Some(body.clone()),
        _ => None,
    });
    if let Some(body) = body {
        return Ok(replace(text, body, &value));
    }
    let not_null = column.constraints.iter().find(|each| each.kind == ConstraintKind::NotNull);
    let at = not_null.map_or(after_type(column), |each| each.span.end);
    Ok(replace(text, at..at, &format!(" DEFAULT {value}")))
}

/// The expression as it can stand after `DEFAULT`: anything but a literal needs parentheses.
fn default_value(expression: &str) -> String {
    let expression = expression.trim();
    let tokens = tokens(expression);
    let unsigned = match tokens.split_first() {
        Some((first, rest)) if matches!(first.kind, Kind::Symbol('+' | '-')) => rest,
        _ => &*tokens,
    };
    let plain = match unsigned {
        [only] => !matches!(only.kind, Kind::Symbol(_)),
        _ => false,
    };
    if plain || in_parentheses(&tokens) {
        return expression.to_owned();
    }
    // A comment at the end must not swallow the parenthesis.
    let close = if expression.contains("--") { "\n)" } else { ")" };
    format!("({expression}{close}")
}

/// Whether one pair of parentheses holds all of an expression.
fn in_parentheses(tokens: &[Token]) -> bool {
    let mut depth = 0_i32;
    let closes = tokens.iter().position(|token| {
        depth += match token.kind {
            Kind::Symbol('(') => 1,
            Kind::Symbol(')') => -1,
            _ => 0,
        };
        depth <= 0
    });
    tokens.len() > 1 && closes == Some(tokens.len() - 1)
}

fn drop_constraint(text: &str, definition: &Definition, name: &str) -> Result<String, Problem> {
    let found: Vec<_> = named(definition, name).collect();
    let [(of, constraint)] = &*found else {
        let (text, hint) = match found.len() {
            0 => (format!("it has no constraint '{name}'"), "look at the table's definition in the database"),
            count => {
                (format!("it has {count} constraints '{name}'"), "rebuild the table by SQL statements of your own")
            }
        };
        return Err(Problem::new(text).hint(hint));
    };
    if matches!(constraint.kind, ConstraintKind::PrimaryKey { .. }) {
        return drop_primary_key(text, definition);
    }
    Ok(remove_constraint(text, definition, *of, constraint))
}

fn remove_constraint(text: &str, definition: &Definition, of: Option<&Column>, constraint: &Constraint) -> String {
    if of.is_some() {
        return remove_part(text, constraint.span.clone());
    }
    let index = definition.constraints.iter().position(|each| each.span == constraint.span).unwrap_or_default();
    remove_item(text, definition, definition.columns.len() + index)
}

fn add_primary_key(
    text: &str,
    definition: &Definition,
    name: Option<&str>,
    columns: &[String],
) -> Result<String, Problem> {
    if definition.primary_key().is_some() {
        return Err(Problem::new("it has a primary key already").hint("drop the primary key first"));
    }
    if columns.is_empty() {
        return Err(Problem::new("a primary key needs a column"));
    }
    if let Some(name) = name.filter(|name| named(definition, name).next().is_some()) {
        return Err(Problem::new(format!("it has a constraint '{name}' already")));
    }
    for column in columns {
        if find(definition, column)?.generated() {
            return Err(Problem::new(format!("the column '{column}' is generated and can't be part of a primary key")));
        }
    }
    let columns: Vec<String> = columns.iter().map(|column| quote(column)).collect();
    let name = name.map_or(String::new(), |name| format!("CONSTRAINT {} ", quote(name)));
    Ok(append(text, definition, &format!("{name}PRIMARY KEY ({})", columns.join(", "))))
}

fn drop_primary_key(text: &str, definition: &Definition) -> Result<String, Problem> {
    let Some((of, constraint, _)) = definition.primary_key() else {
        return Err(Problem::new("it has no primary key"));
    };
    if definition.autoincrement() {
        let problem = Problem::new("without its primary key its rows would not be numbered any more");
        return Err(problem.hint("make a new table and copy the rows, or leave the operation out with 'providers'"));
    }
    if definition.without_rowid {
        let problem = Problem::new("a table without row ids has to keep its primary key");
        return Err(problem.hint("make a new table and copy the rows by SQL statements of your own"));
    }
    Ok(remove_constraint(text, definition, of, constraint))
}

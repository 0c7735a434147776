use super::parse::parse;
use super::problem::Problem;
use super::schema::Schema;
use super::token::{Kind, Token, mentions, same, tokens};

/// Refuses to drop a column that something outside the table's own definition uses. What views and triggers read is not
/// looked into: only SQLite can say what their names mean. It does not say it of the columns that triggers write.
pub(super) fn check(schema: &Schema, table: &str, column: &str) -> Result<(), Problem> {
    let mut found = Vec::new();
    for (index, sql) in schema.of("index", table) {
        if index_mentions(sql, column) {
            found.push(format!("the index '{}'", index.name));
        }
    }
    for trigger in schema.objects.iter().filter(|object| object.kind == "trigger") {
        let Some(sql) = trigger.sql.as_deref() else { continue };
        if (same(&trigger.table, table) && fires_on(sql, column)) || writes(sql, table, column) {
            found.push(format!("the trigger '{}'", trigger.name));
        }
    }
    for (other, sql) in schema.tables() {
        let Ok(definition) = parse(sql) else { continue };
        let own = same(&other.name, table);
        let refers = definition.foreign_keys().any(|(of, key)| {
            let gone =
                own && (of.is_some_and(|of| same(&of.name, column)) || key.columns.iter().any(|c| same(c, column)));
            !gone && same(&key.parent, table) && key.parent_columns.iter().any(|each| same(each, column))
        });
        if refers {
            found.push(format!("a foreign key of the table '{}'", other.name));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let problem = Problem::new(format!("the column '{column}' is used by {}", found.join(", ")));
    Err(problem.hint("drop or change what uses the column first"))
}

/// The tables with a foreign key to this one, itself included.
pub(super) fn children(schema: &Schema, table: &str) -> Vec<String> {
    let refers = |sql: &str| parse(sql).is_ok_and(|all| all.foreign_keys().any(|(_, key)| same(&key.parent, table)));
    schema.tables().filter(|(_, sql)| refers(sql)).map(|(child, _)| child.name.clone()).collect()
}

/// Where, in the text of an index, its columns begin.
fn index_body(sql: &str, tokens: &[Token]) -> usize {
    let open = tokens.iter().find(|token| token.kind == Kind::Symbol('('));
    open.map_or(sql.len(), |token| token.start)
}

fn index_mentions(sql: &str, column: &str) -> bool {
    let body = index_body(sql, &tokens(sql));
    mentions(sql, body..sql.len(), column)
}

/// Whether a trigger is for updates of this column: `UPDATE OF a, b ON …`.
fn fires_on(sql: &str, column: &str) -> bool {
    let tokens = tokens(sql);
    let update = tokens.windows(2).position(|pair| matches!(pair, [a, b] if a.is(sql, "UPDATE") && b.is(sql, "OF")));
    let Some(update) = update else { return false };
    let list = tokens.iter().skip(update + 2).take_while(|token| !token.is(sql, "ON"));
    let body = tokens.iter().position(|token| token.is(sql, "BEGIN")).unwrap_or(tokens.len());
    update < body && list.filter_map(|token| token.name(sql)).any(|name| same(&name, column))
}

/// Whether a trigger's body writes the column: `INSERT INTO table (column, …)` or `UPDATE table SET column = …`.
fn writes(sql: &str, table: &str, column: &str) -> bool {
    let tokens = tokens(sql);
    let name_at = |at: usize, name: &str| {
        tokens.get(at).and_then(|token| token.name(sql)).is_some_and(|other| same(&other, name))
    };
    let symbol_at = |at: usize, symbol: char| tokens.get(at).is_some_and(|token| token.kind == Kind::Symbol(symbol));
    let word_at = |at: usize, keyword: &str| tokens.get(at).is_some_and(|token| token.is(sql, keyword));
    (1..tokens.len()).filter(|at| name_at(*at, table)).any(|at| {
        let rest = || tokens.iter().enumerate().skip(at + 2).take_while(|(_, token)| token.kind != Kind::Symbol(';'));
        if word_at(at - 1, "INTO") && symbol_at(at + 1, '(') {
            let list = rest().take_while(|(_, token)| token.kind != Kind::Symbol(')'));
            return list.into_iter().any(|(index, _)| name_at(index, column));
        }
        let set = word_at(at + 1, "SET");
        set && rest().any(|(index, _)| {
            let begins = word_at(index - 1, "SET") || symbol_at(index - 1, ',');
            begins && name_at(index, column) && symbol_at(index + 1, '=')
        })
    })
}

/// Whether a text says `table.column` of the table itself, which it may in checks and in the conditions of indexes.
pub(super) fn says_own_name(sql: &str, from: usize, table: &str) -> bool {
    own_name(sql, from, table).next().is_some()
}

/// The text without the table's name before its columns' names.
pub(super) fn without_own_name(sql: &str, from: usize, table: &str) -> String {
    let mut out = sql.to_owned();
    let found: Vec<(usize, usize)> = own_name(sql, from, table).collect();
    for (start, end) in found.into_iter().rev() {
        out.replace_range(start..end, "");
    }
    out
}

fn own_name<'a>(sql: &'a str, from: usize, table: &'a str) -> impl Iterator<Item = (usize, usize)> + use<'a> {
    let tokens = tokens(sql);
    let found: Vec<(usize, usize)> = tokens
        .windows(2)
        .filter_map(|pair| match pair {
            [name, dot] if name.start >= from && dot.kind == Kind::Symbol('.') => {
                let own = name.kind != Kind::Text && name.name(sql).is_some_and(|name| same(&name, table));
                own.then_some((name.start, dot.end))
            }
            _ => None,
        })
        .collect();
    found.into_iter()
}

/// Whether an index's text says the table's own name before a column's.
pub(super) fn index_says_own_name(sql: &str, table: &str) -> bool {
    says_own_name(sql, index_body(sql, &tokens(sql)), table)
}

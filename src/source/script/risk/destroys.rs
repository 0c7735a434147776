use super::super::scanner::Kind;
use super::{Cursor, alter_table, has, next_part, take_if};
use crate::domain::{ObjectName, Provider, shorten};

/// What a statement destroys for good.
pub(super) fn of(provider: Provider, mut at: Cursor<'_>) -> Option<String> {
    if at.take("DROP") {
        dropped(provider, at)
    } else if at.take("TRUNCATE") {
        at.take_any(&["TABLE", "ONLY"]);
        at.take("ONLY");
        Some(format!("every row of {}", names(at)))
    } else if at.take("DELETE") {
        let all = every_row(at, provider);
        at.take_any(&["LOW_PRIORITY", "QUICK", "IGNORE"]);
        at.take("FROM");
        at.take("ONLY");
        all.then(|| format!("every row of {}", name(&mut at)))
    } else if at.take("UPDATE") {
        let all = every_row(at, provider);
        at.take_any(&["LOW_PRIORITY", "IGNORE", "ONLY"]);
        all.then(|| format!("the earlier values in every row of {}", name(&mut at)))
    } else {
        altered(provider, at)
    }
}

fn dropped(provider: Provider, mut at: Cursor<'_>) -> Option<String> {
    let kind = at.word().to_ascii_uppercase();
    at.bump();
    take_if(&mut at);
    match kind.as_str() {
        "TABLE" | "TABLES" => {
            let named = names(at);
            let (noun, whose) = if named.contains(", ") { ("tables", "their") } else { ("table", "its") };
            // A temporary table ends with the session in any case.
            (!named.starts_with('#')).then(|| format!("the {noun} {named} and {whose} rows"))
        }
        "DATABASE" => Some(format!("the database {}", names(at))),
        "SCHEMA" => Some(format!("the schema {} and everything in it", names(at))),
        "OWNED" => Some("everything that a role owns".to_owned()),
        "TYPE" | "DOMAIN" | "EXTENSION" | "SEQUENCE" | "FUNCTION"
            if provider == Provider::Postgres && has(at, &["CASCADE"]) =>
        {
            Some(format!("whatever depends on {}", name(&mut at)))
        }
        _ => None,
    }
}

/// What can stand behind `DROP` in `ALTER TABLE` and is no column.
const NO_COLUMN: [&str; 9] =
    ["CONSTRAINT", "INDEX", "KEY", "PRIMARY", "FOREIGN", "CHECK", "SYSTEM", "PERIOD", "DEFAULT"];

fn altered(provider: Provider, mut at: Cursor<'_>) -> Option<String> {
    let table = alter_table(&mut at)?;
    loop {
        if at.take("DROP") {
            if at.take("PARTITION") {
                return Some(format!("the rows of a partition of {}", shown(&table)));
            }
            if !at.take("COLUMN") && NO_COLUMN.iter().any(|word| at.is(word)) {
                if !next_part(&mut at) {
                    return None;
                }
                continue;
            }
            take_if(&mut at);
            let column = at.part()?;
            return Some(format!("the column {}.{column} and its values", shown(&table)));
        }
        if provider == Provider::MySql && at.take_all(&["TRUNCATE", "PARTITION"]) {
            return Some(format!("the rows of a partition of {}", shown(&table)));
        }
        if !next_part(&mut at) {
            return None;
        }
    }
}

/// Whether `DELETE` or `UPDATE` says nothing of which rows it means.
fn every_row(mut at: Cursor<'_>, provider: Provider) -> bool {
    let next = ["INSERT", "UPDATE", "DELETE", "SELECT", "CREATE", "ALTER", "DROP", "EXEC", "EXECUTE", "IF", "WHILE"];
    let mut depth = 0usize;
    while let Some(token) = at.peek() {
        match token.kind {
            Kind::Symbol('(') => depth += 1,
            Kind::Symbol(')') => depth = depth.saturating_sub(1),
            Kind::Symbol(';') if depth == 0 => return true,
            _ if depth > 0 => {}
            // MySQL and SQLite can limit how many rows it is about, SQL Server with TOP.
            _ if at.is("WHERE") || at.is("LIMIT") || at.is("TOP") => return false,
            _ if provider == Provider::SqlServer && next.iter().any(|verb| at.is(verb)) => return true,
            _ => {}
        }
        at.bump();
    }
    true
}

fn shown(name: &ObjectName) -> String {
    shorten(&name.to_string(), 80)
}

fn name(at: &mut Cursor<'_>) -> String {
    at.name().map_or_else(|| "a table".to_owned(), |name| shown(&name))
}

fn names(mut at: Cursor<'_>) -> String {
    let mut names = Vec::new();
    while let Some(name) = at.name() {
        at.symbol('*');
        names.push(shown(&name));
        if !at.symbol(',') || names.len() == 10 {
            break;
        }
    }
    if names.is_empty() { "whatever it names".to_owned() } else { names.join(", ") }
}

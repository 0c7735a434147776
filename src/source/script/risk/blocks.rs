use super::{Cursor, alter_table, has, has_option, next_part, part_has, take_if};
use crate::domain::{ObjectName, Provider, shorten};

/// Whom a statement holds up.
pub(super) struct Blocks {
    /// The table that is waited for.
    pub(super) table: ObjectName,
    pub(super) text: String,
}

/// Whom a statement holds up for longer than a moment.
pub(super) fn of(provider: Provider, at: Cursor<'_>) -> Option<Blocks> {
    match provider {
        Provider::Sqlite => sqlite(at),
        Provider::Postgres => postgres(at),
        Provider::MySql => mysql(at),
        Provider::SqlServer => sqlserver(at),
    }
}

fn blocks(table: ObjectName, text: impl FnOnce(&str) -> String) -> Blocks {
    let text = text(&shorten(&table.to_string(), 80));
    Blocks { table, text }
}

fn until_built(table: ObjectName) -> Blocks {
    blocks(table, |table| format!("writes to {table} wait until the index is built"))
}

fn until_checked(table: ObjectName) -> Blocks {
    blocks(table, |table| format!("writes to {table} wait while every row is checked"))
}

fn until_copied(table: ObjectName) -> Blocks {
    blocks(table, |table| format!("writes to {table} may wait while its rows are copied"))
}

fn until_rewritten(table: ObjectName) -> Blocks {
    blocks(table, |table| format!("nobody can use {table} while its rows are rewritten"))
}

fn locked(table: ObjectName) -> Blocks {
    blocks(table, |table| format!("others wait for {table} until it is unlocked"))
}

/// The table of `CREATE … INDEX`, when it is not built online; the cursor stands behind `INDEX`.
fn indexed(mut at: Cursor<'_>) -> Option<ObjectName> {
    take_if(&mut at);
    if !at.is("ON") {
        at.name()?;
    }
    while !at.at_end() && !at.take("ON") {
        at.bump();
    }
    at.take("ONLY");
    at.name()
}

fn sqlite(mut at: Cursor<'_>) -> Option<Blocks> {
    let whole = ObjectName::bare("the database");
    at.take("VACUUM").then(|| blocks(whole, |_| "writes wait until the file is rewritten".to_owned()))
}

fn postgres(mut at: Cursor<'_>) -> Option<Blocks> {
    if at.take("CREATE") {
        at.take("UNIQUE");
        return (at.take("INDEX") && !at.is("CONCURRENTLY")).then(|| indexed(at))?.map(until_built);
    }
    if at.take("VACUUM") {
        let full = at.take("FULL") || { at }.symbol('(') && has(at, &["FULL"]);
        let table = || ObjectName::bare("the tables");
        return full.then(|| until_rewritten(last_name(at).unwrap_or_else(table)));
    }
    if at.take("CLUSTER") {
        at.take("VERBOSE");
        return at.name().map(until_rewritten);
    }
    if at.take("REINDEX") && !has(at, &["CONCURRENTLY"]) {
        at.take_any(&["TABLE", "INDEX", "SCHEMA", "DATABASE", "SYSTEM"]);
        let name = at.name().unwrap_or_else(|| ObjectName::bare("its tables"));
        return Some(blocks(name, |name| format!("writes wait until {name} is rebuilt")));
    }
    if at.take_all(&["REFRESH", "MATERIALIZED", "VIEW"]) && !at.is("CONCURRENTLY") {
        return at.name().map(|view| blocks(view, |view| format!("reads of {view} wait until it is filled")));
    }
    if at.take("LOCK") {
        at.take("TABLE");
        at.take("ONLY");
        return at.name().map(locked);
    }
    let table = alter_table(&mut at)?;
    loop {
        let found = postgres_action(at);
        if let Some(action) = found {
            return Some(match action {
                Action::Rewrites => until_rewritten(table),
                Action::Checks => until_checked(table),
            });
        }
        if !next_part(&mut at) {
            return None;
        }
    }
}

enum Action {
    Rewrites,
    Checks,
}

fn postgres_action(mut at: Cursor<'_>) -> Option<Action> {
    if at.take("ALTER") {
        at.take("COLUMN");
        at.part()?;
        let typed = at.take("TYPE") || at.take_all(&["SET", "DATA", "TYPE"]);
        if typed {
            return Some(Action::Rewrites);
        }
        return at.take_all(&["SET", "NOT", "NULL"]).then_some(Action::Checks);
    }
    if at.take("SET") {
        let moves = ["TABLESPACE", "LOGGED", "UNLOGGED", "ACCESS"];
        return moves.iter().any(|word| at.is(word)).then_some(Action::Rewrites);
    }
    if at.take("ADD") {
        let named = at.take("CONSTRAINT");
        if named {
            at.part()?;
        }
        let kinds = ["CHECK", "FOREIGN", "UNIQUE", "PRIMARY", "EXCLUDE", "NOT"];
        let constraint = kinds.iter().any(|word| at.is(word));
        let later = part_has(at, &["NOT", "VALID"]) || part_has(at, &["USING", "INDEX"]);
        return (constraint && !later).then_some(Action::Checks);
    }
    None
}

/// The last name of a statement that ends in one.
fn last_name(mut at: Cursor<'_>) -> Option<ObjectName> {
    let mut last = None;
    while !at.at_end() {
        let options = ["FULL", "FREEZE", "VERBOSE", "ANALYZE"];
        match at.take_any(&options) {
            true => {}
            false => match at.name() {
                Some(name) => last = Some(name),
                None => at.bump(),
            },
        }
    }
    last
}

fn mysql(mut at: Cursor<'_>) -> Option<Blocks> {
    let waits = has_option(at, "ALGORITHM", &["COPY"]) || has_option(at, "LOCK", &["SHARED", "EXCLUSIVE"]);
    if at.take("CREATE") {
        at.take_all(&["OR", "REPLACE"]);
        at.take_any(&["ONLINE", "OFFLINE"]);
        let slow = at.take_any(&["FULLTEXT", "SPATIAL"]);
        at.take("UNIQUE");
        return (at.take("INDEX") && (slow || waits)).then(|| indexed(at))?.map(until_built);
    }
    if at.take("LOCK") {
        return at.take_any(&["TABLE", "TABLES"]).then(|| at.name())?.map(locked);
    }
    if at.take("OPTIMIZE") {
        at.take_any(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
        at.take_any(&["TABLE", "TABLES"]);
        return at.name().map(until_copied);
    }
    let table = alter_table(&mut at)?;
    if waits {
        return Some(until_copied(table));
    }
    // The server refuses to do what it cannot do without holding writers up.
    if has_option(at, "LOCK", &["NONE"]) || has_option(at, "ALGORITHM", &["INSTANT"]) {
        return None;
    }
    loop {
        let copies = at.is("MODIFY") || at.is("CHANGE") || at.is("CONVERT") || at.is("ENGINE") || at.is("ORDER");
        if copies {
            return Some(until_copied(table));
        }
        if at.is("ADD") && part_has(at, &["FOREIGN", "KEY"]) {
            return Some(until_checked(table));
        }
        if !next_part(&mut at) {
            return None;
        }
    }
}

fn sqlserver(mut at: Cursor<'_>) -> Option<Blocks> {
    let online = has_option(at, "ONLINE", &["ON"]);
    if at.take("CREATE") {
        at.take("UNIQUE");
        at.take_any(&["CLUSTERED", "NONCLUSTERED"]);
        at.take("COLUMNSTORE");
        return (at.take("INDEX") && !online).then(|| indexed(at))?.map(until_built);
    }
    if { at }.take_all(&["ALTER", "INDEX"]) {
        let rebuilds = has(at, &["REBUILD"]) && !online;
        at.take_all(&["ALTER", "INDEX"]);
        return rebuilds.then(|| indexed(at))?.map(until_built);
    }
    let table = alter_table(&mut at)?;
    let unchecked = at.take_all(&["WITH", "NOCHECK"]);
    at.take_all(&["WITH", "CHECK"]);
    if at.take_all(&["ALTER", "COLUMN"]) {
        return (!online).then(|| until_rewritten(table));
    }
    if !unchecked && at.is("ADD") {
        let kinds: [&[&str]; 4] = [&["CHECK"], &["FOREIGN", "KEY"], &["UNIQUE"], &["PRIMARY", "KEY"]];
        return (kinds.iter().any(|kind| part_has(at, kind)) && !online).then(|| until_checked(table));
    }
    None
}

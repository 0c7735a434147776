use super::super::scanner::Kind;
use super::altered::{altered, keeps_passwords};
use super::tables::{names, renamed};
use super::{Cursor, behind_conditions, inner, take_if, take_wait};
use crate::domain::{Effect, ObjectName};

/// Statements that are known to leave an open transaction open. What is not known to, commits.
const KEEPS_TRANSACTION: [&str; 24] = [
    "INSERT",
    "REPLACE",
    "UPDATE",
    "DELETE",
    "SELECT",
    "WITH",
    "VALUES",
    "TABLE",
    "DO",
    "SHOW",
    "EXPLAIN",
    "DESCRIBE",
    "DESC",
    "CHECKSUM",
    "PREPARE",
    "DEALLOCATE",
    "HANDLER",
    "SIGNAL",
    "RESIGNAL",
    "GET",
    // RELEASE SAVEPOINT and ROLLBACK TO are refused elsewhere; inside routines of MariaDB these stand.
    "DECLARE",
    "OPEN",
    "FETCH",
    "CLOSE",
];

/// Which effect a statement has that commits by itself. These are the statements of
/// <https://dev.mysql.com/doc/refman/en/implicit-commit.html> and
/// <https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/>, as far as the text alone tells, and all that
/// are not known to leave a transaction open: what a newer server can do besides is found out the safe way.
pub(in super::super) fn alone(at: Cursor<'_>) -> Option<Effect> {
    let Some(mut rest) = another(at) else { return alone_one(inner(at)) };
    // One text, several statements: a conditional comment holds a `;`.
    let mut commits = alone_one(inner(at)).is_some();
    loop {
        commits |= alone_one(inner(rest)).is_some();
        match another(rest) {
            Some(next) if !commits => rest = next,
            _ => return commits.then_some(Effect::Unknowable),
        }
    }
}

/// What stands behind the first `;` of a text that is no body.
fn another(mut at: Cursor<'_>) -> Option<Cursor<'_>> {
    let is_body = (at.is("CREATE") && makes_code(at)) || COMPOUND.iter().any(|word| at.is(word));
    if is_body {
        return None;
    }
    while let Some(token) = at.peek() {
        at.bump();
        if matches!(token.kind, Kind::Separator | Kind::Symbol(';')) && !at.at_end() {
            return Some(at);
        }
    }
    None
}

/// Words that begin MariaDB's statements around statements.
const COMPOUND: [&str; 7] = ["BEGIN", "IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR"];

fn alone_one(at: Cursor<'_>) -> Option<Effect> {
    let word = at.word().to_ascii_uppercase();
    let mut rest = at;
    rest.bump();
    match word.as_str() {
        "CREATE" => created(rest),
        "DROP" => dropped(rest),
        "ALTER" => Some(altered(at)),
        "RENAME" => Some(renamed_tables(&renamed(rest))),
        // Sequences start anew, and rows that came in meanwhile would go: to do it again is not the same.
        "TRUNCATE" | "RESET" => Some(Effect::Unknowable),
        "GRANT" | "OPTIMIZE" | "REPAIR" | "FLUSH" => Some(Effect::Idempotent),
        "ANALYZE" => {
            rest.take_any(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
            rest.take_any(&["TABLE", "TABLES"]).then_some(Effect::Idempotent)
        }
        "CHECK" => Some(match rest.take_any(&["TABLE", "TABLES", "VIEW"]) {
            true => Effect::Idempotent,
            false => Effect::Unknowable,
        }),
        "CACHE" => Some(if rest.take("INDEX") { Effect::Idempotent } else { Effect::Unknowable }),
        "LOAD" if rest.take("INDEX") => Some(Effect::Idempotent),
        "LOAD" => (!rest.take_any(&["DATA", "XML"])).then_some(Effect::Unknowable),
        "SET" => set(rest),
        "BEGIN" | "IF" | "CASE" | "LOOP" | "WHILE" | "REPEAT" | "FOR" => compound(rest),
        // A parenthesis begins a query.
        "" => at.peek().is_some_and(|token| token.kind != Kind::Symbol('(')).then_some(Effect::Unknowable),
        word => (!KEEPS_TRANSACTION.contains(&word)).then_some(Effect::Unknowable),
    }
}

/// All of it happens at once, in MariaDB since 10.6. So the names that only go or only come tell for the whole: a name that
/// something goes from and something else comes to is there before and after.
fn renamed_tables(pairs: &[(ObjectName, ObjectName)]) -> Effect {
    if let [(from, to)] = pairs {
        return Effect::TableRenamed { from: from.clone(), to: to.clone() };
    }
    let same = |a: &ObjectName, b: &ObjectName| {
        let folded = |text: &str| text.to_lowercase();
        a.schema.as_deref().map(folded) == b.schema.as_deref().map(folded) && folded(&a.name) == folded(&b.name)
    };
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    for (from, to) in pairs {
        // A name is in between where another pair has it on its other side.
        if !pairs.iter().any(|(_, other)| same(other, from)) {
            gone.push(from.clone());
        }
        if !pairs.iter().any(|(other, _)| same(other, to)) {
            come.push(to.clone());
        }
    }
    // A name with its schema and the same without can't be told from two.
    let schemas =
        |wanted: bool| pairs.iter().any(|(from, to)| [from, to].iter().any(|name| name.schema.is_some() == wanted));
    let is_mixed = schemas(true) && schemas(false);
    match gone.is_empty() || come.is_empty() || is_mixed {
        true => Effect::Unknowable,
        false => Effect::TablesRenamed { gone, come },
    }
}

fn set(mut at: Cursor<'_>) -> Option<Effect> {
    if at.is("STATEMENT") {
        // Around nothing, around itself, or inside a body: not looked into.
        return Some(Effect::Unknowable);
    }
    let password = at.take("PASSWORD") || at.take_all(&["DEFAULT", "ROLE"]);
    // Inside a transaction it is an error: it is meant for the next one.
    let transaction = at.take("TRANSACTION");
    if password && keeps_passwords(at) {
        return Some(Effect::Unknowable);
    }
    (password || transaction).then_some(Effect::Idempotent)
}

/// What stands behind the first `FOR` outside parentheses: a value is no statement, so that is the end of the values.
pub(super) fn behind_for(mut at: Cursor<'_>) -> Option<Cursor<'_>> {
    let mut depth = 0usize;
    while let Some(token) = at.peek() {
        let is_for = depth == 0 && at.is("FOR");
        at.bump();
        match token.kind {
            Kind::Symbol('(') => depth += 1,
            Kind::Symbol(')') => depth = depth.saturating_sub(1),
            _ if is_for => return Some(at),
            _ => {}
        }
    }
    None
}

/// A statement around statements commits when one of these does. Where one begins, its first word has to be known.
fn compound(mut at: Cursor<'_>) -> Option<Effect> {
    const COMMITS: [&str; 14] = [
        "ALTER", "ANALYZE", "CALL", "CREATE", "DROP", "EXECUTE", "FLUSH", "GRANT", "LOCK", "OPTIMIZE", "RENAME",
        "REPAIR", "REVOKE", "TRUNCATE",
    ];
    const INSIDE: [&str; 8] = ["END", "ELSE", "ELSEIF", "WHEN", "UNTIL", "LEAVE", "ITERATE", "RETURN"];
    let mut begins = false;
    while let Some(token) = at.peek() {
        if COMMITS.iter().any(|word| at.is(word)) {
            return Some(Effect::Unknowable);
        }
        let word = at.word().to_ascii_uppercase();
        let is_known = |list: &[&str]| list.contains(&word.as_str());
        if begins
            && token.kind == Kind::Word
            && !is_known(&KEEPS_TRANSACTION)
            && !is_known(&INSIDE)
            && !is_known(&COMPOUND)
        {
            // SET knows passwords, and a label stands before a ':'.
            let mut rest = at;
            rest.bump();
            let is_label = rest.symbol(':');
            let is_harmless_set = word == "SET" && set(rest).is_none();
            if !is_label && !is_harmless_set {
                return Some(Effect::Unknowable);
            }
        }
        begins = matches!(token.kind, Kind::Symbol(';') | Kind::Separator)
            || ["BEGIN", "ATOMIC", "THEN", "ELSE", "DO", "LOOP", "REPEAT"].iter().any(|word| at.is(word));
        let is_handler = at.is("HANDLER");
        at.bump();
        if is_handler && let Some(handling) = behind_conditions(at) {
            (at, begins) = (handling, true);
        }
    }
    None
}

fn created(mut at: Cursor<'_>) -> Option<Effect> {
    let or_replace = at.take_all(&["OR", "REPLACE"]);
    if at.take("TEMPORARY") {
        return None;
    }
    if or_replace {
        // What has rows or a position loses them a second time; what is only a text is written again.
        return Some(if replaces_text(at) { Effect::Idempotent } else { Effect::Unknowable });
    }
    Some(made(at).unwrap_or(Effect::Unknowable))
}

/// Whether what is made, from behind `CREATE OR REPLACE`, is nothing but its definition.
fn replaces_text(mut at: Cursor<'_>) -> bool {
    at.take_any(&["ONLINE", "OFFLINE"]);
    at.take_any(&["UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR"]);
    at.is("INDEX") || at.is("SERVER") || at.is("SPATIAL") || is_code(at) || is_view(at)
}

/// Whether a view is made here, from behind `CREATE [OR REPLACE]`.
fn is_view(mut at: Cursor<'_>) -> bool {
    while !at.at_end() && !at.is("AS") {
        if at.take("VIEW") {
            return true;
        }
        if OTHER_KINDS.iter().any(|kind| at.is(kind)) {
            return false;
        }
        at.bump();
    }
    false
}

/// Whether a procedure, function, trigger or event is made here, from behind `CREATE [OR REPLACE]`.
fn is_code(mut at: Cursor<'_>) -> bool {
    while !at.at_end() && !at.is("AS") {
        if at.take_any(&["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE"]) {
            return true;
        }
        if at.is("VIEW") || OTHER_KINDS.iter().any(|kind| at.is(kind)) {
            return false;
        }
        at.bump();
    }
    false
}

/// What `CREATE` makes besides code and views.
const OTHER_KINDS: [&str; 10] =
    ["TABLE", "SEQUENCE", "DATABASE", "SCHEMA", "USER", "ROLE", "INDEX", "TABLESPACE", "SERVER", "LOGFILE"];

/// Whether the statement makes a procedure, function, trigger or event: what stands in its body does not happen now.
pub(super) fn makes_code(mut at: Cursor<'_>) -> bool {
    if !at.take("CREATE") {
        return false;
    }
    at.take_all(&["OR", "REPLACE"]);
    is_code(at)
}

fn made(mut at: Cursor<'_>) -> Option<Effect> {
    if at.take("TABLE") {
        take_if(&mut at);
        return at.name().map(Effect::TableExists);
    }
    if at.take_any(&["DATABASE", "SCHEMA"]) {
        take_if(&mut at);
        return at.part().map(Effect::DatabaseExists);
    }
    at.take_any(&["ONLINE", "OFFLINE"]);
    at.take_any(&["UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR"]);
    if at.take("INDEX") {
        take_if(&mut at);
        let index = ObjectName::bare(at.part()?);
        let table = indexed_table(at)?;
        return Some(Effect::IndexExists { index, table });
    }
    // CREATE [ALGORITHM = …] [DEFINER = …] [SQL SECURITY …] VIEW; everything else makes something that nothing here
    // knows how to find, which is harmless to make again when it may be there already.
    while !at.at_end() && !at.is("AS") {
        if at.take("VIEW") {
            take_if(&mut at);
            return at.name().map(Effect::ViewExists);
        }
        let is_kind = at.take_any(&["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "USER", "ROLE", "SERVER", "SEQUENCE"]);
        if is_kind {
            return take_if(&mut at).then_some(Effect::Idempotent);
        }
        at.bump();
    }
    None
}

/// The table behind `[USING …] ON`.
fn indexed_table(mut at: Cursor<'_>) -> Option<ObjectName> {
    if at.take_any(&["USING", "TYPE"]) {
        at.bump();
    }
    if !at.take("ON") {
        return None;
    }
    at.name()
}

fn dropped(mut at: Cursor<'_>) -> Option<Effect> {
    // DROP PREPARE forgets a prepared statement.
    if at.is("TEMPORARY") || at.is("PREPARE") {
        return None;
    }
    if at.take_any(&["DATABASE", "SCHEMA"]) {
        take_if(&mut at);
        return Some(at.part().map_or(Effect::Unknowable, Effect::DatabaseGone));
    }
    if at.take("INDEX") {
        take_if(&mut at);
        let gone = at.part().zip(indexed_table(at));
        return Some(gone.map_or(Effect::Unknowable, |(index, table)| Effect::TableIndexGone { index, table }));
    }
    let is_table = at.take_any(&["TABLE", "TABLES"]);
    let is_view = !is_table && at.take("VIEW");
    if !is_table && !is_view {
        at.bump();
    }
    let is_careful = take_if(&mut at);
    take_wait(&mut at);
    let mut names = if is_table || is_view { names(at) } else { Vec::new() };
    Some(match (names.pop(), names.is_empty()) {
        (Some(name), true) if is_table => Effect::TableGone(name),
        (Some(name), true) => Effect::ViewGone(name),
        _ if is_careful => Effect::Idempotent,
        _ => Effect::Unknowable,
    })
}

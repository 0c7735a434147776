use super::super::dialect::ToolCommand;
use super::super::scanner::{Kind, Token};
use super::{Cursor, Refused, behind_conditions, inner, next_part};

/// The words that the client obeys itself, at the beginning of a statement.
const COMMANDS: [&str; 26] = [
    "charset",
    "clear",
    "connect",
    "edit",
    "ego",
    "exit",
    "go",
    "help",
    "nopager",
    "notee",
    "nowarning",
    "pager",
    "print",
    "prompt",
    "quit",
    "rehash",
    "resetconnection",
    "sandbox",
    "source",
    "status",
    "system",
    "tee",
    "use",
    "warnings",
    "query_attributes",
    "ssl_session_data_print",
];

/// A command of the `mysql` or `mariadb` client.
pub(in super::super) fn tool_command(token: Token, text: &str, is_first: bool) -> Option<ToolCommand> {
    let tool = "the mysql client";
    let after = text.get(token.end..).unwrap_or_default();
    match token.kind {
        // \N is NULL.
        Kind::Symbol('\\') if !after.starts_with('N') => {
            Some(ToolCommand { tool, hint: "write it in SQL, and end statements with ';'" })
        }
        Kind::Word if is_first => {
            let word = text.get(token.start..token.end).unwrap_or_default();
            let known = COMMANDS.iter().find(|command| word.eq_ignore_ascii_case(command))?;
            let hint = if *known == "use" {
                "remove it: a branch is one database, and Branchkeeper is connected to it"
            } else {
                "write it in SQL; only the client knows its commands"
            };
            Some(ToolCommand { tool, hint })
        }
        _ => None,
    }
}

/// Statements that Branchkeeper must not pass on.
pub(in super::super) fn refused(at: Cursor<'_>) -> Option<Refused> {
    if calls(at, "RELEASE_ALL_LOCKS") && !at.is("CREATE") {
        return Some(Refused {
            message: "RELEASE_ALL_LOCKS() is refused: it would release the lock that Branchkeeper holds on the branch"
                .to_owned(),
            hint: "use RELEASE_LOCK with the lock's name",
        });
    }
    // What surrounds a statement may be refused, or the statement itself.
    let surrounded = inner(at);
    (surrounded.peek() != at.peek()).then(|| refused_one(surrounded)).flatten().or_else(|| refused_one(at))
}

fn refused_one(at: Cursor<'_>) -> Option<Refused> {
    let mut rest = at;
    let word = at.word().to_ascii_uppercase();
    rest.bump();
    match word.as_str() {
        "BEGIN" if rest.is("NOT") => refused_inside(rest),
        "IF" | "CASE" | "LOOP" | "WHILE" | "REPEAT" | "FOR" => refused_inside(rest),
        "BEGIN" | "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "XA" => Some(Refused::transaction(&word)),
        "START" if rest.is("TRANSACTION") => Some(Refused::transaction("START TRANSACTION")),
        "RELEASE" if rest.is("SAVEPOINT") => Some(Refused::transaction("RELEASE SAVEPOINT")),
        "LOCK" if rest.take_any(&["TABLE", "TABLES"]) => Some(locks("LOCK TABLES")),
        "UNLOCK" if rest.take_any(&["TABLE", "TABLES"]) => Some(locks("UNLOCK TABLES")),
        "FLUSH" => refused_flush(rest),
        "LOAD" => refused_load(rest),
        "SET" => refused_set(rest),
        _ => None,
    }
}

fn locks(what: &str) -> Refused {
    Refused {
        message: format!("{what} is refused: it commits the transaction, and keeps Branchkeeper from its own tables"),
        hint: "remove it; Branchkeeper holds a lock on the branch while it migrates",
    }
}

/// Whether a function of this name is called anywhere.
fn calls(mut at: Cursor<'_>, function: &str) -> bool {
    while !at.at_end() {
        if at.take(function) && at.symbol('(') {
            return true;
        }
        at.bump();
    }
    false
}

/// Transaction control inside a compound statement that is no routine.
fn refused_inside(mut at: Cursor<'_>) -> Option<Refused> {
    let mut begins = false;
    while let Some(token) = at.peek() {
        if begins {
            let mut ahead = at;
            for word in ["COMMIT", "ROLLBACK", "SAVEPOINT"] {
                if ahead.take(word) {
                    return Some(Refused::transaction(word));
                }
            }
            if ahead.take_all(&["START", "TRANSACTION"]) {
                return Some(Refused::transaction("START TRANSACTION"));
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

/// `FLUSH TABLES … WITH READ LOCK` and `… FOR EXPORT` hold their locks until somebody releases them.
fn refused_flush(mut at: Cursor<'_>) -> Option<Refused> {
    at.take_any(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
    if !at.take_any(&["TABLE", "TABLES"]) {
        return None;
    }
    while !at.at_end() {
        if at.take_all(&["WITH", "READ", "LOCK"]) || at.take_all(&["FOR", "EXPORT"]) {
            return Some(locks("FLUSH TABLES with a lock"));
        }
        at.bump();
    }
    None
}

fn refused_load(mut at: Cursor<'_>) -> Option<Refused> {
    let what = if at.take("DATA") { "DATA" } else { "XML" };
    at.take("XML");
    at.take_any(&["LOW_PRIORITY", "CONCURRENT"]);
    at.is("LOCAL").then(|| Refused {
        message: format!("LOAD {what} LOCAL is refused: there is no client to read the file"),
        hint: "use INSERT, or LOAD DATA from a file on the server",
    })
}

/// The modes, and combinations of them, in which quotes or backslashes mean something else.
const QUOTING: [&str; 8] =
    ["ANSI", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL"];

/// The bits of `ANSI_QUOTES` and `NO_BACKSLASH_ESCAPES`.
const QUOTING_BITS: u64 = (1 << 2) | (1 << 20);

fn refused_set(mut at: Cursor<'_>) -> Option<Refused> {
    let mut names = at;
    if names.take("NAMES") || names.take("CHARSET") || names.take_all(&["CHARACTER", "SET"]) {
        return refused_charset("SET NAMES", names);
    }
    at.take("STATEMENT");
    loop {
        if let Some(refused) = refused_assignment(at) {
            return Some(refused);
        }
        if !next_part(&mut at) {
            return None;
        }
    }
}

fn refused_charset(what: &str, at: Cursor<'_>) -> Option<Refused> {
    let charset = at.raw().trim_matches(['\'', '"']).to_ascii_lowercase();
    // What a variable holds was set before.
    let fits = ["utf8mb4", "utf8mb3", "utf8", "default", "@"].contains(&charset.as_str());
    (!fits).then(|| Refused {
        message: format!("{what} {charset} is refused: every script is sent as UTF-8"),
        hint: "use utf8mb4, or remove it",
    })
}

fn refused_assignment(mut at: Cursor<'_>) -> Option<Refused> {
    let mut is_user_variable = false;
    if at.symbol('@') {
        is_user_variable = !at.symbol('@');
    }
    at.take_any(&["GLOBAL", "SESSION", "LOCAL", "PERSIST", "PERSIST_ONLY"]);
    at.symbol('.');
    let variable = at.part()?.to_ascii_lowercase();
    at.symbol(':');
    if is_user_variable || !at.symbol('=') {
        return None;
    }
    match variable.as_str() {
        "character_set_client" => refused_charset("SET character_set_client =", at),
        "autocommit" => Some(Refused::transaction("SET autocommit")),
        "sql_mode" => {
            let mut end = at;
            let more = next_part(&mut end);
            while at.peek().is_some() && (!more || at.peek() != end.peek()) {
                if sets_quoting(at) {
                    return Some(Refused {
                        message: format!(
                            "SET sql_mode is refused with {}: scripts are read with the default quoting",
                            at.raw()
                        ),
                        hint: "quote names with backticks and strings with single quotes",
                    });
                }
                at.bump();
            }
            None
        }
        _ => None,
    }
}

fn sets_quoting(at: Cursor<'_>) -> bool {
    let is_quoting = |mode: &str| QUOTING.iter().any(|each| mode.trim().eq_ignore_ascii_case(each));
    match at.peek().map(|token| token.kind) {
        Some(Kind::Text) => at.raw().trim_matches(['\'', '"']).split(',').any(is_quoting),
        Some(Kind::Word) => is_quoting(at.word()),
        Some(Kind::Number) => at.raw().parse::<u64>().is_ok_and(|bits| bits & QUOTING_BITS != 0),
        _ => false,
    }
}

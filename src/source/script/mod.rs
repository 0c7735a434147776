//! Cuts a script into statements exactly as the provider's own command-line tool would.

mod cursor;
mod postgres;
mod scanner;
mod sqlite;
mod tables;

#[cfg(test)]
mod classify_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod split_tests;

use std::collections::HashMap;

use self::cursor::Cursor;
use self::scanner::{Kind, Rules, Scanner, Token};
use super::content::normal;
use super::place::Places;
use super::problem::{Problem, shown};
use crate::domain::{Effect, ObjectName, Provider, SessionChange, Statement, TableChange, shorten};

pub(super) use self::scanner::{Comment, MARK};

/// The most statements that one file may have.
pub const MAX_STATEMENTS: usize = 200_000;

/// The most problems reported for one file; the first ones are what a person mends first.
pub(super) const MAX_PROBLEMS: usize = 50;

/// How many tokens of a statement are looked at to tell what it does. Those that matter stand at its beginning, or in
/// `COPY` behind a query that people write.
const MAX_TOKENS: usize = 100_000;

/// Splits a script into its statements, or says everything that is wrong with it.
///
/// Directives are not looked at; a script without any statement gives an empty list.
pub fn split(provider: Provider, file: &str, text: &str) -> Result<Vec<Statement>, Vec<Problem>> {
    let text = normal(text.strip_prefix('\u{feff}').unwrap_or(text));
    let reading = read(provider, file, &text);
    if reading.problems.is_empty() { Ok(reading.statements) } else { Err(reading.problems) }
}

/// What a script holds.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) statements: Vec<Statement>,
    /// The comments in which directives stand or ought to stand.
    pub(super) comments: Vec<Comment>,
    pub(super) problems: Vec<Problem>,
}

/// Reads a script whose newlines are `\n` and which has no byte order mark.
pub(super) fn read(provider: Provider, file: &str, text: &str) -> Reading {
    match Dialect::of(provider) {
        Some(dialect) => Reader::new(dialect, file, text).read(),
        None => {
            let message = format!("scripts for {provider} can't be split by this version");
            Reading { problems: vec![Problem::of_file(file, message, "use sqlite or postgres")], ..Default::default() }
        }
    }
}

/// A statement that must not be run.
struct Refused {
    message: String,
    hint: &'static str,
}

impl Refused {
    fn transaction(word: &str) -> Self {
        Self {
            message: format!("{word} is refused: Branchkeeper controls the transaction"),
            hint: "remove it; '-- branchkeeper: transaction-mode=None' at the head of the file runs it without one",
        }
    }
}

/// A construct that the end of the text leaves open.
struct Unfinished {
    start: usize,
    message: &'static str,
    hint: &'static str,
}

/// The providers whose scripts can be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    fn of(provider: Provider) -> Option<Self> {
        match provider {
            Provider::Sqlite => Some(Self::Sqlite),
            Provider::Postgres => Some(Self::Postgres),
            Provider::SqlServer | Provider::MySql => None,
        }
    }

    fn provider(self) -> Provider {
        match self {
            Self::Sqlite => Provider::Sqlite,
            Self::Postgres => Provider::Postgres,
        }
    }

    fn rules(self) -> Rules {
        match self {
            Self::Sqlite => sqlite::RULES,
            Self::Postgres => postgres::RULES,
        }
    }

    fn ender(self) -> Ender {
        match self {
            Self::Sqlite => Ender::Sqlite(sqlite::Ender::default()),
            Self::Postgres => Ender::Postgres(postgres::Ender::default()),
        }
    }

    fn refused(self, at: Cursor<'_>) -> Option<Refused> {
        match self {
            Self::Sqlite => sqlite::refused(at),
            Self::Postgres => postgres::refused(at),
        }
    }

    fn alone(self, at: Cursor<'_>) -> Option<Effect> {
        match self {
            Self::Sqlite => sqlite::alone(at),
            Self::Postgres => postgres::alone(at),
        }
    }

    fn session(self, at: Cursor<'_>) -> Option<SessionChange> {
        match self {
            Self::Sqlite => sqlite::session(at),
            Self::Postgres => postgres::session(at),
        }
    }

    /// A command of the command-line tool, which the server would not understand.
    fn tool_command(self, token: Token, is_first: bool) -> Option<(&'static str, &'static str)> {
        match (self, token.kind) {
            (Self::Postgres, Kind::Symbol('\\')) => {
                Some(("psql", "write it in SQL; only psql knows backslash commands"))
            }
            (Self::Sqlite, Kind::Symbol('.')) if is_first => {
                Some(("the sqlite3 shell", "write it in SQL; only the sqlite3 shell knows dot commands"))
            }
            _ => None,
        }
    }
}

/// Finds where statements end.
enum Ender {
    Sqlite(sqlite::Ender),
    Postgres(postgres::Ender),
}

impl Ender {
    fn ends(&mut self, token: Token, text: &str) -> bool {
        match self {
            Self::Sqlite(ender) => ender.ends(token, text),
            Self::Postgres(ender) => ender.ends(token, text),
        }
    }

    fn unfinished(&self) -> Option<Unfinished> {
        match self {
            Self::Sqlite(ender) => ender.unfinished(),
            Self::Postgres(ender) => ender.unfinished(),
        }
    }
}

struct Reader<'a> {
    dialect: Dialect,
    file: &'a str,
    text: &'a str,
    scanner: Scanner<'a>,
    places: Places<'a>,
    /// The first tokens of the statement being read.
    tokens: Vec<Token>,
    /// Where the last token of the statement ends.
    end: usize,
    statements: Vec<Statement>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn new(dialect: Dialect, file: &'a str, text: &'a str) -> Self {
        Self {
            dialect,
            file,
            text,
            scanner: Scanner::new(text, dialect.rules()),
            places: Places::new(text),
            tokens: Vec::new(),
            end: 0,
            statements: Vec::new(),
            problems: Vec::new(),
        }
    }

    fn read(mut self) -> Reading {
        let mut ender = self.dialect.ender();
        while self.problems.len() < MAX_PROBLEMS {
            let token = match self.scanner.next() {
                Ok(Some(token)) => token,
                Ok(None) => {
                    match ender.unfinished() {
                        Some(open) => self.problem(open.start, open.message, open.hint),
                        None => drop(self.finish()),
                    }
                    break;
                }
                Err(open) => {
                    let message = format!("the {} that begins here is never closed", open.what);
                    self.problem(open.start, message, format!("close it with {}", open.closed_by));
                    break;
                }
            };
            if let Some((tool, hint)) = self.dialect.tool_command(token, self.tokens.is_empty()) {
                let line = self.text.get(token.start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
                self.problem(token.start, format!("'{}' is a command of {tool}", shown(&shorten(line, 40))), hint);
                self.scanner.skip_line();
                self.tokens.clear();
                ender = self.dialect.ender();
            } else if ender.ends(token, self.text) {
                if self.finish() {
                    self.scanner.skip_copy_data();
                }
            } else {
                self.end = token.end;
                if self.tokens.len() < MAX_TOKENS {
                    self.tokens.push(token);
                }
            }
            if self.statements.len() > MAX_STATEMENTS {
                let message = format!("has more than {MAX_STATEMENTS} statements");
                self.problems.push(Problem::of_file(self.file, message, "spread them over several migrations"));
                break;
            }
        }
        Reading { statements: self.statements, comments: self.scanner.comments, problems: self.problems }
    }

    fn problem(&mut self, offset: usize, message: impl Into<String>, hint: impl Into<String>) {
        // A clone, because the statements' own places come in ascending order and a step back costs a whole pass.
        let place = self.places.clone().at(offset);
        self.problems.push(Problem::at(self.file, place, message, hint));
    }

    /// Closes the statement that the tokens make up; true when data for the command-line tool follows it.
    fn finish(&mut self) -> bool {
        let tokens = std::mem::take(&mut self.tokens);
        let Some(first) = tokens.first() else { return false };
        let at = Cursor::new(self.dialect.provider(), self.text, &tokens);
        let place = self.places.at(first.start);
        let mut data = false;
        if let Some(Refused { message, hint }) = self.dialect.refused(at) {
            data = self.dialect == Dialect::Postgres && postgres::has_data(at);
            self.problems.push(Problem::at(self.file, place, message, hint));
        } else {
            self.statements.push(Statement {
                sql: self.text.get(first.start..self.end).unwrap_or_default().to_owned(),
                line: place.0,
                column: place.1,
                alone: self.dialect.alone(at),
                session: self.dialect.session(at),
                tables: tables::changes(self.dialect.provider(), at),
            });
        }
        self.tokens = tokens;
        self.tokens.clear();
        data
    }
}

/// Gives a script's table names the spelling in which each table was made: SQLite does not tell letter case apart, the
/// bookkeeping over `TableChange`s does.
pub(super) fn unify_case<'s>(statements: impl Iterator<Item = &'s mut Statement>) {
    let mut spelling: HashMap<String, String> = HashMap::new();
    let key = |name: &ObjectName| name.name.to_ascii_lowercase();
    for change in statements.flat_map(|statement| &mut statement.tables) {
        match change {
            TableChange::Created(name) => name.name = spelling.entry(key(name)).or_insert(name.name.clone()).clone(),
            TableChange::Dropped(name) => {
                name.name = spelling.remove(&key(name)).unwrap_or(std::mem::take(&mut name.name))
            }
            TableChange::Renamed(from, to) => {
                from.name = spelling.remove(&key(from)).unwrap_or(std::mem::take(&mut from.name));
                spelling.insert(key(to), to.name.clone());
            }
        }
    }
}

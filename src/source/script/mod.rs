//! Cuts a script into statements exactly as the provider's own command-line tool would.

mod cursor;
mod dialect;
mod mysql;
mod postgres;
mod risk;
mod scanner;
mod sqlite;
mod sqlserver;
mod tables;

#[cfg(test)]
mod classify_tests;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod split_tests;
#[cfg(test)]
mod sqlserver_tests;

use std::collections::{HashMap, HashSet};

use self::cursor::Cursor;
use self::dialect::{Ender, ToolCommand};
use self::scanner::{DelimiterLine, Kind, Open, Scanner, Token};
use super::content::normal;
use super::place::Places;
use super::problem::{Problem, shown};
use crate::domain::{ObjectName, Provider, Statement, TableChange, shorten};

pub(super) use self::scanner::{Comment, MARK};

/// The most statements that one file may have.
pub const MAX_STATEMENTS: usize = 200_000;

/// The most problems reported for one file; the first ones are what a person mends first.
pub(super) const MAX_PROBLEMS: usize = 50;

/// The most text that the repetitions of one batch may make, in bytes.
const MAX_REPEATED_BYTES: usize = 64 * 1024 * 1024;

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
    Reader::new(provider, file, text).read()
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

struct Reader<'a> {
    provider: Provider,
    file: &'a str,
    text: &'a str,
    scanner: Scanner<'a>,
    places: Places<'a>,
    /// Where the statement being read begins.
    start: Option<usize>,
    /// Where its last token ends.
    end: usize,
    /// Its first tokens, without marks.
    tokens: Vec<Token>,
    statements: Vec<Statement>,
    /// The tables that the script has made so far.
    made: HashSet<ObjectName>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn new(provider: Provider, file: &'a str, text: &'a str) -> Self {
        Self {
            provider,
            file,
            text,
            scanner: Scanner::new(text, dialect::rules(provider)),
            places: Places::new(text),
            start: None,
            end: 0,
            tokens: Vec::new(),
            statements: Vec::new(),
            made: HashSet::new(),
            problems: Vec::new(),
        }
    }

    fn read(mut self) -> Reading {
        self.read_on();
        Reading { statements: self.statements, comments: self.scanner.comments, problems: self.problems }
    }

    /// Reads to the text's end, or as far as makes sense.
    fn read_on(&mut self) {
        let mut ender = Ender::of(self.provider);
        while self.problems.len() < MAX_PROBLEMS {
            let token = match self.next() {
                Ok(Some(token)) => token,
                Ok(None) => {
                    match ender.unfinished().filter(|_| self.start.is_some()) {
                        Some(open) => self.problem(open.start, open.message, open.hint),
                        None => drop(self.finish(1)),
                    }
                    break;
                }
                Err(open) => {
                    let message = format!("the {} that begins here is never closed", open.what);
                    self.problem(open.start, message, format!("close it with {}", open.closed_by));
                    break;
                }
            };
            if let Some(ToolCommand { tool, hint }) =
                dialect::tool_command(self.provider, token, self.text, self.tokens.is_empty())
            {
                let line = self.text.get(token.start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
                self.problem(token.start, format!("'{}' is a command of {tool}", shown(&shorten(line, 40))), hint);
                self.scanner.skip_line();
                self.forget();
                ender.reset();
            } else if let Some(count) = ender.ends(token, self.text, !self.scanner.delimiter.is_empty()) {
                if self.finish(count) {
                    self.scanner.skip_copy_data();
                }
            } else {
                self.take(token);
            }
            if self.statements.len() > MAX_STATEMENTS {
                let message = format!("has more than {MAX_STATEMENTS} statements");
                self.problems.push(Problem::of_file(self.file, message, "spread them over several migrations"));
                break;
            }
        }
    }

    /// The next token, after the `DELIMITER` lines before it.
    fn next(&mut self) -> Result<Option<Token>, Open> {
        while self.start.is_none() && self.problems.len() < MAX_PROBLEMS {
            match self.scanner.delimiter_line()? {
                Some(DelimiterLine { start, fault: Some((message, hint)) }) => self.problem(start, message, hint),
                Some(_) => {}
                None => break,
            }
        }
        self.scanner.next()
    }

    fn take(&mut self, token: Token) {
        // Where something else than ';' ends a statement, one before it means nothing.
        let is_idle = self.provider == Provider::MySql && token.kind == Kind::Symbol(';');
        if is_idle && self.start.is_none() {
            return;
        }
        self.start.get_or_insert(token.start);
        self.scanner.in_statement = true;
        if !is_idle {
            self.end = token.end;
        }
        if token.kind != Kind::Mark && self.tokens.len() < MAX_TOKENS {
            self.tokens.push(token);
        }
    }

    fn problem(&mut self, offset: usize, message: impl Into<String>, hint: impl Into<String>) {
        // A clone, because the statements' own places come in ascending order and a step back costs a whole pass.
        let place = self.places.clone().at(offset);
        self.problems.push(Problem::at(self.file, place, message, hint));
    }

    fn forget(&mut self) {
        self.start = None;
        self.scanner.in_statement = false;
        self.tokens.clear();
    }

    /// Closes the statement that the tokens make up, to be run `count` times; true when data for the command-line tool
    /// follows it.
    fn finish(&mut self, count: u32) -> bool {
        let mut tokens = std::mem::take(&mut self.tokens);
        let data = match self.start {
            Some(start) if tokens.iter().any(says_something) => self.close(start, &tokens, count),
            _ => false,
        };
        self.forget();
        tokens.clear();
        self.tokens = tokens;
        data
    }

    fn close(&mut self, start: usize, tokens: &[Token], count: u32) -> bool {
        let at = Cursor::new(self.provider, self.text, tokens);
        let place = self.places.at(start);
        if let Some(Refused { message, hint }) = dialect::refused(self.provider, at) {
            self.problems.push(Problem::at(self.file, place, message, hint));
            return self.provider == Provider::Postgres && postgres::has_data(at);
        }
        let sql = self.text.get(start..self.end).unwrap_or_default();
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count > 1 && (count > MAX_STATEMENTS || count.saturating_mul(sql.len()) > MAX_REPEATED_BYTES) {
            let message = format!("a batch that is repeated {count} times is too much for one migration");
            self.problems.push(Problem::at(self.file, place, message, "repeat it in a WHILE loop"));
            return false;
        }
        let statement = Statement {
            line: place.0,
            column: place.1,
            alone: dialect::alone(self.provider, at),
            session: dialect::session(self.provider, at),
            variables: dialect::variables(self.provider, at),
            tables: dialect::tables(self.provider, at),
            risk: risk::of(self.provider, at, |table| self.made.contains(table)),
            ..Statement::new(sql)
        };
        for change in &statement.tables {
            if let TableChange::Created(table) = change {
                self.made.insert(table.clone());
            }
        }
        self.statements.extend(std::iter::repeat_n(statement, count));
        false
    }
}

fn says_something(token: &Token) -> bool {
    !matches!(token.kind, Kind::Symbol(';') | Kind::Separator)
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

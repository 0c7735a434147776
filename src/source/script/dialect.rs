//! The one table from a provider to the functions that know its scripts.

use super::cursor::Cursor;
use super::scanner::{Kind, Rules, Token};
use super::{Refused, Unfinished, mysql, postgres, sqlite, sqlserver, tables};
use crate::domain::{Effect, Provider, SessionChange, TableChange, Variables};

/// A command of a command-line tool, which the server would not understand.
pub(super) struct ToolCommand {
    pub(super) tool: &'static str,
    pub(super) hint: &'static str,
}

pub(super) fn rules(provider: Provider) -> Rules {
    match provider {
        Provider::Sqlite => sqlite::RULES,
        Provider::Postgres => postgres::RULES,
        Provider::MySql => mysql::RULES,
        Provider::SqlServer => sqlserver::RULES,
    }
}

pub(super) fn refused(provider: Provider, at: Cursor<'_>) -> Option<Refused> {
    match provider {
        Provider::Sqlite => sqlite::refused(at),
        Provider::Postgres => postgres::refused(at),
        Provider::MySql => mysql::refused(at),
        Provider::SqlServer => sqlserver::refused(at),
    }
}

pub(super) fn alone(provider: Provider, at: Cursor<'_>) -> Option<Effect> {
    match provider {
        Provider::Sqlite => sqlite::alone(at),
        Provider::Postgres => postgres::alone(at),
        Provider::MySql => mysql::alone(at),
        Provider::SqlServer => sqlserver::alone(at),
    }
}

pub(super) fn session(provider: Provider, at: Cursor<'_>) -> Option<SessionChange> {
    match provider {
        Provider::Sqlite => sqlite::session(at),
        Provider::Postgres => postgres::session(at),
        Provider::MySql => mysql::session(at),
        // A batch mixes settings with work, so it cannot be run again for its settings alone.
        Provider::SqlServer => None,
    }
}

pub(super) fn variables(provider: Provider, at: Cursor<'_>) -> Variables {
    match provider {
        Provider::MySql => mysql::variables(at),
        // Nothing that could be left in a session is lost without an error elsewhere.
        Provider::Sqlite | Provider::Postgres | Provider::SqlServer => Variables::default(),
    }
}

pub(super) fn tables(provider: Provider, at: Cursor<'_>) -> Vec<TableChange> {
    match provider {
        Provider::Sqlite | Provider::Postgres => tables::changes(provider, at),
        Provider::MySql => mysql::tables(mysql::inner(at)),
        Provider::SqlServer => sqlserver::tables(at),
    }
}

pub(super) fn tool_command(provider: Provider, token: Token, text: &str, is_first: bool) -> Option<ToolCommand> {
    match (provider, token.kind) {
        (Provider::Postgres, Kind::Symbol('\\')) => {
            Some(ToolCommand { tool: "psql", hint: "write it in SQL; only psql knows backslash commands" })
        }
        (Provider::Sqlite, Kind::Symbol('.')) if is_first => Some(ToolCommand {
            tool: "the sqlite3 shell",
            hint: "write it in SQL; only the sqlite3 shell knows dot commands",
        }),
        (Provider::MySql, _) => mysql::tool_command(token, text, is_first),
        (Provider::SqlServer, _) => sqlserver::tool_command(token, text, is_first),
        _ => None,
    }
}

/// Finds where statements end.
pub(super) enum Ender {
    Sqlite(sqlite::Ender),
    Postgres(postgres::Ender),
    MySql(mysql::Ender),
    /// Only `GO` does, which the scanner knows.
    SqlServer,
}

impl Ender {
    pub(super) fn of(provider: Provider) -> Self {
        match provider {
            Provider::Sqlite => Self::Sqlite(sqlite::Ender::default()),
            Provider::Postgres => Self::Postgres(postgres::Ender::default()),
            Provider::MySql => Self::MySql(mysql::Ender::default()),
            Provider::SqlServer => Self::SqlServer,
        }
    }

    /// Takes the next token. When it ends the statement: how often the statement is to be run.
    pub(super) fn ends(&mut self, token: Token, text: &str, is_delimited: bool) -> Option<u32> {
        if let Kind::End(count) = token.kind {
            self.reset();
            return Some(count);
        }
        let ends = match self {
            Self::Sqlite(ender) => ender.ends(token, text),
            Self::Postgres(ender) => ender.ends(token, text),
            Self::MySql(ender) => ender.ends(token, text, is_delimited),
            Self::SqlServer => false,
        };
        ends.then_some(1)
    }

    /// Forgets the statement.
    pub(super) fn reset(&mut self) {
        *self = match self {
            Self::Sqlite(_) => Self::of(Provider::Sqlite),
            Self::Postgres(_) => Self::of(Provider::Postgres),
            Self::MySql(_) => Self::of(Provider::MySql),
            Self::SqlServer => Self::SqlServer,
        };
    }

    /// What the end of the text leaves unfinished.
    pub(super) fn unfinished(&self) -> Option<Unfinished> {
        match self {
            Self::Sqlite(ender) => ender.unfinished(),
            Self::Postgres(ender) => ender.unfinished(),
            Self::MySql(ender) => ender.unfinished(),
            Self::SqlServer => None,
        }
    }
}

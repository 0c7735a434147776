use super::cursor::Cursor;
use super::scanner::{Kind, Quotes, Rules, Token};
use super::{Refused, Unfinished};
use crate::domain::Effect;

pub(super) const RULES: Rules = Rules { nested_comments: false, comment_may_stay_open: true, quotes: Quotes::Sqlite };

/// Finds statement ends with the states of `sqlite3_complete()` (<https://sqlite.org/c3ref/complete.html>): inside
/// `CREATE [TEMP] TRIGGER` only a `;` right after `;` and `END` ends the statement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Ender {
    /// Before a statement.
    #[default]
    Start,
    /// In a statement that the next `;` ends.
    Normal,
    /// After `EXPLAIN`, which a `CREATE TRIGGER` may follow.
    Explain,
    /// After `CREATE` and perhaps `TEMP`.
    Create,
    /// In a trigger that began at this offset.
    Trigger(usize),
    /// In a trigger, right after a `;`.
    Semicolon(usize),
    /// In a trigger, right after `;` and `END`.
    End(usize),
}

impl Ender {
    /// Takes the next token; true when it is the terminator.
    pub(super) fn ends(&mut self, token: Token, text: &str) -> bool {
        let word = match token.kind {
            Kind::Word => text.get(token.start..token.end).unwrap_or_default(),
            _ => "",
        };
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        *self = match (*self, token.kind == Kind::Symbol(';')) {
            (Self::Trigger(start) | Self::Semicolon(start), true) => Self::Semicolon(start),
            (_, true) => Self::Start,
            (Self::Start | Self::Explain, _) if is("create") => Self::Create,
            (Self::Start, _) if is("explain") => Self::Explain,
            (Self::Start, _) => Self::Normal,
            // `EXPLAIN QUERY PLAN CREATE …`: other words leave the state as it is.
            (Self::Explain, _) => Self::Explain,
            (Self::Create, _) if is("temp") || is("temporary") => Self::Create,
            (Self::Create, _) if is("trigger") => Self::Trigger(token.start),
            (Self::Normal | Self::Create, _) => Self::Normal,
            (Self::Semicolon(start), _) if is("end") => Self::End(start),
            (Self::Trigger(start) | Self::Semicolon(start) | Self::End(start), _) => Self::Trigger(start),
        };
        *self == Self::Start
    }

    /// What the end of the text leaves unfinished.
    pub(super) fn unfinished(&self) -> Option<Unfinished> {
        match self {
            Self::Trigger(start) | Self::Semicolon(start) => Some(Unfinished {
                start: *start,
                message: "the body of this trigger never ends",
                hint: "a trigger's body ends with 'END;' right after the ';' of its last statement",
            }),
            _ => None,
        }
    }
}

/// Statements that Branchkeeper must not pass on.
pub(super) fn refused(mut at: Cursor<'_>) -> Option<Refused> {
    let word = at.word().to_ascii_uppercase();
    match word.as_str() {
        "BEGIN" | "COMMIT" | "END" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" => Some(Refused::transaction(&word)),
        "ATTACH" | "DETACH" => Some(Refused {
            message: format!("{word} is refused: a branch database has to be self-contained"),
            hint: "keep every table in the branch's own database",
        }),
        _ if at.symbol('#') => Some(Refused {
            message: "'#' begins a comment only in the sqlite3 shell".to_owned(),
            hint: "write the comment with '--'",
        }),
        _ => None,
    }
}

/// The pragmas that SQLite ignores or refuses inside a transaction, <https://sqlite.org/pragma.html>.
const ALONE: [&str; 5] = ["foreign_keys", "journal_mode", "synchronous", "temp_store", "wal_checkpoint"];

/// Which effect a statement has that refuses a transaction.
pub(super) fn alone(mut at: Cursor<'_>) -> Option<Effect> {
    if at.take("VACUUM") {
        let mut into = at;
        let here = into.take("INTO") || (into.part().is_some() && into.take("INTO"));
        return Some(if here { Effect::Unknowable } else { Effect::Idempotent });
    }
    if at.take("PRAGMA") {
        let pragma = at.name()?.name;
        return ALONE.iter().any(|each| pragma.eq_ignore_ascii_case(each)).then_some(Effect::Idempotent);
    }
    None
}

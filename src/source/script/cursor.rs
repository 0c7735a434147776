use super::scanner::{Kind, Token};
use crate::domain::{ObjectName, Provider};

/// Walks over a statement's tokens. Copying it is how one looks ahead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    provider: Provider,
    text: &'a str,
    tokens: &'a [Token],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(provider: Provider, text: &'a str, tokens: &'a [Token]) -> Self {
        Self { provider, text, tokens }
    }

    /// Whether the statement ends here.
    pub(super) fn at_end(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The token here.
    pub(super) fn peek(&self) -> Option<Token> {
        self.tokens.first().copied()
    }

    /// Goes one token on.
    pub(super) fn bump(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }

    /// The unquoted word here; empty when something else stands here.
    pub(super) fn word(&self) -> &'a str {
        match self.peek() {
            Some(Token { kind: Kind::Word, start, end }) => self.text.get(start..end).unwrap_or_default(),
            _ => "",
        }
    }

    /// The token here as it is written; empty at the end.
    pub(super) fn raw(&self) -> &'a str {
        self.peek().and_then(|token| self.text.get(token.start..token.end)).unwrap_or_default()
    }

    /// Whether this keyword stands here.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.word().eq_ignore_ascii_case(keyword)
    }

    /// Steps over this keyword when it stands here.
    pub(super) fn take(&mut self, keyword: &str) -> bool {
        let here = self.is(keyword);
        if here {
            self.bump();
        }
        here
    }

    /// Steps over these keywords when all of them stand here in this order.
    pub(super) fn take_all(&mut self, keywords: &[&str]) -> bool {
        let mut ahead = *self;
        let here = keywords.iter().all(|keyword| ahead.take(keyword));
        if here {
            *self = ahead;
        }
        here
    }

    /// Steps over one of these keywords, when one stands here.
    pub(super) fn take_any(&mut self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.take(keyword))
    }

    /// Steps over this character when it stands here.
    pub(super) fn symbol(&mut self, symbol: char) -> bool {
        let here = self.peek().is_some_and(|token| token.kind == Kind::Symbol(symbol));
        if here {
            self.bump();
        }
        here
    }

    /// Steps over a name, with or without a schema, and gives it as the server stores it. `None`, and no step, when there
    /// is none here or it can't be told.
    pub(super) fn name(&mut self) -> Option<ObjectName> {
        let mut ahead = *self;
        let mut schema = None;
        let mut name = ahead.part()?;
        while ahead.symbol('.') {
            schema = Some(name);
            name = ahead.part()?;
        }
        *self = ahead;
        Some(ObjectName { schema, name })
    }

    /// Steps over one part of a name and gives it as the server stores it.
    pub(super) fn part(&mut self) -> Option<String> {
        let token = self.peek()?;
        let raw = self.text.get(token.start..token.end)?;
        let name = match (token.kind, self.provider) {
            (Kind::Word, Provider::Postgres) => bounded(raw.to_ascii_lowercase()),
            (Kind::Word, _) => raw.to_owned(),
            (Kind::QuotedName, Provider::Postgres) => bounded(postgres_quoted(raw)?),
            (Kind::QuotedName, Provider::SqlServer) if raw.starts_with('[') => unquoted(raw)?.replace("]]", "]"),
            // SQLite takes a string for a name where a name is wanted.
            (Kind::QuotedName, _) | (Kind::Text, Provider::Sqlite) => unquoted(raw)?,
            _ => return None,
        };
        self.bump();
        Some(name)
    }
}

fn unquoted(raw: &str) -> Option<String> {
    let quote = raw.chars().next()?;
    let inner = raw.get(1..raw.len().checked_sub(1)?)?;
    Some(if quote == '[' { inner.to_owned() } else { inner.replace(&format!("{quote}{quote}"), &quote.to_string()) })
}

/// `None` for `U&"…"` with escapes, whose escape character may be named further on.
fn postgres_quoted(raw: &str) -> Option<String> {
    let plain = raw.strip_prefix(['u', 'U']).and_then(|rest| rest.strip_prefix('&'));
    let name = unquoted(plain.unwrap_or(raw))?;
    (plain.is_none() || !name.contains('\\')).then_some(name)
}

/// PostgreSQL keeps the first 63 bytes of a name, in whole characters.
fn bounded(mut name: String) -> String {
    let mut length = name.len().min(63);
    while !name.is_char_boundary(length) {
        length -= 1;
    }
    name.truncate(length);
    name
}

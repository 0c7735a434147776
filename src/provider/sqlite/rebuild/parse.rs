use std::ops::Range;

use super::definition::{Column, Constraint, ConstraintKind, Definition, ForeignKey};
use super::problem::Problem;
use super::token::{Kind, Token, tokens};

/// The words that end a column's type: <https://sqlite.org/lang_createtable.html>. Everything else is part of it.
const AFTER_TYPE: [&str; 11] =
    ["CONSTRAINT", "PRIMARY", "NOT", "NULL", "UNIQUE", "CHECK", "DEFAULT", "COLLATE", "REFERENCES", "AS", "DEFERRABLE"];

/// Reads a `CREATE TABLE` statement as SQLite keeps it in its schema table.
pub(super) fn parse(text: &str) -> Result<Definition, Problem> {
    let tokens = tokens(text);
    let mut at = Parser { text, tokens: &tokens, next: 0 };
    at.definition().ok_or_else(|| at.stuck())
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    next: usize,
}

impl Parser<'_> {
    fn stuck(&self) -> Problem {
        let place = self.peek().map_or(self.text.len(), |token| token.start);
        let near = self.text.get(place..).unwrap_or_default();
        let near = if near.is_empty() { "its end".into() } else { format!("'{}'", crate::domain::shorten(near, 40)) };
        Problem::new(format!("the table's definition in the database is not understood at {near}"))
            .hint("rebuild the table by SQL statements of your own")
    }

    fn peek(&self) -> Option<Token> {
        self.tokens.get(self.next).copied()
    }

    fn ahead(&self, by: usize, keyword: &str) -> bool {
        self.tokens.get(self.next + by).is_some_and(|token| token.is(self.text, keyword))
    }

    fn take(&mut self, keyword: &str) -> bool {
        let found = self.ahead(0, keyword);
        self.next += usize::from(found);
        found
    }

    fn take_any(&mut self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.take(keyword))
    }

    fn at_symbol(&self, symbol: char) -> bool {
        self.peek().is_some_and(|token| token.kind == Kind::Symbol(symbol))
    }

    fn symbol(&mut self, symbol: char) -> Option<usize> {
        let found = self.peek().filter(|token| token.kind == Kind::Symbol(symbol))?;
        self.next += 1;
        Some(found.start)
    }

    fn name(&mut self) -> Option<(String, Token)> {
        let token = self.peek()?;
        let name = token.name(self.text)?;
        self.next += 1;
        Some((name, token))
    }

    /// Where the token before this one ends.
    fn end(&self) -> usize {
        self.next.checked_sub(1).and_then(|before| self.tokens.get(before)).map_or(0, |token| token.end)
    }

    /// Whatever is in parentheses, with them.
    fn parentheses(&mut self) -> Option<Range<usize>> {
        let start = self.symbol('(')?;
        let mut depth = 1;
        while depth > 0 {
            match self.peek()?.kind {
                Kind::Symbol('(') => depth += 1,
                Kind::Symbol(')') => depth -= 1,
                _ => {}
            }
            self.next += 1;
        }
        Some(start..self.end())
    }

    fn definition(&mut self) -> Option<Definition> {
        self.take("CREATE").then_some(())?;
        self.take_any(&["TEMP", "TEMPORARY"]);
        self.take("TABLE").then_some(())?;
        if self.take("IF") {
            (self.take("NOT") && self.take("EXISTS")).then_some(())?;
        }
        let (_, mut name) = self.name()?;
        if self.symbol('.').is_some() {
            name = self.name()?.1;
        }
        self.symbol('(')?;
        let mut columns = vec![self.column(None)?];
        let mut constraints: Vec<Constraint> = Vec::new();
        while self.symbol(')').is_none() {
            let comma = self.symbol(',');
            if self.at_constraint() {
                constraints.push(self.table_constraint(comma)?);
            } else if constraints.is_empty() && comma.is_some() {
                columns.push(self.column(comma)?);
            } else {
                return None;
            }
        }
        let (mut without_rowid, mut strict) = (false, false);
        while self.peek().is_some() {
            if self.take("WITHOUT") {
                self.name()?;
                without_rowid = true;
            } else if self.take("STRICT") {
                strict = true;
            } else {
                self.symbol(',')?;
            }
        }
        Some(Definition { name, columns, constraints, without_rowid, strict })
    }

    fn at_constraint(&self) -> bool {
        ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"].iter().any(|keyword| self.ahead(0, keyword))
    }

    fn column(&mut self, comma: Option<usize>) -> Option<Column> {
        let (name, token) = self.name()?;
        let sql_type = self.sql_type();
        let mut constraints: Vec<Constraint> = Vec::new();
        while !self.at_symbol(',') && !self.at_symbol(')') {
            let start = self.peek()?.start;
            let deferrable = self.ahead(0, "DEFERRABLE") || (self.ahead(0, "NOT") && self.ahead(1, "DEFERRABLE"));
            if deferrable {
                // SQLite lets other constraints stand between this and the foreign key that it belongs to.
                self.deferrable();
                let kind = ConstraintKind::Nothing;
                constraints.push(Constraint { name: None, span: start..self.end(), kind, comma: None });
                continue;
            }
            let name = if self.take("CONSTRAINT") { Some(self.name()?.0) } else { None };
            let kind = self.column_constraint(name.is_some())?;
            constraints.push(Constraint { name, span: start..self.end(), kind, comma: None });
        }
        Some(Column { name, span: token.start..self.end(), name_end: token.end, sql_type, constraints, comma })
    }

    fn sql_type(&mut self) -> Option<Range<usize>> {
        let start = self.peek()?.start;
        let first = self.next;
        while let Some(token) = self.peek() {
            let generated = self.ahead(0, "GENERATED") && self.ahead(1, "ALWAYS") && self.ahead(2, "AS");
            let ended = generated || AFTER_TYPE.iter().any(|keyword| token.is(self.text, keyword));
            if ended || token.name(self.text).is_none() {
                break;
            }
            self.next += 1;
        }
        if self.next == first {
            return None;
        }
        if self.at_symbol('(') {
            self.parentheses()?;
        }
        Some(start..self.end())
    }

    fn column_constraint(&mut self, named: bool) -> Option<ConstraintKind> {
        if self.take("PRIMARY") {
            self.take("KEY").then_some(())?;
            let descending = self.take("DESC");
            self.take("ASC");
            self.on_conflict()?;
            let autoincrement = self.take("AUTOINCREMENT");
            return Some(ConstraintKind::PrimaryKey { columns: Vec::new(), descending, autoincrement });
        }
        if self.take("NOT") {
            self.take("NULL").then_some(())?;
            self.on_conflict()?;
            return Some(ConstraintKind::NotNull);
        }
        if self.take("NULL") {
            self.on_conflict()?;
            return Some(ConstraintKind::Null);
        }
        if self.take("UNIQUE") {
            self.on_conflict()?;
            return Some(ConstraintKind::Unique { columns: Vec::new() });
        }
        if self.take("CHECK") {
            let body = self.parentheses()?;
            self.on_conflict()?;
            return Some(ConstraintKind::Check(body));
        }
        if self.take("DEFAULT") {
            return Some(ConstraintKind::Default(self.default_value()?));
        }
        if self.take("COLLATE") {
            self.name()?;
            return Some(ConstraintKind::Collate);
        }
        if self.ahead(0, "REFERENCES") {
            return Some(ConstraintKind::Foreign(self.references(Vec::new())?));
        }
        if self.take("GENERATED") {
            self.take("ALWAYS").then_some(())?;
            self.ahead(0, "AS").then_some(())?;
        }
        if self.take("AS") {
            let body = self.parentheses()?;
            self.take_any(&["STORED", "VIRTUAL"]);
            return Some(ConstraintKind::Generated(body));
        }
        // A name alone is allowed, and means nothing.
        let over = self.at_symbol(',') || self.at_symbol(')') || self.ahead(0, "CONSTRAINT");
        (named && over).then_some(ConstraintKind::Nothing)
    }

    fn default_value(&mut self) -> Option<Range<usize>> {
        if self.at_symbol('(') {
            return self.parentheses();
        }
        let start = self.peek()?.start;
        while self.at_symbol('+') || self.at_symbol('-') {
            self.next += 1;
        }
        (!matches!(self.peek()?.kind, Kind::Symbol(_))).then_some(())?;
        self.next += 1;
        Some(start..self.end())
    }

    fn table_constraint(&mut self, comma: Option<usize>) -> Option<Constraint> {
        let start = self.peek()?.start;
        let name = if self.take("CONSTRAINT") { Some(self.name()?.0) } else { None };
        let kind = if self.take("PRIMARY") {
            self.take("KEY").then_some(())?;
            let (columns, autoincrement) = self.key_columns()?;
            self.on_conflict()?;
            ConstraintKind::PrimaryKey { columns, descending: false, autoincrement }
        } else if self.take("UNIQUE") {
            let (columns, _) = self.key_columns()?;
            self.on_conflict()?;
            ConstraintKind::Unique { columns }
        } else if self.take("CHECK") {
            let body = self.parentheses()?;
            self.on_conflict()?;
            ConstraintKind::Check(body)
        } else if self.take("FOREIGN") {
            self.take("KEY").then_some(())?;
            let columns = self.key_columns()?.0;
            ConstraintKind::Foreign(self.references(columns)?)
        } else {
            ConstraintKind::Nothing
        };
        Some(Constraint { name, span: start..self.end(), kind, comma })
    }

    /// `(a, b COLLATE c DESC, …)`, and whether `AUTOINCREMENT` stands in it.
    fn key_columns(&mut self) -> Option<(Vec<String>, bool)> {
        let first = self.next + 1;
        self.parentheses()?;
        let inside = self.tokens.get(first..self.next.saturating_sub(1))?;
        let mut names = Vec::new();
        let mut depth = 0_i32;
        let mut fresh = true;
        for token in inside {
            match token.kind {
                Kind::Symbol('(') => depth += 1,
                Kind::Symbol(')') => depth -= 1,
                Kind::Symbol(',') if depth == 0 => {
                    fresh = true;
                    continue;
                }
                _ if fresh => names.extend(token.name(self.text)),
                _ => {}
            }
            fresh = false;
        }
        let autoincrement = inside.iter().any(|token| token.is(self.text, "AUTOINCREMENT"));
        Some((names, autoincrement))
    }

    fn references(&mut self, columns: Vec<String>) -> Option<ForeignKey> {
        self.take("REFERENCES").then_some(())?;
        let (parent, _) = self.name()?;
        let parent_columns = if self.at_symbol('(') { self.key_columns()?.0 } else { Vec::new() };
        loop {
            if self.take("ON") {
                self.take_any(&["DELETE", "UPDATE", "INSERT"]).then_some(())?;
                let action = self.take_any(&["CASCADE", "RESTRICT"])
                    || (self.take("SET") && self.take_any(&["NULL", "DEFAULT"]))
                    || (self.take("NO") && self.take("ACTION"));
                action.then_some(())?;
            } else if self.take("MATCH") {
                self.name()?;
            } else {
                break;
            }
        }
        self.deferrable();
        Some(ForeignKey { columns, parent, parent_columns })
    }

    fn deferrable(&mut self) {
        if self.ahead(0, "NOT") && self.ahead(1, "DEFERRABLE") {
            self.next += 1;
        }
        if self.take("DEFERRABLE") && self.take("INITIALLY") {
            self.take_any(&["DEFERRED", "IMMEDIATE"]);
        }
    }

    fn on_conflict(&mut self) -> Option<()> {
        if self.take("ON") {
            let known = ["ROLLBACK", "ABORT", "FAIL", "IGNORE", "REPLACE"];
            (self.take("CONFLICT") && self.take_any(&known)).then_some(())?;
        }
        Some(())
    }
}

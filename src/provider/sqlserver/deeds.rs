//! What a batch, procedure or trigger does to the transaction that it runs in. Nothing but words separates the statements of a
//! text; those that matter here are reserved, so they mean themselves wherever they stand unquoted.

use std::collections::BTreeSet;

use super::words::{Word, words};
use crate::provider::deeds::Deeds;

/// The server's own procedures that leave the transaction as they find it.
const HARMLESS: [&str; 20] = [
    "sp_addextendedproperty",
    "sp_addrolemember",
    "sp_bindefault",
    "sp_bindrule",
    "sp_dropextendedproperty",
    "sp_droprolemember",
    "sp_getapplock",
    "sp_indexoption",
    "sp_recompile",
    "sp_refreshsqlmodule",
    "sp_refreshview",
    "sp_releaseapplock",
    "sp_rename",
    "sp_set_session_context",
    "sp_settriggerorder",
    "sp_tableoption",
    "sp_unbindefault",
    "sp_unbindrule",
    "sp_updateextendedproperty",
    "sp_xml_removedocument",
];

/// The words that begin a statement. A batch that begins with another calls the procedure of that name.
const STARTERS: [&str; 57] = [
    "ADD",
    "ALTER",
    "BACKUP",
    "BEGIN",
    "BREAK",
    "BULK",
    "CHECKPOINT",
    "CLOSE",
    "COMMIT",
    "CONTINUE",
    "CREATE",
    "DBCC",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DENY",
    "DISABLE",
    "DROP",
    "ENABLE",
    "END",
    "EXEC",
    "EXECUTE",
    "FETCH",
    "GET",
    "GOTO",
    "GRANT",
    "IF",
    "INSERT",
    "KILL",
    "MERGE",
    "MOVE",
    "OPEN",
    "PRINT",
    "RAISERROR",
    "READTEXT",
    "RECEIVE",
    "RECONFIGURE",
    "RESTORE",
    "RETURN",
    "REVERT",
    "REVOKE",
    "ROLLBACK",
    "SAVE",
    "SELECT",
    "SEND",
    "SET",
    "SETUSER",
    "SHUTDOWN",
    "THROW",
    "TRUNCATE",
    "UPDATE",
    "UPDATETEXT",
    "USE",
    "WAITFOR",
    "WHILE",
    "WITH",
    "WRITETEXT",
];

/// How many texts may stand in each other.
const MAX_DEPTH: usize = 8;

/// What a batch does, and what it makes. The text of something that is kept makes just that.
pub(super) fn deeds(text: &str) -> Deeds {
    batch(text, 0)
}

fn batch(text: &str, depth: usize) -> Deeds {
    let words = words(text);
    let (Some(words), true) = (words, depth < MAX_DEPTH) else {
        return Deeds { ends: true, ..Deeds::default() };
    };
    let mut reading = Reading { at: &words, depth, deeds: Deeds::default(), saved: BTreeSet::new() };
    if let Some(name) = reading.definition() {
        reading.body();
        return Deeds { makes: vec![(name, reading.deeds)], ..Deeds::default() };
    }
    while reading.sign(';') {}
    let begins_with_name = match reading.at.first() {
        Some(Word::Bare(word)) => {
            let is_label = reading.at.get(1) == Some(&Word::Sign(':'));
            !is_label && !STARTERS.contains(&&*word.to_ascii_uppercase())
        }
        Some(Word::Quoted(_)) => true,
        _ => false,
    };
    if begins_with_name {
        reading.call();
    }
    reading.body();
    reading.deeds
}

struct Reading<'w> {
    at: &'w [Word],
    depth: usize,
    deeds: Deeds,
    /// The savepoints that were set.
    saved: BTreeSet<String>,
}

impl Reading<'_> {
    fn next(&mut self) -> Option<Word> {
        let (first, rest) = self.at.split_first()?;
        self.at = rest;
        Some(first.clone())
    }

    fn is(&self, keyword: &str) -> bool {
        matches!(self.at.first(), Some(Word::Bare(word)) if word.eq_ignore_ascii_case(keyword))
    }

    fn take(&mut self, keywords: &[&str]) -> bool {
        let is_here = keywords.iter().any(|keyword| self.is(keyword));
        if is_here {
            self.next();
        }
        is_here
    }

    fn sign(&mut self, sign: char) -> bool {
        let is_here = self.at.first() == Some(&Word::Sign(sign));
        if is_here {
            self.next();
        }
        is_here
    }

    /// The parts of a name, the last one last; those left out are empty.
    fn name(&mut self) -> Vec<String> {
        let mut parts = Vec::new();
        loop {
            let part = match self.at.first() {
                Some(Word::Bare(name) | Word::Quoted(name)) => name.to_lowercase(),
                _ => String::new(),
            };
            if !part.is_empty() {
                self.next();
            }
            parts.push(part);
            if !self.sign('.') {
                return parts;
            }
        }
    }

    /// What a text makes whose body is kept, and steps behind its name: a trigger is known by its table.
    fn definition(&mut self) -> Option<String> {
        let begin = self.at;
        let found = self.made();
        if found.is_none() {
            self.at = begin;
        }
        found
    }

    fn made(&mut self) -> Option<String> {
        if !self.take(&["CREATE", "ALTER"]) {
            return None;
        }
        if self.take(&["OR"]) {
            self.take(&["ALTER"]);
        }
        if self.take(&["PROCEDURE", "PROC", "VIEW", "FUNCTION"]) {
            return self.name().pop();
        }
        if !self.take(&["TRIGGER"]) {
            return None;
        }
        self.name();
        self.take(&["ON"]).then(|| self.name().pop()).flatten()
    }

    /// Reads to the end.
    fn body(&mut self) {
        while let Some(word) = self.next() {
            let keyword = match word {
                Word::Bare(word) => {
                    self.deeds.names.insert(word.to_lowercase());
                    word.to_ascii_uppercase()
                }
                Word::Quoted(name) => {
                    self.deeds.names.insert(name.to_lowercase());
                    continue;
                }
                Word::Text(_) | Word::Sign(_) => continue,
            };
            match &*keyword {
                "COMMIT" => self.deeds.ends = true,
                "ROLLBACK" => self.rollback(),
                "SAVE" if self.take(&["TRAN", "TRANSACTION"]) => {
                    let name = self.name().concat();
                    self.saved.insert(name);
                }
                "EXEC" | "EXECUTE" => self.execute(),
                _ => {}
            }
        }
    }

    /// To a savepoint that was set before in the same text it leaves the transaction open.
    fn rollback(&mut self) {
        let names_one = self.take(&["TRAN", "TRANSACTION"]);
        let name = if names_one { self.name().concat() } else { String::new() };
        self.deeds.ends |= name.is_empty() || !self.saved.contains(&name);
    }

    /// What stands behind `EXEC`: a call, a text, a permission or a context.
    fn execute(&mut self) {
        let is_permission = ["ON", "TO", "FROM", "AS"].iter().any(|word| self.is(word)) || self.sign(',');
        if is_permission {
            return;
        }
        if self.sign('(') {
            return self.spelled(')');
        }
        // What it returns goes into a variable.
        if let [Word::Bare(variable), Word::Sign('='), ..] = self.at
            && variable.starts_with('@')
        {
            self.next();
            self.next();
        }
        self.call();
    }

    fn call(&mut self) {
        let mut parts = self.name();
        let name = parts.pop().unwrap_or_default();
        let schema = parts.pop().unwrap_or_default();
        // The name is in a variable, or is that of another database's or server's procedure, or of one of several.
        let is_elsewhere = parts.iter().any(|part| !part.is_empty() && part != "master");
        if name.is_empty() || name.starts_with('@') || is_elsewhere || self.sign(';') && self.is_number() {
            self.deeds.ends = true;
            return;
        }
        let is_servers = parts.iter().any(|part| part == "master") || ["", "sys", "dbo"].contains(&&*schema);
        match &*name {
            "sp_executesql" if is_servers => {
                if let [Word::Bare(parameter), Word::Sign('='), ..] = self.at
                    && parameter.starts_with('@')
                {
                    self.next();
                    self.next();
                }
                self.spelled(',');
            }
            _ if is_servers && HARMLESS.contains(&&*name) => {}
            _ if parts.iter().any(|part| part == "master") => self.deeds.ends = true,
            _ => self.deeds.calls.push(name),
        }
    }

    /// Whether a number stands here, which tells procedures of one name apart.
    fn is_number(&self) -> bool {
        matches!(self.at.first(), Some(Word::Bare(word)) if word.starts_with(|ch: char| ch.is_ascii_digit()))
    }

    /// A text that is run, up to this sign. It is known where it is spelled out, but for names in brackets.
    fn spelled(&mut self, end: char) {
        let mut text = String::new();
        loop {
            match self.next() {
                Some(Word::Text(part)) => text.push_str(&part),
                Some(Word::Bare(variable)) if variable.starts_with('@') && text.ends_with('[') => text.push('x'),
                // With another quote than brackets it makes a text and no name.
                Some(Word::Bare(function))
                    if function.eq_ignore_ascii_case("QUOTENAME")
                        && self.sign('(')
                        && !text.is_empty()
                        && self.skip_one_argument() =>
                {
                    text.push_str("[x]");
                }
                _ => {
                    self.deeds.ends = true;
                    return;
                }
            }
            if self.sign('+') {
                continue;
            }
            // The arguments of sp_executesql are no code.
            let is_over = match end {
                ')' => self.sign(')') && !self.is("AT"),
                _ => true,
            };
            let found = batch(&text, self.depth + 1);
            self.deeds.ends |= found.ends || !is_over;
            self.deeds.calls.extend(found.calls);
            self.deeds.names.extend(found.names);
            self.deeds.makes.extend(found.makes);
            return;
        }
    }

    /// Steps behind the parenthesis of a function with one argument; false when there are more.
    fn skip_one_argument(&mut self) -> bool {
        let mut depth = 1;
        while depth > 0 {
            match self.next() {
                Some(Word::Sign('(')) => depth += 1,
                Some(Word::Sign(')')) => depth -= 1,
                Some(Word::Sign(',')) if depth == 1 => return false,
                None => return false,
                _ => {}
            }
        }
        true
    }
}

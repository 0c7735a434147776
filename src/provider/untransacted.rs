//! Tables that no transaction takes back: what is done to them stays when the rest is undone, and nothing can say so in the
//! same transaction.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::domain::Statement;

use super::connection::Row;
use super::error::ProviderError;
use super::run::Work;
use super::session::Session;
use super::word::has_word;

/// How a server is asked for them.
pub(super) struct Untransacted {
    /// A row for each table whose engine knows no transactions: its name. `{schemas}` are the schemas to look into.
    pub(super) tables: &'static str,
    /// A row for each view, trigger and routine: the name that has to be used to reach it, its text, and whether a query
    /// alone can make it write.
    pub(super) code: &'static str,
    /// The codes of errors that are found before a statement has changed a row. After any other, the rows before the one
    /// that it failed at stay.
    pub(super) untouched: &'static [&'static str],
}

/// The names by which such tables are reached, in this session as long as nothing else is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reached {
    /// The schemas that were looked into, besides the branch's own.
    schemas: BTreeSet<String>,
    /// Names of tables, views and routines.
    names: BTreeSet<String>,
    /// Those of routines among them, which a query can call.
    called: BTreeSet<String>,
}

/// How many schemas of other names are looked into.
const MAX_SCHEMAS: usize = 20;

impl Session {
    /// Those of a migration's statements in `range` that change, as far as their text and the catalog tell, a table whose
    /// engine knows no transactions. They have to run alone. Costs a question where statements change rows at all, and none
    /// where the server's tables are all alike.
    pub async fn untransacted(&mut self, work: &Work<'_>, range: Range<usize>) -> Result<Vec<usize>, ProviderError> {
        let Some(how) = &self.sql.dialect.untransacted else { return Ok(Vec::new()) };
        let statements = work.planned.script().statements.get(range.clone()).unwrap_or_default();
        if !statements.iter().any(|statement| statement.alone.is_none() && statement.session.is_none()) {
            return Ok(Vec::new());
        }
        let schemas: BTreeSet<String> =
            statements.iter().flat_map(|statement| before_dots(&statement.sql)).take(MAX_SCHEMAS).collect();
        if self.reached.as_ref().is_none_or(|known| !schemas.is_subset(&known.schemas)) {
            self.reached = Some(self.find_reached(how, schemas).await?);
        }
        let Some(reached) = self.reached.as_ref().filter(|reached| !reached.names.is_empty()) else {
            return Ok(Vec::new());
        };
        let found = range.zip(statements).filter(|(_, statement)| reached.by(statement));
        Ok(found.map(|(index, _)| index).collect())
    }

    async fn find_reached(&mut self, how: &Untransacted, schemas: BTreeSet<String>) -> Result<Reached, ProviderError> {
        let list: String = schemas.iter().map(|name| format!(", {}", self.sql.literal(name))).collect();
        let rows = self.probe(how.tables, &[("schemas", &list)]).await?;
        let names: BTreeSet<String> = rows.iter().map(|row| row.text_or_empty(0).to_lowercase()).collect();
        let mut reached = Reached { schemas, names, called: BTreeSet::new() };
        if reached.names.is_empty() {
            return Ok(reached);
        }
        let code = self.probe(how.code, &[("schemas", &list)]).await?;
        reached.follow(&code);
        Ok(reached)
    }
}

impl Reached {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Adds the views, triggers and routines through which one comes to the tables, however many are in between.
    fn follow(&mut self, code: &[Row]) {
        let code: Vec<(String, String, bool)> = code
            .iter()
            .map(|row| (row.text_or_empty(0).to_lowercase(), row.text_or_empty(1), row.is_true(2)))
            .collect();
        self.follow_texts(&code);
    }

    fn follow_texts(&mut self, code: &[(String, String, bool)]) {
        loop {
            let before = self.names.len() + self.called.len();
            for (name, text, is_called) in code {
                if self.names.iter().any(|reached| has_word(text, reached)) {
                    self.names.insert(name.clone());
                    if *is_called {
                        self.called.insert(name.clone());
                    }
                }
            }
            if self.names.len() + self.called.len() == before {
                return;
            }
        }
    }

    /// Whether a statement may change one of the tables.
    fn by(&self, statement: &Statement) -> bool {
        if statement.alone.is_some() {
            return false;
        }
        // What is only asked for writes through a function at most.
        let asks =
            ["SELECT", "DO", "SET", "SHOW", "VALUES", "TABLE", "EXPLAIN", "DESCRIBE", "DESC", "PREPARE", "CHECKSUM"];
        let names = match asks.contains(&&*first_word(&statement.sql)) {
            true => &self.called,
            false => &self.names,
        };
        names.iter().any(|name| has_word(&statement.sql, name))
    }
}

/// A statement's first word, in upper case; that of a conditional comment if it begins with one.
fn first_word(sql: &str) -> String {
    let start = sql.trim_start_matches(|ch: char| !ch.is_ascii_alphabetic());
    let start = start.strip_prefix("M!").unwrap_or(start).trim_start_matches(|ch: char| !ch.is_ascii_alphabetic());
    start.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_uppercase()
}

/// The names that stand before a dot, which may be those of databases.
fn before_dots(sql: &str) -> Vec<String> {
    let part_of_name = |ch: char| ch.is_alphanumeric() || ch == '_' || ch == '$';
    let mut names = Vec::new();
    for (at, _) in sql.match_indices('.') {
        let before = sql.get(..at).unwrap_or_default().trim_end();
        let name = match before.strip_suffix('`') {
            Some(quoted) => quoted.rsplit('`').next().unwrap_or_default(),
            None => before.rsplit(|ch| !part_of_name(ch)).next().unwrap_or_default(),
        };
        if !name.is_empty() && !name.starts_with(|ch: char| ch.is_ascii_digit()) {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_reached_through_views_triggers_and_routines() {
        let code = |name: &str, text: &str, called| (name.to_owned(), text.to_owned(), called);
        let mut reached = Reached { names: ["log".to_owned()].into(), ..Reached::default() };
        reached.follow_texts(&[
            code("outer", "select `inner`()", true),
            code("inner", "BEGIN INSERT INTO Log VALUES (1); END", true),
            code("sales", "CALL inner()", false),
            code("other", "SELECT logs FROM t", true),
        ]);
        let by = |sql: &str| reached.by(&Statement::new(sql));
        for sql in
            ["INSERT INTO log VALUES (1)", "/*!50001 update `Sales` set a = 1 */", "SELECT outer()", "SET @a = inner()"]
        {
            assert!(by(sql), "{sql}");
        }
        for sql in ["SELECT * FROM log", "INSERT INTO logs VALUES (1)", "SELECT other()", "SET @a = 1"] {
            assert!(!by(sql), "{sql}");
        }
        assert!(
            !reached
                .by(&Statement { alone: Some(crate::domain::Effect::Unknowable), ..Statement::new("CALL inner()") })
        );
    }

    #[test]
    fn names_before_dots_may_be_databases() {
        assert_eq!(before_dots("INSERT INTO `a b` . t SELECT x.c, 1.5 FROM d.x"), ["a b", "x", "d"]);
    }
}

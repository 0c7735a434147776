//! Statements that one transaction can't hold although their text does not show it. What is done to tables that know no
//! transactions stays when the rest is undone; and what is called may end the transaction, also by taking back whatever
//! would have told of that. Nothing can say so in the same transaction, so the journal says it before.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::domain::{MigrationId, Planned, Statement};

use super::connection::Row;
use super::deeds::{Code, Deeds};
use super::error::{ErrorKind, ProviderError};
use super::session::Session;
use super::word::has_word;

/// Which statements they are, and how a server is asked for them.
pub(super) enum Untransacted {
    /// Those that change tables without transactions. Outside any transaction they are what they are inside of one.
    ByTables {
        /// A row for each table whose engine knows no transactions: its name. `{schemas}` are the schemas to look into.
        tables: &'static str,
        /// A row for each view, trigger and routine: the name that has to be used to reach it, its text, and whether a
        /// query alone can make it write.
        code: &'static str,
        /// The codes of errors that are found before a statement has changed a row. After any other, the rows before the
        /// one that it failed at stay.
        untouched: &'static [&'static str],
    },
    /// Those that call what may end the transaction. Each has a transaction of its own, because most of them leave it
    /// open after all.
    ByCalls {
        /// A row for each procedure, trigger, view and synonym: the name that has to be used to reach it, and its text,
        /// which is NULL where it can't be read.
        code: &'static str,
        /// What a text of the server's language does.
        deeds: fn(&str) -> Deeds,
    },
}

/// What is known of them, in this session as long as nothing else is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reached {
    /// The schemas that were looked into, besides the branch's own.
    schemas: BTreeSet<String>,
    /// Names of tables without transactions, and of views and routines through which one comes to them.
    names: BTreeSet<String>,
    /// Those of routines among them, which a query can call.
    called: BTreeSet<String>,
    /// The code that could be called when a migration was begun, and the migration.
    code: Option<(MigrationId, Vec<(String, Deeds)>)>,
}

/// How many schemas of other names are looked into.
const MAX_SCHEMAS: usize = 20;

impl Session {
    /// Those of a migration's statements in `range` that have to run apart, as far as their text and the catalog tell:
    /// they change a table whose engine knows no transactions, or call what may end the transaction. The migration is the
    /// one at `number` of those that are to run together. Costs a question where statements change rows, or call
    /// something, at all.
    pub async fn untransacted(
        &mut self,
        together: &[&Planned],
        number: usize,
        range: Range<usize>,
    ) -> Result<Vec<usize>, ProviderError> {
        let (Some(how), Some(planned)) = (&self.sql.dialect.untransacted, together.get(number)) else {
            return Ok(Vec::new());
        };
        match how {
            Untransacted::ByTables { tables, code, .. } => self.changing_tables(tables, code, planned, range).await,
            Untransacted::ByCalls { code, deeds } => {
                self.calling(code, *deeds, together.get(..=number).unwrap_or_default(), range).await
            }
        }
    }

    /// Whether such statements run outside any transaction here. Elsewhere each has one of its own.
    pub fn untransacted_is_outside(&self) -> bool {
        matches!(self.sql.dialect.untransacted, Some(Untransacted::ByTables { .. }))
    }

    /// Why such a statement can't be one of several migrations in one transaction.
    pub fn refuse_untransacted(&self) -> ProviderError {
        let (what, hint) = match &self.sql.dialect.untransacted {
            Some(Untransacted::ByCalls { .. }) => (
                "calls a procedure, or runs a text that is not spelled out, that may end the transaction",
                "use transaction mode PerMigration",
            ),
            _ => (
                "changes a table whose engine knows no transactions",
                "use transaction mode PerMigration, or convert the table: ALTER TABLE … ENGINE = InnoDB",
            ),
        };
        let text = format!("the statement {what}, so it cannot be part of one transaction for several migrations");
        ProviderError::new(ErrorKind::Sql, text).hint(hint)
    }

    async fn changing_tables(
        &mut self,
        tables: &str,
        code: &str,
        planned: &Planned,
        range: Range<usize>,
    ) -> Result<Vec<usize>, ProviderError> {
        let statements = planned.script().statements.get(range.clone()).unwrap_or_default();
        if !statements.iter().any(|statement| statement.alone.is_none() && statement.session.is_none()) {
            return Ok(Vec::new());
        }
        let schemas: BTreeSet<String> =
            statements.iter().flat_map(|statement| before_dots(&statement.sql)).take(MAX_SCHEMAS).collect();
        if self.reached.as_ref().is_none_or(|known| !schemas.is_subset(&known.schemas)) {
            self.reached = Some(self.find_reached(tables, code, schemas).await?);
        }
        let Some(reached) = self.reached.as_ref().filter(|reached| !reached.names.is_empty()) else {
            return Ok(Vec::new());
        };
        let found = range.zip(statements).filter(|(_, statement)| reached.by(statement));
        Ok(found.map(|(index, _)| index).collect())
    }

    /// The statements of the last of these migrations that may end the transaction through what they call.
    async fn calling(
        &mut self,
        code: &str,
        deeds: fn(&str) -> Deeds,
        together: &[&Planned],
        range: Range<usize>,
    ) -> Result<Vec<usize>, ProviderError> {
        let Some(planned) = together.last() else { return Ok(Vec::new()) };
        let statements = planned.script().statements.get(range.clone()).unwrap_or_default();
        let shared: Vec<(usize, Deeds)> = range
            .zip(statements)
            .filter(|(_, statement)| statement.alone.is_none())
            .map(|(index, statement)| (index, deeds(&statement.sql)))
            .collect();
        if shared.iter().all(|(_, deeds)| deeds.calls.is_empty()) {
            return Ok(shared.into_iter().filter(|(_, deeds)| deeds.ends).map(|(index, _)| index).collect());
        }
        let known = self.reached.as_ref().and_then(|reached| reached.code.as_ref());
        if known.is_none_or(|(id, _)| *id != planned.migration.id) {
            let rows = self.probe(code, &[]).await?;
            let code = rows.iter().map(|row| kept(&row.text_or_empty(0), &row.text_or_empty(1), deeds)).collect();
            self.reached = Some(Reached { code: Some((planned.migration.id.clone(), code)), ..Reached::default() });
        }
        let kept = self.reached.as_ref().and_then(|reached| reached.code.as_ref());
        // What the migrations make themselves may not be in the catalog yet.
        let texts = together.iter().flat_map(|planned| &planned.script().statements);
        let mut made = Vec::new();
        texts.for_each(|statement| flatten(deeds(&statement.sql).makes, &mut made));
        let code = Code::of(kept.into_iter().flat_map(|(_, code)| code).chain(&made));
        Ok(shared.into_iter().filter(|(_, deeds)| code.may_end(deeds)).map(|(index, _)| index).collect())
    }

    async fn find_reached(
        &mut self,
        tables: &str,
        code: &str,
        schemas: BTreeSet<String>,
    ) -> Result<Reached, ProviderError> {
        let list: String = schemas.iter().map(|name| format!(", {}", self.sql.literal(name))).collect();
        let rows = self.probe(tables, &[("schemas", &list)]).await?;
        let names: BTreeSet<String> = rows.iter().map(|row| row.text_or_empty(0).to_lowercase()).collect();
        let mut reached = Reached { schemas, names, ..Reached::default() };
        if reached.names.is_empty() {
            return Ok(reached);
        }
        let code = self.probe(code, &[("schemas", &list)]).await?;
        reached.follow(&code);
        Ok(reached)
    }
}

/// What the catalog's code of this name does. A text that can't be read, or makes nothing, may do anything.
fn kept(name: &str, text: &str, deeds: fn(&str) -> Deeds) -> (String, Deeds) {
    let made = deeds(text).makes.into_iter().next().map(|(_, made)| made);
    (name.to_lowercase(), made.unwrap_or(Deeds { ends: true, ..Deeds::default() }))
}

/// Adds what is made, and what that makes when it is called.
fn flatten(makes: Vec<(String, Deeds)>, all: &mut Vec<(String, Deeds)>) {
    for (name, mut deeds) in makes {
        flatten(std::mem::take(&mut deeds.makes), all);
        all.push((name, deeds));
    }
}

impl Reached {
    /// Whether there are no tables without transactions.
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
    fn what_cannot_be_read_may_end_the_transaction() {
        let calls = Deeds { calls: vec!["p".to_owned()], ..Deeds::default() };
        let deeds = |text: &str| match text {
            "" => Deeds::default(),
            text => Deeds { makes: vec![(text.to_owned(), Deeds::default())], ..Deeds::default() },
        };
        assert!(Code::of(&[kept("P", "", deeds)]).may_end(&calls), "as in a row of NULL");
        assert!(!Code::of(&[kept("P", "p", deeds)]).may_end(&calls));
    }

    #[test]
    fn names_before_dots_may_be_databases() {
        assert_eq!(before_dots("INSERT INTO `a b` . t SELECT x.c, 1.5 FROM d.x"), ["a b", "x", "d"]);
    }
}

use tokio::time::Instant;

use super::foreign::{broken, compare, refused};
use super::lab::{Lab, explained};
use super::problem::Problem;
use super::schema::{QUESTIONS, Schema};
use super::steps::{Steps, steps};
use super::token::quote;
use crate::domain::TableRebuild;
use crate::provider::connection::{Connection, Failure, Overdue, Reply, Row};
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::flush::Break;
use crate::provider::message::{Message, Purpose};
use crate::provider::run::{Observer, Work};
use crate::provider::session::{Session, Used};
use crate::provider::settings::Settings;
use crate::provider::stop::Stop;

impl Session {
    /// Rebuilds a table in the open transaction, as the statement at `index` of the migration at `number`.
    pub(in crate::provider) async fn rebuild(
        &mut self,
        works: &[Work<'_>],
        (number, index): (usize, usize),
        rebuild: &TableRebuild,
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<(), Break> {
        let started = Instant::now();
        if let Some(work) = works.get(number) {
            // Should it fail half-way, the next migration does not get this one's pragmas.
            self.used = Used::By(work.id().clone());
        }
        let done = self.rebuild_table(works, (number, index), rebuild, stop, observer).await;
        done.map_err(|broken| Break { purpose: Some(Purpose::Statement { work: number, index }), ..broken })?;
        if let (true, Some(work)) = (observer.each_statement(), works.get(number)) {
            let total = work.planned.script().statements.len();
            observer.statement_finished(work.id(), index, total, started.elapsed());
        }
        Ok(())
    }

    async fn rebuild_table(
        &mut self,
        works: &[Work<'_>],
        (work, index): (usize, usize),
        rebuild: &TableRebuild,
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<(), Break> {
        if !matches!(self.connection, Some(Connection::Sqlite(_))) {
            let text = "a table rebuild is for SQLite only";
            return Err(refused(ProviderError::new(ErrorKind::Unsupported, text)));
        }
        let schema = self.schema(stop).await?;
        let steps = steps_of(&self.settings, &schema, rebuild).map_err(refused)?;
        if steps.copy.is_some() {
            self.check_enforcement(&steps, stop).await?;
        }
        let drops = rebuild.dropped_with().is_some();
        if !drops && schema.objects.iter().any(|object| matches!(&*object.kind, "view" | "trigger")) {
            let mut lab = Lab::copy(&schema, stop).await.map_err(refused)?;
            let checked = lab.check(&steps).await;
            lab.close().await;
            checked.map_err(refused)?;
        }
        self.check_filled(&steps, stop).await?;
        let before = self.orphans(&steps, stop).await?;

        let purpose = Purpose::Step { work, index };
        let named = |broken: Break| match drops {
            true => broken,
            false => Break { error: explained(broken.error, &steps.table), ..broken },
        };
        let copy = steps.copy.unwrap_or(steps.sql.len());
        let (first, rest) = steps.sql.split_at_checked(copy).unwrap_or_default();
        let (copy, last) = rest.split_at_checked(1).unwrap_or_default();
        for (part, is_copy) in [(first, false), (copy, true), (last, false)] {
            let mut message = Message::default();
            for sql in part {
                message.push(purpose, &closed(sql));
            }
            if message.is_empty() {
                continue;
            }
            match self.flush(&mut message, works, stop, observer).await {
                Ok(()) => {}
                Err(broken) if is_copy => return Err(named(self.find_row(&steps, broken, stop).await)),
                Err(broken) => return Err(named(broken)),
            }
        }
        let after = self.orphans(&steps, stop).await?;
        compare(&steps, &before, &after).map_err(refused)
    }

    /// Asks a question about the branch's data: it takes as long as there is time.
    pub(super) async fn inquire(&mut self, sql: &str, stop: &Stop) -> Result<Vec<Row>, Failure> {
        let mut rows = Vec::new();
        let mut sink = |reply| {
            if let Reply::Row(row) = reply {
                rows.push(row);
            }
        };
        self.send(sql, stop, Overdue::Kill, &mut sink).await?;
        Ok(rows)
    }

    async fn schema(&mut self, stop: &Stop) -> Result<Schema, Break> {
        let mut answers = [const { Vec::new() }; 4];
        for (answer, question) in answers.iter_mut().zip(QUESTIONS) {
            *answer = self.inquire(question, stop).await.map_err(broken)?;
        }
        Schema::read(answers).map_err(refused)
    }

    /// The pragma does nothing inside a transaction, and with it dropping the old table deletes what refers to it.
    async fn check_enforcement(&mut self, steps: &Steps, stop: &Stop) -> Result<(), Break> {
        let rows = self.inquire("PRAGMA foreign_keys", stop).await.map_err(broken)?;
        if !rows.first().is_some_and(|row| row.is_true(0)) {
            return Ok(());
        }
        let problem =
            Problem::new("the migration has turned foreign keys on, and dropping the old table would delete rows");
        Err(refused(problem.hint("remove the PRAGMA foreign_keys from the migration").of(&steps.table)))
    }

    async fn check_filled(&mut self, steps: &Steps, stop: &Stop) -> Result<(), Break> {
        for (column, why) in &steps.filled {
            let (table, name) = (quote(&steps.table), quote(column));
            let sql = format!("SELECT count(*) FROM main.{table} WHERE {name} IS NULL");
            let rows = self.inquire(&sql, stop).await.map_err(broken)?;
            let count = rows.first().and_then(|row| row.number(0)).unwrap_or_default();
            if count > 0 {
                let rows = if count == 1 { "1 row".into() } else { format!("{count} rows") };
                let problem = Problem::new(format!("the column '{column}' {why}, and is NULL in {rows}"));
                return Err(refused(problem.hint("give these rows a value first").of(&steps.table)));
            }
        }
        Ok(())
    }

    /// Adds to a failed copy's error which row the new table does not take, by copying all that it does take. Everything is
    /// rolled back afterwards.
    async fn find_row(&mut self, steps: &Steps, mut failed: Break, stop: &Stop) -> Break {
        let constraint = failed.error.code.parse::<i32>().is_ok_and(|code| code & 0xff == 19);
        let (Some(rowid), true, Some(copy)) = (&steps.rowid, constraint, steps.copy.and_then(|at| steps.sql.get(at)))
        else {
            return failed;
        };
        let copy = copy.replacen("INSERT OR ABORT", "INSERT OR IGNORE", 1);
        let (from, to) = (&steps.from, &steps.to);
        let missing =
            format!("SELECT min({rowid}), count(*) FROM {from} WHERE {rowid} NOT IN (SELECT {rowid} FROM {to})");
        if self.inquire(&copy, stop).await.is_err() {
            return failed;
        }
        let Ok(rows) = self.inquire(&missing, stop).await else { return failed };
        if let Some((row, count)) = rows.first().and_then(|found| Some((found.number(0)?, found.number(1)?))) {
            let more = if count == 1 { String::new() } else { format!(" and {} more", count - 1) };
            failed.error.message = format!("{}: the row {row}{more}", failed.error.message);
            failed.error.hint = "correct these rows first".into();
        }
        failed
    }
}

/// The rebuild's statements in a schema.
pub(super) fn steps_of(settings: &Settings, schema: &Schema, rebuild: &TableRebuild) -> Result<Steps, Problem> {
    let history = &*settings.history_table;
    steps(schema, rebuild, &[history, &format!("{history}Lock")])
}

/// The statement with its end right behind it: SQLite stores some texts with the white space that follows them.
fn closed(sql: &str) -> String {
    let comment = sql.rsplit('\n').next().is_some_and(|line| line.contains("--"));
    if comment { sql.to_owned() } else { format!("{sql};") }
}

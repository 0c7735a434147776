use std::collections::BTreeMap;

use super::problem::Problem;
use super::schema::{Object, QUESTIONS, Schema};
use super::steps::Steps;
use crate::provider::connection::{Failure, Overdue, Reply, Row};
use crate::provider::error::ProviderError;
use crate::provider::sqlite::Wire;
use crate::provider::stop::Stop;

/// An empty copy of a schema in memory, to try statements on.
pub(super) struct Lab {
    wire: Wire,
    stop: Stop,
}

/// Names the views and triggers that SQLite can make sense of: dropping a column makes it look at all of them.
const PROBE: [&str; 3] =
    ["CREATE TABLE _probe (a, b)", "ALTER TABLE _probe DROP COLUMN b", "DROP TABLE IF EXISTS _probe"];

impl Lab {
    /// Copies a schema. What can't be made here, such as a virtual table of an unknown module, is left out.
    pub(super) async fn copy(schema: &Schema, stop: &Stop) -> Result<Self, ProviderError> {
        let mut lab = Self { wire: Wire::memory().await?, stop: stop.clone() };
        for kind in ["table", "index", "view", "trigger"] {
            let objects = schema.objects.iter().filter(|object| object.kind == kind);
            for sql in objects.filter(|object| !object.is_internal()).filter_map(|object| object.sql.as_deref()) {
                lab.try_run(sql).await?;
            }
        }
        if schema.find("sqlite_stat1").is_some() {
            lab.try_run("ANALYZE").await?;
        }
        Ok(lab)
    }

    pub(super) async fn close(self) {
        self.wire.close().await;
    }

    async fn ask(&mut self, sql: &str) -> Result<Vec<Row>, Failure> {
        let mut rows = Vec::new();
        let mut sink = |reply| {
            if let Reply::Row(row) = reply {
                rows.push(row);
            }
        };
        self.wire.send(sql, &self.stop, Overdue::Kill, &mut sink).await?;
        Ok(rows)
    }

    async fn run(&mut self, sql: &str) -> Result<(), Failure> {
        self.wire.send(sql, &self.stop, Overdue::Kill, &mut |_| {}).await
    }

    /// Runs a statement and does not mind if it fails, unless it is time to stop. The second result says why it failed.
    pub(super) async fn try_run(&mut self, sql: &str) -> Result<Option<ProviderError>, ProviderError> {
        match self.run(sql).await {
            Ok(()) => Ok(None),
            Err(failure) if self.stop.now().is_some() => Err(failure.error),
            Err(failure) => Ok(Some(failure.error)),
        }
    }

    pub(super) async fn schema(&mut self) -> Result<Schema, ProviderError> {
        let mut answers = [const { Vec::new() }; 4];
        for (answer, question) in answers.iter_mut().zip(QUESTIONS) {
            *answer = self.ask(question).await.map_err(|failure| failure.error)?;
        }
        Ok(Schema::read(answers)?)
    }

    /// Runs a rebuild's statements.
    pub(super) async fn rebuild(&mut self, steps: &Steps) -> Result<(), ProviderError> {
        for sql in &steps.sql {
            self.run(sql).await.map_err(|failure| explained(failure.error, &steps.table))?;
        }
        Ok(())
    }

    /// Refuses a rebuild after which a view or trigger that works now would not any more. The copy is of no other use
    /// afterwards.
    pub(super) async fn check(&mut self, steps: &Steps) -> Result<(), ProviderError> {
        let broken_before = self.drop_broken().await?;
        let before = self.texts().await?;
        self.rebuild(steps).await?;
        let mut broken = self.drop_broken().await?;
        // Those that did not work before are back if they belong to the table.
        broken.retain(|name, _| !broken_before.contains_key(name));
        let after = self.texts().await?;
        for (name, text) in &after {
            // SQLite takes a name in double quotes that means nothing for a text, and has written it as one just now.
            if before.get(name).is_some_and(|old| old != text) {
                broken.insert(name.clone(), "it names a column that is gone".into());
            }
        }
        if broken.is_empty() {
            return Ok(());
        }
        let named: Vec<String> = broken.iter().take(10).map(|(name, why)| format!("the {name} ({why})")).collect();
        let problem = Problem::new(format!("afterwards these would not work: {}", named.join(", ")));
        Err(problem
            .hint("drop or change the views and triggers first, and make them again after the rebuild")
            .of(&steps.table)
            .into())
    }

    async fn texts(&mut self) -> Result<BTreeMap<String, String>, ProviderError> {
        let objects = self.schema().await?.objects;
        let looked_into = objects.into_iter().filter(Object::is_looked_into);
        Ok(looked_into.map(|object| (object.title(), object.sql.unwrap_or_default())).collect())
    }

    /// Drops the views and triggers that don't work, one after the other; what and why.
    async fn drop_broken(&mut self) -> Result<BTreeMap<String, String>, ProviderError> {
        let mut broken = BTreeMap::new();
        let [make, look, clear] = PROBE;
        self.try_run("PRAGMA legacy_alter_table = OFF").await?;
        let objects: Vec<Object> = self.schema().await?.objects.into_iter().filter(Object::is_looked_into).collect();
        for _ in 0..=objects.len() {
            self.try_run(clear).await?;
            self.try_run(make).await?;
            let Some(error) = self.try_run(look).await? else { break };
            let culprit = objects.iter().find_map(|object| {
                let rest = error.message.strip_prefix(&format!("error in {}", object.kind_and_name()))?;
                let why = rest.strip_prefix(':').or_else(|| rest.strip_prefix(" after drop column:"))?;
                (!broken.contains_key(&object.title())).then(|| (object, why.trim().to_owned()))
            });
            // What SQLite complains of is none of these, so nothing more is to be learnt.
            let Some((object, why)) = culprit else { break };
            self.try_run(&format!("DROP {} {}", object.kind, super::token::quote(&object.name))).await?;
            broken.insert(object.title(), why);
        }
        self.try_run(clear).await?;
        Ok(broken)
    }
}

impl Object {
    fn is_internal(&self) -> bool {
        self.name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"))
    }

    fn is_looked_into(&self) -> bool {
        matches!(&*self.kind, "view" | "trigger")
    }

    fn kind_and_name(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    fn title(&self) -> String {
        format!("{} '{}'", self.kind, self.name)
    }
}

/// An error of one of the statements that the person who asked for the rebuild has not written.
pub(super) fn explained(error: ProviderError, table: &str) -> ProviderError {
    if error.kind != crate::provider::error::ErrorKind::Sql {
        return error;
    }
    let table = crate::domain::shorten(table, 100);
    ProviderError {
        message: format!("the table '{table}' can't be rebuilt: {}", error.message),
        position: None,
        ..error
    }
}

use crate::domain::{Effect, ObjectName, Statement, render};

use super::connection::Row;
use super::error::{ErrorKind, ProviderError};
use super::lock::Fence;
use super::message::{Message, Purpose};
use super::run::Work;
use super::session::Session;
use super::stop::Stop;

/// What became of a statement that ran outside any transaction and whose outcome was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It has not taken effect, and can be run.
    NotStarted,
    /// Another session is running it at this moment.
    Running,
    /// It has taken effect.
    Applied,
    /// It was cut off and left an invalid index, which has to be dropped before the statement is run again.
    Leftover,
    /// Whatever became of it, running it again gives the same result.
    Rerun,
    /// Nothing that can be read tells.
    Unknown,
}

impl Session {
    /// Finds out what became of a statement, from the server's list of sessions and its catalog.
    pub async fn fate(&mut self, statement: &Statement) -> Result<Fate, ProviderError> {
        let probes = &self.sql.dialect.probes;
        if let Some(running) = probes.running {
            let mut message = Message::default();
            message.push(Purpose::Setting, &statement.sql);
            let text = self.sql.literal((probes.shown)(message.text_from(0)));
            if !self.probe(running, &[("sql", &text)]).await?.is_empty() {
                return Ok(Fate::Running);
            }
        }
        match &statement.alone {
            Some(Effect::Idempotent) => Ok(Fate::Rerun),
            Some(Effect::IndexExists { index, table }) => Ok(match self.find_index(index, table).await? {
                None => Fate::NotStarted,
                Some((true, _)) => Fate::Applied,
                Some((false, _)) => Fate::Leftover,
            }),
            Some(Effect::IndexGone(index)) => {
                let name = self.sql.literal(&self.sql.qualified(index.schema.as_deref(), &index.name));
                let text = self.sql.literal(&index.name);
                let found = self.probe(probes.any_index, &[("index_name", &name), ("index_text", &text)]).await?;
                Ok(if found.is_empty() { Fate::Applied } else { Fate::NotStarted })
            }
            Some(Effect::DatabaseExists(name)) => self.database(name, Fate::Applied, Fate::NotStarted).await,
            Some(Effect::DatabaseGone(name)) => self.database(name, Fate::NotStarted, Fate::Applied).await,
            Some(Effect::Unknowable) => Ok(Fate::Unknown),
            Some(effect) => match self.sql.dialect.probes.objects.as_ref() {
                Some(objects) => self.object_fate(objects, effect).await,
                None => Ok(Fate::Unknown),
            },
            // It was announced, so it ran outside any transaction, whatever its text looks like.
            None => Ok(Fate::Unknown),
        }
    }

    /// Drops the invalid index that a cut-off statement has left, and nothing else: fails when [`Session::fate`] does not
    /// say [`Fate::Leftover`]. Settle the statement as not applied afterwards.
    pub async fn clear_leftover(
        &mut self,
        fence: &Fence,
        statement: &Statement,
        stop: &Stop,
    ) -> Result<(), ProviderError> {
        self.renew(fence).await?;
        let refuse = |text: &str| Err(ProviderError::new(ErrorKind::Internal, text));
        let Some(Effect::IndexExists { index, table }) = &statement.alone else {
            return refuse("the statement leaves nothing that could be cleared");
        };
        if self.fate(statement).await? != Fate::Leftover {
            return refuse("there is no invalid index to drop");
        }
        let Some((false, schema)) = self.find_index(index, table).await? else {
            return refuse("the invalid index is gone");
        };
        let name = self.sql.qualified(Some(&schema), &index.name);
        let mut message = Message::default();
        message.push(Purpose::Setting, &render(self.sql.dialect.probes.drop_index, &[("index", &name)]));
        let nothing: &[Work<'_>] = &[];
        let sent = self.flush(&mut message, nothing, stop, &mut super::journal::Nobody).await;
        sent.map_err(|broken| broken.error)
    }

    /// Whether the index is whole, and its schema.
    async fn find_index(
        &mut self,
        index: &ObjectName,
        table: &ObjectName,
    ) -> Result<Option<(bool, String)>, ProviderError> {
        let values = [
            ("table_text", self.sql.qualified(table.schema.as_deref(), &table.name)),
            ("schema_text", self.sql.home(table.schema.as_deref()).to_owned()),
            ("table", table.name.clone()),
            ("index_text", index.name.clone()),
        ];
        let values = values.map(|(name, text)| (name, self.sql.literal(&text)));
        let values: Vec<(&str, &str)> = values.iter().map(|(name, text)| (*name, &**text)).collect();
        let found = self.probe(self.sql.dialect.probes.index, &values).await?;
        Ok(found.first().map(|row| (row.is_true(0), row.text_or_empty(1))))
    }

    async fn database(&mut self, name: &str, there: Fate, gone: Fate) -> Result<Fate, ProviderError> {
        let Some(probe) = self.sql.dialect.probes.database else { return Ok(Fate::Unknown) };
        let name = self.sql.literal(name);
        let found = self.probe(probe, &[("database", &name)]).await?;
        Ok(if found.is_empty() { gone } else { there })
    }

    pub(super) async fn probe(&mut self, template: &str, values: &[(&str, &str)]) -> Result<Vec<Row>, ProviderError> {
        self.query(&render(template, values)).await.map_err(|failure| failure.error)
    }
}

use tokio::time::Instant;

use crate::domain::Statement;

use super::endpoint::{Endpoint, Place};
use super::error::{ExecutionError, Outcome, ProviderError};
use super::flush::Break;
use super::message::{Message, Purpose};
use super::mysql::Copy;
use super::run::{Observer, Work};
use super::session::Session;
use super::settings::Settings;
use super::stop::{Stop, later};

/// A place to try migrations that keeps nothing of them: a transaction of the branch's database that is rolled back, or,
/// where changes of tables commit by themselves, a throw-away copy of the database without its rows.
pub struct Rehearsal {
    session: Session,
    copy: Option<Copy>,
}

/// A statement that could not be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotTried {
    /// The place of its migration among those that were tried.
    pub work: usize,
    /// Its index in the migration.
    pub index: usize,
    /// Why not, in words that follow the statement.
    pub why: &'static str,
}

impl Rehearsal {
    /// Prepares the place. Takes no lock: what is not committed disturbs nobody who migrates the branch, and a copy is
    /// nobody else's.
    ///
    /// Fails as [`Session::connect`] does, and when a copy can't be made.
    pub async fn open(endpoint: &Endpoint, settings: &Settings, stop: &Stop) -> Result<Self, ProviderError> {
        let Place::MySql(place) = &endpoint.place else {
            return Ok(Self { session: Session::connect(endpoint, settings).await?, copy: None });
        };
        let source = Session::connect(endpoint, settings).await?;
        let copy = Copy::make(source, place, stop).await?;
        match Session::connect(&copied(endpoint, place, copy.name()), settings).await {
            Ok(mut session) => match copy.fill(&mut session, stop).await {
                Ok(copy) => Ok(Self { session, copy: Some(copy) }),
                Err(error) => {
                    session.close().await;
                    Err(error)
                }
            },
            Err(error) => {
                copy.drop().await;
                Err(error)
            }
        }
    }

    /// Runs migrations from their first statement that is not done, and takes everything back. Gives the statements that
    /// could not be tried; what comes after them ran without their effect.
    pub async fn run(
        &mut self,
        work: &[Work<'_>],
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<Vec<NotTried>, ExecutionError> {
        let Some(first) = work.first() else { return Ok(Vec::new()) };
        if let Some(error) = work.iter().find_map(|one| self.session.misread(one)) {
            return Err(error);
        }
        let in_transaction = self.copy.is_none();
        let mut message = Message::default();
        self.session.set_up(&mut message, first);
        if in_transaction {
            message.push(Purpose::Begin, self.session.sql.dialect.begin);
        }
        let mut not_tried = Vec::new();
        let mut times = Vec::with_capacity(work.len());
        for number in 0..work.len() {
            let started = Instant::now();
            if let Err(broken) = self.try_one(&mut message, work, number, stop, observer, &mut not_tried).await {
                return Err(self.failed(broken, work, number, &not_tried).await);
            }
            times.push(started.elapsed());
        }
        if in_transaction {
            for text in self.session.sql.dialect.before_take_back {
                message.push(Purpose::Setting, text);
            }
            if let Err(broken) = self.session.flush(&mut message, work, stop, observer).await {
                return Err(self.failed(broken, work, work.len() - 1, &not_tried).await);
            }
            self.session.roll_back().await;
        }
        for (one, took) in work.iter().zip(times) {
            observer.migration_finished(one.id(), took);
        }
        Ok(not_tried)
    }

    async fn try_one(
        &mut self,
        message: &mut Message,
        work: &[Work<'_>],
        number: usize,
        stop: &Stop,
        observer: &mut dyn Observer,
        not_tried: &mut Vec<NotTried>,
    ) -> Result<(), Break> {
        let Some(one) = work.get(number) else { return Ok(()) };
        observer.migration_started(one.id());
        let stop = stop.no_later_than(later(Instant::now(), one.timeout));
        let script = one.planned.script();
        for (index, statement) in script.statements.iter().enumerate().skip(one.planned.begin()) {
            match self.why_not(statement) {
                Some(why) => not_tried.push(NotTried { work: number, index, why }),
                None => {
                    let range = index..index + 1;
                    self.session.push_statements(message, work, number, range, &stop, observer).await?;
                }
            }
        }
        match message.is_empty() {
            true => Ok(()),
            false => self.session.flush(message, work, &stop, observer).await,
        }
    }

    fn why_not(&self, statement: &Statement) -> Option<&'static str> {
        match &self.copy {
            None => (!statement.is_transactional()).then_some("refuses to run inside a transaction"),
            Some(copy) => copy.why_not(&statement.sql),
        }
    }

    async fn failed(
        &mut self,
        broken: Break,
        work: &[Work<'_>],
        number: usize,
        not_tried: &[NotTried],
    ) -> ExecutionError {
        if self.copy.is_none() {
            self.session.roll_back().await;
        }
        let (at, statement) = match broken.purpose {
            Some(Purpose::Statement { work, index }) => (work, Some(index)),
            _ => (number, None),
        };
        let mut error = broken.error;
        if let Some(first) = not_tried.first() {
            let count = not_tried.len();
            let migration = work.get(first.work).map(|work| work.id().to_string()).unwrap_or_default();
            error.hint = format!(
                "{count} of the statements before it could not be tried in a dry run, the first in {migration}; that may \
                 be why"
            );
        }
        let migration = work.get(at).map(|work| work.id().clone());
        ExecutionError { error, migration, statement, done: 0, outcome: Outcome::RolledBack }
    }

    /// Ends it; a copy is dropped.
    pub async fn close(self) {
        self.session.close().await;
        if let Some(copy) = self.copy {
            copy.drop().await;
        }
    }
}

fn copied(endpoint: &Endpoint, place: &super::server::ServerPlace, name: &str) -> Endpoint {
    let place = super::server::ServerPlace { database: name.to_owned(), ..place.clone() };
    Endpoint { code: endpoint.code.clone(), place: Place::MySql(place) }
}

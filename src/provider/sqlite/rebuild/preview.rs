use super::lab::Lab;
use super::run::steps_of;
use super::schema::{QUESTIONS, Schema};
use super::token::tokens;
use crate::domain::Statement;
use crate::provider::error::ProviderError;
use crate::provider::session::Session;
use crate::provider::settings::Settings;
use crate::provider::stop::Stop;

/// What statements come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preview {
    /// The SQL of each statement, in order, as far as it could be told.
    pub sql: Vec<Vec<String>>,
    /// Why it could not be told of the statement after those, such as a table that can't be rebuilt as asked.
    pub stopped: Option<ProviderError>,
}

impl Preview {
    /// The SQL that each statement comes to if they all run now, one after the other: of a table's rebuild, the statements
    /// for what the table is like by then; of any other statement, its own text. Nothing in the database is changed and no
    /// row is looked at. Without a session, the database is one that does not exist yet.
    ///
    /// Fails when the database can't be asked.
    pub async fn make(
        session: Option<&mut Session>,
        settings: &Settings,
        statements: &[&Statement],
    ) -> Result<Self, ProviderError> {
        if statements.iter().all(|statement| statement.rebuild.is_none()) {
            let sql = statements.iter().map(|statement| vec![statement.sql.clone()]).collect();
            return Ok(Self { sql, stopped: None });
        }
        let stop = Stop::after(settings.connect_timeout);
        let mut schema = Schema::default();
        if let Some(session) = session {
            let mut answers = [const { Vec::new() }; 4];
            for (answer, question) in answers.iter_mut().zip(QUESTIONS) {
                *answer = session.query(question).await.map_err(|failure| failure.error)?;
            }
            schema = Schema::read(answers)?;
        }
        let mut lab = Lab::copy(&schema, &stop).await?;
        let mut preview = Self::default();
        for statement in statements {
            match in_the_lab(&mut lab, settings, statement).await {
                Ok(sql) => preview.sql.push(sql),
                Err(error) => {
                    preview.stopped = Some(error);
                    break;
                }
            }
        }
        lab.close().await;
        Ok(preview)
    }
}

async fn in_the_lab(lab: &mut Lab, settings: &Settings, statement: &Statement) -> Result<Vec<String>, ProviderError> {
    let Some(rebuild) = &statement.rebuild else {
        if changes_schema(&statement.sql) {
            // Whether it works is found out when it runs.
            lab.try_run(&statement.sql).await?;
        }
        return Ok(vec![statement.sql.clone()]);
    };
    let steps = steps_of(settings, &lab.schema().await?, rebuild)?;
    lab.rebuild(&steps).await?;
    Ok(steps.sql)
}

/// Whether a statement can matter to the rebuilds after it. Nothing else is run, least of all what could write a file.
fn changes_schema(sql: &str) -> bool {
    let first = tokens(sql).into_iter().next();
    first.is_some_and(|word| ["CREATE", "ALTER", "DROP"].iter().any(|keyword| word.is(sql, keyword)))
}

use super::lab::Lab;
use super::schema::{QUESTIONS, Schema};
use super::token::tokens;
use crate::domain::Statement;
use crate::provider::error::ProviderError;
use crate::provider::session::Session;
use crate::provider::stop::Stop;

impl Session {
    /// The SQL that each statement comes to if they all run now, one after the other: of a table's rebuild, the statements
    /// for what the table is like by then; of any other statement, its own text. Nothing in the database is changed and no
    /// row is looked at.
    ///
    /// Fails when a table can't be rebuilt as asked.
    pub async fn preview(&mut self, statements: &[&Statement]) -> Result<Vec<Vec<String>>, ProviderError> {
        if statements.iter().all(|statement| statement.rebuild.is_none()) {
            return Ok(statements.iter().map(|statement| vec![statement.sql.clone()]).collect());
        }
        let stop = Stop::after(self.settings.connect_timeout);
        let mut answers = [const { Vec::new() }; 4];
        for (answer, question) in answers.iter_mut().zip(QUESTIONS) {
            *answer = self.query(question).await.map_err(|failure| failure.error)?;
        }
        let mut lab = Lab::copy(&Schema::read(answers)?, &stop).await?;
        let expanded = self.expand(&mut lab, statements).await;
        lab.close().await;
        expanded
    }

    async fn expand(&self, lab: &mut Lab, statements: &[&Statement]) -> Result<Vec<Vec<String>>, ProviderError> {
        let mut expanded = Vec::with_capacity(statements.len());
        for statement in statements {
            let Some(rebuild) = &statement.rebuild else {
                if changes_schema(&statement.sql) {
                    // Whether it works is found out when it runs.
                    lab.try_run(&statement.sql).await?;
                }
                expanded.push(vec![statement.sql.clone()]);
                continue;
            };
            let steps = self.steps(&lab.schema().await?, rebuild)?;
            lab.rebuild(&steps).await?;
            expanded.push(steps.sql);
        }
        Ok(expanded)
    }
}

/// Whether a statement can matter to the rebuilds after it. Nothing else is run, least of all what could write a file.
fn changes_schema(sql: &str) -> bool {
    let first = tokens(sql).into_iter().next();
    first.is_some_and(|word| ["CREATE", "ALTER", "DROP"].iter().any(|keyword| word.is(sql, keyword)))
}

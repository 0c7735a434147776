//! Trying an Apply without keeping anything of it.

use super::apply::{Attempt, Broken};
use super::failure::Failure;
use super::report::{Progress, Report};
use crate::domain::{FailureClass, MigrationError, MigrationResult, Plan, Planned, shorten};
use crate::provider::{ErrorKind, NotTried, Rehearsal, Session, Work};

impl Attempt<'_> {
    /// Runs what would be applied and takes it back. Nothing is recorded in the branch, and nothing is created.
    pub(super) async fn rehearse(&self, report: &mut Report) -> Result<(), Broken> {
        let endpoint = self.endpoint()?;
        let settings = &self.settings.provider;
        let mut session = match Session::connect(&endpoint, settings).await {
            Err(mut error) if error.kind == ErrorKind::DatabaseMissing => {
                "a dry run creates nothing; apply, which creates the database".clone_into(&mut error.hint);
                return Err(self.broken(error));
            }
            opened => opened.map_err(|error| self.broken(error))?,
        };
        let plan = self.plan_in(&mut session, report).await;
        session.close().await;
        let plan = plan?;
        if let Some(planned) = plan.migrations().find(|planned| planned.doubtful().is_some()) {
            return Err(Broken::Failed(self.in_doubt(planned)));
        }
        if plan.is_empty() {
            return Ok(());
        }
        self.go_on()?;
        let stop = self.stop();
        let opened = Rehearsal::open(&endpoint, settings, &stop).await;
        let mut rehearsal = opened.map_err(|error| self.broken(error))?;
        let ended = self.try_plan(&mut rehearsal, &plan, report).await;
        rehearsal.close().await;
        ended
    }

    /// What is to be tried, if it is what the request was made for.
    async fn plan_in(&self, session: &mut Session, report: &Report) -> Result<Plan, Broken> {
        let ledger = session.ledger().await.map_err(|error| self.broken(error))?;
        let plan = self.plan(&ledger, report)?;
        self.tell_start(&plan);
        self.check_digest(session, &ledger, &plan, report).await?;
        Ok(plan)
    }

    async fn try_plan(&self, rehearsal: &mut Rehearsal, plan: &Plan, report: &mut Report) -> Result<(), Broken> {
        let planned: Vec<&Planned> = plan.migrations().collect();
        let mut progress = Progress::new(self, planned.len());
        let work: Vec<Work<'_>> = planned.iter().map(|planned| self.work(planned)).collect();
        let tried = rehearsal.run(&work, &self.stop(), &mut progress).await;
        let not_tried = tried.map_err(|error| self.broken_execution(&planned, error))?;
        let notes = not_tried.iter().take(MigrationResult::MAX_ERRORS).filter_map(|each| note(&planned, each));
        report.notes.extend(notes);
        planned.iter().for_each(|planned| report.applied(planned.migration.id.clone()));
        Ok(())
    }

    fn in_doubt(&self, planned: &Planned) -> Failure {
        let id = &planned.migration.id;
        let text = format!("{id} was interrupted, and what became of its last statement is not known yet");
        let error = MigrationError {
            migration_id: Some(id.clone()),
            ..MigrationError::new(&self.branch.code, FailureClass::Catalogue, text)
        };
        Failure::refused(error.hint("apply, which finds that out; a dry run can be made of what comes after"))
    }
}

fn note(planned: &[&Planned], not_tried: &NotTried) -> Option<String> {
    let planned = planned.get(not_tried.work)?;
    let script = planned.script();
    let statement = script.statements.get(not_tried.index)?;
    let sql = shorten(&statement.sql.split_whitespace().collect::<Vec<_>>().join(" "), 80);
    Some(format!("{}:{}: '{sql}' {}", script.file, statement.line, not_tried.why))
}

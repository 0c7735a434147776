//! The record of who did what.

use serde_json::Value;

use super::caller::Caller;
use super::error::EngineError;
use super::manager::Manager;
use crate::domain::{Connection, Run};
use crate::store::{AuditEntry, AuditFilter, ChainReport, Page, Paged};

/// The longest detail, in characters.
const MAX_DETAIL: usize = 2_000;

impl Manager {
    /// Leaves an entry about a change. It is committed already, so a failure is logged and not passed on.
    pub(super) async fn audit(&self, caller: &Caller, action: &str, subject: &str, detail: Value) {
        self.leave(caller, action, subject, "", detail, "ok").await;
    }

    /// The entry about a run that is being begun.
    pub(super) fn entry_of_run(&self, caller: &Caller, run: &Run) -> AuditEntry {
        let mut detail = serde_json::to_value(&run.request).unwrap_or_default();
        if let Value::Object(fields) = &mut detail {
            fields.insert("branches".into(), run.branches_total.into());
        }
        self.entry(caller, run.kind.as_str(), &caller.subject(), &run.id.to_string(), detail, "ok")
    }

    /// Leaves an entry about a call that was to change something and did not, unless the call has left one.
    pub async fn audit_refused(&self, caller: &Caller, action: &str, reason: &str) {
        self.leave(caller, action, &caller.subject(), "", Value::Null, reason).await;
    }

    async fn leave(&self, caller: &Caller, action: &str, subject: &str, run: &str, detail: Value, outcome: &str) {
        if !caller.keep() {
            return;
        }
        let entry = self.entry(caller, action, subject, run, detail, outcome);
        if let Err(error) = self.0.store.audit(entry).await {
            tracing::error!(action, subject, who = %caller.name, outcome, %error, "an audit entry could not be written");
        }
    }

    fn entry(
        &self,
        caller: &Caller,
        action: &str,
        subject: &str,
        run: &str,
        detail: Value,
        outcome: &str,
    ) -> AuditEntry {
        let detail = match detail {
            Value::Null => String::new(),
            some => crate::domain::shorten(&some.to_string(), MAX_DETAIL),
        };
        AuditEntry {
            sequence: 0,
            time: self.now(),
            who: caller.name.clone(),
            role: caller.role.map(|role| role.as_str().to_owned()).unwrap_or_default(),
            peer: caller.peer.clone(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            request_id: caller.noted_request_id(),
            run_id: run.to_owned(),
            detail,
            outcome: outcome.to_owned(),
            hash: String::new(),
        }
    }

    /// The record, the newest entry first, page by page.
    pub async fn audit_entries(&self, filter: &AuditFilter, page: &Page) -> Result<Paged<AuditEntry>, EngineError> {
        Ok(self.0.store.audit_entries(filter, page).await?)
    }

    /// Verifies the record's chain.
    pub async fn verify_audit(&self) -> Result<ChainReport, EngineError> {
        let report = self.0.store.verify_audit().await?;
        if let Some((sequence, problem)) = &report.broken {
            tracing::error!(sequence, problem, "the audit record is not whole");
        }
        Ok(report)
    }
}

/// A connection as the record tells of it: where to, as whom, and where the password is kept, never the password.
pub(super) fn shown(connection: &Connection) -> Value {
    match connection {
        Connection::Sqlite(sqlite) => serde_json::json!({ "path": sqlite.path }),
        Connection::Server(server) => serde_json::json!({
            "host": server.host,
            "port": server.port,
            "database": server.database,
            "schema": server.schema,
            "username": server.username,
            "password_ref": server.password_ref.as_ref().map(ToString::to_string),
            "has_password": server.sealed_password.is_some(),
        }),
    }
}

//! The contract's messages as JSON.
//!
//! Fields have their proto names and are always there. Timestamps are RFC 3339 text in UTC, durations are numbers of
//! seconds, enumeration values are the names of [`names`] (empty for a value that stands for nothing), and what is not
//! set is `null`. Of a oneof only the chosen member is there.

use std::collections::{BTreeMap, HashMap};

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::{names, text};
use crate::rpc::proto;

/// A message, or a part of one, that is to be written.
pub(crate) struct Json<'a, T>(pub(crate) &'a T);

impl<T: Document> Serialize for Json<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.put(serializer)
    }
}

/// What can be written. The generated types cannot be `Serialize` themselves: their timestamps and enumerations are not.
pub(crate) trait Document {
    /// Hands the value to `serializer`.
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

macro_rules! as_it_is {
    ($($kind:ty),*) => {$(
        impl Document for $kind {
            fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.serialize(serializer)
            }
        }
    )*};
}

as_it_is!(String, bool, u32, u64, i64, f64);

impl<T: Document> Document for Vec<T> {
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Json))
    }
}

impl<T: Document> Document for Option<T> {
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().map(Json).serialize(serializer)
    }
}

impl<T: Serialize> Document for HashMap<String, T> {
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.iter().collect::<BTreeMap<_, _>>().serialize(serializer)
    }
}

impl Document for prost_types::Timestamp {
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        text::rfc3339(Some(self)).serialize(serializer)
    }
}

impl Document for prost_types::Duration {
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        text::seconds(self).serialize(serializer)
    }
}

/// Writes the named fields in their order; `field as name` writes an enumeration value by its name.
macro_rules! messages {
    ($( $kind:ident { $($field:ident $(as $name:ident)?),* $(,)? } )*) => {$(
        impl Document for proto::$kind {
            fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let fields = [$(stringify!($field)),*].len();
                let mut message = serializer.serialize_struct(stringify!($kind), fields)?;
                $( messages!(@field message, self.$field, stringify!($field) $(, $name)?); )*
                message.end()
            }
        }
    )*};
    (@field $message:ident, $value:expr, $label:expr) => { $message.serialize_field($label, &Json(&$value))? };
    (@field $message:ident, $value:expr, $label:expr, $name:ident) => {
        $message.serialize_field($label, &names::$name($value))?
    };
}

messages! {
    Branch {
        id, code, name, provider as provider, connection, labels, is_active, environment, create_time, update_time,
    }
    SqliteConnection { path }
    ServerConnection {
        host, port, database, schema, username, password_ref, ssl_mode as ssl_mode, ssl_ca_file, options,
        has_password,
    }
    TestConnectionResponse { reachable, database_exists, server_version, latency, message, hint }
    MigrationInfo {
        id, name, description, checksum, transaction_mode as transaction_mode, repeatable, reversible,
    }
    AppliedMigration { id, checksum, applied_time, duration, product_version, run_id }
    MigrationError {
        branch_code, migration_id, class as failure_class, message, hint, file, line, statement, provider_code,
        statements_done, statements_total,
    }
    MigrationResult {
        success, applied_migrations, errors, duration, branches_processed, branches_succeeded, branches_failed,
        branches_skipped, rolled_back_migrations, dry_run, not_tried,
    }
    Finding { severity as severity, kind, message, object, migration_id }
    BranchStatus {
        branch_id, branch_code, branch_name, provider as provider, last_migration_applied, status as status,
        last_attempt_time, retry_count, next_attempt_time, error_details, failure_class as failure_class, is_locked,
        lock_owner, lock_expires_time, pending_count, error, is_active, hold,
    }
    Hold { since_time, run_id, migrations }
    ApplyResponse { run_id, result }
    RollbackResponse { run_id, result }
    PendingResponse { branch_id, branch_code, pending_migrations, count }
    HistoryResponse {
        branch_id, branch_code, applied_migrations, pending_migrations, last_migration_time, status as status,
        retry_count, error_details, hold,
    }
    PlanResponse {
        branch_id, branch_code, provider as provider, direction as direction, migrations, digest, warnings,
    }
    PlannedMigration { info, file, statements_done, in_doubt, statements }
    PlannedStatement { sql, line, column, transaction, transactional, destructive, blocking, note }
    ValidateResponse { branch_id, branch_code, is_valid, status, findings }
    StatusResponse { branches, totals, total_branches }
    ListBranchesResponse { branches }
    ListRunsResponse { runs }
    TestNotificationResponse { results }
    NotificationTest { target, delivered, message, latency }
    ListNotificationsResponse { notifications }
    Notification {
        id, target, kind, subject, summary, state as notification_state, attempts, create_time, next_attempt_time,
        settle_time, error,
    }
    Run {
        id, kind as run_kind, state as run_state, requested_by, request_id, create_time, start_time, end_time, result,
        last_sequence, branches_total, dry_run,
    }
    ApiToken {
        id, name, role as role, created_by, create_time, expire_time, last_used_time, revoke_time,
    }
    RekeyResponse { key_id, rewritten, current, unreadable, unreadable_branches, overtaken }
    CreateTokenResponse { token, secret }
    ListTokensResponse { tokens }
    RevokeTokenResponse { token }
    AuditEvent {
        sequence, time, who, role, peer, action, subject, request_id, run_id, detail, outcome, hash,
    }
    ListAuditEventsResponse { events }
    VerifyAuditResponse {
        is_whole, verified, sequence, hash, pruned_sequence, broken_sequence, problem,
    }
    RunStarted { branches_total }
    BranchStarted { branch_code, provider as provider, pending_migrations, direction as direction }
    MigrationStarted { branch_code, migration_id, index, total, direction as direction }
    StatementFinished { branch_code, migration_id, index, total, duration }
    MigrationFinished { branch_code, migration_id, duration, direction as direction }
    BranchFinished {
        branch_code, status as status, applied_migrations, error, duration, branches_done, branches_total,
        rolled_back_migrations,
    }
    RunFinished { result }
}

impl Document for proto::Connection {
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use proto::connection::Kind;
        let mut message = serializer.serialize_struct("Connection", 1)?;
        match &self.kind {
            Some(Kind::Sqlite(sqlite)) => message.serialize_field("sqlite", &Json(sqlite))?,
            Some(Kind::Server(server)) => message.serialize_field("server", &Json(server))?,
            None => {}
        }
        message.end()
    }
}

impl Document for proto::RunEvent {
    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use proto::run_event::Event;
        let mut message = serializer.serialize_struct("RunEvent", 4)?;
        message.serialize_field("run_id", &self.run_id)?;
        message.serialize_field("sequence", &self.sequence)?;
        message.serialize_field("time", &Json(&self.time))?;
        match &self.event {
            Some(Event::RunStarted(event)) => message.serialize_field("run_started", &Json(event))?,
            Some(Event::BranchStarted(event)) => message.serialize_field("branch_started", &Json(event))?,
            Some(Event::MigrationStarted(event)) => message.serialize_field("migration_started", &Json(event))?,
            Some(Event::StatementFinished(event)) => message.serialize_field("statement_finished", &Json(event))?,
            Some(Event::MigrationFinished(event)) => message.serialize_field("migration_finished", &Json(event))?,
            Some(Event::BranchFinished(event)) => message.serialize_field("branch_finished", &Json(event))?,
            Some(Event::RunFinished(event)) => message.serialize_field("run_finished", &Json(event))?,
            None => {}
        }
        message.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn value<T: Document>(message: T) -> Value {
        serde_json::to_value(Json(&message)).unwrap()
    }

    #[test]
    fn a_branch() {
        let server = proto::ServerConnection {
            host: "db".into(),
            password: "hunter2".into(),
            ssl_mode: proto::SslMode::VerifyFull.into(),
            ..Default::default()
        };
        let branch = proto::Branch {
            code: "BR001".into(),
            provider: proto::Provider::Postgres.into(),
            connection: Some(proto::Connection { kind: Some(proto::connection::Kind::Server(server)) }),
            labels: HashMap::from([("b".into(), "2".into()), ("a".into(), "1".into())]),
            is_active: Some(true),
            create_time: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
            ..Default::default()
        };
        let text = serde_json::to_string(&Json(&branch)).unwrap();
        assert!(text.starts_with(r#"{"id":"","code":"BR001","name":"","provider":"postgres","connection":{"server":"#));
        assert!(text.contains(r#""labels":{"a":"1","b":"2"}"#) && !text.contains("hunter2"), "{text}");
        let found = value(branch);
        assert_eq!(found["connection"]["server"]["ssl_mode"], "verify_full");
        assert_eq!(found["create_time"], "1970-01-01T00:00:00Z");
        assert_eq!(found["update_time"], Value::Null);
    }

    #[test]
    fn an_event() {
        let finished = proto::BranchFinished {
            branch_code: "BR001".into(),
            status: proto::MigrationStatus::Failed.into(),
            error: Some(proto::MigrationError { class: proto::FailureClass::Sql.into(), ..Default::default() }),
            duration: Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 }),
            ..Default::default()
        };
        let found = value(proto::RunEvent {
            run_id: "r".into(),
            sequence: 3,
            time: None,
            event: Some(proto::run_event::Event::BranchFinished(finished)),
        });
        assert_eq!(found["sequence"], json!(3));
        assert_eq!(found["branch_finished"]["status"], "Failed");
        assert_eq!(found["branch_finished"]["duration"], json!(1.5));
        assert_eq!(found["branch_finished"]["error"]["class"], "Sql");
        assert_eq!(found["branch_finished"]["error"]["file"], "");
    }
}

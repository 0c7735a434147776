use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{NotificationKind, text};
use crate::domain::{
    Branch, BranchCode, BranchId, BranchState, Checksum, FailureClass, MigrationError, MigrationId, MigrationStatus,
    Provider, Run, RunId, RunKind, RunState, Time, shorten,
};

/// The longest texts of a notification, in characters.
const MAX_MESSAGE: usize = 1_000;
const MAX_HINT: usize = 400;
const MAX_NAME: usize = 200;
/// The most failed branches that a run's notification names.
const MAX_NAMED: usize = 10;
/// The most problems of the migrations folder that are told.
const MAX_PROBLEMS: usize = 10;

/// One notification. Its JSON form is what webhooks get and what head office keeps; it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: NotificationKind,
    /// When it happened.
    pub time: Time,
    /// The whole of it in one line, for people.
    pub summary: String,
    /// The branch, when it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<BranchNotice>,
    /// The run, when it is about the end of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunNotice>,
    /// The migrations folder, when it is about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalogue: Option<CatalogueNotice>,
    /// What was held back, when it is about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<HeldBackNotice>,
}

/// A branch, as far as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BranchNotice {
    /// Its id.
    pub id: BranchId,
    /// Its code.
    pub code: BranchCode,
    /// Its name; may be empty.
    pub name: String,
    /// Its provider.
    pub provider: Provider,
    /// Its environment, or the service's own when it names none.
    pub environment: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Where it stands now.
    pub status: MigrationStatus,
    /// Failed attempts since the last success.
    pub attempts: u32,
    /// When it is tried again, if it is.
    pub next_attempt_time: Option<Time>,
    /// The run in which it happened, if it was one.
    pub run_id: Option<RunId>,
    /// What went wrong, if anything.
    pub error: Option<ErrorNotice>,
}

/// What went wrong on a branch. The statement is left out: it may hold the branch's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorNotice {
    /// Its class.
    pub class: FailureClass,
    /// What happened, at most 1,000 characters.
    pub message: String,
    /// What to do about it; may be empty.
    pub hint: String,
    /// The migration, when one was being worked on.
    pub migration_id: Option<MigrationId>,
    /// Its file; may be empty.
    pub file: String,
    /// The line in that file; 0 when unknown.
    pub line: u32,
    /// The server's own code; may be empty.
    pub provider_code: String,
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunNotice {
    /// Its id.
    pub id: RunId,
    /// What it did.
    pub kind: RunKind,
    /// How it ended.
    pub state: RunState,
    /// Who asked for it.
    pub requested_by: String,
    /// Branches that succeeded.
    pub branches_succeeded: u32,
    /// Branches that failed or were refused.
    pub branches_failed: u32,
    /// Branches whose turn never came.
    pub branches_skipped: u32,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The codes of the first few branches that failed.
    pub failed: Vec<BranchCode>,
}

/// The migrations folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueNotice {
    /// The first few problems; empty when there are none.
    pub problems: Vec<String>,
    /// How many problems there are.
    pub total: u32,
}

/// What a target was spared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBackNotice {
    /// How many.
    pub total: u64,
    /// How many of each kind.
    pub kinds: BTreeMap<NotificationKind, u64>,
}

impl Notification {
    fn new(kind: NotificationKind, time: Time) -> Self {
        Self { kind, time, summary: String::new(), branch: None, run: None, catalogue: None, held_back: None }
    }

    fn summed_up(mut self) -> Self {
        self.summary = text::summary(&self);
        self
    }

    /// A branch has changed. `environment` is the service's own, for branches that name none.
    pub fn of_branch(
        kind: NotificationKind,
        time: Time,
        branch: &Branch,
        state: &BranchState,
        run_id: Option<RunId>,
        environment: &str,
    ) -> Self {
        let own = if branch.environment.is_empty() { environment } else { &branch.environment };
        let notice = BranchNotice {
            id: branch.id,
            code: branch.code.clone(),
            name: shorten(&branch.name, MAX_NAME),
            provider: branch.provider,
            environment: own.to_owned(),
            labels: branch.labels.clone(),
            status: state.status,
            attempts: state.retry_count,
            next_attempt_time: state.next_attempt_time,
            run_id,
            error: state.error.as_ref().map(ErrorNotice::of),
        };
        Self { branch: Some(notice), ..Self::new(kind, time) }.summed_up()
    }

    /// A run is over.
    pub fn of_run(run: &Run, time: Time) -> Self {
        let result = run.result.clone().unwrap_or_default();
        let mut failed: Vec<BranchCode> = result.errors.iter().map(|error| error.branch_code.clone()).collect();
        failed.dedup();
        failed.truncate(MAX_NAMED);
        let notice = RunNotice {
            id: run.id,
            kind: run.kind,
            state: run.state,
            requested_by: shorten(&run.requested_by, MAX_NAME),
            branches_succeeded: result.branches_succeeded,
            branches_failed: result.branches_failed,
            branches_skipped: result.branches_skipped,
            duration_ms: u64::try_from(result.duration.as_millis()).unwrap_or(u64::MAX),
            failed,
        };
        Self { run: Some(notice), ..Self::new(NotificationKind::RunFinished, time) }.summed_up()
    }

    /// The migrations folder has these problems, or none any more.
    pub fn of_catalogue(problems: &[String], time: Time) -> Self {
        let kind = match problems {
            [] => NotificationKind::CatalogueMended,
            _ => NotificationKind::CatalogueBroken,
        };
        let notice = CatalogueNotice {
            problems: problems.iter().take(MAX_PROBLEMS).map(|problem| shorten(problem, MAX_HINT)).collect(),
            total: u32::try_from(problems.len()).unwrap_or(u32::MAX),
        };
        Self { catalogue: Some(notice), ..Self::new(kind, time) }.summed_up()
    }

    /// So many were held back.
    pub fn of_held_back(kinds: BTreeMap<NotificationKind, u64>, time: Time) -> Self {
        let notice = HeldBackNotice { total: kinds.values().sum(), kinds };
        Self { held_back: Some(notice), ..Self::new(NotificationKind::HeldBack, time) }.summed_up()
    }

    /// Somebody tries out a target.
    pub fn of_test(time: Time) -> Self {
        Self::new(NotificationKind::Test, time).summed_up()
    }

    /// What it is about, for lists: a branch's code, a run's id, or nothing.
    pub fn subject(&self) -> String {
        match (&self.branch, &self.run) {
            (Some(branch), _) => branch.code.to_string(),
            (None, Some(run)) => run.id.to_string(),
            (None, None) => String::new(),
        }
    }

    /// The whole of it as plain text of several lines, for mail and chats.
    pub fn text(&self) -> String {
        text::text(self)
    }
}

impl ErrorNotice {
    fn of(error: &MigrationError) -> Self {
        Self {
            class: error.class,
            message: shorten(&error.message, MAX_MESSAGE),
            hint: shorten(&error.hint, MAX_HINT),
            migration_id: error.migration_id.clone(),
            file: shorten(&error.file, MAX_NAME),
            line: error.line,
            provider_code: shorten(&error.provider_code, MAX_NAME),
        }
    }
}

/// What makes two errors of a branch the same: everything but the numbers in the message, which hold times and counts.
pub fn error_key(error: Option<&MigrationError>) -> String {
    let Some(error) = error else { return String::new() };
    let mut plain = String::with_capacity(error.message.len());
    for ch in error.message.chars() {
        match ch {
            '0'..='9' if plain.ends_with('#') => {}
            '0'..='9' => plain.push('#'),
            ch => plain.push(ch),
        }
    }
    let migration = error.migration_id.as_ref().map(MigrationId::as_str).unwrap_or_default();
    let line = error.line.to_string();
    let parts = [error.class.as_str(), migration, &error.file, &line, &error.provider_code, &plain];
    Checksum::of_parts(parts).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(message: &str, line: u32) -> MigrationError {
        let code = "BR001".parse().unwrap();
        MigrationError { line, ..MigrationError::new(&code, FailureClass::Timeout, message) }
    }

    #[test]
    fn errors_are_the_same_whatever_they_measured() {
        let key = |message: &str, line| error_key(Some(&error(message, line)));
        assert_eq!(key("gave up after 30.1s", 1), key("gave up after 7.25s", 1));
        assert_ne!(key("gave up after 30.1s", 1), key("gave up after 30.1s", 2));
        assert_ne!(key("gave up", 1), key("came back", 1));
        assert_eq!(error_key(None), "");
    }

    #[test]
    fn it_is_read_back_from_json() {
        let problems: Vec<String> = (0..30).map(|n| format!("{n}.sql: {}", "x".repeat(2_000))).collect();
        let broken = Notification::of_catalogue(&problems, Time::UNIX_EPOCH);
        let json = serde_json::to_string(&broken).unwrap();
        assert!(json.len() < 6_000, "{} bytes", json.len());
        assert!(json.starts_with(r#"{"type":"catalogue_broken","time":"1970-01-01T00:00:00Z","summary":"#), "{json}");
        assert_eq!(serde_json::from_str::<Notification>(&json).unwrap(), broken);
    }
}

use std::fmt::Write;

use super::{BranchNotice, Notification, NotificationKind};
use crate::domain::shorten;

/// The longest summary, in characters.
const MAX_SUMMARY: usize = 300;

/// A notification in one line.
pub(super) fn summary(notification: &Notification) -> String {
    let line = match (&notification.branch, &notification.run, &notification.catalogue, &notification.held_back) {
        (Some(branch), ..) => of_branch(notification.kind, branch),
        (_, Some(run), ..) => {
            let (well, badly, skipped) = (run.branches_succeeded, run.branches_failed, run.branches_skipped);
            let mut line = format!("{} run {}: {well} succeeded, {badly} failed", run.kind, run.state);
            if skipped > 0 {
                let _ = write!(line, ", {skipped} skipped");
            }
            line
        }
        (_, _, Some(folder), _) if folder.total == 0 => "the migrations folder is in order again".to_owned(),
        (_, _, Some(folder), _) => {
            let first = folder.problems.first().map(String::as_str).unwrap_or_default();
            let number = folder.total;
            let noun = if number == 1 { "problem" } else { "problems" };
            format!("the migrations folder has {number} {noun}, nothing new is applied: {first}")
        }
        (.., Some(held)) => {
            let noun = if held.total == 1 { "notification was" } else { "notifications were" };
            let kinds: Vec<String> = held.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            format!("{} further {noun} held back: {}", held.total, kinds.join(", "))
        }
        (None, None, None, None) => "a test: this target is reached".to_owned(),
    };
    shorten(&line, MAX_SUMMARY)
}

fn of_branch(kind: NotificationKind, branch: &BranchNotice) -> String {
    let code = &branch.code;
    let why = branch.error.as_ref().map(|error| error.message.as_str()).unwrap_or_default();
    match kind {
        NotificationKind::NeedsManualIntervention => format!("branch {code} needs manual intervention: {why}"),
        NotificationKind::Recovered => format!("branch {code} has recovered"),
        _ => format!("branch {code} failed: {why}"),
    }
}

/// A notification in full, as lines of plain text.
pub(super) fn text(notification: &Notification) -> String {
    let mut lines = vec![notification.summary.clone()];
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("{name}: {value}"));
        }
    };
    if let Some(branch) = &notification.branch {
        line("Branch", format!("{} {}", branch.code, branch.name).trim().to_owned());
        line("Provider", branch.provider.to_string());
        line("Environment", branch.environment.clone());
        line("Status", branch.status.to_string());
        if let Some(error) = &branch.error {
            line("Failed attempts", branch.attempts.to_string());
            line("Migration", error.migration_id.as_ref().map(ToString::to_string).unwrap_or_default());
            let place = if error.file.is_empty() { String::new() } else { format!("{}:{}", error.file, error.line) };
            line("Place", place);
            line("Error", error.message.clone());
            line("Hint", error.hint.clone());
        }
        line("Next attempt", branch.next_attempt_time.map(stamp).unwrap_or_default());
        line("Run", branch.run_id.map(|id| id.to_string()).unwrap_or_default());
    }
    if let Some(run) = &notification.run {
        line("Run", run.id.to_string());
        line("Asked for by", run.requested_by.clone());
        line("Took", format!("{}.{:03}s", run.duration_ms / 1_000, run.duration_ms % 1_000));
        let failed: Vec<&str> = run.failed.iter().map(|code| code.as_str()).collect();
        line("Failed branches", failed.join(", "));
    }
    if let Some(folder) = &notification.catalogue {
        for problem in &folder.problems {
            line("Problem", problem.clone());
        }
    }
    line("Time", stamp(notification.time));
    lines.join("\n")
}

fn stamp(time: crate::domain::Time) -> String {
    time.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Branch, BranchId, BranchState, Connection, FailureClass, MigrationError, MigrationStatus, Provider,
        SqliteConnection, Time,
    };

    fn branch(kind: NotificationKind) -> Notification {
        let branch = Branch {
            id: BranchId::generate(),
            code: "BR001".parse().unwrap(),
            name: "Riverside".into(),
            provider: Provider::Sqlite,
            connection: Connection::Sqlite(SqliteConnection::default()),
            labels: Default::default(),
            is_active: true,
            environment: String::new(),
            create_time: Time::UNIX_EPOCH,
            update_time: Time::UNIX_EPOCH,
        };
        let mut error = MigrationError::new(&branch.code, FailureClass::Sql, "no such table: Crads");
        error.file = "2_Cards.sql".into();
        error.line = 2;
        error.statement = "INSERT INTO Crads VALUES ('4111 1111')".into();
        let state = BranchState {
            status: MigrationStatus::Failed,
            retry_count: 1,
            error: (kind != NotificationKind::Recovered).then_some(error),
            ..BranchState::new(branch.id)
        };
        Notification::of_branch(kind, Time::UNIX_EPOCH, &branch, &state, None, "production")
    }

    #[test]
    fn a_failed_branch_reads_well() {
        let text = branch(NotificationKind::BranchFailed).text();
        let expected = "branch BR001 failed: no such table: Crads\nBranch: BR001 Riverside\nProvider: sqlite\n\
                        Environment: production\nStatus: Failed\nFailed attempts: 1\nPlace: 2_Cards.sql:2\n\
                        Error: no such table: Crads\nTime: 1970-01-01 00:00:00Z";
        assert_eq!(text, expected);
    }

    #[test]
    fn summaries_say_what_happened() {
        assert_eq!(branch(NotificationKind::Recovered).summary, "branch BR001 has recovered");
        let needs = branch(NotificationKind::NeedsManualIntervention).summary;
        assert_eq!(needs, "branch BR001 needs manual intervention: no such table: Crads");
        let folder = |problems: &[&str]| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Notification::of_catalogue(&problems, Time::UNIX_EPOCH).summary
        };
        assert_eq!(folder(&[]), "the migrations folder is in order again");
        assert_eq!(folder(&["x"]), "the migrations folder has 1 problem, nothing new is applied: x");
        let kinds = [(NotificationKind::BranchFailed, 40), (NotificationKind::Recovered, 2)].into();
        let held = Notification::of_held_back(kinds, Time::UNIX_EPOCH);
        assert_eq!(held.summary, "42 further notifications were held back: 40 branch_failed, 2 recovered");
    }

    #[test]
    fn the_statement_is_not_told() {
        let json = serde_json::to_string(&branch(NotificationKind::BranchFailed)).unwrap();
        assert!(!json.contains("4111"), "{json}");
    }
}

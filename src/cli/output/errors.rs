use super::text::{count, duration, one_line};
use crate::rpc::proto;

/// A branch's error for people: what happened first, then where, what with, and what to do, a line each.
pub(crate) fn error_lines(error: &proto::MigrationError) -> Vec<String> {
    let mut lines = vec![one_line(&error.message)];
    let mut place = Vec::new();
    match (error.file.as_str(), error.line) {
        ("", _) => place.extend((!error.migration_id.is_empty()).then(|| format!("in {}", error.migration_id))),
        (file, 0) => place.push(format!("in {file}")),
        (file, line) => place.push(format!("in {file}:{line}")),
    }
    if !error.provider_code.is_empty() {
        place.push(format!("code {}", error.provider_code));
    }
    // That nothing stays is the usual case, and no news.
    if error.statements_done > 0 {
        let stay = count(error.statements_done, "statement of", "statements of");
        place.push(format!("{stay} {} took effect and stay", error.statements_total));
    }
    if !place.is_empty() {
        lines.push(one_line(&place.join(", ")));
    }
    if !error.statement.is_empty() {
        lines.push(format!("statement: {}", one_line(&error.statement)));
    }
    if !error.hint.is_empty() {
        lines.push(format!("hint: {}", one_line(&error.hint)));
    }
    lines
}

/// A run's result in one line.
pub(crate) fn summary(result: &proto::MigrationResult) -> String {
    let mut parts = vec![format!("{} succeeded", result.branches_succeeded)];
    if result.branches_failed > 0 {
        parts.push(format!("{} failed", result.branches_failed));
    }
    if result.branches_skipped > 0 {
        parts.push(format!("{} not begun", result.branches_skipped));
    }
    let all = result.branches_processed.saturating_add(result.branches_skipped);
    let mut text = format!("{}: {}", count(all, "branch", "branches"), parts.join(", "));
    let applied = result.applied_migrations.len() as u64;
    let undone = result.rolled_back_migrations.len() as u64;
    match undone {
        0 => text.push_str(&format!("; {} applied", count(applied, "migration", "migrations"))),
        _ => text.push_str(&format!("; {} undone", count(undone, "migration", "migrations"))),
    }
    if result.duration.is_some() {
        text.push_str(&format!(" in {}", duration(result.duration.as_ref())));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where_and_what_to_do() {
        let error = proto::MigrationError {
            migration_id: "2_b".into(),
            message: "near \"CREAT\":\nsyntax error".into(),
            hint: "correct the file".into(),
            file: "2_b.up.sql".into(),
            line: 12,
            statement: "CREAT TABLE x".into(),
            provider_code: "1".into(),
            statements_done: 1,
            statements_total: 7,
            ..Default::default()
        };
        let expected = [
            "near \"CREAT\": syntax error",
            "in 2_b.up.sql:12, code 1, 1 statement of 7 took effect and stay",
            "statement: CREAT TABLE x",
            "hint: correct the file",
        ];
        assert_eq!(error_lines(&error), expected);
        let bare = proto::MigrationError { message: "no route to host".into(), ..Default::default() };
        assert_eq!(error_lines(&bare), ["no route to host"]);
    }

    #[test]
    fn a_summary_counts_what_there_is_to_count() {
        let mut result = proto::MigrationResult {
            branches_processed: 3,
            branches_succeeded: 3,
            applied_migrations: vec!["[A] 1_x".into()],
            duration: Some(prost_types::Duration { seconds: 2, nanos: 0 }),
            ..Default::default()
        };
        assert_eq!(summary(&result), "3 branches: 3 succeeded; 1 migration applied in 2.0s");
        result.branches_failed = 1;
        result.branches_succeeded = 2;
        result.branches_skipped = 4;
        assert_eq!(summary(&result), "7 branches: 2 succeeded, 1 failed, 4 not begun; 1 migration applied in 2.0s");
    }
}

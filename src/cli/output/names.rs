//! Enumeration values as people and scripts read them: `Completed`, `ApplyAll`, `postgres`, `verify_full`.

use super::style::Style;
use crate::rpc::proto;

macro_rules! names {
    ($( $(#[$doc:meta])* $function:ident: $enumeration:ident, $prefix:literal, $shape:ident; )*) => {$(
        $(#[$doc])*
        pub(crate) fn $function(value: i32) -> String {
            match proto::$enumeration::try_from(value) {
                Ok(value) => $shape(value.as_str_name().strip_prefix($prefix).unwrap_or_default()),
                // A newer service may know values that this client does not.
                Err(_) => format!("Unknown({value})"),
            }
        }
    )*};
}

names! {
    /// Where a branch stands.
    status: MigrationStatus, "MIGRATION_STATUS_", pascal;
    /// Where a run stands.
    run_state: RunState, "RUN_STATE_", pascal;
    /// Where a notification stands.
    notification_state: NotificationState, "NOTIFICATION_STATE_", pascal;
    /// What a run does.
    run_kind: RunKind, "RUN_KIND_", pascal;
    /// Why an attempt failed.
    failure_class: FailureClass, "FAILURE_CLASS_", pascal;
    /// How migrations and transactions go together.
    transaction_mode: TransactionMode, "TRANSACTION_MODE_", pascal;
    /// Which way a migration is run.
    direction: Direction, "DIRECTION_", pascal;
    /// What a caller may do.
    role: Role, "ROLE_", pascal;
    /// How much a finding matters.
    severity: Severity, "SEVERITY_", pascal;
    /// The kind of server.
    provider: Provider, "PROVIDER_", lower;
    /// How a connection is protected.
    ssl_mode: SslMode, "SSL_MODE_", lower;
}

/// `REQUIRES_MANUAL_INTERVENTION` as `RequiresManualIntervention`; the value that stands for nothing is empty.
fn pascal(name: &str) -> String {
    if name == "UNSPECIFIED" {
        return String::new();
    }
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{first}{}", rest.to_ascii_lowercase())
    };
    name.split('_').map(word).collect()
}

fn lower(name: &str) -> String {
    if name == "UNSPECIFIED" { String::new() } else { name.to_ascii_lowercase() }
}

/// The style of a branch's status.
pub(crate) fn status_style(value: i32) -> Style {
    match proto::MigrationStatus::try_from(value) {
        Ok(proto::MigrationStatus::Completed) => Style::Good,
        Ok(proto::MigrationStatus::Pending | proto::MigrationStatus::InProgress) => Style::Busy,
        Ok(proto::MigrationStatus::Failed | proto::MigrationStatus::RequiresManualIntervention) => Style::Bad,
        _ => Style::Plain,
    }
}

/// The style of a notification's state.
pub(crate) fn notification_state_style(value: i32) -> Style {
    match proto::NotificationState::try_from(value) {
        Ok(proto::NotificationState::Delivered) => Style::Good,
        Ok(proto::NotificationState::Pending) => Style::Busy,
        Ok(proto::NotificationState::Failed) => Style::Bad,
        _ => Style::Plain,
    }
}

/// The style of a run's state.
pub(crate) fn run_state_style(value: i32) -> Style {
    match proto::RunState::try_from(value) {
        Ok(proto::RunState::Succeeded) => Style::Good,
        Ok(proto::RunState::Queued | proto::RunState::Running) => Style::Busy,
        Ok(proto::RunState::Failed | proto::RunState::Cancelled) => Style::Bad,
        _ => Style::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain;

    #[test]
    fn names_are_those_of_the_domain() {
        for (index, value) in domain::MigrationStatus::ALL.into_iter().enumerate() {
            assert_eq!(status(index as i32 + 1), format!("{value:?}"));
        }
        for (index, value) in domain::Provider::ALL.into_iter().enumerate() {
            assert_eq!(provider(index as i32 + 1), value.as_str());
        }
        for (index, value) in domain::FailureClass::ALL.into_iter().enumerate() {
            assert_eq!(failure_class(index as i32 + 1), value.as_str());
        }
        for (index, value) in domain::TransactionMode::ALL.into_iter().enumerate() {
            assert_eq!(transaction_mode(index as i32 + 1), value.as_str());
        }
        assert_eq!(ssl_mode(proto::SslMode::VerifyFull.into()), "verify_full");
        assert_eq!(run_kind(proto::RunKind::ApplyAll.into()), "ApplyAll");
    }

    #[test]
    fn what_is_not_said_or_not_known() {
        assert_eq!(status(0), "");
        assert_eq!(provider(0), "");
        assert_eq!(run_state(77), "Unknown(77)");
    }
}

use std::collections::{BTreeMap, HashMap};

use crate::domain::{Branch, BranchState, MigrationStatus, Time, Violations};
use crate::engine::{Page, StatusFilter};
use crate::rpc::proto;

use super::enums::{failure_class_to_proto, migration_status, migration_status_to_proto, provider_to_proto};
use super::fields::Fields;
use super::migration::{error_to_proto, hold_to_proto};
use super::time::timestamp;

/// Which branches a Status request asks for, and which page of them.
pub(in crate::rpc) fn status_query(request: proto::StatusRequest) -> Result<(StatusFilter, Page), Violations> {
    let mut fields = Fields::default();
    let page = fields.page(request.page_size, request.page_token);
    let statuses = fields.choices(
        "statuses",
        &request.statuses,
        migration_status,
        "MIGRATION_STATUS_PENDING, MIGRATION_STATUS_IN_PROGRESS, MIGRATION_STATUS_COMPLETED, MIGRATION_STATUS_FAILED or \
         MIGRATION_STATUS_REQUIRES_MANUAL_INTERVENTION",
    );
    let labels = fields.labels("labels", request.labels);
    let providers = fields.providers(&request.providers);
    fields.finish(Some((StatusFilter { statuses, labels, providers }, page)))
}

/// What head office last observed of a branch. A lease that has run out by `now` is nobody's.
pub(in crate::rpc) fn branch_status_to_proto(branch: &Branch, state: &BranchState, now: Time) -> proto::BranchStatus {
    let lease = state.lease.as_ref().filter(|lease| lease.expires_time > now);
    proto::BranchStatus {
        branch_id: branch.id.to_string(),
        branch_code: branch.code.to_string(),
        branch_name: branch.name.clone(),
        provider: provider_to_proto(branch.provider),
        last_migration_applied: state.last_migration.clone().unwrap_or_default(),
        status: migration_status_to_proto(state.status),
        last_attempt_time: state.last_attempt_time.map(timestamp),
        retry_count: state.retry_count,
        next_attempt_time: state.next_attempt_time.map(timestamp),
        error_details: state.error.as_ref().map(ToString::to_string).unwrap_or_default(),
        failure_class: state.error.as_ref().map_or(0, |error| failure_class_to_proto(error.class)),
        is_locked: lease.is_some(),
        lock_owner: lease.map(|lease| lease.owner.clone()).unwrap_or_default(),
        lock_expires_time: lease.map(|lease| timestamp(lease.expires_time)),
        pending_count: state.pending_count,
        error: state.error.clone().map(error_to_proto),
        is_active: branch.is_active,
        hold: state.hold.clone().map(hold_to_proto),
    }
}

/// The totals by the statuses' names, every name among them, and their sum.
pub(in crate::rpc) fn totals_to_proto(totals: &BTreeMap<MigrationStatus, u64>) -> (HashMap<String, u32>, u32) {
    let count = |status: MigrationStatus| totals.get(&status).copied().unwrap_or_default();
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let named = MigrationStatus::ALL.into_iter().map(|status| (status.as_str().to_owned(), narrow(count(status))));
    (named.collect(), narrow(totals.values().sum()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{BranchId, Connection, FailureClass, Lease, MigrationError, Provider, SqliteConnection};

    fn branch() -> Branch {
        Branch {
            id: BranchId::generate(),
            code: "BR001".parse().unwrap(),
            name: "Harbour".into(),
            provider: Provider::Sqlite,
            connection: Connection::Sqlite(SqliteConnection::default()),
            labels: BTreeMap::new(),
            is_active: true,
            environment: String::new(),
            create_time: Time::UNIX_EPOCH,
            update_time: Time::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_lease_that_ran_out_locks_nothing() {
        let branch = branch();
        let expires_time = Time::UNIX_EPOCH + Duration::from_secs(60);
        let lease = Lease { owner: "replica-1".into(), token: 7, expires_time };
        let state = BranchState { lease: Some(lease), ..BranchState::new(branch.id) };
        let held = branch_status_to_proto(&branch, &state, Time::UNIX_EPOCH);
        assert!(held.is_locked && held.lock_owner == "replica-1" && held.lock_expires_time.is_some());
        let free = branch_status_to_proto(&branch, &state, expires_time);
        assert!(!free.is_locked && free.lock_owner.is_empty() && free.lock_expires_time.is_none());
    }

    #[test]
    fn an_error_is_told_in_words_and_in_full() {
        let branch = branch();
        let error = MigrationError::new(&branch.code, FailureClass::Sql, "no such table: Sales");
        let state = BranchState { error: Some(error), ..BranchState::new(branch.id) };
        let status = branch_status_to_proto(&branch, &state, Time::UNIX_EPOCH);
        assert_eq!(status.error_details, "BR001: no such table: Sales");
        assert_eq!(status.failure_class, i32::from(proto::FailureClass::Sql));
        assert_eq!(status.error.unwrap().message, "no such table: Sales");
        assert_eq!(status.pending_count, None);
    }

    #[test]
    fn totals_name_every_status() {
        let (totals, sum) = totals_to_proto(&BTreeMap::from([(MigrationStatus::Failed, 3)]));
        assert_eq!((totals.len(), totals["Failed"], totals["Completed"], sum), (5, 3, 0, 3));
    }
}

//! Between the contract's messages and the domain's values.
//!
//! Reading a request finds *every* field that cannot be accepted before it gives up; writing an answer never fails.

mod access;
mod audit;
mod branch;
mod enums;
mod event;
mod fields;
mod migration;
mod notification;
mod plan;
mod run;
mod status;
mod time;

pub(super) use access::{new_token, token_list, token_ref, token_to_proto};
pub(super) use audit::{audit_filter, audit_report_to_proto, audit_to_proto};
pub(super) use branch::{
    branch_filter, branch_to_proto, connection_test_to_proto, new_branch, rekeyed_to_proto, test_target, update_branch,
};
pub(super) use event::event_to_proto;
pub(super) use fields::branch_ref;
pub(super) use migration::{finding_to_proto, history_to_proto, is_valid, migration_to_proto};
pub(super) use notification::{message_filter, message_to_proto, target_test_to_proto};
pub(super) use plan::{plan_command, plan_to_proto};
pub(super) use run::{
    apply_all_command, apply_command, resolve_command, rollback_command, run_id, run_list, run_to_proto, watch,
};
pub(super) use status::{branch_status_to_proto, status_query, totals_to_proto};

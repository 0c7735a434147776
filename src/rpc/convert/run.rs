use crate::domain::{Run, RunId, RunState, Selector, Violations};
use crate::engine::{ApplyAllCommand, ApplyCommand, Page, ResolveCommand, RollbackCommand, UndoWish};
use crate::rpc::proto;

use super::enums::{run_kind_to_proto, run_state, run_state_to_proto, transaction_mode};
use super::fields::Fields;
use super::migration::result_to_proto;
use super::time::timestamp;

/// The most branches that one request may name.
const MAX_BRANCHES: usize = 10_000;
/// The most branches that a request may have worked on at once.
const MAX_PARALLEL: u32 = 1000;

/// What an Apply request asks for.
pub(in crate::rpc) fn apply_command(request: proto::ApplyRequest) -> Result<ApplyCommand, Violations> {
    let mut fields = Fields::default();
    let branch = fields.branch("branch", &request.branch);
    let target = fields.target("target_migration", request.target_migration);
    let transaction_mode = fields.choice_if_given(
        "transaction_mode",
        request.transaction_mode,
        transaction_mode,
        "TRANSACTION_MODE_PER_MIGRATION, TRANSACTION_MODE_ALL_IN_ONE or TRANSACTION_MODE_NONE",
    );
    let plan_digest = fields.plan_digest(&request.plan_digest);
    let request_id = fields.request_id(&request.request_id);
    let dry_run = request.dry_run;
    let command = |branch| ApplyCommand { branch, target, transaction_mode, dry_run, plan_digest, request_id };
    fields.finish(branch.map(command))
}

/// What a Rollback request asks for.
pub(in crate::rpc) fn rollback_command(request: proto::RollbackRequest) -> Result<RollbackCommand, Violations> {
    use proto::rollback_request::Extent;
    let mut fields = Fields::default();
    let branch = fields.branch("branch", &request.branch);
    let undo = match request.extent {
        None => UndoWish::Steps(1),
        Some(Extent::Steps(steps)) => fields.steps(steps),
        Some(Extent::TargetMigration(target)) => fields.undo_target(target),
    };
    let plan_digest = fields.plan_digest(&request.plan_digest);
    let request_id = fields.request_id(&request.request_id);
    let allow_data_loss = request.allow_data_loss;
    fields.finish(branch.map(|branch| RollbackCommand { branch, undo, allow_data_loss, plan_digest, request_id }))
}

/// What a Resolve request says.
pub(in crate::rpc) fn resolve_command(request: proto::ResolveRequest) -> Result<ResolveCommand, Violations> {
    let mut fields = Fields::default();
    let branch = fields.branch("branch", &request.branch);
    let migration = match request.migration_id.as_str() {
        "" => None,
        text => match text.parse() {
            Ok(id) => Some(id),
            Err(_) => {
                fields.bad("migration_id", "is not the id of a migration; leave it out or copy it from the error");
                None
            }
        },
    };
    let Some(applied) = request.applied else {
        fields.bad("applied", "has to be given: true when the statement took effect, false when it is to be run again");
        return fields.finish(None);
    };
    fields.finish(branch.map(|branch| ResolveCommand { branch, migration, applied }))
}

/// What an ApplyAll request asks for.
pub(in crate::rpc) fn apply_all_command(request: proto::ApplyAllRequest) -> Result<ApplyAllCommand, Violations> {
    let mut fields = Fields::default();
    if request.branches.len() > MAX_BRANCHES {
        let count = request.branches.len();
        fields
            .bad("branches", format!("names {count} branches; at most {MAX_BRANCHES} are allowed, use labels instead"));
        return fields.finish(None);
    }
    let mut branches = Vec::with_capacity(request.branches.len());
    for (index, text) in request.branches.iter().enumerate() {
        branches.extend(fields.branch(&format!("branches[{index}]"), text));
    }
    let labels = fields.labels("labels", request.labels);
    let providers = fields.providers(&request.providers);
    let target = fields.target("target_migration", request.target_migration);
    if request.max_parallel > MAX_PARALLEL {
        let description =
            format!("is {}; at most {MAX_PARALLEL} are allowed, and 0 means as configured", request.max_parallel);
        fields.bad("max_parallel", description);
    }
    let request_id = fields.request_id(&request.request_id);
    fields.finish(Some(ApplyAllCommand {
        selector: Selector { branches, labels, providers },
        target,
        max_parallel: (request.max_parallel > 0).then_some(request.max_parallel),
        stop_on_error: request.stop_on_error,
        include_statements: request.include_statements,
        request_id,
    }))
}

/// The run that a request names.
pub(in crate::rpc) fn run_id(text: &str) -> Result<RunId, Violations> {
    let mut fields = Fields::default();
    let id = fields.parse("run_id", text);
    fields.finish(id)
}

/// The run that a WatchRun request names, and the sequence number to begin after.
pub(in crate::rpc) fn watch(request: &proto::WatchRunRequest) -> Result<(RunId, i64), Violations> {
    let mut fields = Fields::default();
    let id = fields.parse("run_id", &request.run_id);
    if request.after_sequence < 0 {
        fields.bad("after_sequence", format!("is {}; it must not be negative", request.after_sequence));
    }
    fields.finish(id.map(|id| (id, request.after_sequence)))
}

/// Which runs a ListRuns request asks for, and which page of them.
pub(in crate::rpc) fn run_list(request: proto::ListRunsRequest) -> Result<(Vec<RunState>, Page), Violations> {
    let mut fields = Fields::default();
    let page = fields.page(request.page_size, request.page_token);
    let states = fields.choices(
        "states",
        &request.states,
        run_state,
        "RUN_STATE_QUEUED, RUN_STATE_RUNNING, RUN_STATE_SUCCEEDED, RUN_STATE_FAILED or RUN_STATE_CANCELLED",
    );
    fields.finish(Some((states, page)))
}

/// A run as the contract shows it.
pub(in crate::rpc) fn run_to_proto(run: Run) -> proto::Run {
    proto::Run {
        id: run.id.to_string(),
        kind: run_kind_to_proto(run.kind),
        state: run_state_to_proto(run.state),
        requested_by: run.requested_by,
        request_id: run.request_id.map(|id| id.as_str().to_owned()).unwrap_or_default(),
        create_time: Some(timestamp(run.create_time)),
        start_time: run.start_time.map(timestamp),
        end_time: run.end_time.map(timestamp),
        result: run.result.map(result_to_proto),
        last_sequence: run.last_sequence,
        branches_total: run.branches_total,
        dry_run: run.request.dry_run,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields<T>(result: Result<T, Violations>) -> Vec<String> {
        result.err().unwrap_or_default().0.into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn an_apply_request_reports_everything_at_once() {
        let request = proto::ApplyRequest {
            branch: String::new(),
            target_migration: "x".repeat(10_000),
            transaction_mode: 77,
            request_id: "a b".into(),
            dry_run: false,
            plan_digest: "x".into(),
        };
        assert_eq!(
            fields(apply_command(request)),
            ["branch", "target_migration", "transaction_mode", "plan_digest", "request_id"]
        );
    }

    #[test]
    fn empty_means_not_given() {
        let request = proto::ApplyRequest { branch: "BR001".into(), ..Default::default() };
        let command = apply_command(request).unwrap();
        assert_eq!((command.target, command.transaction_mode, command.request_id), (None, None, None));

        let command = apply_all_command(proto::ApplyAllRequest::default()).unwrap();
        assert_eq!((command.selector, command.max_parallel), (Selector::default(), None));
    }

    #[test]
    fn an_apply_all_request_reports_everything_at_once() {
        let request = proto::ApplyAllRequest {
            branches: vec!["BR001".into(), "not a code".into(), String::new()],
            labels: [(String::new(), "x".repeat(10_000))].into(),
            providers: vec![proto::Provider::Sqlite.into(), 0, 99],
            max_parallel: 1001,
            ..Default::default()
        };
        let expected =
            ["branches[1]", "branches[2]", "labels key", "labels[]", "providers[1]", "providers[2]", "max_parallel"];
        assert_eq!(fields(apply_all_command(request)), expected);
        let request = proto::ApplyAllRequest { branches: vec!["B".into(); 10_001], ..Default::default() };
        assert_eq!(fields(apply_all_command(request)), ["branches"]);
    }

    #[test]
    fn a_run_is_named_by_its_uuid() {
        for bad in ["", "x", "0192", &"f".repeat(10_000)] {
            assert_eq!(fields(run_id(bad)), ["run_id"], "{bad:.20}");
        }
        let id = RunId::generate();
        assert_eq!(run_id(&id.to_string()).unwrap(), id);
        let request = proto::WatchRunRequest { run_id: "x".into(), after_sequence: -1, include_statements: false };
        assert_eq!(fields(watch(&request)), ["run_id", "after_sequence"]);
    }

    #[test]
    fn pages_are_bounded() {
        let request = proto::ListRunsRequest { page_size: 1001, page_token: "t".repeat(5000), states: vec![3, 1, 1] };
        assert_eq!(fields(run_list(request)), ["page_size", "page_token", "states[0]"]);
        let (states, page) = run_list(proto::ListRunsRequest { states: vec![1, 1], ..Default::default() }).unwrap();
        assert_eq!((states, page.size), (vec![RunState::Queued], 100));
    }
}

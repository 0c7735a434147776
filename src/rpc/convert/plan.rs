use crate::domain::{Direction, Statement, Violations};
use crate::engine::{PlanCommand, PlanExtent, PlanView, PlannedView, UndoWish};
use crate::rpc::proto;

use super::enums::{direction, direction_to_proto, provider_to_proto, transaction_mode};
use super::fields::Fields;
use super::migration::migration_to_proto;

/// What a Plan request asks for.
pub(in crate::rpc) fn plan_command(request: proto::PlanRequest) -> Result<PlanCommand, Violations> {
    let mut fields = Fields::default();
    let branch = fields.branch("branch", &request.branch);
    let way = fields
        .choice_if_given("direction", request.direction, direction, "DIRECTION_UP or DIRECTION_DOWN")
        .unwrap_or_default();
    let mode = fields.choice_if_given(
        "transaction_mode",
        request.transaction_mode,
        transaction_mode,
        "TRANSACTION_MODE_PER_MIGRATION, TRANSACTION_MODE_ALL_IN_ONE or TRANSACTION_MODE_NONE",
    );
    let extent = match way {
        Direction::Up => {
            if request.steps != 0 {
                fields.bad("steps", "is for DIRECTION_DOWN only");
            }
            PlanExtent::Up(fields.target("target_migration", request.target_migration))
        }
        Direction::Down => {
            if mode.is_some() {
                fields.bad("transaction_mode", "is for DIRECTION_UP only; a rollback's is as configured");
            }
            PlanExtent::Down(match (request.target_migration, request.steps) {
                (target, 0) if target.is_empty() => UndoWish::Steps(1),
                (target, steps) if target.is_empty() => fields.steps(steps),
                (target, 0) => fields.undo_target(target),
                _ => {
                    fields.bad("steps", "cannot be given together with target_migration");
                    UndoWish::Steps(1)
                }
            })
        }
    };
    fields.finish(branch.map(|branch| PlanCommand { branch, extent, transaction_mode: mode }))
}

/// A plan as the contract shows it.
pub(in crate::rpc) fn plan_to_proto(view: PlanView) -> proto::PlanResponse {
    proto::PlanResponse {
        branch_id: view.branch.id.to_string(),
        branch_code: view.branch.code.to_string(),
        migrations: view.migrations.into_iter().map(planned_to_proto).collect(),
        digest: view.digest.to_string(),
        warnings: view.warnings,
        direction: direction_to_proto(view.direction),
        provider: provider_to_proto(view.branch.provider),
    }
}

fn planned_to_proto(view: PlannedView) -> proto::PlannedMigration {
    let PlannedView { planned, statements } = view;
    proto::PlannedMigration {
        info: Some(migration_to_proto(&planned.migration)),
        statements: statements.into_iter().map(|(statement, number)| statement_to_proto(statement, number)).collect(),
        file: planned.script().file.clone(),
        statements_done: u32::try_from(planned.begin()).unwrap_or(u32::MAX),
        in_doubt: planned.doubtful().is_some(),
    }
}

fn statement_to_proto(statement: Statement, transaction: u32) -> proto::PlannedStatement {
    let destroys = statement.risk.destroys.as_ref().map(|what| format!("destroys {what}"));
    let (destructive, blocking) = (destroys.is_some(), statement.risk.blocks.is_some());
    let transactional = statement.is_transactional();
    let lines = statement.lines_in_words();
    let note: Vec<String> = destroys.into_iter().chain(statement.risk.blocks).chain(lines).collect();
    proto::PlannedStatement {
        sql: statement.sql,
        line: statement.line,
        column: statement.column,
        transactional,
        destructive,
        note: note.join("; "),
        blocking,
        transaction,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(request: proto::PlanRequest) -> Vec<String> {
        let found = plan_command(request).err().unwrap_or_default();
        found.0.into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn what_a_request_means() {
        let request = proto::PlanRequest { branch: "BR001".into(), ..Default::default() };
        assert_eq!(plan_command(request.clone()).unwrap().extent, PlanExtent::Up(None));
        let down = proto::PlanRequest { direction: proto::Direction::Down.into(), ..request };
        let extent = |request| plan_command(request).unwrap().extent;
        assert_eq!(extent(down.clone()), PlanExtent::Down(UndoWish::Steps(1)));
        let steps = proto::PlanRequest { steps: 3, ..down.clone() };
        assert_eq!(extent(steps.clone()), PlanExtent::Down(UndoWish::Steps(3)));
        let target = proto::PlanRequest { target_migration: "7".into(), ..down };
        assert_eq!(extent(target.clone()), PlanExtent::Down(UndoWish::After("7".into())));
        assert_eq!(fields(proto::PlanRequest { steps: 3, ..target }), ["steps"]);
        assert_eq!(fields(proto::PlanRequest { steps: 10_001, ..steps.clone() }), ["steps"]);
        assert_eq!(fields(proto::PlanRequest { transaction_mode: 1, ..steps.clone() }), ["transaction_mode"]);
        assert_eq!(fields(proto::PlanRequest { direction: 0, ..steps.clone() }), ["steps"]);
        assert_eq!(fields(proto::PlanRequest { direction: 9, steps: 0, ..steps }), ["direction"]);
    }
}

use crate::domain::{Event, EventBody};
use crate::rpc::proto;

use super::enums::{direction_to_proto, migration_status_to_proto, provider_to_proto};
use super::migration::{error_to_proto, result_to_proto};
use super::time::{duration, timestamp};

/// One thing that happened in a run.
pub(in crate::rpc) fn event_to_proto(event: Event) -> proto::RunEvent {
    proto::RunEvent {
        run_id: event.run_id.to_string(),
        sequence: event.sequence,
        time: Some(timestamp(event.time)),
        event: Some(body_to_proto(event.body)),
    }
}

fn body_to_proto(body: EventBody) -> proto::run_event::Event {
    use proto::run_event::Event as Wire;
    match body {
        EventBody::RunStarted { branches_total } => Wire::RunStarted(proto::RunStarted { branches_total }),
        EventBody::BranchStarted { branch_code, provider, pending_migrations, direction } => {
            Wire::BranchStarted(proto::BranchStarted {
                branch_code: branch_code.to_string(),
                provider: provider_to_proto(provider),
                pending_migrations,
                direction: direction_to_proto(direction),
            })
        }
        EventBody::MigrationStarted { branch_code, migration_id, index, total, direction } => {
            Wire::MigrationStarted(proto::MigrationStarted {
                branch_code: branch_code.to_string(),
                migration_id: migration_id.to_string(),
                index,
                total,
                direction: direction_to_proto(direction),
            })
        }
        EventBody::StatementFinished { branch_code, migration_id, index, total, duration: span } => {
            Wire::StatementFinished(proto::StatementFinished {
                branch_code: branch_code.to_string(),
                migration_id: migration_id.to_string(),
                index,
                total,
                duration: Some(duration(span)),
            })
        }
        EventBody::MigrationFinished { branch_code, migration_id, duration: span, direction } => {
            Wire::MigrationFinished(proto::MigrationFinished {
                branch_code: branch_code.to_string(),
                migration_id: migration_id.to_string(),
                duration: Some(duration(span)),
                direction: direction_to_proto(direction),
            })
        }
        EventBody::BranchFinished {
            branch_code,
            status,
            applied_migrations,
            rolled_back_migrations,
            error,
            duration: span,
            branches_done,
            branches_total,
        } => Wire::BranchFinished(proto::BranchFinished {
            branch_code: branch_code.to_string(),
            status: migration_status_to_proto(status),
            applied_migrations: applied_migrations.into_iter().map(String::from).collect(),
            rolled_back_migrations: rolled_back_migrations.into_iter().map(String::from).collect(),
            error: error.map(error_to_proto),
            duration: Some(duration(span)),
            branches_done,
            branches_total,
        }),
        EventBody::RunFinished { result } => {
            Wire::RunFinished(proto::RunFinished { result: Some(result_to_proto(result)) })
        }
    }
}

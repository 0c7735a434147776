use crate::domain::{Finding, Hold, LedgerRow, Migration, MigrationError, MigrationResult, Severity};
use crate::engine::History;
use crate::rpc::proto;

use super::enums::{failure_class_to_proto, migration_status_to_proto, severity_to_proto, transaction_mode_to_proto};
use super::time::{duration, timestamp};

/// A migration of the catalogue.
pub(in crate::rpc) fn migration_to_proto(migration: &Migration) -> proto::MigrationInfo {
    proto::MigrationInfo {
        id: migration.id.to_string(),
        name: migration.id.name().to_owned(),
        description: migration.description.clone(),
        checksum: migration.checksum.to_string(),
        transaction_mode: migration.transaction_mode.map_or(0, transaction_mode_to_proto),
        repeatable: migration.id.is_repeatable(),
        reversible: migration.down.is_some(),
    }
}

fn applied_to_proto(row: &LedgerRow) -> proto::AppliedMigration {
    proto::AppliedMigration {
        id: row.id.clone(),
        checksum: row.checksum.to_string(),
        applied_time: Some(timestamp(row.applied_time)),
        duration: Some(duration(row.duration)),
        product_version: row.product_version.clone(),
        run_id: row.run_id.map(|id| id.to_string()).unwrap_or_default(),
    }
}

/// What a branch's ledger records. Half-applied migrations are among the pending ones.
pub(in crate::rpc) fn history_to_proto(history: History) -> proto::HistoryResponse {
    let state = history.state;
    proto::HistoryResponse {
        branch_id: history.branch.id.to_string(),
        branch_code: history.branch.code.to_string(),
        applied_migrations: history.ledger.rows.iter().filter(|row| row.is_applied()).map(applied_to_proto).collect(),
        pending_migrations: history.pending.iter().map(|migration| migration.id.to_string()).collect(),
        last_migration_time: history.ledger.last_applied().map(|row| timestamp(row.applied_time)),
        status: migration_status_to_proto(state.status),
        retry_count: state.retry_count,
        error_details: state.error.map(|error| error.to_string()).unwrap_or_default(),
        hold: state.hold.map(hold_to_proto),
    }
}

/// What is not applied again unasked.
pub(super) fn hold_to_proto(hold: Hold) -> proto::Hold {
    proto::Hold {
        since_time: Some(timestamp(hold.since)),
        run_id: hold.run_id.to_string(),
        migrations: hold.migrations.into_iter().map(|held| held.id.into()).collect(),
    }
}

/// What went wrong on a branch.
pub(super) fn error_to_proto(error: MigrationError) -> proto::MigrationError {
    proto::MigrationError {
        branch_code: error.branch_code.to_string(),
        migration_id: error.migration_id.map(String::from).unwrap_or_default(),
        class: failure_class_to_proto(error.class),
        message: error.message,
        hint: error.hint,
        file: error.file,
        line: error.line,
        statement: error.statement,
        provider_code: error.provider_code,
        statements_done: error.statements_done,
        statements_total: error.statements_total,
    }
}

/// What came of a run.
pub(super) fn result_to_proto(result: MigrationResult) -> proto::MigrationResult {
    proto::MigrationResult {
        success: result.success,
        applied_migrations: result.applied_migrations,
        rolled_back_migrations: result.rolled_back_migrations,
        dry_run: result.dry_run,
        not_tried: result.not_tried,
        errors: result.errors.into_iter().map(error_to_proto).collect(),
        duration: Some(duration(result.duration)),
        branches_processed: result.branches_processed,
        branches_succeeded: result.branches_succeeded,
        branches_failed: result.branches_failed,
        branches_skipped: result.branches_skipped,
    }
}

/// Whether findings leave the schema valid.
pub(in crate::rpc) fn is_valid(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.severity != Severity::Error)
}

/// One thing that validation found.
pub(in crate::rpc) fn finding_to_proto(finding: Finding) -> proto::Finding {
    proto::Finding {
        severity: severity_to_proto(finding.severity),
        kind: finding.kind.as_str().to_owned(),
        message: finding.message,
        object: finding.object,
        migration_id: finding.migration_id,
    }
}

use std::ops::Range;
use std::sync::Arc;

use super::{
    LEDGER_FORMAT, Ledger, Migration, MigrationId, Progress, ProviderCatalogue, Refusal, RowState, TransactionMode,
    shorten,
};

/// How far to go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Target {
    /// Everything, repeatable migrations included.
    #[default]
    Latest,
    /// Versioned migrations up to and including this one; no repeatable ones.
    UpTo(MigrationId),
}

impl Target {
    fn includes(&self, id: &MigrationId) -> bool {
        match self {
            Self::Latest => true,
            Self::UpTo(last) => !id.is_repeatable() && id <= last,
        }
    }
}

/// What the planner lets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Apply migrations that are older than the newest applied one.
    pub out_of_order: bool,
    /// Refuse when an applied migration's file has changed.
    pub validate_checksums: bool,
    /// The mode of migrations that do not set their own.
    pub transaction_mode: TransactionMode,
}

impl Default for Policy {
    fn default() -> Self {
        Self { out_of_order: false, validate_checksums: true, transaction_mode: TransactionMode::PerMigration }
    }
}

/// What will be done to one branch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The units in order. Empty when the branch is up to date.
    pub units: Vec<Unit>,
}

impl Plan {
    /// The planned migrations in order.
    pub fn migrations(&self) -> impl Iterator<Item = &Planned> {
        self.units.iter().flat_map(|unit| match unit {
            Unit::Atomic(planned) => planned.as_slice(),
            Unit::Stepwise(planned, _) => std::slice::from_ref(planned),
        })
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }
}

/// What commits together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// These migrations and their ledger rows, in one transaction.
    Atomic(Vec<Planned>),
    /// One migration in segments, each recorded in the ledger's journal as it is done.
    Stepwise(Planned, Vec<Segment>),
}

/// One migration of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The migration.
    pub migration: Arc<Migration>,
    /// The journal of an earlier, interrupted attempt.
    pub resume: Option<Progress>,
    /// Whether a ledger row of an earlier content is replaced (a repeatable migration that has changed).
    pub replaces: bool,
}

impl Planned {
    /// The index of the statement that was begun and whose outcome is unknown.
    pub fn doubtful(&self) -> Option<usize> {
        let progress = self.resume.as_ref()?;
        progress.intent.as_ref().map(|_| progress.done.len())
    }
}

/// A part of a migration that is run stepwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// These statements and the journal's entry for them, in one transaction.
    Transaction(Range<usize>),
    /// This one statement outside any transaction: intent before, success after.
    Alone(usize),
}

/// The migrations that a branch lacks, whether or not they could be applied now.
pub fn pending(catalogue: &ProviderCatalogue, ledger: &Ledger) -> Vec<Arc<Migration>> {
    let lacks = |migration: &&Arc<Migration>| match ledger.get(migration.id.as_str()) {
        Some(row) if row.is_applied() => migration.id.is_repeatable() && row.checksum != migration.checksum,
        _ => true,
    };
    catalogue.migrations().iter().filter(lacks).cloned().collect()
}

/// Plans what to do so that a branch with this `ledger` arrives at `target`.
///
/// Pure: the same input gives the same plan. On refusal, every offender is listed.
pub fn plan_up(
    catalogue: &ProviderCatalogue,
    ledger: &Ledger,
    target: &Target,
    policy: &Policy,
) -> Result<Plan, Vec<Refusal>> {
    let mut refusals = Vec::new();
    check_ledger(catalogue, ledger, policy, &mut refusals);
    let newest = newest_applied(ledger);
    if let (Target::UpTo(target), Some(newest)) = (target, &newest)
        && newest > target
    {
        refusals.push(Refusal::TargetBehind { target: target.clone(), newest: newest.to_string() });
    }

    let mut planned = Vec::new();
    for migration in pending(catalogue, ledger).into_iter().filter(|m| target.includes(&m.id)) {
        let resume = match ledger.get(migration.id.as_str()).map(|row| &row.state) {
            Some(RowState::Partial(progress)) => Some(progress.clone()),
            _ => None,
        };
        let replaces = ledger.is_applied(migration.id.as_str());
        planned.push(Planned { migration, resume, replaces });
    }
    check_order(&planned, newest.as_ref(), policy, &mut refusals);
    check_dependencies(&planned, ledger, &mut refusals);
    check_progress(&planned, &mut refusals);
    let units = into_units(planned, policy.transaction_mode, &mut refusals);
    if refusals.is_empty() { Ok(Plan { units }) } else { Err(refusals) }
}

fn newest_applied(ledger: &Ledger) -> Option<MigrationId> {
    let ids = ledger.rows.iter().filter(|row| row.is_applied()).filter_map(|row| row.id.parse::<MigrationId>().ok());
    ids.filter(|id| !id.is_repeatable()).max()
}

fn check_ledger(catalogue: &ProviderCatalogue, ledger: &Ledger, policy: &Policy, refusals: &mut Vec<Refusal>) {
    for row in &ledger.rows {
        if row.format > LEDGER_FORMAT {
            refusals.push(Refusal::NewerLedger { id: row.id.clone(), format: row.format });
            continue;
        }
        let id = row.id.parse::<MigrationId>().ok();
        let known = id.as_ref().and_then(|id| catalogue.get(id));
        match known {
            // A repeatable migration that was deleted from the folder leaves its last effect behind; that is not drift.
            None if id.is_some_and(|id| id.is_repeatable()) => {}
            None => refusals.push(Refusal::Unknown { id: row.id.clone() }),
            Some(migration) => {
                let changed = row.is_applied() && !migration.id.is_repeatable() && row.checksum != migration.checksum;
                if changed && policy.validate_checksums {
                    refusals.push(Refusal::ChecksumChanged {
                        id: migration.id.clone(),
                        file: migration.up.file.clone(),
                        applied: shorten(row.checksum.short(), 12),
                        now: migration.checksum.short().to_owned(),
                    });
                }
            }
        }
    }
}

fn check_order(planned: &[Planned], newest: Option<&MigrationId>, policy: &Policy, refusals: &mut Vec<Refusal>) {
    let Some(newest) = newest.filter(|_| !policy.out_of_order) else { return };
    let fresh = planned.iter().filter(|each| each.resume.is_none());
    for id in fresh.map(|each| &each.migration.id).filter(|id| *id < newest) {
        refusals.push(Refusal::OutOfOrder { id: id.clone(), newest: newest.to_string() });
    }
}

fn check_dependencies(planned: &[Planned], ledger: &Ledger, refusals: &mut Vec<Refusal>) {
    for (index, each) in planned.iter().enumerate() {
        for needs in &each.migration.depends_on {
            let before = planned[..index].iter().any(|earlier| earlier.migration.id == *needs);
            if !before && !ledger.is_applied(needs.as_str()) {
                refusals.push(Refusal::MissingDependency { id: each.migration.id.clone(), needs: needs.clone() });
            }
        }
    }
}

fn check_progress(planned: &[Planned], refusals: &mut Vec<Refusal>) {
    for each in planned {
        let Some(progress) = &each.resume else { continue };
        let up = &each.migration.up;
        let intent = progress.intent.as_ref().map(|intent| &intent.digest);
        for (index, digest) in progress.done.iter().chain(intent).enumerate() {
            let now = up.statements.get(index);
            if now.map(|statement| statement.digest()).as_ref() != Some(digest) {
                refusals.push(Refusal::DoneStatementChanged {
                    id: each.migration.id.clone(),
                    file: up.file.clone(),
                    line: now.map_or(0, |statement| statement.line),
                    number: index + 1,
                });
                break;
            }
        }
    }
}

fn into_units(planned: Vec<Planned>, default: TransactionMode, refusals: &mut Vec<Refusal>) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut together = Vec::new();
    for each in planned {
        let mode = match (default, each.migration.transaction_mode) {
            (TransactionMode::AllInOne, Some(TransactionMode::None)) => {
                refusals.push(refuses_transaction(&each, 0, ""));
                continue;
            }
            (TransactionMode::AllInOne, _) => TransactionMode::AllInOne,
            // A file can ask for a transaction or none for itself; it cannot draw other migrations into its own.
            (default, own) => own.unwrap_or(default),
        };
        if mode == TransactionMode::AllInOne && default == TransactionMode::AllInOne {
            let alone = each.migration.up.statements.iter().find(|statement| !statement.is_transactional());
            match alone {
                Some(statement) => refusals.push(refuses_transaction(&each, statement.line, &statement.sql)),
                None if each.resume.is_some() => units.push(stepwise(each, false)),
                None => together.push(each),
            }
        } else if mode != TransactionMode::None && each.resume.is_none() && each.migration.up.is_transactional() {
            units.push(Unit::Atomic(vec![each]));
        } else {
            units.push(stepwise(each, mode == TransactionMode::None));
        }
    }
    if !together.is_empty() {
        units.push(Unit::Atomic(together));
    }
    units
}

fn refuses_transaction(planned: &Planned, line: u32, sql: &str) -> Refusal {
    Refusal::RefusesTransaction {
        id: planned.migration.id.clone(),
        file: planned.migration.up.file.clone(),
        line,
        statement: shorten(sql, 80),
    }
}

/// Cuts a migration into segments from the first statement that is not done. With `each_alone`, every statement is
/// committed by itself; otherwise neighbours that can share a transaction do.
fn stepwise(planned: Planned, each_alone: bool) -> Unit {
    let statements = &planned.migration.up.statements;
    let start = planned.resume.as_ref().map_or(0, |progress| progress.done.len().min(statements.len()));
    let mut segments: Vec<Segment> = Vec::new();
    for (index, statement) in statements.iter().enumerate().skip(start) {
        match segments.last_mut() {
            _ if !statement.is_transactional() => segments.push(Segment::Alone(index)),
            Some(Segment::Transaction(range)) if !each_alone => range.end = index + 1,
            _ => segments.push(Segment::Transaction(index..index + 1)),
        }
    }
    Unit::Stepwise(planned, segments)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;

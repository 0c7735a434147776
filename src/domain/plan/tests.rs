use super::*;
use crate::domain::{
    Checksum, Effect, FailureClass, Intent, LEDGER_FORMAT, Ledger, LedgerRow, ProviderCatalogue, Refusal, RowState,
    Statement, StatementDigest, Time,
};

pub(super) fn statement(sql: &str, alone: bool) -> Statement {
    let alone = alone.then_some(Effect::Unknowable);
    Statement { alone, ..Statement::new(sql) }
}

/// A migration of the statements in `sql`, divided by `;`. A statement that begins with `!` refuses a transaction.
pub(super) fn migration(id: &str, sql: &str) -> Migration {
    let statements = sql.split(';').map(|sql| statement(sql.trim(), sql.trim().starts_with('!'))).collect();
    Migration {
        id: id.parse().unwrap(),
        description: String::new(),
        checksum: Checksum::of_text(sql),
        transaction_mode: None,
        timeout: None,
        depends_on: Vec::new(),
        up: Script { file: format!("{id}.sql"), statements },
        down: None,
        irreversible: None,
    }
}

pub(super) fn catalogue(migrations: &[(&str, &str)]) -> ProviderCatalogue {
    ProviderCatalogue::new(migrations.iter().map(|(id, sql)| migration(id, sql)).collect())
}

pub(super) fn row(id: &str, sql: &str) -> LedgerRow {
    LedgerRow {
        id: id.into(),
        checksum: Checksum::of_text(sql),
        format: LEDGER_FORMAT,
        state: RowState::Applied,
        applied_time: Time::UNIX_EPOCH,
        duration: Default::default(),
        product_version: String::new(),
        run_id: None,
    }
}

pub(super) fn partial(id: &str, done: &[&str], intent: Option<&str>) -> LedgerRow {
    let digest = |sql: &&str| StatementDigest::of(sql);
    let progress = Progress {
        direction: Direction::Up,
        done: done.iter().map(digest).collect(),
        total: 9,
        intent: intent.map(|sql| Intent::Alone(digest(&sql))),
    };
    LedgerRow { state: RowState::Partial(progress), ..row(id, "an older text") }
}

pub(super) fn ledger(rows: Vec<LedgerRow>) -> Ledger {
    Ledger { exists: true, rows }
}

/// The plan as text: atomic units as `[1_a 2_b]`, stepwise ones as `1_a{0..2 !2}`.
pub(super) fn shape(plan: &Plan) -> String {
    let unit = |unit: &Unit| match unit {
        Unit::Atomic(planned) => {
            let ids: Vec<_> = planned.iter().map(|p| p.migration.id.as_str()).collect();
            format!("[{}]", ids.join(" "))
        }
        Unit::Stepwise(planned, segments) => {
            let parts = segments.iter().map(|segment| match segment {
                Segment::Transaction(range) => format!("{}..{}", range.start, range.end),
                Segment::Alone(index) => format!("!{index}"),
            });
            format!("{}{{{}}}", planned.migration.id, parts.collect::<Vec<_>>().join(" "))
        }
    };
    plan.units.iter().map(unit).collect::<Vec<_>>().join(" ")
}

fn planned(catalogue: &ProviderCatalogue, rows: Vec<LedgerRow>, policy: &Policy) -> String {
    shape(&plan_up(catalogue, &ledger(rows), &Target::Latest, policy).unwrap())
}

fn refused(catalogue: &ProviderCatalogue, rows: Vec<LedgerRow>) -> Vec<Refusal> {
    plan_up(catalogue, &ledger(rows), &Target::Latest, &Policy::default()).unwrap_err()
}

pub(super) fn mode(transaction_mode: TransactionMode) -> Policy {
    Policy { transaction_mode, ..Policy::default() }
}

#[test]
fn an_empty_branch_gets_everything_in_order() {
    let all = catalogue(&[("10_c", "x"), ("R__v", "v"), ("2_b", "x"), ("1_a", "x")]);
    assert_eq!(planned(&all, vec![], &Policy::default()), "[1_a] [2_b] [10_c] [R__v]");
    assert_eq!(planned(&all, vec![], &mode(TransactionMode::AllInOne)), "[1_a 2_b 10_c R__v]");
}

#[test]
fn an_up_to_date_branch_gets_nothing() {
    let all = catalogue(&[("1_a", "x"), ("R__v", "v")]);
    assert_eq!(planned(&all, vec![row("1_a", "x"), row("R__v", "v")], &Policy::default()), "");
}

#[test]
fn a_target_is_included_and_leaves_repeatables_out() {
    let all = catalogue(&[("1_a", "x"), ("2_b", "x"), ("3_c", "x"), ("R__v", "v")]);
    let target = Target::UpTo("2_b".parse().unwrap());
    let plan = plan_up(&all, &Ledger::default(), &target, &Policy::default()).unwrap();
    assert_eq!(shape(&plan), "[1_a] [2_b]");
    let rows = ledger(vec![row("1_a", "x"), row("2_b", "x"), row("3_c", "x")]);
    let refusals = plan_up(&all, &rows, &target, &Policy::default()).unwrap_err();
    assert!(matches!(&refusals[..], [Refusal::TargetBehind { .. }]), "{refusals:?}");
    assert!(refusals[0].blames_request());
}

#[test]
fn a_changed_repeatable_runs_again() {
    let all = catalogue(&[("R__v", "new")]);
    let plan = plan_up(&all, &ledger(vec![row("R__v", "old")]), &Target::Latest, &Policy::default()).unwrap();
    assert!(plan.migrations().all(|planned| planned.replaces));
    assert_eq!(shape(&plan), "[R__v]");
}

#[test]
fn every_offender_is_listed() {
    let all = catalogue(&[("1_a", "x"), ("2_b", "x"), ("3_c", "x"), ("4_d", "x")]);
    let newer = LedgerRow { format: LEDGER_FORMAT + 1, ..row("9_z", "x") };
    let found = refused(&all, vec![row("1_a", "changed"), row("3_c", "x"), row("7_gone", "x"), newer]);
    let kinds: Vec<_> = found.iter().map(|refusal| (refusal.migration(), refusal.class())).collect();
    assert_eq!(
        kinds,
        [
            ("1_a", FailureClass::Checksum),
            ("7_gone", FailureClass::Catalogue),
            ("9_z", FailureClass::Catalogue),
            ("2_b", FailureClass::Catalogue),
            ("4_d", FailureClass::Catalogue),
        ]
    );
}

#[test]
fn policy_can_let_order_and_checksums_pass() {
    let all = catalogue(&[("1_a", "x"), ("2_b", "x")]);
    let policy = Policy { out_of_order: true, validate_checksums: false, ..Policy::default() };
    assert_eq!(planned(&all, vec![row("2_b", "changed")], &policy), "[1_a]");
}

#[test]
fn dependencies_have_to_come_first() {
    let mut late = migration("1_a", "x");
    late.depends_on = vec!["2_b".parse().unwrap()];
    let mut fine = migration("3_c", "x");
    fine.depends_on = vec!["2_b".parse().unwrap()];
    let all = ProviderCatalogue::new(vec![late, migration("2_b", "x"), fine]);
    let found = refused(&all, vec![]);
    assert!(matches!(&found[..], [Refusal::MissingDependency { id, .. }] if id.as_str() == "1_a"), "{found:?}");
}

#[test]
fn statements_that_refuse_a_transaction_run_alone() {
    let all = catalogue(&[("1_a", "a; b; !c; d; e")]);
    assert_eq!(planned(&all, vec![], &Policy::default()), "1_a{0..2 !2 3..5}");
    assert_eq!(planned(&all, vec![], &mode(TransactionMode::None)), "1_a{0..1 1..2 !2 3..4 4..5}");
    let found = plan_up(&all, &Ledger::default(), &Target::Latest, &mode(TransactionMode::AllInOne)).unwrap_err();
    assert!(matches!(&found[..], [Refusal::RefusesTransaction { .. }]), "{found:?}");
}

#[test]
fn a_file_can_choose_its_own_mode() {
    let mut own = migration("1_a", "a; b");
    own.transaction_mode = Some(TransactionMode::None);
    let all = ProviderCatalogue::new(vec![own, migration("2_b", "x")]);
    assert_eq!(planned(&all, vec![], &Policy::default()), "1_a{0..1 1..2} [2_b]");
    assert!(plan_up(&all, &Ledger::default(), &Target::Latest, &mode(TransactionMode::AllInOne)).is_err());
}

#[test]
fn an_interrupted_migration_goes_on_where_it_stopped() {
    let all = catalogue(&[("1_a", "a; !b; c; d")]);
    let rows = vec![partial("1_a", &["a"], Some("!b"))];
    let plan = plan_up(&all, &ledger(rows), &Target::Latest, &Policy::default()).unwrap();
    assert_eq!(shape(&plan), "1_a{!1 2..4}");
    assert_eq!(plan.migrations().next().unwrap().doubtful(), Some(1..2));
    assert_eq!(planned(&all, vec![partial("1_a", &["a", "!b", "c", "d"], None)], &Policy::default()), "1_a{}");
}

#[test]
fn a_done_statement_must_not_change_but_a_later_one_may() {
    let all = catalogue(&[("1_a", "a; fixed; c")]);
    assert_eq!(planned(&all, vec![partial("1_a", &["a"], None)], &Policy::default()), "1_a{1..3}");
    let found = refused(&all, vec![partial("1_a", &["a", "b"], None)]);
    assert!(matches!(&found[..], [Refusal::DoneStatementChanged { number: 2, .. }]), "{found:?}");
    let found = refused(&all, vec![partial("1_a", &["a"], Some("b"))]);
    assert!(matches!(&found[..], [Refusal::DoneStatementChanged { number: 2, .. }]), "{found:?}");
}

#[test]
fn a_partial_row_is_pending_and_not_out_of_order() {
    let all = catalogue(&[("1_a", "a; b"), ("2_b", "x")]);
    assert_eq!(planned(&all, vec![partial("1_a", &["a"], None), row("2_b", "x")], &Policy::default()), "1_a{1..2}");
    assert_eq!(pending(&all, &ledger(vec![partial("1_a", &["a"], None)])).len(), 2);
}

#[test]
fn statements_are_taken_out_of_a_transaction() {
    let (alone, together) = (Segment::Alone, Segment::Transaction);
    assert_eq!(together(2..6).apart(&[]), [together(2..6)]);
    assert_eq!(together(2..6).apart(&[3]), [together(2..3), alone(3), together(4..6)]);
    assert_eq!(together(2..4).apart(&[2, 3, 9]), [alone(2), alone(3)]);
    assert_eq!(alone(1).apart(&[1]), [alone(1)]);
    assert_eq!(together(4..4).apart(&[1]), []);
}

use super::tests::{catalogue, ledger, migration, mode, partial, row, shape};
use super::*;
use crate::domain::{Checksum, LEDGER_FORMAT, Ledger, LedgerRow, ProviderCatalogue, Refusal, Risk, RowState};

/// As [`migration`], with a down script of the statements in `down`. One that begins with `#` destroys something.
fn reversible(id: &str, down: &str) -> Migration {
    let mut script = migration(id, down).up;
    script.file = format!("{id}.down.sql");
    for (index, statement) in script.statements.iter_mut().enumerate() {
        statement.line = u32::try_from(index).unwrap() + 1;
        if statement.sql.starts_with('#') {
            statement.risk = Risk { destroys: Some("the table t".into()), blocks: None };
        }
    }
    Migration { down: Some(script), ..migration(id, "x") }
}

fn all() -> ProviderCatalogue {
    let ids = ["1_a", "2_b", "3_c"].map(|id| reversible(id, "d1;d2"));
    ProviderCatalogue::new(ids.into_iter().chain([migration("R__v", "v")]).collect())
}

fn applied(ids: &[&str]) -> Ledger {
    ledger(ids.iter().map(|id| row(id, if id.starts_with('R') { "v" } else { "x" })).collect())
}

fn half_undone(id: &str, done: &[&str], intent: Option<&str>) -> LedgerRow {
    let mut half = LedgerRow { checksum: Checksum::of_text("x"), ..partial(id, done, intent) };
    if let RowState::Partial(progress) = &mut half.state {
        progress.direction = Direction::Down;
    }
    half.format = Direction::Down.ledger_format();
    half
}

fn id(text: &str) -> MigrationId {
    text.parse().unwrap()
}

fn down(catalogue: &ProviderCatalogue, ledger: &Ledger, undo: &Undo) -> Result<String, Vec<Refusal>> {
    plan_down(catalogue, ledger, undo, &DownPolicy::default()).map(|plan| {
        assert!(plan.migrations().all(|planned| planned.direction == Direction::Down && !planned.replaces));
        shape(&plan)
    })
}

#[test]
fn what_was_applied_last_goes_first() {
    let ledger = applied(&["1_a", "2_b", "R__v", "3_c"]);
    let cases = [
        (Undo::default(), "[3_c]"),
        (Undo::Steps(2), "[3_c] [2_b]"),
        (Undo::Steps(3), "[3_c] [2_b] [1_a]"),
        (Undo::After(id("1_a")), "[3_c] [2_b]"),
        (Undo::After(id("3_c")), ""),
        (Undo::These(vec![id("3_c"), id("2_b")]), "[3_c] [2_b]"),
    ];
    for (undo, expected) in cases {
        assert_eq!(down(&all(), &ledger, &undo).unwrap(), expected, "{undo:?}");
    }
}

#[test]
fn steps_go_by_the_order_of_application_and_targets_by_number() {
    let ledger = applied(&["1_a", "3_c", "2_b"]);
    assert_eq!(down(&all(), &ledger, &Undo::Steps(1)).unwrap(), "[2_b]");
    assert_eq!(down(&all(), &ledger, &Undo::These(vec![id("2_b")])).unwrap(), "[2_b]");
    assert_eq!(down(&all(), &ledger, &Undo::After(id("2_b"))).unwrap(), "[3_c]");
    assert_eq!(down(&all(), &ledger, &Undo::After(id("1_a"))).unwrap(), "[2_b] [3_c]");
}

#[test]
fn a_list_that_was_fixed_shrinks_and_never_grows() {
    let list = Undo::These(vec![id("3_c"), id("2_b")]);
    assert_eq!(down(&all(), &applied(&["1_a", "2_b"]), &list).unwrap(), "[2_b]");
    assert_eq!(down(&all(), &applied(&["1_a"]), &list).unwrap(), "");
    let only = Undo::These(vec![id("2_b")]);
    let refusals = down(&all(), &applied(&["1_a", "2_b", "3_c"]), &only).unwrap_err();
    assert_eq!(refusals, [Refusal::AppliedSince { id: "3_c".into() }]);
}

#[test]
fn requests_that_fit_no_ledger_are_refused_as_such() {
    let cases = [
        (applied(&["R__v"]), Undo::Steps(1), Refusal::NothingToUndo),
        (applied(&["1_a"]), Undo::Steps(2), Refusal::TooManySteps { asked: 2, applied: 1 }),
        (applied(&["1_a"]), Undo::After(id("2_b")), Refusal::TargetNotApplied { target: id("2_b") }),
    ];
    for (ledger, undo, expected) in cases {
        let refusals = down(&all(), &ledger, &undo).unwrap_err();
        assert_eq!(refusals, [expected]);
        assert!(refusals.iter().all(Refusal::blames_request));
    }
}

#[test]
fn everything_in_the_way_that_cannot_be_undone_is_named() {
    let catalogue = ProviderCatalogue::new(vec![
        migration("1_a", "x"),
        reversible("2_b", "d"),
        migration("3_c", "x"),
        migration("4_d", "x"),
    ]);
    let ledger = applied(&["1_a", "2_b", "3_c", "4_d"]);
    let refusals = down(&catalogue, &ledger, &Undo::After(id("1_a"))).unwrap_err();
    let named: Vec<_> = refusals.iter().map(Refusal::migration).collect();
    assert_eq!(named, ["4_d", "3_c"]);
    assert!(matches!(&refusals[0], Refusal::Irreversible { file, .. } if file == "4_d.sql"), "{refusals:?}");
}

#[test]
fn unknown_and_changed_migrations_matter_only_in_the_way() {
    let mut rows = applied(&["1_a", "2_b", "3_c"]).rows;
    rows[0].checksum = Checksum::of_text("changed");
    rows.insert(1, row("1_unknown", "x"));
    assert_eq!(down(&all(), &ledger(rows.clone()), &Undo::Steps(1)).unwrap(), "[3_c]");
    let refusals = down(&all(), &ledger(rows.clone()), &Undo::Steps(4)).unwrap_err();
    assert!(
        matches!(&refusals[..], [Refusal::Unknown { id }, Refusal::ChecksumChanged { .. }] if id == "1_unknown"),
        "{refusals:?}"
    );
    rows.push(LedgerRow { format: LEDGER_FORMAT + 1, ..row("1_a", "x") });
    let refusals = down(&all(), &ledger(rows), &Undo::Steps(1)).unwrap_err();
    assert!(matches!(&refusals[0], Refusal::NewerLedger { .. }), "{refusals:?}");
}

#[test]
fn what_others_depend_on_stays() {
    let mut needs = reversible("3_c", "d");
    needs.depends_on = vec![id("2_b")];
    let catalogue = ProviderCatalogue::new(vec![reversible("1_a", "d"), reversible("2_b", "d"), needs]);
    // Out of order: what is needed was applied last.
    let ledger = applied(&["1_a", "3_c", "2_b"]);
    let refusals = down(&catalogue, &ledger, &Undo::Steps(1)).unwrap_err();
    assert_eq!(refusals, [Refusal::StillNeeded { id: id("2_b"), by: id("3_c") }]);
    assert_eq!(down(&catalogue, &ledger, &Undo::Steps(2)).unwrap(), "[2_b] [3_c]");
}

#[test]
fn losses_are_named_unless_they_are_allowed() {
    let catalogue = ProviderCatalogue::new(vec![reversible("1_a", "d;#drop"), reversible("2_b", "#drop;#drop")]);
    let ledger = applied(&["1_a", "2_b"]);
    let refusals = down(&catalogue, &ledger, &Undo::Steps(2)).unwrap_err();
    let places: Vec<_> = refusals.iter().map(Refusal::place).collect();
    assert_eq!(places, [("2_b.down.sql", 1), ("2_b.down.sql", 2), ("1_a.down.sql", 2)]);
    let allowed = DownPolicy { allow_data_loss: true, ..DownPolicy::default() };
    let plan = plan_down(&catalogue, &ledger, &Undo::Steps(2), &allowed).unwrap();
    assert_eq!(shape(&plan), "[2_b] [1_a]");
}

#[test]
fn modes_hold_for_both_directions() {
    let catalogue = ProviderCatalogue::new(vec![reversible("1_a", "d1;d2"), reversible("2_b", "d1;!alone;d2")]);
    let plan = |ids: &[&str], policy| {
        plan_down(
            &catalogue,
            &applied(ids),
            &Undo::Steps(ids.len() as u32),
            &DownPolicy { policy, ..Default::default() },
        )
    };
    assert_eq!(shape(&plan(&["1_a", "2_b"], Policy::default()).unwrap()), "2_b{0..1 !1 2..3} [1_a]");
    assert_eq!(shape(&plan(&["1_a"], mode(TransactionMode::None)).unwrap()), "1_a{0..1 1..2}");
    let refusals = plan(&["1_a", "2_b"], mode(TransactionMode::AllInOne)).unwrap_err();
    assert!(matches!(&refusals[..], [Refusal::RefusesTransaction { file, .. }] if file == "2_b.down.sql"));
}

#[test]
fn an_interrupted_rollback_goes_on_at_its_statement() {
    let ledger = ledger(vec![row("1_a", "x"), half_undone("2_b", &["d1"], None)]);
    assert_eq!(down(&all(), &ledger, &Undo::default()).unwrap(), "2_b{1..2}");
    assert_eq!(down(&all(), &ledger, &Undo::Steps(2)).unwrap(), "2_b{1..2} [1_a]");
    assert_eq!(down(&all(), &ledger, &Undo::After(id("1_a"))).unwrap(), "2_b{1..2}");
    let changed = [half_undone("2_b", &["another"], None)];
    let refusals = down(&all(), &super::tests::ledger(changed.to_vec()), &Undo::default()).unwrap_err();
    assert!(
        matches!(&refusals[..], [Refusal::DoneStatementChanged { file, number: 1, .. }] if file == "2_b.down.sql"),
        "{refusals:?}"
    );
}

#[test]
fn half_way_in_one_direction_refuses_the_other() {
    let half = ledger(vec![row("1_a", "x"), half_undone("2_b", &["d1"], Some("d2"))]);
    let refusals = plan_up(&all(), &half, &Target::Latest, &Policy::default()).unwrap_err();
    assert!(matches!(&refusals[..], [Refusal::HalfUndone { .. }]), "{refusals:?}");
    assert!(!refusals[0].blames_request() && refusals[0].hint().contains("branchkeeper down"));

    let half = ledger(vec![row("1_a", "x"), partial("2_b", &["x"], None)]);
    let refusals = down(&all(), &half, &Undo::default()).unwrap_err();
    assert!(matches!(&refusals[..], [Refusal::HalfApplied { .. }]), "{refusals:?}");
    assert!(refusals[0].hint().contains("branchkeeper up"));
}

#[test]
fn a_rollback_leaves_nothing_half_undone_behind() {
    let rows = vec![half_undone("1_a", &["d1"], None), row("2_b", "x")];
    let refusals = down(&all(), &ledger(rows), &Undo::Steps(1)).unwrap_err();
    assert_eq!(refusals, [Refusal::HalfUndoneElsewhere { id: "1_a".into() }]);
}

#[test]
fn a_digest_tells_plans_apart() {
    let branch = crate::domain::BranchId::generate();
    let digest = |ledger: &Ledger, undo: &Undo| {
        let plan = plan_down(&all(), ledger, undo, &DownPolicy::default()).unwrap();
        plan_digest(branch, Direction::Down, ledger, &plan, &[])
    };
    let two = applied(&["1_a", "2_b"]);
    let one = digest(&two, &Undo::Steps(1));
    assert_eq!(one, digest(&two, &Undo::After(id("1_a"))), "the same statements against the same ledger");
    assert_ne!(one, digest(&two, &Undo::Steps(2)));
    let half = [&["d1"][..], &[]].map(|done| ledger(vec![row("1_a", "x"), half_undone("2_b", done, None)]));
    assert_ne!(digest(&half[0], &Undo::Steps(1)), digest(&half[1], &Undo::Steps(1)));
    let empty = Plan::default();
    let up = plan_digest(branch, Direction::Up, &two, &empty, &[]);
    assert_ne!(up, plan_digest(branch, Direction::Down, &two, &empty, &[]));
    assert_ne!(up, plan_digest(crate::domain::BranchId::generate(), Direction::Up, &two, &empty, &[]));
    let known = catalogue(&[("1_a", "x"), ("2_b", "x;y")]);
    let with = |policy: &Policy| {
        let plan = plan_up(&known, &applied(&["1_a"]), &Target::Latest, policy).unwrap();
        plan_digest(branch, Direction::Up, &applied(&["1_a"]), &plan, &[])
    };
    assert_ne!(with(&Policy::default()), with(&mode(TransactionMode::None)), "the mode is part of it");
}

#[test]
fn a_digest_knows_what_a_rebuild_comes_to() {
    let branch = crate::domain::BranchId::generate();
    let mut rebuilt = migration("1_a", "x;y");
    rebuilt.up.statements[1].rebuild =
        Some(crate::domain::TableRebuild { table: crate::domain::ObjectName::bare("t"), edits: vec![] });
    let known = ProviderCatalogue::new(vec![rebuilt]);
    let plan = plan_up(&known, &Ledger::default(), &Target::Latest, &Policy::default()).unwrap();
    let digest = |becomes: &[&[&str]]| {
        let owned = |sql: &&[&str]| sql.iter().map(|sql| (*sql).to_owned()).collect();
        let becomes: Vec<Vec<String>> = becomes.iter().map(owned).collect();
        plan_digest(branch, Direction::Up, &Ledger::default(), &plan, &becomes)
    };
    let one = digest(&[&["x"], &["CREATE TABLE t(a)", "DROP TABLE o"]]);
    assert_eq!(one, digest(&[&["x"], &["CREATE TABLE t(a)", "DROP TABLE o"]]));
    assert_ne!(one, digest(&[&["x"], &["CREATE TABLE t(a, b)", "DROP TABLE o"]]));
    assert_ne!(one, digest(&[&["x"]]), "a rebuild that can't be told is another");
    assert_eq!(digest(&[&["x"]]), digest(&[&["other"]]), "any other statement is its own text");
}

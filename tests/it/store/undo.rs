use branchkeeper::domain::{Checksum, HeldMigration, Hold, MigrationId, Provider, RunKind};
use branchkeeper::store::FixedUndo;

use super::fixture::{Fixture, over_both_backends};

over_both_backends!(what_is_undone_is_fixed_together_with_the_hold, a_held_branch_is_due_when_the_catalogue_changes,);

fn hold(f: &Fixture, run_id: branchkeeper::domain::RunId) -> Hold {
    let held = HeldMigration { id: "2_b".parse().unwrap(), checksum: Checksum::of_text("b") };
    Hold { since: f.now(), run_id, migrations: vec![held] }
}

async fn what_is_undone_is_fixed_together_with_the_hold(f: Fixture) {
    let branch = f.add("BR001").await;
    let run = f.run(RunKind::Rollback, std::slice::from_ref(&branch)).await;
    assert_eq!(f.office.undo_list(run.id, branch.id).await.unwrap(), None);
    let (_, token) = f.acquire(&branch).await;
    let (hold, digest) = (hold(&f, run.id), Checksum::of_text("catalogue"));
    let migrations: Vec<MigrationId> = vec!["3_c".parse().unwrap(), "2_b".parse().unwrap()];
    let undo = FixedUndo {
        run_id: run.id,
        branch_id: branch.id,
        token,
        migrations: &migrations,
        hold: &hold,
        held_digest: &digest,
    };
    assert!(!f.office.fix_undo(FixedUndo { token: token + 1, ..undo }).await.unwrap(), "another's lease");
    assert_eq!(f.office.undo_list(run.id, branch.id).await.unwrap(), None);
    assert_eq!(f.state(&branch).await.hold, None);
    assert!(f.office.fix_undo(undo).await.unwrap());
    assert_eq!(f.office.undo_list(run.id, branch.id).await.unwrap(), Some(migrations));
    let state = f.state(&branch).await;
    assert_eq!((state.hold, state.held_digest), (Some(hold), Some(digest)));
}

async fn a_held_branch_is_due_when_the_catalogue_changes(f: Fixture) {
    let branch = f.add("BR001").await;
    let run = f.run(RunKind::Rollback, std::slice::from_ref(&branch)).await;
    let digest = Checksum::of_text("catalogue");
    let (mut state, token) = f.acquire(&branch).await;
    (state.hold, state.held_digest) = (Some(hold(&f, run.id)), Some(digest.clone()));
    assert!(f.office.release(branch.id, token, &state).await.unwrap());
    let due = async |digest: &Checksum| f.office.due(&[(Provider::Sqlite, digest.clone())], 10).await.unwrap();
    assert_eq!(due(&digest).await, []);
    assert_eq!(due(&Checksum::of_text("another")).await, [branch.id]);
    f.office.retry(branch.id).await.unwrap();
    assert_eq!(due(&digest).await, [branch.id]);
}

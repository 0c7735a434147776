//! Undoing through the service: what is asked for and no more, nothing that cannot be undone, and nothing applied again
//! unasked.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use tonic::Code;

use crate::support::pb::rollback_request::Extent;
use crate::support::pb::{self, ApplyRequest, FailureClass, MigrationStatus, PlanRequest, RollbackRequest};
use crate::support::{Program, Station, apply_all, ended, finished, outcome, refused, sqlite_branch, status_of, watch};

fn down(branch: &str) -> RollbackRequest {
    RollbackRequest { branch: branch.into(), allow_data_loss: true, ..RollbackRequest::default() }
}

async fn rollback(station: &Station, request: RollbackRequest) -> pb::RollbackResponse {
    station.migrations().await.rollback(request).await.unwrap().into_inner()
}

async fn undone(station: &Station, request: RollbackRequest) -> Vec<String> {
    let result = rollback(station, request).await.result.unwrap();
    assert!(result.success && result.applied_migrations.is_empty(), "{result:?}");
    result.rolled_back_migrations
}

async fn plan(station: &Station, request: PlanRequest) -> pb::PlanResponse {
    station.migrations().await.plan(request).await.unwrap().into_inner()
}

async fn applied(station: &Station, branch: &str) -> Vec<String> {
    let request = pb::HistoryRequest { branch: branch.into() };
    let history = station.migrations().await.history(request).await.unwrap().into_inner();
    history.applied_migrations.into_iter().map(|row| row.id).collect()
}

/// Four migrations, of which the second cannot be undone.
async fn station() -> Station {
    let mut station = Station::new();
    for (number, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
        station.migration(&format!("{number}_{name}.up.sql"), &format!("CREATE TABLE {name} (x INTEGER);\n"));
        if number != 2 {
            station.migration(&format!("{number}_{name}.down.sql"), &format!("SELECT 1;\nDROP TABLE {name};\n"));
        }
    }
    station.migration("R__v.sql", "DROP VIEW IF EXISTS v;\nCREATE VIEW v AS SELECT 1 AS x;\n");
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    station
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_is_undone_and_no_more() {
    let station = station().await;
    assert!(outcome(&station, "BR001").await.success);
    let answer = rollback(&station, down("BR001")).await;
    assert_eq!(answer.result.unwrap().rolled_back_migrations, ["4_d"]);
    assert_eq!(applied(&station, "BR001").await, ["1_a", "2_b", "3_c", "R__v"]);

    let events = watch(&station, &answer.run_id, 0).await;
    let mut seen = Vec::new();
    for event in &events {
        match event.event.as_ref().unwrap() {
            pb::run_event::Event::MigrationStarted(each) => seen.push(("started", each.direction())),
            pb::run_event::Event::MigrationFinished(each) => seen.push(("finished", each.direction())),
            _ => {}
        }
    }
    assert_eq!(seen, [("started", pb::Direction::Down), ("finished", pb::Direction::Down)]);
    let end = finished(&events, "BR001");
    assert_eq!((end.rolled_back_migrations, end.applied_migrations.len()), (vec!["4_d".to_owned()], 0));
    let request = pb::GetRunRequest { run_id: answer.run_id };
    let run = station.migrations().await.get_run(request).await.unwrap().into_inner().run.unwrap();
    assert_eq!((run.kind(), run.state()), (pb::RunKind::Rollback, pb::RunState::Succeeded));

    // Up, and down to a target, which stays applied.
    assert_eq!(outcome(&station, "BR001").await.applied_migrations, ["4_d"]);
    let target = RollbackRequest { extent: Some(Extent::TargetMigration("2".into())), ..down("BR001") };
    assert_eq!(undone(&station, target.clone()).await, ["4_d", "3_c"]);
    assert_eq!(applied(&station, "BR001").await, ["1_a", "2_b", "R__v"]);
    assert_eq!(undone(&station, target).await, Vec::<String>::new(), "nothing is after it any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_when_one_in_the_way_cannot_be_undone() {
    let station = station().await;
    assert!(outcome(&station, "BR001").await.success);
    let request = RollbackRequest { extent: Some(Extent::Steps(4)), ..down("BR001") };
    let result = rollback(&station, request.clone()).await.result.unwrap();
    let error = &result.errors[0];
    assert!(!result.success && result.rolled_back_migrations.is_empty(), "{result:?}");
    assert_eq!((&*error.migration_id, &*error.file, error.class()), ("2_b", "2_b.up.sql", FailureClass::Catalogue));
    assert!(error.message.contains("2_b cannot be undone"), "{error:?}");
    assert_eq!(applied(&station, "BR001").await.len(), 5);
    // It says nothing about the branch.
    let status = status_of(&station, "BR001").await;
    assert_eq!((status.status(), status.retry_count), (MigrationStatus::Completed, 0));
    assert!(status.hold.is_none());

    let lossy = RollbackRequest {
        allow_data_loss: false,
        extent: Some(Extent::Steps(2)),
        request_id: "twice".into(),
        ..request
    };
    let error = rollback(&station, lossy.clone()).await.result.unwrap().errors.remove(0);
    for place in ["(3_c.down.sql:2)", "(4_d.down.sql:2)", "the table d and its rows"] {
        assert!(error.message.contains(place), "{error:?}");
    }
    assert!(error.hint.contains("--allow-data-loss"), "{error:?}");
    assert_eq!(applied(&station, "BR001").await.len(), 5);

    // What was refused can be asked for again under the same name.
    let again = RollbackRequest { allow_data_loss: true, ..lossy };
    let first = rollback(&station, again.clone()).await;
    assert_eq!(first.result.as_ref().unwrap().rolled_back_migrations, ["4_d", "3_c"]);
    assert_eq!(rollback(&station, again.clone()).await, first, "sent twice, done once");
    let other = RollbackRequest { extent: Some(Extent::Steps(1)), ..again };
    let status = station.migrations().await.rollback(other).await;
    refused(status, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(applied(&station, "BR001").await, ["1_a", "2_b", "R__v"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_undone_is_not_applied_again_unasked() {
    let mut station = Station::new();
    station.set("AUTO_MIGRATE__ENABLED", "true");
    station.set("AUTO_MIGRATE__INITIAL_DELAY", "1ms");
    station.set("AUTO_MIGRATE__INTERVAL", "1s");
    for (number, name) in [(1, "a"), (2, "b")] {
        station.migration(&format!("{number}_{name}.up.sql"), &format!("CREATE TABLE {name} (x INTEGER);\n"));
        station.migration(&format!("{number}_{name}.down.sql"), &format!("DROP TABLE {name};\n"));
    }
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    station.register(sqlite_branch("BR002")).await;
    station.settled(Duration::from_secs(20), &[MigrationStatus::Completed]).await;
    assert_eq!(undone(&station, down("BR001")).await, ["2_b"]);
    let status = status_of(&station, "BR001").await;
    assert_eq!((status.status(), status.pending_count), (MigrationStatus::Pending, Some(1)));
    assert_eq!(status.hold.unwrap().migrations, ["2_b"]);

    // A new migration reaches the other branch, and not this one, which would get the one before it too.
    station.migration("3_c.sql", "CREATE TABLE c (x INTEGER);\n");
    let third = async |code: &str| applied(&station, code).await.contains(&"3_c".to_owned());
    for _ in 0..200 {
        if third("BR002").await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(third("BR002").await);
    // A pass after it finds nothing to do here; the service that was stopped and started does not either.
    station.stop();
    station.start().await;
    station.register(sqlite_branch("BR003")).await;
    station.settled(Duration::from_secs(20), &[MigrationStatus::Completed, MigrationStatus::Pending]).await;
    assert_eq!(applied(&station, "BR001").await, ["1_a"]);

    // The corrected migration is no longer what was undone.
    station.migration("2_b.up.sql", "CREATE TABLE b (x INTEGER, y INTEGER);\n");
    for _ in 0..200 {
        if status_of(&station, "BR001").await.status() == MigrationStatus::Completed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(applied(&station, "BR001").await, ["1_a", "2_b", "3_c"]);
    assert!(status_of(&station, "BR001").await.hold.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_ends_when_somebody_asks_for_it() {
    let station = station().await;
    assert!(outcome(&station, "BR001").await.success);
    assert_eq!(undone(&station, down("BR001")).await, ["4_d"]);
    assert_eq!(undone(&station, down("BR001")).await, ["3_c"]);
    let held = status_of(&station, "BR001").await.hold.unwrap();
    assert_eq!(held.migrations, ["3_c", "4_d"], "one rollback after the other");
    let to = ApplyRequest { branch: "BR001".into(), target_migration: "3".into(), ..Default::default() };
    assert!(station.migrations().await.apply(to).await.unwrap().into_inner().result.unwrap().success);
    assert_eq!(status_of(&station, "BR001").await.hold.unwrap().migrations, ["4_d"], "what was not asked for stays");
    let retry = pb::RetryRequest { branch: "BR001".into() };
    let status = station.migrations().await.retry(retry).await.unwrap().into_inner().status.unwrap();
    assert!(status.hold.is_none(), "another try is everything");
    assert_eq!(undone(&station, down("BR001")).await, ["3_c"]);
    let result = ended(&apply_all(&station, pb::ApplyAllRequest::default()).await);
    assert!(result.success, "{result:?}");
    assert_eq!(status_of(&station, "BR001").await.hold, None, "a fleet-wide request means every branch");
    assert_eq!(applied(&station, "BR001").await.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_asked_for_before_brings_nothing_back() {
    let mut station = Station::new();
    station.migration("1_a.up.sql", "CREATE TABLE a (x INTEGER);\n");
    station.migration("1_a.down.sql", "DROP TABLE a;\n");
    station.start().await;
    for code in ["BR001", "BR002"] {
        station.register(sqlite_branch(code)).await;
        assert!(outcome(&station, code).await.success);
    }
    station.migration("2_b.sql", "CREATE TABLE b (x INTEGER);\n");
    // The first branch's turn lasts for as long as another program holds its file.
    let options = SqliteConnectOptions::new().filename(station.sqlite_file("BR001"));
    let mut program = SqliteConnection::connect_with(&options).await.unwrap();
    program.execute("BEGIN IMMEDIATE").await.unwrap();
    let request = pb::ApplyAllRequest { max_parallel: 1, ..Default::default() };
    let mut stream = station.migrations().await.apply_all(request).await.unwrap().into_inner();
    let mut events = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        let event = message.event.unwrap();
        if let Some(pb::run_event::Event::BranchStarted(started)) = &event.event
            && started.branch_code == "BR001"
        {
            assert_eq!(undone(&station, down("BR002")).await, ["1_a"]);
            program.execute("ROLLBACK").await.unwrap();
        }
        events.push(event);
    }
    assert!(finished(&events, "BR001").error.is_none());
    let error = finished(&events, "BR002").error.unwrap();
    assert!(error.message.contains("after this run was asked for"), "{error:?}");
    assert_eq!(applied(&station, "BR002").await, Vec::<String>::new());
    assert_eq!(status_of(&station, "BR002").await.hold.unwrap().migrations, ["1_a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_what_would_run_and_its_digest_binds() {
    let station = station().await;
    let up = PlanRequest { branch: "BR001".into(), ..PlanRequest::default() };
    let planned = plan(&station, up.clone()).await;
    let ids: Vec<_> = planned.migrations.iter().map(|each| each.info.clone().unwrap().id).collect();
    assert_eq!(ids, ["1_a", "2_b", "3_c", "4_d", "R__v"]);
    assert!(!station.sqlite_file("BR001").exists(), "nothing is made to plan it");
    let numbers: Vec<_> = planned.migrations.iter().flat_map(|each| &each.statements).map(|s| s.transaction).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 5]);

    let with = |digest: &str| ApplyRequest {
        branch: "BR001".into(),
        plan_digest: digest.into(),
        request_id: format!("with-{digest}"),
        ..Default::default()
    };
    let part = plan(&station, PlanRequest { target_migration: "2".into(), ..up.clone() }).await;
    assert_ne!(part.digest, planned.digest);
    let answer = station.migrations().await.apply(with(&part.digest)).await;
    refused(answer, Code::FailedPrecondition, "PLAN_CHANGED");
    assert_eq!(applied(&station, "BR001").await, Vec::<String>::new());
    let answer = station.migrations().await.apply(with(&planned.digest)).await.unwrap().into_inner();
    assert!(answer.result.as_ref().unwrap().success);
    let again = station.migrations().await.apply(with(&planned.digest)).await.unwrap().into_inner();
    assert_eq!(again, answer, "the same request gives the same run");
    let stale = ApplyRequest { request_id: String::new(), ..with(&planned.digest) };
    refused(station.migrations().await.apply(stale).await, Code::FailedPrecondition, "PLAN_CHANGED");

    let way = PlanRequest { direction: pb::Direction::Down.into(), ..up.clone() };
    let planned = plan(&station, way.clone()).await;
    let [migration] = &planned.migrations[..] else { panic!("{planned:?}") };
    let marks: Vec<_> = migration.statements.iter().map(|each| (each.line, each.destructive, &*each.note)).collect();
    assert_eq!(marks, [(1, false, ""), (2, true, "destroys the table d and its rows")]);
    assert!(planned.warnings.iter().any(|text| text.contains("R__v")), "{:?}", planned.warnings);
    let stale = RollbackRequest { plan_digest: part.digest, ..down("BR001") };
    refused(station.migrations().await.rollback(stale).await, Code::FailedPrecondition, "PLAN_CHANGED");
    let request = RollbackRequest { plan_digest: planned.digest, ..down("BR001") };
    assert_eq!(undone(&station, request).await, ["4_d"]);
    let held = plan(&station, up).await;
    assert!(held.warnings.iter().any(|text| text.contains("brings back")), "{:?}", held.warnings);

    let all = PlanRequest { steps: 3, ..way };
    let status = refused(station.migrations().await.plan(all).await, Code::FailedPrecondition, "PLAN_REFUSED");
    assert!(status.message().contains("2_b cannot be undone"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_plans_and_undoes() {
    let station = station().await;
    assert!(outcome(&station, "BR001").await.success);
    let run = |arguments: &[&str]| {
        let output = Program::new(["--server", &station.url()]).args(arguments).run();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, stdout, stderr) = run(&["plan", "BR001", "--down", "--steps", "2"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("DESTROYS") && stdout.contains("2 migrations to undo, 4 statements, 2 destructive"));
    let (code, stdout, _) = run(&["plan", "BR001", "--down", "--output", "json"]);
    let found: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, found["migrations"][0]["statements"][1]["sql"].as_str()), (Some(0), Some("DROP TABLE d")));

    let (code, stdout, _) = run(&["down", "BR001"]);
    assert!(code == Some(1) && stdout.contains("--allow-data-loss"), "{stdout}");
    let (code, _, stderr) = run(&["down", "BR001", "--to", "1", "--steps", "2"]);
    assert_eq!(code, Some(2), "{stderr}");
    let (code, stdout, stderr) = run(&["down", "BR001", "--allow-data-loss"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("4_d") && stdout.contains("1 migration undone"), "{stdout}");
    let (_, stdout, _) = run(&["status"]);
    assert!(stdout.contains("Pending (held)"), "{stdout}");
    let (_, stdout, _) = run(&["history", "BR001"]);
    assert!(stdout.contains("not applied again unasked: 4_d"), "{stdout}");
    let (code, stdout, _) = run(&["plan", "BR001"]);
    assert!(code == Some(0) && stdout.contains("1 migration to apply"), "{stdout}");
    let (code, _, stderr) = run(&["up", "BR001", "--plan-digest", &"0".repeat(64)]);
    assert!(code == Some(3) && stderr.contains("plan has changed"), "{stderr}");
    let (code, _, _) = run(&["down", "BR009"]);
    assert_eq!(code, Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_leaves_nothing_behind() {
    let station = station().await;
    let dry = ApplyRequest { branch: "BR001".into(), dry_run: true, ..Default::default() };
    let error = station.migrations().await.apply(dry.clone()).await.unwrap().into_inner().result.unwrap().errors;
    assert!(error[0].hint.contains("a dry run creates nothing"), "{error:?}");
    assert!(!station.sqlite_file("BR001").exists());
    let to = ApplyRequest { branch: "BR001".into(), target_migration: "2".into(), ..Default::default() };
    assert!(station.migrations().await.apply(to).await.unwrap().into_inner().result.unwrap().success);
    let before = status_of(&station, "BR001").await;

    station.migration("5_e.sql", "CREATE TABLE e (x INTEGER);\nVACUUM;\n");
    let answer = station.migrations().await.apply(dry.clone()).await.unwrap().into_inner();
    let result = answer.result.unwrap();
    assert!(result.success && result.dry_run, "{result:?}");
    assert_eq!(result.applied_migrations, ["3_c", "4_d", "5_e", "R__v"]);
    assert_eq!(result.not_tried, ["5_e.sql:2: 'VACUUM' refuses to run inside a transaction"]);
    let request = pb::GetRunRequest { run_id: answer.run_id };
    let run = station.migrations().await.get_run(request).await.unwrap().into_inner().run.unwrap();
    assert!(run.dry_run && run.kind() == pb::RunKind::Apply);
    assert_eq!(applied(&station, "BR001").await, ["1_a", "2_b"]);

    station.migration("6_f.sql", "CREATE TABLE f (x INTEGER);\nINSERT INTO nowhere VALUES (1);\n");
    let result = station.migrations().await.apply(dry).await.unwrap().into_inner().result.unwrap();
    let error = &result.errors[0];
    assert_eq!((&*error.file, error.line, error.statements_done), ("6_f.sql", 2, 0), "{error:?}");
    let after = status_of(&station, "BR001").await;
    assert_eq!((after.status, after.retry_count), (before.status, 0), "nothing is held against the branch");
    assert_eq!(after.last_attempt_time, before.last_attempt_time);

    let output = Program::new(["--server", &station.url(), "up", "BR001", "--dry-run", "--to", "5"]).run();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("3 migrations tried and taken back"), "{output:?}");
    assert!(text.contains("not tried: 5_e.sql:2"), "{text}");
}

//! What is told of a fleet.

use std::time::{Duration, Instant};

use super::receiver::{Answer, Receiver};
use super::{BAD, GOOD, once_each, register, station, types, until};
use crate::support::outcome;
use crate::support::pb::MigrationStatus;

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_fails_and_recovers_is_told_of() {
    let receiver = Receiver::start().await;
    let mut station = station(&receiver);
    station.set("RETRY__MAX_ATTEMPTS", "2");
    station.set("ENVIRONMENT", "staging");
    station.migration("1_Good.sql", GOOD);
    station.migration("2_Bad.sql", BAD);
    station.start().await;
    register(&station, &["BR001"]).await;
    assert!(!outcome(&station, "BR001").await.success);
    let told = receiver.wait_for(2).await;
    assert_eq!(types(&told), ["branch_failed", "run_finished"]);
    let failed = told[0].json();
    assert_eq!(failed["branch"]["code"], "BR001");
    assert_eq!(failed["branch"]["environment"], "staging");
    assert_eq!(failed["branch"]["status"], "Failed");
    assert_eq!(failed["branch"]["error"]["file"], "2_Bad.sql");
    assert_eq!(failed["branch"]["error"]["message"], "no such table: Crads");
    assert_eq!(failed["branch"]["run_id"], told[1].json()["run"]["id"]);
    assert_eq!(told[1].json()["run"]["failed"][0], "BR001");
    assert_eq!(failed["id"].as_str(), told[0].header("webhook-id"));
    assert!(told[0].head.starts_with("POST /hooks/hunter2 HTTP/1.1"), "{}", told[0].head);

    assert!(!outcome(&station, "BR001").await.success);
    let told = receiver.wait_for(4).await;
    assert_eq!(types(&told[2..]), ["needs_manual_intervention", "run_finished"]);
    // The same again is nothing new; the run that ended is.
    assert!(!outcome(&station, "BR001").await.success);
    let told = receiver.wait_for(5).await;
    assert_eq!(types(&told[4..]), ["run_finished"]);

    station.migration("2_Bad.sql", "CREATE TABLE Cards (Id INTEGER);\n");
    assert!(outcome(&station, "BR001").await.success);
    let told = receiver.wait_for(7).await;
    assert_eq!(types(&told[5..]), ["recovered", "run_finished"]);
    assert_eq!(told[5].json()["summary"], "branch BR001 has recovered");
    // What goes well all along is not told, apart from the run.
    assert!(outcome(&station, "BR001").await.success);
    assert_eq!(types(&receiver.wait_for(8).await[7..]), ["run_finished"]);
    let everything: String =
        receiver.requests().iter().map(|r| String::from_utf8_lossy(&r.body).into_owned()).collect();
    assert!(!everything.contains("hunter3"), "the statement's own data is not told");
    assert!(!station.log().contains("hunter2"), "the URL is a secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_folder_is_told_of_once_and_so_is_its_end() {
    let receiver = Receiver::start().await;
    let mut station = station(&receiver);
    station.migration("1_Good.sql", GOOD);
    station.start().await;
    station.migration("no number.sql", GOOD);
    let told = receiver.wait_for(1).await;
    assert_eq!(types(&told), ["catalogue_broken"]);
    let problem = told[0].json()["catalogue"]["problems"][0].as_str().unwrap().to_owned();
    assert!(problem.starts_with("no number.sql:"), "{problem}");
    // A service that is started anew finds what was told already.
    station.kill();
    station.start().await;
    std::fs::remove_file(station.migrations_folder().join("no number.sql")).unwrap();
    let mended = until("the end of it", async || {
        let told = once_each(&receiver.requests());
        (types(&told).last().unwrap() == "catalogue_mended").then_some(told)
    });
    assert_eq!(types(&mended.await), ["catalogue_broken", "catalogue_mended"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_filters_choose_what_a_target_gets() {
    let (all, few) = (Receiver::start().await, Receiver::start().await);
    let mut station = station(&all);
    station.set("NOTIFY__TARGETS__NORTH__URL", &few.url());
    station.set("NOTIFY__TARGETS__NORTH__EVENTS", "branch_failed");
    station.set("NOTIFY__TARGETS__NORTH__LABELS", "region=north");
    station.migration("1_Bad.sql", BAD);
    station.start().await;
    for (code, region) in [("BR001", "south"), ("BR002", "north")] {
        let branch = crate::support::pb::Branch {
            labels: [("region".to_owned(), region.to_owned())].into(),
            ..crate::support::sqlite_branch(code)
        };
        station.register(branch).await;
        assert!(!outcome(&station, code).await.success);
    }
    all.wait_for(4).await;
    let told = few.wait_for(1).await;
    assert_eq!(told[0].json()["branch"]["code"], "BR002");
    assert_eq!(types(&told), ["branch_failed"]);
}

/// A run over as many branches, and how long it took.
async fn run_took(answer: Answer) -> Duration {
    let receiver = Receiver::answering(answer).await;
    let mut station = station(&receiver);
    station.set("NOTIFY__TIMEOUT", "60s");
    station.migration("1_Bad.sql", BAD);
    station.start().await;
    let codes: Vec<String> = (0..30).map(|number| format!("BR{number:03}")).collect();
    register(&station, &codes.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let begun = Instant::now();
    let events = crate::support::apply_all(&station, Default::default()).await;
    let took = begun.elapsed();
    assert_eq!(crate::support::ended(&events).branches_failed, 30);
    // It was really being told meanwhile.
    receiver.wait_for(1).await;
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_holds_up_no_run() {
    // The first one also warms the machine up.
    run_took(Answer::Status(204)).await;
    let hanging = run_took(Answer::Hang).await;
    let answering = run_took(Answer::Status(204)).await;
    println!("30 failing branches: {hanging:?} with a receiver that hangs, {answering:?} with one that answers");
    // A delivery's time limit is a minute: nothing waited for one.
    assert!(hanging < Duration::from_secs(20), "{hanging:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_hangs_keeps_no_other_waiting() {
    let (hanging, other) = (Receiver::answering(Answer::Hang).await, Receiver::start().await);
    let mut station = station(&hanging);
    station.set("NOTIFY__TIMEOUT", "60s");
    station.set("NOTIFY__TARGETS__OTHER__URL", &other.url());
    station.migration("1_Bad.sql", BAD);
    station.start().await;
    register(&station, &["BR001", "BR002"]).await;
    for code in ["BR001", "BR002"] {
        assert!(!outcome(&station, code).await.success);
    }
    assert_eq!(other.wait_for(4).await.len(), 4);
    assert_eq!(hanging.requests().len(), 1);
    // Stopping does not wait for it either.
    let begun = Instant::now();
    assert!(station.stop().success());
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_orchestrator_s_failures_are_told_too() {
    let receiver = Receiver::start().await;
    let mut station = station(&receiver);
    station.set("AUTO_MIGRATE__ENABLED", "true");
    station.set("AUTO_MIGRATE__INITIAL_DELAY", "1ms");
    station.set("RETRY__BACKOFF", "50ms");
    station.migration("1_Bad.sql", BAD);
    station.start().await;
    register(&station, &["BR001"]).await;
    station.settled(Duration::from_secs(60), &[MigrationStatus::RequiresManualIntervention]).await;
    let kinds = until("the third failure", async || {
        let kinds = types(&receiver.requests());
        kinds.iter().filter(|kind| *kind == "run_finished").nth(2).is_some().then_some(kinds)
    });
    let branch: Vec<_> = kinds.await.into_iter().filter(|kind| kind != "run_finished").collect();
    assert_eq!(branch, ["branch_failed", "needs_manual_intervention"]);
}

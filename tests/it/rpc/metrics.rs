//! What is measured, as Prometheus reads it.

use std::collections::BTreeMap;

use branchkeeper::rpc::proto::{ApplyRequest, PendingRequest};

use super::harness::{Served, settings, start_with};

/// Every sample of the page, by its name and labels.
async fn samples(served: &Served) -> BTreeMap<String, f64> {
    let (head, body) = served.get("/metrics").await;
    assert!(head.starts_with("http/1.1 200") && head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let mut found = BTreeMap::new();
    for line in body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let family = name.split('{').next().unwrap();
        assert!(body.contains(&format!("# TYPE {family} ")) && body.contains(&format!("# HELP {family} ")), "{line}");
        assert!(found.insert(name.to_owned(), value.parse().unwrap()).is_none(), "twice: {line}");
    }
    found
}

#[tokio::test]
async fn the_fleet_and_the_calls_are_measured() {
    let migrations =
        [("1_One.sql", "CREATE TABLE one (n INTEGER);\n"), ("2_Bad.sql", "INSERT INTO nowhere VALUES (1);\n")];
    let served = start_with(settings(), &migrations).await;
    for code in ["BR001", "BR002", "BR003"] {
        served.register(code).await;
    }
    let mut client = served.migrations().await;
    let apply = ApplyRequest { branch: "BR001".into(), ..ApplyRequest::default() };
    assert!(!client.apply(apply).await.unwrap().into_inner().result.unwrap().success);
    for branch in ["BR001", "BR002", "BR999"] {
        let _ = client.pending(PendingRequest { branch: branch.into() }).await;
    }
    // What was measured is a second old at most.
    let begun = std::time::Instant::now();
    let found = loop {
        let found = samples(&served).await;
        if found.get("branchkeeper_branches{status=\"Failed\"}") == Some(&1.0) {
            break found;
        }
        assert!(begun.elapsed().as_secs() < 10, "{found:#?}");
    };
    let pending = "method=\"branchkeeper.v1.MigrationService/Pending\"";
    for (name, value) in [
        ("branchkeeper_ready", 1.0),
        ("branchkeeper_head_office_up", 1.0),
        ("branchkeeper_branches{status=\"Pending\"}", 2.0),
        ("branchkeeper_branches{status=\"Completed\"}", 0.0),
        ("branchkeeper_branches{status=\"InProgress\"}", 0.0),
        ("branchkeeper_leases{holder=\"this\"}", 0.0),
        ("branchkeeper_runs{state=\"Failed\"}", 1.0),
        ("branchkeeper_runs{state=\"Running\"}", 0.0),
        ("branchkeeper_notifications{state=\"Pending\"}", 0.0),
        ("branchkeeper_notification_wait_seconds", 0.0),
        (&format!("branchkeeper_calls_total{{{pending},code=\"OK\"}}"), 2.0),
        (&format!("branchkeeper_calls_total{{{pending},code=\"NOT_FOUND\"}}"), 1.0),
    ] {
        assert_eq!(found.get(name), Some(&value), "{name} {found:#?}");
    }
    assert!(found[&format!("branchkeeper_call_seconds_total{{{pending}}}")] > 0.0);
    assert!(found["process_open_fds"] > 3.0 && found["process_max_fds"] > found["process_open_fds"]);
    served.stop().await;
}

#[tokio::test]
async fn a_lease_is_measured_while_a_branch_is_worked_on() {
    let served = start_with(settings(), &[("1_Endless.sql", super::harness::ENDLESS)]).await;
    served.register("BR001").await;
    let (_, events) = served.begin_run().await;
    let begun = std::time::Instant::now();
    loop {
        let found = samples(&served).await;
        let at_work = ["branchkeeper_leases{holder=\"this\"}", "branchkeeper_branches{status=\"InProgress\"}"];
        if at_work.into_iter().chain(["branchkeeper_runs{state=\"Running\"}"]).all(|name| found[name] == 1.0) {
            break;
        }
        assert!(begun.elapsed().as_secs() < 10, "{found:#?}");
    }
    drop(events);
    served.stop().await;
}

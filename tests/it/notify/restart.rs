//! Nothing that was to be told is lost with the process.

use super::receiver::{Answer, Receiver};
use super::{BAD, once_each, register, station, types, until};
use crate::support::{Station, outcome, postgres};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_service_had_to_tell_is_told_by_the_next_one() {
    let receiver = Receiver::answering(Answer::Hang).await;
    let mut station = station(&receiver);
    station.set("NOTIFY__TIMEOUT", "60s");
    station.migration("1_Bad.sql", BAD);
    station.start().await;
    register(&station, &["BR001", "BR002"]).await;
    for code in ["BR001", "BR002"] {
        assert!(!outcome(&station, code).await.success);
    }
    let first = receiver.wait_for(1).await.remove(0);
    // One is being delivered, three wait.
    station.kill();
    receiver.answer(Answer::Status(200));
    station.start().await;
    let told = until("all four", async || {
        let told = once_each(&receiver.requests());
        (told.len() >= 4).then_some(told)
    });
    let told = told.await;
    assert_eq!(types(&told), ["branch_failed", "run_finished", "branch_failed", "run_finished"]);
    let again = receiver.requests().into_iter().skip(1).find(|r| r.header("webhook-id") == first.header("webhook-id"));
    assert_eq!(again.unwrap().body, first.body, "the one in flight came again, the same under the same id");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_loses_nothing() {
    let receiver = Receiver::start().await;
    let mut station = station(&receiver);
    station.set("NOTIFY__TARGETS__HQ__EVENTS", "branch_failed");
    station.set("NOTIFY__TARGETS__HQ__MAX_PER_MINUTE", "6000");
    station.migration("1_Bad.sql", BAD);
    station.start().await;
    let codes: Vec<String> = (0..12).map(|number| format!("BR{number:03}")).collect();
    register(&station, &codes.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for chunk in codes.chunks(3) {
        for code in chunk {
            assert!(!outcome(&station, code).await.success);
        }
        // Right after the answer: what caused the message is committed, and so is the message.
        station.kill();
        station.start().await;
    }
    let told = until("every branch", async || {
        let told = once_each(&receiver.requests());
        (told.len() >= 12).then_some(told)
    });
    let mut branches: Vec<_> =
        told.await.iter().map(|request| request.json()["branch"]["code"].as_str().unwrap().to_owned()).collect();
    branches.sort();
    assert_eq!(branches, codes);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_replicas_one_tells() {
    let database = postgres().await.fresh_database().await;
    let receiver = Receiver::start().await;
    let replica = || {
        let mut replica = station(&receiver);
        replica.set("HEAD_OFFICE__URL", &database.url());
        replica.set("NOTIFY__TARGETS__HQ__MAX_PER_MINUTE", "6000");
        replica.migration("1_Bad.sql", BAD);
        replica
    };
    let mut replicas: [Station; 2] = [replica(), replica()];
    for replica in &mut replicas {
        replica.start().await;
    }
    let codes: Vec<String> = (0..20).map(|number| format!("BR{number:03}")).collect();
    register(&replicas[0], &codes.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for (index, code) in codes.iter().enumerate() {
        assert!(!outcome(&replicas[index % 2], code).await.success);
    }
    for replica in &replicas {
        replica.migration("no number.sql", BAD);
    }
    let broken = until("the broken folder", async || {
        let all = receiver.requests();
        types(&all).contains(&"catalogue_broken".to_owned()).then_some(())
    });
    broken.await;
    // Both have seen it by then.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let told = receiver.requests();
    assert_eq!(told.len(), 41, "{:?}", types(&told));
    assert_eq!(once_each(&told).len(), 41, "nothing came twice");
}

use super::fake::{Fake, RUN, Then, run_over};
use super::process::Keeper;

const MANY: [&str; 4] = ["BR001", "BR002", "BR003", "BR004"];

async fn fake(failing: &[&str]) -> (Fake, String) {
    let fake = Fake::default();
    fake.with(|state| (state.events, state.result) = run_over(&MANY, failing));
    let server = fake.serve().await;
    (fake, server)
}

#[tokio::test]
async fn a_run_is_a_line_a_branch_and_a_summary() {
    let (_, server) = fake(&[]).await;
    let output = Keeper::new(&["up", "--all"]).server(&server).run().await;
    assert_eq!(output.code, 0, "{output:?}");
    let expected = format!(
        "Run {RUN}: 4 branches\n\
         BR001  Completed  1 migration applied  5ms\n\
         BR002  Completed  1 migration applied  5ms\n\
         BR003  Completed  1 migration applied  5ms\n\
         BR004  Completed  1 migration applied  5ms\n\
         4 branches: 4 succeeded; 4 migrations applied in 1.5s\n"
    );
    assert_eq!((output.stdout, output.stderr), (expected, String::new()));
}

#[tokio::test]
async fn failures_are_told_and_make_the_exit_code_1() {
    let (_, server) = fake(&["BR002"]).await;
    let output = Keeper::new(&["up", "--all"]).server(&server).run().await;
    assert_eq!(output.code, 1, "{output:?}");
    let expected = "\
BR002  Failed  1 migration applied  5ms
    near \"CREAT\": syntax error
    in 2_b.up.sql:12
    hint: correct the file
";
    assert!(output.stdout.contains(expected), "{}", output.stdout);
    assert!(
        output.stdout.ends_with("4 branches: 3 succeeded, 1 failed; 4 migrations applied in 1.5s\nfailed: BR002\n")
    );
}

#[tokio::test]
async fn a_broken_stream_is_picked_up_where_it_broke() {
    for overlap in [0, 2] {
        let (fake, server) = fake(&[]).await;
        fake.with(|state| {
            state.overlap = overlap;
            // One event further each time, or with the overlap: the same two again and one more.
            state.script = [(3, Then::Break), (overlap + 2, Then::End), (overlap + 1, Then::Break)].into();
        });
        let output = Keeper::new(&["up", "--all", "--output", "json"]).server(&server).run().await;
        assert_eq!(output.code, 0, "{output:?}");
        let sequences: Vec<_> = output.json_lines().iter().map(|event| event["sequence"].as_i64().unwrap()).collect();
        assert_eq!(sequences, (1..=10).collect::<Vec<_>>());
        let watched: Vec<_> = fake.calls().into_iter().filter(|call| call.starts_with("watch")).collect();
        assert_eq!(watched, [3, 5, 6].map(|after| format!("watch {RUN} after {after}")));
        assert!(output.stderr.contains("connection lost (the cable is cut); attaching again, attempt 1 of"));
    }
}

#[tokio::test]
async fn a_stream_that_breaks_at_once_asks_for_the_same_run_again() {
    let (fake, server) = fake(&[]).await;
    fake.with(|state| state.script = [(0, Then::Break), (0, Then::End)].into());
    let output = Keeper::new(&["up", "BR001", "BR002", "BR003", "BR004"]).server(&server).run().await;
    assert_eq!(output.code, 0, "{output:?}");
    let calls = fake.calls();
    assert_eq!(calls.len(), 3);
    assert!(calls[0].starts_with("apply_all cli-") && calls.iter().all(|call| *call == calls[0]), "{calls:?}");
}

#[tokio::test]
async fn a_request_keeps_the_name_it_was_given() {
    let (fake, server) = fake(&[]).await;
    Keeper::new(&["up", "--all", "--request-id", "deploy-7"]).server(&server).run().await;
    assert_eq!(fake.calls(), ["apply_all deploy-7"]);
}

#[tokio::test]
async fn what_is_refused_for_good_is_not_tried_again() {
    let (fake, server) = fake(&[]).await;
    fake.with(|state| state.script = [(2, Then::Break), (0, Then::Refuse)].into());
    let output = Keeper::new(&["watch", RUN]).server(&server).run().await;
    assert_eq!(output.code, 3, "{output:?}");
    assert!(
        output.stderr.ends_with("error: there is no such run any more\nhint: list the runs\n"),
        "{}",
        output.stderr
    );
    assert_eq!(fake.calls().len(), 2);
}

#[tokio::test]
async fn ctrl_c_detaches_and_says_how_to_come_back() {
    let (fake, server) = fake(&[]).await;
    fake.with(|state| state.script = [(3, Then::Hang)].into());
    let mut running = Keeper::new(&["watch", RUN]).server(&server).start();
    running.until(|running| running.stdout().contains("BR001")).await;
    running.signal("INT");
    let output = running.end().await;
    assert_eq!(output.code, 130, "{output:?}");
    for expected in [format!("{server} watch {RUN} --after 3"), format!("{server} cancel {RUN}")] {
        assert!(output.stderr.contains(&expected), "{expected} in {}", output.stderr);
    }
}

#[tokio::test]
async fn one_branch_is_one_answer() {
    let (fake, server) = fake(&["BR002"]).await;
    let output = Keeper::new(&["up", "BR002", "--to", "5"]).server(&server).run().await;
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stdout.contains("BR002: failed; 4 migrations applied\n    near \"CREAT\""), "{}", output.stdout);
    assert_eq!(fake.calls(), ["apply BR002 to '5'"]);
    let output = Keeper::new(&["up", "BR002", "--output", "json"]).server(&server).run().await;
    let answer = output.json();
    assert_eq!((answer["run_id"].as_str(), answer["result"]["success"].as_bool()), (Some(RUN), Some(false)));
    assert_eq!(answer["result"]["duration"].as_f64(), Some(1.5));
    let output = Keeper::new(&["up", "BR002", "--statements"]).server(&server).run().await;
    assert_eq!(output.code, 2, "{output:?}");
}

#[tokio::test]
async fn what_is_known_of_a_branch() {
    let (fake, server) = fake(&[]).await;
    let run = |args: &'static [&'static str]| Keeper::new(args).server(&server).run();
    let output = run(&["pending", "BR001"]).await;
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (0, "MIGRATION  DOWN FILE\n1_a        yes\nBR001: 1 migration pending\n")
    );
    let output = run(&["history", "BR001"]).await;
    assert!(output.stdout.ends_with("BR001: Failed, 2 failures in a row\n    near \"CREAT\"\n"), "{}", output.stdout);
    let output = run(&["history", "BR001", "--output", "json"]).await.json();
    assert_eq!((output["status"].as_str(), &output["pending_migrations"][0]), (Some("Failed"), &"2_b".into()));
    let output = run(&["validate", "BR001"]).await;
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (1, "error MissingTable: the table Sales is missing\nBR001: Invalid\n")
    );
    fake.with(|state| state.valid = true);
    assert_eq!(run(&["validate", "BR001"]).await.code, 0);
    let output = run(&["retry", "BR001"]).await;
    assert!(output.code == 0 && output.stdout.contains("BR001") && output.stdout.contains("Pending"));
    let output = run(&["runs"]).await;
    assert!(output.stdout.contains(RUN) && output.stdout.contains("ApplyAll"));
    assert_eq!(run(&["runs", "--output", "json"]).await.json()["runs"][0]["state"], "Succeeded");
    assert_eq!(run(&["cancel", RUN]).await.code, 0);
    assert_eq!(fake.calls(), [format!("cancel {RUN}")]);
}

#[tokio::test]
async fn a_reader_that_leaves_is_no_failure() {
    let (_, server) = fake(&[]).await;
    let program =
        crate::support::Program::within("\"$0\" up --all | head -n 1").variable("BRANCHKEEPER_SERVER", &server);
    let output = tokio::task::spawn_blocking(move || program.run()).await.unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

use super::fake::Fake;
use super::process::Keeper;

#[tokio::test]
async fn a_branch_is_registered_shown_changed_and_forgotten() {
    let fake = Fake::default();
    let server = fake.serve().await;
    let run = |args: &'static [&'static str]| Keeper::new(args).server(&server).run();
    let add =
        ["branch", "add", "BR001", "--provider", "sqlite", "--name", "Old Town", "--label", "b=2", "--label", "a=1"];
    let output = Keeper::new(&add).server(&server).run().await;
    assert_eq!((output.code, output.stdout.as_str()), (0, "Branch BR001 is registered as id-BR001.\n"));
    assert_eq!(fake.with(|state| state.branches["BR001"].connection.clone()), None);
    let output = run(&["branch", "show", "BR001"]).await;
    assert!(
        output.stdout.contains("name      Old Town\n") && output.stdout.contains("labels    a=1,b=2\n"),
        "{output:?}"
    );
    let output = run(&["branch", "update", "BR001", "--name", "", "--remove-label", "a", "--inactive"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    let branch = run(&["branch", "show", "BR001", "--output", "json"]).await.json();
    assert_eq!(branch["labels"], serde_json::json!({ "b": "2" }));
    assert_eq!((branch["name"].as_str(), branch["is_active"].as_bool()), (Some(""), Some(false)));
    assert!(fake.calls().contains(&"update BR001 name,labels,is_active".to_owned()), "{:?}", fake.calls());
    let output = run(&["branch", "update", "BR001"]).await;
    assert!(output.code == 2 && output.stderr.contains("nothing to change"), "{output:?}");
    let output = run(&["branch", "remove", "BR001"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    let output = run(&["branch", "show", "BR001"]).await;
    assert_eq!((output.code, output.stderr.as_str()), (3, "error: there is no branch 'BR001'\nhint: list them\n"));
}

#[tokio::test]
async fn servers_are_given_by_url_or_flags() {
    let fake = Fake::default();
    let server = fake.serve().await;
    let url = ["--url", "postgres://keeper@db:5433/shop?schema=pos", "--password-ref", "env:P"];
    let add = [["branch", "add", "BR001", "--provider"].as_slice(), &["postgres"], &url].concat();
    assert_eq!(Keeper::new(&add).server(&server).run().await.code, 0);
    let update = ["branch", "update", "BR001", "--port", "6000", "--ssl-mode", "verify-full", "--output", "json"];
    let branch = Keeper::new(&update).server(&server).run().await.json();
    let connection = &branch["connection"]["server"];
    let expected = ("db", 6000, "shop", "pos", "keeper", "env:P", "verify_full");
    let text = |key: &str| connection[key].as_str().unwrap().to_owned();
    assert_eq!(connection["port"], expected.1);
    assert_eq!([text("host"), text("database"), text("schema")], [expected.0, expected.2, expected.3]);
    assert_eq!([text("username"), text("password_ref"), text("ssl_mode")], [expected.4, expected.5, expected.6]);
}

#[tokio::test]
async fn a_password_is_refused_before_anybody_is_asked_and_not_repeated() {
    let fake = Fake::default();
    let server = fake.serve().await;
    let cases: [&[&str]; 4] = [
        &["--url", "postgres://keeper:hunter2@db/shop"],
        &["--url", "postgres://keeper@db/shop?password=hunter2"],
        &["--url", "postgres://keeper@db/shop", "--password-ref", "hunter2"],
        &["--url", "hunter2"],
    ];
    for flags in cases {
        let args = [["branch", "add", "A", "--provider", "postgres"].as_slice(), flags].concat();
        let output = Keeper::new(&args).server(&server).run().await;
        assert_eq!(output.code, 2, "{output:?}");
        assert!(!output.stderr.contains("hunter2") && !output.stdout.contains("hunter2"), "{output:?}");
    }
    assert!(fake.calls().is_empty());
}

#[tokio::test]
async fn lists_are_read_to_their_end() {
    let fake = Fake::default();
    let server = fake.serve().await;
    let file = "- {code: A, provider: sqlite}\n- {code: B, provider: sqlite}\n- {code: C, provider: sqlite}\n";
    let import = Keeper::new(&["branch", "import", "-"]).server(&server).input(file);
    assert_eq!(import.run().await.code, 0);
    for (list, rows) in [(["branch", "list"].as_slice(), "branches"), (&["status"], "branches")] {
        let run = |more: &[&str]| Keeper::new(&[list, more].concat()).server(&server).run();
        let all = run(&["--output", "json"]).await.json();
        assert_eq!(all[rows].as_array().unwrap().len(), 3, "{all}");
        let some = run(&["--limit", "2"]).await;
        assert!(some.stdout.contains("The first 2; --limit shows more."), "{some:?}");
        assert!(!some.stdout.contains('\u{1b}'), "{some:?}");
        assert_eq!(run(&["--limit", "1", "--output", "json"]).await.json()[rows].as_array().unwrap().len(), 1);
    }
    let status = Keeper::new(&["status"]).server(&server).run().await;
    assert!(status.stdout.ends_with("3 branches: 3 Completed\n"), "{status:?}");
    let status = Keeper::new(&["status", "--output", "json"]).server(&server).run().await.json();
    assert_eq!((&status["totals"]["Failed"], &status["total_branches"]), (&0.into(), &3.into()));
}

#[tokio::test]
async fn a_connection_is_tried() {
    let server = Fake::default().serve().await;
    let good = Keeper::new(&["branch", "test", "GOOD"]).server(&server).run().await;
    assert!(good.code == 0 && good.stdout.starts_with("reachable in 2ms"), "{good:?}");
    let url = ["branch", "test", "--provider", "postgres", "--url", "postgres://keeper@nowhere/x"];
    let bad = Keeper::new(&url).server(&server).run().await;
    assert_eq!(
        (bad.code, bad.stdout.as_str()),
        (1, "not reachable\n    no route to host\n    hint: check the address\n")
    );
    let json = Keeper::new(&[url.as_slice(), &["--output", "json"]].concat()).server(&server).run().await;
    assert!(json.code == 1 && json.json()["reachable"] == false);
}

//! The commands that run the service, and the others against it.

use std::fs;
use std::net::TcpListener;

use super::process::{Keeper, Running, sample_migrations};
use crate::support::{Station, mariadb, mysql, postgres, temp_dir};

#[tokio::test]
async fn a_fleet_from_registration_to_validation() {
    let mut station = Station::new();
    station.migration("1_a.up.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);");
    station.migration("2_b.up.sql", "CREATE TABLE b (id INTEGER PRIMARY KEY);");
    station.start().await;
    let url = station.url();
    let run = |args: &'static [&'static str]| Keeper::new(args).server(&url).run();
    assert_eq!(run(&["health", "branchkeeper.v1.MigrationService"]).await.code, 0);
    let file = "- {code: BR001, provider: sqlite, name: Old Town}\n- {code: BR002, provider: sqlite}\n- {code: BR003, \
                provider: sqlite, is_active: false}\n";
    let import = || Keeper::new(&["branch", "import", "-"]).server(&url).input(file).run();
    assert_eq!(import().await.stdout.lines().last(), Some("3 created"));
    assert_eq!(import().await.stdout, "3 unchanged\n");
    let output = run(&["up", "BR001", "--to", "1"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    let output = run(&["up", "--all", "--statements"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains("BR002  2_b statement 1/1  "), "{output:?}");
    assert!(output.stdout.contains("2 branches: 2 succeeded; 3 migrations applied in "), "{output:?}");
    let output = run(&["up", "BR001", "BR003"]).await;
    assert!(output.code == 0 && output.stderr.contains("1 branch is inactive"), "{output:?}");
    assert_eq!(run(&["pending", "BR003", "--output", "json"]).await.json()["count"], 2);
    assert_eq!(run(&["validate", "BR001"]).await.code, 0);
    let runs = run(&["runs", "--output", "json"]).await.json();
    let id = runs["runs"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    let watch = Keeper::new(&["watch", &id, "--output", "json"]).server(&url).run().await;
    assert!(watch.code == 0 && watch.json_lines().last().unwrap()["run_finished"].is_object(), "{watch:?}");
    let output = run(&["up", "BR001", "--to", "77"]).await;
    assert!(
        output.code == 3 && output.stderr.starts_with("error: the catalogue has no migration '77'\n"),
        "{output:?}"
    );
    let output = run(&["branch", "show", "NOPE"]).await;
    assert_eq!((output.code, output.stderr.lines().count()), (3, 2), "{output:?}");
}

#[tokio::test]
async fn a_broken_migration_is_told_with_its_place() {
    let mut station = Station::new();
    station.migration("1_a.up.sql", "CREATE TABLE a (id INTEGER);\n\nCREAT TABLE b (id INTEGER);");
    station.start().await;
    let url = station.url();
    let add = Keeper::new(&["branch", "add", "BR001", "--provider", "sqlite"]).server(&url).run().await;
    assert_eq!(add.code, 0, "{add:?}");
    for args in [["up", "BR001"], ["up", "--all"]] {
        let output = Keeper::new(&args).server(&url).run().await;
        assert_eq!(output.code, 1, "{output:?}");
        assert!(output.stdout.contains("1_a.up.sql:3") && output.stdout.contains("CREAT"), "{output:?}");
    }
    let status = Keeper::new(&["status", "--status", "failed"]).server(&url).run().await;
    assert!(status.stdout.contains("BR001") && status.stdout.contains("1 branch: 1 Failed"), "{status:?}");
}

#[tokio::test]
async fn a_run_is_followed_through_the_death_of_the_service() {
    let mut station = Station::new();
    for (key, value) in [("LOCK__LEASE", "3s"), ("LOCK__WAIT", "5s"), ("PARALLEL__BRANCHES", "2")] {
        station.set(key, value);
    }
    // A fraction of a second for each branch, spent in the database.
    let slow = "CREATE TABLE a AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 300000) \
                SELECT max(x) AS x FROM n;";
    station.migration("1_a.up.sql", slow);
    station.start().await;
    let url = station.url();
    let file: String = (10..40).map(|n| format!("- {{ code: BR{n}, provider: sqlite }}\n")).collect();
    let import = Keeper::new(&["branch", "import", "-"]).server(&url).input(&file).run().await;
    assert_eq!(import.code, 0, "{import:?}");
    let mut running = Keeper::new(&["up", "--all", "--output", "json"]).server(&url).start();
    running.until(|running| running.stdout().matches("branch_finished").count() >= 3).await;
    station.kill();
    running.until(|running| running.stderr().contains("attaching again")).await;
    station.start().await;
    let output = running.end().await;
    assert_eq!(output.code, 0, "{output:?}");
    let events = output.json_lines();
    let sequences: Vec<_> = events.iter().map(|event| event["sequence"].as_i64().unwrap()).collect();
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]), "{sequences:?}");
    let mut finished: Vec<_> =
        events.iter().filter_map(|event| event["branch_finished"]["branch_code"].as_str()).collect();
    finished.sort_unstable();
    finished.dedup();
    assert_eq!(finished.len(), 30);
}

#[tokio::test]
async fn one_branch_is_asked_for_again_after_the_death_of_the_service() {
    let mut station = Station::new();
    for (key, value) in [("LOCK__LEASE", "3s"), ("LOCK__WAIT", "5s")] {
        station.set(key, value);
    }
    let slow = "CREATE TABLE a AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 10000000) \
                SELECT max(x) AS x FROM n;";
    station.migration("1_a.up.sql", slow);
    station.start().await;
    let url = station.url();
    let add = Keeper::new(&["branch", "add", "BR001", "--provider", "sqlite"]).server(&url).run().await;
    assert_eq!(add.code, 0, "{add:?}");
    let mut running = Keeper::new(&["up", "BR001", "--output", "json"]).server(&url).start();
    let file = station.sqlite_file("BR001");
    running.until(|_| file.exists()).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    station.kill();
    running.until(|running| running.stderr().contains("asking again")).await;
    station.start().await;
    let output = running.end().await;
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(output.json()["result"]["success"], true, "{output:?}");
    let runs = Keeper::new(&["runs", "--output", "json"]).server(&url).run().await.json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "{runs}");
}

#[tokio::test]
async fn the_service_stops_when_told_to() {
    let folder = temp_dir();
    fs::create_dir(folder.path().join("branch_migrations")).unwrap();
    for signal in ["TERM", "INT"] {
        let mut running = Keeper::new(&["serve", "--listen", "127.0.0.1:0"]).folder(folder.path()).start();
        running.until(|running| running.stderr().contains("\"serving\"")).await;
        running.signal(signal);
        let output = running.end().await;
        assert_eq!((output.code, output.stdout.as_str()), (0, ""), "{output:?}");
        for line in output.stderr.lines() {
            assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
        }
    }
}

#[tokio::test]
async fn a_service_that_cannot_start_says_why() {
    let folder = temp_dir();
    fs::create_dir(folder.path().join("branch_migrations")).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let serve = |args: &[&str]| Keeper::new(&[["serve"].as_slice(), args].concat()).folder(folder.path());
    let output = serve(&["--listen", &address]).run().await;
    assert!(output.code == 1 && output.stderr.contains(&address), "{output:?}");
    let output = serve(&["--listen", "0.0.0.0:0"]).run().await;
    assert!(output.code == 2 && output.stderr.contains("allow_unauthenticated"), "{output:?}");
    let output = serve(&["--config", "missing.toml"]).run().await;
    assert!(output.code == 2 && output.stderr.contains("missing.toml"), "{output:?}");
    fs::write(folder.path().join("branchkeeper.toml"), "[lock]\nleas = '60s'\n\n[head_office]\nurl = 'hunter2'\n")
        .unwrap();
    let output = serve(&[]).run().await;
    assert_eq!(output.code, 2, "{output:?}");
    for expected in ["branchkeeper.toml:2: unknown key 'lock.leas'; did you mean 'lock.lease'?", "branchkeeper.toml:5:"]
    {
        assert!(output.stderr.contains(expected), "{output:?}");
    }
    assert!(!output.stderr.contains("hunter2"));
}

#[tokio::test]
async fn the_demo_shows_a_fleet_and_serves_on() {
    let folder = temp_dir();
    let migrations = sample_migrations();
    let demo = || {
        let args =
            ["demo", "--branches", "30", "--listen", "127.0.0.1:0", "--migrations", migrations.to_str().unwrap()];
        Keeper::new(&args).folder(folder.path()).start()
    };
    // Twice: the second begins afresh.
    for _ in 0..2 {
        let mut running = demo();
        // Two pipes, two readers: the last of either may arrive first.
        let served = |running: &Running| running.stderr().contains("Serving until Ctrl-C");
        running.until(|running| served(running) && running.stdout().contains("up --all\n")).await;
        let shown = running.stdout();
        for expected in ["30 branches: 30 succeeded; 120 migrations applied", "BR001", "Aalborg", "grpcurl -plaintext "]
        {
            assert!(shown.contains(expected), "{expected} in {shown}");
        }
        let command = shown.lines().find(|line| line.contains(" status")).unwrap();
        let server = command.split_whitespace().nth(2).unwrap();
        let status = Keeper::new(&["status", "--output", "json"]).server(server).run().await.json();
        assert_eq!(status["totals"]["Completed"], 30);
        let other = demo().end().await;
        assert!(other.code == 1 && other.stderr.contains("another demo"), "{other:?}");
        running.signal("INT");
        let output = running.end().await;
        assert_eq!(output.code, 0, "{output:?}");
    }
}

/// Every server that is given is shown, each branch in a database of its own.
#[tokio::test]
async fn the_demo_shows_the_servers_that_it_is_given() {
    let folder = temp_dir();
    let migrations = sample_migrations();
    let mut servers = vec![postgres().await];
    servers.extend([mariadb().await, mysql().await].into_iter().flatten());
    let prefixes: Vec<String> = servers.iter().map(|server| server.unique_name()).collect();
    let mut args: Vec<String> = ["demo", "--branches", "8", "--listen", "127.0.0.1:0"].map(String::from).into();
    args.extend(["--migrations".into(), migrations.to_str().unwrap().into(), "--providers".into()]);
    for (index, (server, prefix)) in servers.iter().zip(&prefixes).enumerate() {
        let scheme = server.product.schemes()[0];
        let (user, host, port) = (&server.username, &server.host, server.port);
        args.push(format!("{scheme}{user}@{host}:{port}/{prefix}?passwordref=env:PASSWORD_{index}"));
    }
    let mut keeper = Keeper::new(&args.iter().map(String::as_str).collect::<Vec<_>>()).folder(folder.path());
    for (index, server) in servers.iter().enumerate() {
        keeper = keeper.variable(&format!("PASSWORD_{index}"), &server.password);
    }
    let mut running = keeper.start();
    running
        .until(|running| running.stderr().contains("Serving until Ctrl-C") && running.stdout().contains("up --all\n"))
        .await;
    let (shown, said) = (running.stdout(), running.stderr());
    assert!(shown.contains("8 branches: 8 succeeded; 32 migrations applied"), "{shown}");
    assert!(said.contains("Registered 8 branches on SQLite, PostgreSQL at"), "{said}");
    for (server, prefix) in servers.iter().zip(&prefixes) {
        assert!(said.contains(&format!("{}:{} (databases {prefix}_", server.host, server.port)), "{said}");
        assert!(!said.contains(&server.password) && !shown.contains(&server.password));
    }
    let command = shown.lines().find(|line| line.contains(" status")).unwrap();
    let address = command.split_whitespace().nth(2).unwrap();
    let list = Keeper::new(&["branch", "list", "--output", "json"]).server(address).run().await;
    let mut made: Vec<(usize, String)> = Vec::new();
    for word in list.stdout.split('"') {
        made.extend(prefixes.iter().position(|prefix| word.starts_with(&**prefix)).map(|at| (at, word.to_owned())));
    }
    running.signal("INT");
    assert_eq!(running.end().await.code, 0);
    for (at, database) in &made {
        servers[*at].drop_database(database);
    }
    assert!((0..servers.len()).all(|at| made.iter().any(|(which, _)| *which == at)), "{made:?}");
}

#[tokio::test]
async fn a_demo_that_cannot_be_says_why_and_touches_nothing() {
    let folder = temp_dir();
    let output = Keeper::new(&["demo", "--listen", "127.0.0.1:0"]).folder(folder.path()).run().await;
    assert!(output.code == 2 && output.stderr.contains("branch_migrations does not exist"), "{output:?}");
    let migrations = sample_migrations();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let args = ["demo", "--listen", &address, "--migrations", migrations.to_str().unwrap()];
    let output = Keeper::new(&args).folder(folder.path()).run().await;
    assert!(output.code == 1 && output.stderr.contains(&format!("{address} is taken")), "{output:?}");
    let output = Keeper::new(&["demo", "--listen", "0.0.0.0:0"]).folder(folder.path()).run().await;
    assert!(output.code == 2 && output.stderr.contains("can be reached from other machines"), "{output:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// `branchkeeper serve 2>&1 | head`: whoever read the log goes away, and the service neither panics nor hangs for it.
#[test]
fn a_log_that_nobody_reads_any_more_changes_nothing() {
    let folder = temp_dir();
    std::fs::create_dir(folder.path().join("migrations")).unwrap();
    let (mut command, listener) = crate::support::Program::new([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--migrations",
        "migrations",
        "--data",
        "data",
    ])
    .folder(folder.path())
    .into_parts("");
    let mut service = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut log = std::io::BufReader::new(service.stderr.take().unwrap());
    let (mut said, mut line) = (String::new(), String::new());
    while !line.contains(r#""message":"serving""#) {
        said += &line;
        line.clear();
        assert!(std::io::BufRead::read_line(&mut log, &mut line).unwrap() > 0, "the log ended");
    }
    drop(log);
    listener.hear(b"", said.as_bytes());
    let asked = std::process::Command::new("kill").args(["-TERM", &service.id().to_string()]).status().unwrap();
    assert!(asked.success());
    let begun = std::time::Instant::now();
    let ended = loop {
        if let Some(ended) = service.try_wait().unwrap() {
            break ended;
        }
        if begun.elapsed() > std::time::Duration::from_secs(30) {
            service.kill().unwrap();
            panic!("the service does not stop");
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert!(ended.success(), "{ended}");
}

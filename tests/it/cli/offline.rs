use std::fs;
use std::net::TcpListener;

use super::fake::Fake;
use super::process::{Keeper, sample_migrations};
use crate::support::temp_dir;

#[tokio::test]
async fn nobody_there_is_told_in_two_lines() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for command in [["status"].as_slice(), &["up", "--all"], &["up", "A"], &["branch", "list"], &["health"]] {
        let output = Keeper::new(command).server(&format!("http://{free}")).run().await;
        assert_eq!((output.code, output.stdout.as_str()), (3, ""), "{output:?}");
        let first = format!("error: no service can be reached at http://{free}: Connection refused");
        assert!(output.stderr.starts_with(&first) && output.stderr.lines().count() == 2, "{output:?}");
        assert!(output.stderr.contains("\nhint: start one with `branchkeeper serve`"), "{output:?}");
    }
}

#[tokio::test]
async fn wrong_usage_is_2() {
    for args in [["fly"].as_slice(), &["up"], &["branch"], &["status", "--limit", "0"], &["new", "bad name"]] {
        let output = Keeper::new(args).folder(temp_dir().path()).run().await;
        assert!(output.code == 2 && !output.stderr.is_empty(), "{args:?} {output:?}");
    }
    for server in ["ftp://keeper", "http://u:hunter2@keeper", "https://u:hunter2@keeper", "not an address"] {
        let output = Keeper::new(&["status"]).server(server).run().await;
        assert!(output.code == 2 && !output.stderr.contains("hunter2"), "{output:?}");
    }
}

#[tokio::test]
async fn help_is_no_error() {
    for args in [["--help"].as_slice(), &["--version"], &["branch", "import", "--help"]] {
        let output = Keeper::new(args).run().await;
        assert!(output.code == 0 && output.stderr.is_empty() && !output.stdout.is_empty(), "{output:?}");
    }
}

#[tokio::test]
async fn health_answers_by_its_exit_code() {
    let server = Fake::default().serve().await;
    let cases = [
        ("", 0, "SERVING\n"),
        ("branchkeeper.v1.BranchService", 0, "SERVING\n"),
        ("branchkeeper.v1.MigrationService", 1, "NOT_SERVING\n"),
        ("no.such.Service", 3, ""),
    ];
    for (service, code, stdout) in cases {
        let output = Keeper::new(&["health", service]).server(&server).run().await;
        assert_eq!((output.code, output.stdout.as_str()), (code, stdout), "{output:?}");
    }
}

#[tokio::test]
async fn a_migration_is_begun() {
    let folder = temp_dir();
    let run = |args: &'static [&'static str]| Keeper::new(args).folder(folder.path()).run();
    let output = run(&["new", "AddDiscount"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    let paths: Vec<_> = output.stdout.lines().collect();
    assert_eq!(paths.len(), 2);
    assert!(paths[0].starts_with("branch_migrations/2") && paths[0].ends_with("_AddDiscount.yaml"), "{paths:?}");
    assert_eq!(paths[1], "branch_migrations/migration.schema.json");
    assert!(folder.path().join(paths[1]).is_file());
    let output = run(&["new", "AddTotals", "--sql"]).await;
    let paths: Vec<_> = output.stdout.lines().collect();
    assert!(paths[0].ends_with("_AddTotals.up.sql") && paths[1].ends_with("_AddTotals.down.sql"), "{paths:?}");
    let output = run(&["new", "AddView", "--provider", "postgres", "--dir", "other", "--output", "json"]).await;
    let files = output.json()["files"].as_array().unwrap().len();
    assert_eq!((output.code, files), (0, 2));
    assert_eq!(fs::read_dir(folder.path().join("other")).unwrap().count(), 2);
}

#[tokio::test]
async fn a_folder_is_checked() {
    let sample = sample_migrations();
    let output = Keeper::new(&["check", "--migrations", sample.to_str().unwrap()]).run().await;
    assert!(output.code == 0 && output.stdout.contains("no problems"), "{output:?}");
    let folder = temp_dir();
    fs::write(folder.path().join("1_a.up.sql"), "SELECT 1;").unwrap();
    fs::write(folder.path().join("nonsense.sql"), "SELECT 1;").unwrap();
    fs::write(folder.path().join("2_b.up.sql"), "").unwrap();
    let check = || Keeper::new(&["check"]).variable("BRANCHKEEPER_MIGRATIONS", folder.path().to_str().unwrap());
    let output = check().run().await;
    assert_eq!(output.code, 1, "{output:?}");
    assert!(output.stdout.contains("2_b.up.sql:") && output.stdout.contains("nonsense.sql:"), "{output:?}");
    let output = check().variable("BRANCHKEEPER__LOG__LEVEL", "loud").run().await;
    assert!(output.code == 2 && output.stderr.contains("BRANCHKEEPER__LOG__LEVEL: log.level: 'loud'"), "{output:?}");
    let output = Keeper::new(&["check", "--output", "json"]).folder(folder.path()).run().await;
    assert_eq!((output.code, output.json()["is_valid"].as_bool()), (1, Some(false)), "{output:?}");
}

#[tokio::test]
async fn shells_get_their_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let output = Keeper::new(&["completions", shell]).run().await;
        assert!(output.code == 0 && output.stdout.contains("branchkeeper"), "{shell}");
    }
}

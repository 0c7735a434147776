use super::fake::Fake;
use super::process::{Keeper, Output};
use crate::support::Station;

const FLEET: &str = "\
- code: BR001
  name: Old Town
  provider: sqlite
- code: BR002
  provider: postgres
  connection:
    server: { host: db, database: br002, username: keeper, password_ref: env:P }
- code: BR003
  provider: sqlite
  is_active: false
";

struct Importing {
    fake: Fake,
    server: String,
}

impl Importing {
    async fn new() -> Self {
        let fake = Fake::default();
        let server = fake.serve().await;
        Self { fake, server }
    }

    async fn import(&self, file: &str, flags: &[&str]) -> Output {
        let args = [["branch", "import", "-"].as_slice(), flags].concat();
        Keeper::new(&args).server(&self.server).input(file).run().await
    }

    /// The changes that were asked for since the last time.
    fn changes(&self) -> Vec<String> {
        self.fake.with(|state| state.calls.drain(..).filter(|call| !call.starts_with("list")).collect())
    }
}

#[tokio::test]
async fn a_file_can_be_imported_again_and_again() {
    let importing = Importing::new().await;
    let output = importing.import(FLEET, &["--dry-run"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.starts_with("would create BR001\n") && importing.changes().is_empty(), "{output:?}");
    let output = importing.import(FLEET, &[]).await;
    assert_eq!((output.code, output.stdout.lines().last()), (0, Some("3 created")), "{output:?}");
    assert_eq!(importing.changes(), ["create BR001", "create BR002", "create BR003"]);
    let output = importing.import(FLEET, &[]).await;
    assert_eq!((output.code, output.stdout.as_str()), (0, "3 unchanged\n"));
    assert!(importing.changes().is_empty());
    let changed = FLEET.replace("Old Town", "New Town").replace("database: br002", "database: other");
    let output = importing.import(&changed, &["--output", "json"]).await;
    let report = output.json();
    assert_eq!(report["updated"][0], serde_json::json!({ "code": "BR001", "fields": ["name"] }));
    assert_eq!(report["unchanged"], serde_json::json!(["BR003"]));
    assert_eq!(importing.changes(), ["update BR001 name", "update BR002 connection"]);
}

#[tokio::test]
async fn pruning_asks_first() {
    let importing = Importing::new().await;
    importing.import(FLEET, &[]).await;
    importing.changes();
    let rest =
        "- { code: br002, provider: postgres, url: 'postgres://keeper@db/br002' }\n- { code: BR009, provider: sqlite }";
    let output = importing.import(rest, &["--prune"]).await;
    assert!(output.code == 2 && output.stderr.contains("2 branches are not in the file"), "{output:?}");
    assert!(importing.changes().is_empty());
    let output = importing.import(rest, &["--prune", "--dry-run"]).await;
    assert!(output.code == 0 && output.stdout.contains("would remove BR001\n"), "{output:?}");
    assert!(importing.changes().is_empty());
    let output = importing.import(rest, &["--prune", "--yes"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    // The URL comes without a password_ref: a connection is taken as a whole.
    let expected = ["delete BR001", "delete BR003", "create BR009", "update BR002 connection"];
    assert_eq!(importing.changes(), expected);
}

#[tokio::test]
async fn a_bad_file_changes_nothing() {
    let importing = Importing::new().await;
    let bad = format!("{FLEET}- code: 'BR 4'\n  provider: sqlite\n- code: br001\n  provider: sqlite\n");
    let output = importing.import(&bad, &[]).await;
    assert_eq!(output.code, 2, "{output:?}");
    for expected in ["-:11: 'BR 4' is not a branch code", "-:13: br001: the code is used on line 1 already"] {
        assert!(output.stderr.contains(expected), "{expected} in {}", output.stderr);
    }
    assert!(importing.fake.calls().is_empty());
    let output = Keeper::new(&["branch", "import", "no-such-file.yaml"]).server(&importing.server).run().await;
    assert!(output.code == 2 && output.stderr.contains("no-such-file.yaml: cannot be read"), "{output:?}");
    importing.import(FLEET, &[]).await;
    importing.changes();
    let moved = "- { code: BR009, provider: sqlite }\n- { code: BR001, provider: postgres, url: 'postgres://u@h/d' }";
    let output = importing.import(moved, &[]).await;
    assert!(output.code == 2 && output.stderr.contains("-:2: BR001: the provider"), "{output:?}");
    assert!(importing.changes().is_empty());
}

#[tokio::test]
async fn one_refusal_does_not_stop_the_others() {
    let importing = Importing::new().await;
    let output = importing.import(&FLEET.replace("Old Town", "refuse me"), &[]).await;
    assert_eq!(output.code, 3, "{output:?}");
    assert!(output.stdout.contains("cannot create BR001: the database is taken\nhint: use another\n"), "{output:?}");
    assert!(output.stdout.ends_with("2 created, 1 refused\n"), "{output:?}");
}

/// More branches than a caller may send calls for at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_keeps_to_the_rate_of_callers() {
    let mut station = Station::new();
    station.set("SERVER__REQUESTS_PER_SECOND", "50");
    station.set("SERVER__REQUEST_BURST", "5");
    station.migration("1_One.sql", "CREATE TABLE one (n INTEGER);\n");
    station.start().await;
    let file: String = (0..40).map(|index| format!("- code: BR{index:03}\n  provider: sqlite\n")).collect();
    let output = Keeper::new(&["branch", "import", "-"]).server(&station.url()).input(&file).run().await;
    assert_eq!(output.code, 0, "{output:?}");
    assert!(!output.stdout.contains("more calls than it may"), "{output:?}");
    assert_eq!(output.stdout.matches("created BR").count(), 40, "{output:?}");
}

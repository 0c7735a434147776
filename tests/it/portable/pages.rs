//! Every example of the pages under `docs/migrations/`, and some more, run: up, down where there is one, and up again; and
//! what the first makes of the catalog is what `tests/golden/portable_catalogs.txt` says. `UPDATE_GOLDEN=1` writes that
//! file anew, where every server but SQL Server is at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use branchkeeper::domain::{Catalogue, Provider};

use super::catalog::{Place, catalogue};
use super::facts::facts;
use super::more::MORE;

/// The examples that show what some server refuses.
const REFUSED: [&str; 2] = ["What a server cannot do", "Too little said"];

const PATTERNS: &str = "patterns.md";

struct Example {
    title: String,
    before: String,
    yaml: String,
}

/// The texts of a page's blocks that open with this.
fn block<'p>(text: &'p str, open: &str) -> Option<&'p str> {
    text.split_once(open)?.1.split_once("```\n").map(|(block, _)| block)
}

fn examples() -> Vec<Example> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/migrations");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // Its examples follow each other.
    paths.retain(|path| !path.ends_with(PATTERNS));
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let page = fs::read_to_string(&path).unwrap();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let before = block(&page, "```yaml before\n").unwrap_or("up:\n  - sql: SELECT 1\n").to_owned();
        for section in page.split("\n## ").skip(1) {
            let title = section.lines().next().unwrap();
            if let Some(yaml) = block(section, "```yaml\n") {
                found.push(Example {
                    title: format!("{stem}: {title}"),
                    before: before.clone(),
                    yaml: yaml.to_owned(),
                });
            }
        }
    }
    assert!(found.len() > 30, "only {} examples", found.len());
    found
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/portable_catalogs.txt")
}

/// By example and server, what came (`+`) and what went (`-`).
type Changes = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// A line that holds on some servers only says on which.
fn written(changes: &Changes) -> String {
    let mut out = String::new();
    for (title, of) in changes {
        let _ = writeln!(out, "== {title}");
        let all: BTreeSet<&String> = of.values().flatten().collect();
        for line in all {
            let on: Vec<&str> = of.iter().filter(|(_, lines)| lines.contains(line)).map(|(name, _)| &**name).collect();
            let _ = match on.len() == of.len() {
                true => writeln!(out, "{line}"),
                false => writeln!(out, "{line} @ {}", on.join(", ")),
            };
        }
    }
    out
}

/// What a server is to make of an example.
fn expected(golden: &str, title: &str, server: &str) -> BTreeSet<String> {
    let part = golden.split("== ").find_map(|part| part.strip_prefix(title)?.strip_prefix('\n')).unwrap_or_default();
    let on = |line: &str| match line.split_once(" @ ") {
        None => Some(line.to_owned()),
        Some((line, names)) => names.split(", ").any(|name| name == server).then(|| line.to_owned()),
    };
    part.lines().filter_map(on).collect()
}

#[tokio::test]
async fn every_example_runs_up_and_down_and_up() {
    let (mut run, mut wrong) = (0, Vec::new());
    let mut changes = Changes::new();
    let more = MORE.iter().map(|(title, before, yaml)| Example {
        title: format!("more: {title}"),
        before: (*before).to_owned(),
        yaml: (*yaml).to_owned(),
    });
    for example in examples().into_iter().chain(more) {
        let files = [("1_Before.yaml", example.before.as_str()), ("2_Example.yaml", example.yaml.as_str())];
        if REFUSED.iter().any(|title| example.title.ends_with(title)) {
            assert!(catalogue(&files).is_err(), "{}", example.title);
            continue;
        }
        let catalogue = catalogue(&files).unwrap_or_else(|problems| panic!("{}: {problems}", example.title));
        let (title, catalogue) = (&*example.title, &catalogue);
        // Each server works on its own.
        let checks = Place::all().await.into_iter().map(|mut place| async move {
            let found = check(&mut place, title, catalogue).await;
            (place.name(), place.provider(), found)
        });
        for (name, provider, found) in futures_util::future::join_all(checks).await {
            match found {
                Ok(found) => {
                    run += 1;
                    if provider != Provider::SqlServer {
                        changes.entry(title.to_owned()).or_default().insert(name, found);
                    }
                }
                Err(error) => wrong.push(format!("{title} on {name}: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(run > 100, "only {run} ran");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let whole = changes.values().all(|of| of.len() == 4);
        assert!(whole, "a server is missing, and what is expected of it would be lost");
        fs::write(golden(), written(&changes)).unwrap();
    }
    let golden = fs::read_to_string(golden()).unwrap();
    let told: BTreeSet<&str> = golden.lines().filter_map(|line| line.strip_prefix("== ")).collect();
    let known: BTreeSet<&str> = changes.keys().map(|title| &**title).collect();
    assert_eq!(told, known, "the examples whose catalogs are known, and the examples");
    for (title, of) in &changes {
        for (server, found) in of {
            let expected = expected(&golden, title, server);
            let (less, more): (Vec<_>, Vec<_>) =
                (expected.difference(found).collect(), found.difference(&expected).collect());
            if !less.is_empty() || !more.is_empty() {
                wrong.push(format!("{title} on {server}: lacks {less:#?}, has {more:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Gives what the way up has changed.
async fn check(place: &mut Place, title: &str, catalogue: &Catalogue) -> Result<BTreeSet<String>, String> {
    let [before, example] = catalogue.of(place.provider()).migrations() else {
        return Err("not two migrations".into());
    };
    if title.ends_with("In a schema") && place.provider() == Provider::Postgres {
        // The catalog is asked about the first of these that there is.
        place.lines("SELECT set_config('search_path', '\"Tills\", public', false)").await;
    }
    place.try_run(&before.up).await?;
    let (old, old_facts) = (place.catalog().await, facts(place).await);
    place.try_run(&example.up).await?;
    let (new, new_facts) = (place.catalog().await, facts(place).await);
    let come = new_facts.difference(&old_facts).map(|line| format!("+ {line}"));
    let changes = come.chain(old_facts.difference(&new_facts).map(|line| format!("- {line}"))).collect();
    let is_schema = !["insert", "update", "delete", "sql"].iter().any(|page| title.starts_with(&format!("{page}:")));
    if is_schema && !example.up.statements.is_empty() && !title.contains("In place of another") && old == new {
        return Err("changes nothing".into());
    }
    let Some(down) = &example.down else { return Ok(changes) };
    place.try_run(down).await?;
    // MySQL keeps the index that it has made for a foreign key.
    let is_mysql = place.provider() == Provider::MySql;
    let lasts = |line: &&String| !is_mysql || !line.contains(": FK_");
    let undone = place.catalog().await;
    let differs = |some: &BTreeSet<String>, other: &BTreeSet<String>| {
        some.difference(other).filter(lasts).cloned().collect::<Vec<_>>()
    };
    let (more, less) = (differs(&undone, &old), differs(&old, &undone));
    if !more.is_empty() || !less.is_empty() {
        return Err(format!("is not undone: + {more:#?} - {less:#?}"));
    }
    place.try_run(&example.up).await?;
    let again = place.catalog().await;
    let differs: Vec<_> = again.symmetric_difference(&new).collect();
    if differs.is_empty() { Ok(changes) } else { Err(format!("is another the second time: {differs:#?}")) }
}

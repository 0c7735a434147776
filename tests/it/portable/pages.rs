//! Every example of the pages under `docs/migrations/` runs: up, down where there is one, and up again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use branchkeeper::domain::{Catalogue, Provider};

use super::catalog::{Place, catalogue};

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

#[tokio::test]
async fn every_example_runs_up_and_down_and_up() {
    let (mut run, mut wrong) = (0, Vec::new());
    for example in examples() {
        let files = [("1_Before.yaml", example.before.as_str()), ("2_Example.yaml", example.yaml.as_str())];
        if REFUSED.iter().any(|title| example.title.ends_with(title)) {
            assert!(catalogue(&files).is_err(), "{}", example.title);
            continue;
        }
        let catalogue = catalogue(&files).unwrap_or_else(|problems| panic!("{}: {problems}", example.title));
        for mut place in Place::all().await {
            match check(&mut place, &example.title, &catalogue).await {
                Ok(()) => run += 1,
                Err(error) => wrong.push(format!("{} on {}: {error}", example.title, place.name())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(run > 100, "only {run} ran");
}

async fn check(place: &mut Place, title: &str, catalogue: &Catalogue) -> Result<(), String> {
    let [before, example] = catalogue.of(place.provider()).migrations() else {
        return Err("not two migrations".into());
    };
    place.try_run(&before.up).await?;
    let old = place.catalog().await;
    place.try_run(&example.up).await?;
    let new = place.catalog().await;
    let is_schema = !["insert", "update", "delete", "sql"].iter().any(|page| title.starts_with(&format!("{page}:")));
    if is_schema && !example.up.statements.is_empty() && !title.contains("In place of another") && old == new {
        return Err("changes nothing".into());
    }
    let Some(down) = &example.down else { return Ok(()) };
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
    if differs.is_empty() { Ok(()) } else { Err(format!("is another the second time: {differs:#?}")) }
}

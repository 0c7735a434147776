//! The releases of each pattern in `docs/migrations/patterns.md` follow each other: up, down and, with rows, up again.

use std::path::Path;

use branchkeeper::domain::Catalogue;

use super::catalog::{Place, catalogue};

const ROWS: &str = "up:
  - insert:
      table: Customers
      rows:
        - { Id: 1, Name: One, Fax: 123, Street: Long, City: Here }
        - { Id: 2, Name: Two, Fax: 456 }
";

/// Each pattern's title and the text of its migrations, the tables that all begin with first.
fn patterns() -> Vec<(String, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/migrations/patterns.md");
    let page = std::fs::read_to_string(path).unwrap();
    let blocks = |text: &str| -> Vec<String> {
        let blocks = text.split("```yaml").skip(1).map(|block| block.split_once('\n').unwrap().1);
        blocks.map(|block| block.split_once("```\n").unwrap().0.to_owned()).collect()
    };
    let mut sections = page.split("\n## ");
    let before = blocks(sections.next().unwrap());
    let pattern = |section: &str| {
        let all = [before.clone(), blocks(section)].concat();
        (section.lines().next().unwrap().to_owned(), all)
    };
    sections.map(pattern).collect()
}

async fn check(place: &mut Place, all: &Catalogue, rows: &Catalogue) -> Result<(), String> {
    let provider = place.provider();
    let [before, releases @ ..] = all.of(provider).migrations() else { return Err("no migrations".into()) };
    place.try_run(&before.up).await?;
    for release in releases {
        place.try_run(&release.up).await?;
    }
    let done = place.catalog().await;
    for release in releases.iter().rev() {
        let down = release.down.as_ref().ok_or_else(|| format!("{} has no way down", release.id))?;
        place.try_run(down).await.map_err(|error| format!("down: {error}"))?;
    }
    for migration in rows.of(provider).migrations() {
        place.try_run(&migration.up).await?;
    }
    for release in releases {
        place.try_run(&release.up).await.map_err(|error| format!("up again: {error}"))?;
    }
    let again = place.catalog().await;
    let differs: Vec<_> = again.symmetric_difference(&done).collect();
    if differs.is_empty() { Ok(()) } else { Err(format!("is another the second time: {differs:#?}")) }
}

#[tokio::test]
async fn every_pattern_runs_release_by_release() {
    let patterns = patterns();
    assert_eq!(patterns.len(), 3, "{patterns:?}");
    let rows = catalogue(&[("9_Rows.yaml", ROWS)]).unwrap();
    let mut wrong = Vec::new();
    for (title, texts) in patterns {
        let names: Vec<String> = (1..=texts.len()).map(|number| format!("{number}_Release.yaml")).collect();
        let files: Vec<(&str, &str)> = names.iter().zip(&texts).map(|(name, text)| (&**name, &**text)).collect();
        let all = catalogue(&files).unwrap_or_else(|problems| panic!("{title}: {problems}"));
        assert!(files.len() > 2, "{title}");
        for mut place in Place::all().await {
            if let Err(error) = check(&mut place, &all, &rows).await {
                wrong.push(format!("{title} on {}: {error}", place.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

//! Random schemas and changes: up, down and up again gives the same catalog on every server.
//!
//! `BRANCHKEEPER_PORTABLE_ROUNDS` sets how many schemas (20), `BRANCHKEEPER_PORTABLE_SEED` repeats a run.

use std::collections::BTreeSet;

use branchkeeper::domain::{Catalogue, Migration, Provider};

use super::catalog::{Place, catalogue};

use super::model::schema;

async fn catalog(place: &mut Place) -> BTreeSet<String> {
    let mut found = place.catalog().await;
    if place.provider() == Provider::MySql {
        // MySQL keeps the index that it has made for a foreign key.
        found.retain(|line| !line.contains(": FK_"));
    }
    found
}

fn differ(step: &str, was: &BTreeSet<String>, is: &BTreeSet<String>) -> Result<(), String> {
    let (gone, come): (Vec<_>, Vec<_>) = (was.difference(is).collect(), is.difference(was).collect());
    if gone.is_empty() && come.is_empty() { Ok(()) } else { Err(format!("{step}: - {gone:#?} + {come:#?}")) }
}

async fn check(place: &mut Place, migrations: &[std::sync::Arc<Migration>]) -> Result<(), String> {
    let mut steps = vec![catalog(place).await];
    for migration in migrations {
        place.try_run(&migration.up).await?;
        steps.push(catalog(place).await);
    }
    for (at, migration) in migrations.iter().enumerate().rev() {
        let down = migration.down.as_ref().ok_or_else(|| format!("{} has no way down", migration.id))?;
        place.try_run(down).await.map_err(|error| format!("down: {error}"))?;
        differ(&format!("{} is not undone", migration.id), &steps[at], &catalog(place).await)?;
    }
    for (at, migration) in migrations.iter().enumerate() {
        place.try_run(&migration.up).await.map_err(|error| format!("up again: {error}"))?;
        differ(&format!("{} is another the second time", migration.id), &steps[at + 1], &catalog(place).await)?;
    }
    for migration in migrations.iter().rev() {
        if let Some(down) = &migration.down {
            place.try_run(down).await.map_err(|error| format!("down again: {error}"))?;
        }
    }
    Ok(())
}

fn make(seed: u64) -> Catalogue {
    let files = schema(seed);
    let named: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
    catalogue(&named).unwrap_or_else(|problems| panic!("seed {seed}: {problems}\n{files:#?}"))
}

/// One schema after the other in the same database, which is empty in between.
async fn check_all(mut place: Place, made: &[(u64, Catalogue)]) -> Vec<String> {
    let begun = std::time::Instant::now();
    for (seed, all) in made {
        let migrations = all.of(place.provider()).migrations();
        if let Err(error) = check(&mut place, migrations).await {
            return vec![format!("BRANCHKEEPER_PORTABLE_SEED={seed} on {}: {error}", place.name())];
        }
    }
    println!("{}: {} schemas in {:.1} s", place.name(), made.len(), begun.elapsed().as_secs_f64());
    Vec::new()
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[tokio::test]
async fn random_schemas_are_made_undone_and_made_again() {
    let rounds = variable("BRANCHKEEPER_PORTABLE_ROUNDS").unwrap_or(20);
    let first = variable("BRANCHKEEPER_PORTABLE_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    println!("BRANCHKEEPER_PORTABLE_SEED={first}");
    let made: Vec<(u64, Catalogue)> = (first..first + rounds).map(|seed| (seed, make(seed))).collect();
    // Each server works on its own, for they need very different times.
    let checks = Place::all().await.into_iter().map(|place| check_all(place, &made));
    let wrong = futures_util::future::join_all(checks).await.concat();
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

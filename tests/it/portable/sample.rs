//! The sample's portable files make the same tables as the SQL that they took the place of, and undo them.

use std::collections::BTreeSet;
use std::path::Path;

use super::catalog::{Place, load};

#[tokio::test]
async fn the_sample_makes_the_same_tables_as_the_sql_before_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (old, new) = (load(&root.join("tests/fixtures/sample_sql")), load(&root.join("branch_migrations")));
    for (mut before, mut after) in Place::all().await.into_iter().zip(Place::all().await) {
        let name = before.name();
        before.up(&old).await;
        after.up(&new).await;
        let (was, is) = (facts(&mut before).await, facts(&mut after).await);
        let (gone, come): (Vec<_>, Vec<_>) = (was.difference(&is).collect(), is.difference(&was).collect());
        assert!(gone.is_empty() && come.is_empty(), "{name}: - {gone:#?} + {come:#?}");
        assert!(is.len() > 60, "{name}: only {} facts", is.len());
    }
}

#[tokio::test]
async fn the_sample_is_undone() {
    let sample = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("branch_migrations"));
    for mut place in Place::all().await {
        let name = place.name();
        let mut steps = Vec::new();
        for migration in sample.of(place.provider()).migrations() {
            steps.push(place.catalog().await);
            place.run(&migration.up).await;
        }
        for migration in sample.of(place.provider()).migrations().iter().rev() {
            place.run(migration.down.as_ref().unwrap_or_else(|| panic!("{name}: {}", migration.id))).await;
            assert_eq!(place.catalog().await, steps.pop().unwrap(), "{name}: {}", migration.id);
        }
    }
}

/// The catalog, blind to the two ways in which SQLite writes false.
async fn facts(place: &mut Place) -> BTreeSet<String> {
    place.catalog().await.into_iter().map(|line| line.replace("default=false", "default=0")).collect()
}

//! The database server is killed at random moments while its branches are migrated, and comes back.

use std::time::{Duration, Instant};

use rand::Rng;

use super::ten::{self, Place};
use super::{code, patience, patient, random, rounds};
use crate::support::{Product, Station, apply_all, ended, own, pb, server_branch};

const BRANCHES: usize = 4;

async fn branches_survive_their_server(product: Product) {
    let Some(server) = own(product).await else { return };
    let mut random = random();
    let mut station = Station::new();
    patient(&mut station);
    station.variable("BRANCH_PASSWORD", &server.password);
    ten::write_first(&station);
    ten::write(&station, 1, Some(product), true);
    station.start().await;
    let mut databases = Vec::new();
    for index in 0..BRANCHES {
        let database = server.fresh_database().await;
        station.register(server_branch(&code(index), server, &database.name, "env:BRANCH_PASSWORD")).await;
        databases.push(database);
    }
    let request = pb::ApplyAllRequest::default;
    // How long it takes undisturbed.
    let begun = Instant::now();
    assert!(ended(&apply_all(&station, request()).await).success);
    let mut usual = begun.elapsed();
    let mut newest = 1;
    let (mut round, mut disturbed) = (0, 0);
    // Some more where the machine was busy with others and the kills came too late.
    while round < rounds() || (disturbed == 0 && round < rounds() * 5) {
        round += 1;
        newest += 1;
        ten::write(&station, newest, Some(product), true);
        let moment = usual.mul_f64(random.random_range(0.05..0.6));
        let strike = async {
            tokio::time::sleep(moment).await;
            server.kill_and_restart().await;
        };
        let (events, ()) = tokio::join!(apply_all(&station, request()), strike);
        match ended(&events).success {
            true => usual = usual.mul_f64(0.7),
            false => disturbed += 1,
        }
    }
    println!("killed {} {round} times, {disturbed} of them while it was needed", product.name());
    assert!(disturbed > 0, "no kill came while the server was needed");
    let begun = Instant::now();
    loop {
        let result = ended(&apply_all(&station, request()).await);
        if result.success {
            break;
        }
        for error in &result.errors {
            // A session that died with the server may be remembered for a moment.
            let passes = [pb::FailureClass::Connection, pb::FailureClass::Locked];
            assert!(passes.contains(&error.class()), "{error:?}");
        }
        assert!(begun.elapsed() < patience(), "{result:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for (index, database) in databases.iter().enumerate() {
        Place::from(database).exactly_once(newest, &code(index)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_branches_survive_their_server() {
    branches_survive_their_server(Product::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_branches_survive_their_server() {
    branches_survive_their_server(Product::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_branches_survive_their_server() {
    branches_survive_their_server(Product::MySql).await;
}

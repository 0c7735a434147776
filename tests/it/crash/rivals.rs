//! Two services fight over the same branches, with one head office between them or with one each, and are killed now
//! and then.

use std::time::Duration;

use rand::Rng;

use super::ten::{self, Place};
use super::{code, completed, eager, patient, random, rounds, shared};
use crate::support::{Product, Station, pb, postgres, server_branch, sqlite_branch, temp_dir};

const BRANCHES: usize = 4;

/// Lets both services live and die, with news for both in each life, and ends with both alive.
async fn fight(stations: &mut [Station; 2], product: Option<Product>) -> usize {
    let mut random = random();
    let mut newest = 0;
    for round in 0..=rounds() {
        newest += 2;
        for number in newest - 1..=newest {
            for station in stations.iter() {
                ten::write(station, number, product, number.is_multiple_of(2));
            }
        }
        stations.iter_mut().for_each(Station::spawn);
        if round < rounds() {
            tokio::time::sleep(Duration::from_millis(random.random_range(100..1500))).await;
            let first = random.random_range(0..2);
            stations[first].kill();
            // The other one finds what the first has left.
            tokio::time::sleep(Duration::from_millis(random.random_range(0..500))).await;
            stations[1 - first].kill();
        }
    }
    for station in stations.iter_mut() {
        station.wait_until_serving().await;
        completed(station, BRANCHES, &ten::name(newest)).await;
    }
    newest
}

/// Both services know the same branches: from the head office that they share, or each by itself.
async fn rivals(product: Option<Product>, is_office_shared: bool) {
    let server = match product {
        Some(product) => match shared(product).await {
            Some(server) => Some(server),
            None => return,
        },
        None => None,
    };
    let office = if is_office_shared { Some(postgres().await.fresh_database().await) } else { None };
    let root = temp_dir();
    let mut stations = [Station::new(), Station::new()];
    let mut databases = Vec::new();
    if let Some(server) = server {
        for _ in 0..BRANCHES {
            databases.push(server.fresh_database().await);
        }
    }
    let branch = |index: usize| -> pb::Branch {
        match server {
            Some(server) => server_branch(&code(index), server, &databases[index].name, "env:BRANCH_PASSWORD"),
            None => sqlite_branch(&code(index)),
        }
    };
    for (number, station) in stations.iter_mut().enumerate() {
        patient(station);
        station.set("LOCK__WAIT", "200ms");
        station.set("SQLITE__ROOT", root.path().to_str().unwrap());
        if let Some(server) = server {
            station.variable("BRANCH_PASSWORD", &server.password);
        }
        if let Some(office) = &office {
            station.set("HEAD_OFFICE__URL", &office.url());
        }
        ten::write_first(station);
        station.start().await;
        for index in 0..BRANCHES {
            if number == 0 || !is_office_shared {
                station.register(branch(index)).await;
            }
        }
        station.kill();
        eager(station);
    }
    let newest = fight(&mut stations, product).await;
    for index in 0..BRANCHES {
        let place = match databases.get(index) {
            Some(database) => Place::from(database),
            None => Place::File(root.path().join(format!("{0}/Database/{0}.db", code(index)))),
        };
        place.exactly_once(newest, &code(index)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rivals_with_one_head_office_share_sqlite_branches() {
    rivals(None, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rivals_with_one_head_office_share_postgres_branches() {
    rivals(Some(Product::Postgres), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rivals_with_one_head_office_share_mariadb_branches() {
    rivals(Some(Product::MariaDb), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rivals_with_one_head_office_share_mysql_branches() {
    rivals(Some(Product::MySql), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rivals_with_one_head_office_share_sqlserver_branches() {
    rivals(Some(Product::SqlServer), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rivals_with_a_head_office_each_share_sqlite_branches() {
    rivals(None, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rivals_with_a_head_office_each_share_postgres_branches() {
    rivals(Some(Product::Postgres), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rivals_with_a_head_office_each_share_mariadb_branches() {
    rivals(Some(Product::MariaDb), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rivals_with_a_head_office_each_share_mysql_branches() {
    rivals(Some(Product::MySql), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rivals_with_a_head_office_each_share_sqlserver_branches() {
    rivals(Some(Product::SqlServer), false).await;
}

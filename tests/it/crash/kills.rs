//! The service is killed at random moments while it migrates.

use std::time::{Duration, Instant};

use branchkeeper::rpc::proto::ApplyAllRequest;
use rand::Rng;

use super::ten::{self, Place};
use super::{code, completed, eager, kills, patience, patient, random, shared};
use crate::support::{Product, Server, Station, pb, server_branch, sqlite_branch, watch};

const BRANCHES: usize = 12;
/// Migrations that are new in each life of the service.
const PER_LIFE: usize = 2;

/// Runs the lives and deaths of a service; gives how many migrations there are in the end. The kills come while its run is
/// under way, and at least some of them leave a branch half-way, which its ledger says.
async fn torment(station: &mut Station, product: Option<Product>, places: &[Place]) -> usize {
    let mut random = random();
    let (mut migrations, mut half_way, mut in_the_run) = (0, 0, 0);
    let mut usual = Duration::ZERO;
    ten::write_first(station);
    let mut killed = 0;
    let mut is_first = true;
    // Some more where the machine was busy with others and the kills came too early or too late.
    while killed < kills() || (half_way * 10 < kills() && killed < kills() * 4) {
        for _ in 0..PER_LIFE {
            migrations += 1;
            ten::write(station, migrations, product, migrations.is_multiple_of(2));
        }
        let begun = count(station, BEGINS);
        let over = count(station, OVER);
        station.spawn();
        let since = until(station, BEGINS, begun + 1).await;
        if is_first {
            // How long it takes undisturbed.
            completed(station, BRANCHES, &ten::name(migrations)).await;
            usual = since.elapsed();
            station.kill();
            is_first = false;
            continue;
        }
        tokio::time::sleep(usual.mul_f64(random.random_range(0.02..0.9)).saturating_sub(since.elapsed())).await;
        station.kill();
        killed += 1;
        let (in_run, hit) = (count(station, OVER) == over, are_half_way(places).await);
        in_the_run += usize::from(in_run);
        half_way += usize::from(hit);
        // The first run made the databases, too, and how busy the machine is changes.
        usual = match (in_run, hit) {
            (false, _) => usual.mul_f64(0.6),
            (true, false) => usual.mul_f64(1.2),
            (true, true) => usual,
        };
    }
    println!("killed {killed} times, {in_the_run} of them in a run, {half_way} with a branch half-way");
    assert!(half_way * 10 >= kills(), "most of the kills hit nothing: {half_way} of {killed}");
    station.start().await;
    completed(station, BRANCHES, &ten::name(migrations)).await;
    migrations
}

/// What the service says when a run begins and when it is over.
const BEGINS: &str = "run begins";
const OVER: &str = "run over";

fn count(station: &Station, text: &str) -> usize {
    station.log().matches(text).count()
}

/// Waits until the log holds a text so often.
async fn until(station: &Station, text: &str, wanted: usize) -> Instant {
    let begun = Instant::now();
    while count(station, text) < wanted {
        assert!(begun.elapsed() < patience(), "the service does not say '{text}'");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Instant::now()
}

/// Whether one of the branches stands in the middle of a migration.
async fn are_half_way(places: &[Place]) -> bool {
    for place in places {
        if place.number("SELECT COUNT(*) FROM \"__MigrationsHistory\" WHERE state = 'partial'").await > 0 {
            return true;
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_branches_survive_kills() {
    let mut station = Station::new();
    patient(&mut station);
    station.start().await;
    for index in 0..BRANCHES {
        station.register(sqlite_branch(&code(index))).await;
    }
    station.kill();
    eager(&mut station);
    let places: Vec<Place> = (0..BRANCHES).map(|index| Place::File(station.sqlite_file(&code(index)))).collect();
    let migrations = torment(&mut station, None, &places).await;
    for (index, place) in places.iter().enumerate() {
        place.exactly_once(migrations, &code(index)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_branches_survive_kills() {
    server_branches(Product::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_branches_survive_kills() {
    server_branches(Product::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_branches_survive_kills() {
    server_branches(Product::MySql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlserver_branches_survive_kills() {
    server_branches(Product::SqlServer).await;
}

async fn server_branches(product: Product) {
    let Some(server) = shared(product).await else { return };
    let mut station = Station::new();
    patient(&mut station);
    station.variable("BRANCH_PASSWORD", &server.password);
    station.start().await;
    let mut databases = Vec::new();
    for index in 0..BRANCHES {
        let name = server.unique_name();
        station.register(server_branch(&code(index), server, &name, "env:BRANCH_PASSWORD")).await;
        databases.push(Dropped { server, name });
    }
    station.kill();
    eager(&mut station);
    let places: Vec<Place> = databases.iter().map(|database| Place::Server(server, database.name.clone())).collect();
    let migrations = torment(&mut station, Some(product), &places).await;
    for (index, place) in places.iter().enumerate() {
        place.exactly_once(migrations, &code(index)).await;
    }
}

/// A database that the service makes and the test removes.
struct Dropped {
    server: &'static Server,
    name: String,
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.server.drop_database(&self.name);
    }
}

/// A run that was interrupted is taken up under its own id, and its events go on without a gap.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_goes_on_under_its_own_id() {
    let mut station = Station::new();
    station.set("LOCK__LEASE", "2s");
    ten::write_first(&station);
    for number in 1..=3 {
        ten::write(&station, number, None, false);
    }
    station.start().await;
    for index in 0..BRANCHES {
        station.register(sqlite_branch(&code(index))).await;
    }
    let request = ApplyAllRequest { max_parallel: 2, ..ApplyAllRequest::default() };
    let mut stream = station.migrations().await.apply_all(request).await.unwrap().into_inner();
    let mut last = 0;
    let mut run_id = String::new();
    let mut finished = 0;
    while finished < 3 {
        let event = stream.message().await.unwrap().unwrap().event.unwrap();
        assert_eq!(event.sequence, last + 1);
        last = event.sequence;
        run_id = event.run_id;
        finished += usize::from(matches!(event.event, Some(pb::run_event::Event::BranchFinished(_))));
    }
    station.kill();
    station.start().await;
    let events = watch(&station, &run_id, last).await;
    for event in &events {
        assert_eq!(event.sequence, last + 1);
        last = event.sequence;
    }
    let Some(pb::run_event::Event::RunFinished(end)) = &events.last().unwrap().event else {
        panic!("{events:?}");
    };
    let result = end.result.as_ref().unwrap();
    assert!(result.success, "{result:?}");
    assert_eq!(result.branches_succeeded as usize, BRANCHES);
}

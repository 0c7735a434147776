use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use branchkeeper::domain::{Migration, Provider};

use crate::support::pb::run_event::Event;
use crate::support::pb::{ApplyAllRequest, CreateBranchRequest, StatusRequest};
use crate::support::{Database, Product, Server, Station, server_branch, sqlite_branch};

/// How many branches at once, on both sides: what the service does unless it is told otherwise, per server.
pub(crate) const PARALLEL: usize = 16;

/// The branches of one comparison.
pub(crate) struct Fleet {
    pub(crate) kind: Kind,
    size: usize,
}

/// Where they live.
pub(crate) enum Kind {
    Sqlite,
    Server(&'static Server),
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("branch_migrations")
}

impl Fleet {
    pub(crate) fn sqlite(size: usize) -> Self {
        Self { kind: Kind::Sqlite, size }
    }

    pub(crate) fn on(server: &'static Server, size: usize) -> Self {
        Self { kind: Kind::Server(server), size }
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The sample's up scripts for this provider, in order, fit to be split again.
    pub(crate) fn scripts(&self) -> Vec<String> {
        let provider = match self.kind {
            Kind::Sqlite => Provider::Sqlite,
            Kind::Server(server) => match server.product {
                Product::Postgres => Provider::Postgres,
                Product::MariaDb | Product::MySql => Provider::MySql,
                Product::SqlServer => Provider::SqlServer,
            },
        };
        let catalogue = branchkeeper::source::load(&sample()).unwrap();
        let script = |migration: &std::sync::Arc<Migration>| {
            let statements: Vec<_> = migration.up.statements.iter().map(|each| each.sql.as_str()).collect();
            statements.join(if provider == Provider::SqlServer { "\nGO\n" } else { ";\n" })
        };
        catalogue.of(provider).migrations().iter().map(script).collect()
    }

    pub(crate) async fn fresh_databases(&self) -> Vec<Database> {
        let Kind::Server(server) = self.kind else { return Vec::new() };
        let mut databases = Vec::new();
        for _ in 0..self.size {
            databases.push(server.fresh_database().await);
        }
        databases
    }
}

pub(crate) fn station() -> Station {
    let mut station = Station::new();
    station.set("PARALLEL__BRANCHES", &PARALLEL.to_string());
    station.set("PARALLEL__PER_HOST", &PARALLEL.to_string());
    station.set("LOG__LEVEL", "warn");
    // One caller sends more than any caller should.
    station.set("SERVER__REQUESTS_PER_SECOND", "0");
    for entry in fs::read_dir(sample()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, station.migrations_folder().join(path.file_name().unwrap())).unwrap();
    }
    station
}

/// The service, and the branches that it has migrated.
pub(crate) struct Ours<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) station: Station,
    /// The databases on a server, in the order of the branches.
    pub(crate) databases: Vec<Database>,
    turns: usize,
}

impl<'a> Ours<'a> {
    pub(crate) async fn start(fleet: &'a Fleet) -> Self {
        let mut station = station();
        if let Kind::Server(server) = fleet.kind {
            station.variable("BRANCH_PASSWORD", &server.password);
        }
        station.start().await;
        Self { fleet, station, databases: Vec::new(), turns: 0 }
    }

    /// How many branches there are.
    pub(crate) fn size(&self) -> usize {
        self.turns * self.fleet.size
    }

    /// Migrates a fleet of new branches.
    pub(crate) async fn fresh(&mut self) -> Duration {
        let first = self.size();
        self.databases.extend(self.fleet.fresh_databases().await);
        let label = HashMap::from([("turn".to_owned(), self.turns.to_string())]);
        let mut client = self.station.branches().await;
        for index in first..first + self.fleet.size {
            let code = code(index);
            let mut branch = match self.fleet.kind {
                Kind::Sqlite => sqlite_branch(&code),
                Kind::Server(server) => {
                    server_branch(&code, server, &self.databases[index].name, "env:BRANCH_PASSWORD")
                }
            };
            branch.labels.clone_from(&label);
            client.create_branch(CreateBranchRequest { branch: Some(branch) }).await.unwrap();
        }
        self.turns += 1;
        let request = ApplyAllRequest { labels: label, ..ApplyAllRequest::default() };
        apply_all(&self.station, request, self.fleet.size, 4).await
    }

    /// Migrates all of them again, when nothing is left to do.
    pub(crate) async fn current(&self) -> Duration {
        apply_all(&self.station, ApplyAllRequest::default(), self.size(), 0).await
    }
}

/// The code of a branch by its number.
pub(crate) fn code(index: usize) -> String {
    format!("BR{index:05}")
}

async fn apply_all(station: &Station, request: ApplyAllRequest, branches: usize, migrations: usize) -> Duration {
    let mut client = station.migrations().await;
    let begun = Instant::now();
    let mut stream = client.apply_all(request).await.unwrap().into_inner();
    let mut applied = 0;
    while let Some(message) = stream.message().await.unwrap() {
        match message.event.unwrap().event {
            Some(Event::MigrationFinished(_)) => applied += 1,
            Some(Event::RunFinished(end)) => {
                let result = end.result.unwrap();
                assert!(result.success, "{:?}", result.errors.first());
                assert_eq!(result.branches_succeeded as usize, branches);
            }
            _ => {}
        }
    }
    assert_eq!(applied, branches * migrations);
    begun.elapsed()
}

/// The service's resident memory, in bytes, with this many registered branches, after a walk through all of them.
pub(crate) async fn memory_with_registered(count: usize) -> u64 {
    let mut station = station();
    station.start().await;
    let mut registering = tokio::task::JoinSet::new();
    for part in 0..16 {
        let mut client = station.branches().await;
        registering.spawn(async move {
            for index in (part..count).step_by(16) {
                let branch = Some(sqlite_branch(&code(index)));
                client.create_branch(CreateBranchRequest { branch }).await.unwrap();
            }
        });
    }
    while let Some(done) = registering.join_next().await {
        done.unwrap();
    }
    let mut client = station.migrations().await;
    let mut page_token = String::new();
    let mut seen = 0;
    loop {
        let request = StatusRequest { page_size: 1000, page_token, ..StatusRequest::default() };
        let page = client.status(request).await.unwrap().into_inner();
        seen += page.branches.len();
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, count);
    station.resident_bytes()
}

//! The network fails in the middle of a migration: at each of its statements, in each direction, and while one runs.

use std::sync::atomic::{AtomicBool, Ordering};

use super::held::{self, Blocker};
use super::ten::{self, Place};
use super::{applied_at_last, code, patient, shared};
use crate::support::{Database, Fate, Gap, Product, Proxy, Server, Station, Way, apply, outcome, pb, server_branch};

fn through(proxy: &Proxy, code: &str, database: &Database) -> pb::Branch {
    let mut branch = server_branch(code, database.server, &database.name, "env:BRANCH_PASSWORD");
    match &mut branch.connection.as_mut().unwrap().kind {
        Some(pb::connection::Kind::Server(server)) => {
            (server.host, server.port) = ("127.0.0.1".into(), proxy.port().into());
            server.ssl_mode = pb::SslMode::Disable.into();
        }
        other => panic!("{other:?}"),
    }
    branch
}

async fn station_for(server: &Server) -> Station {
    let mut station = Station::new();
    patient(&mut station);
    station.variable("BRANCH_PASSWORD", &server.password);
    station
}

/// The connection is cut when a statement is on its way to the server, and when its answer is on the way back.
async fn cut_at_every_statement(product: Product) {
    let Some(server) = shared(product).await else { return };
    let proxy = Proxy::to(&server.host, server.port).await;
    let mut station = station_for(server).await;
    ten::write_first(&station);
    ten::write(&station, 1, Some(product), true);
    station.start().await;
    let statements = ten::statements(1, Some(product), true);
    let mut cuts = 0;
    for (index, statement) in statements.iter().enumerate() {
        for fate in [Fate::Unsent, Fate::Unheard] {
            let what = format!("{} statement {}, {fate:?}", product.name(), index + 1);
            let database = server.fresh_database().await;
            let code = code(cuts);
            station.register(through(&proxy, &code, &database)).await;
            proxy.trap(statement, fate);
            let first = outcome(&station, &code).await;
            cuts += 1;
            assert_eq!(proxy.sprung(), cuts, "{what}");
            // It finds its own way, or asks for another try.
            if !first.success {
                assert_eq!(first.errors[0].class(), pb::FailureClass::Connection, "{what}: {first:?}");
                applied_at_last(&station, &code).await;
            }
            Place::from(&database).exactly_once(1, &what).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_at_any_statement_changes_everything_once_on_postgres() {
    cut_at_every_statement(Product::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_at_any_statement_changes_everything_once_on_mariadb() {
    cut_at_every_statement(Product::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_at_any_statement_changes_everything_once_on_mysql() {
    cut_at_every_statement(Product::MySql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_at_any_statement_changes_everything_once_on_sqlserver() {
    cut_at_every_statement(Product::SqlServer).await;
}

/// What happens to the connection while the server works on a statement.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// Both sides hear that it is gone.
    Cut,
    /// The server is not told, and finishes what it does.
    ClientLost,
    /// Nothing reaches the server any more.
    Silent(Way),
}

/// The network fails while the server works on a statement, which ends some time afterwards.
async fn trouble_in_a_statement(server: &'static Server, trouble: Trouble) {
    let what = format!("{} {trouble:?}", server.product.name());
    let database = server.fresh_database().await;
    let proxy = Proxy::to(&server.host, server.port).await;
    let mut station = station_for(server).await;
    station.set("LOCK__WAIT", "300ms");
    station.set("MIGRATION__CONNECT_TIMEOUT", "2s");
    if matches!(trouble, Trouble::Silent(_)) {
        // Long enough for a busy machine to arrive at the statement.
        station.set("MIGRATION__TIMEOUT", "8s");
    }
    station.start().await;
    station.register(through(&proxy, "BR001", &database)).await;
    held::write(&station, Some(server.product));
    let first =
        pb::ApplyRequest { branch: "BR001".into(), target_migration: "1_Before".into(), ..pb::ApplyRequest::default() };
    assert!(station.migrations().await.apply(first).await.unwrap().into_inner().result.unwrap().success, "{what}");
    let place = Place::from(&database);
    let blocker = Blocker::on(&place).await;
    let struck = AtomicBool::new(false);
    let strike = async {
        held::waits(server, &database.name).await;
        match trouble {
            Trouble::Cut => proxy.cut(),
            Trouble::ClientLost => proxy.lose_clients(),
            Trouble::Silent(way) => proxy.stall(way),
        }
        struck.store(true, Ordering::SeqCst);
    };
    let attempts = async {
        loop {
            let answer = apply(&station, "BR001").await;
            // On a busy machine an attempt can run out of time before it arrives at the statement.
            if struck.load(Ordering::SeqCst) {
                break answer;
            }
            println!("{what}: before the statement: {answer:?}");
        }
    };
    let (answer, ()) = tokio::join!(attempts, strike);
    // The branch is still locked by the session that was cut off, or the attempt has failed.
    if let Ok(answer) = answer {
        let result = answer.result.unwrap();
        let passes = [pb::FailureClass::Connection, pb::FailureClass::Locked, pb::FailureClass::Timeout];
        assert!(!result.success && passes.contains(&result.errors[0].class()), "{what}: {result:?}");
    }
    blocker.leave().await;
    if matches!(trouble, Trouble::ClientLost) {
        // The server learns of it some time after the statement.
        held::is_over(server, &database.name).await;
        proxy.cut();
    }
    proxy.flow();
    applied_at_last(&station, "BR001").await;
    held::exactly_once(&place, &what).await;
}

async fn trouble_in_statements(product: Product) {
    let Some(server) = shared(product).await else { return };
    if server.keeps_from(Gap::Sessions, "trouble while a statement runs").await {
        return;
    }
    tokio::join!(
        trouble_in_a_statement(server, Trouble::Cut),
        trouble_in_a_statement(server, Trouble::ClientLost),
        trouble_in_a_statement(server, Trouble::Silent(Way::Up)),
        trouble_in_a_statement(server, Trouble::Silent(Way::Down)),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_while_a_statement_runs_changes_everything_once_on_postgres() {
    trouble_in_statements(Product::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_while_a_statement_runs_changes_everything_once_on_mariadb() {
    trouble_in_statements(Product::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_while_a_statement_runs_changes_everything_once_on_mysql() {
    trouble_in_statements(Product::MySql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_while_a_statement_runs_changes_everything_once_on_sqlserver() {
    trouble_in_statements(Product::SqlServer).await;
}

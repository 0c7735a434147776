//! A connection is cut at a statement of which nothing that can be read tells whether it took effect.

use super::ten::{self, Place};
use super::{patient, shared};
use crate::support::{Fate, Product, Proxy, Station, outcome, pb, refused, server_branch, status_of};

/// A migration of ten statements whose sixth is of that kind; and a question whose answer is 1 when that
/// statement was executed once.
fn script(product: Product) -> (String, &'static str, &'static str) {
    let (prepare, doubtful, question) = match product {
        // An index without a name gets another one each time.
        Product::Postgres => (
            "CREATE TABLE extra (id INTEGER)",
            "CREATE INDEX CONCURRENTLY ON named (id)",
            "SELECT COUNT(*) FROM pg_index WHERE indrelid = 'named'::regclass AND indisvalid",
        ),
        // Of two statements, one of which no transaction takes.
        Product::SqlServer => (
            "CREATE TABLE extra (id INTEGER)",
            "INSERT INTO noted VALUES (1); ALTER DATABASE CURRENT SET AUTO_CLOSE OFF",
            "SELECT COUNT(*) FROM noted",
        ),
        _ => ("CREATE PROCEDURE note() INSERT INTO noted VALUES (1)", "CALL note()", "SELECT COUNT(*) FROM noted"),
    };
    let mark = |part: i64| format!("INSERT INTO audit VALUES (1, {part})");
    let statements = [
        mark(1),
        "CREATE TABLE named (id INTEGER)".to_owned(),
        "CREATE TABLE noted (n INTEGER)".to_owned(),
        prepare.to_owned(),
        mark(2),
        doubtful.to_owned(),
        mark(3),
        format!("ALTER TABLE named {} b INTEGER", ten::add(Some(product))),
        mark(4),
        "DROP TABLE IF EXISTS absent".to_owned(),
    ];
    let text = format!("-- branchkeeper: transaction-mode=None\n{}", ten::script(Some(product), &statements));
    (text, doubtful, question)
}

/// The branch waits for a person, who is told which statement it is, and after the answer everything was done once.
async fn a_person_is_asked(product: Product) {
    let Some(server) = shared(product).await else { return };
    for fate in [Fate::Unsent, Fate::Unheard] {
        let what = format!("{} {fate:?}", product.name());
        let (text, doubtful, question) = script(product);
        let database = server.fresh_database().await;
        let proxy = Proxy::to(&server.host, server.port).await;
        let mut station = Station::new();
        patient(&mut station);
        station.variable("BRANCH_PASSWORD", &server.password);
        ten::write_first(&station);
        let file = ten::file("0001_Doubt", Some(product));
        station.migration(&file, &text);
        station.start().await;
        let mut branch = server_branch("BR001", server, &database.name, "env:BRANCH_PASSWORD");
        if let Some(pb::connection::Kind::Server(server)) = &mut branch.connection.as_mut().unwrap().kind {
            (server.port, server.ssl_mode) = (proxy.port().into(), pb::SslMode::Disable.into());
        }
        station.register(branch).await;
        proxy.trap(doubtful, fate);
        let error = outcome(&station, "BR001").await.errors.remove(0);
        assert_eq!(proxy.sprung(), 1, "{what}");
        assert_eq!(
            (error.class(), error.line),
            (pb::FailureClass::Ambiguous, ten::line(Some(product), 1, 6)),
            "{what}: {error:?}"
        );
        // A batch of SQL Server keeps the semicolon at its end.
        let statement = error.statement.trim_end_matches(';');
        let named = (error.file.as_str(), error.migration_id.as_str(), statement);
        assert_eq!(named, (&*file, "0001_Doubt", doubtful), "{what}: {error:?}");
        assert_eq!((error.statements_done, error.statements_total), (5, 10), "{what}: {error:?}");
        assert_eq!(status_of(&station, "BR001").await.status(), pb::MigrationStatus::RequiresManualIntervention);

        let place = Place::from(&database);
        let applied = fate == Fate::Unheard;
        assert_eq!(place.number(question).await, i64::from(applied), "{what}");
        let answer =
            pb::ResolveRequest { branch: "BR001".into(), migration_id: "0001_Doubt".into(), applied: Some(applied) };
        station.migrations().await.resolve(answer.clone()).await.unwrap();
        assert!(outcome(&station, "BR001").await.success, "{what}");
        assert_eq!(place.number(question).await, 1, "{what}");
        let marks: Vec<_> = place.marks().await.into_iter().collect();
        assert_eq!(marks, (1..=4).map(|part| ((1, part), 1)).collect::<Vec<_>>(), "{what}");
        let late = station.migrations().await.resolve(answer).await;
        refused(late, tonic::Code::FailedPrecondition, "NOTHING_TO_RESOLVE");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_about_a_cut_on_postgres() {
    a_person_is_asked(Product::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_about_a_cut_on_mariadb() {
    a_person_is_asked(Product::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_about_a_cut_on_mysql() {
    a_person_is_asked(Product::MySql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_about_a_cut_on_sqlserver() {
    a_person_is_asked(Product::SqlServer).await;
}

use std::time::{Duration, Instant};

use super::{MARKS, branch_on, number_in, number_on, run_in, run_on, station_for};
use crate::support::pb::run_event::Event;
use crate::support::{
    Station, apply_all, ended, finished, outcome, own_postgres, pb, postgres, sqlite_branch, status_of, watch,
};

const CUSTOMERS: &str = "CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL);\n";
const UNIQUE: &str = "CREATE UNIQUE INDEX customers_email ON customers (email);\n";

/// flyway#1039 and #2995, django-tenants#177: one command takes a thousand databases, is interrupted by the death of the
/// service, goes on by itself, and has a result for each; "table already exists" never happens.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_branches_in_one_command_with_a_death_in_the_middle() {
    const BRANCHES: usize = 1000;
    let code = |index: usize| format!("BR{index:04}");
    let mut station = Station::new();
    station.set("LOCK__LEASE", "2s");
    station.migration("1_Customers.sql", CUSTOMERS);
    station.start().await;
    let mut client = station.branches().await;
    for index in 0..BRANCHES {
        let request = pb::CreateBranchRequest { branch: Some(sqlite_branch(&code(index))) };
        client.create_branch(request).await.unwrap();
    }
    let begun = Instant::now();
    let mut stream = station.migrations().await.apply_all(pb::ApplyAllRequest::default()).await.unwrap().into_inner();
    let (mut events, mut done) = (Vec::new(), 0);
    while done < BRANCHES / 3 {
        let event = stream.message().await.unwrap().unwrap().event.unwrap();
        done += usize::from(matches!(event.event, Some(Event::BranchFinished(_))));
        events.push(event);
    }
    station.kill();
    station.start().await;
    let last = events.last().unwrap();
    let rest = watch(&station, &last.run_id, last.sequence).await;
    events.extend(rest);
    let result = ended(&events);
    assert!(result.success, "{:?}", result.errors);
    assert_eq!((result.branches_processed, result.branches_succeeded), (1000, 1000));
    assert_eq!(result.applied_migrations.len(), BRANCHES, "what was applied before the death counts too");
    for index in 0..BRANCHES {
        assert_eq!(finished(&events, &code(index)).status(), pb::MigrationStatus::Completed);
    }

    // One of the thousand has data that the next change does not fit.
    run_in(&station.sqlite_file(&code(500)), "INSERT INTO customers (email) VALUES ('a'), ('a')").await;
    station.migration("2_Unique.sql", UNIQUE);
    let events = apply_all(&station, pb::ApplyAllRequest::default()).await;
    let result = ended(&events);
    assert_eq!((result.branches_succeeded, result.branches_failed, result.branches_skipped), (999, 1, 0));
    for index in 0..BRANCHES {
        let end = finished(&events, &code(index));
        assert_eq!(end.error.is_some(), index == 500, "{end:?}");
        assert_eq!(end.applied_migrations.len(), usize::from(index != 500), "{end:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "it took {:?}", begun.elapsed());
}

/// django-tenants#1157: one branch's bad data fails that branch only.
#[tokio::test(flavor = "multi_thread")]
async fn bad_data_in_one_database_fails_that_branch_only() {
    let server = postgres().await;
    let mut station = station_for(server);
    station.migration("1_Customers.sql", CUSTOMERS);
    station.start().await;
    let mut databases = Vec::new();
    for index in 0..6 {
        let database = server.fresh_database().await;
        station.register(branch_on(&format!("BR{index:03}"), &database, |_| {})).await;
        databases.push(database);
    }
    assert!(ended(&apply_all(&station, pb::ApplyAllRequest::default()).await).success);
    run_on(&databases[2], "INSERT INTO customers VALUES (1, 'a@b'), (2, 'a@b')").await;
    station.migration("2_Unique.sql", UNIQUE);
    let events = apply_all(&station, pb::ApplyAllRequest::default()).await;
    for index in 0..6 {
        let end = finished(&events, &format!("BR{index:03}"));
        let Some(error) = end.error else {
            assert_eq!((index != 2, end.applied_migrations), (true, vec!["2_Unique".to_owned()]));
            continue;
        };
        assert_eq!((index, error.class(), error.provider_code.as_str()), (2, pb::FailureClass::Sql, "23505"));
        assert!(error.message.contains("a@b") && !error.hint.is_empty(), "the offending value is told: {error:?}");
        assert_eq!((error.file.as_str(), error.line), ("2_Unique.sql", 1));
    }
    // When the data is corrected, the branch follows.
    run_on(&databases[2], "DELETE FROM customers WHERE id = 2").await;
    assert!(outcome(&station, "BR002").await.success);
    assert_eq!(status_of(&station, "BR002").await.retry_count, 0);
}

/// influitive/apartment#369, archtechx/tenancy#1420: the fifth of ten fails, and an asked-for undo touches only the branches
/// that were changed.
#[tokio::test(flavor = "multi_thread")]
async fn an_undo_after_a_failure_touches_only_the_branches_that_were_changed() {
    let code = |index: usize| format!("BR{index:03}");
    let mut station = Station::new();
    station.set("AUTO_MIGRATE__ENABLED", "true");
    station.set("AUTO_MIGRATE__INITIAL_DELAY", "1h");
    station.migration("1_Customers.sql", CUSTOMERS);
    station.start().await;
    for index in 0..10 {
        station.register(pb::Branch { is_active: Some(false), ..sqlite_branch(&code(index)) }).await;
        assert!(outcome(&station, &code(index)).await.success);
    }
    run_in(&station.sqlite_file(&code(4)), "INSERT INTO customers (email) VALUES ('a'), ('a')").await;
    station.migration("2_Unique.up.sql", UNIQUE);
    station.migration("2_Unique.down.sql", "DROP INDEX customers_email;\n");
    let mut changed = Vec::new();
    for index in 0..10 {
        let result = outcome(&station, &code(index)).await;
        assert_eq!(result.success, index != 4, "{result:?}");
        if !result.applied_migrations.is_empty() {
            changed.push(index);
        }
    }
    assert_eq!(changed.len(), 9);
    let index = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'customers_email'";
    let target = pb::rollback_request::Extent::TargetMigration("1".into());
    for each in &changed {
        assert_eq!(number_in(&station.sqlite_file(&code(*each)), index).await, 1);
        let extent = Some(target.clone());
        let request = pb::RollbackRequest { branch: code(*each), extent, ..Default::default() };
        let result = station.migrations().await.rollback(request).await.unwrap().into_inner().result.unwrap();
        assert_eq!((result.success, result.rolled_back_migrations.len()), (true, 1), "{result:?}");
    }
    for each in 0..10 {
        assert_eq!(number_in(&station.sqlite_file(&code(each)), index).await, 0);
        let status = status_of(&station, &code(each)).await;
        assert_eq!((status.hold.is_some(), status.last_migration_applied.as_str()), (each != 4, "1_Customers"));
    }
    // Asked for where nothing has to be undone, it does nothing.
    let request = pb::RollbackRequest { branch: code(4), extent: Some(target), ..Default::default() };
    let result = station.migrations().await.rollback(request).await.unwrap().into_inner().result.unwrap();
    assert!(result.success && result.rolled_back_migrations.is_empty(), "{result:?}");
    assert_eq!(number_in(&station.sqlite_file(&code(4)), "SELECT COUNT(*) FROM customers").await, 2);
}

/// django-tenants#1209: a database that is not there yet is created, or reported, and the others go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_yet_is_created_or_reported() {
    let server = postgres().await;
    let missing = crate::support::Database { server, name: server.unique_name() };
    let there = server.fresh_database().await;
    let mut station = station_for(server);
    station.set("MIGRATION__ENSURE_CREATED", "false");
    station.migration("1_Customers.sql", CUSTOMERS);
    station.start().await;
    station.register(branch_on("BR001", &missing, |_| {})).await;
    station.register(branch_on("BR002", &there, |_| {})).await;
    station.register(branch_on("BR003", &there, |server| server.schema = "Branch Three".into())).await;
    station.register(sqlite_branch("BR004")).await;
    let events = apply_all(&station, pb::ApplyAllRequest::default()).await;
    for (code, there) in [("BR001", false), ("BR002", true), ("BR003", false), ("BR004", false)] {
        let end = finished(&events, code);
        assert_eq!(end.error.is_none(), there, "{end:?}");
        let Some(error) = end.error else { continue };
        assert_eq!(error.class(), pb::FailureClass::Connection, "{error:?}");
        assert!(error.message.contains("does not exist") && !error.hint.is_empty(), "{error:?}");
    }
    assert!(!station.sqlite_file("BR004").exists());

    station.kill();
    station.set("MIGRATION__ENSURE_CREATED", "true");
    station.start().await;
    let result = ended(&apply_all(&station, pb::ApplyAllRequest::default()).await);
    assert!(result.success, "{result:?}");
    assert_eq!(number_on(&missing, "SELECT COUNT(*) FROM customers").await, 0);
    assert_eq!(number_on(&there, "SELECT COUNT(*) FROM \"Branch Three\".customers").await, 0);
    assert_eq!(number_in(&station.sqlite_file("BR004"), "SELECT COUNT(*) FROM customers").await, 0);
}

/// apartment#298: schemas of one database are branches of their own. One that works for long does not hold up another,
/// and each has its own tables and ledger.
#[tokio::test(flavor = "multi_thread")]
async fn schemas_of_one_database_do_not_wait_for_each_other() {
    let server = postgres().await;
    let database = server.fresh_database().await;
    let mut station = station_for(server);
    let wait = "DO $$ BEGIN WHILE current_schema() = 'slow' AND EXISTS (SELECT 1 FROM public.hold) LOOP \
                PERFORM pg_sleep(0.02); END LOOP; END $$;\n";
    station.migration(
        "1_Audit.postgres.sql",
        &format!("CREATE TABLE audit (n INTEGER);\n{wait}INSERT INTO audit VALUES (1);\n"),
    );
    station.start().await;
    run_on(&database, "CREATE TABLE public.hold (n INTEGER); INSERT INTO public.hold VALUES (1)").await;
    for (code, schema) in [("SLOW", "slow"), ("QUICK1", "quick1"), ("QUICK2", "quick2")] {
        station.register(branch_on(code, &database, |server| server.schema = schema.into())).await;
    }
    let all = apply_all(&station, pb::ApplyAllRequest::default());
    let others = async {
        for code in ["QUICK1", "QUICK2"] {
            super::eventually("the other schemas are migrated", async || {
                let done = status_of(&station, code).await.status() == pb::MigrationStatus::Completed;
                done.then_some(())
            })
            .await;
        }
        assert_eq!(status_of(&station, "SLOW").await.status(), pb::MigrationStatus::InProgress);
        run_on(&database, "DELETE FROM public.hold").await;
    };
    let (events, ()) = tokio::join!(all, others);
    assert!(ended(&events).success, "{events:?}");
    for schema in ["slow", "quick1", "quick2"] {
        assert_eq!(number_on(&database, &format!("SELECT COUNT(*) FROM {schema}.audit")).await, 1);
        let ledger = format!("SELECT COUNT(*) FROM {schema}.\"__MigrationsHistory\"");
        assert_eq!(number_on(&database, &ledger).await, 1);
    }
}

/// weasel#356 and apartment#476: every branch's connection is given back when its turn is over.
#[tokio::test(flavor = "multi_thread")]
async fn no_connection_stays_open_after_a_run() {
    let Some(server) = own_postgres().await else { return };
    let mut station = station_for(server);
    station.set("PARALLEL__PER_HOST", "4");
    station
        .migration("1_Audit.sql", "CREATE TABLE audit (n INTEGER);\nINSERT INTO audit SELECT 1 FROM pg_sleep(0.05);\n");
    station.start().await;
    let mut databases = Vec::new();
    for index in 0..24 {
        let database = server.fresh_database().await;
        station.register(branch_on(&format!("BR{index:03}"), &database, |_| {})).await;
        databases.push(database);
    }
    let mut watcher = server.connect_to("postgres").await;
    let open =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let run = apply_all(&station, pb::ApplyAllRequest::default());
    tokio::pin!(run);
    let mut most = 0;
    let events = loop {
        tokio::select! {
            events = &mut run => break events,
            seen = sqlx::query_scalar::<_, i64>(open).fetch_one(&mut watcher) => most = most.max(seen.unwrap()),
        }
    };
    assert!(ended(&events).success, "{:?}", ended(&events));
    // A session that was closed by the client is seen for a moment longer, and creating a database takes one too.
    assert!((1..=8).contains(&most), "{most} connections were open at once");
    super::eventually("every connection is closed", async || {
        let left: i64 = sqlx::query_scalar(open).fetch_one(&mut server.connect_to("postgres").await).await.unwrap();
        (left == 1).then_some(())
    })
    .await;
    for database in &databases {
        assert_eq!(number_on(database, MARKS).await, 1);
    }
}

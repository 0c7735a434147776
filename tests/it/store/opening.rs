use std::sync::Arc;

use branchkeeper::domain::SystemClock;
use branchkeeper::store::{HeadOffice, Location, StoreError};

use super::fixture::{Backend, Fixture, over_both_backends};
use crate::support;

over_both_backends!(it_is_there_again_after_a_restart, a_newer_version_is_refused, after_closing_calls_fail,);

async fn it_is_there_again_after_a_restart(f: Fixture) {
    let (id, branch) = (f.office.id().to_owned(), f.add("BR001").await);
    f.office.ping().await.unwrap();
    f.office.close().await;
    let again = HeadOffice::open(&f.backend.location(), f.clock.clone()).await.unwrap();
    assert_eq!(again.id(), id);
    assert_eq!(again.is_embedded(), !f.is_postgres());
    assert_eq!(again.branch(&"BR001".parse().unwrap()).await.unwrap(), Some(branch));
}

async fn a_newer_version_is_refused(f: Fixture) {
    f.office.close().await;
    drop(f.office.clone());
    f.tamper("INSERT INTO head_office_version (version, time) VALUES (999, 0)").await;
    let Fixture { office, backend, clock } = f;
    drop(office);
    let error = HeadOffice::open(&backend.location(), clock).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 999, .. }), "{error}");
}

async fn after_closing_calls_fail(f: Fixture) {
    let branch = f.add("BR001").await;
    f.office.close().await;
    f.office.close().await;
    assert!(matches!(f.office.ping().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(f.office.renew(branch.id, 1, super::fixture::TTL).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_data_folder_has_one_process() {
    let folder = support::temp_dir();
    let location = Location::Embedded(folder.path().join("made/when/missing"));
    let office = HeadOffice::open(&location, Arc::new(SystemClock)).await.unwrap();
    let error = HeadOffice::open(&location, Arc::new(SystemClock)).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StoreError::InUse { .. }), "{text}");
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    office.close().await;
    drop(office);
    HeadOffice::open(&location, Arc::new(SystemClock)).await.unwrap();
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = support::temp_dir();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = HeadOffice::open(&Location::Embedded(file.join("data")), Arc::new(SystemClock)).await.unwrap_err();
    assert!(matches!(&error, StoreError::BadLocation(text) if text.contains("file/data")), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = support::temp_dir();
    std::fs::write(folder.path().join("head-office.db"), "not a database at all ".repeat(100)).unwrap();
    let location = Location::Embedded(folder.path().to_owned());
    let error = HeadOffice::open(&location, Arc::new(SystemClock)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Damaged(text) if text.contains("not a database")), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_together_agree() {
    let database = support::postgres().await.fresh_database().await;
    let starts: Vec<_> = (0..6)
        .map(|_| {
            let location = Location::Postgres(database.head_office_url());
            tokio::spawn(async move { HeadOffice::open(&location, Arc::new(SystemClock)).await })
        })
        .collect();
    let mut ids = Vec::new();
    for start in starts {
        let office = start.await.unwrap().unwrap();
        assert!(!office.is_embedded());
        ids.push(office.id().to_owned());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[tokio::test]
async fn a_wrong_password_is_not_repeated() {
    let server = support::postgres().await;
    let url = format!("postgres://nobody:hunter2@{}:{}/postgres", server.host, server.port);
    let error = HeadOffice::open(&Location::Postgres(url), Arc::new(SystemClock)).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(matches!(error, StoreError::Unavailable(_)), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_reported_in_time() {
    let location = Location::Postgres("postgres://ann:hunter2@127.0.0.1:1/head".into());
    let begin = std::time::Instant::now();
    let error = HeadOffice::open(&location, Arc::new(SystemClock)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(begin.elapsed().as_secs() < 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_fail_as_unavailable_while_the_database_is_away() {
    let f = Fixture::postgres().await;
    let branch = f.add("BR001").await;
    let Backend::Postgres(database) = &f.backend else { unreachable!() };
    let mut admin = database.server.connect_to("postgres").await;
    let away = format!("{}_away", database.name);
    let mut rename = async |from: &str, to: &str| {
        let kill = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
        sqlx::query(kill).bind(from).fetch_all(&mut admin).await.unwrap();
        let rename = format!("ALTER DATABASE {from} RENAME TO {to}");
        sqlx::query(sqlx::AssertSqlSafe(rename)).execute(&mut admin).await.unwrap();
    };
    rename(&database.name, &away).await;
    let begin = std::time::Instant::now();
    let calls: Vec<_> = (0..300)
        .map(|_| {
            let (office, id) = (f.office.clone(), branch.id);
            tokio::spawn(async move { office.renew(id, 1, super::fixture::TTL).await })
        })
        .collect();
    for call in calls {
        let result = call.await.unwrap();
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
    }
    for result in
        [f.office.ping().await, f.office.state(branch.id).await.map(drop), f.office.retry(branch.id).await.map(drop)]
    {
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
    }
    assert!(begin.elapsed().as_secs() < 30, "nobody waits long: {:?}", begin.elapsed());
    rename(&away, &database.name).await;
    f.acquire(&branch).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_comes_back_when_the_server_does() {
    let f = Fixture::postgres().await;
    let branch = f.add("BR001").await;
    let Backend::Postgres(database) = &f.backend else { unreachable!() };
    for _ in 0..3 {
        // Every connection of head office dies, as when the server restarts.
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                    WHERE datname = current_database() AND pid <> pg_backend_pid()";
        sqlx::query(kill).execute(&mut database.connect().await).await.unwrap();
        f.office.ping().await.unwrap();
        let (before, token) = f.acquire(&branch).await;
        assert!(f.office.release(branch.id, token, &before).await.unwrap());
    }
}

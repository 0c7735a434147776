use std::fs;
use std::os::unix::fs::PermissionsExt;

use sqlx::{ConnectOptions, Connection, Executor};

use super::{FIRST, Snapshot, only_error};
use crate::support::{Station, outcome, pb, sqlite_branch, status_of};

async fn tested(station: &Station, branch: &str) -> pb::TestConnectionResponse {
    let target = Some(pb::test_connection_request::Target::Branch(branch.into()));
    let request = pb::TestConnectionRequest { target, provider: 0 };
    station.branches().await.test_connection(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_a_database_is_kept_as_it_is() {
    let mut station = Station::new();
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    let contents = [
        "a spreadsheet, perhaps".repeat(500).into_bytes(),
        // It begins like one.
        [b"SQLite format 3\0".to_vec(), vec![0xff; 8000]].concat(),
    ];
    for (code, bytes) in ["BR001", "BR002"].iter().zip(contents) {
        let file = station.sqlite_file(code);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, bytes).unwrap();
        station.register(sqlite_branch(code)).await;
        let before = Snapshot::of(&station).await.files;
        let test = tested(&station, code).await;
        assert!(!test.hint.is_empty() && test.message.contains(&format!("{code}.db")), "{test:?}");
        let error = only_error(&outcome(&station, code).await);
        assert!(error.message.contains("not a database") || error.message.contains("malformed"), "{error:?}");
        assert!(error.message.contains(&format!("{code}.db")), "{error:?}");
        assert_eq!(status_of(&station, code).await.status(), pb::MigrationStatus::Failed);
        assert_eq!(Snapshot::of(&station).await.files, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_the_files_place_is_refused_at_registration() {
    let mut station = Station::new();
    station.start().await;
    fs::create_dir_all(station.sqlite_file("BR001")).unwrap();
    let before = Snapshot::of(&station).await;
    let request = pb::CreateBranchRequest { branch: Some(sqlite_branch("BR001")) };
    let answer = station.branches().await.create_branch(request).await;
    let status = crate::support::refused(answer, tonic::Code::InvalidArgument, "INVALID_REQUEST");
    let details = crate::support::details(&status);
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "branch.connection.sqlite");
    assert_eq!(Snapshot::of(&station).await, before);
}

/// Registers one branch whose file is there already and one whose file is not, and checks that both fail alike.
async fn cannot_write(station: &mut Station) {
    station.start().await;
    for code in ["BR001", "BR002"] {
        station.register(sqlite_branch(code)).await;
        let test = tested(station, code).await;
        assert!(!test.hint.is_empty(), "{code}: {test:?}");
        let error = only_error(&outcome(station, code).await);
        assert!(error.hint.contains("write permission"), "{code}: {error:?}");
        assert_eq!(status_of(station, code).await.status(), pb::MigrationStatus::Failed);
    }
}

/// Makes the file of a branch that has one migration applied and lacks another.
async fn existing(station: &mut Station) {
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    assert!(outcome(station, "BR001").await.success);
    let request = pb::DeleteBranchRequest { branch: "BR001".into() };
    station.branches().await.delete_branch(request).await.unwrap();
    assert!(station.stop().success());
    station.migration("2_Orders.sql", super::SECOND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_file_system_is_named() {
    let mut station = Station::new();
    existing(&mut station).await;
    let root = station.data_folder().join("branches");
    let file = station.sqlite_file("BR001");
    let before = fs::read(&file).unwrap();
    let root = root.display();
    let script = format!(
        "cp -a '{root}' '{root}.copy'; mount -t tmpfs -o size=1m none '{root}'; cp -a '{root}.copy/.' '{root}'; \
         mount -o remount,bind,ro '{root}'"
    );
    if !station.mount(&script) {
        return;
    }
    cannot_write(&mut station).await;
    assert_eq!(fs::read(station.inside(&file)).unwrap(), before);
    assert!(!station.inside(&station.sqlite_file("BR002")).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_write_permission_is_named() {
    let mut station = Station::new();
    existing(&mut station).await;
    let file = station.sqlite_file("BR001");
    let root = station.data_folder().join("branches");
    let folders = [file.parent().unwrap().to_owned(), root];
    let allow =
        |mode| folders.iter().for_each(|each| fs::set_permissions(each, PermissionsExt::from_mode(mode)).unwrap());
    allow(0o555);
    if fs::write(folders[1].join("probe"), "").is_ok() {
        println!("skipped: the user of these tests may write everywhere, permissions or not");
        return allow(0o755);
    }
    fs::set_permissions(&file, PermissionsExt::from_mode(0o444)).unwrap();
    let before = fs::read(&file).unwrap();
    cannot_write(&mut station).await;
    assert_eq!(fs::read(&file).unwrap(), before);
    allow(0o755);
}

/// The disk fills up in the middle of a migration: nothing of it stays, and when there is space again it goes through.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_undoes_the_migration() {
    let mut station = Station::new();
    let root = station.data_folder().join("branches");
    fs::create_dir_all(&root).unwrap();
    if !station.mount(&format!("mount -t tmpfs -o size=256k none '{}'", root.display())) {
        return;
    }
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    assert!(outcome(&station, "BR001").await.success);
    let fill = "CREATE TABLE big (b BLOB);\nINSERT INTO big SELECT randomblob(100000) FROM \
                (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4);\n";
    station.migration("2_Big.sql", fill);
    let error = only_error(&outcome(&station, "BR001").await);
    assert!(error.message.contains("full") && error.hint.contains("space"), "{error:?}");
    assert_eq!(error.migration_id, "2_Big");
    // SQLite does not open a file through the process's own view, so it is looked at in a copy.
    let copy = station.data_folder().join("copy.db");
    fs::copy(station.inside(&station.sqlite_file("BR001")), &copy).unwrap();
    let mut branch = sqlx::sqlite::SqliteConnectOptions::new().filename(&copy).connect().await.unwrap();
    let tables =
        "SELECT (SELECT COUNT(*) FROM sqlite_schema WHERE name = 'big'), COUNT(*) FROM \"__MigrationsHistory\"";
    let (big, applied): (i64, i64) = sqlx::query_as(tables).fetch_one(&mut branch).await.unwrap();
    assert_eq!((big, applied), (0, 1));
    branch.close().await.unwrap();
    // Nor does a full disk let a branch be created by halves.
    let filler = station.inside(&root).join("filler");
    let _ = fs::write(&filler, vec![0; 1 << 20]);
    station.register(sqlite_branch("BR002")).await;
    let error = only_error(&outcome(&station, "BR002").await);
    assert!(error.hint.contains("space"), "{error:?}");

    fs::remove_file(&filler).unwrap();
    station.migration("2_Big.sql", "CREATE TABLE big (b BLOB);\n");
    for code in ["BR001", "BR002"] {
        let result = outcome(&station, code).await;
        assert!(result.success, "{result:?}");
    }
}

/// A file that another program keeps to itself is reported in time, and left alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_use_is_reported_in_time() {
    let mut station = Station::new();
    station.set("LOCK__WAIT", "300ms");
    station.set("MIGRATION__CONNECT_TIMEOUT", "1s");
    station.migration("1_Customers.sql", FIRST);
    station.start().await;
    station.register(sqlite_branch("BR001")).await;
    let file = station.sqlite_file("BR001");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut program = options.connect().await.unwrap();
    program.execute("CREATE TABLE theirs (id INTEGER); BEGIN IMMEDIATE; INSERT INTO theirs VALUES (1)").await.unwrap();
    let status = crate::support::apply(&station, "BR001").await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Aborted, "{status:?}");
    assert!(status.message().contains("writing to the file"), "{status:?}");
    assert_eq!(status_of(&station, "BR001").await.retry_count, 0);
    program.execute("COMMIT").await.unwrap();
    assert!(outcome(&station, "BR001").await.success);
}

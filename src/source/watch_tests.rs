use std::fs::{self, File};
use std::thread::sleep;

use tempfile::TempDir;

use super::*;

fn ids(watcher: &Watcher) -> Vec<String> {
    watcher.current().of(Provider::Sqlite).migrations().iter().map(|each| each.id.to_string()).collect()
}

fn write(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).unwrap();
}

#[test]
fn changes_are_noticed() {
    let folder = TempDir::new().unwrap();
    write(&folder, "1_A.sql", "a");
    let watcher = Watcher::open(folder.path());
    assert!(watcher.problems().is_none());
    assert_eq!(ids(&watcher), ["1_A"]);
    assert_eq!(watcher.reload_if_changed(), Reload::Unchanged);

    write(&folder, "2_B.sql", "b");
    assert_eq!(watcher.reload_if_changed(), Reload::Loaded);
    assert_eq!(ids(&watcher), ["1_A", "2_B"]);
    assert_eq!(watcher.reload_if_changed(), Reload::Unchanged);

    write(&folder, "2_B.down.sql", "c");
    assert_eq!(watcher.reload_if_changed(), Reload::Loaded);
    fs::remove_file(folder.path().join("1_A.sql")).unwrap();
    assert_eq!(watcher.reload_if_changed(), Reload::Loaded);
    assert_eq!(ids(&watcher), ["2_B"]);
}

#[test]
fn a_broken_folder_keeps_the_last_good_catalogue() {
    let folder = TempDir::new().unwrap();
    write(&folder, "1_A.sql", "a");
    let watcher = Watcher::open(folder.path());
    let good = watcher.current();

    write(&folder, "2_B.sql", "BEGIN");
    assert_eq!(watcher.reload_if_changed(), Reload::Broken);
    assert_eq!(watcher.reload_if_changed(), Reload::Unchanged);
    assert!(Arc::ptr_eq(&good, &watcher.current()));
    assert_eq!(watcher.problems().unwrap().0.len(), 1);

    write(&folder, "3_C.sql", "COMMIT");
    assert_eq!(watcher.reload_if_changed(), Reload::Broken);
    assert_eq!(watcher.problems().unwrap().0.len(), 2);

    fs::remove_file(folder.path().join("2_B.sql")).unwrap();
    fs::remove_file(folder.path().join("3_C.sql")).unwrap();
    assert_eq!(watcher.reload_if_changed(), Reload::Loaded);
    assert!(watcher.problems().is_none());
    assert!(Arc::ptr_eq(&good, &watcher.current()));
}

#[test]
fn a_missing_folder_is_a_problem_until_it_is_there() {
    let parent = TempDir::new().unwrap();
    let path = parent.path().join("migrations");
    let watcher = Watcher::open(&path);
    assert!(watcher.problems().is_some());
    assert!(ids(&watcher).is_empty());
    assert_eq!(watcher.reload_if_changed(), Reload::Unchanged);
    fs::create_dir(&path).unwrap();
    assert_eq!(watcher.reload_if_changed(), Reload::Loaded);
    assert!(watcher.problems().is_none());
    fs::remove_dir(&path).unwrap();
    assert_eq!(watcher.reload_if_changed(), Reload::Broken);
}

#[test]
fn a_change_that_keeps_size_and_time_is_noticed() {
    let folder = TempDir::new().unwrap();
    write(&folder, "1_A.sql", "a");
    let path = folder.path().join("1_A.sql");
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let set_back = || File::options().write(true).open(&path).unwrap().set_modified(hour_ago).unwrap();
    set_back();
    let watcher = Watcher::open(folder.path());
    let first = watcher.current();
    write(&folder, "1_A.sql", "b");
    set_back();
    assert_eq!(watcher.reload_if_changed(), Reload::Loaded);
    assert!(!Arc::ptr_eq(&first, &watcher.current()));
}

#[test]
fn an_old_folder_is_not_read_again() {
    let folder = TempDir::new().unwrap();
    write(&folder, "1_A.sql", "a");
    let watcher = Watcher::open(folder.path());
    let is_settled = || watcher.seen.lock().unwrap().as_ref().unwrap().is_settled;
    assert!(!is_settled());
    sleep(SETTLE + Duration::from_millis(100));
    assert_eq!(watcher.reload_if_changed(), Reload::Unchanged);
    assert!(is_settled());
    assert_eq!(watcher.reload_if_changed(), Reload::Unchanged);
}

//! What cannot be done is refused with a reason, and nothing has changed afterwards.

mod exposure;
mod files;
mod folder;
mod ledgers;
mod places;
mod requests;
mod servers;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Station, pb};

const FIRST: &str = "CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT NOT NULL);\n";
const SECOND: &str = "CREATE TABLE orders (id INTEGER PRIMARY KEY);\n";

/// Everything that a refused request must leave as it was.
#[derive(Debug, PartialEq)]
struct Snapshot {
    branches: Vec<pb::Branch>,
    states: Vec<pb::BranchStatus>,
    runs: Vec<pb::Run>,
    /// Every file below the root of the SQLite branches, byte for byte.
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Snapshot {
    async fn of(station: &Station) -> Self {
        let branches = pb::ListBranchesRequest { page_size: 1000, ..Default::default() };
        let states = pb::StatusRequest { page_size: 1000, ..Default::default() };
        let mut client = station.migrations().await;
        let mut files = BTreeMap::new();
        read_files(&station.data_folder().join("branches"), &mut files);
        Self {
            branches: station.branches().await.list_branches(branches).await.unwrap().into_inner().branches,
            states: client.status(states).await.unwrap().into_inner().branches,
            runs: client.list_runs(pb::ListRunsRequest::default()).await.unwrap().into_inner().runs,
            files,
        }
    }
}

fn read_files(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            found.insert(path.clone(), fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes());
        } else if path.is_dir() {
            found.insert(path.clone(), Vec::new());
            read_files(&path, found);
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}

/// The only error of a run over one branch that failed, with all that an error has to have.
fn only_error(result: &pb::MigrationResult) -> pb::MigrationError {
    assert!(!result.success, "{result:?}");
    assert_eq!((result.branches_failed, result.errors.len()), (1, 1), "{result:?}");
    let error = result.errors[0].clone();
    assert!(!error.message.is_empty() && !error.message.contains('\n') && !error.hint.is_empty(), "{error:?}");
    error
}

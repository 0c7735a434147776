use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::StoreError;
use crate::domain::{Time, shorten};

const DATABASE: &str = "head-office.db";
const LOCK: &str = "head-office.lock";

/// The data folder of an embedded head office, held by this process alone until it is released or the value is dropped.
///
/// SQLite itself would let two processes in; each would then think that the other's leases are left from a crash.
#[derive(Debug)]
pub(super) struct DataFolder {
    path: PathBuf,
    /// The operating system frees the lock with the file, also when the process is killed.
    lock: File,
}

impl DataFolder {
    /// Makes the folder if it does not exist and takes it.
    pub(super) fn take(path: &Path, now: Time) -> Result<Self, StoreError> {
        let fail = |what: &str, error: std::io::Error| {
            StoreError::BadLocation(format!(
                "the data folder {} cannot be used: {what}: {error}; check that it exists and may be written to",
                path.display()
            ))
        };
        fs::create_dir_all(path).map_err(|error| fail("it cannot be made", error))?;
        let private = |name: &str| {
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path.join(name))
        };
        let mut lock = private(LOCK).map_err(|error| fail(LOCK, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.read_to_string(&mut holder);
                let holder = if holder.trim().is_empty() { "another process" } else { holder.trim() };
                return Err(StoreError::InUse { folder: path.to_owned(), holder: shorten(holder, 200) });
            }
            Err(TryLockError::Error(error)) => return Err(fail("it cannot be locked", error)),
        }
        // Who holds it is only for people; not being able to write it is a full disk, which SQLite reports better.
        let text = format!("process {} since {}\n", std::process::id(), now.format("%Y-%m-%dT%H:%M:%SZ"));
        let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| lock.write_all(text.as_bytes()));
        // SQLite gives its side files the mode of the database, so it is enough to make that one private.
        private(DATABASE).map_err(|error| fail(DATABASE, error))?;
        Ok(Self { path: path.to_owned(), lock })
    }

    /// Lets other processes have the folder.
    pub(super) fn release(&self) {
        // A failure leaves it to the end of the process, which frees the lock for certain.
        let _ = self.lock.unlock();
    }

    /// The database file.
    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }
}

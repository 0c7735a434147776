use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// The file that marks a folder as a demo's own, and that a running demo holds locked.
const MARK: &str = "demo.lock";

/// An empty folder that belongs to this demo as long as the value lives.
#[derive(Debug)]
pub(super) struct Fresh {
    path: PathBuf,
    _lock: File,
}

impl Fresh {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes `path` an empty folder. What is in it is deleted only if an earlier demo made it, and none is using it.
pub(super) fn fresh(path: &Path) -> anyhow::Result<Fresh> {
    let shown = path.display();
    fs::create_dir_all(path).with_context(|| format!("the folder {shown} cannot be created"))?;
    let is_ours = path.join(MARK).is_file();
    let entries = || fs::read_dir(path).with_context(|| format!("the folder {shown} cannot be read"));
    if !is_ours && entries()?.next().is_some() {
        bail!("the folder {shown} was not made by a demo; remove it, or name another data folder with --data");
    }
    let lock = File::options().create(true).truncate(false).write(true).open(path.join(MARK));
    let lock = lock.with_context(|| format!("cannot write into the folder {shown}"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            bail!("another demo is using the folder {shown}; stop it, or name another data folder with --data")
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock the folder {shown}"));
        }
    }
    for entry in entries()? {
        let entry = entry.with_context(|| format!("the folder {shown} cannot be read"))?;
        if entry.file_name() != MARK {
            let path = entry.path();
            delete(&path).with_context(|| format!("{} of an earlier demo cannot be deleted", path.display()))?;
        }
    }
    Ok(Fresh { path: path.to_owned(), _lock: lock })
}

fn delete(path: &Path) -> io::Result<()> {
    // Of a symbolic link, only the link.
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_demo_is_cleared_away() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("data/demo");
        let first = fresh(&path).unwrap();
        assert_eq!(first.path(), path);
        fs::create_dir_all(path.join("branches/BR001")).unwrap();
        fs::write(path.join("head.db"), "x").unwrap();
        assert!(fresh(&path).unwrap_err().to_string().contains("another demo"));
        assert!(path.join("head.db").exists());
        drop(first);
        let _second = fresh(&path).unwrap();
        let left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [MARK]);
    }

    #[test]
    fn what_is_not_a_demos_stays() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("precious"), "x").unwrap();
        assert!(fresh(root.path()).unwrap_err().to_string().contains("not made by a demo"));
        assert!(root.path().join("precious").exists());
    }
}

use std::fs;
use std::io::ErrorKind as Io;
use std::path::{Component, Path, PathBuf};

use crate::provider::error::{ErrorKind, ProviderError};

/// A branch's file, known to lie under the root.
#[derive(Debug, Clone)]
pub(in crate::provider) struct SqliteFile {
    root: PathBuf,
    relative: String,
    path: PathBuf,
}

impl SqliteFile {
    /// Follows `relative` from `root`, symbolic links included, and refuses what leads out of the root or does not end at
    /// a regular file or at nothing. Neither the root nor the file has to exist.
    pub(in crate::provider) fn resolve(root: &Path, relative: &str) -> Result<Self, ProviderError> {
        let root = canonical_root(root)?;
        let (path, _) = follow(&root, relative)?;
        Ok(Self { root, relative: relative.to_owned(), path })
    }

    /// The same check again, just before the file is used: a link may have been put there since. Says whether there is a
    /// file.
    pub(in crate::provider) fn verify(&self) -> Result<bool, ProviderError> {
        let (path, exists) = follow(&self.root, &self.relative)?;
        if path == self.path {
            return Ok(exists);
        }
        let text = format!("{} leads to another file than before", self.path.display());
        Err(ProviderError::new(ErrorKind::Unsupported, text).hint("look for a symbolic link that was changed"))
    }

    /// The file's path, absolute and free of links.
    pub(in crate::provider) fn path(&self) -> &Path {
        &self.path
    }
}

fn canonical_root(root: &Path) -> Result<PathBuf, ProviderError> {
    let absolute = std::path::absolute(root).map_err(|error| io_error(&error, "use", root))?;
    let mut missing = Vec::new();
    let mut known = absolute.as_path();
    loop {
        match known.canonicalize() {
            Ok(mut found) => {
                found.extend(missing.into_iter().rev());
                return Ok(found);
            }
            Err(error) if error.kind() == Io::NotFound => match (known.file_name(), known.parent()) {
                (Some(name), Some(parent)) => {
                    missing.push(name);
                    known = parent;
                }
                _ => return Err(io_error(&error, "use", root)),
            },
            Err(error) => return Err(io_error(&error, "use", root)),
        }
    }
}

/// Where the path leads, and whether there is a file.
fn follow(root: &Path, relative: &str) -> Result<(PathBuf, bool), ProviderError> {
    let refuse = |what: &str| {
        let text = format!("the path '{}' {what}", crate::domain::shorten(relative, 200));
        Err(ProviderError::new(ErrorKind::Unsupported, text)
            .hint(format!("give a path of an ordinary file below {}", root.display())))
    };
    let companions = ["-wal", "-shm", "-journal"];
    if relative.is_empty() || relative.ends_with('/') || relative.contains('\0') {
        return refuse("does not name a file");
    }
    if companions.iter().any(|end| relative.ends_with(end)) {
        return refuse("has an ending that SQLite keeps for itself");
    }
    let mut path = root.to_path_buf();
    let mut exists = false;
    let mut parts = Path::new(relative).components().peekable();
    while let Some(part) = parts.next() {
        let name = match part {
            Component::Normal(name) => name,
            Component::CurDir => continue,
            _ => return refuse("leads out of the root"),
        };
        path.push(name);
        exists = false;
        let mut found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == Io::NotFound => continue,
            Err(error) => return Err(io_error(&error, "look at", &path)),
        };
        if found.is_symlink() {
            path = match path.canonicalize() {
                Ok(target) => target,
                Err(_) => return refuse("goes through a symbolic link that leads nowhere"),
            };
            if !path.starts_with(root) {
                return refuse("goes through a symbolic link that leads out of the root");
            }
            found = fs::metadata(&path).map_err(|error| io_error(&error, "look at", &path))?;
        }
        match parts.peek() {
            Some(_) if !found.is_dir() => return refuse("goes through something that is not a folder"),
            None if !found.is_file() => return refuse("is not an ordinary file"),
            _ => exists = true,
        }
    }
    Ok((path, exists))
}

/// The error for a failed operation on a file or folder.
pub(in crate::provider) fn io_error(error: &std::io::Error, verb: &str, path: &Path) -> ProviderError {
    let text = format!("could not {verb} {}: {error}", path.display());
    match error.kind() {
        Io::PermissionDenied | Io::ReadOnlyFilesystem => ProviderError::new(ErrorKind::ReadOnly, text)
            .hint("give the service's user write permission for the file and its folder"),
        Io::StorageFull | Io::QuotaExceeded => {
            ProviderError::new(ErrorKind::DiskFull, text).hint("free some space, then retry")
        }
        Io::NotADirectory | Io::AlreadyExists | Io::InvalidFilename => {
            ProviderError::new(ErrorKind::Unsupported, text).hint("choose another path")
        }
        _ => ProviderError::new(ErrorKind::Unreachable, text),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn kind(root: &Path, relative: &str) -> Result<PathBuf, ErrorKind> {
        SqliteFile::resolve(root, relative).map(|file| file.path).map_err(|error| error.kind)
    }

    #[test]
    fn paths_stay_below_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("root");
        assert_eq!(kind(&root, "a/b.db"), Ok(root.join("a/b.db")), "nothing has to exist");
        fs::create_dir_all(root.join("real")).unwrap();
        fs::write(dir.path().join("outside.db"), "").unwrap();
        fs::write(root.join("real/x.db"), "").unwrap();
        symlink(root.join("real"), root.join("inside")).unwrap();
        symlink(dir.path(), root.join("up")).unwrap();
        symlink("../outside.db", root.join("out.db")).unwrap();
        symlink("nowhere", root.join("dangling.db")).unwrap();
        assert_eq!(kind(&root, "./real/x.db"), Ok(root.join("real/x.db")));
        assert_eq!(kind(&root, "inside/x.db"), Ok(root.join("real/x.db")), "a link inside is the same file");
        for (path, exists) in [("real/x.db", true), ("inside/x.db", true), ("real/y.db", false), ("gone/x.db", false)] {
            assert_eq!(SqliteFile::resolve(&root, path).unwrap().verify().unwrap(), exists, "{path}");
        }
        for bad in ["../x.db", "a/../../x.db", "/etc/x.db", "up/x.db", "up/root/real/x.db", "out.db", "dangling.db"] {
            // "up/root/…" comes back in, but nobody needs it and the rule stays simple.
            assert_eq!(kind(&root, bad), Err(ErrorKind::Unsupported), "{bad}");
        }
        for bad in ["", "real", "real/", "real/x.db/y.db", "x.db-wal", "a\0b"] {
            assert_eq!(kind(&root, bad), Err(ErrorKind::Unsupported), "{bad}");
        }
    }

    #[test]
    fn a_link_put_there_later_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        let file = SqliteFile::resolve(&root, "a/b.db").unwrap();
        assert!(!file.verify().unwrap(), "there is no file");
        fs::create_dir_all(&root).unwrap();
        symlink(dir.path(), root.join("a")).unwrap();
        assert_eq!(file.verify().unwrap_err().kind, ErrorKind::Unsupported);
    }

    #[test]
    fn a_root_behind_a_link_is_resolved() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("real")).unwrap();
        symlink(dir.path().join("real"), dir.path().join("root")).unwrap();
        let file = SqliteFile::resolve(&dir.path().join("root"), "x.db").unwrap();
        assert_eq!(file.path(), dir.path().canonicalize().unwrap().join("real/x.db"));
    }
}

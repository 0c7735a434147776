use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

use super::file_name::is_ignored;
use super::problem::{Problem, shown};

/// The largest migration file, in bytes.
pub const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// The most files in a migrations folder.
pub const MAX_FILES: usize = 100_000;
/// The most bytes in all files of a migrations folder together.
pub const MAX_FOLDER_BYTES: u64 = 256 * 1024 * 1024;

/// A file of the folder, as far as the directory tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) stamp: Stamp,
}

/// What changes when a file's content does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    /// Device, inode and the time of the last change of any kind, which no tool can set back.
    identity: (u64, u64, i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
        };
        #[cfg(not(unix))]
        let identity = (0, 0, 0, 0);
        Self { modified: metadata.modified().ok(), identity }
    }

    /// The later of the two times at which the file is known to have changed.
    pub(super) fn time(&self) -> Option<SystemTime> {
        let (_, _, seconds, nanoseconds) = self.identity;
        let whole = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
        let part = u32::try_from(nanoseconds).unwrap_or_default();
        let changed = whole.and_then(|whole| SystemTime::UNIX_EPOCH.checked_add(std::time::Duration::new(whole, part)));
        self.modified.max(changed)
    }
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The files that are meant to be migrations, by name.
    pub(super) files: Vec<Entry>,
    /// What cannot be one.
    pub(super) problems: Vec<Problem>,
}

/// Lists a folder without opening a file.
pub(super) fn list(folder: &Path) -> Listing {
    let mut listing = Listing::default();
    let shown_folder = shown(&folder.to_string_lossy());
    if let Err(error) = fill(folder, &shown_folder, &mut listing) {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => "create the folder, or set the right path",
            io::ErrorKind::NotADirectory => "give the path of the folder that holds the migrations",
            _ => "check that the service may read it",
        };
        let message = format!("the migrations folder can't be read: {}", reason(&error));
        listing.problems.push(Problem::of_file(shown_folder, message, hint));
    }
    listing.files.sort_by(|a, b| a.name.cmp(&b.name));
    listing
}

fn fill(folder: &Path, shown_folder: &str, listing: &mut Listing) -> io::Result<()> {
    let mut total = 0u64;
    for (count, entry) in fs::read_dir(folder)?.enumerate() {
        let entry = entry?;
        if count >= MAX_FILES {
            let message = format!("the migrations folder has more than {MAX_FILES} files");
            listing.problems.push(Problem::of_file(shown_folder, message, "move what is no migration elsewhere"));
            return Ok(());
        }
        let name = entry.file_name();
        if is_ignored(&name.to_string_lossy()) {
            continue;
        }
        // Follows symbolic links: a mounted folder may consist of nothing else.
        match fs::metadata(entry.path()) {
            Err(error) => {
                let message = format!("can't be read: {}", reason(&error));
                let hint = "check its permissions, or where the link points";
                listing.problems.push(Problem::of_file(shown(&name.to_string_lossy()), message, hint));
            }
            Ok(metadata) => match classify(&name, &metadata) {
                Err(problem) => listing.problems.push(problem),
                Ok(name) => {
                    total = total.saturating_add(metadata.len());
                    listing.files.push(Entry { name, size: metadata.len(), stamp: Stamp::of(&metadata) });
                }
            },
        }
    }
    if total > MAX_FOLDER_BYTES {
        let message = format!("the files of the migrations folder have more than {} MiB", MAX_FOLDER_BYTES >> 20);
        listing.problems.push(Problem::of_file(
            shown_folder,
            message,
            "migrations are for schema; load data otherwise",
        ));
        listing.files.clear();
    }
    Ok(())
}

fn classify(name: &std::ffi::OsStr, metadata: &Metadata) -> Result<String, Problem> {
    let lossy = shown(&name.to_string_lossy());
    if metadata.is_dir() {
        let hint = "migrations lie flat in one folder; move its files up or the folder elsewhere";
        return Err(Problem::of_file(lossy, "is a folder", hint));
    }
    if !metadata.is_file() {
        return Err(Problem::of_file(lossy, "is not a regular file", "remove it"));
    }
    match name.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(Problem::of_file(lossy, "has a name that is not UTF-8", "rename it")),
    }
}

/// Reads a file, at most [`MAX_FILE_BYTES`] of it.
pub(super) fn read(folder: &Path, name: &str) -> Result<Vec<u8>, Problem> {
    let content = File::open(folder.join(name)).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    match content {
        Ok(bytes) if bytes.len() as u64 > MAX_FILE_BYTES => {
            let message = format!("is larger than {} MiB", MAX_FILE_BYTES >> 20);
            Err(Problem::of_file(name, message, "spread it over several migrations"))
        }
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(Problem::of_file(
            name,
            format!("can't be read: {}", reason(&error)),
            "check that the service may read it",
        )),
    }
}

/// What kept something from being read: the kind of trouble, or what the system says of one that is of no common kind.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        kind @ (io::ErrorKind::NotFound
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory) => kind.to_string(),
        _ => error.to_string(),
    }
}

//! Files whose content is needed again and again, and read again when they have changed.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tracing::{info, warn};

/// The least time between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

type Reader<T> = Box<dyn Fn(&[Vec<u8>]) -> Result<T, String> + Send + Sync>;

/// What is made of some files. While they cannot be read or made sense of, the last good value stays.
pub(super) struct Watched<T> {
    what: &'static str,
    files: Vec<PathBuf>,
    read: Reader<T>,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Arc<T>,
    /// How the files looked when the value was read.
    good: Vec<Stamp>,
    /// How they looked when that last failed.
    bad: Vec<Stamp>,
    looked: Instant,
}

/// How a file looks from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

impl<T> Watched<T> {
    /// Reads the files for the first time. `what` is what the log calls them.
    ///
    /// # Errors
    /// Says which file cannot be read, or what `read` finds wrong with them.
    pub(super) fn open(
        what: &'static str,
        files: Vec<PathBuf>,
        read: impl Fn(&[Vec<u8>]) -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let good = stamps(&files);
        let value = Arc::new(read(&contents(&files)?)?);
        let state = State { value, good, bad: Vec::new(), looked: Instant::now() };
        Ok(Self { what, files, read: Box::new(read), state: Mutex::new(state) })
    }

    /// The value as of a moment ago.
    pub(super) fn current(&self) -> Arc<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK_EVERY {
            state.looked = Instant::now();
            let now = stamps(&self.files);
            if now != state.good {
                self.reload(&mut state, now);
            }
        }
        Arc::clone(&state.value)
    }

    fn reload(&self, state: &mut State<T>, now: Vec<Stamp>) {
        match contents(&self.files).and_then(|contents| (self.read)(&contents)) {
            Ok(value) => {
                info!(files = ?self.files, "{} read again", self.what);
                state.value = Arc::new(value);
                state.good = now;
                state.bad = Vec::new();
            }
            // Often just half written: the next look tells.
            Err(error) if state.bad != now => {
                warn!(files = ?self.files, error, "{} changed and cannot be used; what was read before stays", self.what);
                state.bad = now;
            }
            Err(_) => {}
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    files.iter().map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Stamp {
    match fs::metadata(file) {
        Ok(found) => Stamp { size: found.len(), modified: found.modified().ok(), inode: inode(&found) },
        Err(_) => Stamp { size: 0, modified: None, inode: 0 },
    }
}

#[cfg(unix)]
fn inode(found: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

fn contents(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, String> {
    files.iter().map(|file| content(file)).collect()
}

fn content(file: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| format!("{} cannot be read: {error}", file.display());
    let mut bytes = Vec::new();
    fs::File::open(file).map_err(cannot)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("{} has more than {MAX_FILE} bytes", file.display()));
    }
    Ok(bytes)
}

impl<T> std::fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("what", &self.what).field("files", &self.files).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_changed_file_is_read_again_and_a_bad_one_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("n");
        fs::write(&file, "1").unwrap();
        let read = |contents: &[Vec<u8>]| {
            let text = String::from_utf8_lossy(&contents[0]).into_owned();
            text.parse::<u32>().map_err(|error| error.to_string())
        };
        assert!(
            Watched::open("numbers", vec![folder.path().join("none")], read).unwrap_err().contains("cannot be read")
        );
        let watched = Watched::open("numbers", vec![file.clone()], read).unwrap();
        fs::write(&file, "22").unwrap();
        assert_eq!(*watched.current(), 1);
        tokio::time::advance(LOOK_EVERY).await;
        assert_eq!(*watched.current(), 22);
        fs::write(&file, "half").unwrap();
        tokio::time::advance(LOOK_EVERY).await;
        assert_eq!(*watched.current(), 22);
        fs::remove_file(&file).unwrap();
        tokio::time::advance(LOOK_EVERY).await;
        assert_eq!(*watched.current(), 22);
        fs::write(&file, "333").unwrap();
        tokio::time::advance(LOOK_EVERY).await;
        assert_eq!(*watched.current(), 333);
    }
}

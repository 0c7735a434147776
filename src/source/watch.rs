use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::folder::{self, Entry, Listing};
use super::load::load_listing;
use super::problem::{Problem, Problems, shown};
use crate::domain::{Catalogue, Provider};

/// What looking at the folder again brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// Neither the catalogue nor the problems are other than before.
    Unchanged,
    /// The folder has changed, and it is in order: there is a new catalogue, or the problems are gone.
    Loaded,
    /// The folder is broken, in a way that was not reported before; the last good catalogue stays.
    Broken,
}

/// A folder's catalogue, kept up to date by asking for it: call [`Watcher::reload_if_changed`] every few seconds, from a
/// thread that may block. All methods can be called from any thread.
#[derive(Debug)]
pub struct Watcher {
    folder: PathBuf,
    state: Mutex<State>,
    /// What was seen when the folder was last read; held while reading, so that readings do not overlap.
    seen: Mutex<Option<Seen>>,
}

#[derive(Debug, Default)]
struct State {
    catalogue: Arc<Catalogue>,
    problems: Option<Arc<Problems>>,
}

#[derive(Debug)]
struct Seen {
    files: Vec<Entry>,
    problems: Vec<Problem>,
    /// Whether another change would be bound to show: no file was as young as the steps of a file system's clock.
    is_settled: bool,
}

/// The coarsest steps in which file systems keep times, and some.
const SETTLE: Duration = Duration::from_millis(2_500);
/// How often a folder is read again at once because it changed meanwhile.
const ATTEMPTS: usize = 3;

impl Watcher {
    /// Reads the folder for the first time. A broken or missing folder gives an empty catalogue and
    /// [`problems`](Self::problems).
    pub fn open(folder: impl Into<PathBuf>) -> Self {
        let watcher = Self { folder: folder.into(), state: Mutex::default(), seen: Mutex::new(None) };
        watcher.reload_if_changed();
        watcher
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The last good catalogue; empty when the folder never was in order.
    pub fn current(&self) -> Arc<Catalogue> {
        self.state().catalogue.clone()
    }

    /// Why the folder as it is now can't be used; `None` when [`current`](Self::current) is what it holds.
    pub fn problems(&self) -> Option<Arc<Problems>> {
        self.state().problems.clone()
    }

    /// Looks at the folder's names, sizes and times, and reads it when they have changed, when they are too young to be
    /// relied on, or when it was broken the last time. Blocks on the file system.
    pub fn reload_if_changed(&self) -> Reload {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut listing = folder::list(&self.folder);
        let same = seen.as_ref().is_some_and(|seen| seen.is_settled && seen.is(&listing));
        if same && self.state().problems.is_none() {
            return Reload::Unchanged;
        }
        let first = seen.is_none();
        for _ in 0..ATTEMPTS {
            let before = Seen::of(&listing);
            let read = load_listing(&self.folder, listing);
            listing = folder::list(&self.folder);
            let is_stable = before.is(&listing);
            *seen = Some(before);
            if is_stable {
                return self.take(read, first);
            }
        }
        // Still being written to: what was read may be half of each. The next call looks again.
        if let Some(seen) = seen.as_mut() {
            seen.is_settled = false;
        }
        if !first {
            return Reload::Unchanged;
        }
        let folder = shown(&self.folder.to_string_lossy());
        let problem =
            Problem::of_file(folder, "the migrations folder changes while it is read", "it is read again soon");
        self.take(Err(Problems(vec![problem])), first)
    }

    fn take(&self, read: Result<Catalogue, Problems>, first: bool) -> Reload {
        let mut state = self.state();
        match read {
            Ok(catalogue) => {
                let was_broken = state.problems.take().is_some();
                let changed = first || is_other(&state.catalogue, &catalogue);
                if changed {
                    state.catalogue = Arc::new(catalogue);
                }
                if changed || was_broken { Reload::Loaded } else { Reload::Unchanged }
            }
            Err(problems) if state.problems.as_deref() == Some(&problems) => Reload::Unchanged,
            Err(problems) => {
                state.problems = Some(Arc::new(problems));
                Reload::Broken
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn of(listing: &Listing) -> Self {
        let now = SystemTime::now();
        let is_young = |time: SystemTime| match now.duration_since(time) {
            Ok(age) => age < SETTLE,
            Err(ahead) => ahead.duration() < SETTLE,
        };
        let is_settled = !listing.files.iter().any(|entry| entry.stamp.time().is_none_or(is_young));
        Self { files: listing.files.clone(), problems: listing.problems.clone(), is_settled }
    }

    fn is(&self, listing: &Listing) -> bool {
        self.files == listing.files && self.problems == listing.problems
    }
}

/// Whether two catalogues differ in anything. The digests do not cover down files and file names.
fn is_other(a: &Catalogue, b: &Catalogue) -> bool {
    Provider::ALL.into_iter().any(|provider| {
        let (a, b) = (a.of(provider), b.of(provider));
        a.digest() != b.digest() || a.migrations() != b.migrations()
    })
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;

//! Folder layouts to catalogue: directives, checksums, exact script splitting.
//!
//! A folder either reads without a single problem, or every problem in it is reported at once. Nothing here knows a
//! connection, and nothing here waits: reading is synchronous, callers move it off their async threads.

mod checks;
mod content;
mod counts;
mod directive;
mod file_name;
mod folder;
mod load;
mod place;
mod portable;
mod problem;
mod script;
mod suggest;
mod watch;

#[cfg(test)]
mod sample_tests;

pub use counts::{Counts, counts};
pub use folder::{MAX_FILE_BYTES, MAX_FILES, MAX_FOLDER_BYTES};
pub use load::load;
pub use portable::{SCHEMA_FILE, json_schema};
pub use problem::{Problem, Problems};
pub use script::{MAX_STATEMENTS, split};
pub use watch::{Reload, Watcher};

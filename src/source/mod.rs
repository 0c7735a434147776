//! Folder layouts to catalogue: directives, checksums, exact script splitting.

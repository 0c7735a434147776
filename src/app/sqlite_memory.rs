//! What SQLite does for the whole process, whoever opens a file.

use libsqlite3_sys as ffi;

/// Stops SQLite from counting the memory that it uses, which nobody asks it for. It counts under one lock of the process,
/// at every allocation: with many files open in as many threads, an eighth of the processor's time went into waiting for
/// it. See <https://sqlite.org/c3ref/c_config_covering_index_scan.html#sqliteconfigmemstatus>.
///
/// To be called before any other thread is started. Returns whether SQLite has agreed; it does not once it was used.
#[allow(unsafe_code, reason = "what goes for the whole process is only to be had from SQLite's C interface")]
pub(crate) fn stop_counting() -> bool {
    let counts: std::ffi::c_int = 0;
    // SAFETY: the operation takes one int. SQLite demands that nobody else uses it meanwhile, which the caller promises;
    // where it was used before, it changes nothing.
    let code = unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, counts) };
    code == ffi::SQLITE_OK
}

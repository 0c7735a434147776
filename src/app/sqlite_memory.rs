//! SQLite's memory, which the whole process shares, whoever opens a file.

use libsqlite3_sys as ffi;

/// Stops SQLite from counting the memory that it uses, which nobody asks it for. It counts under one lock of the process,
/// at every allocation: with many files open in as many threads, an eighth of the processor's time went into waiting for
/// it. See <https://sqlite.org/c3ref/c_config_covering_index_scan.html#sqliteconfigmemstatus>.
///
/// Returns whether SQLite has agreed; it does not, and nothing changes, once it was used.
///
/// # Safety
/// No other thread may use SQLite until this returns.
#[allow(unsafe_code, reason = "what goes for the whole process is only to be had from SQLite's C interface")]
pub unsafe fn stop_counting() -> bool {
    let counts: std::ffi::c_int = 0;
    // SAFETY: the operation takes one int, and the caller promises that nobody else uses SQLite meanwhile.
    let code = unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, counts) };
    code == ffi::SQLITE_OK
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use sqlx::Connection;

    use super::*;

    /// Says to the test that it is alone in its process.
    const ALONE: &str = "BRANCHKEEPER_TEST_ALONE";

    #[test]
    #[allow(unsafe_code, reason = "what SQLite has counted is only to be had from its C interface")]
    fn memory_is_not_counted_once_sqlite_has_agreed() {
        if std::env::var_os(ALONE).is_none() {
            let name = format!("{}::memory_is_not_counted_once_sqlite_has_agreed", module_path!());
            let name = name.split_once("::").unwrap().1;
            let test = std::env::current_exe().unwrap();
            let done = Command::new(test).args(["--exact", name]).env(ALONE, "1").output().unwrap();
            let said = String::from_utf8_lossy(&done.stdout);
            assert!(done.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        // SAFETY: this test is alone in its process.
        assert!(unsafe { stop_counting() });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let open = runtime.block_on(sqlx::SqliteConnection::connect("sqlite::memory:")).unwrap();
        // SAFETY: it only reads a number.
        assert_eq!(unsafe { ffi::sqlite3_memory_used() }, 0);
        // SAFETY: the one connection waits to be asked something.
        assert!(!unsafe { stop_counting() }, "it is in use now");
        drop(open);
    }
}

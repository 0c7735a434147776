use std::ffi::c_int;
use std::ptr;

use libsqlite3_sys as ffi;
use sqlx::sqlite::SqliteConnection;

/// Where in `sql` SQLite stops understanding it, in characters from its first. `None` when it would accept the statement
/// or can't say. Nothing is executed.
///
/// The driver forgets the place when it puts its statements back, so the statement is compiled once more. It has to be
/// asked before the transaction is rolled back, while the schema is still the one that the statement met.
#[allow(unsafe_code, reason = "the place of an error is only to be had from SQLite's C interface")]
pub(in crate::provider) async fn error_offset(connection: &mut SqliteConnection, sql: &str) -> Option<usize> {
    let length = c_int::try_from(sql.len()).ok()?;
    let mut handle = connection.lock_handle().await.ok()?;
    let database = handle.as_raw_handle().as_ptr();
    let mut statement = ptr::null_mut();
    // SAFETY: `database` is open and, for as long as `handle` lives, used by nobody else. `sql` outlives the call and has
    // `length` bytes. What the call made, if anything, is finalized exactly once; finalizing null does nothing.
    let offset = unsafe {
        let code = ffi::sqlite3_prepare_v2(database, sql.as_ptr().cast(), length, &mut statement, ptr::null_mut());
        let offset = if code == ffi::SQLITE_OK { -1 } else { ffi::sqlite3_error_offset(database) };
        ffi::sqlite3_finalize(statement);
        offset
    };
    let offset = usize::try_from(offset).ok()?;
    sql.get(..offset).map(|before| before.chars().count())
}

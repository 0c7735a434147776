use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection as _};

use super::file::{SqliteFile, io_error};
use crate::provider::connection::{Cause, Driven, Ended, Failure, GRACE, Overdue, Row, Sink, drive, raw, reply};
use crate::provider::error::{ErrorKind, ProviderError};
use crate::provider::stop::Stop;

/// How long SQLite itself waits for another program's lock. Short, because nothing can interrupt that wait; the rest of
/// the waiting is ours.
const BUSY: Duration = Duration::from_millis(100);
/// How many steps of its virtual machine SQLite makes between two looks at the flag: a fraction of a millisecond.
const STEPS: i32 = 10_000;

/// A connection to a SQLite file. Its statements run in a thread of the driver.
pub(in crate::provider) struct Wire {
    // Dropped first, so that a statement that is still running ends before the driver waits for it.
    interrupt: Interrupt,
    pub(in crate::provider) connection: SqliteConnection,
    armed: bool,
    place: String,
}

struct Interrupt(Arc<AtomicBool>);

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Wire {
    /// Opens an existing file. Nothing in the file is changed by that, and no setting that the file keeps.
    ///
    /// Foreign keys are not enforced, as in SQLite's own shell: the pragma can't be changed inside a transaction, and with
    /// it, rebuilding a table would silently delete the rows that refer to it.
    pub(in crate::provider) async fn open(file: &SqliteFile, limit: Duration) -> Result<Self, ProviderError> {
        let exists = file.verify()?;
        let place = file.path().display().to_string();
        if !exists {
            return Err(ProviderError::new(ErrorKind::DatabaseMissing, format!("the file {place} does not exist")));
        }
        let options = SqliteConnectOptions::new()
            .filename(file.path())
            .create_if_missing(false)
            .foreign_keys(false)
            .busy_timeout(BUSY)
            .row_buffer_size(256)
            .thread_name(|number| format!("branch-file-{number}"))
            .disable_statement_logging();
        match tokio::time::timeout(limit, options.connect()).await {
            Ok(Ok(connection)) => {
                let interrupt = Interrupt(Arc::new(AtomicBool::new(false)));
                Ok(Self { interrupt, connection, armed: false, place })
            }
            Ok(Err(error)) => Err(failure(error, &place).error),
            Err(_) => {
                let text = format!("{place} could not be opened within {} s", limit.as_secs());
                Err(ProviderError::new(ErrorKind::Unreachable, text).hint("check the disk or network share it is on"))
            }
        }
    }

    /// Opens an empty database of its own in memory.
    pub(in crate::provider) async fn memory() -> Result<Self, ProviderError> {
        let options = SqliteConnectOptions::new().filename(":memory:").foreign_keys(false).disable_statement_logging();
        let place = "memory".to_owned();
        let connection = options.connect().await.map_err(|error| failure(error, &place).error)?;
        Ok(Self { interrupt: Interrupt(Arc::new(AtomicBool::new(false))), connection, armed: false, place })
    }

    /// Makes statements interruptible. Needed before the first text that may have to be killed.
    async fn arm(&mut self) -> Result<(), sqlx::Error> {
        if !self.armed {
            let flag = Arc::clone(&self.interrupt.0);
            self.connection.lock_handle().await?.set_progress_handler(STEPS, move || !flag.load(Ordering::Relaxed));
            self.armed = true;
        }
        Ok(())
    }

    pub(in crate::provider) async fn send(
        &mut self,
        text: &str,
        stop: &Stop,
        overdue: Overdue,
        sink: &mut Sink<'_>,
    ) -> Result<(), Failure> {
        if overdue == Overdue::Kill {
            self.arm().await.map_err(|error| failure(error, &self.place))?;
        }
        let flag = Arc::clone(&self.interrupt.0);
        let kill = async {
            if overdue == Overdue::Kill {
                flag.store(true, Ordering::Relaxed);
                tokio::time::sleep(GRACE * 2).await;
            }
        };
        let replies = raw(text).fetch_many(&mut self.connection);
        let replies = replies.map_ok(|item| reply(item, Row::Sqlite));
        let Driven { end, stopped } = drive(replies, stop, kill, sink).await;
        let Some(end) = end else {
            let error =
                stopped.map_or_else(|| lost(&self.place, "given up"), |r| r.error(&format!("work on {}", self.place)));
            return Err(Failure { error, cause: Cause::Other, at: None, ended: Ended::Lost });
        };
        self.interrupt.0.store(false, Ordering::Relaxed);
        end.map_err(|error| {
            let mut failure = failure(error, &self.place);
            if let (Some(reason), "9") = (stopped, &*failure.error.code) {
                failure.error = reason.error("the statement").code("9");
            }
            failure
        })
    }

    pub(in crate::provider) async fn close(self) {
        let Self { interrupt, connection, .. } = self;
        // Whatever goes wrong here, the file is closed when the driver's thread ends.
        let _ = tokio::time::timeout(GRACE, connection.close()).await;
        drop(interrupt);
    }
}

/// Creates folders and an empty file where there are none.
pub(in crate::provider) async fn create(file: &SqliteFile) -> Result<(), ProviderError> {
    let file = file.clone();
    let work = move || {
        file.verify()?;
        if let Some(folder) = file.path().parent() {
            fs::create_dir_all(folder).map_err(|error| io_error(&error, "create the folder", folder))?;
        }
        file.verify()?;
        let mut options = fs::OpenOptions::new();
        let opened = options.read(true).write(true).create(true).truncate(false).open(file.path());
        opened.map(drop).map_err(|error| io_error(&error, "create or write", file.path()))
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(ProviderError::new(ErrorKind::Internal, "creating a file did not end")))
}

/// Whether the file could be created or written: what stands in the way, if anything does.
pub(in crate::provider) fn probe(file: &SqliteFile) -> Result<(), ProviderError> {
    file.verify()?;
    let existing = file.path().ancestors().find(|path| path.exists()).unwrap_or(file.path());
    if existing == file.path() {
        let opened = fs::OpenOptions::new().read(true).write(true).open(existing);
        return opened.map(drop).map_err(|error| io_error(&error, "write", existing));
    }
    // An unnamed probe would need more of the system's interface; a file that lives for a moment does it everywhere.
    let probe = existing.join(format!(".branchkeeper-{}", uuid::Uuid::new_v4().simple()));
    fs::File::create_new(&probe).map_err(|error| io_error(&error, "write in", existing))?;
    fs::remove_file(&probe).map_err(|error| io_error(&error, "write in", existing))
}

fn lost(place: &str, why: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Lost, format!("the connection to {place} was {why}"))
}

/// What a driver's error means.
fn failure(error: sqlx::Error, place: &str) -> Failure {
    let sqlx::Error::Database(database) = &error else {
        let error = match error {
            sqlx::Error::Io(error) => {
                ProviderError::new(ErrorKind::Unreachable, format!("could not open {place}: {error}"))
            }
            other => lost(place, &format!("lost: {other}")),
        };
        return Failure { error, cause: Cause::Other, at: None, ended: Ended::Lost };
    };
    let message = database.message();
    let code: i32 = database.code().and_then(|code| code.parse().ok()).unwrap_or_default();
    let (kind, hint) = match code & 0xff {
        3 | 8 | 14 => (ErrorKind::ReadOnly, "give the service's user write permission for the file and its folder"),
        5 | 6 => (ErrorKind::Timeout, "another program is writing to the file; retry when it is done"),
        10 => (ErrorKind::Unreachable, "check the disk that the file is on"),
        11 => (ErrorKind::NotADatabase, "the file is damaged; restore it from a backup"),
        13 => (ErrorKind::DiskFull, "free some space, then retry"),
        26 => (ErrorKind::NotADatabase, "the file is not a SQLite database; correct the branch's path"),
        _ => (ErrorKind::Sql, ""),
    };
    let cause = match code & 0xff {
        5 | 6 => Cause::Busy,
        1 if message.starts_with("no such table: ") => Cause::MissingTable,
        1 if message.starts_with("no such column: ") => Cause::ForeignShape,
        19 if code == 1299 => Cause::Refused,
        _ => Cause::Other,
    };
    let text = if kind == ErrorKind::Sql { message.to_owned() } else { format!("{place}: {message}") };
    let error = ProviderError::new(kind, text).hint(hint).code(code.to_string());
    Failure { error, cause, at: None, ended: Ended::Answered }
}

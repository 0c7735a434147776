//! The service's configuration: one struct a concern, every field with its default.
//!
//! [`Config::read`] does the reading, [`load`] is the pure core: defaults, then the file, then variables
//! `BRANCHKEEPER__SECTION__KEY`, then `BRANCHKEEPER_LISTEN`, `BRANCHKEEPER_DATA` and `BRANCHKEEPER_MIGRATIONS`, then the
//! command line.

mod concerns;
mod duration;
mod edge;
mod error;
mod keys;
mod load;
mod notify;
mod read;
mod retention;
mod value;

pub use concerns::{
    AutoMigrate, Config, Environment, HeadOffice, Lock, Log, LogFormat, LogLevel, Migration, OnStartup, Parallel,
    Server, Sqlite, Validation,
};
pub use duration::{format_duration, parse_duration};
pub use edge::{Auth, ClientAuth, Jwt, Secrets, Tls};
pub use error::{ConfigError, Problem};
pub use keys::key_names;
pub use load::{ConfigFile, Overrides, load};
pub use notify::{Notify, NotifyFormat, NotifyKind, NotifyTarget, NotifyTls, notify_target_key_names};
pub use read::DEFAULT_FILE;
pub use retention::{Audit, Runs};

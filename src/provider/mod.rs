//! One branch database: connecting, creating, locking, the ledger, running statements and stopping them, looking into
//! the catalog.
//!
//! A provider contributes primitives (its folder) and SQL text (its [`Dialect`](dialect::Dialect)); the logic over them
//! stands once, in the files beside this one. Every text that goes to a server passes through [`connection`].

mod abort;
mod announced;
mod catalog;
mod claim;
mod connection;
mod create;
mod deeds;
mod dialect;
mod endpoint;
mod error;
mod fate;
mod flush;
mod hold;
mod journal;
mod ledger;
mod lock;
mod mark;
mod message;
mod mysql;
mod objects;
mod postgres;
mod records;
mod rehearse;
mod run;
mod secret;
mod segment;
mod server;
mod session;
mod settings;
mod spare;
mod sql;
mod sqlite;
mod sqlserver;
mod stop;
mod untransacted;
mod word;

pub use catalog::Tables;
pub use create::{TestReport, create, test};
pub use endpoint::Endpoint;
pub use error::{ErrorKind, ExecutionError, Outcome, ProviderError};
pub use fate::Fate;
pub use lock::{Claim, Fence};
pub use rehearse::{NotTried, Rehearsal};
pub use run::{Observer, Work};
pub use segment::Then;
pub use session::Session;
pub use settings::Settings;
pub use spare::Spare;
pub use sqlite::Preview;
pub use stop::Stop;

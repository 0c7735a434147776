//! Helpers for the tests: private servers, fresh databases.
//!
//! Nothing here belongs to one async runtime: every test has its own, and the servers outlive them all.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]
#![allow(dead_code, unused_imports, reason = "not every helper is used by every build of the tests")]

mod authority;
mod calls;
mod channel;
mod dialect_gaps;
mod head_offices;
mod overheard;
mod pooler;
mod private;
mod product;
mod program;
mod proxy;
mod raw;
pub(crate) mod secrets;
mod server;
mod service;
pub(crate) mod skip;
pub(crate) mod sqlserver;
pub(crate) mod tds;

pub(crate) use authority::Authority;
pub(crate) use branchkeeper::rpc::proto as pb;
pub(crate) use calls::{apply, apply_all, details, ended, finished, outcome, refused, status_of};
pub(crate) use channel::Channel;
pub(crate) use dialect_gaps::Gap;
pub(crate) use overheard::Overheard;
pub(crate) use pooler::Pooler;
pub(crate) use product::{Product, SESSIONS};
pub(crate) use program::{Listener, Program};
pub(crate) use proxy::{Fate, Proxy, Way};
pub(crate) use raw::Raw;
pub(crate) use server::{
    Database, Server, encrypted, mariadb, mysql, own, own_postgres, postgres, sqlserver as sqlserver_server,
};
pub(crate) use service::{Station, server_branch, sqlite_branch, watch};

/// A folder that is removed when the value is dropped.
pub(crate) fn temp_dir() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("branchkeeper-").tempdir().expect("a temporary folder can be made")
}

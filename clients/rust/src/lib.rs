//! Client of Branchkeeper, which keeps the schema of a fleet of branch databases in step.
//!
//! [`Client::connect`] gives a [`Client`]. Its stubs are the generated ones; [`Client::call`] gives their calls safe
//! retries, and [`Error`] reads their statuses.

mod client;
mod error;
mod follow;
mod options;
mod ready;
mod retry;
mod rules;
#[allow(dead_code, reason = "generated for every library")]
mod semantics;

/// The contract's messages and stubs.
#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated code")]
pub mod v1 {
    tonic::include_proto!("branchkeeper.v1");
}

pub use client::{Client, Transport};
pub use error::{Error, Violation};
pub use follow::RunEvents;
pub use options::{ConnectError, Options};
pub use ready::MIGRATION_SERVICE;
pub use retry::Kind;
pub use semantics::{VERSION, reason};

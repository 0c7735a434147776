//! The head-office suite, over both backends.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod audit;
mod branches;
pub(crate) mod fixture;
mod fleet;
mod leases;
mod opening;
mod outcomes;
mod run_end;
mod runs;
mod sealed;
mod states;
mod undo;
mod writer;

//! The server through real clients on a real port.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail its test")]

mod branches;
mod edge;
mod harness;
mod lifecycle;
mod limits;
mod metrics;
mod migrations;
mod runs;

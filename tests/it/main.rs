//! Tests against real servers, in one binary so that they share one set of private servers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that fails may say so like this"
)]

mod bad_input;
mod cli;
mod crash;
mod crash_rollback;
mod doubt;
mod edge;
mod ended;
mod engine;
mod field_cases;
mod fleet;
mod notify;
mod portable;
mod procedures;
mod provider;
mod resolve;
mod restart;
mod rollback;
mod rpc;
mod sample;
mod store;
mod support;
mod support_self_test;
mod together;

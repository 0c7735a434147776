//! Clients that mean ill, against the real program over real sockets: its memory stays bounded, health and other callers
//! are answered meanwhile, and afterwards everything is as before.
//!
//! A binary of its own, one test at a time: what floods the machine would make other tests late.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that fails may say so like this"
)]

mod callers;
mod connections;
mod files;
mod floods;
mod frames;
mod kit;
mod messages;
mod plain_readers;
mod readers;
#[path = "../it/support/mod.rs"]
mod support;
mod watchers;

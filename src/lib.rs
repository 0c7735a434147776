//! Branchkeeper keeps the schema of a whole fleet of branch databases in step.
//!
//! The layers, each importing only from those below it, are described in ARCHITECTURE.md.

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod notify;
pub mod provider;
pub mod rpc;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod web;

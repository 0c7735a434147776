//! Tests against real servers, in one binary so that they share one set of private servers.

mod crash;
mod engine;
mod fleet;
mod provider;
mod resolve;
mod restart;
mod rpc;
mod store;
mod support;

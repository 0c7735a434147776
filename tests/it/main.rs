//! Tests against real servers, in one binary so that they share one set of private servers.

mod bad_input;
mod crash;
mod field_cases;
mod fleet;
mod provider;
mod restart;
mod rpc;
mod store;
mod support;

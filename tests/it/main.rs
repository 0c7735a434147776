//! Tests against real servers, in one binary so that they share one set of private servers.

mod provider;
mod rpc;
mod store;
mod support;

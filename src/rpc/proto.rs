//! The generated types of package `branchkeeper.v1`.
#![allow(missing_docs, clippy::all, reason = "generated code")]

tonic::include_proto!("branchkeeper.v1");

/// The encoded descriptors of the contract, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/branchkeeper.binpb"));

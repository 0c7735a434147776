//! The gRPC edge: services, conversions, streams, health and reflection.

pub mod proto;

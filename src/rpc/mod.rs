//! The gRPC edge: services, conversions, streams, health and reflection.

mod branch_service;
mod calls;
mod connections;
mod convert;
mod events;
mod health;
mod migration_service;
mod notification_service;
mod origins;
mod pages;
pub mod proto;
mod reasons;
mod registry;
mod server;
mod status;

pub use reasons::{DOMAIN, REASONS, Reason};
pub use server::{ServeError, ServerSettings, bind, serve};

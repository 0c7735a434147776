//! The gRPC edge: services, conversions, streams, health and reflection.

mod access_service;
mod audit_service;
mod auth;
mod branch_service;
mod calls;
mod connections;
mod convert;
mod events;
mod health;
mod limits;
mod messages;
mod migration_service;
mod notification_service;
mod origins;
mod pages;
pub mod proto;
mod reasons;
mod registry;
mod server;
mod settings;
mod status;
mod tally;
mod watched;

pub use auth::{AuthSettings, JwtSettings};
pub use connections::{Listeners, TlsSettings};
pub use reasons::{DOMAIN, REASONS, Reason};
pub use server::{ServeError, bind, serve};
pub use settings::ServerSettings;

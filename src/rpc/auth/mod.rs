//! Who calls, and whether they may.
//!
//! `guard.rs` stands in front of every method. What it decides by is pure: the table of methods (`access.rs`), the checks
//! of a JWT (`jwt.rs`) and the mapping of certificates (`certificates.rs`).

mod access;
mod certificates;
mod guard;
mod jwt;
mod key_source;
mod keys;
mod remote_keys;
mod settings;

pub(super) use access::methods;
#[cfg(test)]
pub(super) use access::paths;
pub(super) use certificates::names_of;
pub(super) use guard::{FailureAudit, Guard, authorise};
pub use settings::{AuthSettings, JwtSettings};

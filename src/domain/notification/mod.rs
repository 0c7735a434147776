//! What people are told of, unasked: which change gives which notification, who gets it, and how it reads.

mod body;
mod kind;
mod route;
mod text;

pub use body::{BranchNotice, CatalogueNotice, ErrorNotice, HeldBackNotice, Notification, RunNotice, error_key};
pub use kind::{NotificationKind, kind_of_outcome};
pub use route::{Route, Routes};

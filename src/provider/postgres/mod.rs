//! What PostgreSQL contributes.

mod create;
mod dialect;
mod failure;
mod options;
mod wire;

pub(super) use create::create;
pub(super) use dialect::DIALECT;
pub(super) use wire::Wire;

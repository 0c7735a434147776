//! What PostgreSQL contributes.

mod dialect;
mod failure;
mod options;
mod wire;

pub(super) use dialect::DIALECT;
pub(super) use wire::Wire;

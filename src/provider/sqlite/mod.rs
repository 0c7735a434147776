//! What SQLite contributes.

mod dialect;
mod file;
mod keys;
mod offset;
mod rebuild;
mod wire;

pub(super) use dialect::DIALECT;
pub(super) use file::SqliteFile;
pub(super) use offset::error_offset;
pub use rebuild::Preview;
pub(super) use wire::{Wire, create, probe};

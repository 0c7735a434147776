//! What SQL Server contributes. A text is one batch: its errors carry a line of it and no column, and what follows a
//! statement's error in it may still run, unless `XACT_ABORT` is on.

mod deeds;
mod dialect;
mod failure;
mod heard;
mod options;
mod place;
mod row;
mod wire;
mod words;

#[cfg(test)]
mod deeds_tests;

pub(super) use dialect::DIALECT;
pub(super) use row::text;
pub(super) use wire::Wire;

//! What the command line writes: tables for people, JSON for scripts.

mod errors;
mod json;
pub(crate) mod names;
mod printer;
mod style;
mod table;
pub(crate) mod text;

pub(crate) use errors::{error_lines, summary};
pub(crate) use json::Json;
pub(crate) use printer::{Format, Printer, notice};
pub(crate) use style::Style;
pub(crate) use table::{Cell, Column, Table};

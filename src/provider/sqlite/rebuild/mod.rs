//! Changes to a SQLite table that its `ALTER TABLE` does not know: a new table is made from the old one's own text, and
//! the rows are copied.
//!
//! `token`, `definition`, `parse`, `splice` and `edit` turn a definition's text into the new one, `index` does so with
//! those of indexes, `uses` finds what stands in the way, `steps` says what is to be run. `lab` tries it on an empty copy of the schema; `run` does it.

mod definition;
mod edit;
mod foreign;
mod index;
mod lab;
mod parse;
mod preview;
mod problem;
mod run;
mod schema;
mod splice;
mod steps;
#[cfg(test)]
mod tests;
mod token;
mod uses;

pub use self::preview::Preview;

//! The command line as a person or a script meets it: the real program, against a fake service that can misbehave on
//! demand, and against the real one.

mod branches;
mod fake;
mod import;
mod migrations;
mod offline;
mod process;
mod service;

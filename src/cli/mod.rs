//! The command line: a client of the public API, and the way to start the service.

mod output;

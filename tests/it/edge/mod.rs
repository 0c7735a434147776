//! The way in: credentials, TLS, the Unix socket, the audit record. Against the real program.

mod audit;
mod credentials;
mod keys;
mod kit;
mod leaks;
mod passwords;
mod probe;
mod rpcs;
mod tls;
mod tokens;
mod unix;

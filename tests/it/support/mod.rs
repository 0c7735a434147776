//! Helpers for the tests: private servers, fresh databases.

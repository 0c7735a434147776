//! Conformance of every provider.

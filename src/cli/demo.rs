//! Trying Branchkeeper out with one command.

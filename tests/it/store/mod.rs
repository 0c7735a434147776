//! The head-office suite, over both backends.

//! One branch database: connect, create, lock, ledger, execute.

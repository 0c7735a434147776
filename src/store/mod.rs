//! Head office: branches, states, leases, runs, events and audit rows.

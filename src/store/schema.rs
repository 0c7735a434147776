//! Head office's own tables, as a list of versions that is only ever appended to.
//!
//! Types are TEXT and BIGINT alone. `{key}` stands for TEXT that sorts by its bytes, so that both backends list in the
//! same order whatever the PostgreSQL database's language is.

/// The statements that lead from one version to the next; the first entry makes version 1.
pub(super) const VERSIONS: &[&[&str]] = &[FIRST, UNDO, EDGE, OUTBOX];

/// What a rollback has undone stays so: the hold of a branch, and the digest of the catalogue that it was last compared
/// with. `undo` is what a rollback is about to undo, `notes` what a dry run could not try.
const UNDO: &[&str] = &[
    "ALTER TABLE branch_states ADD COLUMN hold TEXT",
    "ALTER TABLE branch_states ADD COLUMN held_digest TEXT",
    "ALTER TABLE run_branches ADD COLUMN undo TEXT",
    "ALTER TABLE run_branches ADD COLUMN notes TEXT",
];

/// Notifications. A message is due at `next_attempt`, and `claim` says that a replica is delivering it until then; both are
/// NULL once it is settled. `notices` has what was told of whom, `quotas` how much went to a target lately, and
/// `held_back` what did not.
const OUTBOX: &[&str] = &[
    "CREATE TABLE outbox (
        id {key} NOT NULL PRIMARY KEY,
        target {key} NOT NULL,
        kind {key} NOT NULL,
        subject TEXT NOT NULL,
        body TEXT NOT NULL,
        state {key} NOT NULL,
        attempts BIGINT NOT NULL,
        create_time BIGINT NOT NULL,
        next_attempt BIGINT,
        claim TEXT,
        settle_time BIGINT,
        error TEXT
    )",
    "CREATE INDEX outbox_due ON outbox (target, next_attempt)",
    "CREATE INDEX outbox_waiting ON outbox (next_attempt) WHERE next_attempt IS NOT NULL",
    "CREATE INDEX outbox_by_time ON outbox (create_time, id)",
    "CREATE INDEX outbox_settled ON outbox (settle_time)",
    "CREATE TABLE notices (
        subject {key} NOT NULL,
        kind {key} NOT NULL,
        error_key {key} NOT NULL,
        time BIGINT NOT NULL,
        PRIMARY KEY (subject, kind, error_key)
    )",
    "CREATE TABLE quotas (target {key} NOT NULL PRIMARY KEY, span_start BIGINT NOT NULL, number BIGINT NOT NULL)",
    "CREATE TABLE held_back (
        target {key} NOT NULL,
        kind {key} NOT NULL,
        number BIGINT NOT NULL,
        PRIMARY KEY (target, kind)
    )",
];

const FIRST: &[&str] = &[
    "CREATE TABLE meta (name {key} NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE branches (
        id {key} NOT NULL PRIMARY KEY,
        code TEXT NOT NULL,
        code_folded {key} NOT NULL UNIQUE,
        name TEXT NOT NULL,
        provider {key} NOT NULL,
        connection TEXT NOT NULL,
        fingerprint {key} NOT NULL UNIQUE,
        labels TEXT NOT NULL,
        is_active BIGINT NOT NULL,
        environment TEXT NOT NULL,
        create_time BIGINT NOT NULL,
        update_time BIGINT NOT NULL
    )",
    // The labels again, one a row, to select by.
    "CREATE TABLE branch_labels (
        branch_id {key} NOT NULL REFERENCES branches (id) ON DELETE CASCADE,
        key {key} NOT NULL,
        value {key} NOT NULL,
        PRIMARY KEY (branch_id, key)
    )",
    "CREATE INDEX branch_labels_by_value ON branch_labels (key, value, branch_id)",
    // While a lease is held, status is InProgress and status_before is what it was. lease_token stays when a lease ends:
    // the next one gets a higher number.
    "CREATE TABLE branch_states (
        branch_id {key} NOT NULL PRIMARY KEY REFERENCES branches (id) ON DELETE CASCADE,
        status {key} NOT NULL,
        status_before {key},
        last_migration TEXT,
        last_attempt BIGINT,
        retry_count BIGINT NOT NULL,
        next_attempt BIGINT,
        error TEXT,
        failure_class TEXT,
        lease_owner TEXT,
        lease_token BIGINT NOT NULL,
        lease_expires BIGINT,
        pending_count BIGINT,
        verified_digest TEXT
    )",
    "CREATE INDEX branch_states_by_status ON branch_states (status, branch_id)",
    "CREATE INDEX branch_states_due ON branch_states (next_attempt, branch_id)",
    "CREATE TABLE runs (
        id {key} NOT NULL PRIMARY KEY,
        kind {key} NOT NULL,
        state {key} NOT NULL,
        requested_by TEXT NOT NULL,
        request_id {key} UNIQUE,
        request_fingerprint TEXT NOT NULL,
        request TEXT NOT NULL,
        branches_total BIGINT NOT NULL,
        create_time BIGINT NOT NULL,
        start_time BIGINT,
        end_time BIGINT,
        result TEXT,
        last_sequence BIGINT NOT NULL,
        owner TEXT NOT NULL,
        owner_expires BIGINT NOT NULL,
        cancel_requested BIGINT NOT NULL
    )",
    "CREATE INDEX runs_by_time ON runs (create_time, id)",
    "CREATE INDEX runs_by_state ON runs (state, create_time, id)",
    "CREATE INDEX runs_by_end ON runs (end_time)",
    // No reference to branches: a run's record outlives its branches.
    "CREATE TABLE run_branches (
        run_id {key} NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        position BIGINT NOT NULL,
        branch_id {key} NOT NULL,
        branch_code TEXT NOT NULL,
        status {key},
        applied TEXT,
        error TEXT,
        duration_us BIGINT,
        PRIMARY KEY (run_id, position)
    )",
    "CREATE UNIQUE INDEX run_branches_by_branch ON run_branches (branch_id, run_id)",
    "CREATE TABLE events (
        run_id {key} NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        sequence BIGINT NOT NULL,
        time BIGINT NOT NULL,
        body TEXT NOT NULL,
        is_statement BIGINT NOT NULL,
        PRIMARY KEY (run_id, sequence)
    )",
    // The id is a UUID of version 7, which sorts by time.
    "CREATE TABLE audit (
        id {key} NOT NULL PRIMARY KEY,
        time BIGINT NOT NULL,
        who TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL,
        detail TEXT NOT NULL,
        outcome TEXT NOT NULL
    )",
    "CREATE INDEX audit_by_time ON audit (time, id)",
];

/// The record of who did what becomes a chain of hashes, and callers get tokens.
const EDGE: &[&str] = &[
    // The record is a chain from here on; what there was before could not be read by anybody and proved nothing.
    "DROP TABLE audit",
    // Each hash is over the one before and the entry's own content.
    "CREATE TABLE audit (
        sequence BIGINT NOT NULL PRIMARY KEY,
        time BIGINT NOT NULL,
        who {key} NOT NULL,
        role TEXT NOT NULL,
        peer TEXT NOT NULL,
        action {key} NOT NULL,
        subject TEXT NOT NULL,
        subject_folded {key} NOT NULL,
        request_id TEXT NOT NULL,
        run_id TEXT NOT NULL,
        detail TEXT NOT NULL,
        outcome TEXT NOT NULL,
        hash TEXT NOT NULL
    )",
    "CREATE INDEX audit_by_time ON audit (time, sequence)",
    "CREATE INDEX audit_by_subject ON audit (subject_folded, sequence)",
    "CREATE INDEX audit_by_who ON audit (who, sequence)",
    // One row: the chain's end, and the last entry that was cleared away. Whoever appends locks it.
    "CREATE TABLE audit_chain (
        id BIGINT NOT NULL PRIMARY KEY,
        sequence BIGINT NOT NULL,
        hash TEXT NOT NULL,
        anchor_sequence BIGINT NOT NULL,
        anchor_hash TEXT NOT NULL
    )",
    "INSERT INTO audit_chain (id, sequence, hash, anchor_sequence, anchor_hash) VALUES (1, 0, '', 0, '')",
    // active_name is the name until the token is revoked, and NULL from then on.
    "CREATE TABLE api_tokens (
        id {key} NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        active_name {key} UNIQUE,
        hash {key} NOT NULL UNIQUE,
        role TEXT NOT NULL,
        created_by TEXT NOT NULL,
        create_time BIGINT NOT NULL,
        expire_time BIGINT,
        last_used_time BIGINT,
        revoke_time BIGINT
    )",
    "CREATE INDEX api_tokens_by_time ON api_tokens (create_time, id)",
];

-- Ids are the 16 bytes of a UUID, request and audit ids ULIDs in text. Times are microseconds since 1970
-- (UTC). deploy/views/sqlite.sql has views that show both as text.
-- SQLite stores a value of any type in any column, and ids of another type would be passed over: checks refuse
-- them. Tables have rowids. WITHOUT ROWID was measured at a million organizations: SQLite keeps whole rows in the
-- inner pages of such a table, so a lookup reads as many pages, and a PATCH dirties twice as many.
--
-- `version` grows by one with every change of settings or of the registry; the ETag names it.
-- `brand_status`, `brand_count`, `campaign_count` sum up the registry below and change in its transactions.
-- `audit_length` and `audit_head` say where this organization's hash chain in audit_log ends.
CREATE TABLE organizations (
    id BLOB NOT NULL PRIMARY KEY CHECK (typeof(id) = 'blob' AND length(id) = 16),
    external_id TEXT UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('commercial', 'personal')),
    name TEXT NOT NULL,
    billing_email TEXT,
    plan TEXT NOT NULL,
    throughput_tier INTEGER NOT NULL,
    message_retention_days INTEGER NOT NULL CHECK (message_retention_days BETWEEN 30 AND 365),
    mms_retention_days INTEGER NOT NULL CHECK (mms_retention_days BETWEEN 30 AND 365),
    is_reseller BOOLEAN NOT NULL,
    quiet_hours_enabled BOOLEAN NOT NULL,
    quiet_hours_start TEXT NOT NULL,
    quiet_hours_end TEXT NOT NULL,
    quiet_hours_mode TEXT NOT NULL CHECK (quiet_hours_mode IN ('reject', 'defer')),
    auto_replies_enabled BOOLEAN NOT NULL,
    stop_text TEXT,
    help_text TEXT,
    start_text TEXT,
    missed_call_message TEXT,
    missed_call_enabled BOOLEAN NOT NULL,
    brand_status TEXT,
    brand_count INTEGER NOT NULL,
    campaign_count INTEGER NOT NULL,
    version BIGINT NOT NULL,
    audit_length BIGINT NOT NULL,
    audit_head BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- `hash` is the SHA-256 of the whole key; the key itself is stored nowhere.
-- `scopes` are sorted and separated by one space.
-- `created_by` is who issued the key: `api_key:<id>`, or `command-line`. Keys that API keys issue are
-- limited per minute.
CREATE TABLE api_keys (
    id BLOB NOT NULL PRIMARY KEY CHECK (typeof(id) = 'blob' AND length(id) = 16),
    org_id BLOB NOT NULL REFERENCES organizations (id) CHECK (typeof(org_id) = 'blob' AND length(org_id) = 16),
    label TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX api_keys_by_organization ON api_keys (org_id, created_at, id);

-- The registry of brands and campaigns, which is managed elsewhere and written here by the command line.
CREATE TABLE brands (
    id BLOB NOT NULL PRIMARY KEY CHECK (typeof(id) = 'blob' AND length(id) = 16),
    org_id BLOB NOT NULL REFERENCES organizations (id) CHECK (typeof(org_id) = 'blob' AND length(org_id) = 16),
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'ACTIVE', 'DELETED')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX brands_by_organization ON brands (org_id, created_at, id);

CREATE TABLE campaigns (
    id BLOB NOT NULL PRIMARY KEY CHECK (typeof(id) = 'blob' AND length(id) = 16),
    org_id BLOB NOT NULL REFERENCES organizations (id) CHECK (typeof(org_id) = 'blob' AND length(org_id) = 16),
    brand_id BLOB NOT NULL REFERENCES brands (id) CHECK (typeof(brand_id) = 'blob' AND length(brand_id) = 16),
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'ACTIVE', 'DELETED')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX campaigns_by_brand ON campaigns (org_id, brand_id);

-- One hash chain per organization: `seq` counts from 1, `previous_hash` is the `hash` of `seq - 1`.
-- `payload` is JSON text and part of what is hashed, byte for byte.
CREATE TABLE audit_log (
    org_id BLOB NOT NULL REFERENCES organizations (id) CHECK (typeof(org_id) = 'blob' AND length(org_id) = 16),
    seq BIGINT NOT NULL,
    id TEXT NOT NULL,
    occurred_at BIGINT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_label TEXT NOT NULL,
    actor_identity TEXT NOT NULL,
    action TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    reason TEXT,
    request_id TEXT NOT NULL,
    payload TEXT NOT NULL,
    previous_hash BLOB NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (org_id, seq)
);

-- Rows of audit_log are added and never changed. This stops a mistake, and an attacker who has SQL and
-- no more; whoever may drop triggers is found out by `quietline audit verify` and its anchors.
CREATE TRIGGER audit_log_refuses_update BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only: UPDATE is refused');
END;

CREATE TRIGGER audit_log_refuses_delete BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only: DELETE is refused');
END;

-- INSERT OR REPLACE deletes the row in its place, and no trigger on DELETE sees that. The rowid is -1
-- here unless the statement names one, and no row of ours has that.
CREATE TRIGGER audit_log_refuses_replace BEFORE INSERT ON audit_log
WHEN EXISTS (SELECT 1 FROM audit_log WHERE org_id = NEW.org_id AND seq = NEW.seq)
    OR (NEW.rowid <> -1 AND EXISTS (SELECT 1 FROM audit_log WHERE rowid = NEW.rowid))
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only: REPLACE is refused');
END;

-- Responses to requests that carried an Idempotency-Key, committed together with what the request did,
-- so that a retry gets the same response and nothing is done twice. Kept for a day.
-- `credential` is who sent the key: two credentials never share one.
-- `fingerprint` is the SHA-256 of the operation and the body; `headers` is a JSON array of pairs.
CREATE TABLE idempotency_records (
    org_id BLOB NOT NULL REFERENCES organizations (id) CHECK (typeof(org_id) = 'blob' AND length(org_id) = 16),
    credential TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, credential, idempotency_key)
);
CREATE INDEX idempotency_records_by_age ON idempotency_records (created_at);

-- Random keys that all servers on this database share and nobody else knows. The first server makes them.
CREATE TABLE server_secrets (
    name TEXT NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL
);

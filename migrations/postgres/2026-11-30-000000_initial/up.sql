-- Ids are UUIDs, request and audit ids ULIDs in text. deploy/views/postgres.sql has the views of SQLite.
--
-- `version` grows by one with every change of settings or of the registry; the ETag names it.
-- `brand_status`, `brand_count`, `campaign_count` sum up the registry below and change in its transactions.
-- `audit_length` and `audit_head` say where this organization's hash chain in audit_log ends.
CREATE TABLE organizations (
    id UUID NOT NULL PRIMARY KEY,
    external_id TEXT UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('commercial', 'personal')),
    name TEXT NOT NULL,
    billing_email TEXT,
    plan TEXT NOT NULL,
    throughput_tier INT4 NOT NULL,
    message_retention_days INT4 NOT NULL CHECK (message_retention_days BETWEEN 30 AND 365),
    mms_retention_days INT4 NOT NULL CHECK (mms_retention_days BETWEEN 30 AND 365),
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
    brand_count INT4 NOT NULL,
    campaign_count INT4 NOT NULL,
    version BIGINT NOT NULL,
    audit_length BIGINT NOT NULL,
    audit_head BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- `hash` is the SHA-256 of the whole key; the key itself is stored nowhere.
-- `scopes` are sorted and separated by one space.
-- `created_by` is who issued the key: `api_key:<id>`, or `command-line`. Keys that API keys issue are
-- limited per minute.
CREATE TABLE api_keys (
    id UUID NOT NULL PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES organizations (id),
    label TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BYTEA NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ,
    revoked_at TIMESTAMPTZ
);
CREATE INDEX api_keys_by_organization ON api_keys (org_id, created_at, id);

-- The registry of brands and campaigns, which is managed elsewhere and written here by the command line.
CREATE TABLE brands (
    id UUID NOT NULL PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES organizations (id),
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'ACTIVE', 'DELETED')),
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX brands_by_organization ON brands (org_id, created_at, id);

CREATE TABLE campaigns (
    id UUID NOT NULL PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES organizations (id),
    brand_id UUID NOT NULL REFERENCES brands (id),
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'ACTIVE', 'DELETED')),
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX campaigns_by_brand ON campaigns (org_id, brand_id);

-- One hash chain per organization: `seq` counts from 1, `previous_hash` is the `hash` of `seq - 1`.
-- `payload` is JSON text and part of what is hashed, byte for byte.
CREATE TABLE audit_log (
    org_id UUID NOT NULL REFERENCES organizations (id),
    seq BIGINT NOT NULL,
    id TEXT NOT NULL,
    occurred_at TIMESTAMPTZ NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_label TEXT NOT NULL,
    actor_identity TEXT NOT NULL,
    action TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    reason TEXT,
    request_id TEXT NOT NULL,
    payload TEXT NOT NULL,
    previous_hash BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (org_id, seq)
);

-- Rows of audit_log are added and never changed. This stops a mistake, and an attacker who has SQL and
-- no more; whoever may drop triggers is found out by `quietline audit verify` and its anchors.
CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only: % is refused', TG_OP;
END
$$;

CREATE TRIGGER audit_log_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse();

-- Also in a session that has turned ordinary triggers off (session_replication_role).
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_refuses_change;

-- Responses to requests that carried an Idempotency-Key, committed together with what the request did,
-- so that a retry gets the same response and nothing is done twice. Kept for a day.
-- `credential` is who sent the key: two credentials never share one.
-- `fingerprint` is the SHA-256 of the operation and the body; `headers` is a JSON array of pairs.
CREATE TABLE idempotency_records (
    org_id UUID NOT NULL REFERENCES organizations (id),
    credential TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    status INT4 NOT NULL,
    headers TEXT NOT NULL,
    body BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (org_id, credential, idempotency_key)
);
CREATE INDEX idempotency_records_by_age ON idempotency_records (created_at);

-- Random keys that all servers on this database share and nobody else knows. The first server makes them.
CREATE TABLE server_secrets (
    name TEXT NOT NULL PRIMARY KEY,
    secret BYTEA NOT NULL
);

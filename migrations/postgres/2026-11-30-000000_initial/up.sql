-- Ids are UUIDs. Request and audit ids are ULIDs in text. deploy/views/postgres.sql has the same views as for SQLite.
--
-- `version` grows by one with every change of settings or of the registry. The ETag contains it.
-- `brand_status`, `brand_count`, `campaign_count` summarize the registry below and are updated with it.
-- `audit_length` and `audit_head` are the length and the last hash of this organization's chain in audit_log.
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

-- `hash` is the SHA-256 of the whole key. The key itself is not stored.
-- `scopes` are sorted and separated by one space.
-- `created_by` is the issuer: `api_key:<id>` or `command-line`. Only keys issued by API keys count
-- towards the limit per minute.
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

-- Registry of brands and campaigns. It is managed elsewhere, and the command line writes it here.
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
-- `payload` is JSON text. The hash covers it byte for byte.
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

-- audit_log is append-only. The triggers stop mistakes, and attackers without DDL privileges.
-- `quietline audit verify` and its anchors detect changes by attackers who can drop triggers.
CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only: % is refused', TG_OP;
END
$$;

CREATE TRIGGER audit_log_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse();

-- ALWAYS fires the triggers even in sessions that disable ordinary triggers by session_replication_role.
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_refuses_change;

-- Responses to requests with an Idempotency-Key. Each is committed in the transaction of its request,
-- so that a retry gets the same response and has no effect. Kept for a day.
-- `credential` is the sender of the key, because credentials never share keys.
-- `fingerprint` is the SHA-256 of the operation and the body. `headers` is a JSON array of pairs.
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

-- Random secrets that all servers on this database share. The first server generates them.
CREATE TABLE server_secrets (
    name TEXT NOT NULL PRIMARY KEY,
    secret BYTEA NOT NULL
);

-- Converts a new copy of the seeded database to the schema of the first version, with ids and times
-- in the formats of a plain Diesel server.

CREATE TABLE first_organizations (
    id TEXT NOT NULL PRIMARY KEY,
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
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
INSERT INTO first_organizations
SELECT
    lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
        || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)),
    external_id,
    kind,
    name,
    billing_email,
    plan,
    throughput_tier,
    message_retention_days,
    mms_retention_days,
    is_reseller,
    quiet_hours_enabled,
    quiet_hours_start,
    quiet_hours_end,
    quiet_hours_mode,
    auto_replies_enabled,
    stop_text,
    help_text,
    start_text,
    missed_call_message,
    missed_call_enabled,
    brand_status,
    brand_count,
    campaign_count,
    version,
    audit_length,
    audit_head,
    strftime('%Y-%m-%d %H:%M:%f', created_at / 1000000.0, 'unixepoch'),
    strftime('%Y-%m-%d %H:%M:%f', updated_at / 1000000.0, 'unixepoch')
FROM organizations;

CREATE TABLE first_api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    org_id TEXT NOT NULL,
    label TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP,
    revoked_at TIMESTAMP,
    created_by TEXT NOT NULL
);
INSERT INTO first_api_keys
SELECT
    lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
        || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)),
    lower(substr(hex(org_id), 1, 8) || '-' || substr(hex(org_id), 9, 4) || '-' || substr(hex(org_id), 13, 4)
        || '-' || substr(hex(org_id), 17, 4) || '-' || substr(hex(org_id), 21)),
    label,
    prefix,
    hash,
    scopes,
    strftime('%Y-%m-%d %H:%M:%f', created_at / 1000000.0, 'unixepoch'),
    strftime('%Y-%m-%d %H:%M:%f', last_used_at / 1000000.0, 'unixepoch'),
    strftime('%Y-%m-%d %H:%M:%f', revoked_at / 1000000.0, 'unixepoch'),
    created_by
FROM api_keys;

CREATE TABLE first_audit_log (
    org_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    id TEXT NOT NULL,
    occurred_at TIMESTAMP NOT NULL,
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
INSERT INTO first_audit_log
SELECT
    lower(substr(hex(org_id), 1, 8) || '-' || substr(hex(org_id), 9, 4) || '-' || substr(hex(org_id), 13, 4)
        || '-' || substr(hex(org_id), 17, 4) || '-' || substr(hex(org_id), 21)),
    seq,
    id,
    strftime('%Y-%m-%d %H:%M:%f', occurred_at / 1000000.0, 'unixepoch'),
    actor_kind,
    actor_label,
    actor_identity,
    action,
    resource_type,
    resource_id,
    reason,
    request_id,
    payload,
    previous_hash,
    hash
FROM audit_log;

DROP TABLE token_revocations;
DROP TABLE issued_tokens;
DROP TABLE idempotency_records;
DROP TABLE campaigns;
DROP TABLE brands;
DROP TABLE audit_log;
DROP TABLE api_keys;
DROP TABLE organizations;
ALTER TABLE first_organizations RENAME TO organizations;
ALTER TABLE first_api_keys RENAME TO api_keys;
ALTER TABLE first_audit_log RENAME TO audit_log;
CREATE INDEX api_keys_by_organization ON api_keys (org_id, created_at, id);

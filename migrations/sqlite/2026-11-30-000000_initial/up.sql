-- Ids are the 16 bytes of a UUID. Request and audit ids are ULIDs in text. Times are microseconds since 1970
-- (UTC). deploy/views/sqlite.sql has views that show both as text.
-- SQLite stores a value of any type in any column (https://www.sqlite.org/datatype3.html). Checks refuse ids of
-- another type, because queries would miss them. Tables have rowids: measured at a million organizations, WITHOUT
-- ROWID reads as many pages per lookup and dirties twice as many per PATCH, because SQLite then stores whole rows
-- in the inner pages too (https://www.sqlite.org/withoutrowid.html).
--
-- `version` grows by one with every change of settings or of the registry. The ETag contains it.
-- `brand_status`, `brand_count`, `campaign_count` summarize the registry below and are updated with it.
-- `audit_length` and `audit_head` are the length and the last hash of this organization's chain in audit_log.
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

-- `hash` is the SHA-256 of the whole key. The key itself is not stored.
-- `scopes` are sorted and separated by one space.
-- `created_by` is the issuer: `api_key:<id>` or `command-line`. Only keys issued by API keys count
-- towards the limit per minute.
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

-- Registry of brands and campaigns. It is managed elsewhere, and the command line writes it here.
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
-- `payload` is JSON text. The hash covers it byte for byte.
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

-- Triggers refuse what no operation does. They stop mistakes, and attackers without DDL privileges.
-- `quietline audit verify` and its anchors detect changes by attackers who can drop triggers.
--
-- audit_log is append-only.
CREATE TRIGGER audit_log_refuses_update BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only: UPDATE is refused');
END;

CREATE TRIGGER audit_log_refuses_delete BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only: DELETE is refused');
END;

-- INSERT OR REPLACE deletes the conflicting row without firing DELETE triggers, unless recursive triggers are on
-- (https://www.sqlite.org/lang_conflict.html). NEW.rowid is -1 here unless the statement names a rowid, and
-- SQLite never assigns -1 to our rows.
CREATE TRIGGER audit_log_refuses_replace BEFORE INSERT ON audit_log
WHEN EXISTS (SELECT 1 FROM audit_log WHERE org_id = NEW.org_id AND seq = NEW.seq)
    OR (NEW.rowid <> -1 AND EXISTS (SELECT 1 FROM audit_log WHERE rowid = NEW.rowid))
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only: REPLACE is refused');
END;

-- Every change of an organization has an entry in audit_log.
CREATE TRIGGER organizations_refuses_update BEFORE UPDATE ON organizations
WHEN NEW.audit_length <= OLD.audit_length
BEGIN
    SELECT RAISE(ABORT, 'organizations: UPDATE without an audit entry is refused');
END;

CREATE TRIGGER organizations_refuses_identity BEFORE UPDATE OF id, external_id, created_at ON organizations
BEGIN
    SELECT RAISE(ABORT, 'organizations: UPDATE of id, external_id or created_at is refused');
END;

CREATE TRIGGER organizations_refuses_delete BEFORE DELETE ON organizations
BEGIN
    SELECT RAISE(ABORT, 'organizations: DELETE is refused');
END;

CREATE TRIGGER organizations_refuses_replace BEFORE INSERT ON organizations
WHEN EXISTS (SELECT 1 FROM organizations WHERE id = NEW.id)
    OR (NEW.rowid <> -1 AND EXISTS (SELECT 1 FROM organizations WHERE rowid = NEW.rowid))
BEGIN
    SELECT RAISE(ABORT, 'organizations: REPLACE is refused');
END;

-- A key never changes but for its uses and its revocation, which is final.
CREATE TRIGGER api_keys_refuses_update
BEFORE UPDATE OF id, org_id, label, prefix, hash, scopes, created_by, created_at ON api_keys
BEGIN
    SELECT RAISE(ABORT, 'api_keys: UPDATE is refused');
END;

CREATE TRIGGER api_keys_refuses_restore BEFORE UPDATE OF revoked_at ON api_keys
WHEN OLD.revoked_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'api_keys: UPDATE of a revoked key is refused');
END;

CREATE TRIGGER api_keys_refuses_delete BEFORE DELETE ON api_keys
BEGIN
    SELECT RAISE(ABORT, 'api_keys: DELETE is refused');
END;

CREATE TRIGGER api_keys_refuses_replace BEFORE INSERT ON api_keys
WHEN EXISTS (SELECT 1 FROM api_keys WHERE id = NEW.id OR hash = NEW.hash)
    OR (NEW.rowid <> -1 AND EXISTS (SELECT 1 FROM api_keys WHERE rowid = NEW.rowid))
BEGIN
    SELECT RAISE(ABORT, 'api_keys: REPLACE is refused');
END;

-- A brand or a campaign never changes but for its deletion, which is final.
CREATE TRIGGER brands_refuses_update BEFORE UPDATE OF id, org_id, name, created_at ON brands
BEGIN
    SELECT RAISE(ABORT, 'brands: UPDATE is refused');
END;

CREATE TRIGGER brands_refuses_status BEFORE UPDATE OF status ON brands
WHEN OLD.status = 'DELETED' OR NEW.status <> 'DELETED'
BEGIN
    SELECT RAISE(ABORT, 'brands: UPDATE of status is refused');
END;

CREATE TRIGGER brands_refuses_delete BEFORE DELETE ON brands
BEGIN
    SELECT RAISE(ABORT, 'brands: DELETE is refused');
END;

CREATE TRIGGER brands_refuses_replace BEFORE INSERT ON brands
WHEN EXISTS (SELECT 1 FROM brands WHERE id = NEW.id)
    OR (NEW.rowid <> -1 AND EXISTS (SELECT 1 FROM brands WHERE rowid = NEW.rowid))
BEGIN
    SELECT RAISE(ABORT, 'brands: REPLACE is refused');
END;

CREATE TRIGGER campaigns_refuses_update BEFORE UPDATE OF id, org_id, brand_id, name, created_at ON campaigns
BEGIN
    SELECT RAISE(ABORT, 'campaigns: UPDATE is refused');
END;

CREATE TRIGGER campaigns_refuses_status BEFORE UPDATE OF status ON campaigns
WHEN OLD.status = 'DELETED' OR NEW.status <> 'DELETED'
BEGIN
    SELECT RAISE(ABORT, 'campaigns: UPDATE of status is refused');
END;

CREATE TRIGGER campaigns_refuses_delete BEFORE DELETE ON campaigns
BEGIN
    SELECT RAISE(ABORT, 'campaigns: DELETE is refused');
END;

CREATE TRIGGER campaigns_refuses_replace BEFORE INSERT ON campaigns
WHEN EXISTS (SELECT 1 FROM campaigns WHERE id = NEW.id)
    OR (NEW.rowid <> -1 AND EXISTS (SELECT 1 FROM campaigns WHERE rowid = NEW.rowid))
BEGIN
    SELECT RAISE(ABORT, 'campaigns: REPLACE is refused');
END;

-- Responses to requests with an Idempotency-Key. Each is committed in the transaction of its request,
-- so that a retry gets the same response and has no effect. Kept for a day.
-- `credential` is the sender of the key, because credentials never share keys.
-- `fingerprint` is the SHA-256 of the operation and the body. `headers` is a JSON array of pairs.
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

-- Random secrets that all servers on this database share. `quietline migrate` generates them.
CREATE TABLE server_secrets (
    name TEXT NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL
);

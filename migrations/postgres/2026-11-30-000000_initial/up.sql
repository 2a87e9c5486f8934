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

-- Triggers refuse what no operation does. They stop mistakes, and attackers without DDL privileges.
-- `quietline audit verify` and its anchors detect changes by attackers who can drop triggers.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: % is refused', TG_ARGV[0], TG_OP;
END
$$;

-- audit_log is append-only.
CREATE TRIGGER audit_log_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('audit_log is append-only');

-- Every change of an organization has an entry in audit_log.
CREATE TRIGGER organizations_refuses_update BEFORE UPDATE ON organizations
FOR EACH ROW WHEN (NEW.audit_length <= OLD.audit_length)
EXECUTE FUNCTION refuse_change('organizations without an audit entry');

CREATE TRIGGER organizations_refuses_identity BEFORE UPDATE OF id, external_id, created_at ON organizations
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('organizations: id, external_id and created_at');

CREATE TRIGGER organizations_refuses_delete BEFORE DELETE OR TRUNCATE ON organizations
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('organizations');

-- A key never changes but for its uses and its revocation, which is final.
CREATE TRIGGER api_keys_refuses_update
BEFORE UPDATE OF id, org_id, label, prefix, hash, scopes, created_by, created_at ON api_keys
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('api_keys');

CREATE TRIGGER api_keys_refuses_restore BEFORE UPDATE OF revoked_at ON api_keys
FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL)
EXECUTE FUNCTION refuse_change('api_keys: a revoked key');

CREATE TRIGGER api_keys_refuses_delete BEFORE DELETE OR TRUNCATE ON api_keys
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('api_keys');

-- A brand or a campaign never changes but for its deletion, which is final.
CREATE TRIGGER brands_refuses_update BEFORE UPDATE OF id, org_id, name, created_at ON brands
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('brands');

CREATE TRIGGER brands_refuses_status BEFORE UPDATE OF status ON brands
FOR EACH ROW WHEN (OLD.status = 'DELETED' OR NEW.status <> 'DELETED')
EXECUTE FUNCTION refuse_change('brands: status');

CREATE TRIGGER brands_refuses_delete BEFORE DELETE OR TRUNCATE ON brands
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('brands');

CREATE TRIGGER campaigns_refuses_update BEFORE UPDATE OF id, org_id, brand_id, name, created_at ON campaigns
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('campaigns');

CREATE TRIGGER campaigns_refuses_status BEFORE UPDATE OF status ON campaigns
FOR EACH ROW WHEN (OLD.status = 'DELETED' OR NEW.status <> 'DELETED')
EXECUTE FUNCTION refuse_change('campaigns: status');

CREATE TRIGGER campaigns_refuses_delete BEFORE DELETE OR TRUNCATE ON campaigns
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('campaigns');

-- ALWAYS fires the triggers even in sessions that disable ordinary triggers by session_replication_role.
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_refuses_change;
ALTER TABLE organizations ENABLE ALWAYS TRIGGER organizations_refuses_update;
ALTER TABLE organizations ENABLE ALWAYS TRIGGER organizations_refuses_identity;
ALTER TABLE organizations ENABLE ALWAYS TRIGGER organizations_refuses_delete;
ALTER TABLE api_keys ENABLE ALWAYS TRIGGER api_keys_refuses_update;
ALTER TABLE api_keys ENABLE ALWAYS TRIGGER api_keys_refuses_restore;
ALTER TABLE api_keys ENABLE ALWAYS TRIGGER api_keys_refuses_delete;
ALTER TABLE brands ENABLE ALWAYS TRIGGER brands_refuses_update;
ALTER TABLE brands ENABLE ALWAYS TRIGGER brands_refuses_status;
ALTER TABLE brands ENABLE ALWAYS TRIGGER brands_refuses_delete;
ALTER TABLE campaigns ENABLE ALWAYS TRIGGER campaigns_refuses_update;
ALTER TABLE campaigns ENABLE ALWAYS TRIGGER campaigns_refuses_status;
ALTER TABLE campaigns ENABLE ALWAYS TRIGGER campaigns_refuses_delete;

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

-- Random secrets that all servers on this database share. `quietline migrate` generates them.
CREATE TABLE server_secrets (
    name TEXT NOT NULL PRIMARY KEY,
    secret BYTEA NOT NULL
);

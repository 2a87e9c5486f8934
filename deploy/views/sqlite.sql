-- Views of the tables for operators: ids as UUIDs in text, times as RFC 3339 in UTC, hashes in hexadecimal.
-- The program does not need them: sqlite3 quietline.db < deploy/views/sqlite.sql
-- A condition on a column of a view scans the whole table. Look up an organization in its table instead, by
-- id = x'0190a1b2c3d47e5fa6b7c8d9e0f1a2b3'.

CREATE VIEW api_keys_readable AS SELECT
    lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
        || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
    lower(substr(hex(org_id), 1, 8) || '-' || substr(hex(org_id), 9, 4) || '-' || substr(hex(org_id), 13, 4)
        || '-' || substr(hex(org_id), 17, 4) || '-' || substr(hex(org_id), 21)) AS org_id,
    label,
    prefix,
    lower(hex(hash)) AS hash,
    scopes,
    created_by,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1e6, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', last_used_at / 1e6, 'unixepoch') AS last_used_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', revoked_at / 1e6, 'unixepoch') AS revoked_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', expires_at / 1e6, 'unixepoch') AS expires_at,
    iif(rotated_from IS NULL, NULL, lower(substr(hex(rotated_from), 1, 8) || '-' || substr(hex(rotated_from), 9, 4)
        || '-' || substr(hex(rotated_from), 13, 4) || '-' || substr(hex(rotated_from), 17, 4)
        || '-' || substr(hex(rotated_from), 21))) AS rotated_from
FROM api_keys;

CREATE VIEW audit_log_readable AS SELECT
    lower(substr(hex(org_id), 1, 8) || '-' || substr(hex(org_id), 9, 4) || '-' || substr(hex(org_id), 13, 4)
        || '-' || substr(hex(org_id), 17, 4) || '-' || substr(hex(org_id), 21)) AS org_id,
    seq,
    id,
    strftime('%Y-%m-%dT%H:%M:%fZ', occurred_at / 1e6, 'unixepoch') AS occurred_at,
    actor_kind,
    actor_label,
    actor_identity,
    action,
    resource_type,
    resource_id,
    reason,
    request_id,
    payload,
    lower(hex(previous_hash)) AS previous_hash,
    lower(hex(hash)) AS hash
FROM audit_log;

CREATE VIEW brands_readable AS SELECT
    lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
        || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
    lower(substr(hex(org_id), 1, 8) || '-' || substr(hex(org_id), 9, 4) || '-' || substr(hex(org_id), 13, 4)
        || '-' || substr(hex(org_id), 17, 4) || '-' || substr(hex(org_id), 21)) AS org_id,
    name,
    status,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1e6, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1e6, 'unixepoch') AS updated_at
FROM brands;

CREATE VIEW campaigns_readable AS SELECT
    lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
        || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
    lower(substr(hex(org_id), 1, 8) || '-' || substr(hex(org_id), 9, 4) || '-' || substr(hex(org_id), 13, 4)
        || '-' || substr(hex(org_id), 17, 4) || '-' || substr(hex(org_id), 21)) AS org_id,
    lower(substr(hex(brand_id), 1, 8) || '-' || substr(hex(brand_id), 9, 4) || '-' || substr(hex(brand_id), 13, 4)
        || '-' || substr(hex(brand_id), 17, 4) || '-' || substr(hex(brand_id), 21)) AS brand_id,
    name,
    status,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1e6, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1e6, 'unixepoch') AS updated_at
FROM campaigns;

CREATE VIEW idempotency_records_readable AS SELECT
    lower(substr(hex(org_id), 1, 8) || '-' || substr(hex(org_id), 9, 4) || '-' || substr(hex(org_id), 13, 4)
        || '-' || substr(hex(org_id), 17, 4) || '-' || substr(hex(org_id), 21)) AS org_id,
    credential,
    idempotency_key,
    lower(hex(fingerprint)) AS fingerprint,
    status,
    headers,
    body,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1e6, 'unixepoch') AS created_at
FROM idempotency_records;

CREATE VIEW issued_tokens_readable AS SELECT
    lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
        || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
    CASE WHEN org_id IS NOT NULL THEN lower(substr(hex(org_id), 1, 8) || '-' || substr(hex(org_id), 9, 4)
        || '-' || substr(hex(org_id), 13, 4) || '-' || substr(hex(org_id), 17, 4)
        || '-' || substr(hex(org_id), 21)) END AS org_id,
    issuer,
    subject,
    role,
    strftime('%Y-%m-%dT%H:%M:%fZ', issued_at / 1e6, 'unixepoch') AS issued_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', expires_at / 1e6, 'unixepoch') AS expires_at,
    issued_by,
    reason
FROM issued_tokens;

CREATE VIEW organizations_readable AS SELECT
    lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
        || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
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
    lower(hex(audit_head)) AS audit_head,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1e6, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1e6, 'unixepoch') AS updated_at
FROM organizations;

CREATE VIEW token_revocations_readable AS SELECT
    lower(substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4)
        || '-' || substr(hex(id), 17, 4) || '-' || substr(hex(id), 21)) AS id,
    CASE WHEN org_id IS NOT NULL THEN lower(substr(hex(org_id), 1, 8) || '-' || substr(hex(org_id), 9, 4)
        || '-' || substr(hex(org_id), 13, 4) || '-' || substr(hex(org_id), 17, 4)
        || '-' || substr(hex(org_id), 21)) END AS org_id,
    issuer,
    subject,
    strftime('%Y-%m-%dT%H:%M:%fZ', issued_before / 1e6, 'unixepoch') AS issued_before,
    strftime('%Y-%m-%dT%H:%M:%fZ', revoked_at / 1e6, 'unixepoch') AS revoked_at,
    revoked_by,
    reason
FROM token_revocations;

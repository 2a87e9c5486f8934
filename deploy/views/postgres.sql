-- Views of the tables for operators: ids as UUIDs in text, times as RFC 3339 in UTC, hashes in hexadecimal.
-- The program does not need them: psql -d quietline -f deploy/views/postgres.sql
-- A condition on a column of a view scans the whole table. Look up an organization in its table instead.

CREATE VIEW api_keys_readable AS SELECT
    id::text AS id,
    org_id::text AS org_id,
    label,
    prefix,
    encode(hash, 'hex') AS hash,
    scopes,
    created_by,
    to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created_at,
    to_char(last_used_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS last_used_at,
    to_char(revoked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS revoked_at,
    to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS expires_at,
    rotated_from::text AS rotated_from
FROM api_keys;

CREATE VIEW audit_log_readable AS SELECT
    org_id::text AS org_id,
    seq,
    id,
    to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS occurred_at,
    actor_kind,
    actor_label,
    actor_identity,
    action,
    resource_type,
    resource_id,
    reason,
    request_id,
    payload,
    encode(previous_hash, 'hex') AS previous_hash,
    encode(hash, 'hex') AS hash
FROM audit_log;

CREATE VIEW brands_readable AS SELECT
    id::text AS id,
    org_id::text AS org_id,
    name,
    status,
    to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created_at,
    to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS updated_at
FROM brands;

CREATE VIEW campaigns_readable AS SELECT
    id::text AS id,
    org_id::text AS org_id,
    brand_id::text AS brand_id,
    name,
    status,
    to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created_at,
    to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS updated_at
FROM campaigns;

CREATE VIEW idempotency_records_readable AS SELECT
    org_id::text AS org_id,
    credential,
    idempotency_key,
    encode(fingerprint, 'hex') AS fingerprint,
    status,
    headers,
    body,
    to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created_at
FROM idempotency_records;

CREATE VIEW issued_tokens_readable AS SELECT
    id::text AS id,
    org_id::text AS org_id,
    issuer,
    subject,
    role,
    to_char(issued_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS issued_at,
    to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS expires_at,
    issued_by,
    reason
FROM issued_tokens;

CREATE VIEW organizations_readable AS SELECT
    id::text AS id,
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
    encode(audit_head, 'hex') AS audit_head,
    to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created_at,
    to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS updated_at
FROM organizations;

CREATE VIEW token_revocations_readable AS SELECT
    id::text AS id,
    org_id::text AS org_id,
    issuer,
    subject,
    to_char(issued_before AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS issued_before,
    to_char(revoked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS revoked_at,
    revoked_by,
    reason
FROM token_revocations;

-- Fastest form of W1 and W2 in PostgreSQL: one statement each. pgbench variables are numbers, so
-- keys are found by number.
CREATE TABLE bench_keys (number integer PRIMARY KEY, hash bytea NOT NULL);
INSERT INTO bench_keys SELECT row_number() OVER (ORDER BY hash), hash FROM api_keys;
ANALYZE bench_keys;

-- Does the work of PATCH /v1/organization: lock, read, update and two chained audit entries.
CREATE FUNCTION bench_patch(key_number integer, days integer, quiet_start text)
RETURNS organizations LANGUAGE plpgsql AS $$
DECLARE
    key api_keys;
    org organizations;
    retention text;
    quiet_hours text;
    moment timestamptz := clock_timestamp();
    request text := substr(gen_random_uuid()::text, 1, 26);
    first_hash bytea;
    second_hash bytea;
BEGIN
    SELECT api_keys.* INTO key FROM api_keys JOIN bench_keys USING (hash) WHERE number = key_number;
    SELECT * INTO org FROM organizations WHERE id = key.org_id FOR UPDATE;
    retention := json_build_object(
        'before', json_build_object('message_retention_days', org.message_retention_days),
        'after', json_build_object('message_retention_days', days));
    quiet_hours := json_build_object(
        'before', json_build_object('start', org.quiet_hours_start),
        'after', json_build_object('start', quiet_start));
    first_hash := sha256(convert_to(
        concat_ws(':', org.id, org.audit_length + 1, moment, key.id, key.label, request,
            retention, encode(org.audit_head, 'hex')), 'UTF8'));
    second_hash := sha256(convert_to(
        concat_ws(':', org.id, org.audit_length + 2, moment, key.id, key.label, request,
            quiet_hours, encode(first_hash, 'hex')), 'UTF8'));
    INSERT INTO audit_log VALUES
        (org.id, org.audit_length + 1, request, moment, 'customer', 'api_key:' || key.id,
            'api_key:' || key.id, 'retention.update', 'organization', org.id::text, NULL, request,
            retention, org.audit_head, first_hash),
        (org.id, org.audit_length + 2, request, moment, 'customer', 'api_key:' || key.id,
            'api_key:' || key.id, 'quiet_hours.update', 'organization', org.id::text, NULL, request,
            quiet_hours, first_hash, second_hash);
    UPDATE organizations
        SET message_retention_days = days, quiet_hours_enabled = true,
            quiet_hours_start = quiet_start, quiet_hours_end = '08:00', version = org.version + 1,
            audit_length = org.audit_length + 2, audit_head = second_hash, updated_at = moment
        WHERE id = org.id RETURNING * INTO org;
    RETURN org;
END $$;

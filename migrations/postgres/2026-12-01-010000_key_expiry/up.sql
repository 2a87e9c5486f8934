-- `expires_at` is the time from which the key is refused, NULL for never.
-- `rotated_from` is the key that a rotation replaced by this key, NULL for a created key. It bounds the rotations
-- of one key per minute.
ALTER TABLE api_keys ADD COLUMN expires_at TIMESTAMPTZ;
ALTER TABLE api_keys ADD COLUMN rotated_from UUID;

DROP TRIGGER api_keys_refuses_update ON api_keys;
CREATE TRIGGER api_keys_refuses_update
BEFORE UPDATE OF id, org_id, label, prefix, hash, scopes, created_by, created_at, expires_at, rotated_from ON api_keys
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('api_keys');
ALTER TABLE api_keys ENABLE ALWAYS TRIGGER api_keys_refuses_update;

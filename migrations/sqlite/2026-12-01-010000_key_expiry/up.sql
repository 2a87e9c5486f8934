-- `expires_at` is the time from which the key is refused, NULL for never.
-- `rotated_from` is the key that a rotation replaced by this key, NULL for a created key. It bounds the rotations
-- of one key per minute.
ALTER TABLE api_keys ADD COLUMN expires_at BIGINT;
ALTER TABLE api_keys ADD COLUMN rotated_from BLOB
    CHECK (rotated_from IS NULL OR (typeof(rotated_from) = 'blob' AND length(rotated_from) = 16));

DROP TRIGGER api_keys_refuses_update;
CREATE TRIGGER api_keys_refuses_update
BEFORE UPDATE OF id, org_id, label, prefix, hash, scopes, created_by, created_at, expires_at, rotated_from ON api_keys
BEGIN
    SELECT RAISE(ABORT, 'api_keys: UPDATE is refused');
END;

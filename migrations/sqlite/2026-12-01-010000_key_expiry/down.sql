DROP TRIGGER api_keys_refuses_update;
ALTER TABLE api_keys DROP COLUMN rotated_from;
ALTER TABLE api_keys DROP COLUMN expires_at;
CREATE TRIGGER api_keys_refuses_update
BEFORE UPDATE OF id, org_id, label, prefix, hash, scopes, created_by, created_at ON api_keys
BEGIN
    SELECT RAISE(ABORT, 'api_keys: UPDATE is refused');
END;

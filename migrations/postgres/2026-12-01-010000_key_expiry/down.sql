DROP TRIGGER api_keys_refuses_update ON api_keys;
ALTER TABLE api_keys DROP COLUMN rotated_from;
ALTER TABLE api_keys DROP COLUMN expires_at;
CREATE TRIGGER api_keys_refuses_update
BEFORE UPDATE OF id, org_id, label, prefix, hash, scopes, created_by, created_at ON api_keys
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('api_keys');
ALTER TABLE api_keys ENABLE ALWAYS TRIGGER api_keys_refuses_update;

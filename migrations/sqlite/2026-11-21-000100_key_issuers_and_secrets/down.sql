DROP TABLE server_secrets;
ALTER TABLE api_keys DROP COLUMN created_by;

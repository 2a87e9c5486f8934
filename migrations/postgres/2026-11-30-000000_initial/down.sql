DROP TABLE server_secrets;
DROP TABLE idempotency_records;
DROP TABLE audit_log;
DROP TABLE campaigns;
DROP TABLE brands;
DROP TABLE api_keys;
DROP TABLE organizations;
DROP FUNCTION refuse_change();

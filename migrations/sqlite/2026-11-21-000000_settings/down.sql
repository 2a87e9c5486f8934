DROP TABLE audit_log;
DROP TABLE campaigns;
DROP TABLE brands;
DROP TABLE api_keys;
DROP TABLE organizations;

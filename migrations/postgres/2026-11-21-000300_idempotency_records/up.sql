-- Answers to requests that carried an Idempotency-Key, committed together with what the request did,
-- so that the same request is answered again and not done again. Kept for a day.
-- `credential` is who sent the key: two credentials never share one.
-- `fingerprint` is the SHA-256 of the operation and the body; `headers` is a JSON array of pairs.
CREATE TABLE idempotency_records (
    org_id TEXT NOT NULL REFERENCES organizations (id),
    credential TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body BYTEA NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (org_id, credential, idempotency_key)
);
CREATE INDEX idempotency_records_by_age ON idempotency_records (created_at);

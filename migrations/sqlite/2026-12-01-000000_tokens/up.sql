-- Tokens that the command line signed, without the tokens. `id` is the claim `jti`. Those that name an organization
-- are in its audit_log too.
CREATE TABLE issued_tokens (
    id BLOB NOT NULL PRIMARY KEY CHECK (typeof(id) = 'blob' AND length(id) = 16),
    org_id BLOB REFERENCES organizations (id) CHECK (org_id IS NULL OR typeof(org_id) = 'blob' AND length(org_id) = 16),
    issuer TEXT,
    subject TEXT NOT NULL,
    role TEXT NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    issued_by TEXT NOT NULL,
    reason TEXT
);

-- Tokens of an organization or of a subject that were issued before `issued_before` are refused. Without an issuer,
-- the subject's tokens of all issuers.
CREATE TABLE token_revocations (
    id BLOB NOT NULL PRIMARY KEY CHECK (typeof(id) = 'blob' AND length(id) = 16),
    org_id BLOB REFERENCES organizations (id) CHECK (org_id IS NULL OR typeof(org_id) = 'blob' AND length(org_id) = 16),
    issuer TEXT,
    subject TEXT,
    issued_before BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL,
    revoked_by TEXT NOT NULL,
    reason TEXT,
    CHECK ((org_id IS NULL) = (subject IS NOT NULL)),
    CHECK (issuer IS NULL OR subject IS NOT NULL)
);

-- Both are append-only. REPLACE is refused as in audit_log.
CREATE TRIGGER issued_tokens_refuses_update BEFORE UPDATE ON issued_tokens
BEGIN
    SELECT RAISE(ABORT, 'issued_tokens: UPDATE is refused');
END;

CREATE TRIGGER issued_tokens_refuses_delete BEFORE DELETE ON issued_tokens
BEGIN
    SELECT RAISE(ABORT, 'issued_tokens: DELETE is refused');
END;

CREATE TRIGGER issued_tokens_refuses_replace BEFORE INSERT ON issued_tokens
WHEN EXISTS (SELECT 1 FROM issued_tokens WHERE id = NEW.id)
    OR (NEW.rowid <> -1 AND EXISTS (SELECT 1 FROM issued_tokens WHERE rowid = NEW.rowid))
BEGIN
    SELECT RAISE(ABORT, 'issued_tokens: REPLACE is refused');
END;

CREATE TRIGGER token_revocations_refuses_update BEFORE UPDATE ON token_revocations
BEGIN
    SELECT RAISE(ABORT, 'token_revocations: UPDATE is refused');
END;

CREATE TRIGGER token_revocations_refuses_delete BEFORE DELETE ON token_revocations
BEGIN
    SELECT RAISE(ABORT, 'token_revocations: DELETE is refused');
END;

CREATE TRIGGER token_revocations_refuses_replace BEFORE INSERT ON token_revocations
WHEN EXISTS (SELECT 1 FROM token_revocations WHERE id = NEW.id)
    OR (NEW.rowid <> -1 AND EXISTS (SELECT 1 FROM token_revocations WHERE rowid = NEW.rowid))
BEGIN
    SELECT RAISE(ABORT, 'token_revocations: REPLACE is refused');
END;

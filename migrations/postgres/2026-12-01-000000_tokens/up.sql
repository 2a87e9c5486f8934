-- Tokens that the command line signed, without the tokens. `id` is the claim `jti`. Those that name an organization
-- are in its audit_log too.
CREATE TABLE issued_tokens (
    id UUID NOT NULL PRIMARY KEY,
    org_id UUID REFERENCES organizations (id),
    issuer TEXT,
    subject TEXT NOT NULL,
    role TEXT NOT NULL,
    issued_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    issued_by TEXT NOT NULL,
    reason TEXT
);

-- Tokens of an organization or of a subject that were issued before `issued_before` are refused. Without an issuer,
-- the subject's tokens of all issuers.
CREATE TABLE token_revocations (
    id UUID NOT NULL PRIMARY KEY,
    org_id UUID REFERENCES organizations (id),
    issuer TEXT,
    subject TEXT,
    issued_before TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ NOT NULL,
    revoked_by TEXT NOT NULL,
    reason TEXT,
    CHECK ((org_id IS NULL) = (subject IS NOT NULL)),
    CHECK (issuer IS NULL OR subject IS NOT NULL)
);

-- Both are append-only.
CREATE TRIGGER issued_tokens_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON issued_tokens
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('issued_tokens');

CREATE TRIGGER token_revocations_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON token_revocations
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('token_revocations');

ALTER TABLE issued_tokens ENABLE ALWAYS TRIGGER issued_tokens_refuses_change;
ALTER TABLE token_revocations ENABLE ALWAYS TRIGGER token_revocations_refuses_change;

-- Least-privilege roles. Run it as a superuser, in the database and schema of Quietline:
--     psql -f deploy/roles/postgres.sql
-- once before the first `quietline migrate`, which makes the roles, and again after every
-- `quietline migrate`, which grants access to the tables. It may be repeated at any time.
--
-- quietline_migrator owns the schema, runs `quietline migrate` and does nothing else.
-- quietline_server runs `quietline serve` and the commands that write.
-- quietline_auditor runs `quietline audit` and other commands that read.
-- Give the roles a password or another way to log in: ALTER ROLE quietline_server LOGIN PASSWORD '…'.
DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['quietline_migrator', 'quietline_server', 'quietline_auditor'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I', name);
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), name);
        -- The program recognizes temporary errors by their English messages.
        BEGIN
            EXECUTE format('ALTER ROLE %I SET lc_messages = ''C''', name);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE WARNING 'lc_messages of % is not set: only a superuser may', name;
        END;
    END LOOP;
    EXECUTE format('GRANT CREATE ON SCHEMA %I TO quietline_migrator', current_schema());
END
$$;

-- A table of a later version is readable until this file is run again.
ALTER DEFAULT PRIVILEGES FOR ROLE quietline_migrator GRANT SELECT ON TABLES TO quietline_server, quietline_auditor;

DO $$
BEGIN
    IF to_regclass('audit_log') IS NULL THEN
        RETURN;
    END IF;
    -- Also on tables that were made before the default privileges above.
    GRANT SELECT ON organizations, api_keys, brands, campaigns, audit_log, idempotency_records, issued_tokens,
        token_revocations, server_secrets, __diesel_schema_migrations TO quietline_server, quietline_auditor;
    GRANT INSERT ON organizations, api_keys, brands, campaigns, audit_log, idempotency_records, issued_tokens,
        token_revocations TO quietline_server;
    GRANT UPDATE ON organizations TO quietline_server;
    GRANT UPDATE (last_used_at, revoked_at) ON api_keys TO quietline_server;
    GRANT UPDATE (status, updated_at) ON brands, campaigns TO quietline_server;
    -- Only these rows expire.
    GRANT DELETE ON idempotency_records TO quietline_server;
END
$$;

-- Rows of audit_log are added and never changed. This stops a mistake, and an attacker who has SQL and
-- no more; whoever may drop triggers is found out by `quietline audit verify` and its anchors.
CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only: % is refused', TG_OP;
END
$$;

CREATE TRIGGER audit_log_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse();

-- Also in a session that has turned ordinary triggers off (session_replication_role).
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_refuses_change;

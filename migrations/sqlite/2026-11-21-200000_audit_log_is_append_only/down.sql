DROP TRIGGER audit_log_refuses_replace;
DROP TRIGGER audit_log_refuses_delete;
DROP TRIGGER audit_log_refuses_update;

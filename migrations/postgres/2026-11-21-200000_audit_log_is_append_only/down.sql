DROP TRIGGER audit_log_refuses_change ON audit_log;
DROP FUNCTION audit_log_refuse();

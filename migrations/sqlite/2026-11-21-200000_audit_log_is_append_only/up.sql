-- Rows of audit_log are added and never changed. This stops a mistake, and an attacker who has SQL and
-- no more; whoever may drop triggers is found out by `quietline audit verify` and its anchors.
CREATE TRIGGER audit_log_refuses_update BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only: UPDATE is refused');
END;

CREATE TRIGGER audit_log_refuses_delete BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only: DELETE is refused');
END;

-- INSERT OR REPLACE deletes the row in its place, and no trigger on DELETE sees that. The rowid is -1
-- here unless the statement names one, and no row of ours has that.
CREATE TRIGGER audit_log_refuses_replace BEFORE INSERT ON audit_log
WHEN EXISTS (SELECT 1 FROM audit_log WHERE org_id = NEW.org_id AND seq = NEW.seq)
    OR (NEW.rowid <> -1 AND EXISTS (SELECT 1 FROM audit_log WHERE rowid = NEW.rowid))
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only: REPLACE is refused');
END;

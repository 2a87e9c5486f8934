//! The database itself refuses changes to the audit log. All other tests show that it accepts new
//! entries.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use quietline::domain::scope::Scope;
use serde_json::json;

use crate::support::TestApp;
use crate::support::database::TestDatabase;

/// Returns why the database refuses `sql`. Rolls back a statement that is not refused.
fn refusal(database: &TestDatabase, sql: &str) -> Option<String> {
    let tried = match database {
        TestDatabase::Sqlite(folder) => {
            let path = folder.path().join("test.db");
            let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
            conn.batch_execute(&format!("BEGIN; {sql}; ROLLBACK"))
        }
        TestDatabase::Postgres { .. } => {
            let mut conn = PgConnection::establish(&database.url_text()).unwrap();
            conn.batch_execute(&format!("BEGIN; {sql}; ROLLBACK"))
        }
    };
    tried.err().map(|error| error.to_string())
}

async fn app_with_log() -> TestApp {
    let app = TestApp::new().await;
    let key = app.api_key(&[Scope::OrgAdminWrite]).await;
    for name in ["One", "Two"] {
        let body = json!({ "name": name });
        assert_eq!(app.patch(&key, body).await.status, 200);
    }
    app
}

/// A row at rowid -1, which SQLite's trigger reads as "the statement names no rowid", must not
/// block other inserts.
#[actix_web::test]
async fn a_forged_row_does_not_block_new_entries() {
    let app = app_with_log().await;
    if let TestDatabase::Sqlite(_) = &app.database {
        app.database.execute(
            "INSERT INTO audit_log (rowid, org_id, seq, id, occurred_at, actor_kind, actor_label, \
             actor_identity, action, resource_type, resource_id, request_id, payload, \
             previous_hash, hash) SELECT -1, org_id, 99, id, occurred_at, actor_kind, \
             actor_label, actor_identity, action, resource_type, resource_id, request_id, \
             payload, previous_hash, hash FROM audit_log WHERE seq = 1",
        );
    }
    let key = app.api_key(&[Scope::OrgAdminWrite]).await;
    assert_eq!(app.patch(&key, json!({"name": "Three"})).await.status, 200);
}

#[actix_web::test]
async fn rows_of_the_audit_log_cannot_be_updated_or_deleted_through_sql() {
    let app = app_with_log().await;
    let mut statements = vec![
        "UPDATE audit_log SET payload = '{}'",
        "UPDATE audit_log SET seq = seq WHERE seq = 2",
        "DELETE FROM audit_log",
        "DELETE FROM audit_log WHERE seq = 2",
    ];
    let columns = "SELECT org_id, seq, id, occurred_at, actor_kind, actor_label, actor_identity, \
         action, resource_type, resource_id, reason, request_id, '{}', previous_hash, hash";
    let replace = format!("INSERT OR REPLACE INTO audit_log {columns} FROM audit_log");
    let by_rowid = format!(
        "INSERT OR REPLACE INTO audit_log (rowid, org_id, seq, id, occurred_at, actor_kind, \
         actor_label, actor_identity, action, resource_type, resource_id, reason, request_id, \
         payload, previous_hash, hash) {} FROM audit_log WHERE seq = 2",
        columns.replace("org_id, seq", "rowid, org_id, 99")
    );
    let upsert = format!(
        "INSERT INTO audit_log {columns} FROM audit_log WHERE true \
         ON CONFLICT (org_id, seq) DO UPDATE SET payload = '{{}}'"
    );
    statements.push(&upsert);
    match &app.database {
        TestDatabase::Sqlite(_) => statements.extend([replace.as_str(), &by_rowid]),
        TestDatabase::Postgres { .. } => {
            statements.extend(["TRUNCATE audit_log", "TRUNCATE organizations CASCADE"]);
        }
    }
    for sql in statements {
        let refusal =
            refusal(&app.database, sql).unwrap_or_else(|| panic!("{sql} was not refused"));
        assert!(
            refusal.contains("audit_log is append-only"),
            "{sql}: {refusal}"
        );
    }
}

//! The database itself refuses changes that no operation makes. All other tests show that it
//! accepts the operations.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use quietline::domain::actor::Role;
use quietline::domain::ids::TokenId;
use quietline::domain::registry::RegistrationStatus;
use quietline::domain::scope::Scope;
use quietline::domain::token::{IssuedToken, RevokedTokens};
use quietline::operator;
use serde_json::json;

use crate::support::TestApp;
use crate::support::app::now;
use crate::support::database::TestDatabase;

/// Returns why the database refuses `sql`. Rolls back a statement that is not refused.
fn refusal(database: &TestDatabase, sql: &str) -> Option<String> {
    let tried = match database {
        TestDatabase::Sqlite(folder) => {
            let path = folder.path().join("test.db");
            let mut conn = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
            conn.batch_execute(&format!("BEGIN; {sql}; ROLLBACK"))
        }
        TestDatabase::Postgres { .. } => return refusal_as(database, "NONE", sql),
    };
    tried.err().map(|error| error.to_string())
}

/// Returns why PostgreSQL refuses `sql` to `role`.
pub fn refusal_as(database: &TestDatabase, role: &str, sql: &str) -> Option<String> {
    let mut conn = PgConnection::establish(&database.url_text()).unwrap();
    let tried = conn.batch_execute(&format!("BEGIN; SET LOCAL ROLE {role}; {sql}; ROLLBACK"));
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
            statements.push("TRUNCATE audit_log");
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

/// Returns a statement that replaces every row of `table` by itself, for SQLite.
fn replace_all(database: &TestDatabase, table: &str) -> String {
    let columns = database.columns(table).join(", ");
    format!("INSERT OR REPLACE INTO {table} ({columns}) SELECT {columns} FROM {table}")
}

/// Asserts that the database refuses each of `statements`, because of a trigger of `table`.
async fn assert_refused(table: &str, statements: &[&str]) {
    let app = app_with_log().await;
    let brand = app.brand().await.id;
    let (name, status) = ("Campaign".to_owned(), RegistrationStatus::Pending);
    operator::registry::add_campaign(&app.session(), brand, name, status)
        .await
        .unwrap();
    let key = app.api_key(&[Scope::OrgRead]).await;
    app.revoke_key(app.key_id(&key).await).await;
    add_tokens(&app).await;
    let mut statements: Vec<String> = statements.iter().map(|&sql| sql.to_owned()).collect();
    statements.push(format!("DELETE FROM {table}"));
    statements.push(match &app.database {
        TestDatabase::Sqlite(_) => replace_all(&app.database, table),
        TestDatabase::Postgres { .. } => format!("TRUNCATE {table} CASCADE"),
    });
    for sql in statements {
        let refusal = refusal(&app.database, &sql);
        let refusal = refusal.unwrap_or_else(|| panic!("{sql} was not refused"));
        assert!(
            refusal.contains(table) && refusal.contains("is refused"),
            "{sql}: {refusal}"
        );
    }
}

/// Records a signed token and a revocation.
async fn add_tokens(app: &TestApp) {
    let token = IssuedToken {
        id: TokenId::generate(),
        org_id: Some(app.org_id),
        issuer: None,
        subject: "jane".to_owned(),
        role: Role::Admin,
        issued_at: now(),
        expires_at: now(),
        issued_by: "command-line".to_owned(),
        reason: None,
    };
    operator::token::record(&app.session(), token)
        .await
        .unwrap();
    let tokens = RevokedTokens::OfOrganization(app.org_id);
    operator::token::revoke(&app.session(), tokens, None)
        .await
        .unwrap();
}

#[actix_web::test]
async fn records_of_tokens_and_of_revocations_cannot_be_changed_or_deleted() {
    let statements = [
        "UPDATE issued_tokens SET subject = 'other'",
        "UPDATE issued_tokens SET id = id",
    ];
    assert_refused("issued_tokens", &statements).await;
    let statements = [
        "UPDATE token_revocations SET issued_before = issued_before",
        "UPDATE token_revocations SET revoked_by = 'nobody'",
    ];
    assert_refused("token_revocations", &statements).await;
}

#[actix_web::test]
async fn an_organization_cannot_be_changed_without_an_audit_entry_or_deleted() {
    let statements = [
        "UPDATE organizations SET auto_replies_enabled = false",
        "UPDATE organizations SET name = name",
        "UPDATE organizations SET external_id = NULL, version = version + 1",
        "UPDATE organizations SET plan = 'enterprise', audit_length = audit_length",
        "UPDATE organizations SET audit_length = audit_length - 1",
        "UPDATE organizations SET id = id, audit_length = audit_length + 1",
        "UPDATE organizations SET created_at = updated_at, audit_length = audit_length + 1",
        "UPDATE organizations SET external_id = NULL, audit_length = audit_length + 1",
    ];
    assert_refused("organizations", &statements).await;
}

#[actix_web::test]
async fn an_api_key_cannot_be_changed_restored_or_deleted() {
    let statements = [
        "UPDATE api_keys SET id = id",
        "UPDATE api_keys SET org_id = org_id",
        "UPDATE api_keys SET label = 'Acme CFO'",
        "UPDATE api_keys SET prefix = 'am_live_0000'",
        "UPDATE api_keys SET hash = hash",
        "UPDATE api_keys SET scopes = 'org:read org:admin:write apikeys:write'",
        "UPDATE api_keys SET created_by = 'command-line'",
        "UPDATE api_keys SET created_at = created_at",
        "UPDATE api_keys SET expires_at = NULL",
        "UPDATE api_keys SET rotated_from = NULL",
        "UPDATE api_keys SET revoked_at = NULL WHERE revoked_at IS NOT NULL",
        "UPDATE api_keys SET revoked_at = created_at WHERE revoked_at IS NOT NULL",
    ];
    assert_refused("api_keys", &statements).await;
}

#[actix_web::test]
async fn a_brand_cannot_be_changed_except_by_its_deletion() {
    let statements = [
        "UPDATE brands SET id = id",
        "UPDATE brands SET org_id = org_id",
        "UPDATE brands SET name = 'Other'",
        "UPDATE brands SET created_at = created_at",
        "UPDATE brands SET status = 'PENDING'",
    ];
    assert_refused("brands", &statements).await;
}

#[actix_web::test]
async fn a_campaign_cannot_be_changed_except_by_its_deletion() {
    let statements = [
        "UPDATE campaigns SET id = id",
        "UPDATE campaigns SET org_id = org_id",
        "UPDATE campaigns SET brand_id = brand_id",
        "UPDATE campaigns SET name = 'Other'",
        "UPDATE campaigns SET created_at = created_at",
        "UPDATE campaigns SET status = 'ACTIVE'",
    ];
    assert_refused("campaigns", &statements).await;
}
